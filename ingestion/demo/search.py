"""Is a planted identity anywhere in the results? A search over bytes, in every encoding that could hold it.

One automaton finds all forms of all values in one pass (Aho and Corasick, CACM 18, 1975). Both sides are folded to
lower case where that is one byte long; the forms hold the other cases.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import quote

import ahocorasick

from ingestion.demo.answer_key import AnswerKey, PlantedValue

ENCODINGS = (
    "utf-8", "latin-1", "iso8859-2", "iso8859-5", "iso8859-7", "cp1252", "gb18030", "iso2022_jp_2", "utf-16-le",
    "utf-16-be",
)  # fmt: skip
"""All character sets of the demo's hospitals, and those of the systems that carry texts on."""
DATE_FORMS = ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{100,}={0,2}")
"""A run too long for a word, a digest or a UID. It is unpacked before it is searched."""
LEAST_PACKED = 10
"""Bytes of a value whose base64 form is searched for in text: shorter forms come up by chance, since case is folded."""
_DIGITS = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class Hit:
    """A planted value found. ``place`` names the object, table or file; the value itself is only in the answer key."""

    source_id: str
    kind: str
    planted_in: str
    place: str
    offset: int


def planted_forms(planted: PlantedValue) -> frozenset[bytes]:
    """The byte strings, folded to lower case, that would give the value away."""
    texts = {planted.value}
    if planted.kind == "birth_date":
        day = date(int(planted.value[:4]), int(planted.value[4:6]), int(planted.value[6:8]))
        texts |= {day.strftime(form) for form in DATE_FORMS}
    if planted.kind in ("patient_name", "operator", "physician"):
        parts = planted.value.partition("=")[0].split("^")
        texts |= {" ".join(parts), ", ".join(parts), " ".join(reversed(parts)), "_".join(parts)}
    forms: set[bytes] = set()
    for text in texts:
        for cased in {text, text.upper(), text.lower(), text.title()}:
            forms |= {form.lower() for form in _encoded(cased)}
        # Base64 folds no case: only the value as it stands, at each of the three places it can have in a group.
        if len(text.encode()) >= LEAST_PACKED:
            forms |= {form.lower() for form in _base64(text.encode())}
    return frozenset(forms)


def _encoded(text: str) -> Iterator[bytes]:
    for encoding in ENCODINGS:
        try:
            yield text.encode(encoding)
        except UnicodeEncodeError:
            continue  # this character set cannot spell it
    yield json.dumps(text)[1:-1].encode()
    yield quote(text).encode()
    yield html.escape(text).encode("utf-8")
    yield text.encode().hex().encode()


def _base64(raw: bytes) -> Iterator[bytes]:
    for shift in range(3):
        inner = base64.b64encode(bytes(shift) + raw)
        yield inner[(0, 2, 3)[shift] : len(inner) - 4 if len(inner) % 4 == 0 else None][: (len(raw) * 4) // 3 - 2]


class Search:
    """All planted values of some answer keys, ready to be looked for."""

    def __init__(self, keys: Iterable[AnswerKey]) -> None:
        self.values = 0
        self._sources: set[str] = set()
        self._automaton = ahocorasick.Automaton()
        for key in keys:
            self._sources.add(key.source_id)
            for planted in key.planted:
                self.values += 1
                for form in planted_forms(planted):
                    text = form.decode("latin-1")
                    self._automaton.add_word(text, (len(text), key.source_id, planted.kind, planted.where))
        if self.values:
            self._automaton.make_automaton()

    def hits(self, body: bytes, place: str) -> Iterator[Hit]:
        """Where planted values stand in ``body``, and in what stands there in base64: pictures, headers, attachments.

        Dates count only where no other digit touches them. What is of one source by its place is not searched for the
        birth dates of another's people: a study date of the one, once shifted, is now and then such a day.
        """
        if not self.values:
            return
        of = next((part for part in place.split("/") if part in self._sources), None)
        for run in _BASE64.finditer(body):
            unpacked = base64.b64decode(run.group()[: len(run.group()) // 4 * 4])
            for hit in self._hits(unpacked, place, of):
                yield replace(hit, offset=run.start())
        # as text such a run is noise, in which short names come up by chance
        yield from self._hits(_BASE64.sub(lambda run: b"\0" * len(run.group()), body), place, of)

    def _hits(self, body: bytes, place: str, of: str | None) -> Iterator[Hit]:
        text = body.lower().decode("latin-1")
        for end, (length, source_id, kind, planted_in) in self._automaton.iter(text):
            start = end - length + 1
            if kind == "birth_date" and _touched(text, start, end):
                continue  # a part of a longer number, such as a UID
            if kind == "birth_date" and of is not None and of != source_id:
                continue
            yield Hit(source_id, kind, planted_in, place, start)


def _touched(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end + 1 : end + 2]
    return before in _DIGITS or after in _DIGITS
