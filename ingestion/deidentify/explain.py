"""What a policy does to one attribute, and why: the answer of ``cie policy explain``."""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.deidentify.dictionary import keyword_of, vr_of
from ingestion.deidentify.iod_types import Type, object_type
from ingestion.deidentify.pixel_explain import PIXEL_TAGS, pixel_sentences
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.profile import TABLE, group_rows, rows
from ingestion.deidentify.rulebook import compile_policy
from ingestion.deidentify.rules import Rule
from ingestion.deidentify.safe_private import TABLE as SAFE_TABLE
from ingestion.deidentify.safe_private import safe_private

MEANING = {
    "keep": "stays as it is, unless a known identity of the study is found in it",
    "remove": "is removed",
    "empty": "stays without a value",
    "dummy": "gets a valid value that says nothing",
    "uid": "each UID becomes the keyed one that stands for it everywhere; those of the standard stay",
    "shift": "each date moves by the patient's secret number of days",
    "shift_seconds": "the seconds since 1970 move by the patient's secret number of days",
    "clean": "the text is cleaned: identities and patterns of identities go, the rest stays",
    "pseudonym": "becomes the patient's pseudonym",
    "accession": "becomes a keyed number of 16 characters",
    "identifier": "becomes a keyed number of 16 characters",
    "age": "stays up to 89 years, above that it is 090Y",
    "recurse": "stays, and each attribute of its items is treated by itself",
}
TYPE_NAME = {Type.VALUE: "1 or 1C", Type.PRESENT: "2 or 2C", Type.OPTIONAL: "3, or not in its definition"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """``row``: the codes of Table E.1-1 by column, ``row_of``: which table and edition it stands in."""

    attribute: str
    tag: str
    vr: str
    policy: str
    sop_class_uid: str
    treatment: str
    meaning: str
    why: str
    text: str | None
    if_nothing_is_left: str
    object_kind: str | None
    attribute_type: str | None
    row: dict[str, str]
    row_of: str | None
    pixels: tuple[str, ...] = ()
    """For pixel data: what becomes of the pixels themselves."""


def explain(
    policy: Policy,
    tag: int,
    *,
    sop_class_uid: str,
    modality: str = "",
    manufacturer: str = "",
    path: tuple[int, ...] = (),
    vr: str | None = None,
) -> Explanation:
    """A standard attribute in objects of that kind."""
    book = compile_policy(policy, sop_class_uid=sop_class_uid, modality=modality, manufacturer=manufacturer)
    known = (vr or vr_of(tag) or "UN").split(" or ", maxsplit=1)[0]
    rule = book.rule(tag, known, path=path)
    row = rows().get(tag) or group_rows().get(_group(tag))
    codes = {} if row is None else {"basic_profile": row.basic.code}
    if row is not None:
        codes |= {option.value: action.code for option, action in row.options.items()}
    kind = object_type(sop_class_uid)
    return _explanation(
        rule,
        policy=policy,
        sop_class_uid=sop_class_uid,
        attribute=keyword_of(tag),
        tag=f"({tag >> 16:04X},{tag & 0xFFFF:04X})",
        vr=known,
        object_kind=kind.name,
        attribute_type=TYPE_NAME[kind.type_of(tag, parent=path[-1] if path else None)],
        row=codes,
        row_of=None if row is None else f"PS3.15 Table E.1-1, edition {row.edition} ({TABLE})",
        pixels=pixel_sentences(policy, sop_class_uid=sop_class_uid, modality=modality) if tag in PIXEL_TAGS else (),
    )


def explain_private(
    policy: Policy, creator: str, tag: int, *, sop_class_uid: str, vr: str | None = None
) -> Explanation:
    """A private attribute; of ``tag`` the group and the last two digits count."""
    group, offset = tag >> 16, tag & 0xFF
    safe = safe_private().get((creator.strip(), group, offset))
    known = vr or (safe.vrs[0] if safe is not None and safe.vrs else "UN")
    row = group_rows()["private"]
    return _explanation(
        compile_policy(policy, sop_class_uid=sop_class_uid).private(creator, group, offset, known),
        policy=policy,
        sop_class_uid=sop_class_uid,
        attribute=f"private attribute of {creator.strip()!r}",
        tag=f"({group:04X},xx{offset:02X})",
        vr=known,
        object_kind=None,
        attribute_type=None,
        row={"basic_profile": row.basic.code} | {option.value: action.code for option, action in row.options.items()},
        row_of=None if safe is None else f"{safe.source} ({SAFE_TABLE})",
    )


def _group(tag: int) -> str:
    family = tag >> 24
    if family == 0x50:
        return "50xxxxxx"
    return f"60xx{tag & 0xFFFF:04x}" if family == 0x60 else ""


def _explanation(
    rule: Rule,
    *,
    policy: Policy,
    sop_class_uid: str,
    attribute: str,
    tag: str,
    vr: str,
    object_kind: str | None,
    attribute_type: str | None,
    row: dict[str, str],
    row_of: str | None,
    pixels: tuple[str, ...] = (),
) -> Explanation:
    return Explanation(
        attribute=attribute,
        tag=tag,
        vr=rule.vr or vr,
        policy=policy.name,
        sop_class_uid=sop_class_uid,
        treatment=rule.treatment.value,
        meaning=MEANING[rule.treatment.value],
        why=rule.why,
        text=rule.text.value if rule.text is not None else None,
        if_nothing_is_left=rule.fallback.value,
        object_kind=object_kind,
        attribute_type=attribute_type,
        row=row,
        row_of=row_of,
        pixels=pixels,
    )
