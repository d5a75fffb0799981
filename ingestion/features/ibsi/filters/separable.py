"""Convolution with one kernel for each axis, and pooling over the rotations of such kernels by right angles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ingestion.features.ibsi.filters.kernels import Kernel
from ingestion.features.ibsi.filters.settings import Boundary, Pooling

Field = NDArray[np.float64]
Stage = tuple[Kernel, ...]
"""One kernel for each array axis that is convolved, the last ones of the array."""
MODES = {
    Boundary.ZERO: "constant",
    Boundary.CONSTANT: "constant",
    Boundary.NEAREST: "nearest",
    Boundary.PERIODISE: "wrap",
    Boundary.MIRROR: "reflect",
}
"""scipy's names. The mirror image begins with the outermost voxel itself."""


@dataclass(frozen=True, slots=True)
class Extended:
    """An image and what lies beyond it; ``beyond`` is the value there where the boundary condition is a constant."""

    values: Field
    beyond: float
    boundary: Boundary

    def convolved(self, kernel: Kernel, axis: int) -> Extended:
        """Along one axis. A constant beyond the image is filtered as the image is."""
        values = ndimage.convolve1d(self.values, kernel, axis=axis, mode=MODES[self.boundary], cval=self.beyond)
        # By the same sum as inside the image: the product with the kernel's sum would differ in the last bits.
        line = ndimage.convolve1d(np.full(len(kernel), self.beyond), kernel, mode="nearest")
        return Extended(values, float(line[len(kernel) // 2]), self.boundary)

    def staged(self, stage: Stage) -> Extended:
        """Along the last axes, with one kernel each."""
        found = self
        for axis, kernel in enumerate(stage, start=self.values.ndim - len(stage)):
            found = found.convolved(kernel, axis)
        return found

    def averaged(self, distance: int, axes: int) -> Extended:
        """The mean of the modulus within ``distance`` voxels (Chebyshev)."""
        modulus = Extended(np.abs(self.values), abs(self.beyond), self.boundary)
        return modulus.staged((np.full(2 * distance + 1, 1 / (2 * distance + 1)),) * axes)


def rotations(axes: int) -> Iterator[tuple[tuple[int, ...], tuple[bool, ...]]]:
    """The rotations by right angles, 4 in the plane and 24 in space: where each axis comes from, and what is turned."""
    for order in permutations(range(axes)):
        for turned in product((False, True), repeat=axes):
            # A permutation is even when it is made of an even number of swaps; mirror images are no rotations.
            swaps = sum(order[a] > order[b] for a in range(axes) for b in range(a + 1, axes))
            if (swaps + sum(turned)) % 2 == 0:
                yield order, turned


def rotated(stages: Sequence[Stage]) -> list[tuple[Stage, ...]]:
    """All distinct rotations of a cascade of stages; each comes equally often among all of them."""
    found: dict[tuple[tuple[float, ...], ...], tuple[Stage, ...]] = {}
    for order, turned in rotations(len(stages[0])):
        one = tuple(
            tuple(stage[source][::-1] if turn else stage[source] for source, turn in zip(order, turned, strict=True))
            for stage in stages
        )
        found.setdefault(tuple(tuple(kernel.tolist()) for stage in one for kernel in stage), one)
    return list(found.values())


def pooled(responses: Iterable[Extended], pooling: Pooling) -> Extended:
    """The voxelwise maximum or mean of the responses, of which there is at least one."""
    total: Field | None = None
    beyond: list[float] = []
    boundary = Boundary.ZERO
    for response in responses:
        beyond.append(response.beyond)
        boundary = response.boundary
        if total is None:
            total = response.values.copy()
        elif pooling is Pooling.MAXIMUM:
            np.maximum(total, response.values, out=total)
        else:
            total += response.values
    assert total is not None, "nothing to pool"
    if pooling is Pooling.MAXIMUM:
        return Extended(total, max(beyond), boundary)
    total /= len(beyond)
    return Extended(total, sum(beyond) / len(beyond), boundary)


def cascades(image: Extended, sets: Sequence[Sequence[Stage]]) -> Iterator[Extended]:
    """The responses to each cascade; convolutions that several begin with are done once."""
    steps = [
        [(kernel, axis) for stage in stages for axis, kernel in enumerate(stage, start=image.values.ndim - len(stage))]
        for stages in sets
    ]
    yield from _branch(image, steps)


def _branch(image: Extended, steps: list[list[tuple[Kernel, int]]]) -> Iterator[Extended]:
    if not steps[0]:
        yield from [image] * len(steps)
        return
    groups: dict[tuple[tuple[float, ...], int], list[list[tuple[Kernel, int]]]] = {}
    for one in steps:
        kernel, axis = one[0]
        groups.setdefault((tuple(kernel.tolist()), axis), []).append(one)
    for members in groups.values():
        kernel, axis = members[0][0]
        yield from _branch(image.convolved(kernel, axis), [one[1:] for one in members])
