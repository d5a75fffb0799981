"""The content items of a structured report (PS3.3 section C.17.3), each treated by its value type and its concept.

Numbers, coordinates and references stay; dates, times, UIDs and the names of persons are left to the rules of their
attributes, which hold in sequences too. What is done here is what a rule for an attribute cannot do: it sees the
concept beside the value.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO

import pydicom
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.codes import MAX_CODE, PUBLISHED_SCHEMES
from ingestion.deidentify.identity_scan import Text
from ingestion.deidentify.profile import read_text
from ingestion.deidentify.rules import Cleaner, Rule, RuleBook, TextKind, Treatment
from ingestion.deidentify.structured.kinds import REPORTS
from ingestion.deidentify.study import RawObject
from ingestion.deidentify.values import OLDEST
from ingestion.dicom.charset import charset_of
from ingestion.dicom.guard import guarded
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

CONCEPTS = "content_concepts.csv"
GONE = "ANONYMIZED"
GONE_DATE = "00010101"
"""No day can be moved before it, so the rule for dates puts its own dummy there. One that moved would give the days."""
CONTENT, TEXT_VALUE, CODE_VALUE = 0x0040A730, 0x0040A160, 0x00080100
CONCEPT_SEQUENCES = ("ConceptNameCodeSequence", "ConceptCodeSequence")
VALUE_TYPES = frozenset({
    "CONTAINER", "TEXT", "NUM", "CODE", "DATETIME", "DATE", "TIME", "UIDREF", "PNAME", "COMPOSITE", "IMAGE",
    "WAVEFORM", "SCOORD", "SCOORD3D", "TCOORD",
})  # fmt: skip
MOST_CUT = 0.5
"""Share of its words from which a text is replaced whole: what is left of it says little, and may say who."""
_SCHEMES_OF_CONCEPTS = frozenset({"DCM"})
_KEPT = frozenset({Treatment.KEEP, Treatment.CLEAN, Treatment.AGE})
_LIKE_A_DAY = re.compile(r"(?:19|20)\d{6}$|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}$")
_CODE = re.compile(r"[A-Za-z0-9.\-/\[\]{}%_]*")
_DIGITS = re.compile(r"\d+")
_CHARACTERISTICS = frozenset({0x00100040, 0x00101010})
"""Sex and age."""
_UTF8 = b"ISO_IR 192"


@cache
def concepts() -> dict[str, int]:
    """Code of a concept name (scheme DCM) to the tag of the attribute that says the same."""
    found = {}
    for line in csv.DictReader(read_text(CONCEPTS)):
        tag = tag_for_keyword(line["keyword"])
        if tag is None:
            raise ValueError(f"{CONCEPTS}: no attribute {line['keyword']!r}")
        found[line["code"]] = tag
    return found


def items_of(dataset: Dataset) -> Iterator[Dataset]:
    """All content items below ``dataset``, without recursion: a hostile tree is as deep as it likes."""
    waiting = [dataset]
    while waiting:
        for item in waiting.pop().get("ContentSequence") or ():
            yield item
            waiting.append(item)


def identities_in_content(opened: RawObject) -> frozenset[Text]:
    """What the content of a report says of who its people and devices are, as the headers' attributes would say it."""
    if opened.ids.sop_class_uid not in REPORTS:
        return frozenset()
    found = set()
    with guarded("structured"):
        for item in items_of(pydicom.dcmread(BytesIO(opened.raw), force=True)):
            tag, value = _concept(item), item.get("TextValue")
            if tag is not None and value:
                vr = dictionary_VR(tag)
                found.add(Text(tag, vr, str(value).encode("utf-8", "replace"), charset_of(_UTF8)))
    return frozenset(found)


def _concept(item: Dataset) -> int | None:
    """The attribute that the item's concept stands for."""
    names = item.get("ConceptNameCodeSequence")
    if not names or names[0].get("CodingSchemeDesignator") not in _SCHEMES_OF_CONCEPTS:
        return None
    return concepts().get(str(names[0].get("CodeValue") or ""))


