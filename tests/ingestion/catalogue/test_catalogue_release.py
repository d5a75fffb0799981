"""Releases, on a real PostgreSQL and two folder stores."""

import datetime as dt
import hashlib
import io
import json

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from made_sources import World, make_entry, make_registry, make_source
from rdflib import Graph, URIRef, namespace
from sqlalchemy import select

from ingestion.catalogue import tables as t
from ingestion.catalogue.exports.names import EUCAIM, HEALTHDCATAP
from ingestion.catalogue.release import Release, build_release
from ingestion.catalogue.release_diff import SeriesChange, diff_releases
from ingestion.catalogue.release_manifest import (
    UnknownReleaseError,
    VersionError,
    list_releases,
    parse_version,
    read_release,
)
from ingestion.catalogue.suppression import SMALL_COUNT, frequent_values, public_collections
from ingestion.catalogue.writer import read
from ingestion.sources.registry import Registry
from ingestion.storage.numbered import append

pytestmark = pytest.mark.stack
TODAY = dt.date(2026, 11, 24)
DQV = "http://www.w3.org/ns/dqv#"
MANDATORY = (
    *(
        URIRef(f"{namespace.DCTERMS}{name}")
        for name in ("identifier", "title", "description", "accessRights", "publisher", "provenance")
    ),
    *(URIRef(f"{namespace.DCAT}{name}") for name in ("version", "contactPoint", "theme", "keyword", "distribution")),
)
SIGNED, UNSIGNED, EMPTY, SMALL = "TEST-LUNG-01", "TEST-LUNG-02", "TEST-LUNG-03", "TEST-LUNG-04"


@pytest.fixture
def registry() -> Registry:
    return make_registry(make_entry(SIGNED), make_entry(UNSIGNED, signed_on=None), make_entry(EMPTY), make_entry(SMALL))


@pytest.fixture
def published(world: World) -> World:
    world.publish(make_source(SIGNED))
    world.publish(make_source(UNSIGNED, signed_on=None))
    world.publish(make_source(SMALL, patients=3, series=1))
    return world


def build(world: World, registry: Registry, *, today: dt.date = TODAY, version: str | None = None) -> Release:
    return build_release(world.engine, world.research, world.internal, registry, today=today, version=version)


def release_keys(world: World) -> list[str]:
    return [stored.key for store in (world.research, world.internal) for stored in store.list("releases/")]


def test_release_holds_the_rows_of_signed_sources_only(published: World, registry: Registry) -> None:
    release = build(published, registry)
    assert release.version == "2026.11.1"
    assert release.sources == (SIGNED, SMALL)
    assert release.excluded == ((UNSIGNED, "agreement not signed"), (EMPTY, "nothing published yet"))
    assert release.rows["series"] == 12 + 3
    assert release.objects_written == len(release_keys(published))
    assert not [key for key in release_keys(published) if UNSIGNED in key]
    body = published.research.read(f"releases/2026.11.1/series/{SIGNED}.parquet")
    found = pq.read_table(io.BytesIO(body))
    assert found.column("SeriesInstanceUID").to_pylist() == sorted(
        read(published.engine, t.series, source_id=SIGNED)["SeriesInstanceUID"]
    )
    group = pq.ParquetFile(io.BytesIO(body)).metadata.row_group(0).column(0)
    assert group.compression == "ZSTD"
    assert group.statistics.has_min_max


def test_the_manifest_names_every_object_with_its_checksum(published: World, registry: Registry) -> None:
    build(published, registry)
    manifest = read_release(published.research, "2026.11.1")
    stored = {stored.key.removeprefix("releases/2026.11.1/") for stored in published.research.list("releases/")}
    assert stored == {file.path for file in manifest.files} | {"manifest.json"}
    for file in manifest.files:
        body = published.research.read(f"releases/2026.11.1/{file.path}")
        assert (hashlib.sha256(body).hexdigest(), len(body)) == (file.sha256, file.size)


def test_an_equal_release_is_not_written_again(published: World, registry: Registry) -> None:
    first = build(published, registry)
    keys = release_keys(published)
    again = build(published, registry, today=TODAY + dt.timedelta(days=40))
    assert (again.version, again.objects_written) == (first.version, 0)
    assert release_keys(published) == keys


def test_a_changed_source_makes_the_next_release_and_the_diff_says_what(published: World, registry: Registry) -> None:
    build(published, registry)
    published.publish(make_source(SIGNED, patients=7))
    second = build(published, registry)
    assert second.version == "2026.11.2"
    found = diff_releases(published.research, "2026.11.1", "2026.11.2")
    assert found.series == (SeriesChange(SIGNED, added=2, revised=0, retired=0),)
    assert {change.source_id for change in found.tables} == {SIGNED}
    written = json.loads(published.research.read("releases/2026.11.2/diff.json"))
    assert written["before"] == "2026.11.1"
    assert written["series"] == [{"source_id": SIGNED, "added": 2, "revised": 0, "retired": 0}]
    assert diff_releases(published.research, "2026.11.2", "2026.11.2").empty
    assert [release.version for release in list_releases(published.research)] == ["2026.11.1", "2026.11.2"]


