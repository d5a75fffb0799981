"""What a quality check is and what it found: rules, results, the verdict on a source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

MAX_EXAMPLES = 10
"""Most failing rows a result names: enough to find the pattern, few enough to read."""


class Dimension(StrEnum):
    """The kinds of quality that the European cancer-image federation asks for."""

    COMPLETENESS = "completeness"
    UNIQUENESS = "uniqueness"
    CONSISTENCY = "consistency"
    ACCURACY = "accuracy"
    VALIDITY = "validity"
    INTEGRITY = "integrity"


class Severity(StrEnum):
    """``ERROR`` keeps the source from the catalogue, ``WARNING`` doesn't, ``INFO`` is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Level(StrEnum):
    """What one row of a rule is."""

    INSTANCE = "instance"
    SERIES = "series"
    STUDY = "study"
    PATIENT = "patient"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``id`` is a stable name of letters, digits and underscores; ``version`` goes up when it changes.

    A share of passing rows below ``error_below`` is an error, below ``warning_below`` a warning; any other failing
    row is information. None: never that severe. ``fault`` says what a failing row has wrong, ``unit`` what is
    counted where that is not the level itself. ``excludes``: a failing series (or all series of a failing study or
    patient) is left out of the release, whatever the share; the rest of the source goes on.
    """

    id: str
    level: Level
    dimension: Dimension
    title: str
    meaning: str
    fault: str
    remedy: str
    version: str
    warning_below: float | None
    error_below: float | None
    threshold_reason: str
    unit: str | None = None
    excludes: bool = False

    def __post_init__(self) -> None:
        for bound in (self.warning_below, self.error_below):
            if bound is not None and not 0 < bound <= 1:
                raise ValueError(f"rule {self.id}: a threshold is a share above 0 and up to 1, not {bound}")

    @property
    def informative(self) -> bool:
        """Never a warning or an error, so it has no part in the scores."""
        return self.warning_below is None and self.error_below is None

    def severity(self, *, rows: int, passing: int) -> Severity | None:
        """How bad it is that ``passing`` of ``rows`` pass; None when all do, or when there is no row to judge."""
        if rows == passing:
            return None
        share = passing / rows
        if self.error_below is not None and share < self.error_below:
            return Severity.ERROR
        if self.warning_below is not None and share < self.warning_below:
            return Severity.WARNING
        return Severity.INFO


@dataclass(frozen=True, slots=True)
class Finding:
    """One failing row of a rule. ``key``: its PatientID, StudyInstanceUID or SeriesInstanceUID (pseudonyms).

    ``detail`` says what was found there, in numbers and our own words: never a delivered text.
    """

    rule_id: str
    level: Level
    key: str
    severity: Severity
    """Of this row: an error where the rule excludes it or ends in error, else that of the rule's result."""
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule found. ``severity`` None: passed, or no row to judge (``rows`` is 0 then, ``share`` 1)."""

    rule_id: str
    level: Level
    dimension: Dimension
    severity: Severity | None
    rows: int
    passing: int
    share: float
    examples: tuple[str, ...]
    """Pseudonyms of failing rows (of the level's UID or PatientID), sorted, at most ``MAX_EXAMPLES``."""
    message: str

    @property
    def failing(self) -> int:
        return self.rows - self.passing

    @property
    def applies(self) -> bool:
        return self.rows > 0


@dataclass(frozen=True, slots=True)
class QualityVerdict:
    """All results of a source, in the order of the rules.

    ``scores``: by dimension, the mean share over the rules that apply and can warn; a dimension without any is left
    out. ``blocks``: some result is an error, so the catalogue keeps the source's last good state.
    """

    source_id: str
    results: tuple[RuleResult, ...]
    scores: Mapping[Dimension, float]
    blocks: bool
    findings: tuple[Finding, ...] = ()
    """Every failing row of every rule that has rows, in the order of the rules, then of the keys."""
    excluded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """SeriesInstanceUID of each series that is left out of the release, and the rules that say so."""
    folder: bool = False
    """Told to who checks a folder of their own (``quality_checks.folder_words``), not to the platform."""

    def of(self, severity: Severity | None) -> tuple[RuleResult, ...]:
        """The applying results of one severity (None: passed), in the order of the rules."""
        return tuple(result for result in self.results if result.applies and result.severity is severity)

    @property
    def digest(self) -> str:
        """Digest (24 hex digits) of the results: equal digests, equal verdicts."""
        body = {
            "source_id": self.source_id,
            "results": [asdict(result) for result in self.results],
            "findings": [asdict(finding) for finding in self.findings],
        }
        return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:24]
