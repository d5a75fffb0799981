"""What a manifest tells of a data set: the values that pydicom gives, in the order of the keywords."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from ingestion.dicom.quiet import silence_readers
from ingestion.dicom.summary import INSTANCE_KEYWORDS, SERIES_KEYWORDS, json_value, summarise


def by_keyword(dataset: Dataset, keywords: tuple[str, ...]) -> dict[str, object]:
    found = {}
    for keyword in keywords:
        try:
            value = json_value(dataset.get(keyword))
        except (ValueError, TypeError, OverflowError, NotImplementedError):
            continue
        if value is not None:
            found[keyword] = value
    return found


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm", "rtplan.dcm", "liver_1frame.dcm"]
)
def test_a_summary_holds_what_each_keyword_gives(name: str) -> None:
    silence_readers()
    file = get_testdata_file(name, download=False)
    assert file is not None and Path(str(file)).exists()
    for keywords in (SERIES_KEYWORDS, INSTANCE_KEYWORDS, ("NoSuchKeyword", "PatientName", "PixelData", "Rows")):
        dataset = pydicom.dcmread(str(file))
        found = summarise(dataset, keywords)
        assert list(found.items()) == list(by_keyword(dataset, keywords).items())
        assert "PixelData" not in found


def test_text_is_bounded_and_empty_text_is_absent() -> None:
    dataset = Dataset()
    dataset.StudyDescription, dataset.SeriesDescription = "x" * 1000, "  "
    assert summarise(dataset, ("StudyDescription", "SeriesDescription")) == {"StudyDescription": "x" * 256}
