"""All values of a source, one a row: what was measured, of what, in which unit, by what, and why a value is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ingestion.features.distributions import outliers
from ingestion.features.dose_report import COLUMNS as DOSE_REPORT
from ingestion.features.exposure import COLUMNS as EXPOSURE
from ingestion.features.feature_units import feature_name, feature_unit, ibsi_features, unit_text
from ingestion.features.intensity import INTENSITY_FEATURES
from ingestion.features.provenance import settings_text
from ingestion.features.series_measures import QUALITY
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import ibsi_columns
from ingestion.features.texts import Texts

TEXTS = (
    "source_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Level", "RegionSeriesInstanceUID",
    "RegionSOPInstanceUID", "SegmentLabel", "Modality", "Manufacturer", "Feature", "Name", "Code", "Family",
    "Aggregation", "ResponseMap", "Unit", "Refusal", "ImageVersion", "ImageDigest", "MaskVersion", "MaskDigest",
    "Settings", "SettingsDigest", "Tool", "ToolVersion",
)  # fmt: skip
COLUMNS = (*TEXTS[:7], "SegmentNumber", *TEXTS[7:16], "Value", "Outlier", *TEXTS[16:])
"""``SeriesInstanceUID``: of the image. ``Name``: IBSI's full name, or that of the measure.

``Code``, ``Family``, ``Aggregation``: IBSI's permanent ids.

``ResponseMap``: the filter whose response was measured, with its parameters; empty for the image itself.

