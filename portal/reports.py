"""Finds a source's current quality report in the internal bucket."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ingestion.storage import ObjectStore
from ingestion.storage.numbered import read_latest


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What the index shows of a source's current judgement."""

    report_key: str
    blocks: bool
    series: int
    errors: int
    warnings: int

    @property
    def run(self) -> str:
        """Names the report among all of its source."""
        return self.report_key.split("/")[-2]


def latest_report(internal: ObjectStore, source_id: str) -> ReportFacts | None:
    """The current judgement of a source; None when it was never judged."""
    latest = read_latest(internal, f"judgements/{source_id}/")
    if latest is None:
        return None
    said = json.loads(latest[1])
    return ReportFacts(
        report_key=said["report_key"],
        blocks=said["blocks"],
        series=said["series"],
        errors=said["errors"],
        warnings=said["warnings"],
    )
