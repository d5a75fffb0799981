"""What a study's headers say of who its people, places and devices are, as needles to search for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from pydicom.datadict import tag_for_keyword

from ingestion.deidentify.text.folding import fold, spellings, word_set
from ingestion.deidentify.text.months import month_names

LONG_NAME = 4
"""Letters from which a name is looked for inside longer words too (Huber in CTHUBER); a shorter one (Li, Ng, Roy) is a
part of ordinary words, and counts where it stands alone."""
CUT_NAME = 5
"""Letters that the beginning of a name must have to count as that name cut off, as fields of 16 characters do."""
SHORTEST_CODE = 4
"""Characters of an identifier from which it is looked for; 'ids' such as 1 or 12 would take every number away."""
DIGITS_ALONE = 5
"""Digits of a part of an identifier from which the part is looked for by itself."""
CODED_NAME = 2
"""Digits in a name from which it is the code of a collection (PROSTATE-01-0001), whose plain words name nobody."""
SHORTEST_PHONE = 7
"""Digits of a phone number that are enough to ring someone."""
JOINED_NAME = 6
"""Letters of a whole institution's or person's name, written together, from which it is looked for."""


class Match(IntEnum):
    """How a needle must lie in a text to count. Where one text is several kinds, the smallest wins."""

    PART = 0  # anywhere, also within a longer word, unless that word is one of the vocabulary
    WORD = 1  # as a word by itself
    CODE = 2  # separators within do not count, leading zeros neither; no further digit before or behind
    BEGINNING = 3  # a word by itself, unless it is one of the vocabulary


@dataclass(frozen=True, slots=True, order=True)
class Needle:
    """One folded spelling of one identity.

    ``common``: dropped where the vocabulary knows it as an ordinary word, or knows all its ``parts``: a department
    called 'Abdomen MR' names nobody.
    """

    text: str = field(repr=False)
    match: Match
    common: bool = False
    parts: tuple[str, ...] = field(repr=False, default=())


@dataclass(frozen=True, slots=True)
class KnownIdentities:
    """All needles of one study. ``written``: spellings with letters beyond ASCII, as they stood. Shows nothing.

    ``beside``: particles of names and initials (of one letter), which mean something beside a name only.
    """

    needles: frozenset[Needle] = field(repr=False, default=frozenset())
    written: frozenset[str] = field(repr=False, default=frozenset())
    beside: frozenset[str] = field(repr=False, default=frozenset())

    def __or__(self, other: KnownIdentities) -> KnownIdentities:
        return KnownIdentities(self.needles | other.needles, self.written | other.written, self.beside | other.beside)


def _tags(*keywords: str) -> frozenset[int]:
    return frozenset(tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None)


_IDS = _tags(
    "PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "AdmissionID", "MedicalRecordLocator",
    "RequestedProcedureID", "ScheduledProcedureStepID", "PerformedProcedureStepID", "ServiceEpisodeID",
    "FillerOrderNumberImagingServiceRequest", "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberProcedure", "PlacerOrderNumberProcedure", "DeviceSerialNumber", "GantryID", "DetectorID",
    "PlateID", "CassetteID", "DeviceID", "StationName", "ScheduledStationName", "PerformedStationName",
    "InsurancePlanIdentification", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID", "ClinicalTrialSiteID",
    "ContainerIdentifier", "SpecimenIdentifier", "UniqueDeviceIdentifier", "TransducerIdentificationSequence",
    "XRaySourceID", "ScheduledStudyLocationAETitle", "MACAddress", "XRayDetectorID", "PersonIdentificationCodeSequence",
)  # fmt: skip
_PLACES = _tags(
    "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "PatientAddress", "RegionOfResidence",
    "ResponsibleOrganization", "PersonAddress", "ReferringPhysicianAddress", "CurrentPatientLocation",
    "PatientInstitutionResidence", "ClinicalTrialSponsorName", "ClinicalTrialSiteName", "IssuerOfPatientID",
    "ClinicalTrialCoordinatingCenterName", "RequestingService", "ScheduledProcedureStepLocation",
    "PerformedLocation", "ConsultingPhysicianIdentificationSequence",
)  # fmt: skip
_PHONES = _tags(
    "PatientTelephoneNumbers", "ReferringPhysicianTelephoneNumbers", "PersonTelephoneNumbers",
    "PatientTelecomInformation", "PersonTelecomInformation", "OrderCallbackPhoneNumber",
    "OrderCallbackTelecomInformation",
)  # fmt: skip
_BIRTH = _tags("PatientBirthDate", "PatientBirthDateInAlternativeCalendar", "PatientDeathDateInAlternativeCalendar")
_ADDRESSES = re.compile(r"[\w.+-]+@[\w.-]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_RUNS = re.compile(r"[^\W\d_]+|\d+")
_PARTICLES = word_set(
    "van von der den de del della di da do dos das du des la le el al den ten ter te zu zum zur vom und y e bin ibn "
    "ben bint st san santa mac mc o d l af av"
)
"""What stands before a name: looked for beside it. One that ends a component is the name: Lê, Do, An."""
_ADDED = word_set("ing mag sig med priv doz dra drs habil dipl jr sr ii iii iv")
_TITLES = word_set(
    "dr prof professor md phd mr mrs ms miss herr frau rn bsc msc dott dottssa mme mlle facharzt arzt doctor"
)
_NOBODY = word_set(
    "tech mta mtra rta user administrator system default anwender xx not available specified provided entered "
    "no yes hospital department dept technician radiographer nurse siemens philips ge toshiba anonymous "
    "anonymized anonymised anonym anon unknown unbekannt none null nil na nn name patient test phantom qa qc "
    "xxx xxxx deidentified removed daily technologist radiologist radiology operator physician ct mr mri pt pet "
    "us mg cr dx nm xa rf sc rt ot io px es seg sr"
)
"""What stands in the fields of names where no one is named. The modalities: 'CT' as an operator is no person."""

_SHORT = word_set("na no nil yes io ot es anon")


class IdentityCollector:
    """Takes the values of all headers of a study and gives the needles. Holds raw values until it is thrown away."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, str, str]] = set()

    @staticmethod
    def wants(tag: int, vr: str) -> bool:
        """Whether values of ``tag`` say who someone or something is; a caller can spare itself the others."""
        return vr in ("PN", "AE") or tag in _ALL

    def add(self, tag: int, vr: str, text: str) -> None:
        """One raw value (several parted by a backslash) of element ``tag`` anywhere in a header of the study."""
        if self.wants(tag, vr):
            self._seen.add((tag, vr, text))

    def freeze(self) -> KnownIdentities:
        """All that was added, as needles."""
        needles: set[Needle] = set()
        written: set[str] = set()
        beside: set[str] = set()
        for tag, vr, text in self._seen:
            for value in text.split("\\"):
                stripped = value.strip(" \0")
                if not stripped:
                    continue
                needles.update(_needles(tag, vr, stripped))
                if vr == "PN":
                    beside.update(_beside(stripped))
                written.update(
                    word for word in _LETTERS.findall(stripped) if not word.isascii() and len(word) >= LONG_NAME - 2
                )
        return KnownIdentities(frozenset(needles), frozenset(written), frozenset(beside))

    def __repr__(self) -> str:
        return f"IdentityCollector({len(self._seen)} values)"