@dataclass(frozen=True, slots=True)
class ContentRules:
    """``RuleBook`` of a report whose content was cleaned: its texts and codes stay, unless an identity is found."""

    book: RuleBook = field(repr=False)

    def rule(self, tag: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        """As the other book, but for the texts of content items."""
        around = path[:-1] if tag == CODE_VALUE and path and path[-1] in _CODED else path
        walked = all(step == CONTENT for step in around)  # elsewhere the walk over the items was not
        if walked and ((tag == TEXT_VALUE and path) or around is not path):
            return _CLEANED
        return self.book.rule(tag, vr, path=path)

    def private(self, creator: str, group: int, element: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        """As the other book."""
        return self.book.private(creator, group, element, vr, path=path)


_CODED = frozenset(tag_for_keyword(keyword) for keyword in CONCEPT_SEQUENCES)
_CLEANED = Rule(Treatment.KEEP, "cleaned by its concept and value type", fallback=Treatment.DUMMY)


@dataclass(frozen=True, slots=True)
class ContentCleaner:
    """The content of one patient's reports under one policy."""

    book: RuleBook = field(repr=False)
    cleaner: Cleaner = field(repr=False)
    pseudonyms: Pseudonyms = field(repr=False)
    patient: PatientIdentity = field(repr=False)

    def clean(self, dataset: Dataset) -> None:
        """Change ``dataset`` in place.

        Raises:
            InstanceRefusedError: UNCLEANABLE_CONTENT: an item of a value type that no rule covers, or a
                characteristic of the patient that the policy does not keep.
        """
        self._codes(dataset)
        for item in items_of(dataset):
            kind = str(item.get("ValueType") or "")
            if kind not in VALUE_TYPES and (kind or "ReferencedContentItemIdentifier" not in item):
                raise _uncleanable("structured.value_type", "a content item of unknown type")
            tag = _concept(item)
            if tag is not None:
                self._identifying(item, kind, tag)
            if "TextValue" in item and not (kind == "TEXT" and tag is not None):
                item.TextValue = self._text(str(item.TextValue or ""))
            self._codes(item)

    def _identifying(self, item: Dataset, kind: str, tag: int) -> None:
        """PNAME, UIDREF and TIME are left to the rules of their own attributes."""
        rule = self.book.rule(tag, dictionary_VR(tag))
        if kind == "TEXT":
            item.TextValue = self._as_attribute(rule, tag, str(item.get("TextValue") or ""))
        elif kind in ("DATE", "DATETIME"):
            if rule.treatment not in (Treatment.SHIFT, Treatment.KEEP):
                setattr(item, *(("Date", GONE_DATE) if kind == "DATE" else ("DateTime", f"{GONE_DATE}000000")))
        elif kind == "NUM" and rule.treatment is Treatment.AGE:
            _at_most_ninety(item)
        elif kind in ("CODE", "NUM") and rule.treatment not in _KEPT:
            if kind == "NUM" or tag in _CHARACTERISTICS:
                raise _uncleanable("structured.characteristic", "a characteristic that the policy does not keep")
            for code in item.get("ConceptCodeSequence") or ():
                _blank(code)

    def _as_attribute(self, rule: Rule, tag: int, text: str) -> str:
        """``text`` as the rule for the attribute treats it; never empty."""
        match rule.treatment:
            case Treatment.PSEUDONYM:
                return self.pseudonyms.patient(self.patient)
            case Treatment.ACCESSION:
                return self.pseudonyms.accession(text)
            case Treatment.IDENTIFIER:
                return self.pseudonyms.identifier(keyword_for_tag(tag), text)
            case Treatment.KEEP:
                return text
        return GONE

    def _text(self, text: str) -> str:
        cleaned = self.cleaner.clean(text, kind=TextKind.DESCRIPTOR)
        words, left = len(text.split()), len(cleaned.split())
        return cleaned if cleaned == text or (cleaned and left >= (1 - MOST_CUT) * words) else GONE

    def _codes(self, item: Dataset) -> None:
        """Codes of a published scheme stay; in others people type the meaning, and the value can be anything.

        A value stays where it looks like a code and its meaning is a thing: 250145, Metabolic Tumor Volume.
        """
        for keyword in CONCEPT_SEQUENCES:
            for code in item.get(keyword) or ():
                meaning, value = str(code.get("CodeMeaning") or ""), str(code.get("CodeValue") or "")
                shaped = _CODE.fullmatch(value) and len(value) <= MAX_CODE
                if code.get("CodingSchemeDesignator") in PUBLISHED_SCHEMES:
                    if value and not shaped:
                        code.CodeValue = GONE
                elif self._says_more(meaning) or not any(map(str.isalpha, meaning)):
                    _blank(code)
                elif value and (not shaped or _LIKE_A_DAY.match(value) or self._says_more(_DIGITS.sub(" ", value))):
                    code.CodeValue = GONE

    def _says_more(self, text: str) -> bool:
        return self.cleaner.clean(text, kind=TextKind.DESCRIPTOR) != text


def _blank(code: Dataset) -> None:
    for keyword in ("CodeMeaning", "CodeValue", "LongCodeValue"):
        if code.get(keyword):
            setattr(code, keyword, GONE)


def _uncleanable(rule: str, detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.UNCLEANABLE_CONTENT, rule=rule, detail=detail)


def _at_most_ninety(item: Dataset) -> None:
    """An age in years above 89 is 90; in other units it is nobody's of that age."""
    for measured in item.get("MeasuredValueSequence") or ():
        units = measured.get("MeasurementUnitsCodeSequence") or ()
        years = units and str(units[0].get("CodeValue") or "") == "a"
        if years and float(measured.get("NumericValue") or 0) > OLDEST:
            measured.NumericValue = str(OLDEST + 1)
            for exact in ("FloatingPointValue", "RationalNumeratorValue", "RationalDenominatorValue"):
                if exact in measured:
                    delattr(measured, exact)
