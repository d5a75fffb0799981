"""One pass over a series: what is wrong is found, nothing is silent, what was examined is not examined again."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from defects.series import ct_series, enhanced, mr_series
from defects.shim import SOURCE, Stored, encoded, failing
from PIL import Image

from ingestion.accounting.source_state import Counts, SeriesEntry, SourceState
from ingestion.accounting.states import SeriesState
from ingestion.fanout import Crashed, Done
from ingestion.storage.folder import FolderStore
from quality_checks.examination import Examination, examination_key
from quality_checks.imaging.geometry import Geometry
from quality_checks.imaging.task import examine_source


def in_process(function: Any, tasks: Sequence[Any]) -> Iterator[Done[Any, Any]]:
    for task in tasks:
        yield Done(task, function(task))


def crashing(function: Any, tasks: Sequence[Any]) -> Iterator[Crashed[Any]]:
    for task in tasks:
        yield Crashed(task)


def stored_source(tmp_path: Path, series: Sequence[Stored]) -> tuple[FolderStore, FolderStore, SourceState]:
    research, internal = FolderStore(tmp_path / "research"), FolderStore(tmp_path / "internal")
    for one in series:
        for key, body in one.bodies.items():
            research.create(key, body)
        research.create(one.manifest.key, one.manifest.to_json())
    entries = tuple(
        SeriesEntry(one.manifest.SeriesInstanceUID, SeriesState.COMPLETE, one.manifest.version, Counts(), {})
        for one in series
    )
    return research, internal, SourceState(SOURCE, entries)


def test_an_examination_says_where_it_lies_also_with_companions(tmp_path: Path) -> None:
    """Who compares thumbnails finds them by what the examination says of itself."""
    stored = [Stored(encoded(ct_series(slices=3))), Stored(encoded(mr_series(slices=3)))]
    research, internal, state = stored_source(tmp_path, stored)
    manifests = [one.manifest for one in stored]
    found = examine_source(state, manifests, research=research, internal=internal, run=in_process)
    assert any("-" in one.rules_digest for one in found)  # the study's first series is judged against the other
    for one in found:
        key = examination_key(one.source_id, one.SeriesInstanceUID, one.manifest_version, one.rules_digest)
        assert Examination.from_json(internal.read(key)) == one


def test_a_sound_series_is_described_and_has_no_fault() -> None:
    found = Stored(encoded(ct_series(slices=9))).examine()
    assert failing(found) == set()
    assert found.figures["frames"] == 9 and found.figures["geometry"] == "volume"
    assert found.pixel_digest is not None and len(found.frame_hashes) == 5 and found.thumbnail
    assert Examination.from_json(found.to_json()) == found


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"])
def test_the_order_of_files_and_their_encoding_do_not_change_what_is_seen(syntax: str) -> None:
    datasets = ct_series(slices=5)
    bodies = encoded(datasets)
    found = Stored(bodies).examine()
    for dataset in datasets:
        pixels = dataset.PixelData
        dataset.compress(syntax)
        assert dataset.PixelData != pixels
    other = Stored(encoded(datasets)[::-1]).examine()
    assert (other.pixel_digest, other.frame_hashes) == (found.pixel_digest, found.frame_hashes)
    turned = Stored(bodies[1:] + bodies[:1]).examine()
    assert turned.pixel_digest == found.pixel_digest


def test_one_other_pixel_is_another_image() -> None:
    datasets = ct_series(slices=3)
    before = Stored(encoded(datasets)).examine()
    pixels = np.frombuffer(datasets[1].PixelData, "<u2").copy()
    pixels[7] += 1
    datasets[1].PixelData = pixels.tobytes()
    assert Stored(encoded(datasets)).examine().pixel_digest != before.pixel_digest


def test_what_was_examined_is_read_back(tmp_path: Path) -> None:
    one = Stored(encoded(ct_series(slices=3)))
    research, internal, state = stored_source(tmp_path, [one])
    first = examine_source(state, [one.manifest], research=research, internal=internal, run=in_process)

    def never(function: Any, tasks: Sequence[Any]) -> Iterator[Done[Any, Any]]:
        assert not tasks
        yield from ()

    again = examine_source(state, [one.manifest], research=research, internal=internal, run=never)
    assert again == first and len(list(internal.list("examinations/"))) == 1
    full = examine_source(state, [one.manifest], research=research, internal=internal, run=in_process, full=True)
    assert full == first


def test_a_worker_that_dies_leaves_a_fault(tmp_path: Path) -> None:
    one = Stored(encoded(ct_series(slices=3)))
    research, internal, state = stored_source(tmp_path, [one])
    (found,) = examine_source(state, [one.manifest], research=research, internal=internal, run=crashing)
    assert failing(found) == {"image_decodes"}
    assert not list(internal.list("examinations/"))


def test_an_object_that_is_gone_or_changed_is_a_fault(tmp_path: Path) -> None:
    one = Stored(encoded(ct_series(slices=4)))
    key = one.manifest.instances[0].key
    one.bodies[key] = one.bodies[key][:-10]
    assert failing(one.examine()) == {"image_unchanged", "image_pixels_whole", "image_decodes"}
    research, internal, state = stored_source(tmp_path, [one])
    (tmp_path / "research" / one.manifest.instances[1].key).unlink()
    (found,) = examine_source(state, [one.manifest], research=research, internal=internal, run=in_process)
    unchanged = next(outcome for outcome in found.outcomes if outcome.rule_id == "image_unchanged")
    assert (unchanged.judged, unchanged.failing) == (4, 2)


def test_a_hostile_header_is_a_fault_and_no_exception() -> None:
    datasets = ct_series(slices=4)
    datasets[1]["Rows"].value = [64, 0]
    found = Stored(encoded(datasets)).examine()
    assert {"image_decodes", "image_pixels_whole"} & failing(found)
    assert found.pixel_digest is None  # of half a series, nothing is the same image


def test_a_check_that_trips_over_a_value_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def trips(self: Geometry) -> None:
        raise TypeError("a value")

    monkeypatch.setattr(Geometry, "outcomes", trips)
    found = Stored(encoded(ct_series(slices=3))).examine()
    opens = next(outcome for outcome in found.outcomes if outcome.rule_id == "image_opens")
    assert opens.failing == 1 and "TypeError" in opens.faults[0].detail


def picture(found: Examination) -> np.ndarray:
    assert found.thumbnail is not None
    return np.asarray(Image.open(BytesIO(base64.b64decode(found.thumbnail))))


def test_boxes_of_burned_in_text_are_black_in_the_thumbnail() -> None:
    one = Stored(encoded(ct_series(slices=3)))
    shown = picture(one.examine())
    boxes = {"blanked": [{"box": [20, 16, 24, 30], "frame": None}]}
    one.manifest = replace(one.manifest, instances=tuple(replace(i, pixels=boxes) for i in one.manifest.instances))
    masked = picture(one.examine())
    assert shown[16:46, 20:44].max() > 100 and masked[16:46, 20:44].max() == 0
    outside = np.ones(shown.shape, bool)
    outside[16:46, 20:44] = False
    assert (shown[outside] == masked[outside]).all()


@pytest.mark.parametrize(
    ("part", "face", "cosines", "shown"),
    [
        ("HEAD", None, [0, 1, 0, 0, 0, -1], False),
        ("HEAD", {"recognizable_visual_features": True}, [0, 1, 0, 0, 0, -1], False),
        ("HEAD", {"recognizable_visual_features": False}, [0, 1, 0, 0, 0, -1], True),
        ("HEAD", {"recognizable_visual_features": True}, [1, 0, 0, 0, 1, 0], True),
        ("KNEE", None, [0, 1, 0, 0, 0, -1], True),
    ],
)
def test_no_likeness_of_a_face_is_shown(
    part: str, face: dict[str, object] | None, cosines: list[int], shown: bool
) -> None:
    datasets = ct_series(slices=1)
    datasets[0].BodyPartExamined, datasets[0].ImageOrientationPatient = part, cosines
    assert (Stored(encoded(datasets), face=face).examine().thumbnail is not None) is shown


def test_the_same_image_in_an_enhanced_object_has_the_same_digest() -> None:
    (multi,) = enhanced(frames=4)
    values = np.frombuffer(multi.PixelData, "<u2").reshape(4, multi.Rows, multi.Columns)
    singles = mr_series(slices=4, size=multi.Rows)
    for at, single in enumerate(singles):
        single.PixelData = values[at].tobytes()
    assert Stored(encoded([multi])).examine().pixel_digest == Stored(encoded(singles)).examine().pixel_digest
