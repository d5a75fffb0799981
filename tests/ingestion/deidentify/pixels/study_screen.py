"""The figures of docs/pixels.md on lettering over anatomy: recall, false alarms, CPU seconds.

Run: python -m tests.ingestion.deidentify.pixels.study_screen VOLUMES FOLDER...
VOLUMES holds lung2 and brain2 of pyradiomics, which the screen was not trained with; FOLDERs hold DICOM files.
"""

# ruff: noqa: T201
from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingestion.deidentify.pixels.boxes import Box
from ingestion.deidentify.pixels.detector import find_detector
from ingestion.deidentify.pixels.display import Window, window_of
from ingestion.deidentify.pixels.screening import lettering
from ingestion.deidentify.pixels.series_memory import SeriesMemory
from ingestion.deidentify.pixels.strokes import count_strokes
from ingestion.deidentify.pixels.text_screen import find_screen, runs, suspects, two_looks
from tests.ingestion.deidentify.pixels.planting import WAYS, Way, ink_of, planted, written
from tests.ingestion.deidentify.pixels.train_backgrounds import half_of, scanner_images, volume

HEIGHTS = (10, 12, 14, 16, 20, 28, 40)
SOFT: Window = (-160.0, 240.0)
LUNG: Window = (-1350.0, 150.0)
Plane = NDArray[np.integer]


def held_out(folder: Path) -> Iterator[tuple[Plane, Window, NDArray[np.bool_]]]:
    """Slices, the window each is shown in, and where the body is."""
    for plane in volume(folder, "lung2")[3::5]:
        yield plane, SOFT, plane > -300
    for plane in volume(folder, "brain2")[1::2]:
        yield plane, window_of(plane, None), plane > np.percentile(plane, 60)


def meets(one: Box, other: Box) -> bool:
    return one.left < other.right and one.right > other.left and one.top < other.bottom and one.bottom > other.top


def recall(folder: Path) -> None:
    """One line on one slice: per cent suspected, and confirmed."""
    print("| way | edges | " + " | ".join(str(height) for height in HEIGHTS) + " |")
    for way in WAYS:
        for smooth in (True, False):
            cells = []
            for height in HEIGHTS:
                rng = np.random.default_rng(height)
                lines = suspected = confirmed = 0
                for plane, window, body in held_out(folder):
                    made = planted(plane, rng, way, height=height, smooth=smooth, window=window, body=body)
                    if made is None:
                        continue
                    drawn, place = made
                    lines += 1
                    looks = two_looks(drawn, window, inverted=False)
                    best = runs(find_screen().look(looks))
                    places = suspects(best, rows=plane.shape[0], columns=plane.shape[1])
                    suspected += any(meets(suspect.box, place) for suspect in places)
                    found = lettering(drawn, window, inverted=False, screen=find_screen(), detector=find_detector())
                    confirmed += any(meets(text.box, place) for text in found)
                cells.append(
                    f"{100 * confirmed / lines:.0f} ({100 * suspected / lines:.0f}; {lines})" if lines else "no room"
                )
            print(f"| {way.name} | {'smoothed' if smooth else 'hard'} | " + " | ".join(cells) + " |", flush=True)


def series_recall(folder: Path) -> None:
    """The same line at the same place of every slice of a series: whether any slice, or the mean, shows it."""
    print("series of 12 slices with one line in all: found of made")
    for way in (Way("white"), Way("half transparent white", alpha=0.5), Way("60 of 255 brighter", step=60)):
        cells = []
        for height in HEIGHTS:
            found = made = 0
            for name, window in (("lung2", SOFT), ("brain2", None)):
                for first in (0, 5, 10):
                    planes = list(volume(folder, name)[first : first + 12])
                    place = _room(planes[0], np.random.default_rng(first + height), height, window)
                    memory, any_slice = SeriesMemory(), False
                    for plane in planes:
                        view = window or window_of(plane, None)
                        drawn = written(plane, place, way, view)
                        texts = lettering(
                            drawn, view, inverted=False, screen=find_screen(), detector=find_detector(), memory=memory
                        )
                        any_slice |= bool(list(texts))
                    found += any_slice or bool(memory.lettering(find_screen(), find_detector()))
                    made += 1
            cells.append(f"{found} of {made}")
        print(f"| {way.name} | " + " | ".join(cells) + " |", flush=True)


