"""``cie features``: intensity features of files on disk; needs no service and keeps no identity."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.features.intensity import INTENSITY_FEATURES, UnitPower
from ingestion.features.local import InputError, LocalFeatures, measure_files
from ingestion.features.settings import FeatureSettings
from ingestion.features.tasks import REFUSALS

SUFFIXES = (".csv", ".parquet", ".json")


def register(app: typer.Typer) -> None:
    @app.command()
    def features(
        image: Annotated[Path, typer.Argument(metavar="IMAGE", help="Folder or file of one DICOM series, or NIfTI.")],
        mask: Annotated[
            Path | None, typer.Argument(metavar="[MASK]", help="DICOM SEG, or NIfTI labels for a NIfTI image.")
        ] = None,
        settings: Annotated[
            Path | None, typer.Option("--settings", help="TOML file with percentiles, min_voxels.")
        ] = None,
        out: Annotated[Path | None, typer.Option("--out", help="Also write .csv, .parquet or .json.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """The 18 IBSI intensity features of an image, or of the regions of a mask. Exit code 1 when refused.

        Example: cie features series/ lesion_seg.dcm --json
        """
        try:
            chosen = _read_settings(settings)
            if out is not None and out.suffix not in SUFFIXES:
                raise InputError(f"{out}: give a name that ends in {', '.join(SUFFIXES)}")
            found = measure_files(image, mask, chosen)
        except InputError as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(2) from None
        except REFUSALS as refusal:
            errors.print(f"refused, since a value would be a guess: {refusal}", markup=False)
            raise typer.Exit(1) from None
        rows = [{**row, "SettingsDigest": chosen.digest} for row in found.rows()]
        if out is not None:
            _write(out, rows)
        if as_json:
            print_json(rows)
        else:
            _show(found, rows)


def _read_settings(path: Path | None) -> FeatureSettings:
    if path is None:
        return FeatureSettings()
    try:
        given = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: not readable as TOML ({type(error).__name__})") from None
    if isinstance(given.get("percentiles"), list):
        given["percentiles"] = tuple(given["percentiles"])
    try:
        return FeatureSettings(**given)
    except TypeError:
        raise InputError(f"{path}: only `percentiles` (a list of whole numbers) and `min_voxels` are known") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    import pandas as pd

    table = pd.DataFrame(rows)
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_json(path, orient="records", indent=2)


def _show(found: LocalFeatures, rows: list[dict[str, Any]]) -> None:
    named = {feature.column: feature for feature in INTENSITY_FEATURES}
    for row in rows:
        lines: list[tuple[str, str, str, str]] = []
        for column, value in row.items():
            feature = named.get(column)
            if feature is not None:
                unit = {UnitPower.SAME: found.unit.name, UnitPower.SQUARED: f"{found.unit.name}²", UnitPower.NONE: ""}
                lines.append((feature.code, feature.name, _number(value), unit[feature.unit]))
            elif column not in {"Region", "Unit"} and value is not None:
                lines.append(("", column, _number(value), ""))
        columns = [("IBSI", False), ("measure", False), ("value", True), ("unit", False)]
        print_whole(make_table(str(row["Region"]), columns, lines))
    if found.unit.suv_refusal is not None:
        console.print(f"values are {found.unit.name}, not SUVbw: {found.unit.suv_refusal}")


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "undefined" if value is None else str(value)
