"""Croissant 1.0 (MLCommons): the release's public table as a dataset that machine-learning tools load by itself."""

from __future__ import annotations

from typing import Any

from ingestion.catalogue import tables as t
from ingestion.catalogue.exports.view import BASE, ReleaseView
from ingestion.catalogue.json_schema import property_of
from ingestion.catalogue.release_tables import released_columns

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
PARQUET = "application/x-parquet"
"""How the format's tools call it: mlcroissant 1.1.1 reads no table of the type that IANA registered since."""
_TYPES = {"integer": "sc:Integer", "number": "sc:Float", "string": "sc:Text"}
_FILE = "collection-table"
_CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/", "citeAs": "cr:citeAs", "column": "cr:column", "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "equivalentProperty": "cr:equivalentProperty", "samplingRate": "cr:samplingRate",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract", "field": "cr:field",
    "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet", "format": "cr:format",
    "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key",
    "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
"""The context of the specification, section "Appendix 1"; the tools compare it."""


def describe_release(view: ReleaseView) -> dict[str, Any]:
    """The metadata file; lies beside the table that it describes."""
    publisher = view.publisher or {}
    name = f"cancer-image-collections-{view.version}"
    said: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "@id": f"{BASE}release:{view.version}",
        "conformsTo": CONFORMS_TO,
        "name": name,
        "description": "De-identified collections of cancer images, one row per source: figures as the public may "
        "see them. Images and rows of single series are for approved users.",
        "version": view.version,
        "datePublished": view.released_on.isoformat(),
        "url": f"{BASE}release:{view.version}",
        "license": "policies.jsonld",
        "citeAs": f"Cancer image collections, release {view.version}, {view.released_on.year}",
        "isLiveDataset": False,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": _FILE,
                "name": view.table.path,
                "contentUrl": view.table.path,
                "contentSize": f"{view.table.size} B",
                "encodingFormat": PARQUET,
                "sha256": view.table.sha256,
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "collection",
                "name": "collection",
                "description": f"{t.collection.comment}.",
                "key": {"@id": "collection/source_id"},
                "field": _fields(),
            }
        ],
    }
    if publisher:
        said["publisher"] = {"@type": "sc:Organization", **publisher}
    return said


def _fields() -> list[dict[str, Any]]:
    found = []
    for column in released_columns(t.collection):
        said = property_of(column)
        kind = said["type"][0] if isinstance(said["type"], list) else said["type"]
        unit = f" ({said['x-unit']})" if said.get("x-unit", "1") != "1" else ""
        found.append(
            {
                "@type": "cr:Field",
                "@id": f"collection/{column.name}",
                "name": column.name,
                "description": said["description"] + unit,
                "dataType": "sc:Date" if said.get("format") == "date" else _TYPES[kind],
                "source": {"fileObject": {"@id": _FILE}, "extract": {"column": column.name}},
            }
        )
    return found
