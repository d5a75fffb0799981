"""Where the slices of a series lie, from positions and orientations alone.

Distances are measured between slice positions projected on the common normal (PS3.3, C.7.6.2.1.1: Image Position and
Image Orientation (Patient)); Slice Thickness and Spacing Between Slices are not used, since they describe the
acquisition and are often wrong about the distance. Lengths are in mm.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median_low
from typing import Any

from ingestion.dicom.stacks import Vector, split_by_attributes, stacked_positions

STEP_TOLERANCE_MM = 0.01
"""Positions are text with two decimals on some scanners: two of them differ by this much without meaning it."""
STEP_TOLERANCE_SHARE = 0.01
"""A step off by more than 1 % of the median step misplaces structures visibly over a volume."""
ORIENTATION_TOLERANCE = 1e-4
"""Difference of a cosine between slices of one volume: 0.05 mm over a field of view of 500 mm."""
UNIT_TOLERANCE = 1e-3
"""How far direction cosines may be from orthonormal: they are written with as few as three decimals."""
DRIFT_PIXELS = 0.5
"""From the first to the last slice the stack may lean by half a pixel: then no voxel is off its place."""
MAIN_AXIS_COSINE = 0.9
"""A normal within 26 degrees of a body axis takes that axis's name, as radiologists name tilted brain scans."""
SPACING_TOLERANCE_SHARE = 1e-4
"""Pixel spacings are the same if they place the far edge of 1,000 pixels within a tenth of a pixel."""
MAX_LENGTH_MM = 1e6
"""No position is a kilometre away: such a number is a defect, and its square must not overflow."""

PROJECTION_MODALITIES = frozenset({"CR", "DX", "MG", "PX", "IO", "RF", "XA", "US", "ES", "GM", "SM", "XC", "OP"})
"""Modalities whose images have no place in the patient's coordinates by definition."""


class GeometryKind(StrEnum):
    """``VOLUME``: at least two parallel slices; ``VOLUMES``: several, told apart by an attribute."""

    VOLUME = "volume"
    VOLUMES = "volumes"
    SINGLE_SLICE = "single_slice"
    PROJECTION = "projection"
    MULTI_FRAME = "multi_frame"
    MIXED_ORIENTATION = "mixed_orientation"
    NO_POSITIONS = "no_positions"
    NOT_IMAGE = "not_image"


class Orientation(StrEnum):
    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"
    OBLIQUE = "oblique"


class GeometryProblem(StrEnum):
    """What keeps the slices from being one right volume, causes before what may follow from them."""

    MOSAIC = "mosaic"
    NO_POSITIONS = "no_positions"
    POSITIONS_INCOMPLETE = "positions_incomplete"
    INVALID_ORIENTATION = "invalid_orientation"
    MIXED_ORIENTATION = "mixed_orientation"
    NO_PIXEL_SPACING = "no_pixel_spacing"
    PIXEL_SPACING_VARIES = "pixel_spacing_varies"
    SIZE_VARIES = "size_varies"
    DUPLICATE_POSITIONS = "duplicate_positions"
    MISSING_SLICES = "missing_slices"
    IRREGULAR_STEPS = "irregular_steps"
    NOT_PARALLEL_TO_NORMAL = "not_parallel_to_normal"
    FRAMES_UNKNOWN = "frames_unknown"


@dataclass(frozen=True, slots=True)
class SeriesGeometry:
    """The geometry of a series; lengths in mm, vectors in the patient's coordinates (LPS)."""

    kind: GeometryKind
    slices: int = 0
    """Instances that have a position and an orientation."""
    volumes: int = 0
    """Stacks of slices: 1, or more where an attribute (``split_by``) tells several apart."""
    split_by: tuple[str, ...] = ()
    normal: Vector | None = None
    row_spacing: float | None = None
    """Distance between the centres of adjacent rows."""
    column_spacing: float | None = None
    spacing_between_slices: float | None = None
    """Median step between positions; None with fewer than two distinct positions."""
    missing_slices: int = 0
    """Positions left out in gaps that are whole multiples of the median step."""
    duplicate_positions: int = 0
    """Instances at a position that another instance of the same volume holds already."""
    irregular: bool = False
    """Some step is neither the median step nor a multiple of it."""
    orientation: Orientation | None = None
    coverage_mm: float | None = None
    """From the centre of the first slice to that of the last."""
    problems: tuple[GeometryProblem, ...] = ()
    """In the order of ``GeometryProblem``; none: nothing is wrong."""

    @property
    def regular_volume(self) -> bool:
        """Whether all slices make up one volume on a regular grid."""
        return self.kind is GeometryKind.VOLUME and not self.problems

    @property
    def spacing(self) -> tuple[float | None, float | None, float | None]:
        """Between slices, rows and columns."""
        return self.spacing_between_slices, self.row_spacing, self.column_spacing


