"""Judging one source from what was stored of it, and the gate that later steps pass through."""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.accounting.source_state import SourceState, read_latest_state, read_manifests
from ingestion.catalogue.rows import build_tables
from ingestion.sources.registry import SourceEntry
from ingestion.storage import ObjectStore
from quality_checks.catalogue_of_checks import all_rules
from quality_checks.judge import judge
from quality_checks.model import QualityVerdict
from quality_checks.report import render_report
from quality_checks.store import Judgement, basis_of, read_judgement, read_verdict, save_judgement


class NotSyncedError(RuntimeError):
    """The source has no state yet."""


class QualityGateError(RuntimeError):
    """The current state of the source may not go on: not judged yet, or judged and blocked."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement with its verdict. ``reused``: nothing it depends on has changed, so it was read, not made."""

    judgement: Judgement
    verdict: QualityVerdict
    reused: bool


def judge_source(entry: SourceEntry, *, research: ObjectStore, internal: ObjectStore) -> Judged:
    """Judge the current state of a source, unless the current judgement is about just that.

    Raises:
        NotSyncedError: there is nothing to judge.
        StoreError: the store could not be read or written.
    """
    state = current_state(internal, entry.id)
    basis = basis_of(state_digest=state.digest, rules=all_rules(), entry=entry)
    known = read_judgement(internal, entry.id)
    if known is not None and known.basis == basis:
        return Judged(known, read_verdict(internal, known), reused=True)
    tables = build_tables(state, read_manifests(research, state), registry_entry=entry)
    verdict = judge(tables, state, entry=entry)
    report = render_report(verdict, tables, state, entry=entry, generated_from=f"state {state.digest}")
    judgement = save_judgement(
        internal, verdict, report=report, basis=basis, state_digest=state.digest, series=len(tables.series)
    )
    return Judged(judgement, verdict, reused=False)


def passed_judgement(internal: ObjectStore, source_id: str) -> Judgement:
    """The current judgement, if it is about the current state and blocks nothing.

    Raises:
        NotSyncedError: the source was never synced.
        QualityGateError: the source must not go on.
    """
    state = current_state(internal, source_id)
    judgement = read_judgement(internal, source_id)
    if judgement is None or judgement.state_digest != state.digest:
        raise QualityGateError(f"the current state of {source_id} was not judged yet: materialize quality_report first")
    if judgement.blocks:
        raise QualityGateError(
            f"quality blocks {source_id}: {judgement.errors} rules end in error. Its report says what to do; "
            "the catalogue keeps the source's last good state."
        )
    return judgement


def current_state(internal: ObjectStore, source_id: str) -> SourceState:
    """The current state of a source.

    Raises:
        NotSyncedError: it has none.
    """
    latest = read_latest_state(internal, source_id)
    if latest is None:
        raise NotSyncedError(f"{source_id} was never synced: materialize deidentified_dicom first")
    return latest[1]
