"""``cie policy``: which policies there are, what one does to an attribute and why, and its conformance report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pydicom.uid
import typer
from pydicom.uid import UID

from ingestion.commands.console import cannot_start, console, errors, make_table, print_json, print_whole
from ingestion.commands.outputs import OutputError, check_outputs
from ingestion.deidentify.conformance_report import CT, conformance_report
from ingestion.deidentify.dictionary import tag_of
from ingestion.deidentify.explain import Explanation, explain, explain_private
from ingestion.deidentify.policy import Policy, PolicyError, load_policy, shipped_policies
from ingestion.deidentify.profile import EDITION

DEFAULT_POLICY = "platform-default"
app = typer.Typer(help="De-identification policies: list, explain, conformance report.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PolicyName = Annotated[str, typer.Option("--policy", help="Name of a shipped policy, or the path of a YAML file.")]


@app.command("list")
def list_policies(as_json: Json = False) -> None:
    """The policies that come with the product.

    Example: cie policy list
    """
    policies = [load_policy(name) for name in shipped_policies()]
    if as_json:
        print_json([_facts(policy) for policy in policies])
        return
    columns = [("policy", False), ("options", False), ("pixels", False), ("faces", False), ("version", False)]
    rows = [
        (policy.name, "\n".join(sorted(policy.options)) or "none: the Basic Profile", policy.pixels.value,
         policy.faces.value, policy.digest[:12])
        for policy in policies
    ]  # fmt: skip
    print_whole(make_table(f"policies over PS3.15 Table E.1-1, edition {EDITION}", columns, rows))
    for policy in policies:
        console.print(f"[bold]{policy.name}[/]: {' '.join(policy.description.split())}", highlight=False)


@app.command("explain")
def explain_tag(
    attribute: Annotated[str, typer.Argument(metavar="TAG", help="A keyword, or gggg,eeee.")],
    policy: PolicyName = DEFAULT_POLICY,
    sop_class: Annotated[
        str, typer.Option("--sop-class", help="UID or keyword, as in MRImageStorage; default: CT image.")
    ] = CT,
    modality: Annotated[str, typer.Option("--modality", help="For exceptions by modality.")] = "",
    manufacturer: Annotated[str, typer.Option("--manufacturer", help="For exceptions by manufacturer.")] = "",
    within: Annotated[
        list[str] | None, typer.Option("--in", help="The sequence around it; repeat, outermost first.")
    ] = None,
    private: Annotated[
        str | None, typer.Option("--private", metavar="CREATOR", help="The creator of a private attribute.")
    ] = None,
    vr: Annotated[str | None, typer.Option("--vr", help="The VR in the file, if it isn't the usual one.")] = None,
    as_json: Json = False,
) -> None:
    """What happens to an attribute, why, and which row of which table says so.

    Examples: cie policy explain SeriesDescription

    cie policy explain 0018,0010 --policy strict-basic --sop-class MRImageStorage

    cie policy explain 0019,xx0C --private "SIEMENS MR HEADER"
    """
    chosen = _load(policy)
    tag = _tag(attribute)
    uid = _sop_class(sop_class)
    if private is not None:
        found = explain_private(chosen, private, tag, sop_class_uid=uid, vr=vr)
    else:
        path = tuple(_tag(text) for text in within or ())
        found = explain(
            chosen, tag, sop_class_uid=uid, modality=modality, manufacturer=manufacturer, path=path, vr=vr
        )  # fmt: skip
    if as_json:
        print_json(asdict(found))
    else:
        _show(found)


@app.command()
def conformance(
    policy: PolicyName = DEFAULT_POLICY,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file; .html for a web page.")] = None,
) -> None:
    """The conformance report: profile, options, what happens to each group of attributes, exceptions, limits.

    Example: cie policy conformance --policy reference-node --out reference-node.html
    """
    try:
        check_outputs(out)
    except OutputError as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(2) from None
    report = conformance_report(_load(policy))
    if out is None:
        typer.echo(report, nl=False)
        return
    out.write_text(_page(report, policy) if out.suffix in (".html", ".htm") else report, encoding="utf-8")
    console.print(f"report: {out}")


def _facts(policy: Policy) -> dict[str, object]:
    return {
        "name": policy.name,
        "description": " ".join(policy.description.split()),
        "options": sorted(policy.options),
        "pixels": policy.pixels.value,
        "faces": policy.faces.value,
        "dates_in_text": policy.dates_in_text.value,
        "exceptions": len(policy.overrides),
        "codes": [{"code": code, "meaning": meaning} for code, meaning in policy.method_codes],
        "edition": EDITION,
        "digest": policy.digest,
    }


def _show(found: Explanation) -> None:
    console.print(f"[bold]{found.attribute}[/] {found.tag} {found.vr}, policy {found.policy}", highlight=False)
    console.print(f"  [bold]{found.treatment}[/]: {found.meaning}", highlight=False)
    console.print(f"  why: {found.why}", highlight=False)
    for sentence in found.pixels:
        console.print(f"  pixels: {sentence}", highlight=False, markup=False)
    if found.text is not None:
        console.print(f"  text: {found.text}; when nothing of it can stay: {found.if_nothing_is_left}", highlight=False)
    if found.attribute_type is not None:
        kind = found.object_kind or "an object of unknown kind (the strictest type counts)"
        console.print(f"  type: {found.attribute_type}, in {kind}", highlight=False)
    if found.row:
        codes = ", ".join(f"{column} {code}" for column, code in found.row.items())
        console.print(f"  row: {found.row_of or 'PS3.15 Table E.1-1, private attributes'}: {codes}", highlight=False)


def _load(name: str) -> Policy:
    try:
        return load_policy(name)
    except PolicyError as error:
        raise cannot_start(str(error)) from None


def _tag(text: str) -> int:
    tag = tag_of(text.replace("xx", "10"))
    if tag is None:
        raise cannot_start(f"{text!r} is no keyword of an attribute and no gggg,eeee")
    return tag


def _sop_class(text: str) -> str:
    if text[:1].isdigit():
        return text
    uid = getattr(pydicom.uid, text, None)
    if not isinstance(uid, UID):
        raise cannot_start(f"{text!r} is no SOP class: give its UID or its keyword, as in CTImageStorage")
    return str(uid)


def _page(report: str, policy: str) -> str:
    from ingestion.deidentify.markdown_page import page

    return page(report, title=f"De-identification: {policy}")
