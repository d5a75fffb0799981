"""``python -m quality_checks.benchmark_report``: what the quality checks cost; ``cie bench quality`` runs it.

Prints the page as Markdown, or with ``--json`` the figures.
"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict

from ingestion.settings import REGISTRY_FILE
from ingestion.sources.registry import load_registry
from quality_checks import benchmark
from quality_checks.benchmark_tables import TableFigures, measure_tables


def main(arguments: list[str]) -> None:
    """Measure everything, each part in the process that its module says, and print it."""
    imaging = benchmark.measure_imaging()
    tables = measure_tables(load_registry(REGISTRY_FILE).sources[0])
    if "--json" in arguments:
        sys.stdout.write(json.dumps({"imaging": asdict(imaging), "tables": asdict(tables)}) + "\n")
    else:
        sys.stdout.write(as_markdown(imaging, tables))


def as_markdown(imaging: benchmark.ImagingCost, tables: TableFigures) -> str:
    """The page."""
    return "\n".join(
        [
            "# Benchmarks of the quality checks",
            "",
            "Made by `cie bench quality`; every number on this page is measured by it. Python "
            f"{platform.python_version()}, {platform.machine()}; inputs are made by code.",
            "",
            "## Examining series",
            "",
            benchmark.as_markdown(imaging),
            "## Judging tables and comparing images",
            "",
            "| Measured | Value |",
            "| --- | --- |",
            *(f"| {name.replace('_', ' ')} | {_shown(value)} |" for name, value in asdict(tables).items()),
            "",
        ]
    )


def _shown(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main(sys.argv[1:])
