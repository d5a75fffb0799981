"""What the public formats are made from: a release's public table, its manifest and its certificates."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF, XSD, Namespace

from ingestion.catalogue.quality_annotations import QualityAnnotation
from ingestion.catalogue.release_manifest import ReleaseFile, ReleaseManifest, read_release, release_key
from ingestion.storage import ObjectMissingError, ObjectStore

BASE = "urn:cie:"
"""Names of catalogue, datasets and distributions begin with it."""
COLLECTION, QUALITY = "collection.parquet", "quality.ttl"
DQV = Namespace("http://www.w3.org/ns/dqv#")
_TIER = "quality-tier"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """``rows``: of ``collection.parquet``, as the public may see them. ``quality``: all certificates (DQV), too."""

    version: str
    released_on: dt.date
    previous: str | None
    publisher: Mapping[str, str] | None
    rows: tuple[Row, ...]
    table: ReleaseFile
    quality: Graph

    @staticmethod
    def of(manifest: ReleaseManifest, table: bytes, quality: Graph) -> ReleaseView:
        """From the bytes of the table, so that a view made at the build is the one that is read later."""
        [file] = [file for file in manifest.files if file.path == COLLECTION]
        rows = tuple(pq.read_table(io.BytesIO(table)).to_pylist())
        return ReleaseView(
            version=manifest.version,
            released_on=dt.date.fromisoformat(manifest.released_on),
            previous=manifest.previous,
            publisher=manifest.publisher,
            rows=rows,
            table=file,
            quality=told_quality(quality, rows),
        )

    @staticmethod
    def read(research: ObjectStore, version: str) -> ReleaseView:
        """Of a stored release.

        Raises:
            UnknownReleaseError: there is none of that version.
        """
        manifest = read_release(research, version)
        try:
            quality = Graph().parse(data=research.read(release_key(version, QUALITY)), format="turtle")
        except ObjectMissingError:  # a release from before there was such a file
            quality = Graph()
        return ReleaseView.of(manifest, research.read(release_key(version, COLLECTION)), quality)

    def tier(self, source_id: str) -> int | None:
        """The tier that the source's certificate says; None where it has none."""
        said = self.quality.value(URIRef(f"{dataset_uri(source_id)}#{_TIER}"), DQV.value)
        return None if said is None else int(str(said))


def dataset_uri(source_id: str) -> URIRef:
    """The name of a source's dataset."""
    return URIRef(f"{BASE}collection:{source_id}")


def quality_graph(annotations: Mapping[str, QualityAnnotation]) -> Graph:
    """All certificates in one graph, each with its tier."""
    graph = Graph()
    graph.bind("dqv", DQV)
    for source_id, one in sorted(annotations.items()):
        graph += one.graph
        dataset = dataset_uri(source_id)
        measured = URIRef(f"{dataset}#{_TIER}")
        if graph.value(measured, DQV.value) is None:
            graph.add((dataset, DQV.hasQualityMeasurement, measured))
            graph.add((measured, RDF.type, DQV.QualityMeasurement))
            graph.add((measured, DQV.isMeasurementOf, URIRef(f"{BASE}metric:tier")))
            graph.add((measured, DQV.value, Literal(one.tier, datatype=XSD.nonNegativeInteger)))
    return graph


def told_quality(quality: Graph, rows: Iterable[Row]) -> Graph:
    """The certificates as the public may see them: of collections whose people are hidden no value but the tier.

    A value is a share of people, studies or series. With four decimals it tells of how many (52 of 57 is 0.9123), so
    values of the others are given in hundredths.
    """
    counted = {str(dataset_uri(row["source_id"])) for row in rows if row["NumberOfPatients"] is not None}
    told = Graph()
    for prefix, namespace in quality.namespaces():
        told.bind(prefix, namespace)
    for subject, predicate, value in quality:
        dataset, _, measured = str(subject).partition("#")
        if predicate != DQV.value or measured == _TIER:
            told.add((subject, predicate, value))
        elif dataset in counted:
            told.add((subject, predicate, Literal(f"{float(str(value)):.2f}", datatype=XSD.decimal)))
    return told


def parts(joined: Any, separator: str) -> list[str]:
    """The parts of a joined text; none of an empty one."""
    return [part for part in joined.split(separator) if part] if isinstance(joined, str) else []