def _room(plane: Plane, rng: np.random.Generator, height: int, window: Window | None) -> NDArray[np.float64]:
    body = plane > (-300 if window is SOFT else np.percentile(plane, 60))
    best: tuple[float, NDArray[np.float64]] | None = None
    for _ in range(20):
        left, top = int(rng.integers(0, plane.shape[1] // 2)), int(rng.integers(0, plane.shape[0] - height - 8))
        ink = ink_of("NOWAK, JAN", plane.shape, left=left, top=top, height=height, smooth=True, font="STIXGeneral.ttf")  # type: ignore[arg-type]
        covered = float(body[ink > 0.4].mean()) if (ink > 0.4).any() and not ink[:, -1].any() else 0.0
        if best is None or covered > best[0]:
            best = (covered, ink)
    assert best is not None
    return best[1]


def false_alarms(volumes: Path, folders: list[Path]) -> None:
    """Series held back that show nothing, and what a slice costs."""
    series: dict[str, list[tuple[Plane, Window | None, bool]]] = defaultdict(list)
    names: dict[str, str] = {}
    for modality, uid, path, plane, window, inverted in scanner_images(folders, most=200, frames=200):
        key = f"{modality} {half_of(uid)} {uid[-12:]}"
        series[key].append((plane, window, inverted))
        names.setdefault(key, path.name)
    for name, windows in (("lung1", (SOFT, LUNG)), ("lung2", (SOFT, LUNG)), ("brain1", (None,)), ("brain2", (None,))):
        for window in windows:
            series[f"{name} {window}"] = [(plane, window, False) for plane in volume(volumes, name)]
    held, frames, megapixels, spent, screening, strokes = [], 0, 0.0, 0.0, 0.0, 0.0
    for key, planes in series.items():
        memory, found = SeriesMemory(), []
        start = time.process_time()
        for plane, window, inverted in planes:
            if min(plane.shape) >= 16:
                found += lettering(
                    plane, window, inverted=inverted, screen=find_screen(), detector=find_detector(), memory=memory
                )
        own = len(found)
        found += memory.lettering(find_screen(), find_detector())
        own_spent = time.process_time() - start
        spent += own_spent
        if len(planes) >= 20:
            print(f"{key}: {planes[0][0].shape}, {len(planes)} frames, {own_spent / len(planes) * 1000:.1f} ms a frame")
        start = time.process_time()
        for plane, window, inverted in planes:
            find_screen().look(two_looks(plane, window_of(plane, window), inverted=inverted))
        screening += time.process_time() - start
        start = time.process_time()
        for plane, _, _ in planes:
            count_strokes(plane)
        strokes += time.process_time() - start
        frames += len(planes)
        megapixels += sum(plane.size for plane, _, _ in planes) / 1e6
        if found:
            held.append(key)
            print(f"held: {key} {names.get(key)} {len(planes)} frames, {own} in frames, {found[0]}", flush=True)
    print(f"{len(held)} of {len(series)} series held, {frames} frames, {megapixels:.0f} megapixels")
    per = 0.262 / megapixels * 1000
    print(
        f"ms of CPU per 512 x 512: screen {screening * per:.1f}, second looks {(spent - screening) * per:.1f}, ", end=""
    )
    print(f"strokes {strokes * per:.1f}")


def main() -> None:
    volumes, *folders = (Path(argument) for argument in sys.argv[1:])
    false_alarms(volumes, folders)
    recall(volumes)
    series_recall(volumes)


if __name__ == "__main__":
    main()
