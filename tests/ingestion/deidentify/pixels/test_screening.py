"""Lettering over the body of scanner images: seen by the screen, confirmed by the detector, held back by the series."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import InstanceState, Reason
from ingestion.deidentify.folder import FolderOutcome, deidentify_folder
from ingestion.deidentify.instance import InstanceDeidentifier
from ingestion.deidentify.pixels import Look, PixelDecision, PixelPolicy, assess_pixels, clean_burned_in, find_detector
from ingestion.deidentify.pixels.boxes import Box, mask_of
from ingestion.deidentify.pixels.decision import parse_boxes
from ingestion.deidentify.pixels.display import header_window, window_of
from ingestion.deidentify.pixels.screening import screen_parts
from ingestion.deidentify.pixels.series_memory import SeriesMemory
from ingestion.deidentify.pixels.text_screen import (
    CELL,
    Rejected,
    Suspect,
    TextScreen,
    find_screen,
    runs,
    suspects,
    two_looks,
)
from ingestion.deidentify.policy import load_policy
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms
from ingestion.storage.folder import FolderStore
from tests.ingestion.deidentify.pixels.pictures import dataset_of, slice_of_body, written_and_read
from tests.ingestion.deidentify.pixels.planting import Way, ink_of, written
from tests.ingestion.deidentify.test_sync_faults import Inline

CT = str(uid.CTImageStorage)
WINDOW = (-160.0, 240.0)
KEY = SourceKey("MADE-UP", bytes(range(32)))
NAME = "MUSTERMANN, ERIKA"
WHITE, FAINT = Way("white"), Way("faint", step=60)


def ct(pixels: NDArray[np.generic], **attributes: object) -> Dataset:
    shown = {"WindowCenter": 40, "WindowWidth": 400}
    return dataset_of(pixels, sop_class=CT, modality="CT", **(shown | attributes))  # type: ignore[arg-type]


def lettered(
    *, height: int, way: Way = WHITE, smooth: bool = True, seed: int = 1, size: int = 512
) -> NDArray[np.integer]:
    """A name over the body."""
    plane = slice_of_body(size, seed=seed)
    ink = ink_of(NAME, plane.shape, left=size // 4, top=size // 2, height=height, smooth=smooth, font="STIXGeneral.ttf")
    return written(plane, ink, way, WINDOW)


def refused(dataset: Dataset) -> InstanceRefusedError:
    with pytest.raises(InstanceRefusedError) as found:
        clean_burned_in(dataset, assess_pixels(dataset, CT), policy=PixelPolicy(), detector=find_detector())
    return found.value


@pytest.mark.parametrize("height", [12, 16, 20, 40])
def test_smoothed_lettering_over_the_body_is_held_back_with_its_box(height: int) -> None:
    found = refused(ct(lettered(height=height)))
    assert (found.reason, found.rule) == (Reason.BURNED_IN_ANNOTATION, "pixels.text_found")
    told = parse_boxes(found.detail.removeprefix("text is likely at "))
    ink = ink_of(NAME, (512, 512), left=128, top=256, height=height, smooth=True, font="STIXGeneral.ttf") > 0.5
    assert mask_of(told, rows=512, columns=512)[ink].mean() > 0.9


@pytest.mark.parametrize("way", [FAINT, Way("half", alpha=0.5), Way("dark", step=-60)])
def test_faint_lettering_too(way: Way) -> None:
    assert refused(ct(lettered(height=20, way=way))).rule == "pixels.text_found"


def test_white_lettering_in_a_radiograph_stored_inverted_and_large() -> None:
    plane = 4000 - lettered(height=40, size=1600).astype(np.int32)
    dataset = dataset_of(
        plane.astype(np.uint16),
        sop_class=str(uid.DigitalXRayImageStorageForPresentation),
        modality="DX",
        photometric="MONOCHROME1",
    )
    with pytest.raises(InstanceRefusedError, match=r"pixels\.text_found"):
        clean_burned_in(
            dataset, assess_pixels(dataset, dataset.SOPClassUID), policy=PixelPolicy(), detector=find_detector()
        )


@pytest.mark.parametrize("seed", range(4))
def test_bodies_go_on(seed: int) -> None:
    dataset = ct(slice_of_body(512, seed=seed))
    evidence = clean_burned_in(dataset, assess_pixels(dataset, CT), policy=PixelPolicy(), detector=find_detector())
    assert (evidence.look, evidence.blanked) == (Look.SCREEN, ())
    assert evidence.to_json()["screen"].startswith("likely_text ")


def test_what_stands_faintly_in_every_frame_adds_up() -> None:
    """The mean of frames of noise is the lettering alone."""
    ink = ink_of(NAME, (256, 256), left=40, top=120, height=18, smooth=True, font="cmss10.ttf")
    rng, memory = np.random.default_rng(4), SeriesMemory()
    for _ in range(12):
        plane = np.round(rng.normal(1000, 60, (256, 256)) + 45 * ink).astype(np.int16)
        looks = two_looks(plane, (700.0, 1300.0), inverted=False)
        memory.add(looks, find_screen().look(looks))
    found = memory.lettering(find_screen(), find_detector())
    assert mask_of([text.box for text in found], rows=256, columns=256)[ink > 0.5].mean() > 0.8


def test_bodies_together_show_nothing() -> None:
    memory = SeriesMemory()
    screen_parts([ct(slice_of_body(256, seed=seed)) for seed in range(6)], detector=find_detector(), memory=memory)
    assert memory.lettering(find_screen(), find_detector()) == ()


def test_bands_of_a_tall_picture_are_seen_as_the_whole_is(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = two_looks(np.random.default_rng(1).integers(0, 4000, (600, 160)), (0.0, 4000.0), inverted=False)
    whole = find_screen().look(looks)
    monkeypatch.setattr("ingestion.deidentify.pixels.text_screen.BAND", 128)
    assert np.allclose(find_screen().look(looks), whole, atol=1e-4)


def test_a_run_of_cells_counts_across_and_down() -> None:
    logits = np.full((20, 30), -6.0, np.float32)
    logits[5, 10:13] = 3
    logits[12:15, 20] = 3
    logits[17, 3] = 8  # one cell alone
    places = [found.box for found in suspects(runs(logits), rows=160, columns=240) if found.level > 2]
    assert len(places) == 2
    assert runs(logits)[17, 3] < 0
    assert all(box.width >= CELL and box.height >= CELL for box in places)


def test_a_place_that_was_rejected_is_looked_at_again_only_when_more_suspicious() -> None:
    def seen(level: float, *, across: int = 10) -> list[Suspect]:
        logits = np.full((20, 30), -6.0, np.float32)
        logits[5, across : across + 5] = level
        return list(suspects(runs(logits), rows=160, columns=240, above=rejected.above()))

    rejected = Rejected()
    (suspect,) = seen(1.0)
    rejected.add(suspect)
    assert not seen(1.2)
    assert seen(1.5)
    assert seen(1.0, across=20)
    assert [found.box.right > 128 for found in seen(1.0, across=12)] == [True]  # what sticks out of it


@pytest.mark.parametrize(
    ("attributes", "window"),
    [
        ({"WindowCenter": 40, "WindowWidth": 400}, (-160, 240)),
        ({"WindowCenter": [40, 600], "WindowWidth": [400, 1500], "RescaleSlope": 2, "RescaleIntercept": -1000},
         (420, 620)),
        ({"WindowCenter": 40}, None),
        ({"WindowCenter": 40, "WindowWidth": 0}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_window_of_the_header(attributes: dict[str, object], window: tuple[float, float] | None) -> None:
    dataset = dataset_of(slice_of_body(32), sop_class=CT, modality="CT", **attributes)  # type: ignore[arg-type]
    assert header_window(written_and_read(dataset)) == window


def test_a_window_that_shows_nothing_of_the_picture_is_not_taken() -> None:
    plane = np.arange(10_000).reshape(100, 100)
    low, high = window_of(plane, (50_000.0, 60_000.0))
    assert 0 <= low < 500 and 9_500 < high < 10_000
    assert window_of(plane, (2_000.0, 3_000.0)) == (2_000.0, 3_000.0)


def folder_with(folder: Path, planes: list[NDArray[np.integer]]) -> Path:
    folder.mkdir()
    for number, plane in enumerate(planes):
        dataset = ct(plane, PatientID="P1", PatientName="Muster^A", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.4")
        dataset.SOPInstanceUID = f"1.2.5.{number + 1}"
        dataset.InstanceNumber = number + 1
        dataset.BodyPartExamined = "CHEST"
        dataset = written_and_read(dataset)
        pydicom.dcmwrite(folder / f"{number:03}.dcm", dataset)
    return folder


def processed(source: Path, target: Path) -> FolderOutcome:
    return deidentify_folder(
        source, key=KEY, policy=load_policy("platform-default"), target=FolderStore(target), fanout=Inline()
    )


def test_one_lettered_slice_holds_back_its_series_and_nothing_is_written(tmp_path: Path) -> None:
    planes = [slice_of_body(256, seed=seed) for seed in range(5)]
    planes[3] = lettered(height=16, size=256, seed=3)
    outcome = processed(folder_with(tmp_path / "in", planes), tmp_path / "out")
    states = [item.state for item in outcome.outcomes[0].instances]
    assert states == [InstanceState.QUARANTINED] * 5
    rules = sorted(item.refusal.rule for item in outcome.outcomes[0].instances if item.refusal)
    assert rules == ["pixels.text_beside"] * 4 + ["pixels.text_found"]
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_series_without_lettering_goes_through(tmp_path: Path) -> None:
    planes = [slice_of_body(256, seed=seed) for seed in range(5)]
    outcome = processed(folder_with(tmp_path / "in", planes), tmp_path / "out")
    assert outcome.counts.accepted == 5
    again = processed(tmp_path / "in", tmp_path / "out")
    assert again.outcomes[0].manifest_version == outcome.outcomes[0].manifest_version


def test_a_decision_about_the_lettered_slice_lets_the_others_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What `cie quarantine decide` records comes back as the object's decision."""
    planes = [slice_of_body(256, seed=seed) for seed in range(5)]
    planes[3] = lettered(height=16, size=256, seed=3)
    source = folder_with(tmp_path / "in", planes)
    from dataclasses import replace

    from ingestion.deidentify import folder as module

    first = processed(source, tmp_path / "first").outcomes[0]
    lettered_one = next(i.object_hash for i in first.instances if i.refusal and i.refusal.rule == "pixels.text_found")
    real = module.TaskObject

    def decided(item: object, *rest: object) -> object:
        made = real(item, *rest)  # type: ignore[arg-type]
        if made.inventory.object_hash == lettered_one:
            return replace(made, pixels=PixelDecision((Box(60, 120, 190, 30),)))
        return made

    monkeypatch.setattr(module, "TaskObject", decided)
    outcome = processed(source, tmp_path / "out")
    assert outcome.counts.accepted == 5


def test_an_instance_alone_is_screened_too() -> None:
    dataset = written_and_read(
        ct(lettered(height=16), PatientID="P1", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.4")
    )
    out = BytesIO()
    dataset.SOPInstanceUID = "1.2.5"
    pydicom.dcmwrite(out, dataset)
    deidentifier = InstanceDeidentifier(load_policy("platform-default"), Pseudonyms(KEY))
    with pytest.raises(InstanceRefusedError, match=r"pixels\.text_found"):
        deidentifier.deidentify(out.getvalue())


def test_without_the_screen_scanner_images_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> TextScreen | None:
        return None

    monkeypatch.setattr("ingestion.deidentify.pixels.screening.find_screen", none)
    assert refused(ct(slice_of_body(64))).rule == "pixels.no_detector"
