"""Rules for private attributes: what the table of safe ones or the policy names is treated by what it holds, all else
goes, and so do attributes whose creator is unknown or names a person, a hospital or a project."""

from __future__ import annotations

from ingestion.deidentify.dictionary import Family, family_of
from ingestion.deidentify.overrides import Override
from ingestion.deidentify.profile import Option
from ingestion.deidentify.rules import Rule, TextKind, Treatment
from ingestion.deidentify.safe_private import Holds, SafeAttribute, safe_blocks, safe_private

_UNKNOWN = Rule(Treatment.REMOVE, "a private attribute that no list of safe ones names")
_NOT_CHOSEN = Rule(Treatment.REMOVE, "PS3.15 Table E.1-1: X; the policy keeps no private attributes")
_GONE = frozenset({Treatment.REMOVE, Treatment.EMPTY})


class PrivateRules:
    """``overrides``: the policy's exceptions for private attributes, the most specific last."""

    def __init__(self, options: frozenset[Option], overrides: tuple[Override, ...]) -> None:
        self._options = options
        self._overrides = overrides
        self._memo: dict[tuple[str, int, int, str], Rule] = {}

    def rule(self, creator: str, group: int, offset: int, vr: str) -> Rule:
        """What happens to that attribute."""
        creator = creator.strip(" \0")
        key = (creator, group, offset & 0xFF, vr)
        found = self._memo.get(key)
        if found is not None:
            return found
        rule = self._decide(*key)
        # Only what some list names is remembered: the others have one answer, and a hostile file any number of them.
        if rule is not _UNKNOWN and rule is not _NOT_CHOSEN:
            self._memo[key] = rule
        return rule

    def keeps_block(self, creator: str, group: int) -> bool:
        """Whether anything of such a block can stay."""
        creator = creator.strip(" \0")
        if Option.RETAIN_SAFE_PRIVATE in self._options and (creator, group) in safe_blocks():
            return True
        return any(
            one.private is not None
            and one.treatment not in _GONE
            and one.private.creator == creator
            and one.private.group in (None, group)
            for one in self._overrides
        )

    def _decide(self, creator: str, group: int, offset: int, vr: str) -> Rule:
        for override in reversed(self._overrides):
            if override.private is not None and override.private.covers(creator, group, offset):
                return Rule(override.treatment, f"policy: {override.why}", override.text, fallback=Treatment.REMOVE)
        if Option.RETAIN_SAFE_PRIVATE not in self._options:
            return _NOT_CHOSEN
        safe = safe_private().get((creator, group, offset))
        return _UNKNOWN if safe is None else self._safe(safe, vr)

    def _safe(self, safe: SafeAttribute, vr: str) -> Rule:
        said = f"safe by {safe.source}"
        known = safe.vrs[0] if safe.vrs else None
        read = known if vr in ("UN", "OB", "OW") and known not in (None, "OB", "OW") else None
        family = family_of(read or vr)
        match safe.holds:
            case Holds.SECONDS:
                if family in (Family.NUMBER, Family.TEXT):
                    return Rule(Treatment.SHIFT_SECONDS, f"{said}, but holds a date in seconds", None, read) if (
                        Option.RETAIN_MODIFIED_DATES in self._options
                    ) else Rule(Treatment.REMOVE, f"{said}, but holds a date, and the policy shifts none")  # fmt: skip
                return Rule(Treatment.REMOVE, f"{said}, but holds a date in bytes of unknown kind")
            case Holds.DATE:
                dated = "DT" if "DT" in safe.vrs else "DA"
                return self._date(said, None if vr in ("DA", "DT") else dated)
            case Holds.UID:
                if family in (Family.UID, Family.TEXT, Family.BINARY, Family.UNKNOWN):
                    return Rule(Treatment.UID, f"{said}, but holds a UID: keyed", None, None if vr == "UI" else "UI")
                return Rule(Treatment.REMOVE, f"{said}, but holds an identifier that is no UID")
        match family:
            case Family.NUMBER:
                return Rule(Treatment.KEEP, f"{said}: a number", None, read)
            case Family.CODE | Family.TEXT:
                # Makers fill their fields with what people type as well: of these, only what is harmless stays.
                kind = TextKind.TECHNICAL if safe.holds is Holds.CODE else TextKind.DESCRIPTOR
                return Rule(Treatment.CLEAN, f"{said}, but safe isn't clean", kind, read, Treatment.EMPTY)
            case Family.DATE:
                return self._date(said, read)
            case Family.TIME:
                if self._options & {Option.RETAIN_MODIFIED_DATES, Option.RETAIN_FULL_DATES}:
                    return Rule(Treatment.KEEP, f"{said}: a time of day", None, read)
                return Rule(Treatment.REMOVE, f"{said}, but holds a time, and the policy keeps none")
            case Family.UID:
                if Option.RETAIN_UIDS in self._options:
                    return Rule(Treatment.KEEP, f"{said}: a UID, which the policy keeps", None, read)
                return Rule(Treatment.UID, f"{said}, but holds a UID: keyed", None, read)
            case Family.AGE:
                return Rule(Treatment.AGE, f"{said}: an age; 90 and over become one", None, read)
            case Family.SEQUENCE:
                return Rule(Treatment.RECURSE, f"{said}: its items are treated one by one", None, read)
        # Bytes that nobody can read may hold a whole header: CSA headers hold the patient's name and dates.
        return Rule(Treatment.REMOVE, f"{said}, but its bytes cannot be read, and so not judged")

    def _date(self, said: str, read: str | None) -> Rule:
        if Option.RETAIN_FULL_DATES in self._options:
            return Rule(Treatment.KEEP, f"{said}: a date, which the policy keeps", None, read)
        if Option.RETAIN_MODIFIED_DATES in self._options:
            return Rule(Treatment.SHIFT, f"{said}, but holds a date: moved by the patient's days", None, read)
        return Rule(Treatment.REMOVE, f"{said}, but holds a date, and the policy keeps none")
