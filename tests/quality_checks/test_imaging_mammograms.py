"""On which side of a mammogram the breast lies, against the header: on breasts of many shapes, and on real ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from defects.breasts import KINDS, dataset_of, made
from defects.shim import Stored, encoded
from pydicom.dataset import Dataset

from quality_checks.imaging.modality import SIDE

CORPUS = Path("/work/shared/corpus/fo-dicom/Tests/FO-DICOM.Tests/Test Data")
REAL = {"GH133.dcm": True, "OutOfBoundsOverlay.dcm": False}
"""Whether the side can be told: the second is a magnified detail with the chest wall below."""


def side(dataset: Dataset) -> tuple[int, int]:
    """How many images the rule judged, and how many it flags."""
    found = next(one for one in Stored(encoded([dataset])).examine().outcomes if one.rule_id == SIDE.id)
    return found.judged, found.failing


def measured(each: int) -> Counter[tuple[str, str]]:
    """By kind: good ones, those flagged (false alarms), mirrored ones, those found."""
    counts: Counter[tuple[str, str]] = Counter()
    for breast in made(each):
        counts[breast.kind, "good"] += 1
        counts[breast.kind, "false alarms"] += side(dataset_of(breast))[1]
        counts[breast.kind, "mirrored"] += 1
        counts[breast.kind, "found"] += side(dataset_of(breast, mirrored=True))[1]
    return counts


def test_mirrored_breasts_are_found_and_others_left_alone() -> None:
    counts = measured(2)
    for kind in KINDS:
        assert counts[kind, "false alarms"] == 0, kind
        assert counts[kind, "found"] == counts[kind, "mirrored"] == 4, kind


@pytest.mark.parametrize("name", REAL)
def test_real_mammograms(name: str) -> None:
    path = CORPUS / name
    if not path.is_file():
        pytest.skip("needs the corpus of real files")
    dataset = pydicom.dcmread(path)
    dataset.decompress()
    judged, flagged = side(dataset)
    assert (judged, flagged) == (int(REAL[name]), 0)
    dataset.PixelData = np.ascontiguousarray(dataset.pixel_array[..., ::-1]).tobytes()
    assert side(dataset)[1] == int(REAL[name])
