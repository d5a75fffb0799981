"""Segmentations of other tools, beside highdicom's own reading of them."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread

from ingestion.dicom.quiet import silence_readers
from ingestion.dicom.region import RegionFlag
from ingestion.dicom.segmentation import read_segments
from ingestion.dicom.volume import read_volume

PAIRS = {
    "23x38x3": ("23x38x3/image", "23x38x3/seg/label.seg"),
    "24x38x3": ("24x38x3/image", "24x38x3/seg/label.seg"),
    "24x38x3-multiframe": ("24x38x3/multiframe", "24x38x3/seg/label.seg"),
    "liver": ("ct-3slice", "liver.dcm"),
    "partial-overlaps": ("ct-3slice", "partial_overlaps.dcm"),
    "label-map": ("24x38x3/image", "sparse-labelmap-noppv.dcm"),
    "label-map-padding": ("24x38x3/image", "sparse-labelmap-ppv5.dcm"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_segments_are_those_that_highdicom_reads(shared: Path, name: str) -> None:
    silence_readers()
    folder = shared / "corpus" / "dcmqi" / "data" / "segmentations"
    images, mask = (folder / part for part in PAIRS[name])
    volume = read_volume([dcmread(path) for path in sorted(images.iterdir())])
    seg = dcmread(mask)
    segments = [segment for segment in read_segments(seg, volume) if segment.number]
    reference = hd.seg.Segmentation.from_dataset(seg)
    numbers = [number for number in reference.segment_numbers if number]
    assert [segment.number for segment in segments] == numbers
    assert any(segment.mask is not None for segment in segments)
    for segment in segments:
        found = reference.get_volume(
            segment_numbers=[segment.number], combine_segments=True, relabel=True, allow_missing_positions=True
        )
        expected = _on_grid_of(volume, found)
        mine = np.zeros(volume.array.shape, dtype=bool) if segment.mask is None else segment.mask
        assert np.array_equal(mine, expected)
        assert RegionFlag.RESAMPLED not in segment.flags


def _on_grid_of(volume: object, found: hd.Volume) -> np.ndarray:
    """Each marked voxel of highdicom's volume at its place in ours, by coordinates."""
    mask = np.zeros(volume.array.shape, dtype=bool)
    marked = np.argwhere(found.array > 0)
    if len(marked):
        world = found.map_indices_to_reference(marked)
        there = (world - np.array(volume.origin)) @ volume.direction.T / np.array(volume.spacing)
        index = np.round(there).astype(int)
        assert np.abs(there - index).max() < 0.01
        mask[tuple(index.T)] = True
    return mask
