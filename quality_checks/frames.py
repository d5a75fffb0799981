"""The tables made ready for the rules: blanks as nulls, numbers as numbers, and the columns that rules derive."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from ingestion.catalogue.details import WITHHELD
from ingestion.vocabulary.age import parse_date
from ingestion.vocabulary.sex import Sex, normalise_sex
from quality_checks.suites.series_terms import DERIVED_MODALITIES

_AGE = re.compile(r"^\s*(\d{1,3})\s*([DWMY]?)\s*$", re.IGNORECASE)
_YEARS_PER = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0, "": 1.0}
_DAYS_PER_YEAR = 365.25
NO_DAY = -1
"""Stands for a stated date that is no day of the calendar, so that it fails a range instead of counting as absent."""
ONE_VALUE = frozenset({
    "Modality", "PatientSex", "PatientAge", "Manufacturer", "ManufacturerModelName", "StudyDate", "BodyPartExamined",
    "MagneticFieldStrength",
})  # fmt: skip
"""What all instances of one series must agree on: PS3.3, modules Patient Study, General Study, Series, Equipment."""

_SERIES_TEXT = (
    "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "BodyPartExamined", "BodyPart", "BodyPartCode",
    "Manufacturer", "ManufacturerName", "ManufacturerModelName", "PatientSex", "PatientAge", "StudyDate",
    "AcquisitionDate", "SeriesNumber", "ConvolutionKernel", "ViewPosition", "ImageLaterality", "Units", "Varying",
)  # fmt: skip
_SERIES_NUMBERS = (
    "AgeAtStudy", "Rows", "Columns", "NumberOfInstances", "Delivered", "Duplicate", "Quarantined", "PixelSpacingRow",
    "PixelSpacingColumn", "SliceThickness", "SliceSpacing", "MissingSlices", "DuplicatePositions", "KVP",
    "MagneticFieldStrength", "RepetitionTime", "EchoTime",
)  # fmt: skip
_DETAIL_TEXTS = frozenset({
    "ProtocolName", "SeriesDescription", "DecayCorrection", "RadiopharmaceuticalStartTime", "ImageType",
    "AccessionNumber", WITHHELD,
})  # fmt: skip
_DIFFUSION = re.compile(r"diff(?:usion)?(?![a-z])|(?<![a-z])dwi|(?<![a-z])dti", re.IGNORECASE)
_DERIVED_DIFFUSION = re.compile(r"(?<![a-z])(?:e?adc|fa|trace[w]?|colfa)(?![a-z])", re.IGNORECASE)
"""Maps computed from several b-values have none of their own."""
_STUDY_TEXT = ("PatientID", "StudyInstanceUID", "StudyDate", "Modalities")
_STUDY_NUMBERS = ("AgeAtStudy", "NumberOfInstances", "NumberOfPatientIDs")
_PATIENT_TEXT = ("PatientID", "Sexes", "FirstStudyDate", "LastStudyDate")
_PATIENT_NUMBERS = ("NumberOfStudies",)


class MissingColumnsError(ValueError):
    """A table lacks columns that rules read."""

    def __init__(self, table: str, columns: Iterable[str]) -> None:
        self.columns = tuple(columns)
        super().__init__(
            f"the {table} table lacks the column(s) {', '.join(self.columns)}: build it with the same version's code"
        )


def series_frame(series: pd.DataFrame, details: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per series with the derived columns of the series rules; rows in the order of ``SeriesInstanceUID``.

    Args:
        details: ``ingestion.catalogue.details`` of the same series; without it their columns are left out.

    Raises:
        MissingColumnsError: a column that rules read is not there.
    """
    frame = _clean("series", series, text=_SERIES_TEXT, numbers=_SERIES_NUMBERS, key="SeriesInstanceUID")
    frame["IsImage"] = ~frame["Modality"].isin(list(DERIVED_MODALITIES))
    frame["StatedAge"] = frame["AgeAtStudy"].where(frame["AgeAtStudy"].notna(), _each(frame["PatientAge"], stated_age))
    frame["KnownSex"] = frame["PatientSex"].where(frame["PatientSex"].isin([sex.value for sex in Sex]), None)
    numbered = frame["SeriesNumber"].notna() & frame["StudyInstanceUID"].notna()
    frame["NumberInStudy"] = (
        frame["StudyInstanceUID"].astype("object") + "/" + frame["SeriesNumber"].astype("object")
    ).where(numbered, None)
    frame["Unaccounted"] = frame["Delivered"] - frame[["NumberOfInstances", "Duplicate", "Quarantined"]].sum(axis=1)
    frame["Contradictions"] = [_contradictions(text) for text in frame["Varying"]]
    frame["SmallestSide"] = frame[["Rows", "Columns"]].min(axis=1)
    spacing = frame[["PixelSpacingRow", "PixelSpacingColumn"]]
    frame["WidestPixelSpacing"] = spacing.max(axis=1).where(spacing.min(axis=1) > 0, spacing.min(axis=1))
    frame["PixelAspect"] = _ratio(frame["PixelSpacingRow"], frame["PixelSpacingColumn"])
    frame["StepPerThickness"] = _ratio(frame["SliceSpacing"], frame["SliceThickness"])
    frame["Placed"] = frame["SliceSpacing"].notna().astype("float64").where(frame["NumberOfInstances"] > 1)
    times = frame[["RepetitionTime", "EchoTime"]]
    frame["LongestTime"] = times.max(axis=1).where(~(times.min(axis=1) < 0), times.min(axis=1))
    frame["AcquisitionDay"] = _each(frame["AcquisitionDate"], day_number)
    frame["DaysFromStudy"] = _days_between(frame["StudyDate"], frame["AcquisitionDate"])
    return frame if details is None or details.empty else _with_details(frame, details)


