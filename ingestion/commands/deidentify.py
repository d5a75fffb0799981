"""``cie deidentify``: files in, files out, with the accounting; no service needed."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from ingestion.accounting.states import Reason, ReasonGroup, SeriesState
from ingestion.commands.console import cannot_start, console, errors, make_table, print_json, print_whole
from ingestion.commands.deidentify_names import write_names
from ingestion.commands.deidentify_table import is_table, plan_table, run_table
from ingestion.commands.outputs import OutputError, check_outputs
from ingestion.deidentify import CODE_VERSION
from ingestion.deidentify.clinical_map import ClinicalTableError
from ingestion.deidentify.conformance_check import JudgeMissingError
from ingestion.deidentify.folder import FolderOutcome, FolderUseError, check_folders, deidentify_folder
from ingestion.deidentify.iod_check import IodCheck
from ingestion.deidentify.leftovers import prune
from ingestion.deidentify.policy import Policy, PolicyError, load_policy
from ingestion.fanout import Fanout
from ingestion.identity.keys import SourceKey, load_key
from ingestion.settings import Settings
from ingestion.sources.registry import load_registry
from ingestion.stopping import StoppedError, exit_code, stoppable
from ingestion.storage.folder import FolderStore

DEFAULT_POLICY = "platform-default"
MOST_SHOWN = 20
"""Results of no delivered file that the screen lists; the report lists all."""
SOURCE_ID = re.compile(r"^[A-Z0-9][A-Z0-9-]{1,38}[A-Z0-9]$")


def register(app: typer.Typer) -> None:
    @app.command()
    def deidentify(
        source_folder: Annotated[
            Path, typer.Argument(metavar="IN", help="Folder of raw DICOM, zips too; or a clinical table, .csv or .tsv.")
        ],
        target: Annotated[
            Path,
            typer.Argument(metavar="OUT", help="Folder of the results, made if missing; of a table, the new file."),
        ],
        source: Annotated[str, typer.Option("--source", help="The source's id: its key makes the pseudonyms.")],
        policy: Annotated[
            str | None, typer.Option("--policy", help="Name or YAML file; default: the source's.")
        ] = None,
        key_file: Annotated[
            Path | None, typer.Option("--key-file", help="64 hex digits; default: the key folder.")
        ] = None,
        columns: Annotated[
            Path | None, typer.Option("--columns", help="Of a table: YAML file that says what each column is.")
        ] = None,
        report: Annotated[Path | None, typer.Option("--report", help="Write the accounting to this JSON file.")] = None,
        names: Annotated[
            Path | None,
            typer.Option(
                "--names", help="Write which file ended where to this CSV file. Keep it: it holds file names."
            ),
        ] = None,
        iod_check: Annotated[
            IodCheck | None,
            typer.Option("--iod-check", help="Whether dciodvfy judges each result; default: CIE_IOD_CHECK."),
        ] = None,
        prune_left: Annotated[
            bool,
            typer.Option(
                "--prune",
                help="Delete results in OUT that are of no delivered file any more: withdrawn, changed, held.",
            ),
        ] = False,
        workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = os.cpu_count() or 1,
        as_json: Annotated[bool, typer.Option("--json", help="Print the accounting as JSON.")] = False,
    ) -> None:
        """De-identify a folder or a clinical table. Exit code 1 when something is quarantined that someone must act on,
        or OUT holds results of no delivered file (see --prune) or files that are no results; 130 or 143 when stopped.

        Example: cie deidentify delivery/ clean/ --source PRCI-PROST-01 --key-file prost.key --report accounting.json

        Example: cie deidentify patients.csv patients-clean.csv --columns patients.yaml --source PRCI-PROST-01
        """
        settings = Settings()
        if not SOURCE_ID.match(source):
            errors.print("[bold red]cannot start:[/] --source: 3 to 40 capitals, digits, hyphens", highlight=False)
            raise typer.Exit(2)
        if is_table(source_folder):
            try:
                if prune_left:
                    raise ClinicalTableError("--prune is for a folder of results, and OUT is one table")
                check_outputs(report)
                plan = plan_table(source_folder, columns, policy=_policy(policy, source, settings))
            except (ClinicalTableError, OutputError, PolicyError) as error:
                raise cannot_start(error) from None
            key = load_key(source, keys_dir=settings.keys_root, key_file=key_file)
            try:
                with stoppable():
                    run_table(plan, target, key=key, report=report, as_json=as_json)
            except (KeyboardInterrupt, StoppedError) as stopped:
                errors.print("[bold red]stopped:[/] nothing was written; run the same command again")
                raise typer.Exit(exit_code(stopped)) from None
            return
        try:
            check_folders(source_folder, target)
            check_outputs(report, names, outside=source_folder)
            if columns is not None:
                raise FolderUseError(f"--columns is for a table (.csv, .tsv), and {source_folder} is a folder")
            if names is not None and names.resolve().is_relative_to(target.resolve()):
                raise FolderUseError("--names must not lie in OUT: it holds file names, and OUT is what is sent")
            chosen = _policy(policy, source, settings)
        except (FolderUseError, OutputError, PolicyError) as error:
            raise cannot_start(error) from None
        key = load_key(source, keys_dir=settings.keys_root, key_file=key_file)
        iod = iod_check or IodCheck(settings.iod_check)
        try:
            with stoppable(), Fanout(workers=workers) as fanout, Progress(console=errors, transient=True) as bar:
                line = bar.add_task("objects", total=None)
                FolderStore(target).sweep()
                outcome = deidentify_folder(
                    source_folder,
                    key=key,
                    policy=chosen,
                    target=FolderStore(target),
                    fanout=fanout,
                    iod=iod,
                    progress=lambda done, total: bar.update(line, completed=done, total=total),
                )
        except (FolderUseError, JudgeMissingError) as error:
            raise cannot_start(error) from None
        except (KeyboardInterrupt, StoppedError) as stopped:
            errors.print(
                "[bold red]stopped:[/] before the first series; nothing was written. Run the same command again"
            )
            raise typer.Exit(exit_code(stopped)) from None
        if not outcome.delivered:
            errors.print(f"{source_folder} holds no file: is it the right folder, and is its disk there?", markup=False)
            raise typer.Exit(2)
        if names is not None:
            write_names(names, outcome)
        pruned = prune(target, outcome.left) if prune_left and outcome.left is not None else 0
        account = _account(outcome, key=key, policy=chosen, iod=iod, pruned=pruned)
        if report is not None:
            report.write_text(json.dumps(account, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        if as_json:
            print_json(account)
        else:
            _show(outcome, target, report)
            _show_left(outcome, pruned)
            console.print(f"definitions (IOD): {account['iod_check']}", highlight=False, soft_wrap=True)
            console.print(f"within studies: {account['study_check']}", highlight=False, soft_wrap=True)
        if outcome.stopped is not None:
            errors.print(
                f"[bold red]stopped:[/] {outcome.counts.delivered} of {outcome.delivered} done; run the same command "
                "again to go on",
                highlight=False,
                soft_wrap=True,
            )
            raise typer.Exit(exit_code(outcome.stopped))
        waits = any(Reason(reason).group is not ReasonGroup.COMPANION for reason in outcome.reasons)
        left = outcome.left
        if waits or (left is not None and (left.foreign or (left.keys and not prune_left))):
            raise typer.Exit(1)


def _policy(policy: str | None, source: str, settings: Settings) -> Policy:
    if policy is not None:
        return load_policy(policy)
    registry = load_registry(settings.registry)
    return load_policy(registry.get(source).policy if source in registry.ids else DEFAULT_POLICY)


def _account(
    outcome: FolderOutcome, *, key: SourceKey, policy: Policy, iod: IodCheck, pruned: int = 0
) -> dict[str, Any]:
    return {
        "source_id": key.source_id,
        "key_id": key.key_id,
        "policy": policy.name,
        "policy_digest": policy.digest,
        "code_version": CODE_VERSION,
        "counts": asdict(outcome.counts),
        "complete": outcome.stopped is None,
        "delivered": outcome.delivered,
        "series": {state.value: outcome.series.get(state, 0) for state in SeriesState},
        "reasons": outcome.reasons,
        "work": asdict(outcome.work),
        "iod_check": iod.told(judged=outcome.work.iod_judged, unjudged=outcome.work.iod_unjudged),
        "study_check": iod.told_of_studies(judged=outcome.work.studies_judged, unjudged=outcome.work.studies_unjudged),
        "foreign_files": None if outcome.left is None else outcome.left.foreign,
        "not_delivered_now": None if outcome.left is None else list(outcome.left.keys),
        "pruned": pruned,
        "quarantined": [
            {
                "object": item.object_hash,
                "series": series.series_uid or None,
                "reason": item.refusal.reason.value,
                "rule": item.refusal.rule,
                "detail": item.refusal.detail,
            }
            for series in outcome.outcomes
            for item in series.instances
            if item.refusal is not None
        ],
    }


def _show_left(outcome: FolderOutcome, pruned: int) -> None:
    """What is in OUT and is of no delivered file: it must not be sent unseen."""
    left = outcome.left
    if left is None and outcome.stopped is None:
        console.print(
            "OUT was not searched for results of files that are delivered no more: some could not be read for now",
            highlight=False,
            soft_wrap=True,
        )
    if left is not None and left.foreign:
        console.print(
            f"[bold yellow]{left.foreign} files[/] in OUT/dicom or OUT/manifests are no results: somebody put them "
            "there. They are neither named here nor deleted: look at them before OUT is sent",
            highlight=False,
            soft_wrap=True,
        )
    if left is None or not left.keys:
        return
    console.print(
        f"[bold yellow]{len(left.objects)} objects and {len(left.manifests)} manifests[/] in OUT are of no file that "
        "is delivered now: withdrawn, changed or held back since. "
        + (f"{pruned} files were deleted (--prune):" if pruned else "Delete them with --prune, or do not send them:"),
        highlight=False,
        soft_wrap=True,
    )
    for key in left.keys[:MOST_SHOWN]:
        console.print(f"  {key}", highlight=False, markup=False, soft_wrap=True)
    if len(left.keys) > MOST_SHOWN:
        console.print(f"  and {len(left.keys) - MOST_SHOWN} more; --report lists all", highlight=False)


def _show(outcome: FolderOutcome, target: Path, report: Path | None) -> None:
    counts = outcome.counts
    columns = [("delivered", True), ("accepted", True), ("duplicate", True), ("quarantined", True), ("written", True)]
    row = (counts.delivered, counts.accepted, counts.duplicate, counts.quarantined, outcome.work.objects_written)
    print_whole(make_table("accounting", columns, [row]))
    for reason, number in outcome.reasons.items():
        facts = Reason(reason).facts
        console.print(
            f"{number} × [bold]{reason}[/]: {facts.meaning}. To do: {facts.remedy}.", highlight=False, soft_wrap=True
        )
    console.print(
        f"results: {target}/dicom, manifests: {target}/manifests" + (f", accounting: {report}" if report else "")
    )
