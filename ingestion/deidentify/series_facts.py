"""From the raw headers of a series to facts that say nothing of a person (``ingestion.accounting.facts``)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from ingestion.accounting.facts import AGE_TOLERANCE_YEARS, SeriesFacts
from ingestion.dicom.header import Header
from ingestion.dicom.reading import InstanceIds
from ingestion.identity.linkage import Linkage, plain_day
from ingestion.vocabulary.age import age_in_years, parse_date

_NAME, _BIRTH_DATE, _AGE, _ACCESSION = 0x00100010, 0x00100030, 0x00101010, 0x00080050
_STUDY_DATE, _SERIES_DATE, _ACQUISITION_DATE = 0x00080020, 0x00080021, 0x00080022
_TAGS = (_NAME, _BIRTH_DATE, _AGE, _ACCESSION, _STUDY_DATE, _SERIES_DATE, _ACQUISITION_DATE)
MOST_KEPT = 8
"""Values kept of one kind: a series with more contradicts itself badly enough."""
LATEST_AFTER_WRITING = dt.timedelta(days=1)
"""A device may be some time zones ahead of the one that wrote the file."""
_DAYS_PER_YEAR = 365.25
_EARLIEST_WRITTEN = dt.date(1993, 1, 1)
"""DICOM's own year: a file that claims to be older comes from a clock that was not set."""


@dataclass(frozen=True, slots=True)
class RawFacts:
    """The values of one header that facts are made of. Identities: stays in memory."""

    ids: InstanceIds = field(repr=False)
    values: tuple[str, ...] = field(repr=False)


def raw_facts(header: Header, ids: InstanceIds) -> RawFacts:
    """Read them; what cannot be decoded counts as absent."""
    charset = header.charset
    return RawFacts(ids, tuple((charset.decode(header.value(tag)) or "").strip(" \0") for tag in _TAGS))


@dataclass(slots=True)
class FactGatherer:
    """Gathers the facts of one series, header by header."""

    linkage: Linkage | None
    _seen: dict[tuple[object, ...], dt.date | None] = field(default_factory=dict, repr=False)
    _content: set[bytes] = field(default_factory=set, repr=False)
    _ids: list[InstanceIds] = field(default_factory=list, repr=False)

    def add(self, raw: RawFacts, *, sha256: bytes, written: dt.date | None) -> None:
        """One accepted instance; ``written``: the day its file was last written, where that is known."""
        self._content.add(sha256)
        key = (raw.ids.patient, *raw.values)
        if key not in self._seen:
            self._ids.append(raw.ids)
            self._seen[key] = written
        elif written is not None:
            known = self._seen[key]
            self._seen[key] = written if known is None else max(known, written)

    def facts(self) -> SeriesFacts:
        """Of all that was added; empty facts where nothing was."""
        if not self._seen:
            return SeriesFacts()
        rows = [(dict(zip(_TAGS, key[1:], strict=True)), written) for key, written in self._seen.items()]
        days = [(said, _dates(said), written) for said, written in rows]
        return SeriesFacts(
            birth_date_stated=any(plain_day(str(said[_BIRTH_DATE])) for said, _ in rows),
            before_birth=any(_before_birth(said, dates) for said, dates, _ in days),
            after_delivery=any(_after(dates, written) for _, dates, written in days),
            age_contradicts=any(_age_contradicts(said) for said, _ in rows),
            **(self._digests([said for said, _ in rows], self.linkage) if self.linkage else {}),  # type: ignore[arg-type]
        )

    def _digests(self, rows: Iterable[dict[int, object]], linkage: Linkage) -> dict[str, object]:
        texts = [{tag: str(value) for tag, value in row.items()} for row in rows]
        first = self._ids[0]
        return {
            "people": _kept(linkage.person(row[_NAME], row[_BIRTH_DATE]) for row in texts),
            "names": _kept(linkage.name(row[_NAME]) for row in texts),
            "birth_dates": _kept(linkage.birth_date(row[_BIRTH_DATE]) for row in texts),
            "patients": _kept(linkage.patient(ids.patient) for ids in self._ids),
            "accessions": _kept(linkage.accession(row[_ACCESSION]) for row in texts),
            "content": linkage.content(self._content),
            "study": linkage.uid(first.study_uid),
            "series": linkage.uid(first.series_uid),
        }


def _kept(digests: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({digest for digest in digests if digest})[:MOST_KEPT])


def _dates(said: dict[int, object]) -> list[dt.date]:
    found = (parse_date(str(said[tag])) for tag in (_STUDY_DATE, _SERIES_DATE, _ACQUISITION_DATE))
    return [day for day in found if day is not None]


def _born(said: dict[int, object]) -> dt.date | None:
    return parse_date(plain_day(str(said[_BIRTH_DATE])))


def _before_birth(said: dict[int, object], dates: list[dt.date]) -> bool:
    born = _born(said)
    return born is not None and any(day < born for day in dates)


def _after(dates: list[dt.date], written: dt.date | None) -> bool:
    if written is None or written < _EARLIEST_WRITTEN:
        return False
    return any(day > written + LATEST_AFTER_WRITING for day in dates)


def _age_contradicts(said: dict[int, object]) -> bool:
    born, seen, age = _born(said), parse_date(str(said[_STUDY_DATE])), age_in_years(str(said[_AGE]))
    if born is None or seen is None or age is None or seen < born:
        return False  # before birth is a fact of its own
    return abs((seen - born).days / _DAYS_PER_YEAR - age) > AGE_TOLERANCE_YEARS
