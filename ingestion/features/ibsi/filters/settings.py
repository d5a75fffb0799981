"""Which filter of IBSI-2 is applied, and how. Lengths are in mm, supports in voxels."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Boundary(StrEnum):
    """What lies beyond the image (IBSI-2, 2.3): zero, the nearest voxel, the image again, or its mirror image."""

    ZERO = "zero"
    NEAREST = "nearest"
    PERIODISE = "periodise"
    MIRROR = "mirror"


class Pooling(StrEnum):
    """How the responses of several directions become one."""

    MAXIMUM = "maximum"
    AVERAGE = "average"


class _Filter(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    dimension: Literal["2D", "3D"] = "3D"
    boundary: Boundary = Boundary.MIRROR


class MeanFilter(_Filter):
    """IBSI-2 code S60F. ``support``: odd number of voxels."""

    name: Literal["mean"]
    support: Annotated[int, Field(ge=1, le=99)]


class LaplacianOfGaussianFilter(_Filter):
    """IBSI-2 code L6PA. ``cutoff``: the kernel ends at so many standard deviations."""

    name: Literal["laplacian_of_gaussian"]
    sigma_mm: Annotated[float, Field(gt=0)]
    cutoff: Annotated[float, Field(gt=0, le=10)] = 4.0


class LawsFilter(_Filter):
    """IBSI-2 code JTXT. ``kernels``: one for each axis in IBSI's order (x, y, z), such as ``["L5", "E5", "S5"]``.

    ``energy_distance``: half width in voxels (Chebyshev) of the neighbourhood that the texture energy is averaged over.
    """

    name: Literal["laws"]
    kernels: tuple[str, ...]
    rotation_invariance: bool = False
    pooling: Pooling = Pooling.MAXIMUM
    energy_distance: Annotated[int, Field(ge=0, le=49)] = 0


class GaborFilter(_Filter):
    """IBSI-2 code Q88H: complex, in the plane, modulus of the response.

    ``gamma``: spatial aspect ratio. ``theta_degrees``: orientation, clockwise. ``rotation_step_degrees``: pool over
    orientations in such steps instead. ``dimension: 3D`` averages over the three orthogonal planes.
    """

    name: Literal["gabor"]
    sigma_mm: Annotated[float, Field(gt=0)]
    wavelength_mm: Annotated[float, Field(gt=0)]
    gamma: Annotated[float, Field(gt=0)] = 1.0
    theta_degrees: float = 0.0
    rotation_step_degrees: Annotated[float, Field(gt=0, le=180)] | None = None
    pooling: Pooling = Pooling.AVERAGE


class WaveletFilter(_Filter):
    """IBSI-2 code 25BO: separable, undecimated. ``response``: one letter for each axis, such as ``LLH`` (x, y, z)."""

    name: Literal["wavelet"]
    family: Literal["haar", "db2", "db3", "coif1"]
    response: Annotated[str, Field(pattern="^[LH]{2,3}$")]
    level: Annotated[int, Field(ge=1, le=4)] = 1
    rotation_invariance: bool = False
    pooling: Pooling = Pooling.AVERAGE


FilterSettings = Annotated[
    MeanFilter | LaplacianOfGaussianFilter | LawsFilter | GaborFilter | WaveletFilter, Field(discriminator="name")
]
