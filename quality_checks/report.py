"""One self-contained HTML page per source: the verdict, what fails and what to do, the accounting, the contents.

No script, no font, no address outside the page; same input, same bytes.
"""

from __future__ import annotations

import jinja2
import pandas as pd

from ingestion.accounting.source_state import SourceState
from ingestion.catalogue.risk.assess import RiskReport, assess
from ingestion.catalogue.risk.gather import people_of_frames
from ingestion.sources.registry import SourceEntry
from quality_checks import report_figures as figures
from quality_checks.frames import series_frame
from quality_checks.model import QualityVerdict, Severity
from quality_checks.suites.source import Tables
from quality_checks.wording import percent, unit


def render_report(
    verdict: QualityVerdict, tables: Tables, state: SourceState, *, entry: SourceEntry, generated_from: str
) -> str:
    """The page. ``generated_from`` names what was judged (a state's number and digest), never a time.

    Raises:
        ValueError: the verdict, the state and the entry are not of one source.
    """
    if not verdict.source_id == state.source_id == entry.id:
        raise ValueError(f"verdict of {verdict.source_id}, state of {state.source_id}, entry of {entry.id}")
    frame = None if tables.series.empty else series_frame(tables.series)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            entry=entry,
            verdict=verdict,
            state=state,
            generated_from=generated_from,
            errors=verdict.of(Severity.ERROR),
            warnings=verdict.of(Severity.WARNING),
            notes=verdict.of(Severity.INFO),
            failing=figures.failing(verdict),
            passed=figures.findings(verdict.of(None)),
            not_judged=figures.findings(result for result in verdict.results if not result.applies),
            scores=figures.dimension_scores(verdict),
            reasons=figures.reasons(state),
            series_states=figures.series_states(state),
            charts=_charts(frame),
            matrix=None if frame is None else figures.matrix(frame),
            totals=_totals(tables, entry),
            risk=_risk(tables, entry),
        )
    )


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
        ("studies", len(tables.study), entry.figures.studies),
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


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("quality_checks", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, count=lambda number: f"{number:,}", unit=unit)
    return environment
