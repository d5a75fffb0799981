"""A policy compiled for one kind of object: for every attribute one rule.

In this order: what ties objects together, the policy's exceptions, Table E.1-1 with the chosen options, our own list
of what else identifies, and for all the rest the VR. Compound codes are resolved by the attribute's type in the
object (PS3.15 section E.1.1): where a value is needed (type 1) a dummy, where the attribute is needed (type 2) an empty
one, else it goes. A plain "remove" is held against the type as well, so that no valid object becomes invalid.
"""

from __future__ import annotations

from functools import lru_cache

from ingestion.deidentify.by_vr import beyond, lists
from ingestion.deidentify.dictionary import TEXTS, Family, family_of, vr_of
from ingestion.deidentify.iod_types import ObjectType, Type, object_type
from ingestion.deidentify.overrides import ObjectKind, Override
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.private_rules import PrivateRules
from ingestion.deidentify.profile import EDITION, Action, Option, Row, rows
from ingestion.deidentify.rules import Rule, TextKind, Treatment

MEMO_LIMIT = 50_000
"""Rules remembered; a hostile file can hold any number of tags."""
COMPILED = 256
"""Rule books remembered: SOP classes by exceptions that apply."""
PIXEL_DATA = frozenset({0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009, 0x7FE00010})
IDENTITY = {
    0x00100010: (Treatment.PSEUDONYM, "the patient's pseudonym, in place of the name"),
    0x00100020: (Treatment.PSEUDONYM, "the patient's pseudonym, by which studies of one patient stay together"),
}
CLASS_UIDS = frozenset({0x00080016, 0x0008001A, 0x0008001B, 0x00081150, 0x00041510, 0x00041512, 0x0004151A})
"""SOP classes and transfer syntaxes: they say what an object is, also those of makers."""
TEXT_VALUE, SPECIMEN_STEPS = 0x0040A160, 0x00400612
CODE_MEANING = 0x00080104
TYPED_CODES = frozenset({
    0x00081032, 0x00081084, 0x00120064, 0x00321064, 0x00400008, 0x00400260, 0x0040100A, 0x00401012,
})  # fmt: skip
"""Procedures, protocols, reasons, diagnoses, earlier de-identification: hospitals make codes for these, and people type
what they mean. Other codes are of what devices and programs know."""
FILE_META_KEPT = frozenset({0x00020001, 0x00020002, 0x00020010})
_DECLARED = {
    0x00120062: "says that identities were removed",
    0x00120063: "says how, and keeps what earlier steps said",
    0x00120064: "says how, and keeps what earlier steps said",
    0x00280303: "says what happened to dates",
}
"""The rewriter states these anew; what an earlier de-identification said of itself is kept."""
_BY_TYPE = {Type.VALUE: "it must have a value", Type.PRESENT: "it must be there", Type.OPTIONAL: "it is optional"}


def compile_policy(policy: Policy, *, sop_class_uid: str, modality: str = "", manufacturer: str = "") -> CompiledRules:
    """The rules for objects of that kind; the same object for kinds that the policy does not tell apart."""
    kind = ObjectKind(sop_class_uid, modality, manufacturer)
    applying = tuple(one for one in policy.overrides if one.when.holds(kind))
    return _compiled(policy, sop_class_uid, applying)


@lru_cache(maxsize=COMPILED)
def _compiled(policy: Policy, sop_class_uid: str, applying: tuple[Override, ...]) -> CompiledRules:
    return CompiledRules(policy, object_type(sop_class_uid), applying)


