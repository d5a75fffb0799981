"""Regions of structure sets, dose reports and the long table, on made sources."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

from ingestion.fanout import Done
from ingestion.features.distributions import distributions, outliers
from ingestion.features.dose_report import event_doses, series_dose
from ingestion.features.export import export_reports
from ingestion.features.ibsi import IbsiSettings
from ingestion.features.long_table import COLUMNS
from ingestion.features.run import SourceFeatures, compute_source_features
from ingestion.features.settings import FeatureSettings
from ingestion.features.texts import Texts

STORED = np.random.default_rng(11).integers(900, 1100, (5, 12, 14)).astype(np.int16)
VALUES = STORED.astype(float) - 1000


def _run(made: Any, **more: Any) -> SourceFeatures:
    def inline(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Done[Any, Any]]:
        return (Done(task, function(task)) for task in tasks)

    return compute_source_features(made.state, made.manifests, research=made.store, run=inline, **more)


def structures(slices: list[Dataset], boxes: dict[str, tuple[range, float, float, float, float]]) -> Dataset:
    """A structure set of boxes: slices, first and last row, first and last column (0.5 mm pixels, origin 0)."""
    dataset, frame, study, series = Dataset(), Dataset(), Dataset(), Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.481.3", generate_uid()
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = generate_uid(), slices[0].StudyInstanceUID
    dataset.PatientID, dataset.Modality = "P1", "RTSTRUCT"
    series.SeriesInstanceUID = slices[0].SeriesInstanceUID
    study.RTReferencedSeriesSequence, frame.RTReferencedStudySequence = [series], [study]
    frame.FrameOfReferenceUID = slices[0].FrameOfReferenceUID
    dataset.ReferencedFrameOfReferenceSequence = [frame]
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [], []
    dataset.RTROIObservationsSequence = []
    for number, (name, (planes, top, bottom, left, right)) in enumerate(boxes.items(), start=1):
        roi, drawn, observed = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, slices[0].FrameOfReferenceUID
        drawn.ReferencedROINumber = observed.ReferencedROINumber = number
        observed.RTROIInterpretedType = "GTV"
        drawn.ContourSequence = []
        for k in planes:
            contour, image = Dataset(), Dataset()
            edges = [(left, top), (right, top), (right, bottom), (left, bottom)]
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.ContourData = [v for column, row in edges for v in (column / 2, row / 2, 2 * k)]
            image.ReferencedSOPInstanceUID = slices[k].SOPInstanceUID if k < len(slices) else "1.2.3"
            contour.ContourImageSequence = [image]
            drawn.ContourSequence.append(contour)
        dataset.StructureSetROISequence.append(roi)
        dataset.ROIContourSequence.append(drawn)
        dataset.RTROIObservationsSequence.append(observed)
    return dataset


BOXES = {"GTV-1": (range(1, 4), 1.5, 6.5, 2.5, 9.5), "outside": (range(4, 7), 1.5, 6.5, 2.5, 9.5)}


def test_structure_set_regions(made: Any, make_ct: Any) -> None:
    slices = make_ct(STORED)
    image = made.add(slices)
    marks = made.add([structures(slices, BOXES)])
    found = _run(made)
    good, bad = found.regions.to_dict("records")
    inside = VALUES[1:4, 2:7, 3:10]
    assert (good["Status"], good["SegmentLabel"], good["Role"]) == ("measured", "GTV-1", "GTV")
    assert (good["Voxels"], good["VolumeMm3"], good["Unit"]) == (105, pytest.approx(105 * 0.5), "HU")
    assert good["Mean_Q4LE"] == pytest.approx(inside.mean())
    assert (good["ImageVersion"], good["MaskVersion"]) == (image.version, marks.version)
    assert len(good["ImageDigest"]) == len(good["MaskDigest"]) == 24
    assert (bad["Status"], bad["Reason"]) == ("refused", "outside_image")
    assert [(item.kind, item.reason) for item in found.refused] == [("regions", "outside_image")]
    again = _run(made)
    assert (again.computed, again.reused, again.objects_written) == (0, 2, 0)
    pd.testing.assert_frame_equal(found.long, again.long)


def test_same_region_as_segmentation_and_as_structure_set(made: Any, make_ct: Any, make_seg: Any) -> None:
    slices = make_ct(STORED)
    made.add(slices)
    masks = np.zeros((*STORED.shape, 1), dtype=bool)
    masks[1:4, 2:7, 3:10] = True
    made.add([structures(slices, {"GTV-1": BOXES["GTV-1"]})])
    made.add([make_seg(slices, masks)])
    one, other = _run(made).regions.to_dict("records")
    assert one["MaskDigest"] == other["MaskDigest"]
    assert one["ImageDigest"] == other["ImageDigest"]
    assert {name: one[name] for name in one if "_" in name and name != "source_id"} == {
        name: other[name] for name in other if "_" in name and name != "source_id"
    }


def test_structure_set_that_names_no_series_is_found_by_its_images(made: Any, make_ct: Any) -> None:
    slices, other = make_ct(STORED), make_ct(STORED)
    made.add(other)
    marks = structures(slices, {"GTV-1": BOXES["GTV-1"]})
    del marks.ReferencedFrameOfReferenceSequence
    made.add([marks])
    assert _run(made).regions["Reason"].tolist() == ["no_reference"]
    made.add(slices)  # comes later
    found = _run(made)
    assert found.regions["ImageSeriesInstanceUID"].tolist() == [slices[0].SeriesInstanceUID]
    assert found.regions["Status"].tolist() == ["measured"]


def test_structure_set_without_regions_is_refused(made: Any, make_ct: Any) -> None:
    slices = make_ct(STORED)
    made.add(slices)
    made.add([structures(slices, {})])
    assert _run(made).regions["Reason"].tolist() == ["no_regions"]


def test_long_table_says_what_the_wide_ones_say(made: Any, make_ct: Any) -> None:
    slices = make_ct(STORED, Manufacturer="Made")
    made.add(slices)
    made.add([structures(slices, BOXES)])
    found = _run(made)
    assert tuple(found.long.columns) == COLUMNS
    region = found.long[(found.long["Level"] == "region") & found.long["Value"].notna()].set_index("Feature")
    (wide,) = found.regions[found.regions["Status"] == "measured"].to_dict("records")
    for name in region.index:
        assert region.at[name, "Value"] == wide[name]
    mean = region.loc["Mean_Q4LE"]
    assert (mean["Code"], mean["Family"], mean["Unit"]) == ("Q4LE", "UHIW", "HU")
    assert (mean["Modality"], mean["Manufacturer"], mean["SegmentNumber"]) == ("CT", "Made", 1)
    assert mean["MaskDigest"] == wide["MaskDigest"]
    assert json.loads(mean["Settings"])["settings_digest"] == mean["SettingsDigest"] == FeatureSettings().digest
    assert region.at["Energy_N8CA", "Unit"] == "HU²"
    assert region.at["VolumeVoxelCounting_YEKZ", "Unit"] == "mm³"
    refused = found.long[found.long["Feature"].isna()]
    assert refused["Refusal"].tolist() == ["outside_image"]
    series = found.long[found.long["Level"] == "series"].set_index("Feature")
    assert (series.at["SliceSpacing", "Value"], series.at["SliceSpacing", "Unit"]) == (2.0, "mm")


def test_other_settings_add_and_overwrite_nothing(made: Any, make_ct: Any) -> None:
    slices = make_ct(STORED)
    made.add(slices)
    made.add([structures(slices, BOXES)])
    _run(made)
    before = dict(made.store.objects)
    _run(made, settings=FeatureSettings(percentiles=(5,)))
    assert before.items() < made.store.objects.items()


def enhanced(slices: list[Dataset], order: list[int]) -> Dataset:
    """The slices as one enhanced multi-frame object, its frames in another order."""
    whole = copy.deepcopy(slices[0])
    whole.SOPClassUID, whole.SOPInstanceUID = EnhancedCTImageStorage, generate_uid()
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope"):
        delattr(whole, keyword)
    whole.NumberOfFrames, whole.PixelData = len(order), b"".join(slices[k].PixelData for k in order)
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = slices[0].PixelSpacing
    orientation.ImageOrientationPatient = slices[0].ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    whole.SharedFunctionalGroupsSequence, whole.PerFrameFunctionalGroupsSequence = [shared], []
    for k in order:
        position, transformation, group = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = slices[k].ImagePositionPatient
        transformation.RescaleSlope, transformation.RescaleType = slices[k].RescaleSlope, "HU"
        transformation.RescaleIntercept = slices[k].RescaleIntercept
        group.PlanePositionSequence, group.PixelValueTransformationSequence = [position], [transformation]
        whole.PerFrameFunctionalGroupsSequence.append(group)
    return whole


def test_enhanced_multi_frame_is_measured_as_its_slices_are(made: Any, make_ct: Any, make_seg: Any) -> None:
    slices = make_ct(STORED, RescaleType="HU")
    for k, dataset in enumerate(slices):
        dataset.RescaleIntercept = -1000 + k  # differs by frame
    whole = enhanced(slices, [3, 0, 4, 1, 2])
    made.add([whole])
    made.add([structures(slices, {"GTV-1": BOXES["GTV-1"]})])
    found = _run(made)
    values = VALUES + np.arange(5).reshape(5, 1, 1)
    (row,) = found.series.to_dict("records")
    assert (row["GeometryKind"], row["SliceSpacing"], row["GeometryProblems"]) == ("volume", 2.0, None)
    assert row["Mean_Q4LE"] == pytest.approx(values.mean())
    assert row["BodyVolumeMl"] is not None
    (region,) = found.regions.to_dict("records")
    assert region["Mean_Q4LE"] == pytest.approx(values[1:4, 2:7, 3:10].mean())


def _item(kind: str, code: str, **more: Any) -> Dataset:
    item, name = Dataset(), Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = code, "DCM", "made"
    item.ValueType, item.ConceptNameCodeSequence = kind, [name]
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


def _quantity(code: str, value: float, unit: str) -> Dataset:
    measured, units = Dataset(), Dataset()
    units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = unit, "UCUM", unit
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = str(value), [units]
    return _item("NUM", code, MeasuredValueSequence=[measured])


def dose_report(*events: tuple[str, float, float]) -> Dataset:
    """A CT dose report: event UID, CTDIvol in mGy, dose length product in mGy·cm."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.67", generate_uid()
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = generate_uid(), generate_uid()
    dataset.PatientID, dataset.Modality = "P1", "SR"
    dataset.ContentSequence = [
        _item(
            "CONTAINER",
            "113819",
            ContentSequence=[
                _item("UIDREF", "113769", UID=uid),
                _item(
                    "CONTAINER",
                    "113829",
                    ContentSequence=[_quantity("113830", dose, "mGy"), _quantity("113838", product, "mGy.cm")],
                ),
            ],
        )
        for uid, dose, product in events
    ]
    return dataset


def test_dose_of_a_series_from_its_report(made: Any, make_ct: Any) -> None:
    made.add(make_ct(STORED, IrradiationEventUID="1.2.3"))
    made.add(make_ct(STORED, IrradiationEventUID=["1.2.3", "1.2.4"]))
    made.add(make_ct(STORED))
    made.add([dose_report(("1.2.3", 8.5, 300.0), ("1.2.4", 2.5, 40.0))])
    found = _run(made)
    assert (found.computed, found.not_applicable, found.refused) == (4, 0, ())
    doses = found.series[["ReportCTDIvolMGy", "ReportDlpMGyCm"]].astype(float).fillna(-1)
    assert sorted(doses.itertuples(index=False, name=None)) == [(-1, -1), (8.5, 300.0), (8.5, 340.0)]
    assert _run(made).computed == 0


def test_doses_in_other_units() -> None:
    report = dose_report(("1.2.3", 8.5, 300.0))
    event = report.ContentSequence[0].ContentSequence[1]
    event.ContentSequence = [_quantity("122130", 0.00002, "Gy.m2"), _quantity("113830", 3, "rad")]
    assert event_doses(report) == {"1.2.3": {"ReportDoseAreaProductGyCm2": pytest.approx(0.2)}}
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    assert event_doses(report) == {}
    assert series_dose(["1.2.9"], {"1.2.3": {"ReportDlpMGyCm": 1.0}}) == {}


