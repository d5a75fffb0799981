"""A series as one volume on a regular grid: right, or refused with a named reason, never silently wrong.

Slices are ordered and spaced by their positions projected on the normal, never by Slice Thickness or Instance Number;
each is rescaled by its own slope and intercept; padding is masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ingestion.dicom.frames import Frame, frame_count, frames_of
from ingestion.dicom.geometry import STEP_TOLERANCE_MM, GeometryKind, SeriesGeometry, geometry_of
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.memory import float32_array
from ingestion.dicom.stacks import split_by_attributes, stacked_positions
from ingestion.dicom.values import VolumeRefusal, VolumeRefusedError, stored_frames

MAX_VOXELS = 512 * 512 * 2048
"""A whole-body CT. As float32 with its mask 2.7 GB, what a worker of a small machine can hold."""

__all__ = ["MAX_VOXELS", "Volume", "VolumeRefusal", "VolumeRefusedError", "read_volume", "read_volumes"]


@dataclass(frozen=True, slots=True)
class Volume:
    """Voxel (k, j, i) lies at ``origin + k·spacing[0]·direction[0] + j·spacing[1]·direction[1] + …`` (LPS, mm)."""

    array: NDArray[np.float32]
    """(slice, row, column), in the units of the rescale."""
    padding: NDArray[np.bool_]
    """True where the scanner filled in, of the array's shape: such voxels measure nothing."""
    spacing: tuple[float, float, float]
    """Between slices, rows, columns."""
    origin: tuple[float, float, float]
    """Centre of voxel (0, 0, 0)."""
    direction: NDArray[np.float64]
    """(3, 3): row n is the unit vector along array axis n."""
    sop_instance_uids: tuple[str, ...]
    """Of each slice, the instance it comes from."""
    frame_of_reference: str | None
    rescale_type: str | None
    """Rescale Type as the header says; None: it says none."""


def read_volume(datasets: Sequence[Dataset]) -> Volume:
    """The volume that the instances of one series make up, in whatever order they come.

    Raises:
        VolumeRefusedError: they do not make up one regular volume, or a value would be a guess.
    """
    try:
        frames = _frames(datasets)
        return _volume(datasets, frames, geometry_of([frame.attributes for frame in frames]))
    except PARSER_ERRORS as error:
        raise VolumeRefusedError(VolumeRefusal.MALFORMED, detail=type(error).__name__) from None


def read_volumes(datasets: Sequence[Dataset]) -> list[Volume]:
    """All volumes of a series that holds several (echoes, b-values, time points), in the order of what differs.

    Raises:
        VolumeRefusedError: one of them is not a regular volume, or a value would be a guess.
    """
    try:
        frames = _frames(datasets)
        geometry = geometry_of([frame.attributes for frame in frames])
        if geometry.kind is not GeometryKind.VOLUMES or geometry.normal is None:
            return [_volume(datasets, frames, geometry)]
        numbered = [{**frame.attributes, "_frame": number} for number, frame in enumerate(frames)]
        stacks, _ = split_by_attributes(numbered, geometry.normal, same_mm=STEP_TOLERANCE_MM)
        parts = [[frames[item["_frame"]] for item in stack] for stack in stacks]
        return [_volume(datasets, part, geometry_of([frame.attributes for frame in part])) for part in parts]
    except PARSER_ERRORS as error:
        raise VolumeRefusedError(VolumeRefusal.MALFORMED, detail=type(error).__name__) from None


def _frames(datasets: Sequence[Dataset]) -> list[Frame]:
    """The frames of all instances, after what holds for the series as a whole was checked."""
    if not datasets:
        raise VolumeRefusedError(VolumeRefusal.NO_INSTANCES, detail="no instance was given")
    if len({str(dataset.get("SeriesInstanceUID", "")) for dataset in datasets}) > 1:
        raise VolumeRefusedError(VolumeRefusal.SEVERAL_SERIES, detail="instances of several series")
    frames_of_reference = {str(dataset.get("FrameOfReferenceUID") or "") for dataset in datasets}
    if len(frames_of_reference) > 1:
        raise VolumeRefusedError(
            VolumeRefusal.FRAME_OF_REFERENCE_VARIES, detail=f"{len(frames_of_reference)} frames of reference"
        )
    voxels = sum(frame_count(d) * (d.get("Rows") or 0) * (d.get("Columns") or 0) for d in datasets)
    if voxels > MAX_VOXELS:
        raise VolumeRefusedError(VolumeRefusal.TOO_LARGE, detail=f"{voxels} voxels, at most {MAX_VOXELS} are read")
    return [frame for number, dataset in enumerate(datasets) for frame in frames_of(dataset, instance=number)]


