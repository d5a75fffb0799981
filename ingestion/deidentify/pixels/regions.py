"""Where an ultrasound image is image: the regions its header describes (PS3.3 section C.8.5.5)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from ingestion.deidentify.pixels.boxes import Box, mask_of

MAX_REGIONS = 64
"""Machines write one to five; more is no description of a screen."""
MAX_SHARE = 0.98
"""Regions that cover the whole screen say nothing about where the text is."""
_EDGES = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")


def ultrasound_regions(dataset: Dataset) -> tuple[Box, ...]:
    """The regions, every one of them valid; empty when there is none, or any makes no sense, or they cover all."""
    items = dataset.get("SequenceOfUltrasoundRegions") or ()
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if not 0 < len(items) <= MAX_REGIONS:
        return ()
    boxes = []
    for item in items:
        if not item.get("RegionSpatialFormat") or not item.get("RegionDataType"):
            continue  # 0, "none": a part of the screen that is no image (C.8.5.5.1.1, C.8.5.5.1.2); text stands there
        edges = [item.get(name) for name in _EDGES]
        if not all(isinstance(edge, int) for edge in edges):
            return ()
        left, top, right, bottom = (int(edge) for edge in edges)
        # The maximum is the last pixel of the region (C.8.5.5.1.1); some machines write the size, one too many.
        right, bottom = min(right + 1, columns), min(bottom + 1, rows)
        if not (0 <= left < right and 0 <= top < bottom):
            return ()
        boxes.append(Box(left, top, right - left, bottom - top))
    if not boxes:
        return ()
    covered = mask_of(boxes, rows=rows, columns=columns).mean()
    return tuple(boxes) if covered <= MAX_SHARE else ()