@pytest.mark.parametrize(
    ("today", "reason"),
    [
        (dt.date(2024, 12, 31), "agreement not in force before 2025-01-01"),
        (dt.date(2030, 1, 2), "agreement ended on 2030-01-01"),
    ],
)
def test_agreements_outside_their_term(published: World, registry: Registry, today: dt.date, reason: str) -> None:
    release = build(published, registry, today=today)
    assert release.sources == ()
    assert (SIGNED, reason) in release.excluded


def test_a_source_that_left_the_registry_is_left_out(published: World) -> None:
    release = build(published, make_registry(make_entry(SMALL)))
    assert release.sources == (SMALL,)
    assert (SIGNED, "not in the registry") in release.excluded


def test_small_counts_are_public_nowhere_and_exact_inside(published: World, registry: Registry) -> None:
    published.publish(make_source(SIGNED, patients=24))
    build(published, registry)
    public = pq.read_table(io.BytesIO(published.research.read("releases/2026.11.1/collection.parquet"))).to_pandas()
    exact = pq.read_table(io.BytesIO(published.internal.read("releases/2026.11.1/collection.parquet"))).to_pandas()
    small = public.set_index("source_id").loc[SMALL]
    for name in ("NumberOfPatients", "NumberOfStudies", "NumberOfSeries", "AgeMinimum", "Sexes", "FirstStudyDate"):
        assert pd.isna(small[name]), name
    assert exact.set_index("source_id").loc[SMALL]["NumberOfPatients"] == 3
    large = public.set_index("source_id").loc[SIGNED]
    assert (large["NumberOfPatients"], large["AgeMinimum"], large["AgeMaximum"]) == (20, 60.0, 65.0)
    graph = Graph().parse(data=published.research.read("releases/2026.11.1/dcat.ttl"), format="turtle")
    counts = {
        str(who).rsplit(":", 1)[-1]: int(count)
        for who, count in graph.subject_objects(HEALTHDCATAP.numberOfUniqueIndividuals)
    }
    assert counts == {SIGNED: 20, SMALL: SMALL_COUNT}


def test_suppression_threshold() -> None:
    frame = pd.DataFrame(
        {"NumberOfPatients": [0, 1, SMALL_COUNT - 1, SMALL_COUNT], "AgeMinimum": [None, 33.0, 33.0, 33.0]}
    )
    for name in ("IndividualsDeclared", "StudiesDeclared", "SeriesDeclared", "NumberOfStudies", "NumberOfSeries"):
        frame[name] = 100
    frame = frame.assign(AgeMaximum=frame["AgeMinimum"], Sexes="F", FirstStudyDate="20200101", LastStudyDate="20200101")
    public = public_collections(frame)
    assert public["NumberOfPatients"].isna().tolist() == [False, True, True, False]
    assert public["Sexes"].isna().tolist() == [False, True, True, False]
    assert public["AgeMaximum"].iloc[3] == 35.0


def test_values_of_a_few_people_are_not_in_the_public_row() -> None:
    many = SMALL_COUNT + 2
    patients = pd.DataFrame({"PatientID": [f"p{at}" for at in range(many)], "PatientSex": ["F"] * (many - 1) + ["O"]})
    series = patients[["PatientID"]].assign(
        Modality=["CT"] * (many - 1) + ["PT"], BodyPart="Chest, Abdomen and Pelvis", ManufacturerName=None
    )
    twice = pd.concat([series, series[series["Modality"] == "PT"]] * SMALL_COUNT)  # many series of one person
    assert frequent_values(patients, twice) == {
        "Sexes": "F", "Modalities": "CT", "BodyParts": "Chest, Abdomen and Pelvis", "Manufacturers": None,
    }  # fmt: skip


def test_of_a_few_people_the_public_row_says_what_is_declared() -> None:
    exact = pd.DataFrame(
        {"source_id": ["A", "B"], "NumberOfPatients": [3, 50], "CancerType": "colon", "ModalitiesDeclared": "MR",
         "Modalities": "CT,SEG", "BodyParts": "Chest", "Manufacturers": "Canon", "SegmentLabels": "Tumour",
         "TransferSyntaxes": "1.2.840.10008.1.2", "InstancesSHA256": "a" * 64, "AgeMinimum": 40.0, "AgeMaximum": 60.0,
         "Sexes": "F", "FirstStudyDate": "20200101", "LastStudyDate": "20200101"}
    )  # fmt: skip
    few, many = public_collections(exact).to_dict("records")
    assert (few["Modalities"], few["BodyParts"]) == ("MR", "Colon")
    hidden = ("Manufacturers", "SegmentLabels", "TransferSyntaxes", "InstancesSHA256", "Sexes", "AgeMinimum")
    assert all(pd.isna(few[name]) and not pd.isna(many[name]) for name in hidden)
    assert (many["Modalities"], many["BodyParts"]) == ("CT,SEG", "Chest")


