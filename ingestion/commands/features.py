"""``cie features``: features of files on disk; needs no service and keeps no identity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.commands.outputs import OutputError, check_outputs
from ingestion.features.feature_units import feature_description, feature_unit, unit_text
from ingestion.features.ibsi import SettingsError, feature_table
from ingestion.features.ibsi.filters.settings import BOUNDARY_CODES, Boundary, filter_table
from ingestion.features.intensity import INTENSITY_FEATURES
from ingestion.features.local import InputError, LocalFeatures, measure_files
from ingestion.features.local_long import long_rows
from ingestion.features.measures import measure_rows
from ingestion.features.provenance import COLUMNS
from ingestion.features.settings import FeatureSettings

SUFFIXES = (".csv", ".parquet", ".json")
FILTER = "filter"
"""In the place of a family."""
MANUAL = "IBSI reference manual (arXiv:1612.07003v11)"
FILTER_MANUAL = "IBSI-2 reference manual (arXiv:2006.05470v9)"
LONGEST_VALUE = 24
"""Characters of a text within the table: a longer one would take the width of all other columns."""
PROVENANCE = frozenset({"Region", "Unit", "ImageDigest", *COLUMNS})


def register(app: typer.Typer) -> None:
    @app.command()
    def features(
        image: Annotated[
            Path | None, typer.Argument(metavar="[IMAGE]", help="Folder or file of one DICOM series, or NIfTI.")
        ] = None,
        mask: Annotated[
            Path | None,
            typer.Argument(metavar="[MASK]", help="DICOM SEG or RTSTRUCT, or NIfTI with one label per region."),
        ] = None,
        settings: Annotated[
            list[Path] | None,
            typer.Option("--settings", help="YAML in IBSI's vocabulary: see docs/features.md. Again for further rows."),
        ] = None,
        out: Annotated[Path | None, typer.Option("--out", help="Also write .csv, .parquet or .json.")] = None,
        long: Annotated[bool, typer.Option("--long", help="One row per feature, with code, unit and refusal.")] = False,
        report: Annotated[
            Path | None,
            typer.Option("--sr", help="Also write a DICOM structured report (TID 1500) of a SEG or RTSTRUCT."),
        ] = None,
        listing: Annotated[
            bool,
            typer.Option(
                "--list",
                help="List every feature and measure with code, unit and definition, and the filters; no input.",
            ),
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """The IBSI features of the regions of a mask, or the measures of a whole image. Exit code 1 when refused.

        Example: cie features series/ lesion_seg.dcm --settings ct.yaml --out features.parquet
        """
        try:
            if out is not None and out.suffix not in SUFFIXES:
                raise InputError(f"{out}: give a name that ends in {', '.join(SUFFIXES)}")
            check_outputs(out, report)
            if listing:
                _output(listed_rows(), out, as_json, _show_list)
                return
            if image is None:
                raise InputError("give an IMAGE, and a MASK for its regions; or --list")
            chosen = _settings(settings or [])
            if report is not None and len(chosen) > 1:
                raise InputError(f"{report}: a report is written by one file of settings; give --settings once")
            found = [measure_files(image, mask, one) for one in chosen]
            if report is not None and found[0].refusal is None:
                _write_report(report, found[0])
        except (InputError, OutputError, SettingsError) as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(2) from None
        listed = [long_rows(one) if long else one.rows() for one in found]
        _output([row for rows in listed for row in rows], out, as_json, lambda _: list(map(_show, found, listed)))
        if found[0].whole is not None and (said := found[0].whole.geometry_said()) is not None:
            errors.print(f"{image}: {said}", markup=False)
        if (refusal := next((one.refusal for one in found if one.refusal is not None), None)) is not None:
            errors.print(f"refused, since a value would be a guess: {refusal}", markup=False)
            raise typer.Exit(1)
        refused = [region for one in found for region in one.regions if region.refusal is not None]
        for region in refused:
            errors.print(f"region {region.number} refused: {region.refusal} {region.detail or ''}", markup=False)
        if refused:
            raise typer.Exit(1)


def _settings(paths: list[Path]) -> list[FeatureSettings]:
    """Of each file, in order; the default without one.

    Raises:
        SettingsError: with what is wrong in all of them, or two that say the same.
    """
    found: dict[str, FeatureSettings] = {}
    wrong: list[str] = []
    for path in paths:
        try:
            one = FeatureSettings.from_yaml(path)
        except SettingsError as error:
            wrong.append(str(error))
            continue
        if one.digest in found:
            wrong.append(f"{path}: says what another file of settings says; leave one out")
        found[one.digest] = one
    if wrong:
        raise SettingsError("\n".join(wrong))
    return list(found.values()) or [FeatureSettings()]


def listed_rows() -> list[dict[str, str]]:
    """IBSI's features, the measures that are not IBSI's, and the filters: each with all columns of the list."""
    whole = {feature.column for feature in INTENSITY_FEATURES}
    features = [
        {**row, "Of": "all, regions" if row["Column"] in whole else "regions",
         "Reference": f"{MANUAL}, {row['Section']}"}
        for row in feature_table()
    ]  # fmt: skip
    filters = [
        {"Family": FILTER, "Code": row["Code"], "Name": row["Filter"], "Column": row["Code"], "Of": "regions",
         "Parameters": row["Parameters"], "Reference": FILTER_MANUAL}
        for row in filter_table()
    ]  # fmt: skip
    rows = [*features, *measure_rows(), *filters]
    empty = dict.fromkeys((name for row in rows for name in row), "")
    return [empty | row for row in rows]


def _output(rows: list[Any], out: Path | None, as_json: bool, show: Any) -> None:
    if out is not None:
        _write(out, rows)
    if as_json:
        print_json(rows)
    else:
        show(rows)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    import pandas as pd

    from ingestion.catalogue.frames import parquet_bytes
    from ingestion.catalogue.plain_cells import plain_frame

    table = pd.DataFrame(rows)
    if path.suffix == ".csv":
        plain_frame(table).to_csv(path, index=False)
    elif path.suffix == ".parquet":
        described = {str(name): feature_description(str(name)) for name in table.columns}
        table.attrs["descriptions"] = {name: text for name, text in described.items() if text is not None}
        table.attrs["units"] = {name: feature_unit(name) for name in table.attrs["descriptions"]}
        path.write_bytes(parquet_bytes(table))
    else:
        table.to_json(path, orient="records", indent=2)


def _write_report(path: Path, found: LocalFeatures) -> None:
    from ingestion.features.measurement_report import measurement_report

    if len(found.marks) != 1 or found.unit is None:
        raise InputError(f"{path}: a report is written of one SEG or RTSTRUCT on a DICOM image; give one MASK file")
    marks, regions = found.marks[0]
    try:
        written = measurement_report(marks, found.images, regions, found.unit, found.settings)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    written.save_as(path, enforce_file_format=True)


def _show_list(rows: list[dict[str, str]]) -> None:
    names = ("Code", "Name", "AggregationCode", "Unit", "Family", "Section")
    features = [row for row in rows if row["Section"]]
    title = f"{len(features)} features of the IBSI reference manual; u: unit of the image"
    listed = [[row[name] for name in names] for row in features]
    print_whole(make_table(title, [(name, False) for name in names], listed))
    shown = ("Column", "Code", "Name", "Unit", "Of", "Definition", "Reference")
    own = [row for row in rows if row["Definition"]]
    listed = [[_code(row) if name == "Code" else row[name] for name in shown] for row in own]
    title = f"{len(own)} measures that are not IBSI's; Code: DICOM's, where there is one"
    print_whole(make_table(title, [(name, False) for name in shown], listed))
    filters = [[row["Code"], row["Name"], row["Parameters"]] for row in rows if row["Family"] == FILTER]
    columns = [("Code", False), ("filter", False), ("parameters", False)]
    print_whole(make_table("filters of IBSI-2; *: must be given", columns, filters))
    conditions = (f"{one.value} {BOUNDARY_CODES.get(one, '')}".strip() for one in Boundary)
    console.print(f"dimension: 2D, 3D; boundary: {', '.join(conditions)}")


def _code(row: dict[str, str]) -> str:
    return "" if row["Code"] == row["Column"] else row["Code"]


def _show(found: LocalFeatures, rows: list[dict[str, Any]]) -> None:
    if rows and "Feature" in rows[0]:
        names = ("Region", "Code", "Aggregation", "Feature", "Value", "Unit", "Refusal")
        lines = [[_number(row[name]) if name == "Value" else row[name] or "" for name in names] for row in rows]
        print_whole(make_table("features", [(name, name == "Value") for name in names], lines))
    else:
        for row in rows:
            _show_region(row)
    if found.unit is not None and found.unit.suv_refusal is not None:
        console.print(f"values are {found.unit.name}, not SUVbw: {found.unit.suv_refusal}")


def _show_region(row: dict[str, Any]) -> None:
    named = {item["Column"]: (item["Code"], item["Name"], item["AggregationCode"]) for item in feature_table()}
    named |= {feature.column: (feature.code, feature.name, "") for feature in INTENSITY_FEATURES}
    lines: list[tuple[str, str, str, str]] = []
    texts: list[str] = []
    for column, value in row.items():
        code, name, aggregation = named.get(column, ("", column, ""))
        unit = unit_text(feature_unit(column), row["Unit"])
        shown_unit = "" if unit == "1" else unit
        if code:
            lines.append((code, f"{name}, {aggregation}" if aggregation else name, _number(value), shown_unit))
        elif column in PROVENANCE or value is None:
            continue
        elif isinstance(value, str) and len(value) > LONGEST_VALUE:
            texts.append(f"{column}: {value}")
        else:
            lines.append(("", column, _number(value), shown_unit))
    columns = [("IBSI", False), ("measure", False), ("value", True), ("unit", False)]
    print_whole(make_table(str(row["Region"]), columns, lines))
    for text in texts:
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "undefined" if value is None else str(value)
