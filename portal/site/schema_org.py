"""What search engines read in the page of a collection: schema.org's Dataset as JSON-LD, with public counts only."""

from __future__ import annotations

from typing import Any

from ingestion.catalogue.search.protection import PublicCounts
from ingestion.sources.registry import SourceEntry
from portal.site.citation import Citation
from portal.site.shelf import Row

DUO = "http://purl.obolibrary.org/obo/"


def dataset(
    entry: SourceEntry, row: Row, citation: Citation, counts: PublicCounts, *, modalities: list[str]
) -> dict[str, Any]:
    """The description (schema.org, type Dataset)."""
    meaning = entry.cancer_code.meaning
    said: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": citation.identifier,
        "identifier": citation.identifier,
        "name": citation.title,
        "description": f"De-identified images of {meaning.lower()} from {entry.project}, held in "
        f"{', '.join(entry.holder_countries)}.",
        "version": citation.version,
        "datePublished": None if citation.released_on is None else citation.released_on.isoformat(),
        "creator": {"@type": "Organization", "name": entry.project},
        "publisher": {"@type": "Organization", "name": citation.publisher},
        "keywords": ["cancer", entry.cancer_type.value, *modalities],
        "isAccessibleForFree": False,
        "conditionsOfAccess": entry.agreement.access_mode.value,
        "usageInfo": [DUO + code.replace(":", "_") for code in entry.agreement.data_use],
        "spatialCoverage": [{"@type": "Country", "identifier": code} for code in entry.holder_countries],
        "measurementTechnique": modalities,
        "about": {"@type": "MedicalCondition", "name": meaning, "code": {
            "@type": "MedicalCode", "codeValue": entry.cancer_code.value, "codingSystem": entry.cancer_code.scheme,
        }},
        "citation": citation.apa(),
    }  # fmt: skip
    if citation.url:
        said["url"] = citation.url
        said["distribution"] = {
            "@type": "DataDownload", "encodingFormat": "text/turtle", "contentUrl": f"{citation.url}/dcat.ttl",
            "name": "DCAT record",
        }  # fmt: skip
    if not counts.hidden:
        said["variableMeasured"] = [
            {"@type": "PropertyValue", "name": name, "value": value}
            for name, value in (("people", counts.people), ("studies", counts.studies), ("series", counts.series))
            if value is not None
        ]
    return said
