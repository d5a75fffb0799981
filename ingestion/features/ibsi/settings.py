"""What can be chosen about radiomics, in IBSI's own words, read from YAML; all that is wrong is said at once."""

from __future__ import annotations

import hashlib
import json
import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ingestion.features.ibsi.catalogue import (
    DIRECTIONAL_AGGREGATIONS,
    DIRECTIONAL_FAMILIES,
    MATRIX_AGGREGATIONS,
    MATRIX_FAMILIES,
    Aggregation,
    Family,
    aggregations_of,
)
from ingestion.features.ibsi.filters.settings import FilterSettings
from ingestion.strict_yaml import YamlFileError, read_yaml

ENGINE_VERSION = 1
"""Goes up with every change of the engine that can change a value: it is part of the digest."""


class SettingsError(ValueError):
    """The settings cannot be used; the message names every wrong entry."""


class Interpolation(StrEnum):
    """The manual's section 2.4. In the plane (``dimension: 2D``) trilinear is bilinear, and so on."""

    NONE = "none"
    NEAREST = "nearest"
    TRILINEAR = "trilinear"
    TRICUBIC_SPLINE = "tricubic_spline"


class Discretisation(StrEnum):
    """The manual's section 2.7: fixed bin number (FBN), fixed bin size (FBS)."""

    NONE = "none"
    FIXED_BIN_NUMBER = "fixed_bin_number"
    FIXED_BIN_SIZE = "fixed_bin_size"


class DistanceNorm(StrEnum):
    CHEBYSHEV = "chebyshev"
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Positive = Annotated[float, Field(gt=0)]
Distance = Annotated[int, Field(ge=1, le=8)]


class InterpolationSettings(_Part):
    """``spacing_mm``: of the new grid, (slice, row, column); null keeps the image's own along that axis.

    ``mask``: how the mask is brought to the new grid; voxels with at least ``partial_volume_threshold`` of it are in.
    ``round_intensities``: to whole numbers, as is right for CT in HU.
    """

    method: Interpolation = Interpolation.NONE
    spacing_mm: tuple[Positive | None, Positive | None, Positive | None] = (None, None, None)
    mask: Literal[Interpolation.NEAREST, Interpolation.TRILINEAR] = Interpolation.TRILINEAR
    partial_volume_threshold: Annotated[float, Field(gt=0, le=1)] = 0.5
    round_intensities: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = any(spacing is not None for spacing in self.spacing_mm)
        if given and self.method is Interpolation.NONE:
            raise ValueError("spacing_mm is given, but method is none: choose one, or leave spacing_mm out")
        if not given and self.method is not Interpolation.NONE:
            raise ValueError(f"method is {self.method.value}, but spacing_mm is missing: give (slice, row, column)")
        return self


class ResegmentationSettings(_Part):
    """``range``: lowest and highest intensity that stay in; null for no bound.

    ``outlier_sigma``: only intensities within so many standard deviations of the mean stay in (3 in the manual).
    """

    range: tuple[float | None, float | None] = (None, None)
    outlier_sigma: Positive | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.range
        if low is not None and high is not None and low >= high:
            raise ValueError("range must be [low, high] with low < high")
        return self

    @property
    def low(self) -> float:
        return -math.inf if self.range[0] is None else self.range[0]

    @property
    def high(self) -> float:
        return math.inf if self.range[1] is None else self.range[1]


class DiscretisationSettings(_Part):
    """``lowest``: where the first bin of a fixed size begins; by default the low end of the re-segmentation range, or
    the smallest intensity of the region where there is none.

    ``none`` takes the intensities as grey levels: they must be whole numbers from 1 on, else the region is refused.
    """

    method: Discretisation = Discretisation.FIXED_BIN_NUMBER
    bin_number: Annotated[int, Field(ge=2, le=2048)] | None = None
    bin_size: Positive | None = None
    lowest: float | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        wrong = []
        for name, method in (
            ("bin_number", Discretisation.FIXED_BIN_NUMBER),
            ("bin_size", Discretisation.FIXED_BIN_SIZE),
        ):
            given = getattr(self, name) is not None
            if given != (self.method is method):
                wrong.append(f"{name} goes with method {method.value}" + ("" if given else ", and is missing"))
        if self.lowest is not None and self.method is not Discretisation.FIXED_BIN_SIZE:
            wrong.append("lowest goes with method fixed_bin_size")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class TextureSettings(_Part):
    """Distances are in voxels. ``glcm_norm``: how GLCM distances are measured; ``ngldm_coarseness``: alpha."""

    aggregations: tuple[Aggregation, ...] = (
        Aggregation.VOLUME_AVERAGED,
        Aggregation.VOLUME_MERGED,
        Aggregation.VOLUME,
    )
    glcm_distance: Distance = 1
    glcm_norm: DistanceNorm = DistanceNorm.CHEBYSHEV
    ngtdm_distance: Distance = 1
    ngldm_distance: Distance = 1
    ngldm_coarseness: Annotated[int, Field(ge=0, le=1000)] = 0

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.aggregations)) != len(self.aggregations):
            raise ValueError("aggregations names one twice")
        return self


