"""dciodvfy judges every object of a series, at the cost of one call for each shape of header."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from defects.series import ct_series, pt_series
from defects.shim import Stored, encoded
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from ingestion.deidentify.conformance_check import INSTANCE_JUDGE, errors_of, judge_is_there
from ingestion.dicom.header_shape import Shapes
from quality_checks.examination import CheckOutcome
from quality_checks.imaging import conformance

needs_judge = pytest.mark.skipif(not judge_is_there(), reason="dicom3tools is not installed")


def outcome(datasets: list[Dataset], rule_id: str = conformance.STUMBLE.id) -> CheckOutcome:
    found = Stored(encoded(datasets)).examine()
    return next(one for one in found.outcomes if one.rule_id == rule_id)


def reread(dataset: Dataset) -> Dataset:
    """As the checks meet it: values not decoded yet."""
    return dcmread(BytesIO(encoded([dataset])[0]), stop_before_pixels=True)


@needs_judge
def test_one_bad_object_of_many_is_found_wherever_it_stands() -> None:
    series = pt_series(slices=9)
    del series[2].SeriesType
    found = outcome(series)
    assert (found.judged, found.failing) == (9, 1)
    assert found.faults[0].where == series[2].SOPInstanceUID


@needs_judge
def test_a_series_costs_one_call_for_each_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(files: tuple[Path, ...], judge: str) -> object:
        calls.append(judge)
        return errors_of(files, judge)

    monkeypatch.setattr(conformance, "errors_of", counted)
    assert outcome(ct_series(slices=12)).judged == 12
    assert calls == [INSTANCE_JUDGE]


@needs_judge
def test_shapes_beyond_the_most_are_not_counted_as_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conformance, "MOST_SHAPES", 2)
    series = ct_series(slices=6)
    for number, dataset in enumerate(series):
        dataset.ImageComments = "x" if number % 3 else None
        dataset.BodyPartExamined = ("CHEST", "ABDOMEN", "HEAD")[number % 3]
    assert outcome(series).judged == 4


def test_positions_and_uids_do_not_change_the_shape() -> None:
    shapes = Shapes()
    assert len({shapes.of(reread(dataset)) for dataset in ct_series(slices=5)}) == 1


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("RescaleSlope", None), ("Modality", "XX"), ("SliceThickness", None), ("SamplesPerPixel", 3)],
)
def test_what_a_definition_asks_for_changes_the_shape(keyword: str, value: object) -> None:
    one, other = ct_series(slices=2)
    setattr(other, keyword, value)
    shapes = Shapes()
    assert shapes.of(reread(one)) != shapes.of(reread(other))


def test_an_attribute_within_a_sequence_changes_the_shape() -> None:
    one, other = pt_series(slices=2)
    del other.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose
    shapes = Shapes()
    assert shapes.of(reread(one)) != shapes.of(reread(other))


@settings(max_examples=50, deadline=None)
@given(first=st.integers(-(10**6), 10**6), second=st.floats(-1e6, 1e6).map(lambda value: f"{value:.4f}"))
def test_numbers_that_are_numbers_have_one_shape(first: int, second: str) -> None:
    headers = []
    for whole, decimal in ((1, "2.0"), (first, second)):
        header = Dataset()
        header.InstanceNumber, header.SliceLocation = whole, decimal
        headers.append(header)
    # through bytes, so that the values are not decoded yet
    shapes = Shapes()
    assert len({shapes.of(plain(header)) for header in headers}) == 1


def test_a_number_that_is_none_changes_the_shape() -> None:
    shapes = Shapes()
    sound, broken = raw_number(b"12.5"), raw_number(b"12,5")
    assert shapes.of(sound) != shapes.of(broken)


def plain(header: Dataset) -> Dataset:
    out = BytesIO()
    header.save_as(out, implicit_vr=False, little_endian=True)
    return dcmread(BytesIO(out.getvalue()), force=True)


def raw_number(value: bytes) -> Dataset:
    """Slice Location with any bytes."""
    body = b"\x20\x00\x41\x10DS" + len(value).to_bytes(2, "little") + value
    return dcmread(BytesIO(body), force=True)