def _with_details(frame: pd.DataFrame, details: pd.DataFrame) -> pd.DataFrame:
    said = (
        details.drop_duplicates("SeriesInstanceUID").set_index("SeriesInstanceUID").reindex(frame["SeriesInstanceUID"])
    )
    made = frame.copy()
    for column in said.columns.difference(frame.columns):
        values = said[column]
        numeric = column not in _DETAIL_TEXTS
        made[column] = (
            pd.to_numeric(values, errors="coerce").astype("float64").to_numpy()
            if numeric
            else pd.Series([_text(value) for value in values], index=made.index, dtype="object")
        )
    made["AnyExposure"] = made["Exposure"].fillna(made["XRayTubeCurrent"])
    made["AcquiredAfterStudy"] = made["AcquisitionSeconds"] - made["StudySeconds"]
    made["ContentAfterAcquisition"] = made["ContentSeconds"] - made["AcquisitionSeconds"]
    made["SeriesAfterStudy"] = made["SeriesSeconds"] - made["StudySeconds"]
    named = [
        f"{protocol} {description} {kind}"
        for protocol, description, kind in zip(
            made["ProtocolName"], made["SeriesDescription"], made["ImageType"], strict=True
        )
    ]
    diffusion = [bool(_DIFFUSION.search(text)) and not _DERIVED_DIFFUSION.search(text) for text in named]
    made["IsDiffusion"] = pd.Series([1.0 if found else None for found in diffusion], index=made.index, dtype="float64")
    return made


def study_frame(study: pd.DataFrame, *, by_patient: bool = False) -> pd.DataFrame:
    """One row per study with the derived columns of the study rules.

    A study under several patients has a row for each in the table, and is one study here: ``NumberOfPatientIDs`` tells.
    A row that repeats both UID and patient stays. ``by_patient``: the rows of the table as they are.

    Raises:
        MissingColumnsError: a column that rules read is not there.
    """
    frame = _clean("study", study, text=_STUDY_TEXT, numbers=_STUDY_NUMBERS, key="StudyInstanceUID")
    frame = frame if by_patient else _over_patients(frame)
    frame["StudyDay"] = _each(frame["StudyDate"], day_number)
    frame["ImageModalities"] = [
        len({part.strip() for part in text.split(",")} - DERIVED_MODALITIES) if isinstance(text, str) else 0
        for text in frame["Modalities"]
    ]
    parts = frame[["PatientID", "StudyDate", "Modalities", "NumberOfInstances"]]
    likeness = ["/".join(str(part) for part in row) for row in parts.itertuples(index=False)]
    frame["Likeness"] = pd.Series(likeness, index=frame.index, dtype="object").where(frame["StudyDate"].notna(), None)
    return frame


