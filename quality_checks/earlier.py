"""What changed since the report that lay in the same folder: by rule and count.

Each check of a folder draws pseudonyms of its own, so single findings of two runs cannot be told to be the same, and
nothing is kept by which they could. How often each rule failed can be compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quality_checks.catalogue_of_checks import rules_by_id
from quality_checks.changes import SCORE_STEP, Changes, RuleChange, ranked
from quality_checks.documents import SUMMARY
from quality_checks.model import Dimension, QualityVerdict, Severity


class EarlierReportError(ValueError):
    """A report lies there, and nothing can be compared with it."""


@dataclass(frozen=True, slots=True)
class RuleBefore:
    """How a rule ended then."""

    version: str
    severity: Severity | None
    failing: int


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is compared of an earlier ``report.json``: counts, no pseudonym."""

    source_id: str
    blocks: bool
    series: int
    left_out: int
    objects: int
    scores: Mapping[Dimension, float]
    rules: Mapping[str, RuleBefore]


def read_earlier(report: Path) -> Earlier | None:
    """The report that lies in a folder; None: there is none.

    Raises:
        EarlierReportError: it cannot be read as one.
    """
    try:
        said = json.loads((report / SUMMARY).read_bytes())
        return Earlier(
            source_id=str(said["source_id"]),
            blocks=bool(said["blocks"]),
            series=int(said["series"]["judged"]),
            left_out=len(said["series"]["left_out"]),
            objects=int(said["objects"]["delivered"]),
            scores={Dimension(name): float(share) for name, share in said["scores"].items()},
            rules={
                str(one["rule_id"]): RuleBefore(
                    str(one["rule_version"]),
                    None if one["outcome"] in {"passed", "not_applicable"} else Severity(one["outcome"]),
                    int(one["rows"]) - int(one["passing"]),
                )
                for one in said["results"]
            },
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EarlierReportError(f"the {SUMMARY} there is no report ({type(error).__name__})") from None


def changes_by_rule(earlier: Earlier, verdict: QualityVerdict, *, series: int, objects: int) -> Changes:
    """Compare by rule. A rule of another version is judged anew: what it finds now is not new in the folder.

    Raises:
        EarlierReportError: the report is of another source.
    """
    if earlier.source_id != verdict.source_id:
        raise EarlierReportError("the report there is of another source")
    versions = {rule_id: rule.version for rule_id, rule in rules_by_id().items()}
    known = {
        one.rule_id: before
        for one in verdict.results
        if (before := earlier.rules.get(one.rule_id)) is not None and before.version == versions[one.rule_id]
    }
    rules = [
        RuleChange(one.rule_id, before.severity, one.severity, before.failing, one.failing)
        for one in verdict.results
        if (before := known.get(one.rule_id)) is not None
        and (before.severity, before.failing) != (one.severity, one.failing)
    ]
    return Changes(
        first=False,
        by_rule=True,
        rules=ranked(rules),
        scores={
            dimension: (earlier.scores[dimension], share)
            for dimension, share in verdict.scores.items()
            if dimension in earlier.scores and abs(earlier.scores[dimension] - share) >= SCORE_STEP
        },
        series=(earlier.series, series),
        objects=(earlier.objects, objects),
        excluded=(earlier.left_out, len(verdict.excluded)),
        new_findings=sum(max(one.failing_after - one.failing_before, 0) for one in rules),
        gone_findings=sum(max(one.failing_before - one.failing_after, 0) for one in rules),
        blocked=(earlier.blocks, verdict.blocks),
        new_rules=tuple(one.rule_id for one in verdict.results if one.rule_id not in known),
    )
