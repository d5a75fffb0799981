"""schema.org JSON-LD: a DataCatalog with one Dataset per source, for search engines."""

from __future__ import annotations

import json
from typing import Any

from ingestion.catalogue.exports.view import BASE, ReleaseView, Row, dataset_uri, parts
from ingestion.catalogue.exports.words import access, describe, keywords, period, title
from ingestion.sources.registry import AccessMode
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.modality import modalities

CONTEXT = "https://schema.org/"
_SEXES = {"F": "female", "M": "male", "O": "other"}


def catalogue(view: ReleaseView) -> dict[str, Any]:
    """The whole release."""
    said: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "DataCatalog",
        "@id": f"{BASE}catalogue",
        "name": "Cancer image collections",
        "description": "De-identified collections of cancer images by source",
        "version": view.version,
        "dateModified": view.released_on.isoformat(),
        "dataset": [dataset(view, row, nested=True) for row in view.rows],
    }
    if view.publisher is not None:
        said["publisher"] = {"@type": "Organization", **view.publisher}
    return said


def dataset(view: ReleaseView, row: Row, *, nested: bool = False) -> dict[str, Any]:
    """One source; alone with its own context."""
    uri = str(dataset_uri(row["source_id"]))
    cancer = CancerType(row["CancerType"]).code
    covered = period(row)
    said: dict[str, Any] = {
        **({} if nested else {"@context": CONTEXT}),
        "@type": "Dataset",
        "@id": uri,
        "identifier": [uri, *([f"https://doi.org/{row['source_DOI']}"] if row.get("source_DOI") else [])],
        "name": title(row),
        "description": describe(row),
        "version": view.version,
        "dateModified": view.released_on.isoformat(),
        "isAccessibleForFree": AccessMode(row["AccessMode"]) is AccessMode.DOWNLOAD,
        "conditionsOfAccess": access(row),
        "usageInfo": f"{uri}#policy",
        "keywords": keywords(row),
        "about": {
            "@type": "MedicalCondition",
            "name": cancer.meaning,
            "code": {"@type": "MedicalCode", "codeValue": cancer.value, "codingSystem": "SNOMED-CT"},
        },
        "measurementTechnique": _techniques(row),
        "spatialCoverage": [{"@type": "Country", "identifier": code} for code in parts(row["HolderCountries"], ",")],
        "creator": {"@type": "Organization", "name": row["Project"], "email": row["ContactEmail"]},
        "variableMeasured": _variables(row),
    }
    if covered is not None:
        said["temporalCoverage"] = "/".join(covered)
    if row["Bytes"] is not None:
        said["size"] = {"@type": "QuantitativeValue", "value": row["Bytes"], "unitText": "byte"}
    if row.get("license_short_name"):
        said["license"] = f"https://spdx.org/licenses/{row['license_short_name']}"
    if not nested:
        said["includedInDataCatalog"] = {"@type": "DataCatalog", "@id": f"{BASE}catalogue"}
    return said


def to_bytes(said: dict[str, Any]) -> bytes:
    """Same content, same bytes."""
    return json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def _techniques(row: Row) -> list[str]:
    codes = parts(row["Modalities"], ",")
    return [modalities()[code].meaning if code in modalities() else code for code in codes]


def _variables(row: Row) -> list[dict[str, Any]]:
    """Counts and ranges; hidden ones are not named."""
    figures = {
        "individuals (rounded)": row["NumberOfPatients"],
        "imaging studies (rounded)": row["NumberOfStudies"],
        "series (rounded)": row["NumberOfSeries"],
        "segmented studies (rounded)": row.get("SegmentedStudies"),
    }
    found = [_value(name, value=figure) for name, figure in figures.items() if figure is not None]
    if row["AgeMinimum"] is not None and row["AgeMaximum"] is not None:
        ages = {"minValue": row["AgeMinimum"], "maxValue": row["AgeMaximum"], "unitText": "year"}
        found.append(_value("age at study", **ages))
    for name, values in (
        ("sex", [_SEXES[sex] for sex in parts(row["Sexes"], ",") if sex in _SEXES]),
        ("body part", parts(row["BodyParts"], "; ")),
        ("manufacturer", parts(row["Manufacturers"], ",")),
    ):
        if values:
            found.append(_value(name, value=values))
    return found


def _value(name: str, **said: Any) -> dict[str, Any]:
    return {"@type": "PropertyValue", "name": name, **said}
