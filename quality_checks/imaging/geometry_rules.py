"""The rules on where the images of a series lie."""

from __future__ import annotations

from quality_checks.imaging.declare import imaging_rule
from quality_checks.model import Dimension

COMPARE = "Compare the series with the archive; have it exported again where images are lost or mixed up."
PLACED = imaging_rule(
    "geometry_placed",
    Dimension.COMPLETENESS,
    title="Every slice has a position and an orientation",
    meaning="A slice of CT, MR or PET without its place cannot be part of a volume (PS3.3 section C.7.6.2).",
    fault="slices without a position or orientation",
    remedy="Have the series exported again with ImagePositionPatient and ImageOrientationPatient.",
)
AXES = imaging_rule(
    "geometry_axes_orthonormal",
    Dimension.VALIDITY,
    title="The axes of each image are two perpendicular unit vectors",
    meaning="Other direction cosines put every pixel at a wrong place.",
    fault="direction cosines that are no two perpendicular unit vectors",
    remedy="Have ImageOrientationPatient corrected from the archive.",
)
ORIENTATION = imaging_rule(
    "geometry_one_orientation",
    Dimension.CONSISTENCY,
    title="Slices of one series have one orientation",
    meaning="Slices in several directions make no volume; localizers and rotating projections are allowed to.",
    fault="slices in several orientations",
    remedy="Compare the series with the archive: a single slice of another orientation has a wrong "
    "ImageOrientationPatient or belongs to another series. Have true orientations exported as series of their own.",
    version="2",
)
LOCALIZER = imaging_rule(
    "geometry_no_localizer_inside",
    Dimension.CONSISTENCY,
    title="No localizer lies among the slices",
    meaning="A scout image in a stack is read as a slice, and shifts all others.",
    fault="a localizer among slices",
    remedy="Have the localizer moved to a series of its own.",
    version="2",
)
GRID = imaging_rule(
    "geometry_one_grid",
    Dimension.CONSISTENCY,
    title="Slices of one series have one size and pixel spacing",
    meaning="Slices of several sizes cannot be stacked.",
    fault="slices of several sizes or pixel spacings",
    remedy="Have the reconstructions exported as series of their own.",
)
SPACE = imaging_rule(
    "geometry_one_frame_of_reference",
    Dimension.CONSISTENCY,
    title="A series lies in one frame of reference",
    meaning="Positions in several frames of reference cannot be compared.",
    fault="several frames of reference",
    remedy="Have the acquisitions exported as series of their own.",
)
TWICE = imaging_rule(
    "geometry_no_image_twice",
    Dimension.UNIQUENESS,
    title="No image is in the series twice",
    meaning="The same pixels at the same position under two UIDs count one measurement twice.",
    fault="images that are there twice",
    remedy="Withdraw the repeated images at the source.",
)
EXPLAINED = imaging_rule(
    "geometry_volumes_told_apart",
    Dimension.CONSISTENCY,
    title="Images at one position are told apart",
    meaning="Different images at one position that no b-value, echo, phase or time tells apart are two series mixed "
    "up, or lost their positions or attributes. InstanceNumber alone does not tell which.",
    fault="different images at one position that nothing tells apart but InstanceNumber",
    remedy="Have the series exported again with its positions and acquisition attributes, or split.",
    version="2",
)
GAPS = imaging_rule(
    "geometry_no_gaps",
    Dimension.INTEGRITY,
    title="No position is left out of the stack",
    meaning="A gap of whole steps is an image lost in the export. Slabs of MR that are numbered without a gap are "
    "none.",
    fault="positions left out",
    remedy=COMPARE,
)
STEPS = imaging_rule(
    "geometry_steps_regular",
    Dimension.CONSISTENCY,
    title="Slices lie at regular distances",
    meaning="Steps that differ by over 1 % place structures wrongly in whatever takes the series for a regular volume.",
    fault="slices at irregular distances",
    remedy="Expected of stacks of several slabs; otherwise " + COMPARE[:1].lower() + COMPARE[1:],
)
SHEAR = imaging_rule(
    "geometry_stacked_along_normal",
    Dimension.CONSISTENCY,
    title="Slices are stacked along their normal",
    meaning="A tilted gantry shears the volume: tools that take it for upright are wrong by centimetres.",
    fault="slices that are not stacked along their normal (gantry tilt)",
    remedy="Nothing is wrong with the images: resample the volume before use.",
    warns=False,
)
ORDER = imaging_rule(
    "geometry_numbered_in_order",
    Dimension.CONSISTENCY,
    title="InstanceNumber follows the positions",
    meaning="Tools that sort by InstanceNumber mix up these slices.",
    fault="slices numbered out of the order of their positions",
    remedy="Sort by position; nothing else is wrong with the images.",
    warns=False,
)
STATED = imaging_rule(
    "geometry_step_as_stated",
    Dimension.ACCURACY,
    title="SpacingBetweenSlices is the distance between positions",
    meaning="Tools that read the attribute get volumes and lengths wrong by its error.",
    fault="a SpacingBetweenSlices that positions contradict",
    remedy="Trust the positions; have the attribute corrected at the source.",
)
COUNT = imaging_rule(
    "geometry_count_as_announced",
    Dimension.COMPLETENESS,
    title="The series holds as many images as it announces",
    meaning="ImagesInAcquisition, NumberOfSlices and NumberOfTemporalPositions say how many were made.",
    fault="fewer images than announced",
    remedy=COMPARE,
)
FRAMES = imaging_rule(
    "geometry_frames_described",
    Dimension.COMPLETENESS,
    title="Every frame of an enhanced object is described",
    meaning="A frame without its functional groups has no place and no meaning (PS3.3 section C.7.6.16).",
    fault="frames without functional groups, or with the same dimension index",
    remedy="Have the object exported again.",
)
RULES = (
    PLACED, AXES, ORIENTATION, LOCALIZER, GRID, SPACE, TWICE, EXPLAINED, GAPS, STEPS, SHEAR, ORDER, STATED, COUNT,
    FRAMES,
)  # fmt: skip