_ALL = _IDS | _PLACES | _PHONES | _BIRTH


def _needles(tag: int, vr: str, text: str) -> Iterator[Needle]:
    for address in _ADDRESSES.findall(text):
        yield from _code(address)
        yield from _code(address.split("@")[0])
    if vr == "PN":
        for group in text.split("="):
            yield from _person(group)
    elif tag in _BIRTH:
        yield from _birth(text)
    elif tag in _PHONES:
        yield from _phone(text)
    elif tag in _PLACES:
        yield from _place(text)
    else:
        yield from _code(text)


def _person(group: str) -> Iterator[Needle]:
    if sum(letter.isdigit() for letter in group) >= CODED_NAME:
        yield from _code(group)
        return
    components = [_words(component) for component in group.split("^")[:3]]
    if any(components):
        # Beside a real name these are names: Li Na.
        components = [_words(component, but=_NOBODY - _SHORT) for component in group.split("^")[:3]]
    for place, words in enumerate(components):
        yield from _name(words, whole=place < 2)
    whole = [("".join(words), words) for words in components if words]
    family = whole[0][0] if whole else ""
    for given, words in whole[1:]:
        if len(family) < LONG_NAME:  # a longer one is found whatever stands beside it
            for initial in {given[0], "".join(word[0] for word in words)}:
                for joined in (family + initial, initial + family):
                    yield from (Needle(spelling, Match.WORD) for spelling in spellings(joined))
        for joined in (family + given, given + family):
            yield from (Needle(spelling, _match(spelling)) for spelling in spellings(joined))


def _match(spelling: str) -> Match:
    return Match.PART if len(spelling) >= LONG_NAME else Match.WORD


def _words(component: str, *, but: frozenset[str] = _NOBODY) -> list[str]:
    """The words of one component that are no titles and not in ``but``."""
    joined = re.sub(r"['’`´]", "", component)
    return [word for word in _LETTERS.findall(joined) if fold(word) not in _TITLES | but | _ADDED]