@dataclass(slots=True)
class _Found:
    """What is gathered over the stacks of a series."""

    steps: list[float] = field(default_factory=list)
    missing: int = 0
    duplicates: int = 0
    irregular: bool = False
    coverage: float = 0.0
    problems: set[GeometryProblem] = field(default_factory=set)


def geometry_of(instances: Sequence[Mapping[str, Any]], *, modality: str | None = None) -> SeriesGeometry:
    """The geometry of a series from the attributes of its instances, in any order.

    Args:
        instances: per instance the values of ``ingestion.dicom.summary.INSTANCE_KEYWORDS`` that it has.
        modality: of the series; tells a projection image from a slice that lacks its position.
    """
    if not any(item.get("Rows") and item.get("Columns") for item in instances):
        return SeriesGeometry(GeometryKind.NOT_IMAGE)
    row_spacing, column_spacing = _pixel_spacing(instances)
    problems = _plane_problems(instances)
    if any((_number(item.get("NumberOfFrames")) or 1) > 1 for item in instances):
        kind, problems = GeometryKind.MULTI_FRAME, problems | {GeometryProblem.FRAMES_UNKNOWN}
        return _bare(kind, row_spacing, column_spacing, problems - {GeometryProblem.NO_PIXEL_SPACING})
    placed = [item for item in instances if _vector(item, "ImagePositionPatient", 3) and _cosines(item)]
    # In one order whatever order they come in: a tolerance is measured from the first.
    placed.sort(key=lambda item: (_cosines(item) or (), _vector(item, "ImagePositionPatient", 3) or ()))
    if not placed:
        if modality in PROJECTION_MODALITIES:
            # Nor need the images of a projection series be of one size.
            return _bare(GeometryKind.PROJECTION, row_spacing, column_spacing, set())
        return _bare(GeometryKind.NO_POSITIONS, row_spacing, column_spacing, problems | {GeometryProblem.NO_POSITIONS})
    if len(placed) < len(instances):
        problems.add(GeometryProblem.POSITIONS_INCOMPLETE)
    cosines = [_cosines(item) or () for item in placed]
    if any(abs(a - b) > ORIENTATION_TOLERANCE for other in cosines for a, b in zip(cosines[0], other, strict=True)):
        problems.add(GeometryProblem.MIXED_ORIENTATION)
        return _bare(GeometryKind.MIXED_ORIENTATION, row_spacing, column_spacing, problems, slices=len(placed))
    normal = _normal(cosines[0])
    if normal is None:
        problems.add(GeometryProblem.INVALID_ORIENTATION)
        return _bare(GeometryKind.NO_POSITIONS, row_spacing, column_spacing, problems, slices=len(placed))
    stacks, split_by = split_by_attributes(placed, normal, same_mm=STEP_TOLERANCE_MM)
    found = _Found(problems=problems)
    drift_limit = DRIFT_PIXELS * min(row_spacing or math.inf, column_spacing or math.inf)
    for stack in stacks:
        _examine(stack, normal, drift_limit, found)
    return SeriesGeometry(
        kind=_kind(len(placed), len(stacks)),
        slices=len(placed),
        volumes=len(stacks),
        split_by=split_by,
        normal=normal,
        row_spacing=row_spacing,
        column_spacing=column_spacing,
        spacing_between_slices=median_low(found.steps) if found.steps else None,
        missing_slices=found.missing,
        duplicate_positions=found.duplicates,
        irregular=found.irregular,
        orientation=orientation_of(normal),
        coverage_mm=found.coverage,
        problems=_in_order(found.problems),
    )


def _bare(
    kind: GeometryKind,
    row_spacing: float | None,
    column_spacing: float | None,
    problems: set[GeometryProblem],
    *,
    slices: int = 0,
) -> SeriesGeometry:
    return SeriesGeometry(
        kind,
        slices=slices,
        row_spacing=row_spacing,
        column_spacing=column_spacing,
        problems=_in_order(problems),
    )


def _in_order(problems: set[GeometryProblem]) -> tuple[GeometryProblem, ...]:
    return tuple(problem for problem in GeometryProblem if problem in problems)


def _kind(slices: int, stacks: int) -> GeometryKind:
    if slices == 1:
        return GeometryKind.SINGLE_SLICE
    return GeometryKind.VOLUME if stacks == 1 else GeometryKind.VOLUMES


