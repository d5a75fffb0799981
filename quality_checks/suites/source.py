"""Rules on the source as a whole: what was delivered, what became of it, and what the registry says of it.

These count objects and totals, not rows of a table, so they are plain arithmetic on the source's state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from ingestion.accounting.source_state import SourceState
from ingestion.accounting.states import Reason, ReasonGroup
from ingestion.sources.registry import SourceEntry
from quality_checks.model import Dimension, Level, Rule
from quality_checks.suites.declare import ALWAYS_REASON, INFO_REASON, WARN_REASON, rule

ACCEPTED_SHARE = 0.5
"""Less than half of a delivery's objects usable: what is left is no fair picture of the source."""


class Tables(Protocol):
    """The three tables of a source (``ingestion.catalogue.rows.SourceTables``)."""

    @property
    def patient(self) -> pd.DataFrame: ...
    @property
    def study(self) -> pd.DataFrame: ...
    @property
    def series(self) -> pd.DataFrame: ...


def studies_of(tables: Tables) -> int:
    """How many studies: one under several patients has a row for each, and counts once."""
    return 0 if tables.study.empty else int(tables.study["StudyInstanceUID"].nunique())


@dataclass(frozen=True, slots=True)
class Tally:
    """``passing`` of ``rows``."""

    rows: int
    passing: int


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """A rule and how it is counted."""

    rule: Rule
    count: Callable[[Tables, SourceState, SourceEntry], Tally]


def quarantined(state: SourceState, group: ReasonGroup) -> int:
    """Objects in quarantine for the reasons of one group."""
    return sum(count for reason, count in state.reasons.items() if Reason(reason).group is group)


def objects_expected(state: SourceState) -> int:
    """Delivered objects that should be images: all but the companions (text files, DICOMDIRs)."""
    return state.counts.delivered - quarantined(state, ReasonGroup.COMPANION)


def _kept_from(group: ReasonGroup) -> Callable[[Tables, SourceState, SourceEntry], Tally]:
    def count(tables: Tables, state: SourceState, entry: SourceEntry) -> Tally:
        rows = objects_expected(state)
        return Tally(rows=rows, passing=rows - quarantined(state, group))

    return count


def _accepted(tables: Tables, state: SourceState, entry: SourceEntry) -> Tally:
    return Tally(rows=objects_expected(state), passing=state.counts.accepted + state.counts.duplicate)


def _new(tables: Tables, state: SourceState, entry: SourceEntry) -> Tally:
    return Tally(rows=state.counts.accepted + state.counts.duplicate, passing=state.counts.accepted)


def _not_empty(tables: Tables, state: SourceState, entry: SourceEntry) -> Tally:
    return Tally(rows=1, passing=int(len(tables.series) > 0))


def _balanced(tables: Tables, state: SourceState, entry: SourceEntry) -> Tally:
    explained = sum(state.reasons.values()) == state.counts.quarantined
    return Tally(rows=1, passing=int(state.counts.balanced and explained))


def _tables_match(tables: Tables, state: SourceState, entry: SourceEntry) -> Tally:
    stored = {row.SeriesInstanceUID for row in state.series if row.manifest_version is not None}
    listed = set(tables.series["SeriesInstanceUID"].dropna()) if len(tables.series) else set()
    return Tally(rows=len(stored | listed), passing=len(stored & listed))


def _registered(tables: Tables, state: SourceState, entry: SourceEntry) -> Tally:
    seen = set(tables.series["Modality"].dropna()) if len(tables.series) else set()
    return Tally(rows=len(set(entry.modalities)), passing=len(set(entry.modalities) & seen))


def _against(found: int, figure: int) -> Tally:
    return Tally(rows=figure, passing=min(found, figure))


def _instances(
    rule_id: str, group: ReasonGroup, dimension: Dimension, *, title: str, meaning: str, fault: str, remedy: str
) -> SourceCheck:
    made = rule(
        rule_id,
        dimension,
        level=Level.INSTANCE,
        title=title,
        meaning=meaning,
        fault=fault,
        remedy=remedy,
        reason=WARN_REASON,
    )
    return SourceCheck(rule=made, count=_kept_from(group))


def _figure(rule_id: str, what: str, count: Callable[[Tables, SourceState, SourceEntry], Tally]) -> SourceCheck:
    made = rule(
        rule_id,
        Dimension.ACCURACY,
        level=Level.SOURCE,
        title=f"The {what} that the registry states are there",
        meaning="The registry's figure is what the source is said to hold; the rest is still to come or is lost.",
        fault="stated by the registry, not in the tables",
        remedy="Ask the data holder whether more is to come; otherwise correct the registry's figure.",
        warning_below=None,
        reason=INFO_REASON,
        unit=what,
    )
    return SourceCheck(rule=made, count=count)


