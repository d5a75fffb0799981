"""On which side of a mammogram the breast lies, against the header: on breasts of many shapes, and on real ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from defects import views
from defects.breasts import KINDS, dataset_of, made
from defects.shim import Stored, encoded
from pydicom.dataset import Dataset

from quality_checks.imaging.modality import SHOWN, SIDE

CORPUS = Path("corpus/fo-dicom/Tests/FO-DICOM.Tests/Test Data")
"""Below the folder of reference data."""
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
def test_real_mammograms(shared: Path, name: str) -> None:
    path = shared / CORPUS / name
    if not path.is_file():
        pytest.skip("needs the corpus of real files")
    dataset = pydicom.dcmread(path)
    dataset.decompress()
    judged, flagged = side(dataset)
    assert (judged, flagged) == (int(REAL[name]), 0)
    dataset.PixelData = np.ascontiguousarray(dataset.pixel_array[..., ::-1]).tobytes()
    assert side(dataset)[1] == int(REAL[name])


def shown(dataset: Dataset) -> tuple[int, int]:
    """How many images the rule on the view judged, and how many it flags."""
    found = next(one for one in Stored(encoded([dataset])).examine().outcomes if one.rule_id == SHOWN.id)
    return found.judged, found.failing


def test_the_view_is_read_from_the_picture() -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for breast in views.made(1):
        other = {"CC": "MLO", "MLO": "CC"}[breast.view]
        judged, flagged = shown(views.dataset_of(breast))
        counts[breast.view, "judged"] += judged
        counts[breast.view, "false alarms"] += flagged
        counts[breast.view, "found"] += shown(views.dataset_of(breast, said=other))[1]
    for view in ("CC", "MLO"):
        assert counts[view, "false alarms"] == 0, view
        # a breast that shows neither a muscle nor an empty corner is not judged; what is judged is judged right
        assert counts[view, "found"] == counts[view, "judged"] >= 8, (view, counts)


def test_a_detail_and_a_breast_with_implant_are_not_judged() -> None:
    breast = next(one for one in views.made(1) if one.view == "MLO")
    for keyword in ("PartialView", "BreastImplantPresent"):
        dataset = views.dataset_of(breast, said="CC")
        assert shown(dataset) == (1, 1)
        setattr(dataset, keyword, "YES")
        assert shown(dataset) == (0, 0)


def test_a_breast_upside_down_is_judged_where_the_orientation_says_so() -> None:
    dataset = views.dataset_of(next(one for one in views.made(1) if one.view == "MLO" and not one.inverted))
    dataset.PixelData = np.ascontiguousarray(dataset.pixel_array[::-1]).tobytes()
    dataset.PatientOrientation = [dataset.PatientOrientation[0], "HL"]
    assert shown(dataset) == (1, 0)


def test_the_view_of_a_real_mammogram(shared: Path) -> None:
    path = shared / CORPUS / "GH133.dcm"
    if not path.is_file():
        pytest.skip("needs the corpus of real files")
    dataset = pydicom.dcmread(path)
    assert shown(dataset) == (1, 0)
    dataset.ViewPosition = "CC"
    dataset.ViewCodeSequence = None
    assert shown(dataset) == (1, 1)
