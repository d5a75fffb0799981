"""The 25 standardised morphological features (manual, 3.1, family HCUG)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.mesh import Spacing, measure_hull, measure_mesh
from ingestion.features.ibsi.region import Region
from ingestion.features.ibsi.result import Refusal
from ingestion.features.ibsi.spatial import pair_sums

LEGENDRE_TERMS = 20
"""The area of an ellipsoid is a series of Legendre polynomials, which the manual sums up to this degree."""
FLAT = 1e-12
"""A share of the largest principal moment; smaller moments are those of a flat region, up to rounding."""

Values = dict[str, float | Refusal]


def morphology(region: Region) -> Values:
    """By tag. Geometry is that of the morphological mask, intensities those of the intensity mask."""
    spacing = region.spacing_mm
    mask = np.pad(region.morphological, 1)
    mesh, hull = measure_mesh(mask, spacing), measure_hull(mask, spacing)
    volume, area = mesh.volume, mesh.area
    box = [size * step for size, step in zip(_extent(region.morphological), spacing, strict=True)]
    sphere = (36 * math.pi * volume * volume) ** (1 / 3)
    values: Values = {
        "morph_volume": volume,
        "morph_vol_approx": int(region.morphological.sum(dtype=np.int64)) * math.prod(spacing),
        "morph_area_mesh": area,
        "morph_av": area / volume,
        "morph_comp_1": volume / (math.sqrt(math.pi) * area**1.5),
        "morph_comp_2": 36 * math.pi * volume * volume / area**3,
        "morph_sph_dispr": area / sphere,
        "morph_sphericity": sphere / area,
        "morph_asphericity": (area**3 / (36 * math.pi * volume * volume)) ** (1 / 3) - 1,
        "morph_diam": hull.diameter,
        "morph_vol_dens_aabb": volume / math.prod(box),
        "morph_area_dens_aabb": area / (2 * (box[0] * box[1] + box[0] * box[2] + box[1] * box[2])),
        "morph_vol_dens_conv_hull": volume / hull.volume,
        "morph_area_dens_conv_hull": area / hull.area,
    }
    values |= _axes(region.morphological, spacing, mesh_volume=volume, mesh_area=area)
    return values | _intensities(region, mesh_volume=volume)


def _extent(mask: NDArray[Any]) -> list[int]:
    extent = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        extent.append(int(used[-1] - used[0] + 1))
    return extent


def _centre_and_moments(mask: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean position and covariance (1/(N-1), as IBSI's reference values have it) of the voxels, in voxels.

    From whole-number sums, so exact up to the end. A single voxel has no spread: 0.
    """
    count = int(mask.sum(dtype=np.int64))
    index = [np.arange(size, dtype=np.int64) for size in mask.shape]
    first, second = [0, 0, 0], [[0, 0, 0] for _ in range(3)]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        plane = mask.sum(axis=3 - a - b, dtype=np.int64)  # how many voxels lie at each pair of coordinates
        second[a][b] = second[b][a] = int((plane * index[a][:, np.newaxis] * index[b][np.newaxis, :]).sum())
        for axis, line in ((a, plane.sum(axis=1)), (b, plane.sum(axis=0))):
            first[axis] = int((line * index[axis]).sum())
            second[axis][axis] = int((line * index[axis] ** 2).sum())
    # Python's whole numbers have no limit: the difference of large products is exact.
    scale = count * max(count - 1, 1)
    covariance = [[(count * second[a][b] - first[a] * first[b]) / scale for b in range(3)] for a in range(3)]
    return np.array([value / count for value in first]), np.array(covariance)


