"""Which groups of checks look at a series."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydicom.uid import (
    ParametricMapStorage,
    RTDoseStorage,
    SegmentationStorage,
)

from ingestion.accounting.manifest import ManifestInstance
from quality_checks.imaging.annotations import Annotations
from quality_checks.imaging.conformance import Conformance
from quality_checks.imaging.content import Content
from quality_checks.imaging.geometry import Geometry
from quality_checks.imaging.modality import Modality
from quality_checks.imaging.readable import Readable
from quality_checks.imaging.series import Group, SeriesContext

LABEL_MAPS = "1.2.840.10008.5.1.4.1.1.66.7"
"""Label Map Segmentation Storage (Supplement 243), which pydicom does not name yet."""
SEGMENTS = frozenset({SegmentationStorage, LABEL_MAPS})
NO_PICTURES = frozenset({SegmentationStorage, LABEL_MAPS, RTDoseStorage, ParametricMapStorage})
"""They have pixels that are no picture of a patient: constant, sparse or empty frames are nothing wrong there."""


def groups_for(context: SeriesContext, read: Callable[[ManifestInstance], bytes]) -> Sequence[Group]:
    """The groups beside integrity, in the order of their rules. ``read``: for samples of companions."""
    if context.sop_class in NO_PICTURES:
        return (Annotations(context), Conformance(context, read))
    return (
        Geometry(context), Readable(context), Content(context), Modality(context), Annotations(context),
        Conformance(context, read),
    )  # fmt: skip
