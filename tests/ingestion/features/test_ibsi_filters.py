"""The filters of IBSI-2 by what is known of them: kernels, constants, turned images, crops, and Fourier's sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from ingestion.features.ibsi import IbsiSettings, Refusal, SettingsError, compute, prepare
from ingestion.features.ibsi.filters import kernels
from ingestion.features.ibsi.filters.apply import reach, respond
from ingestion.features.ibsi.filters.separable import rotated, rotations
from ingestion.features.ibsi.filters.settings import FILTERS, Boundary, FilterSettings, filter_table

CUBIC = (1.0, 1.0, 1.0)
SHAPE = (11, 12, 13)
NOISE = np.random.default_rng(7).normal(100, 40, SHAPE)
LAWS: dict[str, Any] = {"name": "laws", "kernels": ["L5", "E5", "S3"]}
WAVELET: dict[str, Any] = {"name": "wavelet", "family": "db2", "response": "LHH"}
TURNED = {"rotation_invariance": True}
GABOR: dict[str, Any] = {"name": "gabor", "sigma_mm": 1.2, "wavelength_mm": 3}
EACH: list[dict[str, Any]] = [
    {"name": "mean", "support": 5},
    {"name": "laplacian_of_gaussian", "sigma_mm": 1.1},
    LAWS,
    LAWS | TURNED | {"energy_distance": 2},
    WAVELET,
    WAVELET | TURNED | {"level": 2},
    GABOR | {"theta_degrees": 30},
    GABOR | {"rotation_step_degrees": 45, "pooling": "maximum"},
]
"""Of every filter that looks at a neighbourhood."""
PLANE = {"dimension": "2D"}
FLAT: list[dict[str, Any]] = [
    EACH[0] | PLANE,
    EACH[1] | PLANE,
    EACH[3] | PLANE | {"kernels": ["L5", "E5"]},
    EACH[5] | PLANE | {"response": "LH"},
    EACH[6] | PLANE,
    {"name": "simoncelli", "level": 2} | PLANE,
]


def _filter(chosen: dict[str, Any]) -> FilterSettings:
    found = IbsiSettings.from_mapping({"filter": chosen}).filter
    assert found is not None
    return found


def _response(chosen: dict[str, Any], image: NDArray[Any] = NOISE) -> NDArray[np.float64]:
    return respond(image, CUBIC, _filter(chosen))


def _impulse(size: int = 21) -> NDArray[np.float64]:
    image = np.zeros((size,) * 3)
    image[(size // 2,) * 3] = 1
    return image


def test_the_mean_is_that_of_the_neighbourhood() -> None:
    found = _response({"name": "mean", "support": 3, "boundary": "nearest"})
    assert found[5, 5, 5] == pytest.approx(NOISE[4:7, 4:7, 4:7].mean())
    corner = np.pad(NOISE, 1, mode="edge")[:3, :3, :3].mean()
    assert found[0, 0, 0] == pytest.approx(corner)
    flat = _response({"name": "mean", "support": 3, "dimension": "2D"})
    assert flat[5, 5, 5] == pytest.approx(NOISE[5, 4:7, 4:7].mean())


def test_laplacian_of_gaussian_of_an_impulse_is_the_kernel() -> None:
    sigma = 2.0
    response = _response({"name": "laplacian_of_gaussian", "sigma_mm": sigma, "boundary": "zero"}, _impulse())
    squares = ((np.indices((21,) * 3) - 10) ** 2).sum(axis=0)
    kernel = (squares / sigma**4 - 3 / sigma**2) * np.exp(-squares / (2 * sigma**2)) / (2 * math.pi * sigma**2) ** 1.5
    inside = np.abs(np.indices((21,) * 3) - 10).max(axis=0) <= 8
    assert np.allclose(response, np.where(inside, kernel, 0), rtol=1e-12, atol=1e-18)
    assert response[10, 10, 10] < 0


def test_laplacian_of_gaussian_finds_the_curvature() -> None:
    """Of a paraboloid the Laplacian is the same everywhere; the sampled Gaussian is one to 1e-3 beyond 4 sigma."""
    z, y, x = np.indices((31, 31, 31), dtype=np.float64) - 15
    found = _response({"name": "laplacian_of_gaussian", "sigma_mm": 1.5}, 0.5 * x**2 + y**2 - 0.25 * z**2)
    assert found[15, 15, 15] == pytest.approx(1 + 2 - 0.5, rel=0.02)


def test_laws_of_an_impulse_is_the_product_of_the_kernels() -> None:
    response = _response(LAWS | {"boundary": "zero"}, _impulse())
    z, y, x = (kernels.laws(name) for name in ("S3", "E5", "L5"))  # the first kernel is that of x, the last array axis
    product = z[:, None, None] * y[None, :, None] * x[None, None, :]
    assert np.allclose(response[9:12, 8:13, 8:13], product, rtol=1e-14)
    assert np.count_nonzero(response) == np.count_nonzero(product)


@pytest.mark.parametrize("name", kernels.LAWS)
def test_laws_kernels_have_unit_energy(name: str) -> None:
    kernel = kernels.laws(name)
    assert (kernel**2).sum() == pytest.approx(1)
    assert (kernel.sum() == pytest.approx(0, abs=1e-15)) == (name[0] != "L")  # all but the level leave no mean


def test_energy_is_the_mean_modulus() -> None:
    response = np.abs(_response(LAWS))
    energy = _response(LAWS | {"energy_distance": 1})
    assert energy[5, 6, 6] == pytest.approx(response[4:7, 5:8, 5:8].mean())


def test_wavelets_keep_the_energy() -> None:
    """All responses of one level together hold the energy times the redundancy, 2 for each axis (Parseval)."""
    for family in ("haar", "db3", "coif1"):
        total = 0.0
        for response in (x + y + z for x in "LH" for y in "LH" for z in "LH"):
            chosen = {"name": "wavelet", "family": family, "response": response, "boundary": "periodise"}
            total += float((_response(chosen) ** 2).sum())
        assert total == pytest.approx(8 * float((NOISE**2).sum()), rel=1e-9), family


def test_holes_of_a_wavelet_double_with_the_level() -> None:
    low = kernels.wavelet("haar", "L", 1)
    assert low == pytest.approx([math.sqrt(0.5), math.sqrt(0.5), 0])
    assert kernels.wavelet("haar", "L", 3) == pytest.approx([low[0], 0, 0, 0, low[1], 0, 0, 0, 0])


def test_a_gabor_kernel_answers_to_its_own_wave() -> None:
    """A wave of the kernel's wavelength and direction gives half the kernel's sum of moduli; across, almost nothing."""
    y, x = np.indices((61, 61), dtype=np.float64)
    wave = np.cos(2 * math.pi * x / 4)[np.newaxis]
    chosen = {"name": "gabor", "sigma_mm": 4, "wavelength_mm": 4, "dimension": "2D"}
    along = _response(chosen, wave)[0, 30, 30]
    assert along == pytest.approx(0.5 * 2 * math.pi * 4**2, rel=1e-6)
    assert _response(chosen | {"theta_degrees": 90}, wave)[0, 30, 30] < 1e-6 * along
    # Clockwise in an image whose rows run downwards: at 45 degrees the wave runs to the right and down.
    diagonal = np.cos(2 * math.pi * (x + y) / math.sqrt(2) / 4)[np.newaxis]
    assert _response(chosen | {"theta_degrees": 45}, diagonal)[0, 30, 30] == pytest.approx(along, rel=1e-6)


def test_gabor_is_the_sum_over_the_kernel() -> None:
    """Fourier's way beside the plain sum, with each boundary condition."""
    for boundary, mode in (("mirror", "reflect"), ("nearest", "nearest"), ("periodise", "wrap"), ("zero", "constant")):
        chosen = GABOR | PLANE | {"theta_degrees": 30, "gamma": 0.7, "boundary": boundary}
        kernel = kernels.gabor(1.2, 3, 0.7, math.radians(30))
        plane = NOISE[3]
        plain = np.hypot(*(ndimage.convolve(plane, part, mode=mode) for part in (kernel.real, kernel.imag)))
        assert np.allclose(_response(chosen)[3], plain, rtol=1e-9)


