"""``python -m quality_checks.benchmark_report``: what the quality checks cost; ``cie bench quality`` runs it.

Prints the page as Markdown, or with ``--json`` the figures.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict

from ingestion.settings import REGISTRY_FILE
from ingestion.sources.registry import load_registry
from quality_checks import benchmark
from quality_checks.benchmark_pages import PageFigures, measure_pages
from quality_checks.benchmark_tables import TableFigures, measure_tables


def main(arguments: list[str]) -> None:
    """Measure everything, each part in the process that its module says, and print it."""
    imaging = benchmark.measure_imaging()
    entry = load_registry(REGISTRY_FILE).sources[0]
    tables, pages = measure_tables(entry), measure_pages(entry)
    if "--json" in arguments:
        sys.stdout.write(
            json.dumps({"imaging": asdict(imaging), "tables": asdict(tables), "pages": asdict(pages)}) + "\n"
        )
    else:
        sys.stdout.write(as_markdown(imaging, tables, pages))


def as_markdown(imaging: benchmark.ImagingCost, tables: TableFigures, pages: PageFigures) -> str:
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
            *_rows(asdict(tables)),
            "",
            "## Writing a report",
            "",
            "All files of one judgement: pages with pictures, JSON, Parquet. Judging here includes the import of Great "
            "Expectations; memory is the highest of the process, which examined series before.",
            "",
            "| Measured | Value |",
            "| --- | --- |",
            *_rows(asdict(pages)),
            "",
        ]
    )


def _rows(figures: Mapping[str, object]) -> list[str]:
    return [f"| {name.replace('_', ' ')} | {_shown(value)} |" for name, value in figures.items()]


def _shown(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main(sys.argv[1:])
