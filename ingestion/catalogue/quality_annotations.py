"""What the quality certificate of each published source says, for the public DCAT record.

The catalogue shows one judgement of each source; its certificate lies beside its report in the internal bucket, as
linked data. A source that was judged before there were certificates has none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from rdflib import Graph
from sqlalchemy import Connection, select

from ingestion.catalogue.tables import publication
from ingestion.storage import ObjectMissingError, ObjectStore
from ingestion.storage.numbered import read_last

CERTIFICATE_TURTLE = "certificate.ttl"
"""Beside the report; ``quality_checks`` writes it."""
LOOKED_BACK = 50
"""Judgements of a source that are searched for the one that the catalogue shows."""


@dataclass(frozen=True, slots=True)
class QualityAnnotation:
    """``graph``: annotations of the source's dataset in the Data Quality Vocabulary; ``tier``: 0 to 3."""

    graph: Graph
    tier: int


def quality_annotations(connection: Connection, internal: ObjectStore) -> Mapping[str, QualityAnnotation]:
    """By source, of the judgements that the catalogue shows.

    Raises:
        StoreError: the store failed.
    """
    shown = connection.execute(select(publication.c.source_id, publication.c.QualityKey)).all()
    found = {source_id: _annotation(internal, source_id, key) for source_id, key in shown if key}
    return {source_id: one for source_id, one in found.items() if one is not None}


def _annotation(internal: ObjectStore, source_id: str, results_key: str) -> QualityAnnotation | None:
    for entry in reversed(read_last(internal, f"judgements/{source_id}/", count=LOOKED_BACK)):
        said = json.loads(entry.body)
        if said["results_key"] != results_key or said.get("tier") is None:
            continue
        try:
            body = internal.read(f"{said['report_key'].rpartition('/')[0]}/{CERTIFICATE_TURTLE}")
        except ObjectMissingError:
            return None
        return QualityAnnotation(Graph().parse(data=body, format="turtle"), int(said["tier"]))
    return None
