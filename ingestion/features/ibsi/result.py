"""What the engine gives: one value or one named refusal for each feature, and the diagnostic values on the way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ingestion.features.ibsi.catalogue import Aggregation, Feature, column


class Refusal(StrEnum):
    """Why there is no value. The first group holds for a whole region, the second for single features."""

    NOT_3D = "not_3d"  # image or mask are not three-dimensional
    SHAPES_DIFFER = "shapes_differ"  # mask or padding are not on the image's grid
    BAD_SPACING = "bad_spacing"  # not three positive finite numbers
    EMPTY_MASK = "empty_mask"
    ALL_PADDING = "all_padding"  # every voxel of the mask is padding
    NOT_FINITE = "not_finite"  # NaN or infinity inside the mask
    TOO_LARGE = "too_large"  # the region's box, or what is interpolated or filtered of it, has too many voxels
    FILTER_NOT_APPLICABLE = "filter_not_applicable"  # it needs voxels with equal sides, or reaches too far
    FILTER_REACHES_PADDING = "filter_reaches_padding"  # from inside the region it looks at what is no measurement
    EMPTY_AFTER_INTERPOLATION = "empty_after_interpolation"
    EMPTY_AFTER_RESEGMENTATION = "empty_after_resegmentation"

    ONE_VOXEL = "one_voxel"  # the feature needs at least two voxels
    CONSTANT_REGION = "constant_region"  # undefined where all intensities, or all discretised ones, are equal
    NO_NEIGHBOURS = "no_neighbours"  # no voxel has a neighbour in the region
    ZERO_DENOMINATOR = "zero_denominator"  # the definition divides by zero here, for example by a mean of 0
    NO_VOXELS_IN_RANGE = "no_voxels_in_range"  # no voxel lies between the percentiles that the feature asks for
    FLAT_REGION = "flat_region"  # one voxel thick in some direction: no enclosing ellipsoid
    NOT_GREY_LEVELS = "not_grey_levels"  # no discretisation was chosen, and intensities are no whole numbers from 1

    TOO_MANY_LEVELS = "too_many_levels"  # more grey levels than texture matrices are made for
    NOT_COMPUTED = "not_computed"  # the whole region was refused; see ``RegionFeatures.refusal``


@dataclass(frozen=True, slots=True)
class FeatureValue:
    """Either ``value`` or ``refusal`` is given, never both.

    ``code``: IBSI's permanent id of the feature. ``family``: of its family. ``aggregation``: IBSI's permanent id of the
    aggregation, for texture. ``unit``: ``u`` is the unit of the image, ``1`` none. ``tag``: unique short name of IBSI's
    reference tables, without the aggregation.
    """

    code: str
    family: str
    name: str
    aggregation: str | None
    value: float | None
    unit: str
    refusal: Refusal | None
    tag: str
    column: str

    @staticmethod
    def of(feature: Feature, aggregation: Aggregation | None, value: float | Refusal) -> FeatureValue:
        refused = value if isinstance(value, Refusal) else None
        return FeatureValue(
            code=feature.code,
            family=feature.family_code,
            name=feature.name,
            aggregation=aggregation.code if aggregation else None,
            value=None if isinstance(value, Refusal) else float(value),
            unit=feature.unit,
            refusal=refused,
            tag=feature.tag,
            column=column(feature, aggregation),
        )


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One of IBSI's diagnostic values; ``tag`` is the name in IBSI's reference tables. None: not asked for."""

    tag: str
    value: float | None


@dataclass(frozen=True, slots=True)
class RegionFeatures:
    """``values``: every feature of the chosen families and aggregations, in the manual's order, also when refused.

    ``voxels``: of the intensity mask that was measured. ``padding_voxels``: of the mask, left out. ``levels``: count of
    grey levels after discretisation. ``refusal``: why the whole region was not measured.
    """

    values: tuple[FeatureValue, ...]
    diagnostics: tuple[Diagnostic, ...]
    refusal: Refusal | None = None
    detail: str = ""
    voxels: int = 0
    padding_voxels: int = 0
    levels: int = 0
