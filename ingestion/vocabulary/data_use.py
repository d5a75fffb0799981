"""Data-use conditions: EUCAIM's 23, each with its DUO code and the parts of an ODRL policy that express it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from ingestion.vocabulary.spelling import read_table

_EUCAIM = "https://eucaim.github.io/eucaim_dcat_ap/releases/controlled-vocabularies/data-use-conditions/#"
_OBO = "http://purl.obolibrary.org/obo/"


class Part(StrEnum):
    """What a condition is in an ODRL policy (Information Model 2.2, sections 2.5 and 2.6).

    Permissions of one policy are alternatives. So a condition that narrows is never a permission: it is a constraint
    or a duty of every permission, or a prohibition.
    """

    PERMISSION = "permission"
    CONSTRAINT = "constraint"
    DUTY = "duty"
    PROHIBITION = "prohibition"


@dataclass(frozen=True, slots=True)
class DataUseRule:
    """One part of a policy that a condition asks for; ``left``, ``operator`` and ``right`` are empty or a constraint.

    Terms are ODRL's, or have a prefix: ``cie`` of the platform's profile, ``agreed`` for a value that the source's
    agreement holds, ``dpv``, ``DUO``.
    """

    code: str
    part: Part
    action: str
    left: str
    operator: str
    right: str
    reason: str


@dataclass(frozen=True, slots=True)
class DataUseTerm:
    """``code``: such as DUO:0000007."""

    code: str
    short: str
    concept: str
    label: str

    @property
    def duo_uri(self) -> str:
        return _OBO + self.code.replace(":", "_")

    @property
    def eucaim_uri(self) -> str:
        return _EUCAIM + self.concept

    @property
    def rules(self) -> tuple[DataUseRule, ...]:
        """What a policy says of it: of a permission, each of its constraints."""
        return _rules()[self.code]


@dataclass(frozen=True, slots=True)
class ProfileTerm:
    """A term that ODRL lacks; ``kind``: its class in ODRL, or Concept."""

    name: str
    kind: str
    label: str
    definition: str


@cache
def data_use_terms() -> dict[str, DataUseTerm]:
    """All conditions by DUO code."""
    return {row["code"]: DataUseTerm(**row) for row in read_table("data_use.csv")}


@cache
def profile_terms() -> dict[str, ProfileTerm]:
    """The terms of the platform's ODRL profile, and those that agreements give a value, by name with prefix."""
    return {row["name"]: ProfileTerm(**row) for row in read_table("data_use_profile.csv")}


@cache
def _rules() -> dict[str, tuple[DataUseRule, ...]]:
    found: dict[str, list[DataUseRule]] = {}
    for row in read_table("data_use_rules.csv"):
        rule = DataUseRule(**{**row, "part": Part(row["part"])})  # type: ignore[arg-type]
        found.setdefault(rule.code, []).append(rule)
    return {code: tuple(rules) for code, rules in found.items()}
