"""The features of files on disk, without any service: a DICOM series or a NIfTI image, with or without regions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import RTStructureSetStorage

from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.images import ImageReader
from ingestion.dicom.other_grid import OwnGrid
from ingestion.dicom.region import RegionFlag, RegionRefusal, RegionRefusedError, Segment
from ingestion.dicom.segmentation import CLASSES
from ingestion.dicom.volume import Volume, read_volume
from ingestion.features.intensity import intensity_statistics
from ingestion.features.nifti import NiftiError, is_nifti, read_nifti
from ingestion.features.provenance import files_digest, provenance
from ingestion.features.refusal import FeatureRefusal, FeatureRefusedError
from ingestion.features.regions import (
    Region,
    image_digest,
    iter_regions,
    measure_regions,
    regions_series,
    response_unit,
    volume_unit,
)
from ingestion.features.series_measures import SeriesMeasures, measure_series
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import region_record
from ingestion.features.units import ARBITRARY, Unit
from ingestion.features.value_counts import ValueCounts

GRID_TOLERANCE_MM = 0.01
"""NIfTI keeps positions as 32-bit floats."""
MARKS = CLASSES | {RTStructureSetStorage}
MAX_LABELS = 10_000
"""More labels than any atlas has: above, the file is an image, not a mask."""

EXACT_LABEL = 2**24
"""From here on not every whole number is a float32 of its own: two labels could become one."""


class InputError(ValueError):
    """What was given cannot be used; the message names the file, the rule and the remedy."""


@dataclass(frozen=True, slots=True)
class LocalFeatures:
    """Either the measures of the whole image, or of the regions that a mask brings; in ``unit``."""

    unit: Unit
    whole: SeriesMeasures | None
    regions: tuple[Region, ...]
    settings: FeatureSettings
    image_digest: str | None = None
    images: tuple[Dataset, ...] = ()
    """Of DICOM regions, the image's instances; and in ``marks`` what marked them, with its regions."""
    marks: tuple[tuple[Dataset, tuple[Region, ...]], ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """One row per region, or one for the whole image, each with what it was computed from and by."""
        origin = {"ImageDigest": self.image_digest, **provenance(self.settings)}
        named: dict[str, Any] = {"Unit": self.unit.name, "SuvRefusal": self.unit.suv_refusal}
        if self.whole is not None:
            share = {"Pixels": self.whole.pixels, "PaddingShare": self.whole.padding_share}
            measures = {**self.whole.values, "QualityReason": self.whole.quality_reason, **self.whole.exposure}
            return [{"Region": "whole image", **named, **share, **measures, **origin}]
        rows = []
        named["ResponseMap"] = self.settings.ibsi.response_map
        for region in self.regions:
            record = region_record(asdict(region))
            undefined = record.pop("Undefined")
            rows.append(
                {
                    "Region": f"{region.number} {region.label or ''}".strip(),
                    **named,
                    "Reason": region.refusal,
                    "Detail": region.detail,
                    **record,
                    "Undefined": ",".join(f"{name}:{reason}" for name, reason in sorted(undefined.items())) or None,
                    **origin,
                }
            )
        return rows


def measure_files(image: Path, mask: Path | None, settings: FeatureSettings) -> LocalFeatures:
    """The features of ``image`` (a DICOM file or folder, or NIfTI), in the regions of ``mask``.

    ``mask``: a segmentation or structure set for a DICOM image, or NIfTI labels for any image.

    Raises:
        InputError: a file is missing, of the wrong kind, or does not fit the other.
        VolumeRefusedError, RegionRefusedError, FeatureRefusedError: measuring would be a guess.
    """
    for path in (image, mask):
        if path is not None and not path.exists():
            raise InputError(f"{path} does not exist")
    if mask is None and settings.ibsi.filter is not None:
        raise InputError(f"{image}: a filter is applied to regions; give a MASK, or leave the filter out")
    if is_nifti(image):
        volume, unit = _nifti(image), Unit(ARBITRARY)
        if mask is None:
            counts = ValueCounts.of(volume.array)
            whole = SeriesMeasures(unit, volume.array.size, 0.0, intensity_statistics(counts))
            return LocalFeatures(unit, whole, (), settings, image_digest(volume))
        if not is_nifti(mask):
            raise InputError(f"{mask}: the mask of a NIfTI image must be NIfTI, with one label per region")
        segments = _nifti_segments(mask, volume)
    else:
        datasets = _series(image)
        if mask is None:
            measured = measure_series(datasets, settings, frames_expected=len(datasets))
            return LocalFeatures(measured.unit, measured, (), settings, _files_digest(datasets))
        found = volume_unit(datasets)
        if found is None:
            raise FeatureRefusedError(FeatureRefusal.UNITS_VARY, detail="several units in the image series")
        volume, unit = read_volume(datasets), found
        if not is_nifti(mask):
            return _dicom_regions(mask, volume, unit, datasets, settings)
        segments = _nifti_segments(mask, volume)
    regions = tuple(measure_regions(segments, volume, unit, settings))
    if not regions:
        raise InputError(f"{mask}: marks no region; give a mask with at least one")
    return LocalFeatures(response_unit(unit, settings), None, regions, settings, image_digest(volume))


def _nifti(path: Path) -> Volume:
    try:
        return read_nifti(path)
    except NiftiError as error:
        raise InputError(str(error)) from None


def _files(path: Path) -> list[Path]:
    return sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]


