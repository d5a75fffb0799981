"""The features of files on disk, without any service: a DICOM series or a NIfTI image, with or without a mask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import SegmentationStorage

from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.volume import Volume, read_volume
from ingestion.features.intensity import intensity_statistics
from ingestion.features.refusal import FeatureRefusal, FeatureRefusedError
from ingestion.features.regions import Region, measure_regions, volume_unit
from ingestion.features.series_measures import SeriesMeasures, measure_series
from ingestion.features.settings import FeatureSettings
from ingestion.features.units import ARBITRARY, Unit
from ingestion.features.value_counts import ValueCounts

NIFTI_SUFFIXES = (".nii", ".nii.gz")
GRID_TOLERANCE_MM = 0.01
"""NIfTI keeps positions as 32-bit floats."""


class InputError(ValueError):
    """What was given cannot be used; the message names the file, the rule and the remedy."""


@dataclass(frozen=True, slots=True)
class LocalFeatures:
    """Either the measures of the whole image, or of the regions that a mask brings; in ``unit``."""

    unit: Unit
    whole: SeriesMeasures | None
    regions: tuple[Region, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row per region, or one for the whole image."""
        if self.whole is not None:
            share = {"Pixels": self.whole.pixels, "PaddingShare": self.whole.padding_share}
            return [{"Region": "whole image", "Unit": self.unit.name, **share, **self.whole.values}]
        return [
            {
                "Region": f"{region.number} {region.label or ''}".strip(),
                "Unit": self.unit.name,
                "Reason": region.refusal,
                "Voxels": region.voxels,
                "VolumeMm3": region.volume_mm3,
                **region.values,
            }
            for region in self.regions
        ]


def measure_files(image: Path, mask: Path | None, settings: FeatureSettings) -> LocalFeatures:
    """The features of ``image`` (a DICOM file or folder, or NIfTI), in the regions of ``mask`` (SEG or NIfTI labels).

    Raises:
        InputError: a file is missing, of the wrong kind, or does not fit the other.
        VolumeRefusedError, RegionRefusedError, FeatureRefusedError: measuring would be a guess.
    """
    for path in (image, mask):
        if path is not None and not path.exists():
            raise InputError(f"{path} does not exist")
    if _is_nifti(image):
        return _measure_nifti(image, mask, settings)
    datasets = _series(image)
    if mask is None:
        whole = measure_series(datasets, settings)
        return LocalFeatures(whole.unit, whole, ())
    if _is_nifti(mask):
        raise InputError(
            f"{mask}: a DICOM image needs a DICOM SEG mask, since axes differ; give both as NIfTI, or a SEG"
        )
    segmentations = [dataset for dataset in _read(_files(mask)) if dataset.get("SOPClassUID") == SegmentationStorage]
    if not segmentations:
        raise InputError(f"{mask}: holds no DICOM Segmentation; the mask of a DICOM image must be a SEG")
    volume, unit = read_volume(datasets), volume_unit(datasets)
    if unit is None:
        raise FeatureRefusedError(FeatureRefusal.UNITS_VARY, detail="several units in the image series")
    regions = [region for seg in segmentations for region in measure_regions(seg, volume, unit, settings)]
    return LocalFeatures(unit, None, tuple(regions))


def _is_nifti(path: Path) -> bool:
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def _files(path: Path) -> list[Path]:
    return sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]


def _read(paths: Iterable[Path]) -> Iterable[Dataset]:
    for path in paths:
        try:
            yield dcmread(path)
        except InvalidDicomError:
            continue  # folders of deliveries hold text files and thumbnails too
        except PARSER_ERRORS as error:
            raise InputError(f"{path}: not readable as DICOM ({type(error).__name__}); export it again") from None


def _series(path: Path) -> list[Dataset]:
    """The instances of the only image series at ``path``."""
    images = [
        dataset
        for dataset in _read(_files(path))
        if dataset.get("Rows") and dataset.get("SOPClassUID") != SegmentationStorage
    ]
    number = len({dataset.get("SeriesInstanceUID") for dataset in images})
    if number != 1:
        raise InputError(f"{path}: holds {number} image series, exactly one is measured; give the folder of one series")
    return images


def _measure_nifti(image: Path, mask: Path | None, settings: FeatureSettings) -> LocalFeatures:
    volume, unit = _nifti_volume(image), Unit(ARBITRARY)
    if mask is None:
        counts = ValueCounts.of(volume.array)
        whole = SeriesMeasures(unit, volume.array.size, 0.0, intensity_statistics(counts))
        return LocalFeatures(unit, whole, ())
    if not _is_nifti(mask):
        raise InputError(f"{mask}: the mask of a NIfTI image must be NIfTI, with one label per region")
    labels = _nifti_volume(mask)
    same = labels.array.shape == volume.array.shape and all(
        np.allclose(a, b, rtol=0, atol=GRID_TOLERANCE_MM)
        for a, b in (
            (labels.spacing, volume.spacing),
            (labels.origin, volume.origin),
            (labels.direction, volume.direction),
        )
    )
    if not same:
        raise InputError(f"{mask}: not on the grid of the image; masks are not resampled: draw it on this image")
    if not np.array_equal(labels.array, np.round(labels.array)):
        raise InputError(f"{mask}: labels must be whole numbers, 0 for outside")
    voxel_mm3 = float(np.prod(volume.spacing))
    regions = []
    for number in (int(value) for value in np.unique(labels.array) if value > 0):
        counts = ValueCounts.of(volume.array[labels.array == number])
        enough = counts.total >= settings.min_voxels
        regions.append(
            Region(
                number=number,
                label=None,
                category=None,
                type=None,
                voxels=counts.total,
                padding_voxels=0,
                volume_mm3=counts.total * voxel_mm3,
                values=intensity_statistics(counts) if enough else {},
                refusal=None if enough else FeatureRefusal.TOO_FEW_VOXELS,
            )
        )
    return LocalFeatures(unit, None, tuple(regions))


def _nifti_volume(path: Path) -> Volume:
    import SimpleITK

    try:
        read = SimpleITK.ReadImage(str(path), imageIO="NiftiImageIO")
    except RuntimeError:
        raise InputError(f"{path}: not readable as NIfTI; check the file") from None
    if read.GetDimension() != 3 or read.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{path}: not one three-dimensional grey image; give a single volume")
    array = SimpleITK.GetArrayFromImage(read).astype(np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"{path}: holds values that are not finite; replace them by a value outside the regions")
    axes = np.array(read.GetDirection()).reshape(3, 3).T
    column, row, between = read.GetSpacing()
    x, y, z = read.GetOrigin()
    return Volume(
        array=array,
        padding=np.zeros(array.shape, dtype=np.bool_),
        spacing=(between, row, column),
        origin=(x, y, z),
        direction=axes[::-1],
        sop_instance_uids=(),
        frame_of_reference=None,
        rescale_type=None,
    )
