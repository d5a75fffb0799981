"""Judging one source from what was stored of it, and the gate that later steps pass through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ingestion.accounting.source_state import SourceState, read_latest_state, read_manifests
from ingestion.catalogue.clinical import ClinicalTable, read_clinical
from ingestion.catalogue.curated import Curated, read_curated
from ingestion.catalogue.rows import build_tables
from ingestion.catalogue.unknown_spellings import save_unknown
from ingestion.sources.registry import SourceEntry
from ingestion.storage import ObjectMissingError, ObjectStore
from quality_checks.catalogue_of_checks import all_rules
from quality_checks.certificate import certificate_of
from quality_checks.changes import Changes, changes_between
from quality_checks.crossing.clinical import clinical_outcomes, summary_of
from quality_checks.crossing.cross import cross_source, crossed_before
from quality_checks.documents import SHEET, Document
from quality_checks.imaging.task import Runner, examine_source
from quality_checks.judge import judge
from quality_checks.model import QualityVerdict
from quality_checks.report_folder import ReportInput, report_documents, series_keys
from quality_checks.report_pictures import contact_sheet, pictures
from quality_checks.store import Judgement, basis_of, read_judgement, read_verdict, run_of, save_judgement
from quality_checks.tier import tier_of
from quality_checks.unknown_terms import unknown_of


class NotSyncedError(RuntimeError):
    """The source has no state yet."""


class QualityGateError(RuntimeError):
    """The current state of the source may not go on: not judged yet, or judged and blocked."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement with its verdict. ``reused``: nothing it depends on has changed, so it was read, not made.

    ``sheet``: a small JPEG of thumbnails, of a judgement made just now.
    """

    judgement: Judgement
    verdict: QualityVerdict
    reused: bool
    examined: int = 0
    sheet: bytes | None = field(default=None, repr=False)
    changes: Changes | None = None


def judge_source(entry: SourceEntry, *, research: ObjectStore, internal: ObjectStore, run: Runner) -> Judged:
    """Judge the current state of a source, unless the current judgement is about just that.

    Args:
        run: ``Fanout.run``: the objects of series that were not examined yet are read there.

    Raises:
        NotSyncedError: there is nothing to judge.
        StoreError: the store could not be read or written.
    """
    state = current_state(internal, entry.id)
    rules, curated, clinical = all_rules(), read_curated(internal), read_clinical(internal, entry.id)
    with_what = _with_what(curated, clinical)
    known = read_judgement(internal, entry.id)
    if known is not None and _is_current(known, entry, state, with_what, internal=internal):
        return Judged(known, read_verdict(internal, known), reused=True, sheet=_read_sheet(internal, known))
    manifests = list(read_manifests(research, state))
    examinations = examine_source(state, manifests, research=research, internal=internal, run=run)
    tables = build_tables(state, manifests, registry_entry=entry, curated=curated)
    save_unknown(internal, entry.id, unknown_of(tables.series, curated))
    crossed = cross_source(state, tables, examinations, internal=internal)
    basis = basis_of(state_digest=state.digest, rules=rules, entry=entry, beside=f"{crossed.digest}/{with_what}")
    compared = crossed.beside(clinical_outcomes(clinical, tables))
    verdict = judge(tables, state, entry=entry, examinations=examinations, crossed=compared)
    last = read_verdict(internal, known) if known is not None else None
    changes = changes_between(
        last, verdict, series_before=known.series if known else 0, series_after=len(tables.series)
    )
    summary = summary_of(clinical, tables)
    tier = tier_of(verdict, tables, entry, clinical=summary)
    given = ReportInput(
        verdict=verdict,
        tables=tables,
        state=state,
        entry=entry,
        generated_from=f"state {state.digest}",
        examinations=examinations,
        changes=changes,
        tier=tier,
        certificate=certificate_of(verdict, tables, state, entry, tier=tier),
    )
    sheet = contact_sheet(pictures(verdict, tables.series, examinations))
    documents = report_documents(given)
    judgement = save_judgement(
        internal,
        verdict,
        documents=documents if sheet is None else (*documents, Document(SHEET, sheet)),
        run=run_of(basis, known),
        basis=basis,
        state_digest=state.digest,
        series=series_keys(tables),
        tier=int(tier.tier),
    )
    return Judged(judgement, verdict, reused=False, examined=len(examinations), sheet=sheet, changes=changes)


def outdated(entries: Iterable[SourceEntry], *, internal: ObjectStore) -> tuple[str, ...]:
    """The judged sources whose judgement is no longer about what it would be about now.

    A source that is brought in changes what others are compared with: the same person, study or image in two of them.
    After all have been brought in, these are judged once more, and then none is outdated.

    Raises:
        StoreError: the store could not be read.
    """
    found = []
    curated = read_curated(internal)
    for entry in entries:
        known = read_judgement(internal, entry.id)
        latest = read_latest_state(internal, entry.id)
        if known is None or latest is None:
            continue
        with_what = _with_what(curated, read_clinical(internal, entry.id))
        if not _is_current(known, entry, latest[1], with_what, internal=internal):
            found.append(entry.id)
    return tuple(found)


def _with_what(curated: Curated, clinical: ClinicalTable | None) -> str:
    """What a judgement depends on beside the source's own state and the other sources."""
    return f"{curated.number}/{clinical.digest if clinical else ''}"


def _is_current(
    known: Judgement, entry: SourceEntry, state: SourceState, with_what: str, *, internal: ObjectStore
) -> bool:
    before = crossed_before(state, internal=internal)
    return before is not None and known.basis == basis_of(
        state_digest=state.digest, rules=all_rules(), entry=entry, beside=f"{before.digest}/{with_what}"
    )


def _read_sheet(internal: ObjectStore, judgement: Judgement) -> bytes | None:
    try:
        return internal.read(judgement.beside(SHEET))
    except ObjectMissingError:
        return None  # a source without pictures


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