class CompiledRules:
    """``RuleBook`` of one policy and one kind of object."""

    def __init__(self, policy: Policy, kind: ObjectType, overrides: tuple[Override, ...]) -> None:
        self.policy = policy
        self.kind = kind
        # The most specific exception wins, among equals the later one.
        ordered = sorted(overrides, key=lambda one: one.when.weight)
        self._overrides = {tag: one for one in ordered for tag in one.tags}
        self._private = PrivateRules(policy.options, tuple(one for one in ordered if one.private is not None))
        self._dummied = frozenset(tag for tag, row in rows().items() if row.vr == "SQ" and self._is_dummied(tag, row))
        self._memo: dict[tuple[int, str, int | None, bool], Rule] = {}

    def _is_dummied(self, tag: int, row: Row) -> bool:
        """Whether items of a sequence stay for validity's sake alone: what they say is replaced."""
        action, _ = row.decide(self.policy.options)
        said = {Action.KEEP, Action.CLEAN, Action.REMOVE_OR_EMPTY_OR_UID}
        return action not in said and tag not in self._overrides

    @property
    def published_schemes(self) -> frozenset[str]:
        """Coding schemes whose CodeValue stays beside them whatever it looks like."""
        return lists().schemes

    def rule(self, tag: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        """A standard attribute. ``path``: the tags of the sequences around it, outermost first."""
        key = (tag, vr, path[-1], not self._dummied.isdisjoint(path)) if path else (tag, vr, None, False)
        found = self._memo.get(key)
        if found is None:
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            found = self._memo[key] = self._decide(*key)
        return found

    def private(self, creator: str, group: int, element: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        """A private attribute by its creator, group and element offset (the low byte), never its absolute tag."""
        del path  # where it stands changes nothing: the table's makers judged it wherever they met it
        return self._private.rule(creator, group, element, vr)

    def keeps_block(self, creator: str, group: int) -> bool:
        """Whether any attribute of such a block can stay; if none does, its creator element goes as well."""
        return self._private.keeps_block(creator, group)

    def _decide(self, tag: int, vr: str, parent: int | None, dummied: bool) -> Rule:
        group, known = tag >> 16, vr_of(tag)
        if group & 1:
            return Rule(Treatment.REMOVE, "a private attribute without a creator: nobody knows what it holds")
        if group == 0x0002 and tag not in rows():
            kept = tag in FILE_META_KEPT
            return Rule(Treatment.KEEP if kept else Treatment.REMOVE, "file meta information: written anew")
        if not tag & 0xFFFF or group in (0x0000, 0x0004, 0xFFFC):
            return Rule(
                Treatment.REMOVE, "a length of a group, a command, a directory's or padding: no part of a data set"
            )
        if group & 0xFF00 in (0x5000, 0x6000):
            return Rule(
                Treatment.REMOVE,
                f"PS3.15 {EDITION} Table E.1-1: {'curves' if group < 0x6000 else 'overlays'} are removed with all of "
                "their group; a bitmap can show text",
            )
        if known is None:
            return Rule(Treatment.REMOVE, "no attribute of the standard: nobody knows what it holds")
        if parent is not None and tag in PIXEL_DATA:
            return Rule(Treatment.REMOVE, "a picture within a sequence is not searched for text")
        seen, fixed = _reading(vr, known)
        if seen is None:
            return Rule(Treatment.REMOVE, f"its VR is {vr} where the standard says {known}: not what it seems")
        rule = self._of_standard(tag, seen, parent)
        if dummied and rule.treatment in (Treatment.KEEP, Treatment.CLEAN) and family_of(seen) is Family.TEXT:
            rule = Rule(Treatment.DUMMY, "in a sequence that stays for validity alone: its texts say nothing")
        return rule if fixed is None or rule.vr else Rule(rule.treatment, rule.why, rule.text, fixed, rule.fallback)

    def _of_standard(self, tag: int, vr: str, parent: int | None) -> Rule:
        if parent is None and tag in IDENTITY:
            return Rule(*IDENTITY[tag], fallback=Treatment.DUMMY)
        if tag in _DECLARED and parent is None:
            if family_of(vr) in TEXTS:
                return Rule(Treatment.CLEAN, _DECLARED[tag], TextKind.TECHNICAL, fallback=Treatment.EMPTY)
            return Rule(Treatment.RECURSE, _DECLARED[tag], fallback=Treatment.EMPTY)
        kind = self.kind.type_of(tag, parent=parent)
        if tag in CLASS_UIDS:
            return Rule(Treatment.KEEP, "the kind of an object, no object", fallback=_fallback(kind))
        override = self._overrides.get(tag)
        if override is not None:
            why = f"policy {self.policy.name}: {override.why}"
            if override.treatment is Treatment.REMOVE:
                return _gone(Action.REMOVE, vr, kind, why)
            return Rule(override.treatment, why, override.text, fallback=_fallback(kind))
        if tag == 0x00080050:
            return Rule(Treatment.ACCESSION, "a keyed number, by which reports can be joined", fallback=_fallback(kind))
        if tag == TEXT_VALUE and parent == SPECIMEN_STEPS:
            return Rule(Treatment.DUMMY, "the identifier of a specimen, or who prepared it", fallback=Treatment.DUMMY)
        if tag == CODE_MEANING and parent in TYPED_CODES:
            return Rule(Treatment.CLEAN, "the meaning of a code that a hospital may have made", TextKind.DESCRIPTOR,
                        fallback=_fallback(kind))  # fmt: skip
        row = rows().get(tag)
        if row is not None:
            return self._of_row(row, tag, vr, kind)
        judged = beyond().get(tag)
        if judged is not None:
            why = f"not in Table E.1-1, but {judged.why}"
            if judged.treatment is Treatment.REMOVE:
                return _gone(Action.REMOVE, vr, kind, why)
            return Rule(judged.treatment, why, fallback=_fallback(kind))
        return self._of_vr(tag, vr, kind)

    def _of_row(self, row: Row, tag: int, vr: str, kind: Type) -> Rule:
        options = self.policy.options
        action, option = row.decide(options)
        said = f"PS3.15 {row.edition} Table E.1-1: {action.code} under " + (option.value if option else "basic profile")
        family = family_of(vr)
        if action is Action.KEEP:
            return self._kept(family, option, said, kind)
        if action is Action.CLEAN:
            cleaned = self._cleaned(tag, family, option, said, kind)
            if cleaned is not None:
                return cleaned
            action = row.basic
            said += f", which this VR does not allow; {action.code} of the basic profile"
        if action in (Action.UID, Action.DUMMY) and family is Family.UID:
            return Rule(Treatment.UID, f"{said}: a keyed UID", fallback=_fallback(kind))
        if action is Action.DUMMY:
            if family is Family.SEQUENCE:
                return Rule(Treatment.RECURSE, f"{said}: its items stay, each of their attributes treated")
            if family is Family.UNKNOWN:
                return Rule(Treatment.REMOVE, f"{said}: bytes of unknown kind")
            return Rule(Treatment.DUMMY, said, fallback=Treatment.DUMMY)
        return _gone(action, vr, kind, said)

    def _kept(self, family: Family, option: Option | None, said: str, kind: Type) -> Rule:
        if family is Family.SEQUENCE:
            return Rule(Treatment.RECURSE, said)
        if family is Family.AGE:
            return Rule(Treatment.AGE, f"{said}; ages of 90 and over become one", fallback=_fallback(kind))
        if family is Family.ADDRESS and option is Option.RETAIN_PATIENT_CHARACTERISTICS:
            return _gone(Action.REMOVE, "UR", kind, f"{said}, but an address can lead to the hospital's record")
        if family is Family.TEXT and option is Option.RETAIN_PATIENT_CHARACTERISTICS:
            why = f"{said}; people type it, so it is searched for identities"
            return Rule(Treatment.CLEAN, why, TextKind.TECHNICAL, fallback=_fallback(kind))
        return Rule(Treatment.KEEP, said, fallback=_fallback(kind))

    def _cleaned(self, tag: int, family: Family, option: Option | None, said: str, kind: Type) -> Rule | None:
        if option is Option.RETAIN_MODIFIED_DATES:
            if family is Family.DATE:
                return Rule(Treatment.SHIFT, f"{said}: moved by the patient's days", fallback=_fallback(kind))
            if family is Family.TIME:
                return Rule(Treatment.KEEP, f"{said}: the day moves, the time of day stays", fallback=_fallback(kind))
            return None  # an offset from UTC tells summer from winter, and with the shifted date the shift
        if family in TEXTS or family is Family.ADDRESS:
            text = TextKind.DESCRIPTOR if family is Family.TEXT else TextKind.TECHNICAL
            return Rule(Treatment.CLEAN, said, text, fallback=_fallback(kind))
        return Rule(Treatment.RECURSE, said) if family is Family.SEQUENCE else None

    def _of_vr(self, tag: int, vr: str, kind: Type) -> Rule:
        """What no table names."""
        options, family, fallback = self.policy.options, family_of(vr), _fallback(kind)
        dated = options & {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES}
        match family:
            case Family.SEQUENCE:
                return Rule(Treatment.RECURSE, "a sequence that no table names: its items are treated one by one")
            case Family.NUMBER:
                return Rule(Treatment.KEEP, "a number that no table names", fallback=fallback)
            case Family.CODE:
                return Rule(Treatment.CLEAN, "a code string that no table names", TextKind.TECHNICAL, fallback=fallback)
            case Family.TEXT:
                technical = tag in lists().technical
                text = TextKind.TECHNICAL if technical else TextKind.DESCRIPTOR
                why = "written by a device or from a published list" if technical else "a text that no table names"
                return Rule(Treatment.CLEAN, why, text, fallback=fallback)
            case Family.UID:
                if Option.RETAIN_UIDS in options:
                    return Rule(Treatment.KEEP, "a UID, which the policy keeps", fallback=fallback)
                return Rule(Treatment.UID, "a UID that no table names: keyed, unless it is the standard's")
            case Family.AGE:
                return Rule(Treatment.AGE, "an age; 90 and over become one", fallback=fallback)
            case Family.DATE if Option.RETAIN_FULL_DATES in dated:
                return Rule(Treatment.KEEP, "a date that no table names; the policy keeps dates", fallback=fallback)
            case Family.DATE if dated:
                return Rule(
                    Treatment.SHIFT, "a date that no table names, moved by the patient's days", None, None, fallback
                )
            case Family.TIME if dated:
                return Rule(Treatment.KEEP, "a time of day that no table names", fallback=fallback)
            case Family.DATE | Family.TIME:
                return _gone(Action.REMOVE, vr, kind, "no table names it; the policy keeps no dates")
            case Family.BINARY if tag in lists().binary:
                return Rule(Treatment.KEEP, "samples, tables or a profile", fallback=fallback)
        return _gone(Action.REMOVE, vr, kind, f"no table names it, and {vr} can hold people, places or anything")


def _reading(vr: str, known: str) -> tuple[str | None, str | None]:
    """The VR to judge by, and the one to read the value as where it is another; None for what is not what it seems."""
    if vr == known or vr in known.split(" or "):
        return vr, None
    if vr == "UN":
        first = known.split(" or ", maxsplit=1)[0]
        return first, first
    family, meant = family_of(vr), family_of(known)
    if family is meant or ({family, meant} <= {Family.BINARY, Family.NUMBER} and " or " in known):
        return vr, None
    if family in TEXTS and meant in TEXTS:
        return known, None
    if family in TEXTS and meant in (Family.DATE, Family.UID, Family.TIME, Family.PERSON, Family.AGE, Family.ADDRESS):
        return known, known
    return None, None


def _fallback(kind: Type) -> Treatment:
    return Treatment.DUMMY if kind is Type.VALUE else Treatment.EMPTY


def _gone(action: Action, vr: str, kind: Type, said: str) -> Rule:
    """What the codes that take a value away come to, by the attribute's type."""
    family = family_of(vr)
    why = f"{said}; in this object {_BY_TYPE[kind]}"
    if action is Action.REMOVE_OR_EMPTY_OR_UID and kind is not Type.OPTIONAL:
        # Type 2 asks for less, but a series that the object says it refers to must be referred to somewhere.
        return Rule(Treatment.RECURSE, f"{why}: references stay, by keyed UIDs")
    if kind is Type.VALUE and family is not Family.UNKNOWN:
        if family is Family.SEQUENCE:
            treatment = Treatment.REMOVE if action is Action.REMOVE else Treatment.RECURSE
            return Rule(treatment, why)
        treatment = Treatment.UID if family is Family.UID else Treatment.DUMMY
        return Rule(treatment, why, fallback=Treatment.DUMMY)
    if kind is Type.PRESENT or action in (Action.EMPTY, Action.EMPTY_OR_DUMMY):
        return Rule(Treatment.EMPTY, why, fallback=Treatment.EMPTY)
    return Rule(Treatment.REMOVE, why)
