from dataclasses import replace

import pandas as pd
import pytest
from made_sources import CT_STORAGE, MadeSource, make_entry, make_manifest, make_source

from ingestion.catalogue import tables as t
from ingestion.catalogue import values
from ingestion.catalogue.rows import ManifestsIncompleteError, SourceTables, build_tables

SOURCE = "TEST-LUNG-01"


def build(made: MadeSource) -> SourceTables:
    return build_tables(made.state(), made.manifests, registry_entry=made.entry)


def one(frame: pd.DataFrame) -> dict[str, object]:
    (row,) = frame.to_dict("records")
    return row


def test_columns_are_those_of_the_tables() -> None:
    tables = build(make_source(SOURCE))
    for name in ("collection", "patient", "study", "series"):
        assert list(getattr(tables, name).columns) == [column.name for column in getattr(t, name).columns]


def test_series_row() -> None:
    row = one(build(MadeSource(make_entry(SOURCE), [make_manifest(SOURCE)])).series)
    assert row["source_id"] == SOURCE
    assert row["SOPClassUID"] == CT_STORAGE
    assert (row["BodyPartExamined"], row["BodyPart"], row["BodyPartCode"]) == ("THORAX", "Chest", "816094009")
    assert (row["Manufacturer"], row["ManufacturerName"]) == ("GE MEDICAL SYSTEMS", "General Electric")
    assert (row["PatientAge"], row["AgeAtStudy"]) == ("063Y", 63.0)
    assert (row["PixelSpacingRow"], row["PixelSpacingColumn"]) == (0.5, 0.75)
    assert (row["SliceSpacing"], row["MissingSlices"], row["DuplicatePositions"]) == (2.5, 0, 0)
    assert (row["NumberOfInstances"], row["NumberOfFrames"], row["Bytes"]) == (4, 4, 4000)
    assert (row["State"], row["Delivered"], row["Duplicate"], row["Quarantined"]) == ("partial", 6, 1, 1)
    assert row["Varying"] == "AcquisitionTime,SliceThickness"
    assert row["ConvolutionKernel"] is None


def test_a_missing_slice_is_counted() -> None:
    manifest = make_manifest(SOURCE, slices=6)
    gap = replace(manifest, instances=manifest.instances[:3] + manifest.instances[4:])
    row = one(build(MadeSource(make_entry(SOURCE), [gap])).series)
    assert (row["SliceSpacing"], row["MissingSlices"]) == (2.5, 1)


def test_projections_take_the_spacing_at_the_detector_and_count_frames() -> None:
    manifest = make_manifest(SOURCE, slices=1, Modality="MG", PixelSpacing=None, ImagerPixelSpacing=[0.07, 0.07])
    instance = replace(manifest.instances[0], attributes={"Rows": 8, "Columns": 8, "NumberOfFrames": 40})
    row = one(build(MadeSource(make_entry(SOURCE), [replace(manifest, instances=(instance,))])).series)
    assert (row["PixelSpacingRow"], row["NumberOfFrames"]) == (0.07, 40)
    assert pd.isna(row["SliceSpacing"])


def test_objects_without_pixels_have_no_frames() -> None:
    manifest = make_manifest(SOURCE, slices=1, Modality="RTSTRUCT")
    instance = replace(manifest.instances[0], pixel_offset=None, attributes={})
    row = one(build(MadeSource(make_entry(SOURCE), [replace(manifest, instances=(instance,))])).series)
    assert (row["NumberOfFrames"], row["MissingSlices"]) == (0, 0)


@pytest.mark.parametrize(
    ("keyword", "delivered", "expected"),
    [
        ("SeriesNumber", 10**12, None),
        ("SeriesNumber", "seven", None),
        ("SeriesNumber", 2.5, None),
        ("KVP", "1e999", None),
        ("KVP", [120.0, 100.0], 120.0),
        ("SeriesDescription", "a\0b", "ab"),
        ("SeriesDescription", ["a", "b"], "a\\b"),
        ("Modality", {"not": "a value"}, None),
        ("PixelSpacing", "0.5", None),
    ],
)
def test_hostile_values_become_harmless(keyword: str, delivered: object, expected: object) -> None:
    made = MadeSource(make_entry(SOURCE), [make_manifest(SOURCE, **{keyword: delivered})])
    row = one(build(made).series)
    found = row["PixelSpacingColumn" if keyword == "PixelSpacing" else keyword]
    assert (None if pd.isna(found) else found) == expected


