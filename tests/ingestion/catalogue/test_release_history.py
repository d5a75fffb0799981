"""Releases over time, and what is made from stored ones: on a real PostgreSQL and two folder stores."""

import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from made_sources import MadeSource, World, make_entry, make_registry, make_source
from sqlalchemy import text

from ingestion.accounting.database import engine_of
from ingestion.catalogue import release as release_module
from ingestion.catalogue import tables as t
from ingestion.catalogue.exports.omop import COLUMNS, ConceptsUnusableError, read_concepts, write_omop
from ingestion.catalogue.exports.public import public_documents
from ingestion.catalogue.exports.record_level import FileDamagedError, RecordTables, TableMissingError
from ingestion.catalogue.exports.s5cmd import SeriesUnknownError, manifest_lines
from ingestion.catalogue.exports.validation import violations
from ingestion.catalogue.exports.view import ReleaseView
from ingestion.catalogue.migrate import upgrade
from ingestion.catalogue.rebuild import rebuild
from ingestion.catalogue.release import build_release
from ingestion.catalogue.release_diff import Change, SeriesChange, diff_releases, series_rows
from ingestion.catalogue.release_manifest import read_release
from ingestion.catalogue.release_tables import provenance_of
from ingestion.catalogue.resolve import SeriesNotReleasedError, resolve_series
from ingestion.catalogue.writer import read
from ingestion.commands.catalogue_export import Format, check_record, ended, write_list, write_public, write_tables
from ingestion.sources.registry import Registry, SourceEntry
from ingestion.storage.folder import FolderStore

pytestmark = pytest.mark.stack
TODAY = dt.date(2026, 11, 24)
FIRST, SECOND = "TEST-LUNG-01", "TEST-LUNG-02"
V1, V2, V3 = "2026.11.1", "2026.11.2", "2026.11.3"


def entries() -> tuple[SourceEntry, SourceEntry]:
    agreement = make_entry(SECOND).agreement.model_dump(mode="json") | {"access_mode": "download"}
    return make_entry(FIRST), make_entry(SECOND, agreement=agreement)


@pytest.fixture
def registry() -> Registry:
    return make_registry(*entries())


def made(source_id: str, patients: int = 12) -> MadeSource:
    source = make_source(source_id, patients=patients, series=1)
    return replace(source, entry=dict(zip((FIRST, SECOND), entries(), strict=True))[source_id])


def revised(source: MadeSource, *, without: int = 0) -> MadeSource:
    """The first series has another instance less; the last ``without`` series are gone."""
    first = replace(source.manifests[0], instances=source.manifests[0].instances[:-1])
    return replace(source, manifests=[first, *source.manifests[1 : len(source.manifests) - without]])


def three_releases(world: World) -> World:
    """Three releases: the second with a series revised and one retired, the third with it back and a new one."""
    registry = make_registry(*entries())
    world.publish(made(FIRST))
    world.publish(made(SECOND))
    build(world, registry)
    world.publish(revised(made(FIRST), without=1))
    build(world, registry)
    world.publish(revised(made(FIRST, patients=13)))
    build(world, registry)
    return world


@pytest.fixture
def own(world: World) -> World:
    """Three releases that the test may change."""
    return three_releases(world)


