"""The quality certificate of a source: what was judged, by which rules of which version, and how it ended.

It holds counts, shares and names of rules, and nothing of a single person, so it can be shown with the catalogue. It
says nothing of the moment at which it was made: the same data judged by the same rules give the same certificate.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCTERMS, RDF, SKOS, XSD

from ingestion.accounting.source_state import SourceState
from ingestion.sources.registry import SourceEntry
from quality_checks.catalogue_of_checks import rules_by_id
from quality_checks.model import Dimension, QualityVerdict, Severity
from quality_checks.suites.source import Tables, studies_of
from quality_checks.tier import ClinicalSummary, Requirement, TierResult, tier_of

DQV = Namespace("http://www.w3.org/ns/dqv#")
"""W3C Data Quality Vocabulary (Note, 15 December 2016)."""
OA = Namespace("http://www.w3.org/ns/oa#")
CERTIFICATE_VERSION = "1"
"""Raised when the certificate's form changes."""
_BASE = "urn:cie:"
"""As in ``ingestion.catalogue.exports.view``: a source's dataset is ``urn:cie:collection:<source>``."""


@dataclass(frozen=True, slots=True)
class CheckRun:
    """One rule that was run. ``severity``: passed, info, warning, error or not_applicable."""

    rule_id: str
    version: str
    dimension: str
    severity: str
    rows: int
    passing: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """All that is certified of one state of one source."""

    source_id: str
    version: str
    state_digest: str
    verdict_digest: str
    tier: int
    next_tier: int | None
    requirements: tuple[Requirement, ...]
    blocks: bool
    scores: Mapping[str, float]
    """By dimension, from 0 to 1, four decimals."""
    counts: Mapping[str, int]
    checks: tuple[CheckRun, ...]
    last_study: str | None
    """Day of the latest study (YYYYMMDD). Dates are shifted per patient, so the true day is later."""
    figures_as_of: str
    """Day (ISO 8601) of the registry's figures that the source was held against."""

    @property
    def digest(self) -> str:
        """24 hex digits over all that the certificate says."""
        return hashlib.sha256(_canonical(self._body())).hexdigest()[:24]

    @property
    def missing(self) -> tuple[Requirement, ...]:
        """What the next tier still asks for."""
        return tuple(item for item in self.requirements if item.tier == self.next_tier and not item.met)

    def to_json(self) -> bytes:
        """Canonical JSON with the digest: same content, same bytes."""
        return _canonical(self._body() | {"digest": self.digest})

    def to_dqv(self) -> Graph:
        """Annotations for the source's DCAT dataset, without blank nodes: one certificate, one measurement per score.

        W3C Data Quality Vocabulary, sections 4.3 (measurements) and 4.6 (certificates).
        """
        graph = Graph()
        graph.bind("dqv", DQV)
        graph.bind("oa", OA)
        dataset = URIRef(f"{_BASE}collection:{self.source_id}")
        certificate = URIRef(f"{dataset}#certificate-{self.digest}")
        graph.add((dataset, DQV.hasQualityAnnotation, certificate))
        graph.add((certificate, RDF.type, DQV.QualityCertificate))
        graph.add((certificate, OA.motivatedBy, DQV.qualityAssessment))
        graph.add((certificate, OA.hasTarget, dataset))
        graph.add((certificate, DCTERMS.identifier, Literal(self.digest)))
        graph.add((certificate, DCTERMS.description, Literal(self._in_words(), lang="en")))
        for name, share in {**self.scores, "tier": float(self.tier)}.items():
            self._measure(graph, dataset, name, share)
        return graph

    def _measure(self, graph: Graph, dataset: URIRef, name: str, value: float) -> None:
        measurement, metric = URIRef(f"{dataset}#quality-{name}"), URIRef(f"{_BASE}metric:{name}")
        graph.add((dataset, DQV.hasQualityMeasurement, measurement))
        graph.add((measurement, RDF.type, DQV.QualityMeasurement))
        graph.add((measurement, DQV.computedOn, dataset))
        graph.add((measurement, DQV.isMeasurementOf, metric))
        graph.add((metric, RDF.type, DQV.Metric))
        if name == "tier":
            graph.add((measurement, DQV.value, Literal(int(value), datatype=XSD.nonNegativeInteger)))
            graph.add((metric, DQV.expectedDataType, XSD.nonNegativeInteger))
            graph.add((metric, SKOS.definition, Literal(_TIER_DEFINITION, lang="en")))
            return
        dimension = URIRef(f"{_BASE}dimension:{name}")
        graph.add((measurement, DQV.value, Literal(f"{value:.4f}", datatype=XSD.decimal)))
        graph.add((metric, DQV.expectedDataType, XSD.decimal))
        graph.add((metric, SKOS.definition, Literal(_SCORE_DEFINITION, lang="en")))
        graph.add((metric, DQV.inDimension, dimension))
        graph.add((dimension, RDF.type, DQV.Dimension))
        graph.add((dimension, SKOS.prefLabel, Literal(name, lang="en")))

    def _in_words(self) -> str:
        by_severity = {name: sum(1 for run in self.checks if run.severity == name) for name in ("error", "warning")}
        run = sum(1 for run in self.checks if run.severity != "not_applicable")
        # no counts of people or series: this is public, and small ones are not
        return (
            f"{run} rules judged, {by_severity['error']} ending in error and {by_severity['warning']} in warning; "
            f"tier {self.tier}."
        )

    def _body(self) -> dict[str, Any]:
        return asdict(self)


