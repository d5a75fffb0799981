"""A series that a quality check leaves out: kept in the catalogue, not in the release, listed with its reason."""

import datetime as dt
import io
import json

import pandas as pd
import pytest
from made_sources import MadeSource, World, make_entry, make_features, make_registry, make_source, put_source

from ingestion.catalogue import tables as t
from ingestion.catalogue.frames import store_features, store_frame
from ingestion.catalogue.rebuild import publish_source, rebuild
from ingestion.catalogue.release import Release, build_release
from ingestion.catalogue.release_diff import diff_releases
from ingestion.catalogue.release_manifest import ReleaseManifest, SeriesExclusion, read_release
from ingestion.catalogue.rows import ManifestsIncompleteError
from ingestion.catalogue.writer import read

pytestmark = pytest.mark.stack
SOURCE, OTHER, WHY = "TEST-LUNG-01", "TEST-LUNG-02", "image_frames_differ"


def quality_of(made: MadeSource, bad: set[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "SeriesInstanceUID": one.SeriesInstanceUID,
            "QualityStatus": "error" if one.SeriesInstanceUID in bad else "passed",
            "QualityFlags": WHY if one.SeriesInstanceUID in bad else None,
            "LeftOutBecause": WHY if one.SeriesInstanceUID in bad else None,
        }
        for one in made.manifests
    )


def publish(world: World, made: MadeSource, bad: set[str]) -> None:
    put_source(world.research, world.internal, made)
    series, regions = make_features(made)
    series_key, regions_key = store_features(world.research, made.entry.id, series=series, regions=regions)
    key = store_frame(world.internal, f"quality/{made.entry.id}", quality_of(made, bad), name="/series")
    publish_source(
        world.engine, world.research, world.internal, made.entry, quality_key=None, features_series_key=series_key,
        features_regions_key=regions_key, series_quality_key=key,
    )  # fmt: skip


def build(world: World) -> Release:
    registry = make_registry(make_entry(SOURCE), make_entry(OTHER))
    return build_release(world.engine, world.research, world.internal, registry, today=dt.date(2026, 11, 24))


def released(world: World, table: str, version: str = "2026.11.1") -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(world.research.read(f"releases/{version}/{table}/{SOURCE}.parquet")))


@pytest.fixture
def made() -> MadeSource:
    return make_source(SOURCE)


def test_catalogue_series_are_those_released_and_those_left_out(world: World, made: MadeSource) -> None:
    bad = {made.manifests[0].SeriesInstanceUID, made.manifests[5].SeriesInstanceUID}
    publish(world, made, bad)
    world.publish(make_source(OTHER))
    release = build(world)
    kept = read(world.engine, t.series, source_id=SOURCE)
    assert set(kept[kept["QualityStatus"] == "error"]["SeriesInstanceUID"]) == bad
    assert len(kept) == len(made.manifests)
    assert set(released(world, "series")["SeriesInstanceUID"]) == set(kept["SeriesInstanceUID"]) - bad
    manifest = read_release(world.research, release.version)
    assert set(manifest.series_left_out) == {SeriesExclusion(SOURCE, uid, WHY) for uid in bad}
    assert len(kept) == len(released(world, "series")) + len(manifest.series_left_out)
    assert dict(release.series_left_out) == {SOURCE: 2}
    assert ReleaseManifest.from_json(manifest.to_json()) == manifest


def test_what_is_counted_is_counted_of_what_is_released(world: World, made: MadeSource) -> None:
    gone = [one for one in made.manifests if one.PatientID == made.manifests[0].PatientID]
    bad = {one.SeriesInstanceUID for one in gone}
    publish(world, made, bad)
    build(world)
    series, study, patient = (released(world, name) for name in ("series", "study", "patient"))
    assert gone[0].PatientID not in set(patient["PatientID"])
    assert int(patient["NumberOfSeries"].sum()) == int(study["NumberOfSeries"].sum()) == len(series)
    exact = pd.read_parquet(io.BytesIO(world.internal.read("releases/2026.11.1/collection.parquet"))).iloc[0]
    assert exact["NumberOfSeries"] == len(made.manifests) - len(bad) == len(series)
    assert exact["NumberOfPatients"] == len(patient)
    assert exact["NumberOfInstances"] == int(series["NumberOfInstances"].sum())
    # what was delivered stays what it was: the accounting is of the source, not of the release
    assert exact["Accepted"] == sum(len(one.instances) for one in made.manifests)
    for name in ("feature", "segmentation"):
        frame = released(world, name)
        for column in {"SeriesInstanceUID", "ImageSeriesInstanceUID"} & set(frame.columns):
            assert not set(frame[column]) & bad, (name, column)


def test_the_difference_says_what_was_left_out_and_what_came_back(world: World, made: MadeSource) -> None:
    first, second = (made.manifests[number].SeriesInstanceUID for number in (0, 1))
    for bad in ({first}, {second}):
        publish(world, made, bad)
        build(world)
    found = diff_releases(world.research, "2026.11.1", "2026.11.2")
    assert found.series_left_out == (SeriesExclusion(SOURCE, second, WHY),)
    assert found.series_let_in == (SeriesExclusion(SOURCE, first, WHY),)
    assert not found.empty
    told = json.loads(world.research.read("releases/2026.11.2/diff.json"))
    assert [one["SeriesInstanceUID"] for one in told["series_left_out"]] == [second]
    assert build(world).objects_written == 0


def test_a_series_that_is_gone_is_not_let_in_again(world: World, made: MadeSource) -> None:
    """Left out by quality, and then held back before or withdrawn with its source: it is in no release."""
    publish(world, made, {made.manifests[0].SeriesInstanceUID})
    world.publish(make_source(OTHER))
    build(world)
    publish(world, MadeSource(made.entry, made.manifests[1:]), set())
    build(world)
    assert diff_releases(world.research, "2026.11.1", "2026.11.2").series_let_in == ()
    registry = make_registry(make_entry(OTHER))
    build_release(world.engine, world.research, world.internal, registry, today=dt.date(2026, 11, 24))
    assert diff_releases(world.research, "2026.11.1", "2026.11.3").series_let_in == ()


def test_a_source_of_which_nothing_is_left_still_releases(world: World, made: MadeSource) -> None:
    publish(world, made, {one.SeriesInstanceUID for one in made.manifests})
    release = build(world)
    assert len(released(world, "series")) == len(released(world, "patient")) == 0
    assert dict(release.series_left_out) == {SOURCE: len(made.manifests)}


def test_status_survives_a_rebuild_and_must_be_of_the_same_series(world: World, made: MadeSource) -> None:
    publish(world, made, {made.manifests[0].SeriesInstanceUID})
    before = read(world.engine, t.series)
    rebuild(world.engine, world.research, world.internal, make_registry(make_entry(SOURCE)))
    pd.testing.assert_frame_equal(read(world.engine, t.series), before)
    short = MadeSource(made.entry, made.manifests[1:])
    key = store_frame(world.internal, f"quality/{SOURCE}", quality_of(short, set()), name="/series")
    with pytest.raises(ManifestsIncompleteError, match="quality results"):
        publish_source(
            world.engine, world.research, world.internal, made.entry, quality_key=None, features_series_key=None,
            features_regions_key=None, series_quality_key=key,
        )  # fmt: skip