``Outlier``: see ``ingestion.features.distributions``; empty where too few values are there to compare with.
"""
GEOMETRY = (
    "Slices", "Volumes", "RowSpacing", "ColumnSpacing", "SliceSpacing", "CoverageMm", "MissingSlices",
    "DuplicatePositions", "Pixels", "PaddingShare",
)  # fmt: skip


def long_table(
    series: pd.DataFrame,
    regions: pd.DataFrame,
    settings: FeatureSettings,
    *,
    series_undefined: Sequence[Mapping[str, str]] = (),
    undefined: Sequence[Mapping[str, str]] = (),
) -> pd.DataFrame:
    """Rows of all series and regions; of a refused one a row without a feature, whose ``Refusal`` says why.

    Args:
        series, regions: the wide tables; columns that are missing count as empty.
        series_undefined: for each row of ``series`` its measures without a value, and why; none for no rows at all.
        undefined: for each row of ``regions`` its features without a value, and why; none for no rows at all.
    """
    further = ("StandardDeviation", *(f"Percentile{percent}" for percent in settings.percentiles))
    statistics = (*(feature.column for feature in INTENSITY_FEATURES), *further)
    whole = (*GEOMETRY, *statistics, *QUALITY, *EXPOSURE, *DOSE_REPORT)
    said = settings_text(settings)
    parts = [
        _part(series, "series", whole, said, undefined=series_undefined),
        _part(regions, "region", ibsi_columns(settings), said, undefined=undefined),
    ]
    data: dict[str, Any] = {name: Texts.joined([part.texts[name] for part in parts]) for name in TEXTS}
    values = np.concatenate([part.values for part in parts])
    data["Value"] = pd.array(values, dtype="Float64")
    data["Value"][np.isnan(values)] = pd.NA
    data["SegmentNumber"] = pd.array([number for part in parts for number in part.segments], dtype="Int64")
    table = pd.DataFrame({name: data[name] for name in COLUMNS if name != "Outlier"})
    table.insert(COLUMNS.index("Outlier"), "Outlier", outliers(table))
    return table


@dataclass(frozen=True, slots=True)
class _Part:
    """The long rows of one wide table, by column."""

    texts: dict[str, Texts]
    values: NDArray[np.float64]
    segments: list[Any]


def _part(
    wide: pd.DataFrame, level: str, columns: Sequence[str], said: str, *, undefined: Sequence[Mapping[str, str]]
) -> _Part:
    region = level == "region"
    reasons = Texts.of(wide["Reason"] if len(wide) else ())
    rows: list[NDArray[np.int64]] = [np.flatnonzero(reasons.codes >= 0)]
    numbers: list[NDArray[np.int64]] = [np.full(len(rows[0]), -1)]
    values: list[NDArray[np.float64]] = [np.full(len(rows[0]), np.nan)]
    whys = Texts.of(sorted({why for item in undefined for why in item.values()}))
    refusals: list[NDArray[np.int64]] = [np.full(len(rows[0]), -1)]
    for position, name in enumerate(columns):
        given = _numbers(wide, name)
        why = np.array(
            [whys.names.index(item[name]) if name in item else -1 for item in undefined] or [-1] * len(wide),
            dtype=np.int64,
        )
        found = np.flatnonzero(np.isfinite(given) | (why >= 0))
        rows.append(found)
        numbers.append(np.full(len(found), position))
        values.append(given[found])
        refusals.append(why[found])
    all_rows, all_numbers = np.concatenate(rows), np.concatenate(numbers)
    order = np.lexsort((all_numbers, all_rows))
    row, number, value = all_rows[order], all_numbers[order], np.concatenate(values)[order]
    features = [{**ibsi_features().get(name, {}), "Column": name} for name in columns]

    def of_wide(name: str) -> Texts:
        return Texts.of(wide[name]).taken(row) if name in wide else Texts.same(None, len(row))

    def of_feature(key: str) -> Texts:
        return Texts.of(item.get(key) for item in features).taken(number)

    made = {
        "Level": Texts.same(level, len(row)),
        "SeriesInstanceUID": of_wide("ImageSeriesInstanceUID" if region else "SeriesInstanceUID"),
        "RegionSeriesInstanceUID": of_wide("SeriesInstanceUID" if region else ""),
        "RegionSOPInstanceUID": of_wide("SOPInstanceUID" if region else ""),
        "Feature": of_feature("Column"),
        "Name": Texts.of(feature_name(name) for name in columns).taken(number),
        "Code": Texts.of(item.get("Code") or _series_code(item["Column"]) for item in features).taken(number),
        "Family": of_feature("FamilyCode"),
        "Aggregation": of_feature("AggregationCode"),
        "Unit": _units(of_wide("Unit"), number, [feature_unit(name) for name in columns]),
        "Refusal": _refusals(reasons.taken(row), whys.taken(np.concatenate(refusals)[order]), number),
        "Settings": Texts.same(said, len(row)),
    }
    segments = list(wide["SegmentNumber"].iloc[row]) if "SegmentNumber" in wide else [pd.NA] * len(row)
    return _Part({name: made[name] if name in made else of_wide(name) for name in TEXTS}, value, segments)


def _units(image: Texts, number: NDArray[np.int64], units: Sequence[str]) -> Texts:
    """Each feature's unit with the image's in the place of ``u``; nothing where there is no feature."""
    pairs = {(k, code) for k, code in zip(number.tolist(), image.codes.tolist(), strict=True) if k >= 0}
    texts = {(k, code): unit_text(units[k], image.names[code] if code >= 0 else None) for k, code in pairs}
    return Texts.of(texts.get(pair) for pair in zip(number.tolist(), image.codes.tolist(), strict=True))


def _refusals(reasons: Texts, whys: Texts, number: NDArray[np.int64]) -> Texts:
    """Of a row without a feature the reason of the whole, else why the feature has no value."""
    names = (*reasons.names, *whys.names)
    moved = np.where(whys.codes < 0, -1, whys.codes + len(reasons.names))
    return Texts(np.where(number < 0, reasons.codes, moved).astype(np.int32), names)


def _numbers(wide: pd.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in wide:
        return np.full(len(wide), np.nan)
    return np.asarray(wide[name].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


@cache
def _series_code(column: str) -> str | None:
    return next((feature.code for feature in INTENSITY_FEATURES if feature.column == column), None)
