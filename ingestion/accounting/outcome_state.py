"""The state of a source straight from the outcomes of its series: for work without a ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ingestion.accounting.outcomes import SeriesOutcome
from ingestion.accounting.source_state import Counts, SeriesEntry, SourceState, sorted_entries
from ingestion.accounting.states import InstanceState


def state_of(source_id: str, outcomes: Iterable[SeriesOutcome]) -> SourceState:
    """As the ledger would tell it after the same outcomes."""
    return SourceState(source_id, sorted_entries(_entry(outcome) for outcome in outcomes))


def _entry(outcome: SeriesOutcome) -> SeriesEntry:
    states = Counter(item.state for item in outcome.instances)
    reasons = Counter(item.refusal.reason.value for item in outcome.instances if item.refusal)
    return SeriesEntry(
        SeriesInstanceUID=outcome.series_uid or None,
        state=outcome.state,
        manifest_version=outcome.manifest_version,
        counts=Counts(
            delivered=len(outcome.instances),
            accepted=states[InstanceState.ACCEPTED],
            duplicate=states[InstanceState.DUPLICATE],
            quarantined=states[InstanceState.QUARANTINED],
        ),
        reasons=dict(sorted(reasons.items())),
        facts=outcome.facts.to_json(),
    )
