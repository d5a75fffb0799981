"""``cie bench``: the measurements behind ``make bench``, on inputs made by code."""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ingestion.benchmarks import catalogue as catalogue_benchmark
from ingestion.benchmarks import features_filters, features_peers, features_reading, small_counts
from ingestion.benchmarks.deidentification import RUNS, run
from ingestion.benchmarks.deidentification_page import as_markdown
from ingestion.benchmarks.measure import BenchmarkError
from ingestion.commands.console import console, errors, print_json

app = typer.Typer(help="Measure speed and memory, beside plain copying and beside other tools.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Without this, an app of a single command would take no command name."""


@app.command()
def deidentify(
    slices: Annotated[int, typer.Option("--slices", min=1, help="CT slices of 527 kB.")] = 1000,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="The table shows medians.")] = RUNS,
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Measure the other tools too.")] = True,
    large: Annotated[bool, typer.Option("--large/--no-large", help="Also one object of 4 GB (8 GB of disk).")] = True,
    peer_environment: Annotated[
        Path, typer.Option("--peer-environment", help="Virtual environment of the Python tools.")
    ] = Path(".bench-venv"),
    scratch: Annotated[Path | None, typer.Option("--scratch", help="Where the inputs are made.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the table here (Markdown).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """CPU seconds and peak memory of de-identification, header only and the whole way. Exit code 1 when it failed.

    Example: cie bench deidentify --slices 200 --no-large --out docs/benchmarks.md
    """
    try:
        with tempfile.TemporaryDirectory(prefix="cie-bench-", dir=scratch) as folder:
            report = run(
                Path(folder),
                slices=slices,
                with_peers=peers,
                with_large=large,
                environment=peer_environment.absolute(),
                runs=rounds,
                tell=errors.print,
            )
    except BenchmarkError as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(1) from None
    text = as_markdown(report)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    if as_json:
        print_json(report)
    else:
        console.print(text, markup=False, highlight=False)


@app.command()
def quality(
    out: Annotated[Path | None, typer.Option("--out", help="Write the page here (Markdown).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """CPU seconds and memory of the quality checks: a CT of 300 slices, 10,000 instances, tables of 200,000 series.

    Example: cie bench quality --out docs/benchmarks-quality.md
    """
    # a process of its own, by name: the checks are not part of this package
    command = [sys.executable, "-m", "quality_checks.benchmark_report", *(["--json"] if as_json else [])]
    errors.print("measuring: this takes some minutes")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        errors.print("the benchmark failed: " + (done.stderr.strip().splitlines() or ["no word"])[-1], markup=False)
        raise typer.Exit(1)
    if out is not None:
        out.write_text(done.stdout, encoding="utf-8")
    console.print(done.stdout, markup=False, highlight=False, soft_wrap=True)


@app.command()
def features(
    slices: Annotated[int, typer.Option("--slices", min=2, help="CT slices of the series that is read.")] = 300,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="The tables show medians.")] = 3,
    peer_environment: Annotated[
        Path, typer.Option("--peer-environment", help="Folder of one virtual environment for each tool beside.")
    ] = Path(".bench-features"),
    scratch: Annotated[Path | None, typer.Option("--scratch", help="Where the inputs are made.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the page here (Markdown).")] = None,
) -> None:
    """CPU seconds of reading a CT series, of measuring it, and of a region's features, beside the tools installed.

    Example: cie bench features --out docs/benchmarks-features.md
    """
    with tempfile.TemporaryDirectory(prefix="cie-bench-", dir=scratch) as name:
        folder, environment = Path(name), peer_environment.absolute()
        errors.print("measuring: this takes some minutes")
        report = features_reading.run(folder, slices=slices, rounds=rounds)
        beside = features_peers.run(folder, environment=environment, slices=slices, rounds=rounds, tell=errors.print)
    sections = [
        features_reading.as_markdown(report),
        features_peers.as_markdown(beside),
        features_filters.as_markdown(features_filters.run(rounds=rounds), rounds=rounds),
    ]
    text = "\n".join(["# Benchmarks of features", "", "Made by `cie bench features`.", "", *sections])
    if out is not None:
        out.write_text(text, encoding="utf-8")
    console.print(text, markup=False, highlight=False)


@app.command("catalogue")
def catalogue(
    parquet: Annotated[Path, typer.Option("--parquet", exists=True, help="idc_index.parquet of idc-index-data.")],
    peer_python: Annotated[
        Path | None, typer.Option("--peer-python", help="Interpreter of an environment that has idc-index.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the page here (Markdown).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The catalogue's search over a million public series, beside idc-index and plain DuckDB. Exit code 1 on failure.

    Example: cie bench catalogue --parquet idc_index.parquet --out docs/benchmarks-catalogue.md
    """
    try:
        with tempfile.TemporaryDirectory(prefix="cie-bench-") as folder:
            report = catalogue_benchmark.run(
                parquet, Path(folder) / "index", peer_python=peer_python, tell=errors.print
            )
    except BenchmarkError as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(1) from None
    machine = f"Python {platform.python_version()}, {platform.machine()}"
    text = catalogue_benchmark.as_markdown(report, machine=machine)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    if as_json:
        print_json(catalogue_benchmark.as_json(report))
    else:
        console.print(text, markup=False, highlight=False)


@app.command()
def counts(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Pairs of worlds.")] = 20,
    out: Annotated[Path | None, typer.Option("--out", help="Write the page here (Markdown).")] = None,
) -> None:
    """Attacks on public counts, replayed against ours and against the defaults of Samply Focus.

    Example: cie bench counts --out docs/benchmarks-counts.md
    """
    errors.print("replaying: this takes some minutes")
    text = small_counts.as_markdown(small_counts.run(rounds=rounds), rounds=rounds)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    console.print(text, markup=False, highlight=False)
