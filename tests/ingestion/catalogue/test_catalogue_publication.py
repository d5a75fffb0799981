"""Publishing, replacing and rebuilding, on a real PostgreSQL."""

from dataclasses import replace

import pandas as pd
import pytest
from made_sources import (
    MadeSource,
    World,
    make_entry,
    make_features,
    make_manifest,
    make_quality,
    make_registry,
    make_source,
    put_source,
)
from sqlalchemy import func, select, text

from ingestion.accounting.database import LedgerError
from ingestion.catalogue import tables as t
from ingestion.catalogue.publication import PublicationError, make_publication, publish, read_latest_publication
from ingestion.catalogue.rebuild import NothingToPublishError, publish_source, read_content, rebuild
from ingestion.catalogue.writer import read, replace_source
from ingestion.storage import ObjectMissingError

pytestmark = pytest.mark.stack
FIRST, SECOND = "TEST-LUNG-01", "TEST-LUNG-02"


def all_rows(world: World) -> dict[str, pd.DataFrame]:
    return {table.name: read(world.engine, table) for table in (t.publication, *t.ROW_TABLES)}


def assert_same(before: dict[str, pd.DataFrame], after: dict[str, pd.DataFrame]) -> None:
    for name, frame in before.items():
        pd.testing.assert_frame_equal(frame, after[name], obj=name)


def test_published_rows_are_those_built(world: World) -> None:
    made = make_source(FIRST)
    result = world.publish(made)
    assert result.written
    content = read_content(world.research, world.internal, result.published.publication)
    for name in ("patient", "study", "series"):
        pd.testing.assert_frame_equal(read(world.engine, getattr(t, name)), getattr(content.tables, name))
    assert result.rows.by_table == {
        "collection": 1, "patient": 6, "study": 6, "series": 12, "quality": 2, "segmentation": 1,
        "instance_manifest": 48, "lineage": 5, "quarantine": 3,
        # Of each series Status, IrregularSteps and Pixels, of all but the last Mean; of the region two numbers.
        "feature": 12 * 3 + 11 + 2,
    }  # fmt: skip


def test_quality_and_features_keep_what_they_say(world: World) -> None:
    made = make_source(FIRST)
    world.publish(made)
    quality = read(world.engine, t.quality)
    assert quality["Rule"].tolist() == ["modality_present", "age_plausible"]
    assert quality["Share"].tolist() == [1.0, pytest.approx(5 / 6)]
    assert quality["Other"].tolist() == [{"rule_version": "1"}, {"rule_version": "2"}]
    region = read(world.engine, t.segmentation).iloc[0]
    assert (region["SegmentLabel"], region["Status"], region["Other"]) == (
        "Lesion",
        "measured",
        {"SuvRefusal": "not a PET", "Unit": "HU"},
    )
    features = read(world.engine, t.feature).set_index(["Level", "RowNumber", "Feature"])
    volume = features.loc[("region", 0, "VolumeMm3")]
    assert (volume["Value"], volume["Unit"]) == (27.0, "HU")
    assert volume["SeriesInstanceUID"] == made.manifests[0].SeriesInstanceUID
    assert features.loc[("series", 11, "Status")]["Text"] == "refused"
    assert features.loc[("series", 3, "IrregularSteps")]["Value"] == 0.0
    assert ("series", 11, "Mean") not in features.index


def test_publishing_the_same_again_writes_nothing(world: World) -> None:
    made = make_source(FIRST)
    world.publish(made)
    before = all_rows(world)
    keys = [stored.key for stored in world.internal.list()]
    again = world.publish(made)
    assert (again.written, again.rows.total, again.published.number) == (False, 0, 1)
    assert [stored.key for stored in world.internal.list()] == keys
    assert_same(before, all_rows(world))


def test_a_changed_source_replaces_only_its_own_rows(world: World) -> None:
    world.publish(make_source(FIRST))
    world.publish(make_source(SECOND))
    second_before = {table.name: read(world.engine, table, source_id=SECOND) for table in t.ROW_TABLES}
    result = world.publish(make_source(FIRST, patients=2))
    assert (result.written, result.published.number) == (True, 2)
    assert len(read(world.engine, t.patient, source_id=FIRST)) == 2
    assert_same(second_before, {table.name: read(world.engine, table, source_id=SECOND) for table in t.ROW_TABLES})


