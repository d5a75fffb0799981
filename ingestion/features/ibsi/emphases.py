"""Features of matrices that count (grey level, extent): runs, zones by size, zones by distance, dependences.

The four families (manual, 3.7, 3.8, 3.9 and 3.11) share their formulas; only what the extent is differs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.catalogue import Family
from ingestion.features.ibsi.result import Refusal

Values = dict[str, float | Refusal]


@dataclass(frozen=True, slots=True)
class Extents:
    """The cells of one matrix that are not 0: grey level from 1, extent from 1, count. ``voxels``: of the region."""

    levels: NDArray[np.int64]
    extents: NDArray[np.int64]
    counts: NDArray[np.int64]
    voxels: int

    @staticmethod
    def of_matrix(matrix: NDArray[np.int64], *, voxels: int) -> Extents:
        """Of a full matrix whose rows begin at level 1 and whose columns at extent 1."""
        i, j = np.nonzero(matrix)
        return Extents(i + 1, j + 1, matrix[i, j], voxels)

    @staticmethod
    def of_items(levels: NDArray[np.int64], extents: NDArray[np.int64], *, voxels: int) -> Extents:
        """Of single runs or zones."""
        stride = int(extents.max()) + 1
        keys, counts = np.unique(levels.astype(np.int64) * stride + extents, return_counts=True)
        return Extents(keys // stride, keys % stride, counts.astype(np.int64), voxels)


_TAGS: dict[Family, tuple[str, ...]] = {
    Family.GLRLM: (
        "rlm_sre", "rlm_lre", "rlm_lgre", "rlm_hgre", "rlm_srlge", "rlm_srhge", "rlm_lrlge", "rlm_lrhge", "rlm_glnu",
        "rlm_glnu_norm", "rlm_rlnu", "rlm_rlnu_norm", "rlm_r_perc", "rlm_gl_var", "rlm_rl_var", "rlm_rl_entr",
    ),
    Family.GLSZM: (
        "szm_sze", "szm_lze", "szm_lgze", "szm_hgze", "szm_szlge", "szm_szhge", "szm_lzlge", "szm_lzhge", "szm_glnu",
        "szm_glnu_norm", "szm_zsnu", "szm_zsnu_norm", "szm_z_perc", "szm_gl_var", "szm_zs_var", "szm_zs_entr",
    ),
    Family.GLDZM: (
        "dzm_sde", "dzm_lde", "dzm_lgze", "dzm_hgze", "dzm_sdlge", "dzm_sdhge", "dzm_ldlge", "dzm_ldhge", "dzm_glnu",
        "dzm_glnu_norm", "dzm_zdnu", "dzm_zdnu_norm", "dzm_z_perc", "dzm_gl_var", "dzm_zd_var", "dzm_zd_entr",
    ),
    Family.NGLDM: (
        "ngl_lde", "ngl_hde", "ngl_lgce", "ngl_hgce", "ngl_ldlge", "ngl_ldhge", "ngl_hdlge", "ngl_hdhge", "ngl_glnu",
        "ngl_glnu_norm", "ngl_dcnu", "ngl_dcnu_norm", "ngl_dc_perc", "ngl_gl_var", "ngl_dc_var", "ngl_dc_entr",
    ),
}  # fmt: skip


def emphasis_features(family: Family, matrix: Extents) -> Values:
    """By tag."""
    total = int(matrix.counts.sum())
    p = matrix.counts / total
    i, j = matrix.levels.astype(np.float64), matrix.extents.astype(np.float64)
    i2, j2 = i * i, j * j
    by_level = np.bincount(matrix.levels, weights=matrix.counts)
    by_extent = np.unique(matrix.extents, return_inverse=True)[1]
    by_extent = np.bincount(by_extent.reshape(-1), weights=matrix.counts)
    level_squares, extent_squares = float((by_level**2).sum()), float((by_extent**2).sum())
    level_mean, extent_mean = float((i * p).sum()), float((j * p).sum())
    values = (
        (p / j2).sum(),
        (p * j2).sum(),
        (p / i2).sum(),
        (p * i2).sum(),
        (p / (i2 * j2)).sum(),
        (p * i2 / j2).sum(),
        (p * j2 / i2).sum(),
        (p * i2 * j2).sum(),
        level_squares / total,
        level_squares / total**2,
        extent_squares / total,
        extent_squares / total**2,
        total / matrix.voxels,
        ((i - level_mean) ** 2 * p).sum(),
        ((j - extent_mean) ** 2 * p).sum(),
        -(p * np.log2(p)).sum() + 0.0,
    )
    found: Values = {tag: float(value) for tag, value in zip(_TAGS[family], values, strict=True)}
    if family is Family.NGLDM:
        found["ngl_dc_energy"] = float((p * p).sum())
    return found