def _people(words: list[str], *, whole: bool = True) -> list[str]:
    """Those of ``words`` that are names. ``whole``: of a family or given name, which a particle alone can be.

    Văn isn't van: what carries a mark is no particle.
    """
    last = len(words) - 1 if whole else len(words)
    found = [
        word for place, word in enumerate(words) if fold(word) not in _PARTICLES or not word.isascii() or place == last
    ]
    return words if whole and not any(fold(word) not in _PARTICLES for word in words) else found


def _name(words: list[str], *, whole: bool) -> Iterator[Needle]:
    for word in _people(words, whole=whole):
        alone = len(word) == 1 and word.isascii()
        for spelling in () if alone else spellings(word):
            if not spelling.isascii():
                yield Needle(spelling, Match.PART if len(spelling) > 1 else Match.WORD)
                continue
            yield Needle(spelling, _match(spelling))
            if len(spelling) > CUT_NAME + 1:
                yield from (Needle(spelling[:end], Match.BEGINNING) for end in range(CUT_NAME, len(spelling)))
    joined = "".join(words)
    if len(words) > 1 and len(joined) >= LONG_NAME:
        yield from (Needle(spelling, Match.PART) for spelling in spellings(joined) if len(spelling) >= LONG_NAME)


def _beside(text: str) -> Iterator[str]:
    """Particles and initials of a person's name."""
    for group in text.split("="):
        if sum(letter.isdigit() for letter in group) >= CODED_NAME:
            continue
        for component in group.split("^"):
            for word in _words(component):
                folded = fold(word)
                if folded in _PARTICLES:
                    yield folded
                yield folded[:1]


def _code(text: str) -> Iterator[Needle]:
    """An identifier without separators and leading zeros, and those of its parts that tell it by themselves."""
    folded = fold(text)
    whole = "".join(letter for letter in folded if letter.isalnum())
    has_digit = any(letter.isdigit() for letter in whole)
    if has_digit:
        bare = whole.lstrip("0") if whole.isdigit() else whole
        chosen = bare if len(bare) >= SHORTEST_CODE else whole
        if len(chosen) >= SHORTEST_CODE - (not whole.isdigit()):
            yield Needle(chosen, Match.CODE)
        runs = _RUNS.findall(folded)
        digits = "".join(run for run in runs if run.isdigit()).lstrip("0")
        if len(digits) >= DIGITS_ALONE:
            yield Needle(digits, Match.CODE)
        for run in runs:
            if run.isdigit() and len(run.lstrip("0")) >= DIGITS_ALONE:
                yield Needle(run.lstrip("0"), Match.CODE)
            elif not run.isdigit() and len(run) >= LONG_NAME:
                yield Needle(run, Match.PART, common=True)
        return
    for word in _LETTERS.findall(text):
        yield from _common(word)


def _common(word: str) -> Iterator[Needle]:
    for spelling in spellings(word):
        if len(spelling) >= LONG_NAME:
            yield Needle(spelling, Match.PART, common=True)
        elif len(spelling) == LONG_NAME - 1 and word.isupper():
            yield Needle(spelling, Match.WORD, common=True)


def _place(text: str) -> Iterator[Needle]:
    words = _LETTERS.findall(text)
    for word in words:
        yield from _common(word)
    for number in re.findall(rf"\d{{{SHORTEST_CODE},}}", text):
        yield Needle(number, Match.CODE)
    joined = "".join(words)
    if len(words) > 1 and len(joined) >= JOINED_NAME:
        parts = tuple(fold(word) for word in words)
        yield from (Needle(spelling, Match.PART, common=True, parts=parts) for spelling in spellings(joined))


def _phone(text: str) -> Iterator[Needle]:
    digits = re.sub(r"\D", "", text)
    for start in range(4):  # the country's code has up to three digits, and may be left out
        rest = digits[start:].lstrip("0")
        if len(rest) >= SHORTEST_PHONE:
            yield Needle(rest, Match.CODE)


def _birth(text: str) -> Iterator[Needle]:
    match = re.match(r"^(\d{4})\D?(\d{2})\D?(\d{2})$", text)
    if match is None:
        yield from _code(text)
        return
    year, month, day = match.groups()
    if not ("01" <= month <= "12"):
        yield Needle(year + month + day, Match.CODE)
        return
    for a_year in (year, year[2:]):
        for a_month in {month, month.lstrip("0")}:
            for a_day in {day, day.lstrip("0")}:
                forms = (a_year + a_month + a_day, a_day + a_month + a_year, a_month + a_day + a_year)
                yield from (Needle(form, Match.CODE) for form in forms if len(form) > DIGITS_ALONE)
        for name in month_names(int(month)):
            for a_day in {day, day.lstrip("0")}:
                yield Needle(a_day + name + a_year, Match.CODE)
                yield Needle(name + a_day + a_year, Match.CODE)
