"""Data-use conditions: EUCAIM's 23, each with its DUO code and the ODRL rule that expresses it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from ingestion.vocabulary.spelling import read_table

_EUCAIM = "https://eucaim.github.io/eucaim_dcat_ap/releases/controlled-vocabularies/data-use-conditions/#"
_OBO = "http://purl.obolibrary.org/obo/"


class RuleKind(StrEnum):
    """What a condition is in ODRL (Information Model 2.2, section 2.6)."""

    PERMISSION = "permission"
    PROHIBITION = "prohibition"
    DUTY = "duty"


@dataclass(frozen=True, slots=True)
class DataUseTerm:
    """``code``: such as DUO:0000007; ``action``: a term of the ODRL common vocabulary."""

    code: str
    short: str
    concept: str
    rule: RuleKind
    action: str
    label: str

    @property
    def duo_uri(self) -> str:
        return _OBO + self.code.replace(":", "_")

    @property
    def eucaim_uri(self) -> str:
        return _EUCAIM + self.concept


@cache
def data_use_terms() -> dict[str, DataUseTerm]:
    """All conditions by DUO code."""
    return {
        row["code"]: DataUseTerm(**{**row, "rule": RuleKind(row["rule"])})  # type: ignore[arg-type]
        for row in read_table("data_use.csv")
    }
