"""``cie quarantine``: what is held back, why, what to do, and deciding about it."""

from __future__ import annotations

from typing import Annotated

import typer

from ingestion.accounting.decisions import NotQuarantinedError, Quarantine, Verb
from ingestion.accounting.ledger import engine_of
from ingestion.accounting.states import Reason, ReasonGroup
from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.deidentify.pixels.decision import PixelDecision, parse_boxes
from ingestion.settings import Settings

app = typer.Typer(help="Quarantined objects: list, show, release, reject, decide.", no_args_is_help=True)
Source = Annotated[str | None, typer.Option("--source", help="Only this source.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept with the decision. No identities here.")]
SHOWN_ROWS = 200


def _quarantine() -> Quarantine:
    return Quarantine(engine_of(Settings().sqlalchemy_url()))


@app.command("list")
def list_quarantine(
    source: Source = None,
    reason: Annotated[Reason | None, typer.Option("--reason", help="Only this reason.")] = None,
    companions: Annotated[bool, typer.Option("--companions", help="Also objects that are no instances.")] = False,
    as_json: Json = False,
) -> None:
    """Quarantined objects with reason and detail. Companions (text files, DICOMDIR) are counted, not listed.

    Example: cie quarantine list --source GBM-NL --reason truncated
    """
    rows = _quarantine().rows(source_id=source, reason=reason.value if reason else None)
    hidden = 0
    if not companions and reason is None:
        kept = [row for row in rows if Reason(row["reason"]).group is not ReasonGroup.COMPANION]
        hidden, rows = len(rows) - len(kept), kept
    if as_json:
        print_json([dict(row) for row in rows])
        return
    columns = [
        ("source", False),
        ("object", False),
        ("reason", False),
        ("rule", False),
        ("detail", False),
        ("decision", False),
    ]
    shown = [
        (row["source_id"], row["object_hash"][:12], row["reason"], row["rule"], row["detail"], row["verb"] or "–")
        for row in rows[:SHOWN_ROWS]
    ]
    print_whole(make_table(f"{len(rows)} objects in quarantine", columns, shown))
    if len(rows) > SHOWN_ROWS:
        console.print(f"{len(rows) - SHOWN_ROWS} more: narrow by --source or --reason, or use --json")
    if hidden:
        console.print(f"and {hidden} companions (not DICOM, DICOMDIR): --companions lists them")
    for name in sorted({row["reason"] for row in rows}):
        facts = Reason(name).facts
        console.print(f"[bold]{name}[/]: {facts.meaning}. To do: {facts.remedy}.", highlight=False, soft_wrap=True)


@app.command()
def show(
    object_hash: Annotated[str, typer.Argument(metavar="OBJECT", help="Its hash, or the first digits of it.")],
    source: Source = None,
    as_json: Json = False,
) -> None:
    """One quarantined object in full.

    Example: cie quarantine show 3fa9c01b22aa
    """
    row = _one(source, object_hash)
    facts = Reason(row["reason"]).facts
    full = {**row, "meaning": facts.meaning, "remedy": facts.remedy}
    if as_json:
        print_json(full)
        return
    for name, value in full.items():
        console.print(f"[bold]{name}[/]: {value}", highlight=False, soft_wrap=True)


@app.command()
def release(
    object_hash: Annotated[str, typer.Argument(metavar="OBJECT")], source: Source = None, note: Note = ""
) -> None:
    """Process the object again at the next sync. It is held to the same rules again.

    Example: cie quarantine release 3fa9c01b22aa --note "transfer syntax is now supported"
    """
    _decide(source, object_hash, Verb.RELEASE, note)


@app.command()
def reject(
    object_hash: Annotated[str, typer.Argument(metavar="OBJECT")], source: Source = None, note: Note = ""
) -> None:
    """Never publish the object, whatever rules come later; lapses when the data holder delivers other bytes.

    Example: cie quarantine reject 3fa9c01b22aa --note "wrong patient, confirmed by the holder"
    """
    _decide(source, object_hash, Verb.REJECT, note)


@app.command()
def decide(
    object_hash: Annotated[str, typer.Argument(metavar="OBJECT")],
    boxes: Annotated[
        str | None, typer.Option("--boxes", help="left,top,width,height in pixels; ';' between boxes, @FRAME for one.")
    ] = None,
    clean: Annotated[bool, typer.Option("--clean", help="Nothing in the pixels names anyone.")] = False,
    series: Annotated[
        bool, typer.Option("--series", help="The same for all objects of its series that wait for their pixels.")
    ] = False,
    source: Source = None,
    note: Note = "",
) -> None:
    """Say what becomes of pixels that were held back: blank these boxes, or release them as they are.

    The detail that `cie quarantine show` prints names the boxes in which text is likely. Look at the image at the
    source; the platform has no copy of it. The decision holds for these bytes only.

    One image that shows text holds back its whole series: decide about the one whose rule is pixels.text_found, and
    the others go on with the next sync; or about all at once with --series.

    Example: cie quarantine decide 3fa9c01b22aa --boxes "0,0,640,40;12,440,200,16"
    """
    row = _one(source, object_hash)
    if (boxes is not None) == clean:
        errors.print("give --boxes, or --clean, not both")
        raise typer.Exit(2)
    if row["reason"] != Reason.BURNED_IN_ANNOTATION:
        errors.print(f"{row['object_hash'][:12]} is not held back for its pixels ({row['reason']})")
        raise typer.Exit(2)
    try:
        decision = PixelDecision() if boxes is None else PixelDecision(parse_boxes(boxes))
    except ValueError as error:
        errors.print(f"--boxes: {error}")
        raise typer.Exit(2) from None
    beside = _beside(row) if series else ()
    for other in (row["object_hash"], *beside):
        _decide(row["source_id"], other, Verb.RELEASE, note, pixels=decision.to_text())


def _beside(row: dict[str, str]) -> tuple[str, ...]:
    """The other objects of its series that are held back for their pixels."""
    waiting = _quarantine().rows(source_id=row["source_id"], reason=Reason.BURNED_IN_ANNOTATION.value)
    return tuple(
        other["object_hash"]
        for other in waiting
        if other["series_uid"] == row["series_uid"] and other["object_hash"] != row["object_hash"]
    )


def _decide(source: str | None, object_hash: str, verb: Verb, note: str, *, pixels: str | None = None) -> None:
    row = _one(source, object_hash)
    _quarantine().decide(
        source_id=row["source_id"], object_hash=row["object_hash"], verb=verb, note=note, pixels=pixels
    )
    console.print(
        f"{pixels or verb.value} recorded for {row['object_hash'][:12]} of {row['source_id']}; the source's next sync "
        f"carries it out: cie backfill --source {row['source_id']}"
    )


def _one(source: str | None, object_hash: str) -> dict[str, str]:
    try:
        rows = _quarantine().rows(source_id=source, object_prefix=object_hash)
        if not rows:
            raise NotQuarantinedError(f"no quarantined object begins with {object_hash!r}")
        if len(rows) > 1:
            raise NotQuarantinedError(f"{len(rows)} quarantined objects begin with {object_hash!r}: give more digits")
    except NotQuarantinedError as error:
        errors.print(str(error))
        raise typer.Exit(2) from None
    return dict(rows[0])
