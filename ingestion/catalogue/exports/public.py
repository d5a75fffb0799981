"""All public documents of a release, by the name that they have in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ingestion.catalogue.exports import croissant, datacite, schema_org
from ingestion.catalogue.exports.dcat import build_graph, to_json_ld, to_turtle
from ingestion.catalogue.exports.odrl import policies_graph
from ingestion.catalogue.exports.view import QUALITY, ReleaseView

JSON_LD = "application/ld+json"


@dataclass(frozen=True, slots=True)
class Document:
    """One file of a release; ``path`` counts from the release's folder."""

    path: str
    body: bytes
    content_type: str


def dcat_documents(view: ReleaseView) -> Iterator[Document]:
    """The DCAT record in both forms."""
    graph = build_graph(view)
    yield Document("dcat.ttl", to_turtle(graph), "text/turtle")
    yield Document("dcat.jsonld", to_json_ld(graph), JSON_LD)


def schema_org_documents(view: ReleaseView) -> Iterator[Document]:
    """schema.org."""
    yield Document("schema-org.jsonld", schema_org.to_bytes(schema_org.catalogue(view)), JSON_LD)


def croissant_documents(view: ReleaseView) -> Iterator[Document]:
    """Croissant."""
    yield Document("croissant.jsonld", schema_org.to_bytes(croissant.describe_release(view)), JSON_LD)


def datacite_documents(view: ReleaseView) -> Iterator[Document]:
    """DataCite, of the release and of each source."""
    yield Document("datacite.json", schema_org.to_bytes(datacite.release_record(view)), "application/json")
    for row in view.rows:
        body = schema_org.to_bytes(datacite.source_record(view, row))
        yield Document(f"datacite/{row['source_id']}.json", body, "application/json")


def rights_documents(view: ReleaseView) -> Iterator[Document]:
    """The ODRL policies, and the certificates."""
    yield Document("policies.jsonld", to_json_ld(policies_graph(view)), JSON_LD)
    yield Document(QUALITY, to_turtle(view.quality), "text/turtle")


_ALL: tuple[Callable[[ReleaseView], Iterator[Document]], ...] = (
    dcat_documents, schema_org_documents, croissant_documents, datacite_documents, rights_documents,
)  # fmt: skip


def public_documents(view: ReleaseView) -> Iterator[Document]:
    """All of them."""
    for make in _ALL:
        yield from make(view)
