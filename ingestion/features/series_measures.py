"""Intensity statistics of a whole series in physical units, one instance in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.dataset import Dataset

from ingestion.dicom.frames import frame_count, frames_of
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.values import Rescale, VolumeRefusedError, rescale_of, stored_frames
from ingestion.features.intensity import intensity_statistics, variance
from ingestion.features.refusal import FeatureRefusal, FeatureRefusedError
from ingestion.features.settings import FeatureSettings
from ingestion.features.units import Unit, UnitFacts, series_unit, unit_facts
from ingestion.features.value_counts import ValueCounts


@dataclass(frozen=True, slots=True)
class SeriesMeasures:
    """``values`` by column name, in ``unit`` where they have one. ``pixels`` counts padding too."""

    unit: Unit
    pixels: int
    padding_share: float
    values: dict[str, float | None]


def measure_series(datasets: Iterable[Dataset], settings: FeatureSettings) -> SeriesMeasures:
    """The measures of all pixels of a series that are not padding. ``datasets`` is read once.

    Raises:
        VolumeRefusedError: some instance's values cannot be known for right.
        FeatureRefusedError: all is padding, or the instances' units differ.
    """
    parts: list[ValueCounts] = []
    facts: list[UnitFacts] = []
    pixels = 0
    for dataset in datasets:
        try:
            counts, seen = _values_of(dataset)
            facts.append(unit_facts(dataset))
        except PARSER_ERRORS as error:
            raise FeatureRefusedError(FeatureRefusal.MALFORMED, detail=type(error).__name__) from None
        parts.append(counts)
        pixels += seen
    unit = series_unit(facts)
    if unit is None:
        raise FeatureRefusedError(FeatureRefusal.UNITS_VARY, detail="several units in one series")
    counts = ValueCounts.merged(parts)
    if counts.total == 0:
        raise FeatureRefusedError(FeatureRefusal.ALL_PADDING, detail=f"all of {pixels} pixels are padding")
    if unit.factor != 1:
        counts = counts.mapped(lambda values: values * unit.factor)
    return SeriesMeasures(
        unit=unit,
        pixels=pixels,
        padding_share=(pixels - counts.total) / pixels,
        values={
            **intensity_statistics(counts),
            "StandardDeviation": math.sqrt(variance(counts)),
            **{f"Percentile{percent}": counts.percentile(percent) for percent in settings.percentiles},
        },
    )


def _values_of(dataset: Dataset) -> tuple[ValueCounts, int]:
    """The values of an instance that are not padding, and how many pixels it has."""
    rescales = _rescales(dataset)
    parts, pixels = [], 0
    for index, frame in enumerate(stored_frames(dataset)):
        pixels += frame.stored.size
        stored = ValueCounts.of(frame.measured)
        rescale = rescales[index if len(rescales) > 1 else 0]
        parts.append(stored.mapped(rescale.apply))
    return ValueCounts.merged(parts), pixels


def _rescales(dataset: Dataset) -> list[Rescale]:
    """Of each frame; a single one where all frames share it."""
    if frame_count(dataset) > 1 and not dataset.get("PerFrameFunctionalGroupsSequence"):
        # Statistics need no positions, so an old-style multi-frame object is measured too.
        return [rescale_of(dataset, modality=str(dataset.get("Modality", "")))]
    rescales = [frame.rescale for frame in frames_of(dataset, instance=0)]
    if len({(rescale.type, rescale.declared) for rescale in rescales}) > 1:
        raise FeatureRefusedError(FeatureRefusal.UNITS_VARY, detail="frames are rescaled to different units")
    return rescales


__all__ = ["SeriesMeasures", "VolumeRefusedError", "measure_series"]