def test_simoncelli_bands_are_those_of_the_frequencies() -> None:
    """A constant has none; a checkerboard's highest frequency lies beyond the band's edge in three dimensions."""
    assert np.abs(_response({"name": "simoncelli"}, np.full(SHAPE, 3.0))).max() == pytest.approx(0, abs=1e-9)
    band = kernels.simoncelli((33,), 1)
    places = np.arange(17) / 16  # the half grid of a real transform
    assert band[0] == 0
    assert band[np.argmin(np.abs(places - 0.5))] == pytest.approx(1)
    assert not band[places < 0.25].any()
    assert kernels.simoncelli((33,), 2)[np.argmin(np.abs(places - 0.25))] == pytest.approx(1)


def test_rotations_are_those_of_a_cube() -> None:
    assert (len(list(rotations(2))), len(list(rotations(3)))) == (4, 24)
    one, two, three = np.array([1.0, 2, 4]), np.array([3.0, 5, 1]), np.array([1.0, 0, 7])
    assert len(rotated([(one, two, three)])) == 24
    assert len(rotated([(one + one[::-1],) * 3])) == 1


@pytest.mark.parametrize("chosen", [EACH[3], EACH[5], EACH[7], EACH[0], EACH[1]], ids=str)
def test_rotation_invariant_responses_turn_with_the_image(chosen: dict[str, Any]) -> None:
    for axes in ((1, 2), (0, 1), (0, 2)):
        turned = _response(chosen, np.rot90(NOISE, axes=axes))
        assert np.allclose(np.rot90(turned, k=-1, axes=axes), _response(chosen), rtol=1e-9, atol=1e-9)


