from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from ingestion.catalogue.collection import digest_of
from ingestion.catalogue.frames import parquet_bytes
from ingestion.fanout import Crashed, Done
from ingestion.features import TOOL, TOOL_VERSION
from ingestion.features.run import SourceFeatures, compute_source_features
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import region_columns, series_columns

STORED = (np.arange(4 * 5 * 6, dtype=np.int16) * 3).reshape(4, 5, 6)


def _inline(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Done[Any, Any]]:
    for task in reversed(tasks):  # results come in any order
        yield Done(task, function(task))


def _run(made: Any, run: Any = _inline, **more: Any) -> SourceFeatures:
    return compute_source_features(made.state, made.manifests, research=made.store, run=run, **more)


def _masks(*boxes: tuple[slice, slice, slice]) -> np.ndarray:
    masks = np.zeros((*STORED.shape, len(boxes)), dtype=bool)
    for number, box in enumerate(boxes):
        masks[(*box, number)] = True
    return masks


BOXES = (slice(1, 3), slice(0, 2), slice(2, 5)), (slice(0, 1), slice(0, 1), slice(0, 1))


def test_series_and_regions_of_a_source(made: Any, make_ct: Any, make_seg: Any, plan: Dataset) -> None:
    slices = make_ct(STORED)
    image = made.add(slices)
    mask = made.add([make_seg(slices, _masks(*BOXES))])
    made.add([plan])
    found = _run(made)
    assert (found.computed, found.reused, found.not_applicable, found.objects_written) == (2, 0, 1, 2)
    assert found.refused == ()
    assert tuple(found.series.columns) == series_columns(FeatureSettings())
    assert tuple(found.regions.columns) == region_columns(FeatureSettings())
    (row,) = found.series.to_dict("records")
    values = STORED.astype(float) - 1000
    assert row["SeriesInstanceUID"] == image.SeriesInstanceUID
    assert (row["Status"], row["Unit"], row["Pixels"], row["PaddingShare"]) == ("measured", "HU", 120, 0)
    assert row["Mean_Q4LE"] == pytest.approx(values.mean())
    assert row["StandardDeviation"] == pytest.approx(values.std())
    assert row["Percentile99"] == pytest.approx(np.percentile(values, 99))
    assert (row["GeometryKind"], row["SliceSpacing"], row["Orientation"]) == ("volume", 2.0, "axial")
    first, second = found.regions.to_dict("records")
    inside = values[BOXES[0]]
    assert (first["SegmentNumber"], first["SegmentLabel"], first["TypeScheme"]) == (1, "lesion 1", "SCT")
    assert (first["ImageVersion"], first["MaskVersion"]) == (image.version, mask.version)
    assert first["ImageSeriesInstanceUID"] == image.SeriesInstanceUID
    assert first["SettingsDigest"] == FeatureSettings().digest
    assert (first["Voxels"], first["VolumeMm3"], first["Unit"]) == (12, pytest.approx(12 * 0.5), "HU")
    assert first["Mean_Q4LE"] == pytest.approx(inside.mean())
    assert first["Energy_N8CA"] == pytest.approx((inside**2).sum())
    assert (second["Voxels"], second["Mean_Q4LE"], second["Variance_ECT3"]) == (1, values[0, 0, 0], 0)


def test_wide_rows_say_what_they_were_computed_from_and_by(made: Any, make_ct: Any, make_seg: Any) -> None:
    slices = make_ct(STORED)
    image = made.add(slices)
    made.add([make_seg(slices, _masks(*BOXES))])
    broken = made.add(make_ct(STORED)[::2])  # without its middle slice; its regions are refused
    made.add([make_seg(make_ct(STORED), _masks(*BOXES))])  # the image is not stored
    found = _run(made)
    settings = FeatureSettings()
    for row in [*found.series.to_dict("records"), *found.regions.to_dict("records")]:
        assert json.loads(row["Settings"]) == settings.record()
        assert row["SettingsDigest"] == json.loads(row["Settings"])["settings_digest"] == settings.digest
        assert (row["Tool"], row["ToolVersion"]) == (TOOL, TOOL_VERSION)
    of_series = found.series.set_index("SeriesInstanceUID")
    for manifest in (image, broken):
        row = of_series.loc[manifest.SeriesInstanceUID]
        assert row["ImageVersion"] == manifest.version
        # The same digits as in the catalogue, where the whole digest stands.
        assert digest_of(item.sha256 for item in manifest.instances).startswith(row["ImageDigest"])
        assert len(row["ImageDigest"]) == 24
    assert of_series["ImageDigest"].nunique() == 2
    measured = found.regions[found.regions["Status"] == "measured"]
    assert measured["Unit"].tolist() == ["HU", "HU"]
    assert measured["ImageDigest"].str.len().tolist() == measured["MaskDigest"].str.len().tolist() == [24, 24]
    assert measured["MaskDigest"].nunique() == 2
    of_long = found.long[found.long["Level"] == "series"]
    assert set(of_long["ImageDigest"]) == set(of_series["ImageDigest"])


