"""How much of public, harmless descriptions the text cleaner keeps.

    python -m tools.kept_descriptions idc_index.parquet

The index of the NCI Imaging Data Commons (package idc-index-data; public, de-identified collections) has a row for
every series. Half of its distinct descriptions, chosen by SHA-256, gave words to ``protocol_words.txt``; the other half
is the measure. Numbers of five digits and more, dates and years are taken out on purpose, and counted by themselves.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from ingestion.deidentify.rules import TextKind
from ingestion.deidentify.text import KnownIdentities, StudyCleaner

COLUMNS = ("SeriesDescription", "StudyDescription", "BodyPartExamined")
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d{5,}|(?:19|20)\d\d")
"""A word with such a number in it is one that a rule takes away."""


@dataclass(slots=True)
class Kept:
    """Counts of one half: texts and words, before and after. ``weight``: by series, or one for each distinct text."""

    texts: Counter[str] = field(default_factory=Counter)

    def add(self, before: str, after: str, weight: int) -> None:
        """One description."""
        self.texts["all"] += weight
        self.texts["whole"] += weight * (before == after)
        words, left = Counter(_WORD.findall(before)), Counter(_WORD.findall(after))
        for word, times in words.items():
            kind = "number" if _NUMBER.search(word) else "word"
            self.texts[f"{kind}s"] += weight * times
            self.texts[f"{kind}s kept"] += weight * min(times, left[word])

    def shares(self) -> str:
        """In per cent."""
        counts = self.texts
        return (
            f"{100 * counts['whole'] / counts['all']:.2f} % of {counts['all']} texts whole, "
            f"{100 * counts['words kept'] / counts['words']:.2f} % of {counts['words']} words without long numbers, "
            f"{100 * counts['numbers kept'] / max(counts['numbers'], 1):.2f} % of {counts['numbers']} with"
        )


def half_of(text: str) -> int:
    """0 for the half that gave words, 1 for the one that measures."""
    return hashlib.sha256(text.encode()).digest()[-1] & 1


def main() -> None:
    times: Counter[str] = Counter()
    table = pq.read_table(Path(sys.argv[1]), columns=list(COLUMNS))
    for column in COLUMNS:
        times.update(text for text in table.column(column).to_pylist() if text)
    cleaner = StudyCleaner(KnownIdentities(), shift_days=-1000)
    distinct, weighted = (Kept(), Kept()), (Kept(), Kept())
    for text, number in times.items():
        cleaned, half = cleaner.clean(text, kind=TextKind.DESCRIPTOR), half_of(text)
        distinct[half].add(text, cleaned, 1)
        weighted[half].add(text, cleaned, number)
    for half, name in ((1, "held out"), (0, "seen")):
        sys.stdout.write(f"{name}, each distinct text once: {distinct[half].shares()}\n")
        sys.stdout.write(f"{name}, as often as it occurs: {weighted[half].shares()}\n")


if __name__ == "__main__":
    main()
