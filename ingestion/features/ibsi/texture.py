"""Texture features of one region in every aggregation that was chosen, from matrices that are counted once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.catalogue import Aggregation, Family, features_of
from ingestion.features.ibsi.cooccurrence import glcm_features
from ingestion.features.ibsi.emphases import Extents, emphasis_features
from ingestion.features.ibsi.region import Region
from ingestion.features.ibsi.result import Refusal
from ingestion.features.ibsi.settings import DistanceNorm, IbsiSettings, TextureSettings
from ingestion.features.ibsi.tone_difference import ngtdm_features

Values = dict[str, float | Refusal]
Offset = tuple[int, int, int]
Matrix = NDArray[np.int64]

MAX_LEVELS = 2048
"""Matrices of more grey levels are too large to be useful, or to be held."""


def texture(region: Region, settings: IbsiSettings) -> dict[tuple[Family, Aggregation], Values]:
    """Every chosen texture family in every chosen aggregation."""
    asked = {(family, aggregation) for family in settings.families for aggregation in settings.aggregations(family)}
    if region.levels is None:
        return {pair: _refused(pair[0], Refusal.TOO_MANY_LEVELS) for pair in asked}
    voxels = tuple(int(number) for number in region.intensity.sum(axis=(1, 2), dtype=np.int64))
    found: dict[tuple[Family, Aggregation], Values] = {}
    for volumetric in (False, True):
        wanted = {pair for pair in asked if pair[1].volumetric is volumetric}
        levels = Levels(region.levels, region.border, region.level_count, voxels, volumetric=volumetric)
        for family in (Family.GLCM, Family.GLRLM):
            chosen = {aggregation for one, aggregation in wanted if one is family}
            if chosen:
                values = _directional(family, chosen, levels, settings.texture)
                found |= {(family, aggregation): values[aggregation] for aggregation in chosen}
        for measure, families in (
            (partial(_zones, levels, region), (Family.GLSZM, Family.GLDZM)),
            (partial(_neighbours, levels, settings.texture), (Family.NGTDM, Family.NGLDM)),
        ):
            chosen_pairs = {pair for pair in wanted if pair[0] in families}
            if chosen_pairs:
                found |= measure(chosen_pairs)
    return found


@dataclass(frozen=True, slots=True)
class Levels:
    """Grey levels with a ``border`` of zeros, ``voxels`` of each slice, and whether neighbours are sought in space."""

    padded: NDArray[np.uint16]
    border: int
    count: int
    voxels: tuple[int, ...]
    volumetric: bool

    @property
    def total(self) -> int:
        return sum(self.voxels)

    def parts(self) -> list[tuple[int, int, int]]:
        """(first slice, end, voxels) of what gets a matrix of its own: the volume, or each slice that is not empty."""
        if self.volumetric:
            return [(self.border, self.padded.shape[0] - self.border, self.total)]
        return [(self.border + z, self.border + z + 1, number) for z, number in enumerate(self.voxels) if number]


def neighbourhood(distance: int, norm: DistanceNorm, *, volumetric: bool) -> list[Offset]:
    """All offsets up to ``distance``, without the voxel itself; (slice, row, column)."""
    span = range(-distance, distance + 1)
    return [
        offset for offset in product(span if volumetric else (0,), span, span) if 0 < _length(offset, norm) <= distance
    ]


def directions(distance: int, norm: DistanceNorm, *, volumetric: bool) -> list[Offset]:
    """One of each pair of opposite offsets of length ``distance``: 13 neighbours in space, 4 in the plane, for 1."""
    around = neighbourhood(distance, norm, volumetric=volumetric)
    return [offset for offset in around if offset > (0, 0, 0) and _length(offset, norm) > distance - 1]


def _length(offset: Offset, norm: DistanceNorm) -> float:
    if norm is DistanceNorm.CHEBYSHEV:
        return max(abs(part) for part in offset)
    if norm is DistanceNorm.MANHATTAN:
        return sum(abs(part) for part in offset)
    return math.sqrt(sum(part * part for part in offset))


def _directional(
    family: Family, wanted: set[Aggregation], levels: Levels, chosen: TextureSettings
) -> dict[Aggregation, Values]:
    """GLCM or GLRLM. A merged matrix is the sum over directions, over slices, or over both."""
    if family is Family.GLCM:
        ways = directions(chosen.glcm_distance, chosen.glcm_norm, volumetric=levels.volumetric)
    else:
        ways = directions(1, DistanceNorm.CHEBYSHEV, volumetric=levels.volumetric)
    length = levels.count if family is Family.GLCM else max(levels.padded.shape)
    shape = (levels.count, length)
    single: list[Values] = []
    by_part: list[Values] = []
    by_way = [np.zeros(shape, dtype=np.int64) for _ in ways] if Aggregation.DIRECTION_MERGED in wanted else []
    whole = np.zeros(shape, dtype=np.int64)
    for first, end, voxels in levels.parts():
        merged = np.zeros(shape, dtype=np.int64)
        for index, way in enumerate(ways):
            matrix = _count(family, levels, first, end, way, shape)
            if wanted & {Aggregation.SLICE_AVERAGED, Aggregation.VOLUME_AVERAGED}:
                single.append(_features(family, matrix, voxels))
            if by_way:
                by_way[index] += matrix
            merged += matrix
        if wanted & {Aggregation.SLICE_MERGED, Aggregation.VOLUME_MERGED}:
            by_part.append(_features(family, merged, voxels * len(ways)))
        whole += merged
    found: dict[Aggregation, Values] = {}
    for aggregation in wanted:
        if aggregation in {Aggregation.SLICE_AVERAGED, Aggregation.VOLUME_AVERAGED}:
            found[aggregation] = _mean(family, single)
        elif aggregation in {Aggregation.SLICE_MERGED, Aggregation.VOLUME_MERGED}:
            found[aggregation] = _mean(family, by_part)
        elif aggregation is Aggregation.DIRECTION_MERGED:
            found[aggregation] = _mean(family, [_features(family, matrix, levels.total) for matrix in by_way])
        else:
            found[aggregation] = _mean(family, [_features(family, whole, levels.total * len(ways))])
    return found


def _count(family: Family, levels: Levels, first: int, end: int, way: Offset, shape: tuple[int, int]) -> Matrix:
    from ingestion.features.ibsi.kernels.texture import count_pairs, count_runs

    counts = np.zeros(shape, dtype=np.int64)
    if family is Family.GLCM:
        count_pairs(levels.padded, levels.border, first, end, *way, counts)
        return counts + counts.T
    count_runs(levels.padded, levels.border, first, end, *way, counts)
    return counts


def _features(family: Family, matrix: Matrix, voxels: int) -> Values:
    if not matrix.any():
        return {}
    if family is Family.GLCM:
        return glcm_features(matrix)
    return emphasis_features(family, Extents.of_matrix(matrix, voxels=voxels))


def _mean(family: Family, found: Sequence[Values]) -> Values:
    """The mean of each feature over the matrices; those without entries ({}) and undefined values do not count."""
    mean: Values = {}
    some = [values for values in found if values]
    if not some:
        return _refused(family, Refusal.NO_NEIGHBOURS)
    for feature in features_of(family):
        values = [values[feature.tag] for values in some]
        numbers = [value for value in values if not isinstance(value, Refusal)]
        mean[feature.tag] = math.fsum(numbers) / len(numbers) if numbers else values[0]
    return mean


def _refused(family: Family, reason: Refusal) -> Values:
    return {feature.tag: reason for feature in features_of(family)}


def _zones(
    levels: Levels, region: Region, wanted: set[tuple[Family, Aggregation]]
) -> dict[tuple[Family, Aggregation], Values]:
    """GLSZM and GLDZM. Distances are those to the border of the morphological mask (manual, 3.9)."""
    from ingestion.features.ibsi.kernels.zones import city_block, find_zones

    distance = np.pad(region.morphological, levels.border).astype(np.uint16)
    city_block(distance, not levels.volumetric)
    before = [
        offset
        for offset in neighbourhood(1, DistanceNorm.CHEBYSHEV, volumetric=levels.volumetric)
        if offset < (0, 0, 0)
    ]
    level, size, near, start = find_zones(levels.padded, distance, levels.border, np.array(before, dtype=np.int64))
    del distance
    found: dict[tuple[Family, Aggregation], Values] = {}
    for family, aggregation in wanted:
        extents = size if family is Family.GLSZM else near
        if aggregation is Aggregation.SLICE:
            single = []
            for z, voxels in enumerate(levels.voxels):
                if voxels:
                    here = start == z
                    cells = Extents.of_items(level[here], extents[here], voxels=voxels)
                    single.append(emphasis_features(family, cells))
            found[family, aggregation] = _mean(family, single)
        else:
            cells = Extents.of_items(level, extents, voxels=levels.total)
            found[family, aggregation] = emphasis_features(family, cells)
    return found


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """What ``count_neighbours`` fills in."""

    voxels: NDArray[np.int64]
    differences: Matrix
    dependences: Matrix


def _neighbours(
    levels: Levels, chosen: TextureSettings, wanted: set[tuple[Family, Aggregation]]
) -> dict[tuple[Family, Aggregation], Values]:
    """NGTDM and NGLDM; one count serves both where their distances are equal."""
    found = {}
    counted: dict[int, list[_Neighbours]] = {}
    for family, aggregation in sorted(wanted):
        distance = chosen.ngtdm_distance if family is Family.NGTDM else chosen.ngldm_distance
        if distance not in counted:
            counted[distance] = _count_neighbours(levels, distance, chosen.ngldm_coarseness)
        parts = counted[distance]
        voxels = [number for _, _, number in levels.parts()]
        if aggregation is Aggregation.SLICES_MERGED:
            parts = [
                _Neighbours(
                    np.sum([part.voxels for part in parts], axis=0),
                    np.sum([part.differences for part in parts], axis=0),
                    np.sum([part.dependences for part in parts], axis=0),
                )
            ]
            voxels = [levels.total]
        values = [_neighbour_features(family, part, number) for part, number in zip(parts, voxels, strict=True)]
        found[family, aggregation] = _mean(family, values)
    return found


def _count_neighbours(levels: Levels, distance: int, coarseness: int) -> list[_Neighbours]:
    from ingestion.features.ibsi.kernels.texture import count_neighbours

    offsets = np.array(neighbourhood(distance, DistanceNorm.CHEBYSHEV, volumetric=levels.volumetric), dtype=np.int64)
    parts = []
    for first, end, _ in levels.parts():
        part = _Neighbours(
            np.zeros(levels.count, dtype=np.int64),
            np.zeros((levels.count, len(offsets) + 1), dtype=np.int64),
            np.zeros((levels.count, len(offsets) + 1), dtype=np.int64),
        )
        count_neighbours(
            levels.padded, levels.border, first, end, offsets, coarseness, part.voxels, part.differences,
            part.dependences,
        )  # fmt: skip
        parts.append(part)
    return parts


def _neighbour_features(family: Family, part: _Neighbours, voxels: int) -> Values:
    if family is Family.NGTDM:
        return ngtdm_features(part.voxels, part.differences) if part.voxels.any() else {}
    return emphasis_features(family, Extents.of_matrix(part.dependences, voxels=voxels))