def test_every_number_of_the_tables_has_a_unit_and_a_name(made: Any, make_ct: Any) -> None:
    made.add(make_ct(STORED))
    found = _run(made)
    for table in (found.series, found.regions):
        body = parquet_bytes(table)
        for field in pq.read_schema(io.BytesIO(body)):
            if not (pa.types.is_floating(field.type) or pa.types.is_integer(field.type)):
                continue
            said = {key.decode(): value.decode() for key, value in field.metadata.items()}
            assert said["unit"], field.name
            assert said["description"], field.name
    described = found.regions.attrs["descriptions"]
    assert described["Mean_Q4LE"] == "Mean intensity (IBSI Q4LE, reference manual 3.3.1)"
    assert described["JointMaximum_GYBY_IAZD"] == "Joint maximum, 3D, merged (IBSI GYBY, IAZD, reference manual 3.6.1)"
    assert found.series.attrs["descriptions"]["CjvOtsu"].startswith("Coefficient of joint variation")


def test_second_run_measures_nothing_and_says_the_same(made: Any, make_ct: Any, make_seg: Any) -> None:
    slices = make_ct(STORED)
    made.add(slices)
    made.add([make_seg(slices, _masks(*BOXES))])
    first = _run(made)
    stored = dict(made.store.objects)
    made.store.reads.clear()
    second = _run(made)
    assert (second.computed, second.reused, second.objects_written) == (0, 2, 0)
    assert not [key for key in made.store.reads if key.startswith("dicom/")]
    assert made.store.objects == stored
    pd.testing.assert_frame_equal(first.series, second.series)
    pd.testing.assert_frame_equal(first.regions, second.regions)


def test_full_gives_the_same_bytes(made: Any, make_ct: Any, make_seg: Any) -> None:
    slices = make_ct(STORED)
    made.add(slices)
    made.add([make_seg(slices, _masks(*BOXES))])
    _run(made)
    stored = {key: made.store.objects.pop(key) for key in list(made.store.objects) if key.startswith("features/")}
    again = _run(made, full=True)
    assert again.objects_written == 2
    assert {key: made.store.objects[key] for key in stored} == stored
    assert _run(made, full=True).objects_written == 0


def test_only_what_changed_is_measured(made: Any, make_ct: Any, make_seg: Any) -> None:
    slices, other = make_ct(STORED), make_ct(STORED + 1)
    made.add(slices)
    made.add(other)
    made.add([make_seg(slices, _masks(*BOXES))])
    made.add([make_seg(other, _masks(*BOXES))])
    _run(made)
    for dataset in slices:
        dataset.RescaleIntercept = -900  # a new delivery of the image: its regions change with it
    made.add(slices)
    found = _run(made)
    assert (found.computed, found.reused) == (2, 2)
    means = found.regions.groupby("ImageSeriesInstanceUID")["Mean_Q4LE"].max()
    assert means[slices[0].SeriesInstanceUID] == pytest.approx(means[other[0].SeriesInstanceUID] + 99)


def test_other_settings_are_other_results(made: Any, make_ct: Any, make_seg: Any) -> None:
    slices = make_ct(STORED)
    made.add(slices)
    made.add([make_seg(slices, _masks(*BOXES))])
    _run(made)
    chosen = FeatureSettings(percentiles=(5,), min_voxels=2)
    found = _run(made, settings=chosen)
    assert (found.computed, found.reused) == (2, 0)
    assert "Percentile5" in found.series.columns
    assert found.regions["Reason"].tolist() == [None, "too_few_voxels"]
    assert [item.reason for item in found.refused] == ["too_few_voxels"]
    assert _run(made, settings=chosen).reused == 2
    assert _run(made).reused == 2


