"""Judgements in the internal bucket: the verdict, its rows and its report, and which of them is the current one.

``quality/<source>/<digest>/`` holds ``verdict.json`` and ``report.html``; ``judgements/<source>/<number>.json`` names
the current ones. All are written once; a judgement equal to the current one writes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ingestion.catalogue.frames import store_quality
from ingestion.sources.registry import SourceEntry
from ingestion.storage import ObjectStore
from ingestion.storage.numbered import append, read_latest
from quality_checks.model import Dimension, Finding, Level, QualityVerdict, Rule, RuleResult, Severity
from quality_checks.results import results_frame

REPORT_VERSION = "1"
"""Raised when the report's form changes, so that it is rendered anew."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was judged (``basis``), how it ended, and where verdict, rows and report lie."""

    source_id: str
    basis: str
    state_digest: str
    blocks: bool
    series: int
    errors: int
    warnings: int
    verdict_key: str
    results_key: str
    report_key: str


def basis_of(*, state_digest: str, rules: Iterable[Rule], entry: SourceEntry) -> str:
    """Digest of all that a judgement depends on: equal basis, equal judgement."""
    said = {
        "state": state_digest,
        "rules": [asdict(rule) for rule in rules],
        "entry": entry.model_dump(mode="json"),
        "report": REPORT_VERSION,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:24]


def read_judgement(internal: ObjectStore, source_id: str) -> Judgement | None:
    """The current judgement of a source; None when it was never judged."""
    latest = read_latest(internal, _prefix(source_id))
    return None if latest is None else Judgement(**json.loads(latest[1]))


def save_judgement(
    internal: ObjectStore, verdict: QualityVerdict, *, report: str, basis: str, state_digest: str, series: int
) -> Judgement:
    """Store verdict, rows and report, then name them the current ones."""
    folder = f"quality/{verdict.source_id}/{basis}"
    internal.create(f"{folder}/verdict.json", _verdict_json(verdict), content_type="application/json")
    internal.create(f"{folder}/report.html", report.encode(), content_type="text/html; charset=utf-8")
    results_key = store_quality(internal, verdict.source_id, results_frame(verdict))
    judgement = Judgement(
        source_id=verdict.source_id,
        basis=basis,
        state_digest=state_digest,
        blocks=verdict.blocks,
        series=series,
        errors=len(verdict.of(Severity.ERROR)),
        warnings=len(verdict.of(Severity.WARNING)),
        verdict_key=f"{folder}/verdict.json",
        results_key=results_key,
        report_key=f"{folder}/report.html",
    )
    append(internal, _prefix(verdict.source_id), json.dumps(asdict(judgement), sort_keys=True).encode())
    return judgement


def read_verdict(internal: ObjectStore, judgement: Judgement) -> QualityVerdict:
    """The verdict that a judgement names."""
    said = json.loads(internal.read(judgement.verdict_key))
    results = tuple(
        RuleResult(
            **{
                **row,
                "level": Level(row["level"]),
                "dimension": Dimension(row["dimension"]),
                "severity": Severity(row["severity"]) if row["severity"] else None,
                "examples": tuple(row["examples"]),
            }
        )
        for row in said["results"]
    )
    scores = {Dimension(name): share for name, share in said["scores"].items()}
    findings = tuple(
        Finding(**{**row, "level": Level(row["level"]), "severity": Severity(row["severity"])})
        for row in said.get("findings", ())
    )
    return QualityVerdict(
        source_id=said["source_id"],
        results=results,
        scores=scores,
        blocks=said["blocks"],
        findings=findings,
        excluded={uid: tuple(rules) for uid, rules in said.get("excluded", {}).items()},
    )


def _verdict_json(verdict: QualityVerdict) -> bytes:
    return json.dumps(asdict(verdict), sort_keys=True, ensure_ascii=False).encode()


def _prefix(source_id: str) -> str:
    return f"judgements/{source_id}/"
