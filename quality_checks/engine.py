"""Great Expectations on one table: all its checks in one batch, failing rows by position and never by value."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ingestion.sources.registry import SourceEntry
from quality_checks.suites.declare import Expectation, TableCheck, Where

_RESULT_FORMAT = {
    # positions of the failing rows, and none of their values
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}
_RULE = "rule"


class CheckFailedError(RuntimeError):
    """A check could not be carried out: a mistake in the check or the table, not in the data."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many rows a check judged, and the positions of those that failed."""

    rows: int
    failing: tuple[int, ...]


def evaluate(
    frame: pd.DataFrame, checks: Sequence[TableCheck], *, name: str, entry: SourceEntry
) -> Mapping[str, Outcome]:
    """The outcome of every check by rule id. ``frame`` has a range index and at least one row, else nothing is run.

    Raises:
        CheckFailedError: an expectation raised; names the rules.
    """
    outcomes = {check.rule.id: Outcome(rows=0, failing=()) for check in checks}
    # what a table does not tell is not judged: only columns that a caller may leave out are ever missing here
    checks = [check for check in checks if check.column in frame.columns]
    if frame.empty or not checks:
        return outcomes
    frame = frame[_columns(checks)]
    with _quiet():
        # telemetry is decided at import, so the variable comes first; the import costs 8 s and 500 MB
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        # all in memory and no documentation site, which would have its folder made on disk
        config = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
        )
        context = gx.get_context(mode="ephemeral", project_config=config)
        definition = (
            context.data_sources.add_pandas(name).add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
        )
        suite = gx.ExpectationSuite(name=name, expectations=[_expectation(check, entry) for check in checks])
        report = definition.get_batch({"dataframe": frame}).validate(suite, result_format=_RESULT_FORMAT)
    broken = sorted(_rule_of(result) for result in report.results if _raised(result))
    if broken:
        raise CheckFailedError(f"could not check {', '.join(broken)} on the {name} table: see their columns' types")
    by_rule = {_rule_of(result): result.result for result in report.results}
    return outcomes | {check.rule.id: _outcome(by_rule[check.rule.id], check) for check in checks}


def _columns(checks: Sequence[TableCheck]) -> list[str]:
    """The columns that the checks read: each condition copies its rows, so that columns no check reads cost most."""
    read = {check.column for check in checks}
    read |= {check.where.present for check in checks if check.where.present is not None}
    read |= {"IsImage"} if any(check.where.images_only for check in checks) else set()
    read |= {"Modality"} if any(check.where.modalities is not None for check in checks) else set()
    return sorted(read)


def _expectation(check: TableCheck, entry: SourceEntry) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    # looked up by type, so that a check is plain data; each type has fields of its own, hence Any
    expectation: Any = get_expectation_impl(check.expectation.value)
    return expectation(
        column=check.column,
        row_condition=_condition(check.where),
        meta={_RULE: check.rule.id},
        **check.arguments_for(entry),
    )


def _condition(where: Where) -> Any:
    from great_expectations.expectations.row_conditions import Column

    parts: list[Any] = []
    if where.images_only:
        parts.append(Column("IsImage") == True)  # noqa: E712 - builds a condition, compares nothing
    if where.modalities is not None:
        parts.append(Column("Modality").is_in(sorted(where.modalities)))
    if where.present is not None:
        parts.append(Column(where.present).is_not_null())
    combined = None
    for part in parts:
        combined = part if combined is None else combined & part
    return combined


def _outcome(result: Mapping[str, Any], check: TableCheck) -> Outcome:
    rows = int(result["element_count"])
    if check.expectation is not Expectation.PRESENT:
        rows -= int(result.get("missing_count") or 0)
    return Outcome(rows=rows, failing=tuple(sorted(int(at) for at in result.get("unexpected_index_list") or ())))


def _rule_of(result: Any) -> str:
    return str(result.expectation_config.meta[_RULE])


def _raised(result: Any) -> bool:
    """One expectation's exceptions are either one record or one record for each metric."""
    facts = result.exception_info or {}
    records = [facts, *(value for value in facts.values() if isinstance(value, dict))]
    return any(record.get("raised_exception") for record in records)


@contextmanager
def _quiet() -> Iterator[None]:
    """Deprecations inside the library are not the operator's business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield
