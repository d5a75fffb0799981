"""The tier of a source: catalogued, searchable or processable, and exactly what is missing for the next one.

The three levels are those of the European cancer-image federation's handbook ("Data preparation", section 5): 1 is in
the public catalogue; 2 answers searches, so its metadata are coded; 3 can be processed, so its annotations are DICOM
segmentations and its clinical data are whole. A source has a tier when it meets all requirements up to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import pandas as pd

from ingestion.sources.registry import SourceEntry
from ingestion.vocabulary.sex import normalise_sex
from quality_checks.model import QualityVerdict, Severity
from quality_checks.suites.series_terms import DERIVED_MODALITIES
from quality_checks.suites.source import Tables
from quality_checks.withheld import COLUMN, rows_withheld
from quality_checks.wording import percent

STATED_SHARE = 0.7
"""Tier 1: below it an attribute is lost to users (``quality_checks.suites.declare.USABLE_SHARE``)."""
CODED_SHARE = 0.95
"""Tier 2: a search by a facet that over one in twenty series lack undercounts visibly."""
WHOLE_SHARE = 0.95
"""Tier 3: series without any image in quarantine."""

ANOTHER_POLICY = "To be searchable by it, have plain terms written into the field, or choose a policy that keeps it."


class Tier(IntEnum):
    """``NONE``: not even what the catalogue asks for."""

    NONE = 0
    CATALOGUED = 1
    SEARCHABLE = 2
    PROCESSABLE = 3


class ClinicalColumn(StrEnum):
    """What a column of a clinical table is, by the names that ``cie clinical register`` takes."""

    SEX = "sex"
    AGE_AT_DIAGNOSIS = "age_at_diagnosis"
    DIAGNOSIS = "diagnosis"
    """Day of the diagnosis, shifted or relative."""
    PATHOLOGY = "pathology"
    TREATMENT = "treatment"
    TREATED = "treated"
    """Day of the first treatment."""


@dataclass(frozen=True, slots=True)
class ClinicalSummary:
    """What is known of a source's clinical table. ``columns``: share of its rows with a value, by meaning."""

    patients: int
    imaged: int
    """Of the patients with images, those in the table."""
    columns: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that a tier asks for. ``found``: what there is, in our own words and numbers."""

    id: str
    tier: Tier
    title: str
    met: bool
    found: str
    remedy: str


@dataclass(frozen=True, slots=True)
class TierResult:
    """The tier of a source and how each requirement stands, in the order of the tiers."""

    source_id: str
    tier: Tier
    requirements: tuple[Requirement, ...]

    @property
    def next(self) -> Tier | None:
        """The next tier; None at the last."""
        return None if self.tier is Tier.PROCESSABLE else Tier(self.tier + 1)

    @property
    def missing(self) -> tuple[Requirement, ...]:
        """What the next tier still asks for."""
        return tuple(item for item in self.requirements if item.tier == self.next and not item.met)


def tier_of(
    verdict: QualityVerdict, tables: Tables, entry: SourceEntry, *, clinical: ClinicalSummary | None = None
) -> TierResult:
    """The tier of a judged source. ``clinical``: of its registered clinical table, where there is one."""
    requirements = (
        *_catalogued(verdict, tables, entry),
        *_searchable(tables, clinical),
        *_processable(tables, clinical),
    )
    tier = Tier.NONE
    for level in (Tier.CATALOGUED, Tier.SEARCHABLE, Tier.PROCESSABLE):
        if not all(item.met for item in requirements if item.tier is level):
            break
        tier = level
    return TierResult(entry.id, tier, requirements)


def _catalogued(verdict: QualityVerdict, tables: Tables, entry: SourceEntry) -> Iterator[Requirement]:
    series = tables.series
    yield Requirement(
        "registered",
        Tier.CATALOGUED,
        "Registered under a signed agreement",
        entry.agreement.signed_on is not None,
        "signed" if entry.agreement.signed_on is not None else "not signed",
        "Have the agreement signed, then enter the day in the registry.",
    )
    yield Requirement(
        "deidentified",
        Tier.CATALOGUED,
        "De-identified images are stored",
        len(series) > 0 and bool(series["PolicyDigest"].notna().all()),
        f"{len(series):,} series",
        "Bring the source through; work off its quarantine.",
    )
    errors = [result.rule_id for result in verdict.of(Severity.ERROR)]
    yield Requirement(
        "judged",
        Tier.CATALOGUED,
        "No quality rule ends in error",
        not errors,
        ", ".join(errors) or "no error",
        "The report says of each rule what to do.",
    )
    repeated = [result for result in verdict.results if result.rule_id in _NO_DUPLICATES and result.failing]
    yield Requirement(
        "no_duplicate_entity",
        Tier.CATALOGUED,
        "No patient, study or series twice",
        not repeated,
        ", ".join(f"{result.rule_id}: {result.failing:,}" for result in repeated) or "none",
        "Withdraw the repeated series; have patients under several ids merged at the source.",
    )
    images = _images(tables)
    for column, label in _STATED.items():
        taken = rows_withheld(images, column)
        # who states a value has stated it, whatever the policy then does with it
        share = _share(images[column].notna() | taken)
        yield Requirement(
            f"stated_{label.lower().replace(' ', '_')}",
            Tier.CATALOGUED,
            f"{label} is stated in {percent(STATED_SHARE)} of the image series",
            share >= STATED_SHARE,
            _found(share, STATED_SHARE, taken),
            f"Have {label} filled in at the export.",
        )


def _searchable(tables: Tables, clinical: ClinicalSummary | None) -> Iterator[Requirement]:
    images = _images(tables)
    coded = {
        "body part": ("BodyPartExamined", images["BodyPartCode"].notna()),
        "manufacturer": ("Manufacturer", images["ManufacturerName"].notna()),
        "sex": (
            "PatientSex",
            images["PatientSex"].map(lambda value: normalise_sex(value) is not None if _said(value) else False),
        ),
        "age": ("AgeAtStudy", images["AgeAtStudy"].notna()),
        "acquisition date": ("AcquisitionDate", images["AcquisitionDate"].notna()),
    }
    for label, (column, known) in coded.items():
        # nobody finds a series by a value that is not there: it counts as unusable, but as taken out, not as a gap
        share, taken = _share(known), rows_withheld(images, column) & ~known
        remedy = (
            "Work through `cie vocabulary unknown`; have what is missing filled in at the export."
            if label in ("body part", "manufacturer")
            else f"Have the {label} filled in or corrected at the export."
        )
        if taken.any() and share + _share(taken) >= CODED_SHARE:
            remedy = f"The policy takes the {label} out; nothing is missing at the export. {ANOTHER_POLICY}"
        elif taken.any():
            remedy = f"{remedy} Where the policy takes it out: {ANOTHER_POLICY[0].lower()}{ANOTHER_POLICY[1:]}"
        yield Requirement(
            f"coded_{label.replace(' ', '_')}",
            Tier.SEARCHABLE,
            f"A usable {label} for {percent(CODED_SHARE)} of the image series",
            share >= CODED_SHARE,
            _found(share, CODED_SHARE, taken),
            remedy,
        )
    yield from _clinical(Tier.SEARCHABLE, tables, clinical, (ClinicalColumn.SEX, ClinicalColumn.AGE_AT_DIAGNOSIS))


def _processable(tables: Tables, clinical: ClinicalSummary | None) -> Iterator[Requirement]:
    series = tables.series
    images = _images(tables)
    whole = _share(images["State"] == "complete")
    yield Requirement(
        "whole_series",
        Tier.PROCESSABLE,
        f"{percent(WHOLE_SHARE)} of the image series are whole",
        whole >= WHOLE_SHARE,
        _found(whole, WHOLE_SHARE),
        "Work off the quarantine of the partial series.",
    )
    segmented = set(series.loc[series["Modality"] == "SEG", "StudyInstanceUID"]) if len(series) else set()
    contoured = set(series.loc[series["Modality"] == "RTSTRUCT", "StudyInstanceUID"]) if len(series) else set()
    yield Requirement(
        "annotations_in_seg",
        Tier.PROCESSABLE,
        "Annotations are DICOM segmentations",
        bool(segmented) and not contoured - segmented,
        f"{len(segmented):,} studies with SEG, {len(contoured - segmented):,} with RTSTRUCT alone",
        "Deliver annotations as SEG; convert structure sets.",
    )
    yield from _clinical(
        Tier.PROCESSABLE,
        tables,
        clinical,
        (ClinicalColumn.DIAGNOSIS, ClinicalColumn.PATHOLOGY, ClinicalColumn.TREATMENT, ClinicalColumn.TREATED),
    )


def _clinical(
    tier: Tier, tables: Tables, clinical: ClinicalSummary | None, columns: tuple[str, ...]
) -> Iterator[Requirement]:
    if tier is Tier.SEARCHABLE:
        imaged = 0 if clinical is None else clinical.imaged
        share = imaged / len(tables.patient) if len(tables.patient) else 0.0
        yield Requirement(
            "clinical_table",
            tier,
            f"A clinical table with {percent(CODED_SHARE)} of the imaged patients",
            share >= CODED_SHARE,
            "none registered" if clinical is None else f"{imaged:,} of {len(tables.patient):,} patients",
            "De-identify the table with `cie deidentify`, then `cie clinical register` it.",
        )
    for column in columns:
        share = 0.0 if clinical is None else clinical.columns.get(column, 0.0)
        yield Requirement(
            f"clinical_{column}",
            tier,
            f"The clinical table says {column.replace('_', ' ')}",
            # what is mandatory "if available" may be missing for some, not for all
            share >= (CODED_SHARE if tier is Tier.SEARCHABLE else STATED_SHARE),
            "no clinical table" if clinical is None else percent(share),
            f"Add the column, and name it `{column}` at `cie clinical register`.",
        )


_NO_DUPLICATES = frozenset({
    "patient_id_unique", "study_uid_unique", "series_uid_unique", "series_not_repeated", "series_pixels_not_repeated",
    "patient_one_id",
})  # fmt: skip
_STATED = {
    "PatientID": "PatientID",
    "Modality": "Modality",
    "BodyPartExamined": "BodyPartExamined",
    "Manufacturer": "Manufacturer",
    "AcquisitionDate": "AcquisitionDate",
    "AgeAtStudy": "age at study",
}

_READ = sorted({*_STATED, "State", "BodyPartCode", "ManufacturerName", "PatientSex"})


def _images(tables: Tables) -> pd.DataFrame:
    """The image series, with the attributes that the policy took out of each where that is known."""
    series = tables.series
    if series.empty:
        return pd.DataFrame(columns=_READ)
    images = series[~series["Modality"].isin(list(DERIVED_MODALITIES))]
    details = getattr(tables, "details", None)
    if details is None or COLUMN not in details:
        return images
    taken = details.drop_duplicates("SeriesInstanceUID").set_index("SeriesInstanceUID")[COLUMN]
    return images.assign(**{COLUMN: images["SeriesInstanceUID"].map(taken)})


def _found(share: float, asked: float, taken: pd.Series | None = None) -> str:
    """``taken``: rows whose value the policy took out. A share below what is asked never reads as that."""
    said = percent(share)
    if share < asked and said == percent(asked):
        said = f"{math.floor(share * 1000) / 10:.1f} %"
    return said if taken is None or not taken.any() else f"{said}, {percent(_share(taken))} taken out by the policy"


def _share(mask: pd.Series) -> float:
    return float(mask.mean()) if len(mask) else 0.0


def _said(value: object) -> bool:
    return isinstance(value, str)
