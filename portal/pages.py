"""HTML pages of plain tables, for operators: what runs did to a source, in full; the Dagster UI shows first rows."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files

from pyarrow import parquet

from ingestion.accounting.source_state import SourceState
from ingestion.accounting.states import Reason, SeriesState
from ingestion.catalogue.measurements import Measurements
from ingestion.catalogue.release_manifest import NO_RELEASE, ReleaseManifest
from ingestion.storage import ObjectStore
from portal.failed_runs import LOOKED_BACK_DAYS, Failed
from portal.site.status import SourceStatus

_HIDDEN = frozenset({
    "source_id", "StudyInstanceUID", "ImageVersion", "MaskVersion", "ImageDigest", "MaskDigest", "SettingsDigest",
    "Tool", "ToolVersion",
})  # fmt: skip
"""Columns that are the same in every row, or only name what the row was made of."""
_TEXTURE = re.compile(r"_[0-9A-Z]{4}_[0-9A-Z]{4}$")
"""Features of texture, by their two codes: some two hundred columns that nobody reads on a page."""


def page(title: str, body: str) -> str:
    """A whole page. ``title`` is text, ``body`` is HTML."""
    style = files("portal").joinpath("style.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        '<link rel="icon" href="/favicon.ico" type="image/svg+xml">'
        f'<style>{style}</style><nav><a href="/status">Sources</a> · <a href="/reports">Quality</a> · '
        f'<a href="/releases">Releases</a></nav>'
        f"<h1>{escape(title)}</h1>{body}</html>"
    )


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table; numbers are set to the right."""
    titles = "".join(f'<th scope="col">{escape(name)}' for name in head)
    return f'<div class="wide"><table><thead><tr>{titles}</thead>{"".join(map(_row, rows))}</table></div>'


def status_page(
    sources: Sequence[SourceStatus],
    runs: Mapping[str, Failed] | None,
    *,
    now: dt.datetime,
    dagster_url: str | None = None,
    portal_url: str | None = None,
) -> str:
    """All sources, those first that need a look, with exact counts of objects.

    Args:
        runs: the failed runs of sources; None: Dagster could not be asked.
    """
    rows = "".join(_status_row(one, runs) for one in sources)
    blocked, behind = sum(one.failed for one in sources), sum(bool(one.behind) for one in sources)
    never = sum(one.synced is None for one in sources)
    links = [] if portal_url is None else [f'<a href="{escape(portal_url)}">Pages for visitors</a>']
    if dagster_url is not None:
        links.append(f'<a href="{escape(dagster_url)}/runs?q%5B0%5D=status%3AFAILURE">Failed runs in Dagster</a>')
    how = (
        "Failed runs are not known: Dagster does not answer."
        if runs is None
        else f"Failed runs are those of the last {LOOKED_BACK_DAYS} days."
    )
    names = ("source", "project", "last sync with a change (UTC)", "behind", "quality", "delivered", "accepted",
             "duplicate", "quarantined", "failed runs", "more")  # fmt: skip
    head = "".join(f'<th scope="col">{name}' for name in names)
    return page(
        "Sources, for operators",
        f"<p>{blocked} blocked by quality, {behind} not caught up, {never} never synced. {' · '.join(links)}</p>"
        f'<p class="dim">Seen at {now:%Y-%m-%d %H:%M} UTC. {how}</p>'
        f'<div class="wide"><table><thead><tr>{head}</thead>{rows}</table></div>',
    )


def _status_row(one: SourceStatus, runs: Mapping[str, Failed] | None) -> str:
    source_id = escape(one.entry.id)
    counts = ("–",) * 4 if one.counts is None else (
        one.counts.delivered, one.counts.accepted, one.counts.duplicate, one.counts.quarantined
    )  # fmt: skip
    why = ", ".join(f"{reason} {count}" for reason, count in one.reasons.items())
    failed = None if runs is None else runs.get(one.entry.id)
    told = "–" if runs is None else "0" if failed is None else f"{failed.count}{'+' if failed.more else ''}, " \
        f"last {failed.last:%Y-%m-%d %H:%M}"  # fmt: skip
    verdict = "not judged" if one.report is None else "blocked" if one.report.blocks else "not blocked"
    name = source_id if one.report is None else f'<a href="/reports/{source_id}">{source_id}</a>'
    links = "" if one.synced is None else (
        f'<a href="/accounting/{source_id}">accounting</a> · <a href="/measures/{source_id}">measures</a>'
    )  # fmt: skip
    synced = "never" if one.synced is None else f"{one.synced:%Y-%m-%d %H:%M}"
    behind = one.behind or "no"
    if one.left_out:
        behind = f"{'left out from the next release on' if one.held else 'left out'}: {one.left_out}"
    shown = (one.entry.project, synced, behind, verdict, *counts, told)
    row = f'<th scope="row"{" rowspan=2" if why else ""}>{name}{"".join(map(_cell, shown))}<td>{links}'
    # the reasons in a line of their own: in a column they would be a dozen words high
    more = f'<tr><td class="why" colspan="{len(shown) + 1}">Quarantined: {escape(why)}' if why else ""
    return f"<tr>{row}{more}"