def _long(values: list[float | None], *, maker: str = "Made") -> pd.DataFrame:
    rows = [
        {"Level": "series", "Modality": "CT", "Unit": "HU", "Feature": "Mean_Q4LE", "Manufacturer": maker, "Value": v}
        for v in values
    ]
    return pd.DataFrame(rows).astype({"Value": "Float64"})


def test_outliers_lie_far_from_the_others() -> None:
    close = [float(k) for k in range(20)]
    assert outliers(_long([*close, 500.0])).tolist() == [False] * 20 + [True]
    assert outliers(_long([*close, None])).isna().tolist() == [False] * 20 + [True]
    assert outliers(_long([1.0, 2.0, 900.0])).isna().all()  # too few to compare with
    assert not outliers(_long([5.0] * 20 + [900.0])).any()  # no spread known


def test_distributions_by_manufacturer() -> None:
    long = pd.concat([_long([1.0, 2.0, 3.0]), _long([10.0], maker="Other")], ignore_index=True)
    long["Outlier"] = outliers(long)
    found = distributions(long).set_index("Manufacturer")
    assert found.loc["Made", ["Number", "Median", "Maximum", "Outliers"]].tolist() == [3, 2.0, 3.0, 0]
    assert found.at["Other", "Number"] == 1


def test_report_of_measurements(made: Any, make_ct: Any, make_seg: Any) -> None:
    """The structured report can be read back, names the segment, and is the same twice."""
    import highdicom as hd

    from ingestion.dicom.volume import read_volume
    from ingestion.features.measurement_report import measurement_report
    from ingestion.features.regions import iter_regions, measure_regions, volume_unit

    slices = make_ct(STORED)
    masks = np.zeros((*STORED.shape, 1), dtype=bool)
    masks[1:4, 2:7, 3:10] = True
    volume, unit, settings = read_volume(slices), volume_unit(slices), FeatureSettings()
    assert unit is not None
    for marks in (make_seg(slices, masks), structures(slices, {"GTV-1": BOXES["GTV-1"]})):
        regions = list(measure_regions(iter_regions(marks, volume), volume, unit, settings))
        report = measurement_report(marks, slices, regions, unit, settings)
        again = measurement_report(marks, slices, regions, unit, settings)
        assert report == again
        read = hd.sr.Comprehensive3DSR.from_dataset(report)
        if "SegmentSequence" in marks:
            (group,) = read.content.get_volumetric_roi_measurement_groups()
            assert group.referenced_segment.referenced_sop_instance_uid == marks.SOPInstanceUID
        else:
            (group,) = read.content.get_image_measurement_groups()
        (mean,) = group.get_measurements(name=Code("Q4LE", "IBSI", "Mean intensity"))
        assert mean.value == pytest.approx(VALUES[1:4, 2:7, 3:10].mean())
        assert mean.unit.value == "[hnsf'U]"
        assert len(group.get_measurements()) == sum(value is not None for value in regions[0].values.values())


