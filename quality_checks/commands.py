"""``cie check``: the quality checks on a folder before anything is sent; no service needed."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ingestion.accounting.states import Reason
from ingestion.commands.console import cannot_start, console, errors, make_table, print_json, print_whole
from ingestion.commands.deidentify_names import write_names
from ingestion.deidentify.conformance_check import JudgeMissingError
from ingestion.deidentify.folder import FolderUseError, check_folders
from ingestion.deidentify.iod_check import IodCheck
from ingestion.deidentify.policy import PolicyError, load_policy
from ingestion.fanout import Fanout
from ingestion.identity.keys import KEY_BYTES, SourceKey, load_key
from ingestion.identity.linkage import LINKAGE_KEY_ID
from ingestion.settings import Settings
from ingestion.sources.registry import SourceEntry, UnknownSourceError, load_registry
from ingestion.stopping import StoppedError, exit_code
from quality_checks import documents as d
from quality_checks.causes import one_per_cause
from quality_checks.changes import Changes
from quality_checks.earlier import Earlier, EarlierReportError, read_earlier
from quality_checks.folder_check import FolderCheck, check_folder
from quality_checks.folder_words import meaning_of, remedy_of
from quality_checks.model import Severity
from quality_checks.progress import shown
from quality_checks.report_figures import companions, held_back
from quality_checks.report_findings import worst_rules
from quality_checks.scratch import scratch_folder

DEFAULT_POLICY = "platform-default"
FOLDER_ID = "FOLDER-CHECK"
"""Stands for a folder that is no source of the registry."""
WORST_SHOWN = 10
"""Rules told in the terminal; the report has all."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(
    folder: Annotated[Path, typer.Argument(metavar="PATH", help="Folder of raw DICOM, zips too. It is only read.")],
    report: Annotated[
        Path, typer.Option("--report", help="Folder for the report, made if missing; its files are replaced.")
    ] = Path("cie-check"),
    source: Annotated[
        str | None, typer.Option("--source", help="The source's id in the registry; judges by what it declares.")
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", help="64 hex digits, for the platform's pseudonyms; default: a throw-away key."),
    ] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", help="Name or YAML file; default: the source's, or platform-default.")
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option("--names", help="Write which file ended where to this CSV file. Keep it: it holds file names."),
    ] = None,
    iod_check: Annotated[
        IodCheck | None,
        typer.Option("--iod-check", help="Whether dciodvfy and dcentvfy judge each result; default: CIE_IOD_CHECK."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = os.cpu_count() or 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report's JSON.")] = False,
) -> None:
    """Check a folder as the platform would, on this machine, and write a report that names nobody.

    Nothing is sent, nothing is kept of the images. Exit code 1 when a rule ends in error, a series would be left out,
    or an object is held back that someone must act on.

    Example: cie check delivery/ --report check/
    """
    try:
        entry = _entry(source)
        _apart(folder, report)
        check_folders(folder, report)
        if names is not None and names.resolve().is_relative_to(report.resolve()):
            raise FolderUseError("--names must not lie in the report's folder: it holds file names")
        chosen = load_policy(policy or entry.policy)
        iod = iod_check or IodCheck(Settings().iod_check)
        iod.check_start()
        _can_write(report, names)
        earlier = _earlier(report, entry.id)
    except (FolderUseError, JudgeMissingError, PolicyError, UnknownSourceError) as error:
        raise cannot_start(error) from None
    key = _key(entry.id, key_file)
    try:
        with (
            scratch_folder() as scratch,
            Fanout(workers=workers) as fanout,
            shown(errors, "objects checked", first="listing the folder") as progress,
        ):
            found = check_folder(
                folder,
                entry=entry,
                registered=source is not None,
                key=key,
                linkage=_linkage(key),
                policy=chosen,
                fanout=fanout,
                scratch=scratch,
                iod=iod,
                progress=progress,
                earlier=earlier,
            )
    except (KeyboardInterrupt, StoppedError) as stopped:
        errors.print("[bold red]stopped:[/] no report was written, and nothing of the images is kept")
        raise typer.Exit(exit_code(stopped)) from None
    for document in found.documents:
        (report / document.name).write_bytes(document.body)
    if names is not None:
        write_names(names, found.outcome)
    if as_json:
        print_json(json.loads((report / d.SUMMARY).read_bytes()))
    else:
        _show(found, report)
    if found.verdict.blocks or found.verdict.excluded or held_back(found.state):
        raise typer.Exit(1)


def _show(found: FolderCheck, report: Path) -> None:
    verdict, counts = found.verdict, found.state.counts
    held, beside = held_back(found.state), companions(found.state)
    columns = [(name, True) for name in ("delivered", "would be accepted", "duplicate", "held back", "no images")]
    row = (counts.delivered, counts.accepted, counts.duplicate, held, beside)
    print_whole(make_table(f"{found.series} series", columns, [row]))
    for reason, number in found.state.reasons.items():
        meaning, remedy = (said(Reason(reason), folder=True) for said in (meaning_of, remedy_of))
        console.print(f"{number} × [bold]{reason}[/]: {meaning}. To do: {remedy}.", highlight=False, soft_wrap=True)
    worst = one_per_cause(worst_rules(verdict), found.places)
    listed = [one for one in worst if one.severity is not Severity.INFO][:WORST_SHOWN]
    for one in listed:
        colour = "red" if one.severity is Severity.ERROR else "yellow"
        word = f"leaves out {one.leaves_out} series" if one.leaves_out else one.severity.value
        console.print(
            f"[bold {colour}]{word}[/] {one.rule.title}: {one.result.message}",
            highlight=False,
            soft_wrap=True,
        )
        for other in one.same_cause:
            console.print(f"  the same cause: {other.rule.fault}", highlight=False, soft_wrap=True)
    more = sum(one.severity is not Severity.INFO for one in worst) - len(listed)
    if more:
        console.print(f"and {more} more causes; the report has them all", highlight=False)
    if verdict.blocks:
        said = "[bold red]would be blocked[/]"
    elif held or verdict.excluded:
        said = "[bold yellow]would be taken in in part[/]"
    else:
        said = "[bold green]would be taken in[/]"
    console.print(
        f"{said}: {held:,} of {counts.delivered - beside:,} objects would be held back for someone to act on"
        f"{f' ({beside:,} that are no images not counted)' if beside else ''}, "
        f"{len(verdict.excluded):,} of {found.series:,} series left out of releases; blocking errors: "
        f"{len(verdict.of(Severity.ERROR))}, warnings: {len(verdict.of(Severity.WARNING))}",
        highlight=False,
        soft_wrap=True,
    )
    if not found.conformance.complete:
        for what, told in (
            ("definitions (IOD)", found.conformance.iod_check), ("within studies", found.conformance.study_check),
        ):  # fmt: skip
            console.print(f"{what}: {told}", highlight=False, soft_wrap=True)
    if not found.changes.first:
        console.print(_compared(found.changes), highlight=False, soft_wrap=True)
    console.print(f"report: {report / d.REPORT}", highlight=False, soft_wrap=True)


def _compared(changes: Changes) -> str:
    """One line on what changed since the earlier report."""
    more, fewer = changes.new_findings, changes.gone_findings
    said = f"{more:,} findings more, {fewer:,} fewer" if changes.rules else "every rule fails as often as before"
    anew = f"; {len(changes.new_rules)} rules new or changed, and not compared" if changes.new_rules else ""
    return (
        f"since the earlier report there, by rule and count: {said}; objects {changes.objects[0]:,} before, "
        f"{changes.objects[1]:,} now; series left out {changes.excluded[0]:,} before, {changes.excluded[1]:,} now{anew}"
    )


def _earlier(report: Path, source_id: str) -> Earlier | None:
    """The report to compare with; one that cannot be compared with is told, and replaced."""
    try:
        earlier = read_earlier(report)
        if earlier is not None and earlier.source_id != source_id:
            raise EarlierReportError("the report there is of another source")
    except EarlierReportError as error:
        errors.print(f"nothing is compared with an earlier report: {error}", highlight=False, soft_wrap=True)
        return None
    return earlier


def _apart(folder: Path, report: Path) -> None:
    """The report must not be read as a part of the folder by the next check.

    Raises:
        FolderUseError: one lies within the other.
    """
    checked, place = folder.resolve(), report.resolve()
    if checked.is_relative_to(place) or place.is_relative_to(checked):
        beside = checked.parent / f"{checked.name or 'folder'}-check"
        raise FolderUseError(
            f"the report's folder ({report}) must not lie in the folder that is checked, nor around it: name another "
            f"with --report, such as --report {beside}"
        )


def _can_write(report: Path, names: Path | None) -> None:
    """Found out before hours of work, not after.

    Raises:
        FolderUseError: the report, or the list of names, can't be written there.
    """
    for place, what in ((report / d.REPORT, "the report"), (names, "--names")):
        if place is None:
            continue
        try:
            if what == "the report":
                place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place.parent):
                pass
            if place.is_dir():
                raise IsADirectoryError
        except OSError as error:
            raise FolderUseError(f"{what} can't be written to {place}: {error.strerror or 'it is a folder'}") from None


