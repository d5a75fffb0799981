"""The second look at a result: the raw object's identities, gathered again, must be nowhere in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ingestion.deidentify.verification.dates import days_in, shifted
from ingestion.deidentify.verification.findings import Expectation, Finding, Kind
from ingestion.deidentify.verification.haystack import Segment, noise, segments
from ingestion.deidentify.verification.identities import NOBODY, Identities, RawValue, identities_in
from ingestion.deidentify.verification.needles import Reach, needles_of, normalised
from ingestion.deidentify.verification.search import Hit, Searcher
from ingestion.deidentify.verification.walk import Layout, Leaf, Path, UnreadableError, read_layout
from ingestion.deidentify.verification.words import SAYS_NOTHING

ROOT = 10
"""Characters by which places that may hold an original UID are found: most objects have UIDs of two or three roots."""
LONG_UID = 16
"""Characters from which a UID is known even with a digit right before it: a short one can be the end of another."""
_META = bytes(128) + b"DICM"
_PATIENT_ID = 0x00100020
_UID_SHAPE = re.compile(rb"[0-9]+(?:\.[0-9]+){3,}")


@dataclass
class Verifier:
    """Verifies the results of one patient's study, instance by instance.

    What it needs to look for, it gathers from each raw object itself and keeps for those that follow: a name that only
    the first instance holds is looked for in the last. ``study``: what was gathered elsewhere of the same study.
    """

    study: Identities = field(default=NOBODY, repr=False)
    _searcher: Searcher | None = field(default=None, init=False, repr=False)
    _built_for: tuple[object, ...] = field(default=(), init=False, repr=False)

    def verify(self, raw: bytes, result: bytes, *, expected: Expectation) -> tuple[Finding, ...]:
        """All findings in ``result``; none means that it may be stored. What cannot be read is a finding as well."""
        try:
            before = read_layout(raw)
        except UnreadableError:
            return (Finding("verify.raw_unreadable"),)
        found = identities_in(before)
        self.study |= Identities(found.values, frozenset(), found.dates, found.birth_dates)
        return self._verified(result, before, found.uids | self.study.uids, expected)

    def _verified(
        self, result: bytes, before: Layout | None, uids: frozenset[bytes], expected: Expectation
    ) -> tuple[Finding, ...]:
        findings = [] if result[:132] == _META else [Finding("verify.preamble", offset=0)]
        try:
            after = read_layout(result)
        except UnreadableError:
            return (*findings, Finding("verify.unreadable"))
        findings += _patient_id(after, expected)
        if not expected.private:
            findings += _private(after)
        parts = tuple(_without(part, expected.patient_id) for part in segments(after))
        judge = _Judge(before, expected)
        for hit in self._compiled(expected).hits(after, parts, noise(after)):
            if judge.counts(hit, after):
                findings.append(_finding(hit))
        if Kind.UID not in expected.kept:
            findings += _uids(after, parts, uids)
        if before is not None:
            findings += _unchanged(self.study, after, parts[0].data, expected)
        return tuple(dict.fromkeys(findings))

    def _compiled(self, expected: Expectation) -> Searcher:
        wanted = (self.study.values, self.study.dates, self.study.birth_dates, expected.kept)
        if self._searcher is None or self._built_for != wanted:
            self._searcher = Searcher(needles_of(self.study, kept=expected.kept))
            self._built_for = wanted
        return self._searcher


def verify(body: bytes, *, identities: Iterable[str], expected_patient_id: str) -> tuple[Finding, ...]:
    """For a caller who has no raw object at hand: search ``body`` for these words. ``Verifier`` does more."""
    values = frozenset(RawValue(Kind.PERSON, 0, word.encode(), "ISO_IR 192") for word in identities if word)
    verifier = Verifier(Identities(values, frozenset(), frozenset(), frozenset()))
    return verifier._verified(body, None, frozenset(), Expectation(expected_patient_id, private=False))


def place_of(path: Path, tag: int) -> str:
    """``(0040,0275)[0](0008,0050)``: sequences with the number of the item, from the outside in."""
    parts = [f"({step >> 16:04X},{step & 0xFFFF:04X})" if at % 2 == 0 else f"[{step}]" for at, step in enumerate(path)]
    return "".join(parts) + f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _finding(hit: Hit) -> Finding:
    rule = "verify.date" if hit.needle.reach is Reach.DAY else "verify.identity"
    return Finding(rule, place_of(hit.leaf[4], hit.leaf[0]) if hit.leaf else None, hit.offset)


def _patient_id(layout: Layout, expected: Expectation) -> Iterator[Finding]:
    stated = [
        bytes(layout.buffer[start : start + length]).strip(b" \0")
        for tag, _vr, start, length, path in layout.leaves
        if tag == _PATIENT_ID and not path
    ]
    if stated != [expected.patient_id.encode("ascii")]:
        yield Finding("verify.patient_id", "(0010,0020)")


def _private(layout: Layout) -> Iterator[Finding]:
    for tag, _vr, start, _length, path in layout.leaves:
        if tag >> 16 & 1:
            yield Finding("verify.private", place_of(path, tag), start)


def _without(part: Segment, pseudonym: str) -> Segment:
    """The pseudonym blanked: it holds the source's name, which can be a word of an institution's."""
    own = pseudonym.encode("ascii")
    return Segment(part.start, part.data.replace(own, b"\1" * len(own))) if own else part


def _uids(layout: Layout, parts: tuple[Segment, ...], uids: frozenset[bytes]) -> Iterator[Finding]:
    """Original UIDs, also with components added to them. Only places that begin like one of them are looked at."""
    joined = normalised(b"\n".join(part.data for part in parts))
    met: set[bytes] = set()
    for root in {uid[:ROOT] for uid in uids}:
        position = joined.find(root)
        while position >= 0:
            shaped = _UID_SHAPE.match(joined, position)
            components = shaped.group().split(b".") if shaped else []
            met.update(uid for end in range(4, len(components) + 1) if (uid := b".".join(components[:end])) in uids)
            position = joined.find(root, position + 1)
    for uid in met:
        before = rb"(?<![0-9.])" if len(uid) < LONG_UID else b""
        spelled = b"\0*".join(re.escape(uid[at : at + 1]) for at in range(len(uid)))
        pattern = re.compile(before + spelled + rb"(?!\0?[0-9])")
        for part in parts:
            for match in pattern.finditer(part.data):
                leaf = _around(layout, part.start + match.start())
                yield Finding("verify.uid", place_of(leaf[4], leaf[0]) if leaf else None, part.start + match.start())


def _around(layout: Layout, offset: int) -> Leaf | None:
    inside = [leaf for leaf in layout.leaves if leaf[1] != b"SQ" and leaf[2] <= offset < leaf[2] + leaf[3]]
    return inside[-1] if inside else None


def _unchanged(study: Identities, layout: Layout, header: bytes, expected: Expectation) -> Iterator[Finding]:
    """Values too short or too ordinary to be looked for anywhere: at least their own element must not hold them."""
    plain = {(value.tag, value.value.strip(b" \0")) for value in study.values if value.kind not in expected.kept}
    for tag, _vr, start, length, path in layout.leaves:
        if length and (tag, header[start : start + length].strip(b" \0")) in plain:
            text = header[start : start + length].strip(b" \0").lower().decode("latin-1")
            if text not in SAYS_NOTHING and text.strip("0"):
                yield Finding("verify.unchanged", place_of(path, tag), start)


@dataclass
class _Judge:
    """Whether a day that was met is an original one left, or a shifted one that equals another original by chance.

    An original day at a place where the raw object has it too was left there. One at a place where the raw object has
    the day that shifting turns into it came about by chance. Any other was brought there by something unknown.
    """

    before: Layout | None
    expected: Expectation
    _raw: dict[tuple[Path, int], Leaf] | None = None

    def counts(self, hit: Hit, after: Layout) -> bool:
        day = hit.needle.day
        if hit.needle.reach is not Reach.DAY or day is None or hit.leaf is None:
            return True
        days = self.expected.shift_days
        if days is None or not days or self.before is None:
            return True
        tag, vr, start, length, path = hit.leaf
        now = bytes(after.buffer[start : start + length])
        was = self._raw_value(path, tag)
        if was is None:
            return True
        if vr in (b"DA", b"DT"):
            return any(
                day in days_in(part) and not any(shifted(origin, days) == day for origin in days_in(old))
                for part, old in _paired(now, was)
            )
        return not any(shifted(origin, days) == day for origin in days_in(_plain(was)))

    def _raw_value(self, path: Path, tag: int) -> bytes | None:
        if self.before is None:
            return None
        if self._raw is None:
            self._raw = {(leaf[4], leaf[0]): leaf for leaf in self.before.leaves}
        leaf = self._raw.get((path, tag))
        return None if leaf is None else bytes(self.before.buffer[leaf[2] : leaf[2] + leaf[3]])


def _paired(now: bytes, was: bytes) -> Iterator[tuple[str, str]]:
    old = was.split(b"\\")
    for at, part in enumerate(now.split(b"\\")):
        # A DT's time runs on in the digits of its day.
        yield _plain(part)[:8], (_plain(old[at])[:10] if at < len(old) else "")


def _plain(value: bytes) -> str:
    return value.translate(None, b"\0").decode("latin-1").strip()