def _axes(mask: NDArray[np.uint8], spacing: Spacing, *, mesh_volume: float, mesh_area: float) -> Values:
    _, covariance = _centre_and_moments(mask)
    steps = np.asarray(spacing)
    moments = np.linalg.eigvalsh(covariance * steps[:, np.newaxis] * steps[np.newaxis, :])[::-1]
    moments[moments < FLAT * max(moments[0], 0.0)] = 0.0
    major, minor, least = (float(math.sqrt(max(moment, 0.0))) for moment in moments)
    values: Values = {
        "morph_pca_maj_axis": 4 * major,
        "morph_pca_min_axis": 4 * minor,
        "morph_pca_least_axis": 4 * least,
        "morph_pca_elongation": minor / major if major else Refusal.ONE_VOXEL,
        "morph_pca_flatness": least / major if major else Refusal.ONE_VOXEL,
    }
    if least == 0:
        flat = Refusal.FLAT_REGION if major else Refusal.ONE_VOXEL
        return values | {"morph_vol_dens_aee": flat, "morph_area_dens_aee": flat}
    semi = (2 * major, 2 * minor, 2 * least)
    return values | {
        "morph_vol_dens_aee": mesh_volume / (4 / 3 * math.pi * math.prod(semi)),
        "morph_area_dens_aee": mesh_area / _ellipsoid_area(*semi),
    }


def _ellipsoid_area(a: float, b: float, c: float) -> float:
    """Of semi-axes a ≥ b ≥ c (manual, 3.1.22)."""
    alpha = math.sqrt(max(0.0, 1 - (b / a) ** 2))
    beta = math.sqrt(max(0.0, 1 - (c / a) ** 2))
    if alpha * beta == 0:
        # The argument of the polynomials has no limit of its own; the products alpha beta P(x) tend to these.
        terms = [_limit_term(degree, alpha, beta) for degree in range(LEGENDRE_TERMS + 1)]
    else:
        x = (alpha * alpha + beta * beta) / (2 * alpha * beta)
        terms = [(alpha * beta) ** degree * float(value) for degree, value in enumerate(_legendre(x, LEGENDRE_TERMS))]
    return 4 * math.pi * a * b * math.fsum(term / (1 - 4 * n * n) for n, term in enumerate(terms))


def _limit_term(degree: int, alpha: float, beta: float) -> float:
    """(alpha beta)^n P_n((alpha² + beta²) / (2 alpha beta)) where one of both is 0: the leading term of P_n remains."""
    if degree == 0:
        return 1.0
    leading = math.comb(2 * degree, degree) / 2**degree
    return float(leading * ((alpha * alpha + beta * beta) / 2) ** degree)


def _legendre(x: float, degree: int) -> list[float]:
    """P_0 … P_degree at x by Bonnet's recursion."""
    values = [1.0, x]
    for n in range(1, degree):
        values.append(((2 * n + 1) * x * values[n] - n * values[n - 1]) / (n + 1))
    return values


def _intensities(region: Region, *, mesh_volume: float) -> Values:
    from ingestion.features.ibsi.kernels.shape import located_sums

    count, mean = region.voxels, region.mean
    sums = located_sums(region.image, region.intensity, mean)
    centre, _ = _centre_and_moments(region.morphological)
    own, _ = _centre_and_moments(region.intensity)
    values: Values = {"morph_integ_int": mean * mesh_volume}
    total = count * mean + sums[0]
    if total == 0:
        values["morph_com"] = Refusal.ZERO_DENOMINATOR
    else:
        weighted = (sums[2:] + mean * count * own) / total
        values["morph_com"] = float(np.sqrt((((weighted - centre) * np.asarray(region.spacing_mm)) ** 2).sum()))
    if count == 1:
        return values | {"morph_moran_i": Refusal.ONE_VOXEL, "morph_geary_c": Refusal.ONE_VOXEL}
    if region.constant:
        return values | {"morph_moran_i": Refusal.CONSTANT_REGION, "morph_geary_c": Refusal.CONSTANT_REGION}
    pairs = pair_sums(region.image, region.intensity, mean=mean, spacing_mm=region.spacing_mm)
    spread = float(sums[1])
    return values | {
        "morph_moran_i": count / pairs.weights * pairs.products / spread,
        "morph_geary_c": (count - 1) / pairs.weights * (pairs.squares - pairs.products) / spread,
    }
