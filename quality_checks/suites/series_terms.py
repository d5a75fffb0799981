"""Series rules: closed vocabularies, and whether the series fit what the registry says of the source."""

from __future__ import annotations

from ingestion.sources.registry import SourceEntry
from ingestion.vocabulary.body_part import body_parts, lies_within
from ingestion.vocabulary.modality import modalities
from quality_checks.model import Dimension
from quality_checks.suites.declare import (
    IMAGES,
    MINORITY_REASON,
    MINORITY_SHARE,
    USABLE_REASON,
    USABLE_SHARE,
    Expectation,
    TableCheck,
    Where,
    rule,
)

DERIVED_MODALITIES = frozenset({
    "SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTRECORD", "SR", "KO", "PR", "REG", "FID", "RWV", "ANN", "M3D", "DOC",
    "PLAN", "STAIN", "ASMT", "CTPROTOCOL", "RTSEGANN", "RTINTENT", "RTRAD",
})  # fmt: skip
"""Objects made from images or about them: no acquisition of their own, so no acquisition date or body part."""
_TRUNK = frozenset({
    "Chest, Abdomen and Pelvis", "Chest and Abdomen", "Abdomen and Pelvis", "Chest", "Abdomen", "Pelvis", "Whole body",
})  # fmt: skip
_SPREAD = frozenset({"Lung", "Mediastinum", "Liver"})
"""Organs of the trunk that are imaged on their own to stage a cancer of another part of it."""


def _modalities_of(entry: SourceEntry) -> dict[str, list[str]]:
    return {"value_set": sorted({*entry.modalities, *DERIVED_MODALITIES})}


def _body_parts_of(entry: SourceEntry) -> dict[str, list[str]]:
    """The parts imaged for the source's cancer, and what lies in them: of the trunk only where cancers spread to.

    Everything within the pelvis would let a prostate pass in a collection of breasts.
    """
    expected = set(entry.cancer_type.body_parts)
    inside = {part for part in body_parts() if any(lies_within(part, wider) for wider in expected - _TRUNK)}
    spread = _SPREAD if expected & _TRUNK else frozenset()
    return {"value_set": sorted(expected | inside | spread)}


CHECKS: tuple[TableCheck, ...] = (
    TableCheck(
        rule=rule(
            "series_modality_valid",
            Dimension.VALIDITY,
            title="Modality is a defined term",
            meaning="PS3.3 section C.7.3.1.1.1 closes the list; a value outside it is found by no search.",
            fault="a Modality that DICOM does not define",
            remedy="Have the value replaced by the defined term at the source.",
            error_below=USABLE_SHARE,
            reason=USABLE_REASON,
        ),
        column="Modality",
        expectation=Expectation.IN_SET,
        arguments=lambda entry: {"value_set": sorted(modalities())},
    ),
    TableCheck(
        rule=rule(
            "series_modality_registered",
            Dimension.CONSISTENCY,
            title="Modality is one the registry names for the source",
            meaning="An unannounced modality is a delivery to the wrong place, or a registry that is out of date.",
            fault="a Modality that the registry does not name for this source",
            remedy="Ask the data holder whether it belongs here; then add it to the registry or withdraw the series.",
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
        ),
        column="Modality",
        expectation=Expectation.IN_SET,
        arguments=_modalities_of,
    ),
    TableCheck(
        rule=rule(
            "series_body_part_known",
            Dimension.VALIDITY,
            title="BodyPartExamined is a known body part",
            meaning="Only what maps to a SNOMED CT code can be searched; consoles write protocol names into the field.",
            fault="a BodyPartExamined that maps to no body part",
            remedy="Add the spelling to the body part vocabulary, or have the field corrected at the source.",
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
        ),
        column="BodyPartCode",
        expectation=Expectation.PRESENT,
        where=Where(images_only=True, present="BodyPartExamined"),
    ),
    TableCheck(
        rule=rule(
            "series_body_part_fits_cancer",
            Dimension.ACCURACY,
            title="Body part fits the cancer of the source",
            meaning="Images of a part where this cancer is neither met nor staged may be of another patient group.",
            fault="a body part that is not imaged for the source's cancer",
            remedy="Ask the data holder whether the series belong to the collection.",
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
        ),
        column="BodyPart",
        expectation=Expectation.IN_SET,
        arguments=_body_parts_of,
        where=IMAGES,
    ),
    TableCheck(
        rule=rule(
            "series_manufacturer_known",
            Dimension.VALIDITY,
            title="Manufacturer is a known maker",
            meaning="Makers are compared by one name each; an unknown spelling becomes a maker of its own.",
            fault="a Manufacturer that is no known maker",
            remedy="Add the spelling to the maker vocabulary, or have the field corrected at the source.",
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
        ),
        column="ManufacturerName",
        expectation=Expectation.PRESENT,
        where=Where(images_only=True, present="Manufacturer"),
    ),
)
