"""The IBSI features of the regions of interest that an object marks on one image volume."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage

from ingestion.dicom.region import Code, Segment, mask_digest
from ingestion.dicom.segmentation import iter_segments, referenced_instances, referenced_series
from ingestion.dicom.structure_set import iter_structures, structure_instances, structure_series
from ingestion.dicom.volume import Volume
from ingestion.features.ibsi import RegionFeatures, compute
from ingestion.features.ibsi.filters.settings import MeanFilter
from ingestion.features.refusal import FeatureRefusal
from ingestion.features.settings import FeatureSettings
from ingestion.features.units import ARBITRARY, Unit, series_unit, unit_facts


@dataclass(frozen=True, slots=True)
class Region:
    """One region and its features by column name; without features, ``refusal`` says why."""

    number: int
    label: str | None
    category: Code | None = None
    type: Code | None = None
    anatomy: Code | None = None
    laterality: Code | None = None
    algorithm: str | None = None
    role: str | None = None
    tracking_id: str | None = None
    tracking_uid: str | None = None
    flags: tuple[str, ...] = ()
    mask_digest: str | None = None
    voxels: int = 0
    """Voxels of the mask that are not padding; only these are measured."""
    padding_voxels: int = 0
    volume_mm3: float = 0.0
    """Of the measured voxels: number times voxel volume (IBSI YEKZ, approximate volume)."""
    values: dict[str, float | None] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)
    """Of each feature without a value, why."""
    refusal: str | None = None
    detail: str | None = None


def volume_unit(datasets: Sequence[Dataset]) -> Unit | None:
    """The unit of a volume's values; None when the instances' units differ."""
    return series_unit(unit_facts(dataset) for dataset in datasets)


def response_unit(unit: Unit, settings: FeatureSettings) -> Unit:
    """The unit of the values that are measured: of a filter's responses only the mean has the image's."""
    chosen = settings.ibsi.filter
    return unit if chosen is None or isinstance(chosen, MeanFilter) else replace(unit, name=ARBITRARY)


def is_structure_set(dataset: Dataset) -> bool:
    return dataset.get("SOPClassUID") == RTStructureSetStorage


def regions_series(dataset: Dataset) -> tuple[str, ...]:
    """Series Instance UIDs of the images that a segmentation or structure set was drawn on, sorted."""
    return structure_series(dataset) if is_structure_set(dataset) else referenced_series(dataset)


def regions_instances(dataset: Dataset) -> frozenset[str]:
    """SOP Instance UIDs that its frames or contours name."""
    return structure_instances(dataset) if is_structure_set(dataset) else referenced_instances(dataset)


def iter_regions(dataset: Dataset, volume: Volume) -> Iterator[Segment]:
    """The regions of a segmentation or structure set on the volume's grid, one mask in memory at a time.

    Raises:
        RegionRefusedError: they cannot be put on the volume's grid for sure.
    """
    return iter_structures(dataset, volume) if is_structure_set(dataset) else iter_segments(dataset, volume)


def image_digest(volume: Volume) -> str:
    """24 hex digits of a volume's values and place."""
    place = (volume.array.shape, volume.spacing, volume.origin, volume.direction.tolist())
    digest = hashlib.sha256(repr(place).encode())
    digest.update(np.ascontiguousarray(volume.array).data)
    return digest.hexdigest()[:24]


def measure_regions(
    segments: Iterable[Segment], volume: Volume, unit: Unit, settings: FeatureSettings
) -> Iterator[Region]:
    """The features of ``segments`` in order. Intensities are those of the volume times ``unit.factor``.

    Raises:
        RegionRefusedError: as ``segments`` does while it is read.
    """
    image: NDArray[np.float32] | NDArray[np.float64] = volume.array
    if unit.factor != 1:
        image = volume.array.astype(np.float64) * unit.factor
    voxel_mm3 = volume.spacing[0] * volume.spacing[1] * volume.spacing[2]
    padding = volume.padding if volume.padding.any() else None
    for segment in segments:
        yield _measured(segment, image, padding, volume.spacing, voxel_mm3, settings)


def _measured(
    segment: Segment, image: NDArray[np.float32] | NDArray[np.float64], padding: NDArray[np.bool_] | None,
    spacing: tuple[float, float, float], voxel_mm3: float, settings: FeatureSettings,
) -> Region:  # fmt: skip
    marked = 0 if segment.mask is None else int(np.count_nonzero(segment.mask))
    padded = int(np.count_nonzero(segment.mask & padding)) if segment.mask is not None and padding is not None else 0
    voxels = marked - padded
    features: RegionFeatures | None = None
    refusal, detail = segment.refusal and segment.refusal.value, segment.detail
    if segment.mask is not None:
        if voxels < settings.min_voxels:
            refusal, detail = (
                FeatureRefusal.TOO_FEW_VOXELS.value,
                f"{voxels} voxels, {settings.min_voxels} are asked for",
            )
        else:
            features = compute(image, segment.mask, spacing_mm=spacing, settings=settings.ibsi, padding=padding)
            if features.refusal is not None:
                refusal, detail = features.refusal.value, features.detail or None
    found = () if features is None or features.refusal is not None else features.values
    return Region(
        number=segment.number,
        label=segment.label,
        category=segment.category,
        type=segment.type,
        anatomy=segment.anatomy,
        laterality=segment.laterality,
        algorithm=segment.algorithm,
        role=segment.role,
        tracking_id=segment.tracking_id,
        tracking_uid=segment.tracking_uid,
        flags=tuple(flag.value for flag in segment.flags),
        mask_digest=None if segment.mask is None else mask_digest(segment.mask),
        voxels=voxels,
        padding_voxels=padded,
        volume_mm3=voxels * voxel_mm3,
        values={value.column: value.value for value in found},
        undefined={value.column: value.refusal.value for value in found if value.refusal is not None},
        refusal=refusal,
        detail=detail,
    )