def _volume(datasets: Sequence[Dataset], frames: Sequence[Frame], geometry: SeriesGeometry) -> Volume:
    """The volume of frames that make up one, or a refusal by their ``geometry``."""
    _check(geometry)
    types = {frame.rescale.type for frame in frames}
    if len(types) > 1 or len({frame.rescale.declared for frame in frames}) > 1:
        raise VolumeRefusedError(VolumeRefusal.UNITS_VARY, detail="slices are rescaled to different units")
    assert geometry.normal is not None
    places = stacked_positions([frame.attributes for frame in frames], geometry.normal)
    ordered = [frames[place.index] for place in places]
    array, padding = _fill(datasets, ordered)
    cosines = [float(value) for value in ordered[0].attributes["ImageOrientationPatient"]]
    row_spacing, column_spacing = (float(value) for value in ordered[0].attributes["PixelSpacing"])
    return Volume(
        array=array,
        padding=padding,
        # The mean step: no slice is off its place by more than the tolerance of one step.
        spacing=((places[-1].depth - places[0].depth) / (len(places) - 1), row_spacing, column_spacing),
        origin=places[0].position,
        direction=np.array([geometry.normal, cosines[3:], cosines[:3]], dtype=np.float64),
        sop_instance_uids=tuple(str(datasets[frame.instance].get("SOPInstanceUID", "")) for frame in ordered),
        frame_of_reference=str(datasets[0].get("FrameOfReferenceUID") or "") or None,
        rescale_type=types.pop(),
    )


def _check(geometry: SeriesGeometry) -> None:
    """Refuse what is not one regular volume, by the first problem that the geometry names."""
    if geometry.kind is GeometryKind.NOT_IMAGE:
        raise VolumeRefusedError(VolumeRefusal.NO_PIXELS, detail="the instances are no images")
    if geometry.problems:
        names = ", ".join(geometry.problems)
        raise VolumeRefusedError(VolumeRefusal(geometry.problems[0].value), detail=f"the geometry shows: {names}")
    if geometry.kind is GeometryKind.VOLUMES:
        raise VolumeRefusedError(
            VolumeRefusal.SEVERAL_VOLUMES,
            detail=f"{geometry.volumes} volumes that differ in {', '.join(geometry.split_by)}; give one",
        )
    if geometry.kind is not GeometryKind.VOLUME:
        raise VolumeRefusedError(VolumeRefusal.SINGLE_SLICE, detail="one slice: the distance to the next is not known")


def _fill(datasets: Sequence[Dataset], ordered: Sequence[Frame]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Decode each instance once and put its frames in their places."""
    wanted = {(frame.instance, frame.index): (k, frame) for k, frame in enumerate(ordered)}
    shape = (len(ordered), int(datasets[0].Rows), int(datasets[0].Columns))
    array, padding = float32_array(shape), np.zeros(shape, dtype=np.bool_)
    filled = 0
    for number in sorted({frame.instance for frame in ordered}):
        described, decoded = frame_count(datasets[number]), 0
        for index, pixels in enumerate(stored_frames(datasets[number])):
            decoded += 1
            if (number, index) not in wanted:
                continue  # of another volume of the series
            k, frame = wanted[number, index]
            frame.rescale.apply(pixels.stored, out=array[k])
            if pixels.padding is not None:
                padding[k] = pixels.padding
            filled += 1
        if decoded != described:
            raise VolumeRefusedError(VolumeRefusal.PIXELS_UNREADABLE, detail=f"{decoded} of {described} frames decoded")
    if filled != len(ordered):
        raise VolumeRefusedError(VolumeRefusal.PIXELS_UNREADABLE, detail=f"{filled} of {len(ordered)} frames decoded")
    return array, padding