def test_reports_of_a_source_from_what_is_stored(made: Any, make_ct: Any, make_seg: Any) -> None:
    slices = make_ct(STORED)
    made.add(slices)
    masks = np.zeros((*STORED.shape, 1), dtype=bool)
    masks[1:4, 2:7, 3:10] = True
    made.add([make_seg(slices, masks)])
    made.add([structures(slices, {"outside": BOXES["outside"]})])
    assert {item.reason for item in _exported(made)} == {"not_measured"}
    found = _run(made)
    made.store.reads.clear()
    exported = _exported(made)
    assert sorted(str(item.reason) for item in exported) == ["None", "no_values"]
    (report,) = [item.report for item in exported if item.report is not None]
    written = [item for item in report.ContentSequence if item.ValueType == "CONTAINER"][-1]
    numbers = [item for item in written.ContentSequence[0].ContentSequence if item.ValueType == "NUM"]
    (wide,) = found.regions[found.regions["Status"] == "measured"].to_dict("records")
    values = {
        item.ConceptNameCodeSequence[0].CodeValue: float(item.MeasuredValueSequence[0].NumericValue) for item in numbers
    }
    assert values["Q4LE"] == pytest.approx(wide["Mean_Q4LE"])
    assert len([key for key in made.store.reads if key.startswith("dicom/")]) == 2  # the mask and one image slice


