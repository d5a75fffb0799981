"""What a report shows beside the rules: counts by modality, maker and body part, completeness, reasons, order.

Only normalised values are shown, never delivered text: a console's free text may name a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from ingestion.accounting.source_state import SourceState
from ingestion.accounting.states import Reason, ReasonGroup, SeriesState
from ingestion.vocabulary.body_part import body_parts
from ingestion.vocabulary.modality import modalities
from quality_checks.catalogue_of_checks import rules_by_id, table_checks
from quality_checks.folder_words import meaning_of, remedy_of, rules_told, who_acts
from quality_checks.model import Dimension, Level, QualityVerdict, Rule, RuleResult, Severity
from quality_checks.suites.declare import Expectation, rows_of
from quality_checks.withheld import rows_withheld

NOT_STATED = "not stated"
NOT_UNDERSTOOD = "not understood"
OTHER = "other"
MAX_BARS = 10
"""Bars of one chart; the rest is summed up in one."""
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """A result with its rule."""

    rule: Rule
    result: RuleResult


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart. ``share`` is of all, ``length`` of the longest; ``doubtful``: no value, or no known one."""

    label: str
    count: int
    share: float
    length: float
    doubtful: bool


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """How many series of each modality state one attribute; None where the rule asks nothing of the modality."""

    rule: Rule
    cells: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Completeness of the required attributes, worst first."""

    modalities: tuple[str, ...]
    series: tuple[int, ...]
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """Objects quarantined for one reason."""

    reason: Reason
    count: int
    share: float
    meaning: str
    remedy: str
    who: str
    """Who has to act."""

    @property
    def needs_nobody(self) -> bool:
        return self.reason.group is ReasonGroup.COMPANION


@dataclass(frozen=True, slots=True)
class DimensionScore:
    """One dimension; ``score`` None where no rule of it applied. ``lowest``: share of its worst rule in the score."""

    dimension: Dimension
    score: float | None
    lowest: float | None
    errors: int
    warnings: int
    judged: int


def failing(verdict: QualityVerdict) -> tuple[Finding, ...]:
    """All results that failed: by severity, then the largest failing share, then the most failing rows."""
    results = [result for result in verdict.results if result.severity is not None]
    found = list(findings(results, folder=verdict.folder))

    def rank(finding: Finding) -> tuple[int, float, int, str]:
        result = finding.result
        return (_ORDER.get(result.severity, 3) if result.severity else 3, result.share, -result.failing, result.rule_id)

    return tuple(sorted(found, key=rank))


def findings(results: Iterable[RuleResult], *, folder: bool = False) -> tuple[Finding, ...]:
    """``folder``: in the words for who checks a folder of their own."""
    rules = rules_told(folder=folder)
    return tuple(Finding(rule=rules[result.rule_id], result=result) for result in results)


def dimension_scores(verdict: QualityVerdict) -> tuple[DimensionScore, ...]:
    """All six dimensions, the worst first."""
    scores = []
    for dimension in Dimension:
        of_it = [result for result in verdict.results if result.dimension is dimension and result.applies]
        scores.append(
            DimensionScore(
                dimension=dimension,
                score=verdict.scores.get(dimension),
                lowest=min((one.share for one in of_it if not rules_by_id()[one.rule_id].informative), default=None),
                errors=sum(result.severity is Severity.ERROR for result in of_it),
                warnings=sum(result.severity is Severity.WARNING for result in of_it),
                judged=len(of_it),
            )
        )
    return tuple(sorted(scores, key=lambda one: (-one.errors, 2.0 if one.score is None else one.score)))


def reasons(state: SourceState, *, folder: bool = False) -> tuple[ReasonRow, ...]:
    """Reasons of the quarantine: those that somebody has to act on first, the most frequent first."""
    total = state.counts.quarantined or 1
    rows = [_reason(Reason(name), count, count / total, folder=folder) for name, count in state.reasons.items()]
    return tuple(sorted(rows, key=lambda row: (row.needs_nobody, -row.count, row.reason.value)))


def _reason(reason: Reason, count: int, share: float, *, folder: bool) -> ReasonRow:
    return ReasonRow(
        reason=reason,
        count=count,
        share=share,
        meaning=meaning_of(reason, folder=folder),
        remedy=remedy_of(reason, folder=folder),
        who=who_acts(reason.group, folder=folder),
    )


def held_back(state: SourceState) -> int:
    """Objects in quarantine that somebody has to act on."""
    return sum(row.count for row in reasons(state) if not row.needs_nobody)


def companions(state: SourceState) -> int:
    """Objects in quarantine that nobody has to act on: they are no images."""
    return state.counts.quarantined - held_back(state)


def series_states(state: SourceState) -> dict[SeriesState, int]:
    """How many series ended in each state."""
    of_series = [entry for entry in state.series if entry.SeriesInstanceUID is not None]
    return {wanted: sum(entry.state is wanted for entry in of_series) for wanted in SeriesState}


def modality_labels(frame: pd.DataFrame) -> list[str]:
    """Of every series its modality if it is a defined term."""
    return [_known(value, modalities()) for value in frame["Modality"]]


def maker_labels(frame: pd.DataFrame) -> list[str]:
    """Of every series that is an image its maker's one name: what segmentations name is a program."""
    images = frame[frame["IsImage"]]
    pairs = zip(images["Manufacturer"], images["ManufacturerName"], strict=True)
    return [name or (NOT_UNDERSTOOD if delivered else NOT_STATED) for delivered, name in pairs]


