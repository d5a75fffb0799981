"""Series rules: identifiers, the attributes that every image must state, sex and age."""

from __future__ import annotations

from ingestion.sources.registry import SourceEntry
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.sex import Sex
from quality_checks.model import Dimension, Rule
from quality_checks.suites.declare import (
    ALWAYS_REASON,
    EVERYWHERE,
    IMAGES,
    INFO_REASON,
    MINORITY_REASON,
    MINORITY_SHARE,
    USABLE_REASON,
    USABLE_SHARE,
    Expectation,
    TableCheck,
    Where,
    between,
    rule,
)

MAX_AGE = 120.0
"""Years. The oldest persons known reached 122; deliveries with 965 have been met."""
_ADULT = (15.0, None)
_AGES: dict[CancerType, tuple[float, float | None]] = {
    CancerType.BREAST: _ADULT,
    CancerType.COLON: _ADULT,
    CancerType.LUNG: _ADULT,
    CancerType.PROSTATE: _ADULT,
    CancerType.RECTUM: _ADULT,
    CancerType.NEUROBLASTOMA: (0.0, 40.0),
}
"""Ages (years) at which a cancer is met at all, wide; the others are met at any age."""


def _identifier(rule_id: str, column: str) -> TableCheck:
    return _present(
        rule(
            rule_id,
            Dimension.COMPLETENESS,
            title=f"{column} is stated",
            meaning=f"{column} ties the series to its place; without it no table can hold the series.",
            fault=f"no {column}",
            remedy="Fill it in at the source and deliver the series again.",
            error_below=1.0,
            reason=ALWAYS_REASON,
        ),
        column,
    )


def _mandatory(rule_id: str, column: str, meaning: str, *, label: str | None = None, version: str = "1") -> TableCheck:
    """Asked of images: what is derived from them has the patient and the scanner of its images."""
    return _present(
        rule(
            rule_id,
            Dimension.COMPLETENESS,
            title=f"{label or column} is stated",
            meaning=meaning,
            fault=f"no {label or column}",
            remedy="Ask the data holder to fill it in at the export, or to say why it cannot.",
            error_below=USABLE_SHARE,
            reason=USABLE_REASON,
            version=version,
        ),
        column,
        IMAGES,
    )


def _present(made: Rule, column: str, where: Where = EVERYWHERE) -> TableCheck:
    return TableCheck(rule=made, column=column, expectation=Expectation.PRESENT, where=where)


def _unique(rule_id: str, column: str) -> TableCheck:
    return TableCheck(
        rule=rule(
            rule_id,
            Dimension.UNIQUENESS,
            title=f"{column} is unique",
            meaning="Two rows with one UID would count a series twice.",
            fault=f"a {column} that another row has too",
            remedy="Report it: the tables were built wrongly, or the source uses one UID for two series.",
            error_below=1.0,
            reason=ALWAYS_REASON,
        ),
        column=column,
        expectation=Expectation.UNIQUE,
    )


def _ages_of(entry: SourceEntry) -> dict[str, float]:
    lowest, highest = _AGES.get(entry.cancer_type, (0.0, None))
    return between(lowest, highest)


def _sexes_of(entry: SourceEntry) -> dict[str, list[str]]:
    if entry.cancer_type is CancerType.PROSTATE:
        return {"value_set": [Sex.MALE.value, Sex.OTHER.value]}
    return {"value_set": [sex.value for sex in Sex]}