def test_a_response_map_is_added_beside_the_image(made: Any, make_ct: Any) -> None:
    """Its features are told apart in wide and long table and in the catalogue; a report has no place for it."""
    from ingestion.catalogue.frames import read_frame, store_features
    from ingestion.catalogue.results import Level, feature_rows

    slices = make_ct(STORED)
    made.add(slices)
    made.add([structures(slices, {"GTV-1": BOXES["GTV-1"]})])
    families = {"families": ["intensity_statistics"]}
    plain = FeatureSettings(ibsi=IbsiSettings.from_mapping(families))
    mean = {"name": "mean", "support": 3, "boundary": "nearest"}
    chosen = FeatureSettings(ibsi=IbsiSettings.from_mapping(families | {"filter": mean}))
    before, found = _run(made, settings=plain), _run(made, settings=chosen)
    assert _run(made, settings=plain).reused == _run(made, settings=chosen).reused == 2  # both are kept
    (one,), (other,) = before.regions.to_dict("records"), found.regions.to_dict("records")
    name = "S60F mean boundary=nearest dimension=3D support=3"
    assert (one["ResponseMap"], other["ResponseMap"]) == (None, name)
    assert (one["MaskDigest"], one["Unit"]) == (other["MaskDigest"], other["Unit"])
    assert one["Variance_ECT3"] > other["Variance_ECT3"]
    long = found.long.set_index("Feature")
    assert long.loc["Variance_ECT3", "ResponseMap"].dropna().to_list() == [name]  # of the region, not of the series
    keys = []
    for run in (before, found):
        stored = store_features(made.store, "testsource", series=run.series, regions=run.regions)[1]
        rows = feature_rows("testsource", Level.REGION, read_frame(made.store, stored))
        keys.append({row["Feature"]: row["Value"] for row in rows})
    assert keys[0].keys() & keys[1].keys() == {"UndefinedFeatures", "VolumeMm3"}
    assert keys[1][f"Variance_ECT3 of {name}"] == other["Variance_ECT3"]
    exported = list(export_reports(made.state, made.manifests, research=made.store, settings=chosen))
    assert [(item.report, item.reason) for item in exported] == [(None, "response_map")]


def _exported(made: Any) -> list[Any]:
    return list(export_reports(made.state, made.manifests, research=made.store))


def test_texts_are_kept_once() -> None:
    one, other = Texts.of(["b", None, "a", "b", 3, ""]), Texts.same("c", 2)
    assert one.names == ("a", "b")
    joined = Texts.joined([one, other, Texts.same(None, 1)])
    assert _listed(joined) == ["b", None, "a", "b", None, None, "c", "c", None]
    assert _listed(Texts.joined([one.taken(np.array([2, -1, 0]))])) == ["a", None, "b"]
    assert Texts.joined([one.taken(np.array([2]))]).categories.tolist() == ["a"]
    assert _listed(Texts.joined([Texts.of(())])) == []


def _listed(values: pd.Categorical) -> list[str | None]:
    return [value if isinstance(value, str) else None for value in values]


def test_units_go_with_the_tables_into_the_catalogue(made: Any, make_ct: Any) -> None:
    from ingestion.catalogue.frames import read_frame, store_features
    from ingestion.catalogue.results import Level, feature_rows

    slices = make_ct(STORED)
    made.add(slices)
    made.add([structures(slices, {"GTV-1": BOXES["GTV-1"]})])
    found = _run(made)
    series, regions = store_features(made.store, "testsource", series=found.series, regions=found.regions)
    rows = [
        *feature_rows("testsource", Level.SERIES, read_frame(made.store, series)),
        *feature_rows("testsource", Level.REGION, read_frame(made.store, regions)),
    ]
    units = {(row["Level"], row["Feature"]): row["Unit"] for row in rows}
    assert units["region", "Mean_Q4LE"] == units["series", "Mean_Q4LE"] == "HU"
    assert units["region", "Energy_N8CA"] == "HU²"
    assert units["region", "VolumeMm3"] == units["region", "VolumeVoxelCounting_YEKZ"] == "mm³"
    assert (units["region", "Voxels"], units["series", "SliceSpacing"]) == ("1", "mm")
    assert not {"Tool", "Manufacturer", "ImageDigest"} & {name for _, name in units}
