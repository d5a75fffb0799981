from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from scipy.ndimage import gaussian_filter

from ingestion.features.body import body_mask, otsu
from ingestion.features.mr_quality import COLUMNS, is_magnitude, mr_quality
from ingestion.features.noise import LocalNoise
from ingestion.features.series_measures import QUALITY, SeriesMeasures, measure_series
from ingestion.features.settings import FeatureSettings
from ingestion.features.sharpness import blur_effect


def _patient(shape: tuple[int, int] = (128, 160)) -> np.ndarray:
    """HU of a slice: air, fat, soft tissue, two lungs and a spine."""
    row, column = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    picture = np.full(shape, -1000.0)
    picture[(row / 0.75) ** 2 + (column / 0.85) ** 2 < 1] = -90
    picture[(row / 0.65) ** 2 + (column / 0.75) ** 2 < 1] = 45
    for side in (-0.35, 0.35):
        picture[(row / 0.3) ** 2 + ((column - side) / 0.2) ** 2 < 1] = -850
    picture[((row - 0.4) / 0.1) ** 2 + (column / 0.1) ** 2 < 1] = 500
    return picture


def _noise(sigma: float, smooth: float, seed: int, shape: tuple[int, int]) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), smooth)
    return noise * sigma / noise.std()


@pytest.mark.parametrize("sigma", [5, 12, 25, 50])
@pytest.mark.parametrize(("smooth", "low"), [(0.0, 0.93), (0.6, 0.88)])
def test_noise_of_soft_tissue_is_found(sigma: float, smooth: float, low: float) -> None:
    """Within 12 % of the truth, also where reconstruction makes neighbouring pixels alike."""
    noise = LocalNoise()
    for seed in range(6):
        picture = _patient() + _noise(sigma, smooth, seed, (128, 160))
        noise.add(picture.astype(np.float32), None, (0.8, 0.8))
    assert noise.level is not None
    assert low <= noise.level / sigma <= 1.05


def test_noise_needs_soft_tissue() -> None:
    noise = LocalNoise()
    noise.add(np.full((128, 160), -1000, dtype=np.float32), None, (0.8, 0.8))
    assert noise.level is None
    noise.add(_patient().astype(np.float32), np.ones((128, 160), dtype=bool), (0.8, 0.8))
    assert noise.level is None


def test_blur_grows_with_smoothing() -> None:
    picture = np.random.default_rng(1).normal(size=(90, 120))
    found = [blur_effect(gaussian_filter(picture, smooth)) for smooth in (0, 0.7, 1.5, 3)]
    assert found == sorted(found)
    # The value that scikit-image 0.26 gives for this image: its definition is the one meant.
    assert blur_effect(np.add.outer(np.arange(40) % 7, np.arange(50) % 5) ** 2.0) == pytest.approx(0.1586242796058747)
    assert blur_effect(np.zeros((40, 40))) is None
    assert blur_effect(picture[:5]) is None


def test_otsu_splits_two_classes() -> None:
    values = np.concatenate([np.random.default_rng(2).normal(10, 2, 3000), np.random.default_rng(3).normal(60, 5, 500)])
    threshold = otsu(values)
    assert threshold is not None
    assert (values > threshold).sum() == 500
    assert otsu(np.ones(9)) is None


def test_body_is_one_part_without_holes() -> None:
    stack = np.stack([_patient()] * 5).astype(np.float32)
    stack[:, 2:5, 2:5] = 0  # something else in the air
    stack[:, 120:, :] = np.nan
    mask = body_mask(stack, -500)
    assert mask[2, 64, 30:130].all()  # the lungs too
    assert not mask[2, 3, 3]
    assert not mask[:, 120:].any()
    assert not body_mask(np.full((3, 9, 9), -1000, dtype=np.float32), -500).any()


def _measured(slices: list[Dataset], **more: Any) -> SeriesMeasures:
    return measure_series(slices, FeatureSettings(), frames_expected=len(slices), **more)


def test_ct_series(make_ct: Any) -> None:
    stored = np.stack([_patient() + _noise(15, 0.5, k, (128, 160)) + 1000 for k in range(12)]).astype(np.int16)
    slices = make_ct(stored, PixelSpacing=[0.8, 0.8], CTDIvol=7.5, IrradiationEventUID="1.2.3")
    found = _measured(slices)
    inside = (
        np.hypot(*np.mgrid[-1 : 1 : 128 * 1j, -1 : 1 : 160 * 1j] / np.array([0.75, 0.85])[:, None, None]) < 1
    ).mean()
    assert found.values["BodyShare"] == pytest.approx(inside, rel=0.05)
    assert found.values["BodyVolumeMl"] == pytest.approx(inside * 128 * 160 * 12 * 0.8 * 0.8 * 2 / 1000, rel=0.05)
    assert found.values["NoiseLevelHU"] == pytest.approx(15, rel=0.12)
    assert 0 < (found.values["BlurEffect"] or 0) < 1
    assert (found.exposure, found.events) == ({"CTDIvolMGy": 7.5}, ("1.2.3",))
    again = _measured(slices[::-1])
    assert again == found
    assert set(QUALITY) >= set(found.values) - {c for c in found.values if "_" in c or c.startswith(("Perc", "Stand"))}