CHECKS: tuple[SourceCheck, ...] = (
    SourceCheck(
        rule=rule(
            "source_not_empty",
            Dimension.COMPLETENESS,
            level=Level.SOURCE,
            title="Something was accepted",
            meaning="A source without one accepted series has nothing to publish; often its path is wrong.",
            fault="nothing accepted",
            remedy="Check the connector's path and permissions, then the reasons of the quarantine.",
            error_below=1.0,
            reason=ALWAYS_REASON,
        ),
        count=_not_empty,
    ),
    SourceCheck(
        rule=rule(
            "source_accounted_for",
            Dimension.INTEGRITY,
            level=Level.SOURCE,
            title="Every delivered object is accounted for, with a reason where quarantined",
            meaning="delivered = accepted + duplicate + quarantined is the promise to the data holder.",
            fault="the numbers do not add up",
            remedy="Report it; `cie reconcile` shows where.",
            error_below=1.0,
            reason=ALWAYS_REASON,
        ),
        count=_balanced,
    ),
    SourceCheck(
        rule=rule(
            "source_tables_match_store",
            Dimension.INTEGRITY,
            level=Level.SOURCE,
            title="The tables list exactly the stored series",
            meaning="A series that is stored and not listed is lost; one listed and not stored is an empty promise.",
            fault="stored and not listed, or listed and not stored",
            remedy="Build the tables again; report it if it stays.",
            error_below=1.0,
            reason=ALWAYS_REASON,
            unit="series",
        ),
        count=_tables_match,
    ),
    SourceCheck(
        rule=rule(
            "instance_accepted",
            Dimension.INTEGRITY,
            level=Level.INSTANCE,
            title="Delivered images are accepted",
            meaning="What is quarantined reaches no user. Companions (text files, DICOMDIRs) are not counted.",
            fault="quarantined",
            remedy="Work off the quarantine, the most frequent reason first.",
            error_below=ACCEPTED_SHARE,
            reason="what is left of a delivery that lost over half of its images is no fair picture of the source",
        ),
        count=_accepted,
    ),
    _instances(
        "instance_readable",
        ReasonGroup.UNREADABLE,
        Dimension.VALIDITY,
        title="Delivered images can be read",
        meaning="Truncated and malformed files were damaged in the export or on the way.",
        fault="damaged or not well-formed",
        remedy="Have these files exported and delivered again.",
    ),
    _instances(
        "instance_consistent",
        ReasonGroup.INCONSISTENT,
        Dimension.CONSISTENCY,
        title="Identifiers of delivered images agree",
        meaning="Images whose UIDs or patients contradict each other cannot be put in their place.",
        fault="missing or contradicting identifiers",
        remedy="Have the data holder say which is right.",
    ),
    _instances(
        "instance_cleared",
        ReasonGroup.IDENTITY,
        Dimension.VALIDITY,
        title="No image is held back because it may show an identity",
        meaning="Burned-in text and embedded documents need a person's look before release.",
        fault="held back because they may show an identity",
        remedy="Have a person at the data holder look, or extend the policy.",
    ),
    _instances(
        "instance_reachable",
        ReasonGroup.TRANSIENT,
        Dimension.INTEGRITY,
        title="The source handed out what it lists",
        meaning="Objects that could not be fetched are tried again by the next sync.",
        fault="listed by the source and not handed out",
        remedy="Check permissions and the connection; sync again.",
    ),
    SourceCheck(
        rule=rule(
            "instance_not_repeated",
            Dimension.UNIQUENESS,
            level=Level.INSTANCE,
            title="Images are delivered once",
            meaning="Repeated deliveries cost time and hide what is new; they are stored once.",
            fault="delivered again",
            remedy="Nothing is wrong with the data; ask the data holder to deliver changes only.",
            warning_below=None,
            reason=INFO_REASON,
        ),
        count=_new,
    ),
    SourceCheck(
        rule=rule(
            "source_modalities_delivered",
            Dimension.COMPLETENESS,
            level=Level.SOURCE,
            title="Every modality the registry names is there",
            meaning="A registered modality without a series is still to come, or was quarantined as a whole.",
            fault="named by the registry and without an accepted series",
            remedy="Ask the data holder whether it is to come; look for it in the quarantine.",
            warning_below=None,
            reason=INFO_REASON,
            unit="modalities",
        ),
        count=_registered,
    ),
    _figure(
        "source_individuals_figure",
        "individuals",
        lambda tables, state, entry: _against(len(tables.patient), entry.figures.individuals),
    ),
    _figure(
        "source_studies_figure",
        "studies",
        lambda tables, state, entry: _against(studies_of(tables), entry.figures.studies),
    ),
    _figure(
        "source_series_figure",
        "series",
        lambda tables, state, entry: _against(len(tables.series), entry.figures.series),
    ),
)
