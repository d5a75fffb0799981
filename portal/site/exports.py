"""Descriptions of a release and its collections for machines, with the numbers that visitors get and no others.

A release's own files hold counts that are rounded otherwise. To give both would be two draws of one count, which tell
more than one does (decision 0007): so each document is made here, from rows that hold what the search shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from rdflib import XSD, Graph, Literal

from ingestion.catalogue.exports import croissant, datacite, schema_org
from ingestion.catalogue.exports.dcat import to_json_ld, to_turtle, visitors_record
from ingestion.catalogue.exports.names import DQV, bind
from ingestion.catalogue.exports.odrl import add_policy, policies_graph
from ingestion.catalogue.exports.view import ReleaseView, Row

JSON, JSON_LD = "application/json", "application/ld+json"
RECORDS = {"dcat.ttl": "text/turtle; charset=utf-8", "dcat.jsonld": JSON_LD}
OF_COLLECTION = {**RECORDS, "datacite.json": JSON, "policy.jsonld": JSON_LD}
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
    "people": "People; empty where they are not shown: too few, or a question too close to one about few",
    "studies": "Studies; empty where they are not shown",
    "series": "Series; empty where they are not shown",
}
"""Of the public table of collections."""
COUNTED = ("people", "studies", "series")


def of_collection(view: ReleaseView, row: Row, name: str, share: Callable[[str, float], float]) -> bytes:
    """One document of ``OF_COLLECTION``.

    Args:
        row: of ``visitors_row``.
        share: what may be shown of a measured share of the source, by its name.
    """
    if name in RECORDS:
        graph = visitors_record(view, row)
        for measured, value in list(graph.subject_objects(DQV.value)):
            _, _, what = str(measured).partition("#quality-")
            if what != "tier":
                shown = Literal(f"{share(what, float(str(value))):.2f}", datatype=XSD.decimal)
                graph.set((measured, DQV.value, shown))
        return to_json_ld(graph) if name.endswith("jsonld") else to_turtle(graph)
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