def _head(seed: int = 0) -> np.ndarray:
    """A magnitude image: two tissues of 300 and 600 in air of noise, its deviation 10 before the magnitude."""
    z, y, x = np.mgrid[-1:1:24j, -1:1:48j, -1:1:48j]
    signal = np.zeros(z.shape)
    signal[(z / 0.8) ** 2 + (y / 0.7) ** 2 + (x / 0.7) ** 2 < 1] = 300
    signal[(z / 0.5) ** 2 + (y / 0.45) ** 2 + (x / 0.45) ** 2 < 1] = 600
    draws = np.random.default_rng(seed).normal(0, 10, (2, *z.shape))
    return np.hypot(signal + draws[0], draws[1]).astype(np.float32)


def test_mr_measures_are_those_of_the_image_made() -> None:
    found = mr_quality(_head())
    assert set(found) == set(COLUMNS)
    assert found["SnrBrightOtsu"] == pytest.approx(60, rel=0.1)
    assert found["SnrDarkOtsu"] == pytest.approx(30, rel=0.1)
    assert found["SnrDietrichBrightOtsu"] == pytest.approx(60, rel=0.1)
    assert found["CjvOtsu"] == pytest.approx(20 / 300, rel=0.1)
    assert found["CnrOtsu"] == pytest.approx(300 / math.sqrt(10**2 * 2 + 6.55**2), rel=0.1)
    assert found["FberOtsu"] == pytest.approx(300**2 / (10 * math.sqrt(2 * math.log(2))) ** 2, rel=0.15)


def test_entropy_focus_criterion() -> None:
    """1 for a uniform image, near 0 for one bright pixel: by MRIQC's formula."""
    uniform, point = np.ones((4, 8, 8), dtype=np.float32), np.zeros((4, 8, 8), dtype=np.float32)
    point[2, 3, 4] = 100
    assert mr_quality(uniform)["Efc"] == pytest.approx(1)
    assert mr_quality(point)["Efc"] == pytest.approx(0, abs=1e-9)
    assert mr_quality(uniform)["SnrBrightOtsu"] is None
    assert mr_quality(np.zeros((2, 3, 4), dtype=np.float32))["Efc"] is None


@pytest.mark.parametrize(
    ("image_type", "component", "ge_type", "expected"),
    [
        (["ORIGINAL", "PRIMARY", "EPI", "NONE"], None, 0, True),
        (["ORIGINAL", "PRIMARY", "EPI", "NONE"], None, 1, False),
        (["ORIGINAL", "PRIMARY", "EPI", "NONE"], None, None, False),
        (["ORIGINAL", "PRIMARY", "M", "ND"], None, None, True),
        (["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"], None, None, True),
        (["ORIGINAL", "PRIMARY", "P", "ND"], None, None, False),
        (["DERIVED", "PRIMARY", "DIFFUSION", "ADC"], None, None, False),
        (["ORIGINAL", "PRIMARY"], "MAGNITUDE", None, True),
        (["ORIGINAL", "PRIMARY", "M"], "PHASE", None, False),
        (None, None, None, False),
    ],
)
def test_magnitude_by_header(image_type: Any, component: Any, ge_type: int | None, expected: bool) -> None:
    assert is_magnitude(image_type, component, ge_type) is expected


MAGNITUDE = {"modality": "MR", "RescaleIntercept": 0, "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]}


def test_mr_series_in_any_order(make_ct: Any) -> None:
    slices = make_ct(_head().astype(np.int16), **MAGNITUDE)
    found = _measured(slices)
    assert found.quality_reason is None
    assert found.values["SnrBrightOtsu"] == pytest.approx(60, rel=0.1)
    assert _measured(slices[::-1]) == found


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P"]}, "not_magnitude"),
        ({"RescaleIntercept": -1000}, "negative_values"),
        ({"ImagePositionPatient": [0, 0, 0]}, "no_single_volume"),
    ],
)
def test_mr_series_without_quality_says_why(make_ct: Any, more: dict[str, Any], reason: str) -> None:
    found = _measured(make_ct(_head().astype(np.int16), **MAGNITUDE | more))
    assert found.quality_reason == reason
    assert not set(COLUMNS) & set(found.values)


def test_ultrasound_in_colour_is_measured_by_its_brightness(make_ct: Any) -> None:
    (dataset,) = make_ct(np.zeros((1, 40, 50), dtype=np.int16), modality="US", SamplesPerPixel=3)
    colour = np.zeros((40, 50, 3), dtype=np.uint8)
    colour[:20, :25] = (255, 0, 0)
    colour[20:, 25:] = (100, 100, 100)
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration, dataset.PixelRepresentation = "RGB", 0, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelData = 8, 8, 7, colour.tobytes()
    found = _measured([dataset])
    assert (found.unit.name, found.pixels) == ("luma", 2000)
    assert found.values["Mean_Q4LE"] == pytest.approx((500 * 76 + 500 * 100) / 2000)
    assert found.values["BlurEffect"] is not None


def test_mammogram(make_ct: Any) -> None:
    (dataset,) = make_ct(np.zeros((1, 64, 64), dtype=np.int16), modality="MG", RescaleIntercept=0, OrganDose="0.0123")
    picture = np.full((64, 64), 4095, dtype=np.int16)  # MONOCHROME1: air is bright
    picture[8:56, :32] = 900
    dataset.PhotometricInterpretation, dataset.BitsStored, dataset.HighBit = "MONOCHROME1", 12, 11
    dataset.PixelRepresentation, dataset.PixelData = 0, picture.tobytes()
    found = _measured([dataset])
    assert found.values["BodyShare"] == pytest.approx(48 * 32 / 64**2, rel=0.1)
    assert found.values["ClippedHighShare"] == pytest.approx(1 - 48 * 32 / 64**2)
    assert found.exposure == {"OrganDoseMGy": pytest.approx(1.23)}