def body_part_labels(frame: pd.DataFrame) -> list[str]:
    """Of every series that is an image its normalised body part."""
    images = frame[frame["IsImage"]]
    pairs = zip(images["BodyPartExamined"], images["BodyPart"], strict=True)
    return [_known(part if part else delivered, body_parts()) for delivered, part in pairs]


def _known(value: str | None, vocabulary: Iterable[str]) -> str:
    if not value:
        return NOT_STATED
    return value if value in vocabulary else NOT_UNDERSTOOD


def bars(labels: list[str]) -> tuple[Bar, ...]:
    """The counts of the labels, those without a usable value first, then the largest first."""
    counts = pd.Series(labels, dtype="object").value_counts()
    ranked = sorted(((str(label), int(count)) for label, count in counts.items()), key=lambda item: (-item[1], item[0]))
    doubtful = [item for item in ranked if item[0] in (NOT_STATED, NOT_UNDERSTOOD)]
    sound = [item for item in ranked if item not in doubtful]
    if len(sound) > MAX_BARS:
        rest = sum(count for _, count in sound[MAX_BARS:])
        sound = [*sound[:MAX_BARS], (OTHER, rest)]
    chosen = [*doubtful, *sound]
    longest = max((count for _, count in chosen), default=1)
    return tuple(
        Bar(
            label=label,
            count=count,
            share=count / len(labels),
            length=count / longest,
            doubtful=(label, count) in doubtful,
        )
        for label, count in chosen
    )


def matrix(frame: pd.DataFrame) -> Matrix:
    """Completeness by modality of every attribute that a series rule asks for; ``frame`` is a ``series_frame``."""
    labels = pd.Series(modality_labels(frame), index=frame.index, dtype="object")
    columns = [bar.label for bar in bars(list(labels)) if bar.label != OTHER]
    rows = []
    for check in table_checks(Level.SERIES):
        if check.expectation is not Expectation.PRESENT or check.rule.dimension is not Dimension.COMPLETENESS:
            continue
        if check.column not in frame.columns:
            continue  # of the details, where the tables were made without them
        asked = rows_of(check.where, frame) & ~rows_withheld(frame, check.column)
        stated = frame[check.column].notna()
        cells: list[float | None] = []
        for column in columns:
            among = asked & (labels == column)
            cells.append(float(stated[among].mean()) if among.any() else None)
        if any(cell is not None for cell in cells):
            rows.append(MatrixRow(rule=check.rule, cells=tuple(cells)))
    rows.sort(key=lambda row: (min(cell for cell in row.cells if cell is not None), row.rule.id))
    return Matrix(
        modalities=tuple(columns),
        series=tuple(int((labels == column).sum()) for column in columns),
        rows=tuple(rows),
    )
