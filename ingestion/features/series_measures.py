"""What is measured of a whole series, one instance in memory at a time: intensities, body, noise, sharpness, dose.

MR magnitude images are the exception: their quality measures need the whole image, which is kept while it is read.
Dear measures look at some frames only, chosen by a hash of their UID: the same ones in whatever order they come.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ingestion.dicom.frames import Frame, frame_count, frames_of
from ingestion.dicom.geometry import GeometryKind, GeometryProblem, SeriesGeometry, geometry_of
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.luma import is_colour, luma_frames
from ingestion.dicom.stacks import stacked_positions
from ingestion.dicom.summary import INSTANCE_KEYWORDS, summarise
from ingestion.dicom.values import Rescale, StoredFrame, VolumeRefusedError, rescale_of, stored_frames
from ingestion.features.body import AIR_HU, STRIDE, body_mask, coarse, otsu
from ingestion.features.exposure import Exposure
from ingestion.features.intensity import intensity_statistics, variance
from ingestion.features.mr_quality import COLUMNS as MR_COLUMNS
from ingestion.features.mr_quality import ge_image_type, is_magnitude, mr_quality
from ingestion.features.noise import LocalNoise
from ingestion.features.refusal import FeatureRefusal, FeatureRefusedError
from ingestion.features.settings import FeatureSettings
from ingestion.features.sharpness import blur_effect
from ingestion.features.units import HU, LUMA, Unit, UnitFacts, series_unit, unit_facts
from ingestion.features.value_counts import ValueCounts

NOISE_FRAMES, BLUR_FRAMES = 64, 16
"""Frames of a series that noise and blur are taken from, about: more change them by less than they vary."""
MR_PIXELS = 64 * 1024 * 1024
"""Most pixels of an MR series that is kept whole (256 MB); larger ones have no quality measures, and say so."""
DIGITS = 9
"""Significant digits kept of measures whose sums depend, in the last bits, on the processor."""
WITH_BODY = frozenset({"CT", "MR", "MG"})

QUALITY = ("BodyShare", "BodyVolumeMl", "NoiseLevelHU", "BlurEffect", "ClippedLowShare", "ClippedHighShare",
           *MR_COLUMNS)  # fmt: skip
"""Columns of the measures made here."""


@dataclass(frozen=True, slots=True)
class SeriesMeasures:
    """``values`` by column name, in ``unit`` where they have one. ``pixels`` counts padding too."""

    unit: Unit
    pixels: int
    padding_share: float
    values: dict[str, float | None]
    exposure: dict[str, float] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    """Irradiation Event UIDs, sorted."""
    quality_reason: str | None = None
    """Why MR quality measures are missing."""
    geometry: SeriesGeometry | None = None
    """Of multi-frame objects, whose frames a manifest does not describe."""


@dataclass(slots=True)
class _Gathered:
    """What is gathered over the instances of a series."""

    settings: FeatureSettings
    frames_expected: int
    counts: list[ValueCounts] = field(default_factory=list)
    facts: list[UnitFacts] = field(default_factory=list)
    pixels: int = 0
    clipped: list[int] = field(default_factory=lambda: [0, 0])
    limited: bool = False
    """Whether some instance's header says between which values pixels are stored."""
    places: list[dict[str, Any]] = field(default_factory=list)
    coarse: list[NDArray[np.float32]] = field(default_factory=list)
    whole: list[NDArray[np.float32]] = field(default_factory=list)
    blur: list[float] = field(default_factory=list)
    noise: LocalNoise = field(default_factory=LocalNoise)
    exposure: Exposure = field(default_factory=Exposure)
    modality: str = ""
    magnitude: bool = True
    multi_frame: bool = False
    inverted: bool = False

    def chosen(self, uid: str, index: int, wanted: int) -> bool:
        every = max(1, round(self.frames_expected / wanted))
        return zlib.crc32(f"{uid}.{index}".encode()) % every == 0