def test_a_changed_registry_entry_is_published(world: World) -> None:
    world.publish(make_source(FIRST))
    made = make_source(FIRST, project="Renamed")
    assert world.publish(made).written
    assert read(world.engine, t.collection)["Project"].tolist() == ["Renamed"]


def test_rebuild_gives_the_same_rows(world: World) -> None:
    world.publish(make_source(FIRST))
    world.publish(make_source(SECOND), with_results=False)
    world.publish(make_source(FIRST, patients=5))
    before = all_rows(world)
    with world.engine.begin() as connection:
        for table in (t.publication, *t.ROW_TABLES):
            connection.execute(table.delete())
    registry = make_registry(make_entry(FIRST, project="changed since, but not published"), make_entry(SECOND))
    counts = rebuild(world.engine, world.research, world.internal, registry)
    assert list(counts) == [FIRST, SECOND]
    assert_same(before, all_rows(world))


def test_rebuild_replaces_spoilt_rows_and_drops_sources_without_publication(world: World) -> None:
    world.publish(make_source(FIRST))
    before = all_rows(world)
    with world.engine.begin() as connection:
        connection.execute(text("""UPDATE cie.series SET "Modality" = 'spoilt'"""))
        connection.execute(text("""UPDATE cie.publication SET source_id = 'GONE-01' WHERE FALSE"""))
        connection.execute(
            text("""INSERT INTO cie.publication SELECT 'GONE-01', "Number", 'x', "StateNumber", "StateDigest", NULL,
                    NULL, NULL, "EntryDigest", "TablesVersion" FROM cie.publication""")
        )
    rebuild(world.engine, world.research, world.internal, make_registry(make_entry(FIRST)))
    assert_same(before, all_rows(world))


def test_a_failing_write_leaves_the_old_rows(world: World) -> None:
    made = make_source(FIRST)
    world.publish(made)
    before = all_rows(world)
    changed = MadeSource(make_entry(FIRST), [make_manifest(FIRST)])
    put_source(world.research, world.internal, changed)
    named = make_publication(
        changed.entry, 2, changed.state(), quality_key=None, features_series_key=None, features_regions_key=None
    )
    content = read_content(world.research, world.internal, named)
    twice = replace(content.tables, series=pd.concat([content.tables.series] * 2))
    series, regions = make_features(changed)
    stored, _ = publish(world.internal, named)
    with pytest.raises(LedgerError, match="nothing of it was kept") as caught:
        replace_source(
            world.engine, FIRST, twice, quality=make_quality(FIRST), features_series=series, features_regions=regions,
            publication=stored,
        )  # fmt: skip
    assert "2.25" not in str(caught.value)
    assert_same(before, all_rows(world))


def test_nothing_is_published_that_cannot_be_read_back(world: World) -> None:
    made = make_source(FIRST)
    with pytest.raises(NothingToPublishError):
        publish_source(
            world.engine, world.research, world.internal, made.entry, quality_key=None, features_series_key=None,
            features_regions_key=None,
        )  # fmt: skip
    put_source(world.research, world.internal, made)
    with pytest.raises(ObjectMissingError):
        publish_source(
            world.engine, world.research, world.internal, made.entry, quality_key="quality/none/results.parquet",
            features_series_key=None, features_regions_key=None,
        )  # fmt: skip
    assert read_latest_publication(world.internal, FIRST) is None
    with world.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(t.series)).scalar_one() == 0


def test_a_state_changed_by_hand_is_noticed(world: World) -> None:
    result = world.publish(make_source(FIRST))
    wrong = replace(result.published.publication, state_digest="0" * 24)
    with pytest.raises(PublicationError, match="changed by hand"):
        read_content(world.research, world.internal, wrong)


def test_publication_survives_json(world: World) -> None:
    result = world.publish(make_source(FIRST))
    latest = read_latest_publication(world.internal, FIRST)
    assert latest == result.published
    assert latest is not None
    assert latest.publication.digest == result.published.publication.digest
    assert latest.publication.registry_entry == make_entry(FIRST)