def test_text_that_no_file_can_hold_is_replaced() -> None:
    assert values.text("a\ud800b") == "a?b"


def test_studies_and_patients_sum_up_their_series() -> None:
    made = MadeSource(
        make_entry(SOURCE),
        [
            make_manifest(SOURCE, study=1, series=1, StudyDate="20200301", PatientAge="064Y"),
            make_manifest(SOURCE, study=1, series=2, StudyDate="20200301", Modality="PT"),
            make_manifest(SOURCE, study=2, series=1, StudyDate="20190101"),
            make_manifest(SOURCE, patient=2, PatientSex="M"),
        ],
    )
    tables = build(made)
    study = tables.study.iloc[0]
    assert (study["Modalities"], study["NumberOfSeries"], study["NumberOfInstances"], study["Bytes"]) == (
        "CT,PT",
        2,
        8,
        8000,
    )
    assert (study["AgeAtStudy"], study["PatientSex"], study["NumberOfPatientIDs"]) == (63.0, "F", 1)
    patient = tables.patient.iloc[0]
    assert (patient["NumberOfStudies"], patient["NumberOfSeries"]) == (2, 3)
    assert (patient["FirstStudyDate"], patient["LastStudyDate"]) == ("20190101", "20200301")
    assert len(tables.patient) == 2


def test_contradicting_sexes_are_shown_and_none_is_chosen() -> None:
    made = MadeSource(
        make_entry(SOURCE),
        [make_manifest(SOURCE, series=1, PatientSex="F"), make_manifest(SOURCE, series=2, PatientSex="M")],
    )
    row = one(build(made).patient)
    assert (row["PatientSex"], row["Sexes"]) == (None, "F,M")


def test_a_study_of_two_patients_is_seen() -> None:
    first, second = make_manifest(SOURCE, series=1), make_manifest(SOURCE, series=2)
    made = MadeSource(make_entry(SOURCE), [first, replace(second, PatientID="somebody else")])
    assert build(made).study["NumberOfPatientIDs"].tolist() == [2, 2]


def test_collection_row_adds_up() -> None:
    made = make_source(SOURCE)
    row = one(build(made).collection)
    assert (row["NumberOfPatients"], row["NumberOfStudies"], row["NumberOfSeries"]) == (6, 6, 12)
    assert row["Delivered"] == row["Accepted"] + row["Duplicate"] + row["Quarantined"]
    assert (row["SeriesPartial"], row["SeriesQuarantined"]) == (1, 1)
    assert (row["Modalities"], row["BodyParts"], row["Sexes"]) == ("CT", "Chest", "F,M")
    assert (row["CancerScheme"], row["CancerCode"]) == ("SCT", "363358000")


def test_a_source_with_nothing_stored_has_typed_empty_tables() -> None:
    tables = build(MadeSource(make_entry(SOURCE)))
    assert (len(tables.series), len(tables.study), len(tables.patient), len(tables.collection)) == (0, 0, 0, 1)
    assert tables.series["Bytes"].dtype == "int64"
    assert tables.series["KVP"].dtype == "float64"


def test_order_of_manifests_does_not_matter() -> None:
    made = make_source(SOURCE)
    again = build_tables(made.state(), reversed(made.manifests), registry_entry=made.entry)
    for name in ("collection", "patient", "study", "series"):
        pd.testing.assert_frame_equal(getattr(build(made), name), getattr(again, name))


def test_a_manifest_that_the_state_does_not_name_is_refused() -> None:
    made = make_source(SOURCE)
    state = made.state()
    changed = [replace(made.manifests[0], code_version="another"), *made.manifests[1:]]
    with pytest.raises(ManifestsIncompleteError, match="not one that the state names"):
        build_tables(state, changed, registry_entry=made.entry)


def test_a_missing_manifest_is_refused() -> None:
    made = make_source(SOURCE)
    with pytest.raises(ManifestsIncompleteError, match="were not given"):
        build_tables(made.state(), made.manifests[1:], registry_entry=made.entry)


def test_another_sources_entry_is_refused() -> None:
    made = make_source(SOURCE)
    with pytest.raises(ManifestsIncompleteError, match="the entry of OTHER-01"):
        build_tables(made.state(), made.manifests, registry_entry=make_entry("OTHER-01"))
