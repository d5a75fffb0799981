"""Judgements in the internal bucket: the verdict, its rows and its report, and which of them is the current one.

``quality/<source>/<run>/`` holds ``verdict.json``, ``report.html`` and the files of ``quality_checks.documents``;
``judgements/<source>/<number>.json`` names the current ones. All are written once; a judgement equal to the current one
writes nothing. A report says what changed since the judgement before it, so a run is named by both.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from ingestion.catalogue.frames import store_frame, store_quality
from ingestion.sources.registry import SourceEntry
from ingestion.storage import ObjectStore
from ingestion.storage.numbered import append, read_last, read_latest
from quality_checks.documents import REPORT, Document
from quality_checks.model import Dimension, Finding, Level, QualityVerdict, Rule, RuleResult, Severity
from quality_checks.results import results_frame, series_quality_frame

REPORT_VERSION = "3"
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
    series_key: str | None = None
    """Parquet of each series' status and flags; None: of a judgement made before there was one."""
    left_out: int = 0
    """Series that the release leaves out."""
    tier: int | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    """By dimension, from 0 to 1."""

    @property
    def run(self) -> str:
        """Names the folder of the report, and the page in the portal."""
        return self.report_key.split("/")[-2]

    def beside(self, name: str) -> str:
        """The key of a document that lies beside the report."""
        return f"{self.report_key.rpartition('/')[0]}/{name}"


@dataclass(frozen=True, slots=True)
class PastJudgement:
    """A judgement of the log. ``written``: when it was made, by the store's clock; None where the store doesn't say."""

    number: int
    judgement: Judgement
    written: dt.datetime | None


def basis_of(*, state_digest: str, rules: Iterable[Rule], entry: SourceEntry, beside: str = "") -> str:
    """Digest of all that a judgement depends on: equal basis, equal judgement.

    Args:
        rules: all of them, those of the imaging checks too: what an examination found follows from them and the state.
        beside: digest of what else was judged with, from outside the source.
    """
    said = {
        "state": state_digest,
        "rules": [asdict(rule) for rule in rules],
        "entry": entry.model_dump(mode="json"),
        "report": REPORT_VERSION,
        "beside": beside,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:24]


def read_judgement(internal: ObjectStore, source_id: str) -> Judgement | None:
    """The current judgement of a source; None when it was never judged."""
    latest = read_latest(internal, _prefix(source_id))
    return None if latest is None else Judgement(**json.loads(latest[1]))


def past_judgements(internal: ObjectStore, source_id: str, *, count: int) -> tuple[PastJudgement, ...]:
    """The last ``count`` judgements of a source, the oldest of them first."""
    return tuple(
        PastJudgement(entry.number, Judgement(**json.loads(entry.body)), entry.written)
        for entry in read_last(internal, _prefix(source_id), count=count)
    )


def run_of(basis: str, previous: Judgement | None) -> str:
    """The name of a run: of what was judged and of the judgement that it is compared with."""
    return hashlib.sha256(f"{basis} after {previous.run if previous else 'none'}".encode()).hexdigest()[:24]


def save_judgement(
    internal: ObjectStore,
    verdict: QualityVerdict,
    *,
    documents: Iterable[Document],
    run: str,
    basis: str,
    state_digest: str,
    series: Iterable[tuple[str, str, str]],
    tier: int | None = None,
) -> Judgement:
    """Store verdict, rows and documents, then name them the current ones.

    Args:
        series: SeriesInstanceUID, StudyInstanceUID and PatientID of every series judged.
    """
    folder = f"quality/{verdict.source_id}/{run}"
    internal.create(f"{folder}/verdict.json", _verdict_json(verdict), content_type="application/json")
    for document in documents:
        internal.create(f"{folder}/{document.name}", document.body, content_type=document.content_type)
    quality = series_quality_frame(verdict, series)
    judgement = Judgement(
        source_id=verdict.source_id,
        basis=basis,
        state_digest=state_digest,
        blocks=verdict.blocks,
        series=len(quality),
        errors=len(verdict.of(Severity.ERROR)),
        warnings=len(verdict.of(Severity.WARNING)),
        verdict_key=f"{folder}/verdict.json",
        results_key=store_quality(internal, verdict.source_id, results_frame(verdict)),
        report_key=f"{folder}/{REPORT}",
        series_key=store_frame(internal, f"quality/{verdict.source_id}", quality, name="/series"),
        left_out=len(verdict.excluded),
        tier=tier,
        scores={dimension.value: share for dimension, share in verdict.scores.items()},
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
    return json.dumps(
        {name: value for name, value in asdict(verdict).items() if name != "folder"}, sort_keys=True, ensure_ascii=False
    ).encode()


def _prefix(source_id: str) -> str:
    return f"judgements/{source_id}/"