def test_crash_is_named_and_tried_again(made: Any, make_ct: Any, make_seg: Any) -> None:
    slices = make_ct(STORED)
    made.add(slices)
    made.add([make_seg(slices, _masks(*BOXES))])
    found = _run(made, run=lambda function, tasks: (Crashed(task) for task in tasks))
    assert found.series["Reason"].tolist() == found.regions["Reason"].tolist() == ["crashed"]
    assert [item.kind for item in found.refused] == ["series", "regions"]
    assert found.objects_written == 0
    again = _run(made)
    assert (again.computed, again.refused) == (2, ())


def test_lost_and_changed_objects_are_named_and_not_stored(made: Any, make_ct: Any) -> None:
    lost, changed, fine = (made.add(make_ct(STORED)) for _ in range(3))
    del made.store.objects[lost.instances[1].key]
    made.store.objects[changed.instances[2].key] += b"\0"
    found = _run(made)
    reasons = dict(zip(found.series["SeriesInstanceUID"], found.series["Reason"], strict=True))
    assert reasons == {
        lost.SeriesInstanceUID: "object_missing",
        changed.SeriesInstanceUID: "object_changed",
        fine.SeriesInstanceUID: None,
    }
    assert found.objects_written == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda slices: setattr(slices[1], "PixelData", b"\0\0"), "pixels_unreadable"),
        (lambda slices: setattr(slices[1], "SamplesPerPixel", 3), "colour"),
        (lambda slices: [delattr(slices[1], f"Rescale{k}") for k in ("Slope", "Intercept")], "rescale_missing"),
        (lambda slices: setattr(slices[1], "RescaleType", "OD"), "units_vary"),
        (lambda slices: [d.add_new("PixelPaddingValue", "SS", 0) or setattr(d, "PixelData", bytes(60)) for d in slices],
         "all_padding"),
    ],
)  # fmt: skip
def test_refused_series_keep_their_row(made: Any, make_ct: Any, change: Any, reason: str) -> None:
    slices = make_ct(STORED)
    change(slices)
    made.add(slices)
    found = _run(made)
    (row,) = found.series.to_dict("records")
    assert (row["Status"], row["Reason"]) == ("refused", reason)
    assert row["SliceSpacing"] == 2.0
    assert pd.isna(row["Mean_Q4LE"])
    again = _run(made)
    assert (again.computed, again.reused) == (0, 1)
    assert again.refused == found.refused


def test_refused_segmentations_keep_a_row(made: Any, make_ct: Any, make_seg: Any) -> None:
    absent, gap, foreign, present = make_ct(STORED), make_ct(STORED), make_ct(STORED), make_ct(STORED)
    segs = {"image_missing": make_seg(absent, _masks(*BOXES)), "missing_slices": make_seg(gap, _masks(*BOXES))}
    made.add(gap[:1] + gap[2:])
    made.add(present)
    segs["no_reference"] = make_seg(present, _masks(*BOXES))
    del segs["no_reference"].ReferencedSeriesSequence
    for group in segs["no_reference"].PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence
    made.add(foreign, patient="P2")
    segs["frame_of_reference_differs"] = make_seg(present, _masks(*BOXES))
    segs["frame_of_reference_differs"].FrameOfReferenceUID = generate_uid()
    wrong_patient = make_seg(foreign, _masks(*BOXES))
    made.add([wrong_patient])
    for seg in segs.values():
        made.add([seg])
    found = _run(made)
    reasons = dict(zip(found.regions["SeriesInstanceUID"], found.regions["Reason"], strict=True))
    expected = {seg.SeriesInstanceUID: reason for reason, seg in segs.items()}
    assert reasons == expected | {wrong_patient.SeriesInstanceUID: "image_missing"}
    assert _run(made).computed == 0
    # The image comes later: only it, its regions, and what names no image (any new one may be its own) are measured.
    made.add(absent)
    later = _run(made)
    assert later.computed == 3
    mine = later.regions[later.regions["SeriesInstanceUID"] == segs["image_missing"].SeriesInstanceUID]
    assert mine["Status"].tolist() == ["measured", "measured"]


