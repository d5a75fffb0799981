"""Descriptions of a release and its collections for machines, with the numbers that visitors get and no others.

A release's own files hold counts that are rounded otherwise. To give both would be two draws of one count, which tell
more than one does (decision 0007): so each document is made here, from rows whose counts are those of the search.
"""

from __future__ import annotations

import hashlib
from typing import Any

from rdflib import Graph

from ingestion.catalogue.exports import croissant, datacite, schema_org
from ingestion.catalogue.exports.dcat import to_json_ld
from ingestion.catalogue.exports.names import bind
from ingestion.catalogue.exports.odrl import add_policy, policies_graph
from ingestion.catalogue.exports.view import ReleaseView, Row
from ingestion.catalogue.search.protection import PublicCounts

JSON, JSON_LD = "application/json", "application/ld+json"
OF_COLLECTION = {"datacite.json": JSON, "policy.jsonld": JSON_LD}
OF_RELEASE = {"croissant.jsonld": JSON_LD, "datacite.json": JSON, "policies.jsonld": JSON_LD}
TABLE = "collection.parquet"
COLUMNS = {
    "source_id": "The collection",
    "Project": "The project that it comes from",
    "CancerType": "Kind of cancer",
    "CancerCode": "Its code",
    "HolderCountries": "Countries of the holders (ISO 3166-1), with commas between them",
    "ModalitiesDeclared": "Modalities as the holder declares them (DICOM), with commas between them",
    "AccessMode": "How approved users reach the images",
    "DataUse": "Data-use conditions (DUO), with commas between them",
    "Policy": "De-identification policy",
    "people": "People; empty where they are too few to be shown",
    "studies": "Studies, shown with the people",
    "series": "Series, shown with the people",
}
"""Of the public table of collections."""
COUNTED = ("people", "studies", "series")
_DESCRIBING = ("AgeMinimum", "AgeMaximum", "Sexes", "SmallestSpacing", "FirstStudyDate", "LastStudyDate")
"""What describes the people of a collection; left out where these are too few to be counted."""


def of_collection(view: ReleaseView, source_id: str, counts: PublicCounts, name: str) -> bytes:
    """One document of ``OF_COLLECTION``."""
    [row] = [told(one, counts) for one in view.rows if one["source_id"] == source_id]
    if name == "datacite.json":
        return schema_org.to_bytes(datacite.source_record(view, row))
    graph = bind(Graph())
    add_policy(graph, row)
    return to_json_ld(graph)


def of_release(view: ReleaseView, name: str, *, table: bytes) -> bytes:
    """One document of ``OF_RELEASE``; ``table``: the public table that Croissant describes."""
    if name == "policies.jsonld":
        return to_json_ld(policies_graph(view))
    if name == "datacite.json":
        return schema_org.to_bytes(datacite.release_record(view))
    return schema_org.to_bytes(croissant.describe_release(view) | _public_table(table))


def told(row: Row, counts: PublicCounts) -> dict[str, Any]:
    """A row of the release with a visitor's counts in the place of its own; sizes and other counts are left out."""
    hidden = dict.fromkeys(_DESCRIBING) if counts.hidden else {}
    return {
        **row,
        **hidden,
        "NumberOfPatients": counts.people,
        "NumberOfStudies": counts.studies,
        "NumberOfSeries": counts.series,
        "Bytes": None,
        "SegmentedStudies": None,
    }


def _public_table(body: bytes) -> dict[str, Any]:
    """Files and fields in Croissant's terms; the file lies beside the description."""
    return {
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "collection-table",
                "name": TABLE,
                "contentUrl": TABLE,
                "contentSize": f"{len(body)} B",
                "encodingFormat": croissant.PARQUET,
                "sha256": hashlib.sha256(body).hexdigest(),
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "collection",
                "name": "collection",
                "description": "One row per collection, with protected counts.",
                "key": {"@id": "collection/source_id"},
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"collection/{column}",
                        "name": column,
                        "description": what,
                        "dataType": "sc:Integer" if column in COUNTED else "sc:Text",
                        "source": {"fileObject": {"@id": "collection-table"}, "extract": {"column": column}},
                    }
                    for column, what in COLUMNS.items()
                ],
            }
        ],
    }
