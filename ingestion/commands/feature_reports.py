"""``cie feature-reports``: the stored features of a source's regions as DICOM structured reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ingestion.accounting.source_state import read_latest_state, read_manifests
from ingestion.commands.console import console, errors
from ingestion.settings import Settings
from ingestion.storage.open import open_stores


def register(app: typer.Typer) -> None:
    @app.command("feature-reports")
    def feature_reports(
        out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the reports.")],
        source: Annotated[str, typer.Option("--source", help="The source, by its id.")],
    ) -> None:
        """Write a DICOM SR (TID 1500) for each measured segmentation and structure set. Exit code 1 when some has none.

        Example: cie feature-reports reports/ --source GBM-NL
        """
        from ingestion.features.export import export_reports

        stores = open_stores(Settings())
        found = read_latest_state(stores.internal, source)
        if found is None:
            errors.print(f"{source}: was never brought in; run cie backfill --source {source} first", markup=False)
            raise typer.Exit(2)
        out.mkdir(parents=True, exist_ok=True)
        written, without = 0, 0
        for export in export_reports(found[1], read_manifests(stores.research, found[1]), research=stores.research):
            if export.report is None:
                without += 1
                errors.print(f"{export.SOPInstanceUID}: no report: {export.reason}", markup=False)
                continue
            export.report.save_as(out / f"{export.report.SOPInstanceUID}.dcm", enforce_file_format=True)
            written += 1
        console.print(f"{written} reports written to {out}, {without} objects without values", markup=False)
        if without:
            raise typer.Exit(1)
