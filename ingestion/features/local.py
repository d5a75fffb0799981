"""The features of files on disk, without any service: a DICOM series or a NIfTI image, with or without regions."""

from __future__ import annotations

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
from ingestion.dicom.refused import RefusedError
from ingestion.dicom.region import RegionFlag, RegionRefusal, RegionRefusedError, Segment
from ingestion.dicom.segmentation import CLASSES
from ingestion.dicom.values import VolumeRefusedError
from ingestion.dicom.volume import Volume, read_volume
from ingestion.features.local_whole import WholeImage, dicom_series, nifti_image
from ingestion.features.nifti import NiftiError, is_nifti, read_nifti
from ingestion.features.provenance import provenance
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
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import region_record
from ingestion.features.undefined import undefined_text
from ingestion.features.units import ARBITRARY, Unit

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
    """The measures of the whole image, or of the regions that a mask brings; in ``unit``."""

    unit: Unit | None
    """None where nothing was measured."""
    whole: WholeImage | None
    regions: tuple[Region, ...]
    settings: FeatureSettings
    image_digest: str | None = None
    images: tuple[Dataset, ...] = ()
    """Of DICOM regions, the image's instances; and in ``marks`` what marked them, with its regions."""
    marks: tuple[tuple[Dataset, tuple[Region, ...]], ...] = ()
    refusal: RefusedError[Any] | None = None
    """Why the image was not measured, or none of its regions."""

    def rows(self) -> list[dict[str, Any]]:
        """One row per region, or one for the whole image, each with what it was computed from and by.

        What was refused as a whole has a row too, with the reason.
        """
        if self.whole is not None:
            return [{"Region": "whole image", **self.whole.row}]
        unit = self.unit
        origin = {"ImageDigest": self.image_digest, **provenance(self.settings)}
        named: dict[str, Any] = {
            "Unit": None if unit is None else unit.name,
            "SuvRefusal": None if unit is None else unit.suv_refusal,
            "ResponseMap": self.settings.ibsi.response_map,
        }
        if self.refusal is not None:
            return [{"Region": "all regions", **named, **_outcome(self.refusal.reason, self.refusal.detail), **origin}]
        rows = []
        for region in self.regions:
            record = region_record(asdict(region))
            undefined = record.pop("Undefined")
            rows.append(
                {
                    "Region": f"{region.number} {region.label or ''}".strip(),
                    **named,
                    **_outcome(region.refusal, region.detail),
                    **record,
                    "Undefined": undefined_text(undefined),
                    **origin,
                }
            )
        return rows


def _outcome(reason: str | None, detail: str | None) -> dict[str, Any]:
    return {"Status": "measured" if reason is None else "refused", "Reason": reason, "Detail": detail}


def measure_files(image: Path, mask: Path | None, settings: FeatureSettings) -> LocalFeatures:
    """The features of ``image`` (a DICOM file or folder, or NIfTI), in the regions of ``mask``.

    ``mask``: a segmentation or structure set for a DICOM image, or NIfTI labels for any image. Where measuring would be
    a guess the result says why (``refusal``).

    Raises:
        InputError: a file is missing, of the wrong kind, or does not fit the other.
    """
    for path in (image, mask):
        if path is not None and not path.exists():
            raise InputError(f"{path} does not exist")
    if mask is None:
        if settings.ibsi.filter is not None:
            raise InputError(f"{image}: a filter is applied to regions; give a MASK, or leave the filter out")
        whole = nifti_image(_nifti(image), settings) if is_nifti(image) else dicom_series(_series(image), settings)
        return LocalFeatures(whole.unit, whole, (), settings, refusal=whole.refusal)
    try:
        return _regions(image, mask, settings)
    except (VolumeRefusedError, RegionRefusedError, FeatureRefusedError) as refusal:
        return LocalFeatures(None, None, (), settings, refusal=refusal)


def _regions(image: Path, mask: Path, settings: FeatureSettings) -> LocalFeatures:
    if is_nifti(image):
        volume, unit = _nifti(image), Unit(ARBITRARY)
        if not is_nifti(mask):
            raise InputError(f"{mask}: the mask of a NIfTI image must be NIfTI, with one label per region")
        segments = _nifti_segments(mask, volume)
    else:
        datasets = _series(image)
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
