"""Which filter of IBSI-2 is applied, and how. Lengths are in mm, supports in voxels.

Source: Image Biomarker Standardisation Initiative, convolutional filters (arXiv:2006.05470v9); ``code`` is the
permanent id that the manual gives.
"""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ingestion.features.ibsi.filters.kernels import LAWS


class Boundary(StrEnum):
    """What lies beyond the image: zero, another constant, the nearest voxel, the image again, or its mirror image."""

    ZERO = "zero"
    CONSTANT = "constant"
    NEAREST = "nearest"
    PERIODISE = "periodise"
    MIRROR = "mirror"


class Pooling(StrEnum):
    """How the responses of several directions become one."""

    MAXIMUM = "maximum"
    AVERAGE = "average"


class _Filter(BaseModel):
    """``dimension``: in the plane of the slices, or in space. ``constant``: beyond the image with that boundary."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    code: ClassVar[str]
    dimension: Literal["2D", "3D"] = "3D"
    boundary: Boundary = Boundary.MIRROR
    constant: float | None = None

    def problems(self) -> list[str]:
        """What does not fit together."""
        if (self.constant is not None) != (self.boundary is Boundary.CONSTANT):
            return ["constant is the value beyond the image; it goes with boundary constant, which needs it"]
        return []

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = self.problems()
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def axes(self) -> int:
        """Number of dimensions of the kernel."""
        return 3 if self.dimension == "3D" else 2

    @property
    def response_map(self) -> str:
        """One name for one response map: code, and every parameter; equal names, equal filters."""
        said = self.model_dump(mode="json", exclude_none=True)
        name = said.pop("name")
        chosen = (f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in said.items())
        return " ".join((self.code, name, *sorted(chosen)))


class MeanFilter(_Filter):
    """The mean of a neighbourhood. ``support``: its width, an odd number of voxels."""

    code: ClassVar[str] = "S60F"
    name: Literal["mean"]
    support: Annotated[int, Field(ge=1, le=99)]

    @field_validator("support")
    @classmethod
    def _odd(cls, support: int) -> int:
        if support % 2 == 0:
            raise ValueError("the support must be an odd number of voxels")
        return support


class LaplacianOfGaussianFilter(_Filter):
    """Blobs and edges at a scale. ``cutoff``: the kernel ends at so many standard deviations."""

    code: ClassVar[str] = "L6PA"
    name: Literal["laplacian_of_gaussian"]
    sigma_mm: Annotated[float, Field(gt=0, le=100)]
    cutoff: Annotated[float, Field(gt=0, le=10)] = 4.0


class LawsFilter(_Filter):
    """Laws kernels. ``kernels``: one for each axis in IBSI's order (x, y, z), such as ``["L5", "E5", "S5"]``.

    ``rotation_invariance``: pooled over the rotations by right angles (24 in space, 4 in the plane).
    ``energy_distance``: the response becomes the mean of its modulus within so many voxels (Chebyshev), the energy map.
    """

    code: ClassVar[str] = "JTXT"
    name: Literal["laws"]
    kernels: tuple[str, ...]
    rotation_invariance: bool = False
    pooling: Pooling = Pooling.MAXIMUM
    energy_distance: Annotated[int, Field(ge=0, le=49)] | None = None

    @field_validator("kernels")
    @classmethod
    def _known(cls, kernels: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in kernels if name not in LAWS]
        if unknown:
            raise ValueError(f"unknown kernels {unknown}; known are {', '.join(LAWS)}")
        return kernels

    def problems(self) -> list[str]:
        found = super().problems()
        if len(self.kernels) != self.axes:
            found.append(f"dimension {self.dimension} takes {self.axes} kernels, {len(self.kernels)} are given")
        return found


class GaborFilter(_Filter):
    """Complex, in a plane; the response is its modulus.

    ``gamma``: spatial aspect ratio. ``theta_degrees``: orientation, clockwise. ``rotation_step_degrees``: pool over
    orientations in such steps instead. ``dimension: 3D``: in the three orthogonal planes, which are pooled too.
    """

    code: ClassVar[str] = "Q88H"
    name: Literal["gabor"]
    sigma_mm: Annotated[float, Field(gt=0, le=100)]
    wavelength_mm: Annotated[float, Field(gt=0)]
    gamma: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    theta_degrees: float = 0.0
    rotation_step_degrees: Annotated[float, Field(ge=1, le=180)] | None = None
    pooling: Pooling = Pooling.AVERAGE

    def problems(self) -> list[str]:
        found = super().problems()
        step = self.rotation_step_degrees
        if step is not None and not math.isclose(360 / step, round(360 / step), rel_tol=1e-9):
            found.append("rotation_step_degrees must divide the full circle")
        if step is not None and self.theta_degrees:
            found.append("give theta_degrees or rotation_step_degrees, not both")
        return found


class WaveletFilter(_Filter):
    """Separable, undecimated (à trous). ``response``: one letter for each axis (x, y, z), such as ``LLH``."""

    code: ClassVar[str] = "25BO"
    name: Literal["wavelet"]
    family: Annotated[str, Field(pattern="^(haar|db([1-9]|1[0-9]|20)|coif[1-5])$")]
    response: Annotated[str, Field(pattern="^[LH]{2,3}$")]
    level: Annotated[int, Field(ge=1, le=4)] = 1
    rotation_invariance: bool = False
    pooling: Pooling = Pooling.AVERAGE

    def problems(self) -> list[str]:
        found = super().problems()
        if len(self.response) != self.axes:
            found.append(f"dimension {self.dimension} takes a response of {self.axes} letters, not {self.response}")
        return found


class SimoncelliFilter(_Filter):
    """Non-separable, isotropic band-pass in the Fourier domain, of the whole image, which is periodic there.

    ``level``: 1 is the band of the highest frequencies.
    """

    code: ClassVar[str] = "PRT7"
    name: Literal["simoncelli"]
    boundary: Literal[Boundary.PERIODISE] = Boundary.PERIODISE
    level: Annotated[int, Field(ge=1, le=6)] = 1


FilterSettings = Annotated[
    MeanFilter | LaplacianOfGaussianFilter | LawsFilter | GaborFilter | WaveletFilter | SimoncelliFilter,
    Field(discriminator="name"),
]
FILTERS: tuple[type[_Filter], ...] = (
    MeanFilter, LaplacianOfGaussianFilter, LawsFilter, GaborFilter, WaveletFilter, SimoncelliFilter,
)  # fmt: skip
BOUNDARY_CODES = {
    Boundary.ZERO: "Z3VE",
    Boundary.NEAREST: "SIJG",
    Boundary.PERIODISE: "Z7YO",
    Boundary.MIRROR: "ZDTV",
}
"""Permanent ids of the boundary conditions."""


COMMON = ("dimension", "boundary", "constant")
"""What every filter has."""


def filter_table() -> list[dict[str, str]]:
    """One row for each filter: what ``cie features --list`` prints."""
    rows = []
    for kind in FILTERS:
        fields = kind.model_fields
        (name,) = fields["name"].annotation.__args__  # type: ignore[union-attr]
        own = [key for key in fields if key not in {"name", *COMMON}]
        parameters = ", ".join(f"{key}*" if fields[key].is_required() else key for key in own)
        common = ", ".join(key for key in COMMON if key in fields)
        rows.append({"Code": kind.code, "Filter": name, "Parameters": f"{parameters}, {common}"})
    return rows
