"""The words that may stay in a text that people typed: none of them tells who a person is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache

from ingestion.deidentify.profile import read_text
from ingestion.deidentify.text.folding import fold

STANDARD_WORDS = "standard_words.txt"
CLINICAL_WORDS = "clinical_words.txt"
HOMOGRAPHS = "homographs.txt"
NO_VOWEL_NAMES = "names_without_vowels.txt"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Folded words. ``homographs`` are those of ``words`` that are names as well; ``digest`` names the whole."""

    words: frozenset[str] = field(repr=False)
    homographs: frozenset[str] = field(repr=False)
    no_vowel_names: frozenset[str] = field(repr=False)
    digest: str

    def plain(self, folded: str) -> bool:
        """A word that is nobody's name."""
        return folded in self.words and folded not in self.homographs


@cache
def load_vocabulary() -> Vocabulary:
    """The shipped vocabulary."""
    files = {name: read_text(name) for name in (STANDARD_WORDS, CLINICAL_WORDS, HOMOGRAPHS, NO_VOWEL_NAMES)}
    words = {name: frozenset(fold(word) for line in lines for word in line.split()) for name, lines in files.items()}
    content = "\n".join(line for name in sorted(files) for line in (name, *files[name]))
    return Vocabulary(
        words=words[STANDARD_WORDS] | words[CLINICAL_WORDS] | words[HOMOGRAPHS],
        homographs=words[HOMOGRAPHS],
        no_vowel_names=words[NO_VOWEL_NAMES],
        digest=hashlib.sha256(content.encode()).hexdigest(),
    )
