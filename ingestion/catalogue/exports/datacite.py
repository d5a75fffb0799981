"""DataCite metadata 4.6 in JSON, of a release and of each source in it.

A DOI is not made up: where the registry names none, the record has none, and DataCite gives one when it is registered.
"""

from __future__ import annotations

from typing import Any

from ingestion.catalogue.exports.view import BASE, ReleaseView, Row, dataset_uri, parts
from ingestion.catalogue.exports.words import access, describe, keywords, period, title
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.data_use import data_use_terms

SCHEMA = "http://datacite.org/schema/kernel-4.6"
_RESTRICTED = "http://purl.org/coar/access_right/c_16ec"
"""COAR access rights: restricted access."""


def release_record(view: ReleaseView) -> dict[str, Any]:
    """The release: its parts are the sources, and it follows the release before."""
    publisher = view.publisher["name"] if view.publisher else None
    related = [_related("HasPart", str(dataset_uri(row["source_id"]))) for row in view.rows]
    if view.previous:
        related.append(_related("IsNewVersionOf", f"{BASE}release:{view.previous}"))
    uri = f"{BASE}release:{view.version}"
    return _common(view, uri, "Cancer image collections", publisher) | {
        "creators": [{"name": publisher, "nameType": "Organizational"}] if publisher else [],
        "types": {"resourceTypeGeneral": "Collection", "resourceType": "Release of image collections"},
        "subjects": [{"subject": "cancer"}, {"subject": "medical imaging"}],
        "descriptions": [_abstract(f"De-identified collections of cancer images of {len(view.rows)} sources.")],
        "relatedIdentifiers": related,
        "formats": ["application/vnd.apache.parquet", "text/turtle", "application/ld+json"],
    }


def source_record(view: ReleaseView, row: Row) -> dict[str, Any]:
    """One source."""
    uri = str(dataset_uri(row["source_id"]))
    publisher = view.publisher["name"] if view.publisher else row["Project"]
    covered = period(row)
    cancer = CancerType(row["CancerType"]).code
    said = _common(view, uri, title(row), publisher) | {
        "creators": [{"name": row["Project"], "nameType": "Organizational"}],
        "contributors": [
            {"name": row["ContactName"], "nameType": "Organizational", "contributorType": "ContactPerson"}
        ],
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Collection of DICOM images"},
        "subjects": [
            {
                "subject": cancer.meaning,
                "subjectScheme": "SNOMED CT",
                "schemeUri": "http://snomed.info/sct",
                "valueUri": cancer.uri,
                "classificationCode": cancer.value,
            },
            *({"subject": word} for word in keywords(row)),
        ],
        "descriptions": [_abstract(describe(row))],
        "relatedIdentifiers": [_related("IsPartOf", f"{BASE}release:{view.version}")],
        "formats": ["application/dicom"],
        "sizes": _sizes(row),
        "rightsList": _rights(row),
        "geoLocations": [{"geoLocationPlace": code} for code in parts(row["HolderCountries"], ",")],
    }
    if covered is not None:
        said["dates"] = [*said["dates"], {"date": "/".join(covered), "dateType": "Collected"}]
    if row.get("source_DOI"):
        said["doi"] = row["source_DOI"]
    return said


def _common(view: ReleaseView, uri: str, name: str, publisher: str | None) -> dict[str, Any]:
    return {
        "schemaVersion": SCHEMA,
        "identifiers": [{"identifier": uri, "identifierType": "URN"}],
        "titles": [{"title": name, "lang": "en"}],
        "publisher": {"name": publisher} if publisher else None,
        "publicationYear": view.released_on.year,
        "dates": [{"date": view.released_on.isoformat(), "dateType": "Issued"}],
        "language": "en",
        "version": view.version,
    }


def _abstract(text: str) -> dict[str, str]:
    return {"description": text, "descriptionType": "Abstract", "lang": "en"}


def _related(kind: str, uri: str) -> dict[str, str]:
    return {"relationType": kind, "relatedIdentifier": uri, "relatedIdentifierType": "URN"}


def _sizes(row: Row) -> list[str]:
    figures = (("individuals", "NumberOfPatients"), ("studies", "NumberOfStudies"), ("series", "NumberOfSeries"))
    told = [f"about {row[column]} {name}" for name, column in figures if row[column] is not None]
    return told + ([f"about {row['Bytes']} bytes"] if row["Bytes"] is not None else [])


def _rights(row: Row) -> list[dict[str, str]]:
    terms = [data_use_terms()[code] for code in parts(row["DataUse"], ",")]
    return [
        {"rights": access(row), "rightsUri": _RESTRICTED, "lang": "en"},
        *({"rights": term.label, "rightsUri": term.duo_uri, "rightsIdentifier": term.code} for term in terms),
    ]
