"""The rules on segmentations and structure sets."""

from __future__ import annotations

from quality_checks.imaging.declare import imaging_rule
from quality_checks.model import Dimension

TELL = "Tell the data holder which images the annotation was drawn on is not clear; have both exported together."
REFERENCES = imaging_rule(
    "annotation_images_there",
    Dimension.INTEGRITY,
    title="The images that an annotation refers to are there",
    meaning="An outline without its images cannot be shown or measured.",
    fault="references to images that are not in the source",
    remedy="Have the images delivered, or look for them in the quarantine.",
)
SPACE = imaging_rule(
    "annotation_same_space",
    Dimension.CONSISTENCY,
    title="An annotation lies in the frame of reference of its images",
    meaning="In another frame of reference its positions mean nothing on the images.",
    fault="another frame of reference than that of the images",
    remedy=TELL,
)
GRID = imaging_rule(
    "seg_on_image_grid",
    Dimension.CONSISTENCY,
    title="A segmentation lies on the grid of its images",
    meaning="Masks of another size, spacing or orientation must be resampled before use; the features of regions are "
    "not computed on them.",
    fault="a grid that is not that of the images",
    remedy="Have the segmentation exported on the grid of its images.",
)
INSIDE = imaging_rule(
    "annotation_inside_image",
    Dimension.ACCURACY,
    title="An annotation lies within its images",
    meaning="What is outlined beyond the images was drawn on others, or is displaced.",
    fault="outlines or masks beyond the images",
    remedy=TELL,
)
NOT_EMPTY = imaging_rule(
    "annotation_not_empty",
    Dimension.COMPLETENESS,
    title="Every segment and region has an extent",
    meaning="A named region without a pixel or a contour is counted and shows nothing.",
    fault="segments or regions without extent",
    remedy="Have the region drawn, or removed from the list.",
)
CODED = imaging_rule(
    "annotation_labelled",
    Dimension.COMPLETENESS,
    title="Every segment is coded, every region named",
    meaning="Segments are searched for by coded category and type (PS3.3 section C.8.20.2), regions by name.",
    fault="segments without codes or regions without name",
    remedy="Have category and type coded, or the regions named, at the source.",
)
CLOSED = imaging_rule(
    "rtstruct_contours_closed",
    Dimension.VALIDITY,
    title="Contours are closed and have all their points",
    meaning="An open outline, or one of fewer than three points, encloses nothing.",
    fault="contours that are open or lack points",
    remedy="Have the region drawn as closed planar contours.",
)
ON_SLICES = imaging_rule(
    "rtstruct_contours_on_slices",
    Dimension.ACCURACY,
    title="Contours lie flat on slices of the images",
    meaning="A contour between slices or askew was drawn on other images, or was resampled.",
    fault="contours that lie on no slice",
    remedy=TELL,
)
RULES = (REFERENCES, SPACE, GRID, INSIDE, NOT_EMPTY, CODED, CLOSED, ON_SLICES)