@pytest.fixture(scope="module")
def three(
    new_database: Callable[[], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Three releases for tests that only read."""
    folder = tmp_path_factory.mktemp("releases")
    with new_database() as url:
        upgrade(url)
        engine = engine_of(url)
        yield three_releases(World(engine, FolderStore(folder / "research"), FolderStore(folder / "internal")))
        engine.dispose()


def build(world: World, registry: Registry) -> str:
    return build_release(world.engine, world.research, world.internal, registry, today=TODAY).version


def uid(patient: int) -> str:
    return f"2.25.{patient}0101"


def test_series_tell_in_which_releases_they_are(three: World) -> None:
    def releases(version: str, source_id: str) -> dict[str, tuple[str | None, ...]]:
        body = three.research.read(f"releases/{version}/series/{source_id}.parquet")
        rows = pq.read_table(io.BytesIO(body)).to_pylist()
        return {
            row["SeriesInstanceUID"]: (row["FirstRelease"], row["RevisedRelease"], row["LastRelease"]) for row in rows
        }

    assert set(releases(V1, FIRST).values()) == {(V1, V1, None)}
    second = releases(V2, FIRST)
    assert second[uid(1)] == (V1, V2, None)
    assert second[uid(2)] == (V1, V1, None)
    assert uid(12) not in second
    third = releases(V3, FIRST)
    assert third[uid(1)] == (V1, V2, None)
    assert third[uid(12)] == (V1, V1, None)
    assert third[uid(13)] == (V3, V3, None)
    rows = read(three.engine, t.series, source_id=FIRST).set_index("SeriesInstanceUID")
    assert tuple(rows.loc[uid(13)][["FirstRelease", "RevisedRelease"]]) == (V3, V3)
    members = read(three.engine, t.release_series)
    assert members["LastRelease"].isna().all()
    assert read(three.engine, t.release)["Version"].tolist() == [V1, V2, V3]


def test_the_diff_counts_and_names_what_changed(three: World) -> None:
    assert diff_releases(three.research, V1, V2).series == (SeriesChange(FIRST, added=0, revised=1, retired=1),)
    rows = list(series_rows(three.research, V1, V2))
    assert [(row.SeriesInstanceUID, row.change) for row in rows] == [
        (uid(1), Change.REVISED), (uid(12), Change.RETIRED),
    ]  # fmt: skip
    assert rows[0].manifest_before != rows[0].manifest_after
    assert rows[1].manifest_after is None
    assert [row.change for row in series_rows(three.research, V2, V3)] == [Change.ADDED, Change.ADDED]
    assert list(series_rows(three.research, V3, V3)) == []


def test_any_series_resolves_at_any_version(three: World) -> None:
    for version in (V1, V2, V3):
        for file in read_release(three.research, version).files:
            if file.table == "series":
                body = three.research.read(f"releases/{version}/{file.path}")
                held = pq.read_table(io.BytesIO(body), columns=["SeriesInstanceUID"]).to_pylist()
                for row in held:
                    found = resolve_series(three.research, row["SeriesInstanceUID"], version=version)
                    [mine] = [one for one in found if one.source_id == file.source_id]
                    assert mine.version == version
                    assert mine.instances
    assert [len(one.instances) for one in resolve_series(three.research, uid(1)) if one.source_id == FIRST] == [4, 3, 3]
    with pytest.raises(SeriesNotReleasedError, match="without --release"):
        resolve_series(three.research, "2.25.9", version=V2)


def test_a_dropped_database_is_made_again_from_the_buckets(own: World, registry: Registry, postgres_url: str) -> None:
    tables = (t.publication, *t.ROW_TABLES, *t.RELEASE_TABLES)
    before = {table.name: read(own.engine, table) for table in tables}
    with own.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA cie CASCADE"))
    upgrade(postgres_url)
    rebuild(own.engine, own.research, own.internal, registry)
    for table in tables:
        after = read(own.engine, table)
        assert before[table.name].equals(after), table.name
        assert table is t.publication or len(after) > 0, table.name
    assert build(own, registry) == V3  # nothing new to release


def test_public_formats_are_the_same_from_the_stored_release(three: World) -> None:
    for version in (V1, V3):
        for document in public_documents(ReleaseView.read(three.research, version)):
            assert three.research.read(f"releases/{version}/{document.path}") == document.body, document.path
        assert violations(check_record(three.research, version)) == ()


def test_every_row_has_its_rights_and_every_file_its_making(three: World) -> None:
    for file in read_release(three.research, V3).files:
        if file.table is None:
            continue
        body = three.research.read(f"releases/{V3}/{file.path}")
        rows = pq.read_table(io.BytesIO(body))
        assert set(rows.column("DataUse").to_pylist()) <= {"DUO:0000007,DUO:0000028"}, file.path
        assert "PersonKey" not in rows.column_names
        said = provenance_of(body)
        assert said["table"] == file.table
        if file.source_id:
            assert {"publication", "state", "registry_entry", "tables_version"} <= said.keys()
            assert set(rows.column("AccessMode").to_pylist()) <= {
                {FIRST: "remote_processing", SECOND: "download"}[file.source_id]
            }


def test_files_are_sorted_and_compressed_with_statistics(three: World) -> None:
    for table in t.ROW_TABLES[1:]:
        file = pq.ParquetFile(io.BytesIO(three.research.read(f"releases/{V3}/{table.name}/{FIRST}.parquet")))
        keys = [column.name for column in table.primary_key.columns]
        rows = file.read(columns=keys).to_pylist()
        assert rows == sorted(rows, key=lambda row: [row[name] for name in keys]), table.name
        column = file.metadata.row_group(0).column(0)
        assert (column.compression, column.statistics.has_min_max) == ("ZSTD", True)
        assert [one.column_index for one in file.metadata.row_group(0).sorting_columns] == [
            file.schema_arrow.get_field_index(name) for name in keys
        ]


def test_people_in_two_collections_count_once(
    world: World, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source_id in (FIRST, SECOND):
        source = made(source_id)
        state = source.state()
        with_people = [
            replace(entry, facts={"people": [f"digest-{number}"]}) if entry.manifest_version else entry
            for number, entry in enumerate(state.series)
        ]
        known = replace(state, series=tuple(with_people))
        monkeypatch.setattr(source, "state", lambda known=known: known)
        world.publish(source)
    build(world, registry)
    [release] = read(world.engine, t.release).to_dict("records")
    assert (release["Patients"], release["People"]) == (24, 12)
    assert read_release(world.research, V1).people == 12


def test_withdrawn_sources_leave_the_next_release(own: World) -> None:
    first, second = entries()
    agreement = first.agreement.model_dump(mode="json") | {"withdrawn_on": TODAY.isoformat()}
    registry = make_registry(make_entry(FIRST, agreement=agreement), second)
    release = build_release(own.engine, own.research, own.internal, registry, today=TODAY)
    assert release.sources == (SECOND,)
    assert release.excluded == ((FIRST, "withdrawn on 2026-11-24"),)
    members = read(own.engine, t.release_series, source_id=FIRST)
    assert set(members["LastRelease"]) == {V3}
    assert set(read(own.engine, t.series, source_id=FIRST)["LastRelease"]) == {V3}


def test_publishing_while_a_release_is_built_fails_neither(
    world: World, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish(made(FIRST))
    world.publish(made(SECOND))
    draft = release_module._draft

    def publish_meanwhile(*arguments: Any, **named: Any) -> Any:
        found = draft(*arguments, **named)
        world.publish(made(FIRST, patients=14))
        return found

    monkeypatch.setattr(release_module, "_draft", publish_meanwhile)
    assert build(world, registry) == V1
    first = read(world.engine, t.series, source_id=FIRST).set_index("SeriesInstanceUID")["FirstRelease"]
    assert first[uid(1)] == V1
    assert first[[uid(13), uid(14)]].isna().all()
    monkeypatch.undo()
    assert build(world, registry) == V2
    first = read(world.engine, t.series, source_id=FIRST).set_index("SeriesInstanceUID")["FirstRelease"]
    assert (first[uid(1)], first[uid(14)]) == (V1, V2)


def test_terms_narrowed_in_the_registry_hold_at_the_next_release(own: World) -> None:
    first, second = entries()
    agreement = second.agreement.model_dump(mode="json") | {
        "access_mode": "remote_processing", "data_use": ["DUO:0000021"],
    }  # fmt: skip
    registry = make_registry(first, make_entry(SECOND, agreement=agreement))
    version = build(own, registry)
    for table in ("series", "feature"):
        rows = pq.read_table(io.BytesIO(own.research.read(f"releases/{version}/{table}/{SECOND}.parquet")))
        assert set(rows.column("AccessMode").to_pylist()) == {"remote_processing"}
        assert set(rows.column("DataUse").to_pylist()) == {"DUO:0000021"}
    shown = {row["source_id"]: row for row in ReleaseView.read(own.research, version).rows}
    assert shown[SECOND]["AccessMode"] == "remote_processing"


def test_s5cmd_lists_only_what_may_be_downloaded(three: World, tmp_path: Path) -> None:
    written, kept_in = write_list(three.research, V3, tmp_path, bucket="cie-research", series=None, secure=False)
    assert kept_in == (FIRST,)
    assert written == {tmp_path / "series.s5cmd": 12 * 4}
    told, *lines = (tmp_path / "series.s5cmd").read_text().splitlines()
    assert told.startswith(f"# {FIRST}: 13 series not listed: their access mode is remote_processing") and "@" in told
    assert lines[0] == f"cp s3://cie-research/dicom/{SECOND}/{uid(1)}/0.dcm ./{SECOND}/{uid(1)}/".replace(
        f"{uid(1)}/", f"{min(uid(number) for number in range(1, 13))}/"
    )
    written, kept_in = write_list(three.research, V3, tmp_path, bucket="b", series=None, secure=True)
    assert (sum(written.values()), kept_in) == (12 * 4 + 12 * 4 + 3, ())
    tables = RecordTables.of(three.research, V3)
    assert len(list(manifest_lines(tables, bucket="b", series=[uid(13)]))) == 4
    with pytest.raises(SeriesUnknownError, match=r"not in release 2026\.11\.3"):
        list(manifest_lines(tables, bucket="b", series=["2.25.9"]))


@pytest.mark.parametrize("secure", [False, True])
def test_nothing_of_a_withdrawn_source_is_handed_out_of_any_release(three: World, tmp_path: Path, secure: bool) -> None:
    """Earlier releases stay, and hold it; whoever asks for a list or tables of one does not get it."""
    first, second = entries()
    agreement = second.agreement.model_dump(mode="json") | {"withdrawn_on": TODAY.isoformat()}
    over = ended(three.research, V3, make_registry(first, make_entry(SECOND, agreement=agreement)), TODAY)
    assert over == {SECOND: f"withdrawn on {TODAY.isoformat()}"}
    _, kept_in = write_list(
        three.research, V3, tmp_path, bucket="b", series=None, secure=secure, without=over
    )  # fmt: skip
    lines = (tmp_path / "series.s5cmd").read_text().splitlines()
    assert SECOND in kept_in and not any(SECOND in line for line in lines if not line.startswith("#"))
    assert any(line.startswith(f"# {SECOND}: 12 series") and "withdrawn on" in line for line in lines)
    write_tables(three.research, V3, tmp_path / "omop", concepts=None, secure=secure, without=over)
    people = (tmp_path / "omop" / "person.csv").read_text()
    assert SECOND not in people and FIRST in people
    assert ended(three.research, V3, make_registry(first, second), TODAY) == {}


def test_omop_tables_refer_to_each_other(three: World, tmp_path: Path) -> None:
    counts = write_omop(RecordTables.of(three.research, V3), tmp_path / "a")
    write_omop(RecordTables.of(three.research, V3), tmp_path / "b")
    rows = {}
    for name, columns in COLUMNS.items():
        body = (tmp_path / "a" / f"{name}.csv").read_bytes()
        assert body == (tmp_path / "b" / f"{name}.csv").read_bytes()
        rows[name] = list(csv.DictReader(io.StringIO(body.decode())))
        assert len(rows[name]) == counts[tmp_path / "a" / f"{name}.csv"] > 0, name
        assert not rows[name] or tuple(rows[name][0]) == columns
    assert len(rows["image_occurrence"]) == 13 + 12
    persons = {row["person_id"]: row["person_source_value"] for row in rows["person"]}
    images = {row["image_occurrence_id"]: row for row in rows["image_occurrence"]}
    procedures = {row["procedure_occurrence_id"] for row in rows["procedure_occurrence"]}
    assert {row["procedure_occurrence_id"] for row in images.values()} == procedures
    measured = {row["measurement_id"]: row for row in rows["measurement"]}
    for row in rows["image_feature"]:
        assert images[row["image_occurrence_id"]]["person_id"] == row["person_id"]
        assert measured[row["image_feature_event_id"]]["person_id"] == row["person_id"]
    assert persons[images["1"]["person_id"]].startswith(FIRST)
    values = read(three.engine, t.feature)["Value"].notna().sum()
    assert len(measured) == values


def test_lists_name_the_objects_of_the_release_and_none_beside_them(three: World, tmp_path: Path) -> None:
    """The folder of a series also holds the instance that the second release has no more."""
    lines = {}
    for version in (V1, V2):
        write_list(three.research, version, tmp_path / version, bucket="b", series=None, secure=True)
        text_of = (tmp_path / version / "series.s5cmd").read_text()
        lines[version] = {line.split()[1] for line in text_of.splitlines() if f"/{FIRST}/{uid(1)}/" in line}
        [held] = [one for one in resolve_series(three.research, uid(1), version=version) if one.source_id == FIRST]
        assert lines[version] == {f"s3://b/{item.key}" for item in held.instances}
    assert lines[V2] < lines[V1]
    [prefix] = (
        read(three.engine, t.series, source_id=FIRST).set_index("SeriesInstanceUID").loc[[uid(1)], "series_prefix"]
    )
    assert all(f"/{prefix}" in line for line in lines[V1]), "one folder for both, so it is no list of a release"


def test_omop_tells_places_only_of_what_may_be_downloaded(three: World, tmp_path: Path) -> None:
    tables = RecordTables.of(three.research, V3)
    for secure in (False, True):
        write_omop(tables, tmp_path / str(secure), secure=secure)
        with (tmp_path / str(secure) / "image_occurrence.csv").open(newline="") as file:
            images = {row["image_series_uid"]: row["local_path"] for row in csv.DictReader(file)}
        kept_in = set(tables.read("series", FIRST, ("SeriesInstanceUID",))["SeriesInstanceUID"])
        open_ = set(tables.read("series", SECOND, ("SeriesInstanceUID",))["SeriesInstanceUID"])
        assert all(images[one] for one in open_ - kept_in)
        assert all(bool(images[one]) is secure for one in kept_in - open_)


def test_omop_concepts_are_filled_from_the_vocabulary(three: World, tmp_path: Path) -> None:
    concepts = tmp_path / "CONCEPT.csv"
    concepts.write_text(
        "concept_id\tconcept_name\tvocabulary_id\tconcept_code\n"
        "4300757\tComputed tomography\tDICOM\tCT\n4299862\tChest\tSNOMED\t816094009\n1\tother\tLOINC\tCT\n"
    )
    write_omop(RecordTables.of(three.research, V3), tmp_path / "out", read_concepts(concepts))
    [first, *_] = list(csv.DictReader((tmp_path / "out" / "image_occurrence.csv").open()))
    assert (first["modality_concept_id"], first["anatomic_site_concept_id"]) == ("4300757", "4299862")
    concepts.write_text("id,name\n1,x\n")
    with pytest.raises(ConceptsUnusableError, match="OHDSI"):
        read_concepts(concepts)


def test_a_release_changed_by_hand_or_too_old_is_refused(own: World) -> None:
    tables = RecordTables.of(own.research, V1)
    with pytest.raises(TableMissingError, match="build a release"):
        tables.read("nothing", FIRST)
    file = own.research.root / "releases" / V1 / "series" / f"{FIRST}.parquet"
    file.chmod(0o644)
    file.write_bytes(b"changed")
    with pytest.raises(FileDamagedError, match="by hand"):
        tables.read("series", FIRST)


def test_written_files_are_those_of_the_release(three: World, tmp_path: Path) -> None:
    for kind in (Format.DCAT, Format.SCHEMA_ORG, Format.CROISSANT, Format.DATACITE):
        for path in write_public(three.research, V2, kind, tmp_path):
            stored = three.research.read(f"releases/{V2}/{path.relative_to(tmp_path).as_posix()}")
            assert path.read_bytes() == stored
    said = json.loads((tmp_path / "datacite.json").read_text())
    assert said["relatedIdentifiers"][-1]["relatedIdentifier"] == f"urn:cie:release:{V1}"