def accounting_page(state: SourceState, number: int) -> str:
    """Every series of a source with where its objects ended; what needs a look first."""
    counts = state.counts
    quarantined = table(
        ("objects", "reason", "meaning", "what to do"),
        [
            (count, reason, Reason(reason).facts.meaning, Reason(reason).facts.remedy)
            for reason, count in sorted(state.reasons.items(), key=lambda item: -item[1])
        ],
    )
    ordered = sorted(
        state.series, key=lambda entry: (entry.state is SeriesState.COMPLETE, entry.SeriesInstanceUID or "")
    )
    series = table(
        ("SeriesInstanceUID", "state", "delivered", "accepted", "duplicate", "quarantined", "reasons"),
        [
            (
                entry.SeriesInstanceUID or "(no series)", entry.state.value, entry.counts.delivered,
                entry.counts.accepted, entry.counts.duplicate, entry.counts.quarantined,
                ", ".join(f"{reason} {count}" for reason, count in entry.reasons.items()),
            )
            for entry in ordered
        ],
    )  # fmt: skip
    return page(
        f"Accounting of {state.source_id}",
        f"<p>{counts.delivered} objects delivered = {counts.accepted} accepted + {counts.duplicate} duplicate + "
        f'{counts.quarantined} quarantined. <span class="dim">State {number}, digest {escape(state.digest)}.</span></p>'
        f"<h2>Quarantined</h2>{quarantined}<h2>Series</h2>{series}",
    )


def measures_page(measured: Measurements, research: ObjectStore) -> str:
    """The feature tables of a source as they are stored."""
    body = f'<p class="dim">Measured on state {escape(measured.state_digest)}.</p>'
    for title, key in (("Series", measured.series_key), ("Regions of interest", measured.regions_key)):
        found = parquet.read_table(io.BytesIO(research.read(key)))
        names = [name for name in found.column_names if name not in _HIDDEN and not _TEXTURE.search(name)]
        rows = [[row[name] for name in names] for row in found.to_pylist()]
        body += f"<h2>{title} ({len(rows)})</h2>" + (table(names, rows) if rows else "<p>None.</p>")
        body += f'<p class="dim">{escape(key)}</p>'
    if measured.long_key is not None:
        body += f'<p class="dim">All values, texture too, one a row: {escape(measured.long_key)}</p>'
    return page(f"Measures of {measured.source_id}", body)


def releases_page(releases: Sequence[ReleaseManifest]) -> str:
    """All releases, the newest first."""
    rows = "".join(
        f'<tr><td><a href="/releases/{escape(one.version)}">{escape(one.version)}</a><td>{escape(one.released_on)}'
        f"<td class=n>{len(one.sources)}<td class=n>{len(one.excluded)}"
        for one in reversed(releases)
    )
    head = "<tr><th>version<th>released on<th class=n>sources<th class=n>left out"
    return page("Releases", f"<table>{head}{rows}</table>" if releases else f"<p>{escape(sentence(NO_RELEASE))}</p>")


def release_page(release: ReleaseManifest) -> str:
    """One release: its tables, what is left out and why, its files with their checksums."""

    def told(rows: int | None) -> object:
        return f"under {release.small_count}" if rows is not None and rows < release.small_count else rows

    tables = table(("table", "rows"), [(name, told(rows)) for name, rows in sorted(release.rows.items())])
    left_out = table(("source", "why it is left out"), [(one.source_id, one.reason) for one in release.excluded])
    without = table(
        ("source", "series", "quality rules that leave it out"),
        [(one.source_id, one.SeriesInstanceUID, one.reason) for one in release.series_left_out],
    )
    kept = table(
        ("file", "rows", "bytes", "SHA-256"),
        [(one.path, told(one.rows), one.size, one.sha256) for one in release.files],
    )
    return page(
        f"Release {release.version}",
        f"<p>Released on {escape(release.released_on)}, after {escape(release.previous or 'none')}. "
        f"{len(release.sources)} sources; counts under {release.small_count} are not told. "
        f'<span class="dim">Digest {escape(release.content_digest)}.</span></p>'
        f"<h2>Tables</h2>{tables}<h2>Left out</h2>{left_out}"
        + (f"<h2>Series left out of released sources</h2>{without}" if release.series_left_out else "")
        + f"<h2>Files</h2>{kept}",
    )


def _row(cells: Sequence[object]) -> str:
    return "<tr>" + "".join(map(_cell, cells))


def _cell(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124 - not a number is not itself
        return "<td>–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"<td>{escape(str(value))}"
    return f"<td class=n>{value:,}" if isinstance(value, int) else f"<td class=n>{value:.6g}"
