"""The one table between the federation's codes and the catalogue's values; nothing else knows a code."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ingestion.vocabulary.body_part import body_parts, lies_within
from ingestion.vocabulary.manufacturer import normalise_manufacturer
from ingestion.vocabulary.modality import normalise_modality

CATEGORIES = {
    "SNOMEDCT263495000": "sex",
    "SNOMEDCT439401001": "diagnosis",
    "RID10311": "modality",
    "SNOMEDCT123037004": "bodyPart",
    "C25392": "manufacturer",
    # the names that Focus puts into the address of a node's own API
    "gender": "sex",
    "diagnosis": "diagnosis",
    "modality": "modality",
    "bodyPart": "bodyPart",
    "manufacturer": "manufacturer",
}
"""The key of a criterion, as it stands in a query, to the category of its values."""
FIELDS = {
    "sex": "PatientSex",
    "diagnosis": "CancerType",
    "modality": "Modality",
    "bodyPart": "BodyPart",
    "manufacturer": "ManufacturerName",
}
_SEXES = {"male": "M", "female": "F", "other": "O", "unknown": ""}
_PREFIX = re.compile(r"^(EUCAIM_Hyper-Ontology_V1\.0\.|EUCAIM:|SNOMEDCT:?|SCT:|DCM:)", re.IGNORECASE)
_AND = re.compile(r", | and ")


@dataclass(frozen=True, slots=True)
class Term:
    """One code and what it means here. ``explorer``: the federation's Explorer emits it."""

    category: str
    system: str
    code: str
    values: tuple[str, ...]
    explorer: bool
    meaning: str

    @property
    def written(self) -> str:
        """The code as queries write it."""
        return {"SNOMEDCT": "SNOMEDCT", "EUCAIM": "EUCAIM:"}.get(self.system, "") + self.code


@cache
def terms() -> tuple[Term, ...]:
    """Every row of the table."""
    body = resources.files("ingestion.catalogue.federation").joinpath("terms.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in body.splitlines() if not line.startswith("#"))
    return tuple(
        Term(
            row["category"], row["system"], row["code"], tuple(row["values"].split("|")), row["explorer"] == "yes",
            row["meaning"],
        )
        for row in rows
    )  # fmt: skip


@cache
def _by_code() -> dict[tuple[str, str], tuple[str, ...]]:
    found = {(term.category, term.code.casefold()): term.values for term in terms()}
    # every body part by the code that the catalogue itself writes; some codes have two labels
    labels: dict[str, list[str]] = {}
    for part in body_parts().values():
        labels.setdefault(part.code.value, []).append(part.label)
    for code, names in labels.items():
        known = found.get(("bodyPart", code), ())
        found[("bodyPart", code)] = tuple(sorted({*known, *names}))
    return found


def values_of(category: str, said: str) -> tuple[str, ...] | None:
    """The catalogue's values that a code, or a plain word as Focus writes it, stands for; None where it is unknown.

    A body part stands for all images that show it: of the part itself, of parts of it, and of regions it lies in.
    """
    code = _PREFIX.sub("", said.strip())
    values = _by_code().get((category, code.casefold())) or _by_word(category, said.strip())
    if values is not None and category == "bodyPart":
        return tuple(sorted({label for value in values for label in shown_in(value)}))
    return values


def shown_in(part: str) -> frozenset[str]:
    """The labels of images that show a body part: ``Lung`` is shown in chests too, and ``Chest`` in lungs in part."""
    wider = {label for label in body_parts() if lies_within(part, label)}
    narrower = {label for label in body_parts() if lies_within(label, part)}
    joint = {label for label in body_parts() if set(_AND.split(label)) & wider}
    return frozenset(wider | narrower | joint)


def _by_word(category: str, word: str) -> tuple[str, ...] | None:
    match category:
        case "sex":
            return (_SEXES[word.casefold()],) if word.casefold() in _SEXES else None
        case "modality":
            if word.upper() == "SPECT":
                return ("NM", "ST")
            modality = normalise_modality(word)
            return (modality.value,) if modality else None
        case "bodyPart":
            known = {label.casefold(): label for label in body_parts()}
            return (known[word.casefold()],) if word.casefold() in known else None
        case "manufacturer":
            name = normalise_manufacturer(word)
            return (name,) if name else None
        case _:
            return None