def _read(paths: Iterable[Path], reader: Callable[[Path], Dataset] = dcmread) -> Iterator[Dataset]:
    for path in paths:
        try:
            yield reader(path)
        except InvalidDicomError:
            continue  # folders of deliveries hold text files and thumbnails too
        except (OSError, *PARSER_ERRORS) as error:  # OSError: pydicom's word for a sequence that is cut off
            raise InputError(f"{path}: not readable as DICOM ({type(error).__name__}); export it again") from None


def _series(path: Path) -> list[Dataset]:
    """The instances of the only image series at ``path``."""
    found = _read(_files(path), ImageReader().from_file)
    images = [dataset for dataset in found if dataset.get("Rows") and dataset.get("SOPClassUID") not in MARKS]
    number = len({dataset.get("SeriesInstanceUID") for dataset in images})
    if number != 1:
        raise InputError(f"{path}: holds {number} image series, exactly one is measured; give the folder of one series")
    return images


def _files_digest(datasets: Iterable[Dataset]) -> str:
    digests = []
    for dataset in datasets:
        with Path(dataset.filename).open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return files_digest(digests)


def _dicom_regions(
    mask: Path, volume: Volume, unit: Unit, datasets: list[Dataset], settings: FeatureSettings
) -> LocalFeatures:
    marks = [dataset for dataset in _read(_files(mask)) if dataset.get("SOPClassUID") in MARKS]
    if not marks:
        raise InputError(
            f"{mask}: holds no DICOM Segmentation and no RT Structure Set; give one of them, or NIfTI labels"
        )
    own = str(datasets[0].get("SeriesInstanceUID", ""))
    measured = []
    for dataset in marks:
        names = regions_series(dataset)
        if names and own not in names:
            raise InputError(f"{mask}: was drawn on another series than the image; give the image that it names")
        measured.append((dataset, tuple(measure_regions(iter_regions(dataset, volume), volume, unit, settings))))
    regions = tuple(region for _, found in measured for region in found)
    if not regions:
        raise InputError(f"{mask}: describes no region; give a mask with at least one")
    digest = image_digest(volume)
    shown = response_unit(unit, settings)
    return LocalFeatures(shown, None, regions, settings, digest, tuple(datasets), tuple(measured))


def _nifti_segments(path: Path, volume: Volume) -> Iterator[Segment]:
    """One segment for each label above 0, by number; on another grid than the image's it is resampled."""
    labels = _nifti(path)
    if not np.array_equal(labels.array, np.round(labels.array)) or labels.array.min() < 0:
        raise InputError(f"{path}: labels must be whole numbers, 0 for outside")
    if labels.array.max() >= EXACT_LABEL:
        raise InputError(f"{path}: holds labels of {EXACT_LABEL} and more, which float32 does not tell apart; renumber")
    numbers = [int(value) for value in np.unique(labels.array) if value > 0]
    if not numbers or len(numbers) > MAX_LABELS:
        raise InputError(f"{path}: holds {len(numbers)} labels above 0; give a mask with one label per region")
    same = labels.array.shape == volume.array.shape and all(
        np.allclose(a, b, rtol=0, atol=GRID_TOLERANCE_MM)
        for a, b in (
            (labels.spacing, volume.spacing),
            (labels.origin, volume.origin),
            (labels.direction, volume.direction),
        )
    )
    grid = OwnGrid((), labels.array.shape[0], labels.spacing, np.array(labels.origin), labels.direction)
    for number in numbers:
        own = labels.array == number
        if same:
            yield Segment(number, None, None, None, own)
            continue
        try:
            resampled = grid.resampled(own.astype(np.uint8), volume)
        except RegionRefusedError as refused:
            yield Segment(number, None, None, None, None, refusal=refused.reason, detail=refused.detail)
        else:
            yield Segment(number, None, None, None, resampled, flags=(RegionFlag.RESAMPLED,))


__all__ = ["InputError", "LocalFeatures", "RegionRefusal", "measure_files"]
