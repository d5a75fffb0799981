"""Each series has a tile: a picture that shows something, or words that say why there is none."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from defects.series import ct_series, mammogram, mr_series, pixels, segmentation, structure_set
from defects.shim import Stored, encoded
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from quality_checks.examination import Examination
from quality_checks.imaging.pictures import NoPicture
from quality_checks.model import QualityVerdict
from quality_checks.report_pictures import contact_sheet, pictures
from quality_checks.results import SeriesStatus
from tests.quality_checks.conftest import series_row


def examined(datasets: list[Dataset]) -> Examination:
    return Stored(encoded(datasets)).examine()


def picture(found: Examination) -> NDArray[np.uint8]:
    assert found.thumbnail is not None, found.no_picture
    return np.asarray(Image.open(BytesIO(base64.b64decode(found.thumbnail))).convert("L"))


def test_values_outside_the_usual_window_are_still_seen() -> None:
    """Phantoms and masks stored as CT hold 0 and 1: in a soft-tissue window they are one grey."""
    series = ct_series(slices=3)
    for dataset in series:
        mask = np.zeros((64, 64))
        mask[20:40, 20:40] = 1
        pixels(dataset, mask)
        dataset.RescaleIntercept = 0
    assert picture(examined(series)).std() > 20


def test_a_blank_middle_does_not_stand_for_the_series() -> None:
    series = mr_series(slices=7)
    pixels(series[3], np.zeros((64, 64)))
    assert picture(examined(series)).std() > 10


def test_a_segmentation_shows_its_fullest_frame() -> None:
    source = ct_series()
    made = segmentation(source)
    found = examined(made)
    assert picture(found).max() == 255 and found.no_picture is None


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        (lambda: structure_set(ct_series()), NoPicture.CONTOURS),
        (lambda: blank(mr_series(slices=3)), NoPicture.ONE_VALUE),
        (lambda: broken(ct_series(slices=3)), NoPicture.UNDECODABLE),
        (lambda: photographs(ct_series(slices=1)), NoPicture.PHOTOGRAPH),
    ],
)
def test_what_has_no_picture_says_why(datasets: object, words: NoPicture) -> None:
    found = examined(datasets())  # type: ignore[operator]
    assert (found.thumbnail, found.no_picture) == (None, words.value)


def test_every_series_has_a_tile() -> None:
    found = [examined(ct_series()), examined(structure_set(ct_series())), examined(mammogram())]
    rows = [
        series_row(number, patient=1, study=1, modality=modality)
        | {"SeriesInstanceUID": one.SeriesInstanceUID, "NumberOfFrames": 1}
        for number, (one, modality) in enumerate(zip(found, ("CT", "RTSTRUCT", "MG"), strict=True))
    ]
    verdict = QualityVerdict("S", (), {}, blocks=False)
    tiles = pictures(verdict, pd.DataFrame(rows), found)
    assert {one.modality: (one.png is None, one.note) for one in tiles} == {
        "CT": (False, ""), "MG": (False, ""), "RTSTRUCT": (True, NoPicture.CONTOURS.value),
    }  # fmt: skip
    assert contact_sheet(tiles) is not None
    assert contact_sheet([one for one in tiles if one.png is None]) is None
    assert SeriesStatus.PASSED.value in {one.status for one in tiles}


def blank(series: list[Dataset]) -> list[Dataset]:
    for dataset in series:
        dataset.PixelData = bytes(len(dataset.PixelData))
    return series


def broken(series: list[Dataset]) -> list[Dataset]:
    for dataset in series:
        dataset.compress("1.2.840.10008.1.2.5")
        dataset.PixelData = dataset.PixelData[:40] + bytes(len(dataset.PixelData) - 40)
    return series


def photographs(series: list[Dataset]) -> list[Dataset]:
    for dataset in series:
        dataset.Modality = "XC"
    return series