def measure_series(
    datasets: Iterable[Dataset], settings: FeatureSettings, *, frames_expected: int = 1
) -> SeriesMeasures:
    """The measures of a series. ``datasets`` is read once; ``frames_expected``: about how many frames will come.

    Raises:
        VolumeRefusedError: some instance's values cannot be known for right.
        FeatureRefusedError: all is padding, or the instances' units differ.
    """
    found = _Gathered(settings, frames_expected)
    for dataset in datasets:
        try:
            _add(found, dataset)
        except PARSER_ERRORS as error:
            raise FeatureRefusedError(FeatureRefusal.MALFORMED, detail=type(error).__name__) from None
    unit = series_unit(found.facts)
    if unit is None:
        raise FeatureRefusedError(FeatureRefusal.UNITS_VARY, detail="several units in one series")
    counts = ValueCounts.merged(found.counts)
    if counts.total == 0:
        raise FeatureRefusedError(FeatureRefusal.ALL_PADDING, detail=f"all of {found.pixels} pixels are padding")
    if unit.factor != 1:
        counts = counts.mapped(lambda values: values * unit.factor)
    geometry = geometry_of(found.places, modality=found.modality)
    quality, reason = _quality(found, unit, geometry)
    return SeriesMeasures(
        unit=unit,
        pixels=found.pixels,
        padding_share=(found.pixels - counts.total) / found.pixels,
        values={
            **whole_statistics(counts, settings),
            **{name: None if value is None else _rounded(value) for name, value in quality.items()},
        },
        exposure={name: _rounded(value) for name, value in found.exposure.values.items()},
        events=tuple(sorted(found.exposure.events)),
        quality_reason=reason,
        geometry=geometry if found.multi_frame else None,
    )


def frames_expected(attributes: Mapping[str, Any]) -> int:
    """Frames of an instance, as its attributes say."""
    number = attributes.get("NumberOfFrames")
    return number if isinstance(number, int) and number > 0 else 1


def whole_statistics(counts: ValueCounts, settings: FeatureSettings) -> dict[str, float | None]:
    """The intensities of a whole image: IBSI's 18 statistics, standard deviation, and the percentiles chosen."""
    return {
        **intensity_statistics(counts),
        "StandardDeviation": math.sqrt(variance(counts)),
        **{f"Percentile{percent}": counts.percentile(percent) for percent in settings.percentiles},
    }


def _add(found: _Gathered, dataset: Dataset) -> None:
    found.modality = str(dataset.get("Modality") or "")
    uid = str(dataset.get("SOPInstanceUID", ""))
    found.exposure.add(dataset)
    if found.modality == "US" and is_colour(dataset):
        found.facts.append(Unit(LUMA))
        found.places.append(summarise(dataset, INSTANCE_KEYWORDS))
        for index, luma in enumerate(luma_frames(dataset)):
            _add_frame(found, StoredFrame(luma, None), Rescale(), uid, index, None)
        return
    found.facts.append(unit_facts(dataset))
    found.inverted = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    found.magnitude &= is_magnitude(
        dataset.get("ImageType"), dataset.get("ComplexImageComponent"), ge_image_type(dataset)
    )
    described = _described(dataset)
    found.multi_frame |= frame_count(dataset) > 1 and len(described) > 1
    limits = _limits(dataset)
    for index, pixels in enumerate(stored_frames(dataset)):
        frame = described[index if len(described) > 1 else 0]
        if len(described) > 1 or index == 0:
            found.places.append(frame.attributes)
        if limits is not None:
            found.limited = True
            for side, limit in enumerate(limits):
                found.clipped[side] += int(np.count_nonzero(pixels.measured == limit))
        _add_frame(found, pixels, frame.rescale, uid, index, frame)


def _add_frame(
    found: _Gathered, pixels: StoredFrame, rescale: Rescale, uid: str, index: int, frame: Frame | None
) -> None:
    found.pixels += pixels.stored.size
    found.counts.append(ValueCounts.of(pixels.measured).mapped(rescale.apply))
    keep = found.modality == "MR" and found.magnitude and found.pixels <= MR_PIXELS
    for_noise = found.modality == "CT" and found.chosen(uid, index, NOISE_FRAMES)
    for_blur = found.chosen(uid, index, BLUR_FRAMES)
    if found.modality in WITH_BODY:
        taken = coarse(pixels.stored, pixels.padding)  # of stored values, rescaled: NaN stays NaN
        found.coarse.append((taken * rescale.slope + rescale.intercept).astype(np.float32))
    if not (keep or for_noise or for_blur):
        return
    values = rescale.apply(pixels.stored)
    if keep:
        found.whole.append(values)
    if for_noise:
        spacing = None if frame is None else frame.attributes.get("PixelSpacing")
        if isinstance(spacing, list) and len(spacing) == 2:
            found.noise.add(values, pixels.padding, (float(spacing[0]), float(spacing[1])))
    if for_blur:
        blur = blur_effect(values)
        found.blur += [] if blur is None else [blur]


def _described(dataset: Dataset) -> list[Frame]:
    """What the header says of each frame; a single one where all frames share it."""
    if frame_count(dataset) > 1 and not dataset.get("PerFrameFunctionalGroupsSequence"):
        # Statistics need no positions, so an old-style multi-frame object is measured too.
        rescale = rescale_of(dataset, modality=str(dataset.get("Modality", "")))
        return [Frame(0, 0, summarise(dataset, INSTANCE_KEYWORDS), rescale)]
    frames = list(frames_of(dataset, instance=0))
    if len({(frame.rescale.type, frame.rescale.declared) for frame in frames}) > 1:
        raise FeatureRefusedError(FeatureRefusal.UNITS_VARY, detail="frames are rescaled to different units")
    return frames


def _limits(dataset: Dataset) -> tuple[int, int] | None:
    """The lowest and highest value that an instance can store."""
    bits, signed = dataset.get("BitsStored"), dataset.get("PixelRepresentation")
    if "PixelData" not in dataset or not isinstance(bits, int) or not 1 <= bits <= 32:
        return None
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed == 1 else (0, 2**bits - 1)


def _quality(
    found: _Gathered, unit: Unit, geometry: SeriesGeometry
) -> tuple[dict[str, float | None], str | None]:  # fmt: skip
    measured = found.pixels or 1
    values: dict[str, float | None] = {
        "ClippedLowShare": found.clipped[0] / measured if found.limited else None,
        "ClippedHighShare": found.clipped[1] / measured if found.limited else None,
        "BlurEffect": sorted(found.blur)[len(found.blur) // 2] if found.blur else None,
        "NoiseLevelHU": found.noise.level if unit.name == HU else None,
    }
    values |= _body(found, unit, geometry)
    if found.modality != "MR":
        return values, None
    reason = _mr_reason(found, geometry)
    return values | (
        mr_quality(np.stack(list(_in_order(found.whole, found, geometry)))) if reason is None else {}
    ), reason


def _mr_reason(found: _Gathered, geometry: SeriesGeometry) -> str | None:
    """Why an MR series has no quality measures; None: it has."""
    if not found.magnitude:
        return "not_magnitude"
    if found.pixels > MR_PIXELS:
        return "too_large"
    one = geometry.kind is GeometryKind.SINGLE_SLICE and len(found.whole) == 1
    if not one and (not geometry.regular_volume or len({values.shape for values in found.whole}) > 1):
        return "no_single_volume"
    return "negative_values" if any(float(values.min()) < 0 for values in found.whole) else None


def _body(found: _Gathered, unit: Unit, geometry: SeriesGeometry) -> dict[str, float | None]:
    """Share of all pixels that is body; its volume where the slices are one regular volume."""
    if (
        not found.coarse
        or GeometryProblem.MOSAIC in geometry.problems
        or len({plane.shape for plane in found.coarse}) > 1
    ):
        return {}
    stack = np.stack(list(_in_order(found.coarse, found, geometry)))
    known = np.isfinite(stack)
    if found.inverted:
        stack = -stack
    threshold = AIR_HU if unit.name == HU else otsu(stack[known]) if known.any() else None
    if threshold is None:
        return {}
    if geometry.regular_volume:
        inside = body_mask(stack, threshold)
    else:
        inside = np.concatenate([body_mask(plane[None], threshold) for plane in stack])
    voxels = int(inside.sum())
    if voxels == 0:
        return {}
    share = voxels / stack.size
    spacing = geometry.spacing
    if not geometry.regular_volume or any(step is None for step in spacing):
        return {"BodyShare": share}
    return {"BodyShare": share, "BodyVolumeMl": voxels * STRIDE**2 * math.prod(step or 0 for step in spacing) / 1000}


def _in_order(
    planes: list[NDArray[np.float32]], found: _Gathered, geometry: SeriesGeometry
) -> Iterator[NDArray[np.float32]]:
    """Planes in order along the normal where they are one volume; else as they came."""
    if not geometry.regular_volume or geometry.normal is None:
        return iter(planes)
    return (planes[place.index] for place in stacked_positions(found.places, geometry.normal))


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


__all__ = ["QUALITY", "SeriesMeasures", "VolumeRefusedError", "measure_series"]
