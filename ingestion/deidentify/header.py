"""The header rewritten: one decision for each element, at every level of nesting.

What the profile's table names is treated as it says. Everything else is decided by its VR, so that an attribute that
no table knows cannot leak: numbers and codes stay, dates move, UIDs are replaced, text is cut to known words, and
what is private, unknown or of a shape that cannot be judged goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from ingestion.deidentify.dates import shift_date, shift_datetime
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.profile import Action, Option, table
from ingestion.deidentify.text import clean_text, looks_technical, names_an_identity
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

STANDARD_UIDS = "1.2.840.10008."
"""UIDs of the standard name classes and syntaxes, never an object (PS3.6 annex A)."""
OLDEST = 89
"""Greatest age told; above it the value is 090Y."""
IMPOSSIBLE = 130
"""An age from here on is nobody's, so it names nobody: it stays, for the quality rules to see."""
STANDARD_SCHEMES = frozenset({
    "SCT", "SRT", "SNM3", "99SDM", "DCM", "UCUM", "LN", "FMA", "RADLEX", "NCIt", "UMLS", "I10", "I9C", "ICDO", "ICDO3",
    "BI", "MDC", "NEU", "RXNORM", "IBSI", "ISO3166_1", "ISO639_2", "UNS",
})  # fmt: skip
"""Coding schemes that are published (PS3.16 section 8.1): their codes are about things. Other codes can be anything."""
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
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_NUMBERS = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "US or SS"})
_TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})
_BINARY = frozenset({"OB", "OW", "OB or OW", "US or OW", "US or SS or OW", "OD", "OF", "OL", "OV"})
_CODE = re.compile(r"^[A-Z0-9_ .+\-/^]{0,16}$")
_CODE_VALUE = re.compile(r"^[A-Za-z0-9.\-/\[\]{}%]{1,16}$")
_AGE = re.compile(r"^(\d{1,3})([DWMY])$")
_TIME = re.compile(r"^[\d.:]{0,14}$")
_DUMMY: dict[str, Any] = {
    "PN": "ANONYMIZED", "DA": "19000101", "DT": "19000101000000", "TM": "000000", "AE": "ANONYMIZED",
    "CS": "ANONYMIZED", "AS": "000Y", "IS": "0", "DS": "0",
}  # fmt: skip
"""Valid values that say nothing (PS3.15 section E.1.1); text gets ANONYMIZED."""
_LAST_DECODING_ERRORS = (ValueError, TypeError, KeyError, OverflowError, NotImplementedError, AttributeError)