def _key(source_id: str, key_file: Path | None) -> SourceKey:
    if key_file is None:
        return SourceKey(source_id, secrets.token_bytes(KEY_BYTES))
    # nothing of it is kept, so it may be any source's
    return load_key(source_id, keys_dir=key_file.parent, key_file=key_file, alone=False)


def _linkage(key: SourceKey) -> SourceKey:
    """Nothing is compared beyond the folder, so any secret does; one made of the key gives equal reports."""
    return SourceKey(LINKAGE_KEY_ID, hmac.new(key.secret, b"cie/check/linkage", hashlib.sha256).digest())


def _entry(source: str | None) -> SourceEntry:
    if source is not None:
        return load_registry(Settings().registry).get(source)
    today = dt.datetime.now(dt.UTC).date()
    values = {
        "id": FOLDER_ID,
        "project": "A folder",
        "holder_countries": ["XX"],
        "cancer_type": "lung",
        "modalities": ["CT", "MR", "PT", "MG", "US", "CR", "DX", "NM", "SEG", "RTSTRUCT", "SR", "XA", "RF"],
        "figures": {"individuals": 0, "studies": 0, "series": 0, "as_of": today, "provenance": "a folder"},
        "connector": {"kind": "folder", "path": "."},
        "policy": DEFAULT_POLICY,
        "agreement": {
            "kind": "data_sharing_agreement",
            "signed_on": None,
            "valid_until": None,
            "data_use": ["DUO:0000042"],
            "access_mode": "remote_processing",
        },
        "contact": {"name": "Whoever holds the folder", "email": "holder@example.org"},
    }
    return SourceEntry.model_validate(values)