def test_segmentation_of_one_of_several_volumes(made: Any, make_ct: Any, make_seg: Any) -> None:
    series, both = generate_uid(), []
    for number in (1, 2):
        both.append(make_ct(STORED * number, SeriesInstanceUID=series, AcquisitionNumber=number))
    for dataset in both[1]:
        dataset.FrameOfReferenceUID = both[0][0].FrameOfReferenceUID
        dataset.StudyInstanceUID = both[0][0].StudyInstanceUID
    made.add(both[0] + both[1])
    made.add([make_seg(both[1], _masks(*BOXES))])
    found = _run(made)
    assert found.refused == ()
    assert found.series["GeometryKind"].tolist() == ["volumes"]
    expected = (STORED.astype(float) * 2 - 1000)[BOXES[0]]
    assert found.regions["Mean_Q4LE"].iloc[0] == pytest.approx(expected.mean())


def test_pet_in_suv_where_the_header_suffices(made: Any, make_ct: Any, make_seg: Any) -> None:
    injection = Dataset()
    injection.RadionuclideTotalDose, injection.RadionuclideHalfLife = 300e6, 6586.2
    injection.RadiopharmaceuticalStartTime = "090000"
    more = {
        "Units": "BQML", "DecayCorrection": "START", "CorrectedImage": ["DECY", "ATTN"], "PatientWeight": 75,
        "SeriesDate": "20200102", "AcquisitionDate": "20200102", "SeriesTime": "100000", "AcquisitionTime": "100000",
        "RadiopharmaceuticalInformationSequence": [injection], "RescaleIntercept": 0,
    }  # fmt: skip
    slices = make_ct(STORED, modality="PT", **more)
    for k, dataset in enumerate(slices):
        dataset.RescaleSlope = k + 1  # PET has one slope per slice
    made.add(slices)
    made.add([make_seg(slices, _masks(*BOXES))])
    del more["PatientWeight"]
    made.add(make_ct(STORED, modality="PT", **more))
    found = _run(made)
    activity = STORED.astype(float) * np.arange(1, 5).reshape(4, 1, 1)
    factor = 75_000 / (300e6 * 0.5 ** (3600 / 6586.2))
    rows = {row["Unit"]: row for row in found.series.to_dict("records")}
    assert rows["SUVbw"]["Mean_Q4LE"] == pytest.approx(activity.mean() * factor)
    assert rows["BQML"]["SuvRefusal"] == "weight_unknown"
    assert rows["BQML"]["Mean_Q4LE"] == pytest.approx(STORED.mean())
    assert found.regions["Unit"].tolist() == ["SUVbw", "SUVbw"]
    assert found.regions["Mean_Q4LE"].iloc[0] == pytest.approx((activity * factor)[BOXES[0]].mean())


def test_padding_is_not_measured(made: Any, make_ct: Any, make_seg: Any) -> None:
    stored = STORED.copy()
    stored[1, 0, 2] = -2000
    slices = make_ct(stored)
    for dataset in slices:
        dataset.add_new("PixelPaddingValue", "SS", -2000)
    made.add(slices)
    made.add([make_seg(slices, _masks(BOXES[0]))])
    found = _run(made)
    assert found.series["PaddingShare"].tolist() == [1 / 120]
    assert found.series["Minimum_1GSF"].tolist() == [-1000]
    (region,) = found.regions.to_dict("records")
    assert (region["Voxels"], region["PaddingVoxels"]) == (11, 1)
    assert region["Minimum_1GSF"] > -1000


def test_a_source_without_series_has_empty_tables(made: Any) -> None:
    found = _run(made)
    assert tuple(found.series.columns) == series_columns(FeatureSettings())
    assert len(found.series) == len(found.regions) == 0


def test_results_hold_no_numbers_that_json_has_not(made: Any, make_ct: Any) -> None:
    made.add(make_ct(np.full_like(STORED, 1000)))  # all values 0: some features are undefined
    _run(made)
    (key,) = (key for key in made.store.objects if key.startswith("features/"))
    body = json.loads(made.store.objects[key], parse_constant=pytest.fail)
    assert body["values"]["CoefficientOfVariation_7TET"] is None


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="percentiles"):
        FeatureSettings(percentiles=(101,))
    with pytest.raises(ValueError, match="min_voxels"):
        FeatureSettings(min_voxels=0)
