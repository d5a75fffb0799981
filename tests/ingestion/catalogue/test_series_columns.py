"""Columns of ``series``: those of the Imaging Data Commons' index, and those that are worked out."""

import hashlib

import pandas as pd
import pytest
from made_sources import MadeSource, make_entry, make_features, make_manifest
from pydicom.datadict import dictionary_keyword, tag_for_keyword

from ingestion.catalogue import tables as t
from ingestion.catalogue.rows import build_tables, with_pointers
from ingestion.catalogue.series_table import IDC_COLUMNS
from ingestion.sources.registry import SourceEntry

SOURCE = "TEST-LUNG-01"
MR = {
    "Modality": "MR", "TransferSyntaxUID": "1.2.840.10008.1.2.4.70", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
    "StudyDescription": "Liver", "PixelRepresentation": 1, "FlipAngle": 15.0, "InversionTime": 90.0,
    "MRAcquisitionType": "3D", "PatientWeight": 70.0, "DeidentificationMethodCodes": ["113100", "113107"],
    "ImageType": ["ORIGINAL", "PRIMARY"], "ContrastBolusAgent": "Gd",
}  # fmt: skip


def series_of(*manifests: object, **entry: object) -> pd.DataFrame:
    made = MadeSource(make_entry(SOURCE, **entry), list(manifests))  # type: ignore[arg-type]
    return build_tables(made.state(), made.manifests, registry_entry=made.entry).series


def test_every_column_of_the_commons_index_has_its_own() -> None:
    assert len(IDC_COLUMNS) == 31
    assert set(IDC_COLUMNS.values()) <= set(t.series.columns.keys())
    assert len(set(IDC_COLUMNS.values())) == 31


def test_every_dicom_column_is_a_keyword() -> None:
    for column in t.series.columns:
        if column.info["source"] == "manifest header" and "(" in (column.comment or ""):
            tag = tag_for_keyword(column.name)
            if tag is not None:
                assert dictionary_keyword(tag) == column.name
                assert f"({tag >> 16:04X},{tag & 0xFFFF:04X})" in column.comment


def test_headers_become_columns() -> None:
    row = series_of(make_manifest(SOURCE, **MR), licence="CC-BY-4.0", doi="10.1234/abc").iloc[0]
    said = {
        "ModalityCode": "MR", "ModalityMeaning": "Magnetic Resonance", "StudyDescription": "Liver",
        "sop_class_name": "MR Image Storage", "PixelRepresentation": 1, "FlipAngle": 15.0, "InversionTime": 90.0,
        "MRAcquisitionType": "3D", "PatientWeight": 70.0, "PolicyOptions": "113100,113107",
        "ImageType": "ORIGINAL\\PRIMARY", "ContrastBolusAgent": "Gd", "Policy": "platform-default",
        "bucket": "research",
        "DataUse": "DUO:0000007,DUO:0000028", "AccessMode": "remote_processing", "license_short_name": "CC-BY-4.0",
        "source_DOI": "10.1234/abc", "GeometryKind": "volume", "Orientation": "axial", "Volumes": 1,
    }  # fmt: skip
    assert {name: row[name] for name in said} == said
    assert row["transfer_syntax_name"].startswith("JPEG Lossless, Non-Hierarchical, First-Order Prediction")
    assert row[["FirstRelease", "analysis_result_id", "SegmentationSeries", "KVP"]].isna().tolist() == [
        True, True, True, False,
    ]  # fmt: skip


def test_derived_objects_are_a_set_of_results_of_their_own() -> None:
    rows = series_of(make_manifest(SOURCE, Modality="SEG"), make_manifest(SOURCE, series=2))
    assert rows["analysis_result_id"].tolist() == [f"{SOURCE}-annotations", None]


def test_digests_can_be_made_again_by_hand() -> None:
    manifest = make_manifest(SOURCE)
    [digest] = series_of(manifest)["InstancesSHA256"]
    lines = "".join(sorted(f"{item.sha256}\n" for item in manifest.instances))
    assert digest == hashlib.sha256(lines.encode()).hexdigest()
    other = make_manifest(SOURCE, slices=5)
    assert series_of(other)["series_uuid"].iloc[0] != series_of(manifest)["series_uuid"].iloc[0]


def test_pointers_lead_to_segmentations_and_features() -> None:
    made = MadeSource(make_entry(SOURCE), [make_manifest(SOURCE), make_manifest(SOURCE, series=2)])
    features, regions = make_features(made)
    tables = build_tables(made.state(), made.manifests, registry_entry=made.entry)
    found = with_pointers(tables, features=features, regions=regions)
    assert found.series["FeatureRow"].tolist() == [0, 1]
    assert found.series["NumberOfSegments"].tolist() == [1, pd.NA]
    assert found.series["SegmentationSeries"].tolist() == ["2.25.777", None]
    assert found.collection["SegmentedStudies"].tolist() == [1]
    assert found.collection["SegmentLabels"].tolist() == ["Lesion"]
    nothing = with_pointers(tables, features=pd.DataFrame(), regions=pd.DataFrame())
    assert nothing.collection["SegmentedStudies"].tolist() == [0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"data_use": ["DUO:9999999"]}, "no data-use condition of EUCAIM: DUO:9999999"),
        ({"data_use": []}, "at least 1 item"),
    ],
)
def test_unknown_conditions_are_refused_by_the_registry(change: dict[str, object], told: str) -> None:
    agreement = make_entry(SOURCE).agreement.model_dump(mode="json") | change
    with pytest.raises(ValueError, match=told):
        SourceEntry.model_validate(make_entry(SOURCE).model_dump(mode="json") | {"agreement": agreement})
