"""Views of releases made without a database or a store."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd
from made_sources import PUBLISHER, MadeSource, make_features, make_source
from rdflib import Graph

from ingestion.catalogue import tables as t
from ingestion.catalogue.exports.view import COLLECTION, ReleaseView
from ingestion.catalogue.release_manifest import ReleaseFile, ReleaseManifest
from ingestion.catalogue.release_tables import released_bytes
from ingestion.catalogue.rows import build_tables, with_pointers
from ingestion.catalogue.suppression import public_collections

VERSION = "2026.11.1"
LARGE, SMALL = "TEST-LUNG-01", "TEST-LUNG-04"


def made_collection(made: MadeSource) -> pd.DataFrame:
    """The exact row of ``collection`` of a source with its results."""
    tables = build_tables(made.state(), made.manifests, registry_entry=made.entry)
    features, regions = make_features(made)
    return with_pointers(tables, features=features, regions=regions).collection


def made_view(*sources: MadeSource, publisher: bool = True, **changes: Any) -> ReleaseView:
    """A view of a release of these sources; of one with many and one with few people where none is given.

    ``changes``: columns of the public table, set to a value in all rows.
    """
    chosen = sources or (make_source(LARGE, patients=24), make_source(SMALL, patients=3))
    exact = pd.concat([made_collection(one) for one in chosen], ignore_index=True)
    public = public_collections(exact).assign(**changes)
    body = released_bytes(t.collection, public, rights={}, provenance={})
    file = ReleaseFile(COLLECTION, hashlib.sha256(body).hexdigest(), len(body), t.collection.name, None, len(public))
    manifest = ReleaseManifest(
        version=VERSION, released_on="2026-11-24", previous="2026.10.2", content_digest="0" * 24, small_count=10,
        sources=tuple(one.entry.id for one in chosen), excluded=(), files=(file,),
        publisher=PUBLISHER.model_dump(mode="json") if publisher else None,
    )  # fmt: skip
    return ReleaseView.of(manifest, body, Graph())