def test_others_do_not() -> None:
    turned = _response(LAWS, np.rot90(NOISE, axes=(1, 2)))
    assert not np.allclose(np.rot90(turned, k=-1, axes=(1, 2)), _response(LAWS), rtol=0.1)


@pytest.mark.parametrize("chosen", FLAT, ids=str)
def test_in_the_plane_slices_are_apart(chosen: dict[str, Any]) -> None:
    assert np.allclose(_response(chosen)[4], _response(chosen, NOISE[4:5])[0], rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("chosen", EACH, ids=str)
@pytest.mark.parametrize("boundary", list(Boundary))
def test_a_constant_image_gives_a_constant_response(chosen: dict[str, Any], boundary: Boundary) -> None:
    """Where what lies beyond is the same constant; and then no feature is computed of rounding errors."""
    value = 0.0 if boundary is Boundary.ZERO else -1024.0
    more = {"boundary": boundary.value} | ({"constant": value} if boundary is Boundary.CONSTANT else {})
    image = np.full(SHAPE, value)
    found = _response(chosen | more, image)
    assert found.max() == found.min()
    if chosen["name"] == "mean":
        assert found[0, 0, 0] == pytest.approx(value)


@pytest.mark.parametrize("chosen", EACH, ids=str)
@pytest.mark.parametrize("boundary", list(Boundary))
def test_the_crop_has_the_values_of_the_whole_image(chosen: dict[str, Any], boundary: Boundary) -> None:
    """Features of a region near an edge, by the crop that the engine takes, beside the response of the whole image."""
    more = {"boundary": boundary.value} | ({"constant": 50.0} if boundary is Boundary.CONSTANT else {})
    image = np.random.default_rng(3).normal(size=(30, 44, 46)).astype(np.float32)
    mask = np.zeros(image.shape, dtype=np.bool_)
    mask[2:5, 20:23, 40:46] = True
    said = {"filter": chosen | more, "families": ["intensity_statistics"]}
    found = compute(image, mask, spacing_mm=CUBIC, settings=IbsiSettings.from_mapping(said))
    whole = _response(chosen | more, image)[mask]
    values = {value.tag: value.value for value in found.values}
    assert values["stat_mean"] == pytest.approx(whole.mean(), rel=1e-9, abs=1e-9)
    assert (values["stat_min"], values["stat_max"]) == pytest.approx((whole.min(), whole.max()), rel=1e-9, abs=1e-9)


@given(
    st.sampled_from(EACH + FLAT),
    st.floats(-8, 8).filter(lambda factor: abs(factor) > 1e-3),
    st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_responses_scale_and_stay_finite(chosen: dict[str, Any], factor: float, seed: int) -> None:
    """Linear filters, and moduli of them, scale with the image; nothing is looked at beyond the reach."""
    image = np.random.default_rng(seed).normal(size=SHAPE)
    response = _response(chosen, image)
    assert response.shape == image.shape
    assert np.isfinite(response).all()
    scaled = _response(chosen, abs(factor) * image)
    assert np.allclose(scaled, abs(factor) * response, rtol=1e-7, atol=1e-9 * max(1, abs(factor)))
    far = reach(_filter(chosen), CUBIC)
    if max(far) < min(SHAPE[1:]) // 2:
        other = image.copy()
        other[0, 0, 0] += 1000
        changed = np.argwhere(np.abs(_response(chosen, other) - response) > 1e-6)
        assert (changed.max(axis=0) <= far).all()


def test_every_parameter_is_in_name_and_digest() -> None:
    said = [*EACH, *FLAT, EACH[0] | {"boundary": "nearest"}, EACH[0] | {"support": 7}, {"name": "simoncelli"}]
    chosen = [IbsiSettings.from_mapping({"filter": one}) for one in said]
    assert len({one.digest for one in chosen}) == len({one.response_map for one in chosen}) == len(said)
    assert IbsiSettings().response_map is None
    assert IbsiSettings().digest not in {one.digest for one in chosen}
    assert chosen[0].response_map == "S60F mean boundary=mirror dimension=3D support=5"
    assert [row["Code"] for row in filter_table()] == [kind.code for kind in FILTERS]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"name": "mean", "support": 4}, "odd"),
        ({"name": "mean", "support": 3, "boundary": "constant"}, "constant"),
        ({"name": "mean", "support": 3, "constant": 1}, "constant"),
        ({"name": "median", "support": 3}, "median"),
        (LAWS | {"kernels": ["L5", "E5"]}, "3 kernels"),
        (LAWS | {"kernels": ["L5", "Q5", "E5"], "energy_distance": -1}, "Q5"),
        (LAWS | {"kernels": ["L5", "Q5", "E5"], "energy_distance": -1}, "energy_distance"),
        (WAVELET | {"response": "LX"}, "response"),
        (WAVELET | {"response": "LH"}, "3 letters"),
        (WAVELET | {"family": "sym4"}, "family"),
        (GABOR | {"rotation_step_degrees": 50}, "full circle"),
        (GABOR | {"rotation_step_degrees": 45, "theta_degrees": 10}, "not both"),
        ({"name": "simoncelli", "boundary": "mirror"}, "boundary"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        IbsiSettings.from_mapping({"filter": wrong})


def test_too_much_to_filter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((20, 20, 20), dtype=np.float32)
    mask = image == 1
    mask[10, 10, 10:13] = True
    monkeypatch.setattr(prepare, "MAX_FILTERED_VOXELS", 7999)
    for name, refusal in (("simoncelli", Refusal.TOO_LARGE), ("mean", None)):
        chosen = {"name": name} | ({"support": 3} if name == "mean" else {})
        said = {"filter": chosen, "families": ["intensity_statistics"]}
        found = compute(image, mask, spacing_mm=(5, 5, 5), settings=IbsiSettings.from_mapping(said))
        assert found.refusal is refusal


def test_padding_beside_the_filter_is_no_measurement() -> None:
    """Padding within the filter's reach of the region refuses it; farther away it changes nothing."""
    image = np.random.default_rng(9).normal(size=(20, 30, 30)).astype(np.float32)
    mask, padding = np.zeros(image.shape, dtype=np.bool_), np.zeros(image.shape, dtype=np.bool_)
    mask[8:12, 13:17, 13:17] = True
    said = {"filter": {"name": "mean", "support": 5}, "families": ["intensity_statistics", "local_intensity"]}
    chosen = IbsiSettings.from_mapping(said)
    plain = compute(image, mask, spacing_mm=(5, 5, 5), settings=chosen)
    for row, refusal in ((19, None), (18, Refusal.FILTER_REACHES_PADDING)):
        padding[:] = False
        padding[10, row, 15] = True
        found = compute(image, mask, spacing_mm=(5, 5, 5), settings=chosen, padding=padding)
        assert found.refusal is refusal
        if refusal is None:
            assert [one.value for one in found.values][2:] == [one.value for one in plain.values][2:]


def test_resegmentation_is_by_the_unfiltered_image() -> None:
    image = np.arange(6 * 7 * 8, dtype=np.float32).reshape(6, 7, 8)
    mask = np.ones(image.shape, dtype=np.bool_)
    said = {
        "filter": {"name": "laplacian_of_gaussian", "sigma_mm": 1},
        "resegmentation": {"range": [100, 199]},
        "discretisation": {"method": "fixed_bin_size", "bin_size": 1},
        "families": ["intensity_statistics", "intensity_volume_histogram", "intensity_histogram"],
    }
    chosen = IbsiSettings.from_mapping(said)
    found = compute(image, mask, spacing_mm=CUBIC, settings=chosen)
    assert found.voxels == 100
    values = {value.tag: value.value for value in found.values}
    inside = respond(image, CUBIC, _filter(said["filter"]))[(image >= 100) & (image <= 199)]
    assert values["stat_mean"] == pytest.approx(inside.mean())
    assert values["ih_min"] == 1  # bins begin at the smallest response, not at 100
    assert chosen.intensity_volume_histogram.bin_number == 1000
    told = {item.tag: item.value for item in found.diagnostics}
    assert told["int_mask_mean_int_reseg_roi"] == pytest.approx(149.5)


@pytest.mark.parametrize("chosen", [EACH[0], EACH[7]], ids=str)
def test_local_peaks_are_those_of_the_response(chosen: dict[str, Any]) -> None:
    """Their spheres reach out of the region, where the response is needed too."""
    image = np.random.default_rng(5).normal(size=(40, 40, 40)).astype(np.float32)
    mask = np.zeros(image.shape, dtype=np.bool_)
    mask[18:22, 18:22, 18:22] = True
    said: dict[str, Any] = {"families": ["local_intensity"]}
    found = compute(image, mask, spacing_mm=CUBIC, settings=IbsiSettings.from_mapping(said | {"filter": chosen}))
    plain = compute(_response(chosen, image), mask, spacing_mm=CUBIC, settings=IbsiSettings.from_mapping(said))
    assert [value.value for value in found.values] == pytest.approx([value.value for value in plain.values])