_TIER_DEFINITION = "Tier of the collection: 0 none, 1 catalogued, 2 searchable, 3 processable"
_SCORE_DEFINITION = "Mean share of passing rows over the rules of the dimension that apply and can warn"


def certificate_of(
    verdict: QualityVerdict,
    tables: Tables,
    state: SourceState,
    entry: SourceEntry,
    *,
    clinical: ClinicalSummary | None = None,
    tier: TierResult | None = None,
) -> Certificate:
    """The certificate of a judged state. ``tier``: where it was worked out before.

    Raises:
        ValueError: verdict, state and entry are not of one source.
    """
    if not verdict.source_id == state.source_id == entry.id:
        raise ValueError(f"verdict of {verdict.source_id}, state of {state.source_id}, entry of {entry.id}: one source")
    found = tier or tier_of(verdict, tables, entry, clinical=clinical)
    days = tables.study["StudyDate"].dropna() if len(tables.study) else ()
    return Certificate(
        source_id=entry.id,
        version=CERTIFICATE_VERSION,
        state_digest=state.digest,
        verdict_digest=verdict.digest,
        tier=int(found.tier),
        next_tier=None if found.next is None else int(found.next),
        requirements=found.requirements,
        blocks=verdict.blocks,
        scores={
            dimension.value: round(verdict.scores[dimension], 4)
            for dimension in Dimension
            if dimension in verdict.scores
        },
        counts={
            "patients": len(tables.patient),
            "studies": studies_of(tables),
            "series": len(tables.series),
            "series_left_out": len(verdict.excluded),
            "objects_delivered": state.counts.delivered,
            "objects_accepted": state.counts.accepted,
            "objects_duplicate": state.counts.duplicate,
            "objects_quarantined": state.counts.quarantined,
        },
        checks=tuple(
            CheckRun(
                rule_id=result.rule_id,
                version=rules_by_id()[result.rule_id].version,
                dimension=result.dimension.value,
                severity=_severity(result.severity, applies=result.applies),
                rows=result.rows,
                passing=result.passing,
            )
            for result in verdict.results
        ),
        last_study=max((str(day) for day in days), default=None),
        figures_as_of=entry.figures.as_of.isoformat(),
    )


def _severity(severity: Severity | None, *, applies: bool) -> str:
    if severity is not None:
        return severity.value
    return "passed" if applies else "not_applicable"


def _canonical(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
