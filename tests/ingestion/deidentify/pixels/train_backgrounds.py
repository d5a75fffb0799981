"""What the screen was trained on: public volumes, public files of half of the series, pictures made by code.

Volumes: lung1, brain1 and breast1 of the ``data`` folder of pyradiomics 3.0.1 (its source distribution on PyPI), the T1
template that the nilearn 0.14 wheel carries. lung2, brain2 and the other half of the series are kept for measuring.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom.errors
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.pixels import iter_pixels
from scipy.ndimage import gaussian_filter

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.deidentify.pixels import Look, assess_pixels
from ingestion.deidentify.pixels.display import Window, header_window
from ingestion.dicom.guard import PARSER_ERRORS

TEMPLATE = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
CUT_THREE_WAYS = ("brain1", "lung1", "mni")
MOST_OF_A_SERIES = 12
MODALITIES = ("CT", "MR", "PT", "NM", "CR", "DX", "MG", "XA")
HALVES = 2


def volume(folder: Path, name: str) -> NDArray[np.int16]:
    """One volume as (slices, rows, columns)."""
    file = folder / (TEMPLATE if name == "mni" else f"{name}_image.nrrd")
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(file)))
    if array.dtype.kind == "f":
        array = array / array.max() * 3000
    return array.astype(np.int16)


def slices(folder: Path, names: tuple[str, ...]) -> Iterator[tuple[str, NDArray[np.int16]]]:
    """Slices of volumes, of some in all three directions, each with its kind."""
    for name in names:
        array = volume(folder, name)
        kind = "ct" if name.startswith("lung") else "mr"
        ways = [array[::2] if name == "lung1" else array]
        if name in CUT_THREE_WAYS:
            ways += [array.transpose(1, 0, 2)[::4], array.transpose(2, 0, 1)[::4]]
        for way in ways:
            for plane in way:
                if plane.max() > plane.min() and min(plane.shape) >= 40:
                    yield kind, np.ascontiguousarray(plane)


def half_of(series_uid: str) -> int:
    """0: for training; 1: kept for measuring."""
    return int(hashlib.sha256(series_uid.encode()).hexdigest(), 16) % HALVES


def scanner_images(
    folders: list[Path], *, most: int, frames: int
) -> Iterator[tuple[str, str, Path, NDArray[np.integer], Window | None, bool]]:
    """Modality, series, file, frame, window and whether it is inverted, of what scanners made and no hint speaks of."""
    taken: dict[str, int] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        try:
            dataset = pydicom.dcmread(path)
            if dataset.get("Modality") not in MODALITIES or "PixelData" not in dataset:
                continue
            if assess_pixels(dataset, str(dataset.SOPClassUID)).look is not Look.SCREEN:
                continue
            series = str(dataset.get("SeriesInstanceUID"))
            taken[series] = taken.get(series, 0) + 1
            if taken[series] > most:
                continue
            for number, frame in enumerate(iter_pixels(dataset, raw=True)):
                if number < frames:
                    plane = frame if frame.ndim == 2 else frame.max(axis=2)
                    inverted = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
                    yield str(dataset.Modality), series, path, plane, header_window(dataset), inverted
        except (InstanceRefusedError, pydicom.errors.InvalidDicomError, RuntimeError, OSError, *PARSER_ERRORS):
            continue  # no image, or none that can be decoded: nothing to learn from


def made(rng: np.random.Generator, side: int = 200) -> NDArray[np.float32]:
    """Noise, textures, speckle, blobs, gratings, lines and circles: what is not lettering."""
    kind = rng.integers(6)
    y, x = np.mgrid[:side, :side] - side / 2
    if kind == 0:
        picture = rng.normal(0, 1, (side, side)) * rng.uniform(1, 40) + 100
    elif kind == 1:
        picture = gaussian_filter(rng.normal(0, 1, (side, side)), rng.uniform(0.6, 3))
        picture = picture / picture.std() * rng.uniform(5, 60) + 100
    elif kind == 2:
        picture = gaussian_filter(rng.rayleigh(1, (side, side)), rng.uniform(0.5, 1.5)) * 70
    elif kind == 3:
        picture = np.zeros((side, side))
        for _ in range(rng.integers(3, 40)):
            middle_x, middle_y = rng.uniform(-side / 2, side / 2, 2)
            radius, stretch = rng.uniform(1, 25), rng.uniform(0.5, 2)
            inside = ((x - middle_x) / stretch) ** 2 + (y - middle_y) ** 2 < radius**2
            picture += rng.uniform(-80, 120) * inside
        picture = gaussian_filter(picture, rng.uniform(0.3, 1.5)) + rng.normal(0, rng.uniform(0, 12), (side, side))
    elif kind == 4:
        pitch, turn = rng.uniform(0.05, 0.8), rng.uniform(0, np.pi)
        picture = 60 * np.sin(pitch * (x * np.cos(turn) + y * np.sin(turn)))
        picture += rng.normal(0, rng.uniform(0, 15), (side, side))
        if rng.random() < 0.4:
            picture = np.sign(picture) * 60
        if rng.random() < 0.3:
            picture = np.maximum(picture, 60 * np.sin(pitch * (x * np.sin(turn) - y * np.cos(turn))))
    else:
        layer = Image.new("L", (side, side), 0)
        draw = ImageDraw.Draw(layer)
        for _ in range(rng.integers(2, 16)):
            ends = [int(value) for value in rng.integers(0, side, 4)]
            draw.line(ends, fill=int(rng.integers(60, 255)), width=int(rng.integers(1, 5)))
        for _ in range(rng.integers(0, 6)):
            (a, b), r = (int(value) for value in rng.integers(0, side, 2)), int(rng.integers(3, 40))
            draw.ellipse((a - r, b - r, a + r, b + r), outline=int(rng.integers(60, 255)))
        picture = gaussian_filter(np.asarray(layer).astype(float), rng.uniform(0, 1.2))
        picture += rng.normal(0, rng.uniform(0, 10), (side, side))
    return (picture * 10).astype(np.float32)
