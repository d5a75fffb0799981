"""Bad and odd regions: a named refusal or a finite value for every feature, and pair sums beside all pairs."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from ingestion.features.ibsi import IbsiSettings, Refusal, RegionFeatures, compute, prepare
from ingestion.features.ibsi.prepare import MAX_INTERPOLATED_VOXELS
from ingestion.features.ibsi.spatial import pair_sums

SHAPE = (6, 7, 8)
IMAGE = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
NOTHING = np.zeros(SHAPE, dtype=np.bool_)


def _block(*ranges: tuple[int, int]) -> np.ndarray:
    mask = NOTHING.copy()
    mask[tuple(slice(low, high) for low, high in ranges)] = True
    return mask


CUBE = _block((2, 4), (3, 5), (4, 6))


def _measured(image: np.ndarray, mask: np.ndarray, chosen: dict[str, Any] | None = None, **more: Any) -> RegionFeatures:
    settings = IbsiSettings.from_mapping(chosen or {})
    return compute(image, mask, **{"spacing_mm": (3.0, 1.0, 0.5), "settings": settings} | more)


def _with(value: float, place: tuple[int, int, int]) -> np.ndarray:
    image = IMAGE.copy()
    image[place] = value
    return image


@pytest.mark.parametrize(
    ("reason", "image", "mask", "more"),
    [
        (Refusal.EMPTY_MASK, IMAGE, NOTHING, {}),
        (Refusal.NOT_FINITE, _with(np.nan, (2, 3, 4)), CUBE, {}),
        (Refusal.NOT_FINITE, _with(np.inf, (2, 3, 4)), CUBE, {}),
        (Refusal.NOT_3D, IMAGE[np.newaxis], CUBE, {}),
        (Refusal.NOT_3D, IMAGE, CUBE[0], {}),
        (Refusal.SHAPES_DIFFER, IMAGE, CUBE[:3], {}),
        (Refusal.BAD_SPACING, IMAGE, CUBE, {"spacing_mm": (0.0, 1.0, 1.0)}),
        (Refusal.BAD_SPACING, IMAGE, CUBE, {"spacing_mm": (np.nan, 1.0, 1.0)}),
        (Refusal.ALL_PADDING, IMAGE, CUBE, {"padding": CUBE}),
        (Refusal.EMPTY_AFTER_RESEGMENTATION, IMAGE, CUBE, {"chosen": {"resegmentation": {"range": [900, None]}}}),
        (
            Refusal.FILTER_NOT_APPLICABLE,
            IMAGE,
            CUBE,
            {"chosen": {"filter": {"name": "laplacian_of_gaussian", "sigma_mm": 1}}},
        ),
        (
            Refusal.FILTER_NOT_APPLICABLE,
            IMAGE,
            CUBE,
            {
                "spacing_mm": (1, 0.01, 0.01),
                "chosen": {"filter": {"name": "gabor", "dimension": "2D", "sigma_mm": 1, "wavelength_mm": 1}},
            },
        ),
        (
            Refusal.FILTER_REACHES_PADDING,
            _with(np.nan, (1, 3, 4)),
            CUBE,
            {"chosen": {"filter": {"name": "mean", "support": 3}}},
        ),
        (Refusal.NOT_GREY_LEVELS, IMAGE, CUBE, {"chosen": {"discretisation": {"method": "none"}}}),
        (
            Refusal.EMPTY_AFTER_INTERPOLATION,
            IMAGE,
            _block((2, 3), (3, 4), (4, 5)),
            {"chosen": {"interpolation": {"method": "trilinear", "spacing_mm": [9, 9, 9]}}},
        ),
    ],
)
def test_the_whole_region_is_refused_by_name(
    reason: Refusal, image: np.ndarray, mask: np.ndarray, more: dict[str, Any]
) -> None:
    found = _measured(image, mask, **more)
    assert found.refusal is reason
    assert len(found.values) == 210
    assert {(value.value, value.refusal) for value in found.values} == {(None, Refusal.NOT_COMPUTED)}


@pytest.mark.parametrize("method", ["nearest", "trilinear", "tricubic_spline"])
@pytest.mark.parametrize("step", [0.01, 0.001, 1e-300, 5e-324])
@pytest.mark.parametrize("diagnostics", [False, True])
def test_a_grid_that_is_too_fine_is_refused_before_memory_is_taken(method: str, step: float, diagnostics: bool) -> None:
    chosen = {"interpolation": {"method": method, "spacing_mm": [step] * 3}, "image_diagnostics": diagnostics}
    tracemalloc.start()
    try:
        found = _measured(IMAGE, CUBE, chosen)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.refusal is Refusal.TOO_LARGE
    assert f"{MAX_INTERPOLATED_VOXELS} voxels; choose a wider spacing_mm" in (found.detail or "")
    assert peak < 2**20


def test_a_grid_as_large_as_the_limit_is_interpolated(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"interpolation": {"method": "trilinear", "spacing_mm": [2, 2, 2]}, "families": ["morphology"]}
    taken: list[int] = []
    resample = prepare._resample
    monkeypatch.setattr(
        prepare, "_resample", lambda *arguments: taken.append(resample(*arguments).size) or resample(*arguments)
    )
    assert _measured(IMAGE, CUBE, chosen).refusal is None
    monkeypatch.setattr(prepare, "MAX_INTERPOLATED_VOXELS", taken[0])
    assert _measured(IMAGE, CUBE, chosen).refusal is None
    monkeypatch.setattr(prepare, "MAX_INTERPOLATED_VOXELS", taken[0] - 1)
    assert _measured(IMAGE, CUBE, chosen).refusal is Refusal.TOO_LARGE


@pytest.mark.parametrize(
    ("image", "mask", "reasons"),
    [
        (IMAGE, _block((2, 3), (3, 4), (4, 5)), {Refusal.ONE_VOXEL, Refusal.CONSTANT_REGION, Refusal.NO_NEIGHBOURS}),
        (np.ones(SHAPE), CUBE, {Refusal.CONSTANT_REGION}),
        (IMAGE, _block((2, 3), (1, 5), (1, 6)), {Refusal.FLAT_REGION}),
        (IMAGE, _block((2, 3), (3, 4), (1, 6)), {Refusal.FLAT_REGION}),
        (_with(np.nan, (0, 0, 0)), CUBE, set()),
        (IMAGE, ~NOTHING, set()),
        (np.indices(SHAPE).sum(axis=0) % 2 * 2 - 1, CUBE, {Refusal.ZERO_DENOMINATOR}),
    ],
    ids=["one voxel", "constant", "flat", "line", "NaN outside", "whole image", "mean 0"],
)
def test_each_feature_has_a_finite_value_or_a_named_refusal(
    image: np.ndarray, mask: np.ndarray, reasons: set[Refusal]
) -> None:
    found = _measured(image, mask)
    assert found.refusal is None
    for value in found.values:
        assert (value.value is None) != (value.refusal is None)
        assert value.value is None or np.isfinite(value.value)
    assert {value.refusal for value in found.values} - {None} == reasons


def test_pair_sums_are_those_of_all_pairs() -> None:
    spacing = (2.0, 0.7, 0.9)
    mask = (np.random.default_rng(1).random(SHAPE) < 0.5).astype(np.uint8)
    values = IMAGE[mask > 0].astype(np.float64)
    places = np.argwhere(mask) * spacing
    distance = np.sqrt(((places[:, np.newaxis] - places[np.newaxis]) ** 2).sum(axis=-1))
    np.fill_diagonal(distance, np.inf)
    weights, centred = 1 / distance, values - values.mean()
    found = pair_sums(IMAGE, mask, mean=float(values.mean()), spacing_mm=spacing)
    assert found.weights == pytest.approx(weights.sum(), rel=1e-12)
    assert found.products == pytest.approx((weights * centred[:, np.newaxis] * centred).sum(), rel=1e-9)
    assert found.squares == pytest.approx((weights * centred[:, np.newaxis] ** 2).sum(), rel=1e-12)


def test_values_around_the_region_do_not_change_with_the_crop() -> None:
    """A region in a large image has the values of the same region in a crop with the margin of the peaks."""
    image = np.random.default_rng(2).normal(size=(20, 30, 30)).astype(np.float32)
    mask = np.zeros(image.shape, dtype=np.bool_)
    mask[9:12, 13:17, 13:17] = True
    settings = IbsiSettings()
    whole = compute(image, mask, spacing_mm=(2, 1, 1), settings=settings)
    part = (slice(4, 17), slice(5, 25), slice(5, 25))
    crop = compute(image[part], mask[part], spacing_mm=(2, 1, 1), settings=settings)
    assert [value.value for value in whole.values] == [value.value for value in crop.values]