def test_dcat_describes_each_collection(published: World, registry: Registry) -> None:
    build(published, registry)
    turtle = Graph().parse(data=published.research.read("releases/2026.11.1/dcat.ttl"), format="turtle")
    json_ld = Graph().parse(data=published.research.read("releases/2026.11.1/dcat.jsonld"), format="json-ld")
    assert set(turtle) == set(json_ld)
    datasets = set(turtle.objects(None, namespace.DCAT.dataset))
    assert datasets == {URIRef(f"urn:cie:collection:{source_id}") for source_id in (SIGNED, SMALL)}
    for dataset in datasets:
        for mandatory in MANDATORY:
            assert (dataset, mandatory, None) in turtle
        rights = {
            str(right)
            for right in turtle.objects(turtle.value(dataset, namespace.DCAT.distribution), namespace.DCTERMS.rights)
        }
        assert "http://purl.obolibrary.org/obo/DUO_0000007" in rights
        assert any(right.endswith("#REMOTE_PROCESSING") for right in rights)


def test_the_certificate_of_the_judgement_shown_is_in_the_record(published: World, registry: Registry) -> None:
    with published.engine.connect() as connection:
        query = select(t.publication.c.QualityKey).where(t.publication.c.source_id == SIGNED)
        shown = connection.execute(query).scalar_one()
    certificate = (
        f"<urn:cie:collection:{SIGNED}> <{DQV}hasQualityAnnotation> <urn:cie:collection:{SIGNED}#certificate-1> ."
    )
    published.internal.create(f"quality/{SIGNED}/run/certificate.ttl", certificate.encode())
    for results, tier in ((shown, 2), ("quality/other.parquet", 3)):
        said = {"results_key": results, "report_key": f"quality/{SIGNED}/run/report.html", "tier": tier}
        append(published.internal, f"judgements/{SIGNED}/", json.dumps(said).encode())
    release = build(published, registry)
    body = published.research.read(f"releases/{release.version}/dcat.ttl")
    graph = Graph().parse(data=body, format="turtle")
    dataset = URIRef(f"urn:cie:collection:{SIGNED}")
    assert graph.value(dataset, EUCAIM.interoperabilityLevel) == EUCAIM["SPEC1000011"]
    assert graph.value(dataset, URIRef(f"{DQV}hasQualityAnnotation")) == URIRef(f"{dataset}#certificate-1")
    other = URIRef(f"urn:cie:collection:{SMALL}")
    assert graph.value(other, EUCAIM.interoperabilityLevel) == EUCAIM["SPEC1000009"]


def test_a_broken_build_leaves_no_release_and_its_number_unused(published: World, registry: Registry) -> None:
    published.research.create(f"releases/2026.11.1/series/{SIGNED}.parquet", b"left by a build that broke off")
    assert list_releases(published.research) == ()
    assert build(published, registry).version == "2026.11.2"


def test_chosen_versions(published: World, registry: Registry) -> None:
    with pytest.raises(VersionError, match=r"YYYY\.MM\.N"):
        build(published, registry, version="v1")
    assert build(published, registry, version="2026.12.7").version == "2026.12.7"
    published.publish(make_source(SIGNED, patients=7))
    with pytest.raises(VersionError, match="taken"):
        build(published, registry, version="2026.12.7")
    with pytest.raises(UnknownReleaseError, match=r"2026\.12\.7"):
        read_release(published.research, "2020.01.1")


def test_versions_are_ordered_by_number() -> None:
    assert sorted(["2026.11.10", "2026.11.9", "2026.2.1".replace(".2.", ".02.")], key=parse_version) == [
        "2026.02.1", "2026.11.9", "2026.11.10",
    ]  # fmt: skip
    with pytest.raises(VersionError):
        parse_version("2026.13.1")


def test_duckdb_reads_a_release(published: World, registry: Registry) -> None:
    build(published, registry)
    pattern = str(published.research.root / "releases" / "2026.11.1" / "series" / "*.parquet")
    with duckdb.connect() as connection:
        found = connection.execute("SELECT BodyPart, count(*) FROM read_parquet(?) GROUP BY 1", [pattern]).fetchall()
    assert found == [("Chest", 15)]