CHECKS: tuple[TableCheck, ...] = (
    _identifier("series_patient_id_present", "PatientID"),
    _identifier("series_study_uid_present", "StudyInstanceUID"),
    _identifier("series_uid_present", "SeriesInstanceUID"),
    _unique("series_uid_unique", "SeriesInstanceUID"),
    _present(
        rule(
            "series_modality_present",
            Dimension.COMPLETENESS,
            title="Modality is stated",
            meaning="Without it nobody can search for the series, nor know what its values are.",
            fault="no Modality",
            remedy="Fill it in at the source and deliver the series again; the release is without it until then.",
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
            version="2",
            excludes=True,
        ),
        "Modality",
    ),
    _mandatory(
        "series_body_part_present", "BodyPartExamined", "Users select images by the part of the body they show."
    ),
    _mandatory(
        "series_manufacturer_present",
        "Manufacturer",
        "Images of different makers differ; without the maker no model can be checked for that.",
    ),
    _mandatory(
        "series_acquisition_date_present",
        "AcquisitionDate",
        "The interval between images, and to the diagnosis, is counted from it (dates are shifted, intervals kept).",
    ),
    _mandatory(
        "series_age_present",
        "StatedAge",
        "The patient's age at the study is required of every image, stated or derived from two dates.",
        label="age at study",
        version="2",
    ),
    _mandatory(
        "series_sex_present",
        "PatientSex",
        "Cohorts are described by sex; without it a collection cannot be balanced.",
        version="2",
    ),
    _present(
        rule(
            "series_model_present",
            Dimension.COMPLETENESS,
            title="ManufacturerModelName is stated",
            meaning="Scanner models of one maker differ too; harmonisation needs the model.",
            fault="no ManufacturerModelName",
            remedy="Ask the data holder to keep it in the export.",
        ),
        "ManufacturerModelName",
        IMAGES,
    ),
    TableCheck(
        rule=rule(
            "series_age_plausible",
            Dimension.VALIDITY,
            title="Age at study is between 0 and 120 years",
            meaning="Ages such as 965 come from a typing error or a wrong unit and spoil every range shown to users.",
            fault="an age that no person reaches, or below 0",
            remedy="Have PatientAge, or the birth and study dates it is derived from, corrected at the source.",
            error_below=USABLE_SHARE,
            reason=USABLE_REASON,
        ),
        column="StatedAge",
        expectation=Expectation.BETWEEN,
        arguments=between(0.0, MAX_AGE),
    ),
    TableCheck(
        rule=rule(
            "series_age_fits_cancer",
            Dimension.ACCURACY,
            title="Age fits the cancer of the source",
            meaning="A child with breast cancer, or an age of 0, is nearly always a missing age written as a number.",
            fault="an age at which the source's cancer is hardly ever met",
            remedy="Check these patients' ages at the source.",
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
        ),
        column="AgeAtStudy",
        expectation=Expectation.BETWEEN,
        arguments=_ages_of,
    ),
    TableCheck(
        rule=rule(
            "series_sex_valid",
            Dimension.VALIDITY,
            title="PatientSex is M, F or O",
            meaning="PS3.3 section C.7.1.1 allows these three values; others cannot be searched for.",
            fault="a PatientSex other than M, F and O",
            remedy="Have the value mapped to M, F or O at the export.",
            error_below=USABLE_SHARE,
            reason=USABLE_REASON,
        ),
        column="PatientSex",
        expectation=Expectation.IN_SET,
        arguments={"value_set": [sex.value for sex in Sex]},
    ),
    TableCheck(
        rule=rule(
            "series_sex_fits_cancer",
            Dimension.ACCURACY,
            title="PatientSex fits the cancer of the source",
            meaning="A prostate patient recorded as female is a recording error or the wrong patient.",
            fault="a PatientSex that does not fit the source's cancer",
            remedy="Check these patients at the source: the sex or the patient is wrong.",
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
        ),
        column="KnownSex",
        expectation=Expectation.IN_SET,
        arguments=_sexes_of,
    ),
    TableCheck(
        rule=rule(
            "series_number_unique_in_study",
            Dimension.UNIQUENESS,
            title="SeriesNumber is unique within its study",
            meaning="Two series of one number in a study may be the same images exported twice.",
            fault="a SeriesNumber that another series of the study has too",
            remedy="Compare the series named; withdraw one if they are the same.",
            warning_below=None,
            reason=INFO_REASON,
        ),
        column="NumberInStudy",
        expectation=Expectation.UNIQUE,
    ),
)
