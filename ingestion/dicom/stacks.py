"""Slices of one orientation, in order along their normal, and apart where one series holds several volumes."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Vector: TypeAlias = tuple[float, float, float]

SPLIT_KEYWORDS: tuple[str, ...] = (
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "TemporalPositionIdentifier",
    "EchoTime",
    "ImageType",
    "AcquisitionNumber",
    "TriggerTime",
    "AcquisitionTime",
)
"""Attributes that tell volumes of one series apart, tried in this order: the most specific first."""


@dataclass(frozen=True, slots=True)
class Place:
    """One slice: its distance along the normal, and its position, in mm."""

    depth: float
    position: Vector
    index: int
    """Of the slice in what was given."""
    normal: Vector

    def aside(self, other: Place) -> float:
        """How far this slice is displaced within its plane against ``other``, in mm."""
        step = [a - b for a, b in zip(self.position, other.position, strict=True)]
        along = self.depth - other.depth
        return math.hypot(*(value - along * axis for value, axis in zip(step, self.normal, strict=True)))


def stacked_positions(stack: Sequence[Mapping[str, Any]], normal: Vector) -> list[Place]:
    """The slices in order along ``normal``. Each must have an ImagePositionPatient of three numbers."""
    places = []
    for index, item in enumerate(stack):
        x, y, z = (float(value) for value in item["ImagePositionPatient"])
        places.append(Place(x * normal[0] + y * normal[1] + z * normal[2], (x, y, z), index, normal))
    return sorted(places, key=lambda place: (place.depth, place.position))


def split_by_attributes(
    slices: Sequence[Mapping[str, Any]], normal: Vector, *, same_mm: float
) -> tuple[list[list[Mapping[str, Any]]], tuple[str, ...]]:
    """Split slices that share positions into volumes: the volumes, and the keywords that told them apart.

    An attribute splits a stack when that leaves fewer shared positions and it takes no more values than slices
    share one position: an attribute that differs from slice to slice (a time) says nothing about volumes.
    """
    names: set[str] = set()
    depths = _levels(slices, normal, same_mm)
    stacks = _split(list(zip(slices, depths, strict=True)), names)
    return stacks, tuple(keyword for keyword in SPLIT_KEYWORDS if keyword in names)


def _levels(slices: Sequence[Mapping[str, Any]], normal: Vector, same_mm: float) -> list[int]:
    """For each slice the number of its position along the normal, equal for slices closer than ``same_mm``."""
    levels = [0] * len(slices)
    level, last = -1, -math.inf
    for place in stacked_positions(slices, normal):
        if place.depth - last > same_mm:
            level, last = level + 1, place.depth
        levels[place.index] = level
    return levels


def _split(stack: list[tuple[Mapping[str, Any], int]], names: set[str]) -> list[list[Mapping[str, Any]]]:
    shared = Counter(level for _, level in stack)
    most, repeats = max(shared.values()), len(stack) - len(shared)
    for keyword in SPLIT_KEYWORDS if repeats else ():
        groups: dict[str, list[tuple[Mapping[str, Any], int]]] = defaultdict(list)
        for item, level in stack:
            groups[json.dumps(item.get(keyword))].append((item, level))
        if not 2 <= len(groups) <= most:
            continue
        left = sum(len(group) - len({level for _, level in group}) for group in groups.values())
        if left < repeats:
            names.add(keyword)
            return [part for key in sorted(groups) for part in _split(groups[key], names)]
    return [[item for item, _ in stack]]
