"""The IBSI intensity features of the regions that one segmentation marks on one image volume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from ingestion.dicom.segmentation import Code, iter_segments
from ingestion.dicom.volume import Volume
from ingestion.features.intensity import intensity_statistics
from ingestion.features.refusal import FeatureRefusal
from ingestion.features.settings import FeatureSettings
from ingestion.features.units import Unit, series_unit, unit_facts
from ingestion.features.value_counts import ValueCounts


@dataclass(frozen=True, slots=True)
class Region:
    """One segment and its features by column name; without features, ``refusal`` says why."""

    number: int
    label: str | None
    category: Code | None
    type: Code | None
    voxels: int
    """Voxels of the mask that are not padding; only these are measured."""
    padding_voxels: int
    volume_mm3: float
    """Of the measured voxels: number times voxel volume (IBSI YEKZ, approximate volume)."""
    values: dict[str, float | None]
    refusal: FeatureRefusal | None = None


def volume_unit(datasets: Sequence[Dataset]) -> Unit | None:
    """The unit of a volume's values; None when the instances' units differ."""
    return series_unit(unit_facts(dataset) for dataset in datasets)


def measure_regions(seg: Dataset, volume: Volume, unit: Unit, settings: FeatureSettings) -> Iterator[Region]:
    """The regions of ``seg``, by segment number, one mask in memory at a time.

    Intensities are those of the volume times ``unit.factor``; nothing is interpolated, resegmented or discretised.

    Raises:
        RegionRefusedError: the masks cannot be put on the volume's grid for sure.
    """
    voxel_mm3 = volume.spacing[0] * volume.spacing[1] * volume.spacing[2]
    for segment in iter_segments(seg, volume):
        marked = int(segment.mask.sum())
        counts = ValueCounts.of(volume.array[segment.mask & ~volume.padding])
        measured = counts.total
        enough = measured >= settings.min_voxels
        if unit.factor != 1:
            counts = counts.mapped(lambda values: values * unit.factor)
        yield Region(
            number=segment.number,
            label=segment.label,
            category=segment.category,
            type=segment.type,
            voxels=measured,
            padding_voxels=marked - measured,
            volume_mm3=measured * voxel_mm3,
            values=intensity_statistics(counts) if enough else {},
            refusal=None if enough else FeatureRefusal.TOO_FEW_VOXELS,
        )
