"""One way to say that a series or a segmentation was not measured, and why."""

from __future__ import annotations

from enum import StrEnum

from ingestion.dicom.refused import RefusedError


class FeatureRefusal(StrEnum):
    """Reasons beside those of volumes (``VolumeRefusal``) and segmentations (``RegionRefusal``)."""

    OBJECT_MISSING = "object_missing"  # the store has lost an object that a manifest names
    OBJECT_CHANGED = "object_changed"  # the object's bytes are not those of the manifest
    MALFORMED = "malformed"
    ALL_PADDING = "all_padding"
    UNITS_VARY = "units_vary"
    NO_REFERENCE = "no_reference"  # a segmentation that names no image series
    SEVERAL_IMAGES = "several_images"
    IMAGE_MISSING = "image_missing"  # the image series is not stored for this patient
    NO_REGIONS = "no_regions"
    TOO_FEW_VOXELS = "too_few_voxels"
    CRASHED = "crashed"  # measuring it ended the worker process


TRANSIENT = frozenset({FeatureRefusal.OBJECT_MISSING, FeatureRefusal.OBJECT_CHANGED, FeatureRefusal.CRASHED})
"""Refusals that say nothing of the series itself: not stored, so that the next run tries again."""


class FeatureRefusedError(RefusedError[FeatureRefusal]):
    """A series or a segmentation that was not measured."""