def _examine(stack: Sequence[Mapping[str, Any]], normal: Vector, drift_limit: float, found: _Found) -> None:
    """Add what one stack of parallel slices shows to ``found``."""
    places = stacked_positions(stack, normal)
    distinct = [places[0]]
    for place in places[1:]:
        if place.depth - distinct[-1].depth > STEP_TOLERANCE_MM:
            distinct.append(place)
            continue
        found.duplicates += 1
        found.problems.add(GeometryProblem.DUPLICATE_POSITIONS)
        if place.aside(distinct[-1]) > STEP_TOLERANCE_MM:
            found.problems.add(GeometryProblem.NOT_PARALLEL_TO_NORMAL)
    if len(distinct) < 2:
        return
    steps = [after.depth - before.depth for before, after in itertools.pairwise(distinct)]
    typical = median_low(steps)  # the lower of two: of the steps 2 and 4 the larger is a gap
    tolerance = max(STEP_TOLERANCE_MM, STEP_TOLERANCE_SHARE * typical)
    for before, after, step in zip(distinct, distinct[1:], steps, strict=False):
        if after.aside(before) > max(STEP_TOLERANCE_MM, STEP_TOLERANCE_SHARE * step):
            found.problems.add(GeometryProblem.NOT_PARALLEL_TO_NORMAL)
        multiple = round(step / typical)
        if multiple < 1 or abs(step - multiple * typical) > tolerance:
            found.irregular = True
            found.problems.add(GeometryProblem.IRREGULAR_STEPS)
        elif multiple > 1:
            found.missing += multiple - 1
            found.problems.add(GeometryProblem.MISSING_SLICES)
    if distinct[-1].aside(distinct[0]) > drift_limit:
        found.problems.add(GeometryProblem.NOT_PARALLEL_TO_NORMAL)
    found.steps += steps
    found.coverage = max(found.coverage, distinct[-1].depth - distinct[0].depth)


def _plane_problems(instances: Sequence[Mapping[str, Any]]) -> set[GeometryProblem]:
    problems: set[GeometryProblem] = set()
    if any("MOSAIC" in (item.get("ImageType") or ()) for item in instances):
        problems.add(GeometryProblem.MOSAIC)  # sheets of slices (Siemens), whose places stand in a private header
    if len({(item.get("Rows"), item.get("Columns")) for item in instances}) > 1:
        problems.add(GeometryProblem.SIZE_VARIES)
    spacings = [_vector(item, "PixelSpacing", 2) for item in instances]
    known = [spacing for spacing in spacings if spacing is not None and min(spacing) > 0]
    if len(known) < len(instances):
        problems.add(GeometryProblem.NO_PIXEL_SPACING)
    if any(max(values) - min(values) > SPACING_TOLERANCE_SHARE * max(values) for values in zip(*known, strict=True)):
        problems.add(GeometryProblem.PIXEL_SPACING_VARIES)
    return problems


def _pixel_spacing(instances: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """Row and column spacing of most instances."""
    spacings = Counter(
        spacing for item in instances if (spacing := _vector(item, "PixelSpacing", 2)) and min(spacing) > 0
    )
    if not spacings:
        return None, None
    # The smaller of equally frequent ones, so that the order of the instances does not matter.
    row, column = min(spacings, key=lambda spacing: (-spacings[spacing], spacing))
    return row, column


def _normal(cosines: Sequence[float]) -> Vector | None:
    """Unit normal of a plane; None when the cosines are not two perpendicular unit vectors."""
    r, c = cosines[:3], cosines[3:]
    lengths = math.hypot(*r), math.hypot(*c)
    product = sum(a * b for a, b in zip(r, c, strict=True))
    if max(abs(length - 1) for length in lengths) > UNIT_TOLERANCE or abs(product) > UNIT_TOLERANCE:
        return None
    cross = (r[1] * c[2] - r[2] * c[1], r[2] * c[0] - r[0] * c[2], r[0] * c[1] - r[1] * c[0])
    length = math.hypot(*cross)
    return cross[0] / length, cross[1] / length, cross[2] / length


def orientation_of(normal: Vector) -> Orientation:
    """The body axis that a slice's unit normal lies along."""
    names = (Orientation.SAGITTAL, Orientation.CORONAL, Orientation.AXIAL)
    size, name = max(zip((abs(value) for value in normal), names, strict=True))
    return name if size >= MAIN_AXIS_COSINE else Orientation.OBLIQUE


def _cosines(item: Mapping[str, Any]) -> tuple[float, ...] | None:
    return _vector(item, "ImageOrientationPatient", 6)


def _vector(item: Mapping[str, Any], keyword: str, length: int) -> tuple[float, ...] | None:
    """The numbers of an attribute; None unless there are ``length`` finite ones."""
    value = item.get(keyword)
    if not isinstance(value, (list, tuple)) or len(value) != length:
        return None
    numbers = [_number(part) for part in value]
    if any(number is None for number in numbers):
        return None
    return tuple(number for number in numbers if number is not None)


def _number(value: Any) -> float | None:
    """``value`` as a number of sensible size; text is taken for a number where it is one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) <= MAX_LENGTH_MM else None
