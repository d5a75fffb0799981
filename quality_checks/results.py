"""The results of a verdict as a table."""

from __future__ import annotations

import pandas as pd

from quality_checks.catalogue_of_checks import rules_by_id
from quality_checks.model import QualityVerdict

COLUMNS = (
    "source_id", "rule_id", "rule_version", "level", "dimension", "severity", "rows", "passing", "share",
)  # fmt: skip


def results_frame(verdict: QualityVerdict) -> pd.DataFrame:
    """One row per rule. ``severity`` is ``passed``, ``not_applicable``, ``info``, ``warning`` or ``error``."""
    rows = [
        {
            "source_id": verdict.source_id,
            "rule_id": result.rule_id,
            "rule_version": rules_by_id()[result.rule_id].version,
            "level": result.level.value,
            "dimension": result.dimension.value,
            "severity": (
                result.severity.value if result.severity else ("passed" if result.applies else "not_applicable")
            ),
            "rows": result.rows,
            "passing": result.passing,
            "share": result.share,
        }
        for result in verdict.results
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"rows": "int64", "passing": "int64", "share": "float64"})