@dataclass(frozen=True)
class HeaderRewriter:
    """Rewrites the data sets of one patient in place."""

    policy: Policy
    pseudonyms: Pseudonyms
    patient: PatientIdentity
    identities: frozenset[str] = field(repr=False)

    def __post_init__(self) -> None:
        days = self.pseudonyms.shift_days(self.patient) if Option.RETAIN_MODIFIED_DATES in self.policy.options else None
        object.__setattr__(self, "days", days)
        object.__setattr__(self, "actions", table(self.policy.options))

    days: int | None = field(init=False, repr=False)
    actions: dict[int, Action] = field(init=False, repr=False)

    def rewrite(self, dataset: Dataset, *, depth: int = 0) -> None:
        """Every element of ``dataset`` and of the items within it, in place."""
        published = str(dataset.get("CodingSchemeDesignator") or "").strip() in STANDARD_SCHEMES
        for tag in list(dataset.keys()):
            number = int(tag)
            if self._unknown(number) or (depth and number in _PIXELS):
                del dataset[tag]
                continue
            try:
                element = dataset[tag]
                keep = (
                    self._published_code(element)
                    if published and element.keyword == "CodeValue"
                    else (self._decide(element, depth))
                )
            except _LAST_DECODING_ERRORS:
                keep = False  # a value that cannot be decoded cannot be judged
            if not keep:
                del dataset[tag]

    def _published_code(self, element: DataElement) -> bool:
        value = str(element.value or "")
        return _CODE_VALUE.match(value) is not None and value.lower() not in self.identities

    def _unknown(self, tag: int) -> bool:
        group = tag >> 16
        if group & 1 or group in (0x0002, 0xFFFC) or not tag & 0xFFFF:
            return True
        # Overlays and curves (60xx, 50xx) are graphics that can hold text; PS3.15 table E.1-1.
        return group & 0xFF00 in (0x5000, 0x6000) or not dictionary_has_tag(tag)

    def _decide(self, element: DataElement, depth: int) -> bool:
        if element.VR not in {"SQ", "UN"} and dictionary_VR(element.tag) == "SQ":
            return False
        special = self._special(element, depth)
        if special is not None:
            return special
        action = self.actions.get(int(element.tag))
        if action is None or action in (Action.KEEP, Action.CLEAN):
            return self._by_vr(element, clean=action is Action.CLEAN)
        if action is Action.UID or action is Action.REMOVE_OR_EMPTY_OR_UID:
            return self._by_vr(element, clean=False) if element.VR in ("UI", "SQ") else False
        if action is Action.REMOVE:
            return False
        if action in (Action.EMPTY, Action.REMOVE_OR_EMPTY):
            element.value = [] if element.VR == "SQ" else None
            return True
        if element.VR == "SQ":
            # A required sequence keeps its items, each of them rewritten: an empty one would not be valid.
            return self._by_vr(element, clean=False) if action is Action.DUMMY else False
        if element.VR in _BINARY or element.VR == "UN":
            return False
        element.value = _DUMMY.get(element.VR, "ANONYMIZED" if element.VR in _TEXT else 0)
        return True

    def _special(self, element: DataElement, depth: int) -> bool | None:
        keyword = element.keyword
        if keyword in ("PatientID", "PatientName"):
            element.value = self.pseudonyms.patient(self.patient) if depth == 0 else None
            return True
        if keyword == "AccessionNumber":
            if element.value:
                element.value = self.pseudonyms.accession(str(element.value))
            return True
        return None

    def _by_vr(self, element: DataElement, *, clean: bool) -> bool:
        vr = element.VR
        if vr == "SQ":
            for item in element.value or ():
                self.rewrite(item, depth=1)
            return True
        if vr in _BINARY:
            return element.keyword in _BINARY_KEPT
        if vr in _NUMBERS:
            return not (element.value is not None and isinstance(element.value, bytes))
        if vr in ("DS", "IS"):
            return all(_is_number(part) for part in _parts(element.value))
        if vr == "UI":
            element.value = self._each(element.value, self._uid)
            return True
        if vr in ("DA", "DT"):
            if self.days is None:
                return False
            shift, days = (shift_date if vr == "DA" else shift_datetime), self.days
            element.value = self._each(element.value, lambda text: shift(text, days) or "")
            return True
        if vr == "TM":
            return self.days is not None and all(_TIME.match(str(part)) for part in _parts(element.value))
        if vr == "AS":
            return self._age(element)
        if vr == "CS":
            return self._code(element)
        if vr in _TEXT:
            return self._text(element, clean=clean)
        return False  # PN, AE, UR, UN: people, stations, addresses, and what nobody knows

    def _uid(self, text: str) -> str:
        text = text.strip(" \0")
        return text if not text or text.startswith(STANDARD_UIDS) else self.pseudonyms.uid(text)

    def _each(self, value: Any, change: Any) -> Any:
        parts = [change(str(part)) for part in _parts(value)]
        return None if not parts else parts[0] if len(parts) == 1 else parts

    def _age(self, element: DataElement) -> bool:
        match = _AGE.match(str(element.value or "").strip())
        if match is None:
            return not element.value
        per_year = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[match.group(2)]
        if OLDEST < int(match.group(1)) / per_year < IMPOSSIBLE:
            element.value = "090Y"
        return True

    def _code(self, element: DataElement) -> bool:
        parts = [str(part) for part in _parts(element.value)]
        if all(_CODE.match(part) and looks_technical(part, self.identities) for part in parts):
            return True
        element.value = self._each(element.value, lambda text: clean_text(text, self.policy.words)[:16].strip())
        return True

    def _text(self, element: DataElement, *, clean: bool) -> bool:
        if element.keyword in _TECHNICAL and not clean:
            return all(looks_technical(str(part), self.identities) for part in _parts(element.value))

        def cleaned(text: str) -> str:
            kept = clean_text(text, self.policy.words)
            return "" if names_an_identity(kept, self.identities) else kept

        element.value = self._each(element.value, cleaned)
        if element.keyword == "SegmentLabel" and not element.value:
            element.value = "Segment"  # type 1 (PS3.3 section C.8.20.4)
        return True


def _parts(value: Any) -> Iterable[Any]:
    if value is None or value == "":
        return ()
    if isinstance(value, (str, bytes, int, float)):
        return (value,)
    return tuple(value) if hasattr(value, "__iter__") else (value,)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