def _over_patients(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of one study under several patients as one row: the first patient's, with what all of them hold."""
    known = frame["StudyInstanceUID"].notna()
    if not frame.loc[known, "StudyInstanceUID"].duplicated().any():
        return frame
    rows = frame[known]
    repeat = rows.groupby(["StudyInstanceUID", "PatientID"], dropna=False).cumcount().rename("repeat")
    key = [rows["StudyInstanceUID"], repeat]
    together = rows.groupby(key, sort=False)
    kinds = [",".join(_parts(group)) or None for group in together["Modalities"].agg(list)]
    one = rows[~pd.concat(key, axis=1).duplicated()].assign(
        Modalities=pd.Series(kinds, dtype="object").to_numpy(),
        NumberOfInstances=together["NumberOfInstances"].sum().to_numpy(),
    )
    return pd.concat([one, frame[~known]]).reset_index(drop=True)


def _parts(texts: Iterable[str | None]) -> list[str]:
    return sorted({part.strip() for text in texts if isinstance(text, str) for part in text.split(",")})


def patient_frame(patient: pd.DataFrame, studies: pd.DataFrame) -> pd.DataFrame:
    """One row per patient with the derived columns of the patient rules; ``studies`` is a ``study_frame``.

    Raises:
        MissingColumnsError: a column that rules read is not there.
    """
    frame = _clean("patient", patient, text=_PATIENT_TEXT, numbers=_PATIENT_NUMBERS, key="PatientID")
    # spellings of one sex do not contradict each other, and an unknown value contradicts nothing
    frame["NumberOfSexes"] = [
        len({normalise_sex(part) for part in text.split(",")} - {None}) if isinstance(text, str) else 0
        for text in frame["Sexes"]
    ]
    frame["FollowUpDays"] = _days_between(frame["FirstStudyDate"], frame["LastStudyDate"])
    grouped = studies.groupby("PatientID", sort=True) if not studies.empty else ()
    drift = {patient_id: _age_drift(rows) for patient_id, rows in grouped}
    frame["AgeDriftYears"] = pd.to_numeric(frame["PatientID"].map(drift), errors="coerce")
    return frame


def stated_age(text: str) -> float | None:
    """The age in years that PatientAge states, however implausible: ``965Y`` to 965.0; None for other text."""
    match = _AGE.match(text)
    return round(int(match.group(1)) * _YEARS_PER[match.group(2).upper()], 2) if match else None


def day_number(text: str) -> int:
    """``20190823`` to the number 20190823; ``NO_DAY`` for what is no day of the calendar."""
    day = parse_date(text)
    return NO_DAY if day is None else day.year * 10000 + day.month * 100 + day.day


def _clean(
    table: str, delivered: pd.DataFrame, *, text: tuple[str, ...], numbers: tuple[str, ...], key: str
) -> pd.DataFrame:
    missing = [column for column in (*text, *numbers) if column not in delivered.columns]
    if missing:
        raise MissingColumnsError(table, missing)
    frame = pd.DataFrame(index=delivered.index)
    for column in text:
        frame[column] = pd.Series([_text(value) for value in delivered[column]], index=delivered.index, dtype="object")
    for column in numbers:
        # what is no number counts as absent; float so that absent values have a place
        frame[column] = pd.to_numeric(delivered[column], errors="coerce").astype("float64")
    # in the order of the key, so that equal tables in another order give equal results
    return frame.sort_values(key, kind="stable", na_position="last").reset_index(drop=True)


def _text(value: Any) -> str | None:
    if pd.isna(value):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a whole number that shared its column with nulls
    return str(value).strip() or None


def _each(values: pd.Series, convert: Callable[[str], float | None]) -> pd.Series:
    converted = [convert(value) if isinstance(value, str) else None for value in values]
    return pd.to_numeric(pd.Series(converted, index=values.index, dtype="object"), errors="coerce").astype("float64")


def _ratio(over: pd.Series, under: pd.Series) -> pd.Series:
    return (over / under.where(under > 0)).where(over > 0)


def _days_between(first: pd.Series, last: pd.Series) -> pd.Series:
    days: list[float | None] = []
    for start, end in zip(first, last, strict=True):
        begun = parse_date(start) if isinstance(start, str) else None
        ended = parse_date(end) if isinstance(end, str) else None
        days.append(None if begun is None or ended is None else float((ended - begun).days))
    return pd.Series(days, index=first.index, dtype="float64")


def _contradictions(varying: object) -> int:
    if not isinstance(varying, str):
        return 0
    return len({keyword.strip() for keyword in varying.split(",")} & ONE_VALUE)


def _age_drift(studies: pd.DataFrame) -> float | None:
    """Years by which ages at a patient's studies and the time between the studies differ at most."""
    births = []
    for text, age in zip(studies["StudyDate"], studies["AgeAtStudy"], strict=True):
        day = parse_date(text) if isinstance(text, str) else None
        if day is not None and not math.isnan(age):
            births.append(day.toordinal() / _DAYS_PER_YEAR - age)
    return max(births) - min(births) if len(births) > 1 else None
