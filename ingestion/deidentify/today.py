"""The policy, table and word list as rule book, cleaner and collector of the rewriter.

What the profile's table names is treated as it says. Everything else is decided by its VR, so that an attribute that
no table knows cannot leak: numbers and codes stay, dates move, UIDs are replaced, text is cut to known words, and
what is private, unknown or of a shape that cannot be judged goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag

from ingestion.deidentify.declaration import Declaration, MethodCode
from ingestion.deidentify.identities import _COMMON, _KEYWORDS, _PARTS, _long_enough
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.profile import EDITION, METHOD_CODES, Action, Option, table
from ingestion.deidentify.rules import Rule, TextKind, Treatment
from ingestion.deidentify.text import clean_text, looks_technical, names_an_identity

_TECHNICAL = frozenset({
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "ConvolutionKernel", "SequenceName", "CodeValue",
    "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning", "ContextUID", "MappingResource", "FilterType",
    "TransmitCoilName", "ReceiveCoilName", "RescaleType", "PulseSequenceName", "SegmentAlgorithmName",
    "ReconstructionMethod", "AttenuationCorrectionMethod", "ScatterCorrectionMethod", "RandomsCorrectionMethod",
    "Radiopharmaceutical", "FrameOfReferenceTransformationComment", "ImagedNucleus", "Units",
})  # fmt: skip
_BINARY_KEPT = frozenset({
    "PixelData", "FloatPixelData", "DoubleFloatPixelData", "LUTData", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData", "PixelPaddingValue", "LUTDescriptor",
    "SmallestImagePixelValue", "LargestImagePixelValue",
})  # fmt: skip
_TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})
_BINARY = frozenset({"OB", "OW", "OD", "OF", "OL", "OV", "UN"})
_BY_VR = {
    **dict.fromkeys(("AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "DS", "IS"), Treatment.KEEP),
    "SQ": Treatment.RECURSE, "UI": Treatment.UID, "AS": Treatment.AGE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableRules:
    """One policy, for objects of every kind."""

    policy: Policy
    actions: dict[int, Action] = field(init=False, repr=False)
    shifts: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "actions", table(self.policy.options))
        object.__setattr__(self, "shifts", Option.RETAIN_MODIFIED_DATES in self.policy.options)

    def rule(self, tag: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        """As the table says, else by VR."""
        keyword = keyword_for_tag(tag)
        if (tag >> 16) & 0xFF00 in (0x5000, 0x6000) or not dictionary_has_tag(tag):
            return Rule(Treatment.REMOVE, "graphics that can hold text, or an attribute that no table knows")
        if vr not in ("SQ", "UN") and dictionary_VR(tag) == "SQ":
            return Rule(Treatment.REMOVE, "a sequence that is written as something else")
        if keyword in ("PatientID", "PatientName"):
            return Rule(Treatment.PSEUDONYM, "the patient is known by a pseudonym")
        if keyword == "AccessionNumber":
            return Rule(Treatment.ACCESSION, "keyed, so that what belongs together stays together")
        action = self.actions.get(tag)
        if action is None or action in (Action.KEEP, Action.CLEAN):
            return self._by_vr(keyword, vr, clean=action is Action.CLEAN)
        why = f"PS3.15 table E.1-1: {action}"
        if action in (Action.UID, Action.REMOVE_OR_EMPTY_OR_UID):
            return self._by_vr(keyword, vr, clean=False) if vr in ("UI", "SQ") else Rule(Treatment.REMOVE, why)
        if action is Action.REMOVE:
            return Rule(Treatment.REMOVE, why)
        if action in (Action.EMPTY, Action.REMOVE_OR_EMPTY):
            return Rule(Treatment.EMPTY, why)
        if vr == "SQ":
            return Rule(Treatment.RECURSE if action is Action.DUMMY else Treatment.REMOVE, why)
        return Rule(Treatment.REMOVE if vr in _BINARY else Treatment.DUMMY, why)

    def _by_vr(self, keyword: str, vr: str, *, clean: bool) -> Rule:
        why = f"by its value representation, {vr}"
        if keyword in _BINARY_KEPT:
            return Rule(Treatment.KEEP, "pixels, or what is needed to show them")
        if vr in ("DA", "DT", "TM"):
            return Rule(Treatment.SHIFT if self.shifts else Treatment.REMOVE, why)
        if vr == "CS" or (vr in _TEXT and keyword in _TECHNICAL and not clean):
            return Rule(Treatment.CLEAN, why, TextKind.TECHNICAL)
        if vr in _TEXT:
            return Rule(Treatment.CLEAN, why, TextKind.DESCRIPTOR)
        return Rule(_BY_VR.get(vr, Treatment.REMOVE), why)

    def private(self, creator: str, group: int, element: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        """Nothing private is known to be safe."""
        return Rule(Treatment.REMOVE, "private")


@dataclass(frozen=True, slots=True)
class WordCleaner:
    """Text cut to known words."""

    words: frozenset[str] = field(repr=False)
    identities: frozenset[str] = field(repr=False)

    def clean(self, text: str, *, kind: TextKind) -> str:
        """The known words of ``text``; a technical one stays whole where it looks like one."""
        if kind is TextKind.TECHNICAL and looks_technical(text, self.identities):
            return text
        kept = clean_text(text, self.words)
        return "" if names_an_identity(kept, self.identities) else kept

    def finds_identity(self, text: str) -> bool:
        """Whether an identifying word occurs in it."""
        return names_an_identity(text, self.identities)


@dataclass(slots=True)
class WordCollector:
    """The identifying words of what it is given."""

    found: set[str] = field(default_factory=set, repr=False)

    def add(self, tag: int, vr: str, text: str) -> None:
        """Take the words of one value."""
        whole = text.strip().lower()
        if keyword_for_tag(tag) in ("PatientID", "AccessionNumber") and _long_enough(whole):
            self.found.add(whole)
        self.found.update(part for part in _PARTS.findall(whole) if _long_enough(part) and part not in _COMMON)

    def freeze(self) -> frozenset[str]:
        """All that was found."""
        return frozenset(self.found)


def names_people(tag: int, vr: str) -> bool:
    """Whose words are collected: names, and the attributes that identify a person, a place or a device."""
    return vr == "PN" or keyword_for_tag(tag) in _KEYWORDS


def declaration_of(policy: Policy) -> Declaration:
    """What a result says of its de-identification under ``policy``."""
    shifted = Option.RETAIN_MODIFIED_DATES in policy.options
    return Declaration(
        methods=(f"PS3.15 {EDITION} Annex E", f"{policy.name} {policy.digest[:12]}"),
        codes=tuple(MethodCode(*METHOD_CODES[option]) for option in (None, *sorted(policy.options))),
        longitudinal="MODIFIED" if shifted else "REMOVED",
    )
