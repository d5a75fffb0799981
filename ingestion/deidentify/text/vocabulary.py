"""The words that may stay in a text that people typed: none of them tells who a person is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from ingestion.deidentify.profile import read_text
from ingestion.deidentify.text.folding import fold

STANDARD_WORDS = "standard_words.txt"
CLINICAL_WORDS = "clinical_words.txt"
ICD_WORDS = "icd10cm_words.txt"
PROTOCOL_WORDS = "protocol_words.txt"
HOMOGRAPHS = "homographs.txt"
NEVER_HALF = "never_half_names.txt"
NO_VOWEL_NAMES = "names_without_vowels.txt"
SHORT_NAMES = "short_names.txt"
PHRASES = "phrases.txt"
_FILES = (
    STANDARD_WORDS, CLINICAL_WORDS, ICD_WORDS, PROTOCOL_WORDS, HOMOGRAPHS, NEVER_HALF, NO_VOWEL_NAMES, SHORT_NAMES,
    PHRASES,
)  # fmt: skip
FIRST_UNSPACED = "\u2e80"
"""From here on (CJK radicals, kana, ideographs, hangul) a word does not end at a blank."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Folded words. ``digest`` names the whole.

    ``homographs``: those of ``words`` that are names as well; ``half_names``: of these, the ones that go with an
    unknown word beside them: all but the commonest words of protocols. ``unspaced``: words of scripts that part none.
    ``phrases``: by their first word, what follows it, longest first. ``short_names``: names of two and three letters.
    """

    words: frozenset[str] = field(repr=False)
    homographs: frozenset[str] = field(repr=False)
    half_names: frozenset[str] = field(repr=False)
    no_vowel_names: frozenset[str] = field(repr=False)
    short_names: frozenset[str] = field(repr=False)
    unspaced: frozenset[str] = field(repr=False)
    phrases: Mapping[str, tuple[tuple[str, ...], ...]] = field(repr=False)
    digest: str

    def plain(self, folded: str) -> bool:
        """A word that is nobody's name."""
        return folded in self.words and folded not in self.homographs


@cache
def load_vocabulary() -> Vocabulary:
    """The shipped vocabulary."""
    files = {name: read_text(name) for name in _FILES}
    words = {name: frozenset(fold(word) for line in lines for word in line.split()) for name, lines in files.items()}
    known = frozenset().union(
        *(words[name] for name in (STANDARD_WORDS, CLINICAL_WORDS, ICD_WORDS, PROTOCOL_WORDS, HOMOGRAPHS))
    )
    content = "\n".join(line for name in sorted(files) for line in (name, *files[name]))
    return Vocabulary(
        words=known,
        homographs=words[HOMOGRAPHS],
        half_names=words[HOMOGRAPHS] - words[NEVER_HALF],
        no_vowel_names=words[NO_VOWEL_NAMES],
        short_names=words[SHORT_NAMES] | frozenset(word for word in words[NO_VOWEL_NAMES] if len(word) <= 3),
        unspaced=frozenset(
            word for lines in files.values() for line in lines for word in line.split() if word[0] >= FIRST_UNSPACED
        ),
        phrases=_phrases(files[PHRASES]),
        digest=hashlib.sha256(content.encode()).hexdigest(),
    )


def _phrases(lines: list[str]) -> dict[str, tuple[tuple[str, ...], ...]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for line in lines:
        first, *rest = fold(line).split()
        found.setdefault(first, []).append(tuple(rest))
    return {first: tuple(sorted(rests, key=len, reverse=True)) for first, rests in found.items()}