class IbsiSettings(_Part):
    """``image_diagnostics``: also the diagnostic values of the whole image, which is interpolated whole for them.

    ``filter``: all features are those of its response map, in the region that the unfiltered image gives. The
    intensity-volume histogram then has 1000 bins unless another is chosen: responses have no natural unit.
    """

    interpolation: InterpolationSettings = InterpolationSettings()
    resegmentation: ResegmentationSettings = ResegmentationSettings()
    discretisation: DiscretisationSettings = DiscretisationSettings(bin_number=32)
    intensity_volume_histogram: DiscretisationSettings = DiscretisationSettings(method=Discretisation.NONE)
    texture: TextureSettings = TextureSettings()
    families: tuple[Family, ...] = tuple(Family)
    filter: FilterSettings | None = None
    image_diagnostics: bool = False

    @model_validator(mode="before")
    @classmethod
    def _of_responses(cls, content: Any) -> Any:
        name = "intensity_volume_histogram"
        if isinstance(content, dict) and content.get("filter") is not None and name not in content:
            return content | {name: {"method": Discretisation.FIXED_BIN_NUMBER.value, "bin_number": 1000}}
        return content

    @model_validator(mode="after")
    def _usable(self) -> Self:
        wrong = []
        if len(set(self.families)) != len(self.families) or not self.families:
            wrong.append("families must name each family at most once, and at least one")
        chosen = set(self.texture.aggregations)
        for group, possible in (
            (DIRECTIONAL_FAMILIES, DIRECTIONAL_AGGREGATIONS),
            (MATRIX_FAMILIES, MATRIX_AGGREGATIONS),
        ):
            asked = sorted(group & set(self.families))
            if asked and not chosen & set(possible):
                wrong.append(f"{', '.join(asked)}: name at least one of the aggregations {', '.join(possible)}")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def measured_range(self) -> tuple[float, float]:
        """What re-segmentation says of the values that are measured: nothing of a filter's responses."""
        if self.filter is not None:
            return -math.inf, math.inf
        return self.resegmentation.low, self.resegmentation.high

    @property
    def response_map(self) -> str | None:
        """The name of the filter's response map; None where the image itself is measured."""
        return None if self.filter is None else self.filter.response_map

    def aggregations(self, family: Family) -> tuple[Aggregation, ...]:
        """Those chosen for a family, in IBSI's order."""
        return tuple(item for item in aggregations_of(family) if item in self.texture.aggregations)

    @property
    def digest(self) -> str:
        """16 hex digits of the settings and the engine's version: equal digests, equal values."""
        said = self.model_dump(mode="json") | {
            "families": sorted(self.families),
            "engine_version": ENGINE_VERSION,
        }
        said["texture"]["aggregations"] = sorted(said["texture"]["aggregations"])
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]

    @staticmethod
    def from_mapping(content: Any, *, place: str = "settings") -> IbsiSettings:
        """Raises: SettingsError: with every problem, each named by its entry."""
        if not isinstance(content, dict):
            raise SettingsError(f"{place}: settings are a mapping of names to values")
        try:
            return IbsiSettings.model_validate(content)
        except ValidationError as error:
            said = [
                "".join([".".join(str(part) for part in problem["loc"]), ": "] if problem["loc"] else [])
                + problem["msg"].removeprefix("Value error, ")
                for problem in error.errors(include_url=False, include_context=False, include_input=False)
            ]
            raise SettingsError(f"{place}: " + "; ".join(said)) from None

    @staticmethod
    def from_yaml(path: Path) -> IbsiSettings:
        """Raises: SettingsError: no such file, not YAML, a key given twice, or wrong entries."""
        try:
            content = read_yaml(path)
        except YamlFileError as error:
            raise SettingsError(str(error)) from None
        return IbsiSettings.from_mapping(content, place=str(path))
