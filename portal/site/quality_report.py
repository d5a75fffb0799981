"""The public quality report of a collection: what each rule checked, and how it ended, as far as that tells of nobody.

Made from the ``quality`` table of the release. Of each rule two shares are shown, both of all rows of its level and
both drawn as other shares of a source are: how many were judged, and how many failed. A step is what some ten people
bring, so what one person brings is below it; a rule that judges or fails few is shown as one that judges or fails none.
All rules of a source have one draw: many judge the same rows, and the mean of many draws is the share itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ingestion.catalogue.exports.record_level import FileDamagedError, RecordTables, TableMissingError
from ingestion.catalogue.release_manifest import ReleaseManifest
from ingestion.catalogue.search.release_index import ReleaseDamagedError
from portal.search.service import SearchService, share_step
from portal.site.asking import Asker
from portal.site.collections import Collections
from portal.site.kept import Kept
from portal.site.rendering import Pages
from portal.site.shelf import Shelf
from quality_checks.catalogue_of_checks import all_rules
from quality_checks.model import Dimension, Level

COLUMNS = ("Rule", "Level", "Dimension", "Rows", "Passing")
"""Of the table: not the severity, which a single row can turn, nor the examples and messages."""
KEPT_TABLES = 100
"""Of some 150 rows each."""
Draw = Callable[[str, float], float]
"""What may be shown of a share, by the name of what it is a share of."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rule. ``judged``, ``failed``: percent of the rows of its level, drawn; None: not shown."""

    rule: str
    title: str
    level: str
    judged: int | None
    failed: int | None


@dataclass(frozen=True, slots=True)
class Section:
    """The rules of one dimension. ``score``: as the collection's page has it, percent; None where there is none."""

    dimension: str
    score: int | None
    outcomes: tuple[Outcome, ...]


def outcomes_of(rows: Iterable[Row], draw: Draw) -> dict[str, tuple[Outcome, ...]]:
    """By dimension, in the order of the rules.

    All rules of the platform are listed, whichever were run, and of others those that judge more than a few: which
    rules are in the table may depend on one person. What is judged of the source as a whole has no share: one person
    may decide it.
    """
    found = {str(row["Rule"]): row for row in rows}
    totals: dict[str, int] = {}
    for row in found.values():
        totals[row["Level"]] = max(totals.get(row["Level"], 0), int(row["Rows"] or 0))
    sections: dict[str, list[Outcome]] = {}
    for rule in all_rules():
        made = _outcome(rule.id, rule.title, rule.level.value, found.get(rule.id), totals, draw)
        sections.setdefault(rule.dimension.value, []).append(made)
    for name in sorted(set(found) - {rule.id for rule in all_rules()}):
        row = found[name]
        made = _outcome(name, "", str(row["Level"]), row, totals, draw)
        if made.judged:
            sections.setdefault(str(row["Dimension"]), []).append(made)
    return {name: tuple(ones) for name, ones in sections.items()}


def _outcome(name: str, title: str, level: str, row: Row | None, totals: Mapping[str, int], draw: Draw) -> Outcome:
    if level == Level.SOURCE.value:
        return Outcome(name, title, level, None, None)
    total = 0 if row is None else totals.get(level, 0)
    if row is None or not total:
        return Outcome(name, title, level, 0, 0)
    rows, passing = int(row["Rows"] or 0), int(row["Passing"] or 0)
    judged = round(100 * draw("rows judged", rows / total))
    failed = round(100 * draw("rows failed", (rows - passing) / total)) if judged else 0
    return Outcome(name, title, level, judged, failed)


class QualityReports:
    """The page at ``/collections/ID/report``."""

    def __init__(self, collections: Collections, shelf: Shelf, asker: Asker | None, pages: Pages) -> None:
        self._collections, self._shelf, self._asker, self._pages = collections, shelf, asker, pages
        self._tables: Kept[tuple[Row, ...]] = Kept(seconds=None, most=KEPT_TABLES)

    def page(self, request: Request) -> Response:
        entry, release, _ = self._collections.found(request)
        answer = self._collections.answer(request, entry)
        sections: tuple[Section, ...] = ()
        if self._asker is not None and answer is not None and answer.total.people is not None:
            rows = self._tables.get((release.version, entry.id), lambda: self._read(release, entry.id))
            step = share_step(answer.policy, answer.total.people)
            sections = self._sections(self._asker.service, entry.id, rows, step=step)
        return self._pages.respond(
            request,
            "report.html.j2",
            entry=entry,
            release=release,
            sections=sections,
            hidden=answer is None or answer.total.hidden,
        )

    def _sections(
        self, service: SearchService, source_id: str, rows: tuple[Row, ...], *, step: float
    ) -> tuple[Section, ...]:
        if not rows:
            return ()
        found = outcomes_of(rows, lambda what, share: service.share(source_id, what, share, step=step))
        certified = self._shelf.certified(source_id)
        scores = {} if certified is None else certified.scores
        return tuple(
            Section(
                name,
                round(100 * service.share(source_id, name, scores[name])) if name in scores else None,
                found[name],
            )
            for name in sorted(found, key=lambda one: _ORDER.get(one, len(_ORDER)))
        )

    def _read(self, release: ReleaseManifest, source_id: str) -> tuple[Row, ...]:
        """The rows of the release; none where it was made before there were some."""
        try:
            table = RecordTables(self._shelf.research, release).read("quality", source_id, COLUMNS)
        except TableMissingError:
            return ()
        except FileDamagedError as error:
            raise ReleaseDamagedError(str(error)) from None
        whole = table.fillna({"Rows": 0, "Passing": 0})
        return tuple(dict(zip(COLUMNS, row, strict=True)) for row in whole[list(COLUMNS)].itertuples(index=False))


_ORDER = {dimension.value: at for at, dimension in enumerate(Dimension)}
