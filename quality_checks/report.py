"""One self-contained HTML page per source: the verdict, what changed, what fails and what to do, what there is.

No script, no font, no address outside the page; same input, same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ingestion.accounting.source_state import SourceState
from ingestion.catalogue.risk.assess import RiskReport, assess
from ingestion.catalogue.risk.gather import people_of_frames
from ingestion.sources.registry import SourceEntry
from quality_checks import report_figures as figures
from quality_checks.causes import one_per_cause, places_of
from quality_checks.changes import Changes
from quality_checks.documents import FINDINGS
from quality_checks.examination import Examination
from quality_checks.folder_words import rules_told
from quality_checks.frames import series_frame
from quality_checks.model import QualityVerdict, Severity
from quality_checks.rendering import render
from quality_checks.report_distributions import fullness, histograms
from quality_checks.report_findings import SERIES_SHOWN, SHOWN, WORST, WorstRule, by_series, left_out_rows, worst_rules
from quality_checks.report_pictures import pictures
from quality_checks.suites.source import Tables, studies_of
from quality_checks.tier import TierResult


def render_report(
    verdict: QualityVerdict,
    tables: Tables,
    state: SourceState,
    *,
    entry: SourceEntry,
    generated_from: str,
    examinations: Sequence[Examination] = (),
    changes: Changes = Changes(first=True),  # noqa: B008 - frozen
    tier: TierResult | None = None,
    registered: bool = True,
    beside: Sequence[tuple[str, str]] = (),
    unchecked: Sequence[tuple[str, str]] = (),
) -> str:
    """The page.

    Args:
        generated_from: names what was judged (a state's number and digest), never a time.
        changes: since the judgement before.
        registered: False: a folder that is no source of the registry, so ``entry`` says little of it.
        beside: (file name, text) of the documents that are linked to.
        unchecked: (what, how far and why) of checks of the standard that could not be made of everything.

    Raises:
        ValueError: the verdict, the state and the entry are not of one source.
    """
    if not verdict.source_id == state.source_id == entry.id:
        raise ValueError(f"verdict of {verdict.source_id}, state of {state.source_id}, entry of {entry.id}")
    frame = None if tables.series.empty else series_frame(tables.series, getattr(tables, "details", None))
    failing = worst_rules(verdict)
    grave = one_per_cause([one for one in failing if _is_grave(one)], places_of(tables.series))
    troubled = by_series(verdict, tables.series)
    told = troubled[:SERIES_SHOWN]
    return render(
        "report.html.j2",
        entry=entry,
        registered=registered,
        verdict=verdict,
        rules=rules_told(folder=verdict.folder),
        state=state,
        generated_from=generated_from,
        beside=beside,
        unchecked=unchecked,
        findings_page=FINDINGS,
        changes=changes,
        errors=verdict.of(Severity.ERROR),
        warnings=verdict.of(Severity.WARNING),
        notes=verdict.of(Severity.INFO),
        series_judged=len(tables.series),
        worst=grave[:WORST],
        further=grave[WORST:],
        all_failing=failing,
        shown=SHOWN,
        passed=figures.findings(verdict.of(None), folder=verdict.folder),
        not_judged=figures.findings(
            (result for result in verdict.results if not result.applies), folder=verdict.folder
        ),
        scores=figures.dimension_scores(verdict),
        left_out=left_out_rows(verdict),
        tier=tier,
        troubled=told,
        troubled_in_all=len(troubled),
        told={one.uid for one in told},
        pictures=pictures(verdict, tables.series, examinations),
        reasons=figures.reasons(state, folder=verdict.folder),
        held=figures.held_back(state),
        companions=figures.companions(state),
        series_states=figures.series_states(state),
        charts=_charts(frame),
        histograms=() if frame is None else histograms(frame),
        fullness=()
        if frame is None
        else fullness(tables.series, getattr(tables, "details", None), of_a_folder=verdict.folder and not registered),
        matrix=None if frame is None else figures.matrix(frame),
        totals=_totals(tables, entry),
        risk=_risk(tables, entry),
    )


def _is_grave(one: WorstRule) -> bool:
    return one.leaves_out > 0 or one.result.severity in (Severity.ERROR, Severity.WARNING)


def _charts(frame: pd.DataFrame | None) -> tuple[tuple[str, tuple[figures.Bar, ...]], ...]:
    if frame is None:
        return ()
    return (
        ("Modality", figures.bars(figures.modality_labels(frame))),
        ("Manufacturer", figures.bars(figures.maker_labels(frame))),
        ("Body part", figures.bars(figures.body_part_labels(frame))),
    )


def _totals(tables: Tables, entry: SourceEntry) -> tuple[tuple[str, int, int], ...]:
    """What is counted, how many there are, how many the registry states."""
    return (
        ("patients", len(tables.patient), entry.figures.individuals),
        ("studies", studies_of(tables), entry.figures.studies),
        ("series", len(tables.series), entry.figures.series),
    )


def _risk(tables: Tables, entry: SourceEntry) -> RiskReport | None:
    """None where there is nobody."""
    if tables.patient.empty:
        return None
    people = people_of_frames(
        patient=tables.patient, study=tables.study, series=tables.series, cancers={entry.id: entry.cancer_type.value}
    )
    return assess(people)
