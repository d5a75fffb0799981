"""Which words of a text that people typed could be names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingestion.deidentify.text.folding import fold
from ingestion.deidentify.text.vocabulary import Vocabulary

LONGEST_ACRONYM = 6
"""Letters without a vowel that are an acronym (FSPGR, MPR, GRE's kin); no language here has longer such names."""
BESIDE_DIGITS = 2
"""Letters beside a digit that make a code of a protocol (Br40d, B31f, FC18) rather than a name."""
SHORTEST_OF_TWO = 4
"""Letters of a known word behind a modality's (CTABDOMEN)."""
_TOKEN = re.compile(r"(?:[^\W_](?:['’](?=[^\W_]))?)+")
_LETTERS = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"[A-ZÀ-Þ]+(?=[A-ZÀ-Þ][a-zß-ÿ])|[A-ZÀ-Þ]?[a-zß-ÿ]+|[A-ZÀ-Þ]+")
MOST_BEFORE = 12
"""Characters before a word in which its initials are looked for."""
_VOWELS = frozenset("aeiouy")
_MODALITY = re.compile(r"^(?:ct|mr|mri|mrt|irm|tdm|pet|us|mg|rt|rx|xr|tac|spect)(.+)$")
SHORTEST_HOMOGRAPH = 3
"""Letters from which a word beside an unknown one is taken for the other half of a name; 'de' and 'la' stay."""
_YEAR_BEHIND = re.compile(r"^[^\W\d_]+(?:19|20)\d\d$")
"""Initials with a year of birth, or DOB1957; no protocol is numbered so."""
_INITIAL = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.[\s-]?){1,3}$")


def unknown_words(text: str, vocabulary: Vocabulary) -> Iterator[tuple[int, int]]:
    """Where words stand that could be a name, each with the initials before it.

    A word that is a name as well goes with the unknown one beside it: Victor Long, Ray Palmer.
    """
    tokens = list(_TOKEN.finditer(text))
    unknown = [not _known(token.group(), vocabulary) for token in tokens]
    for number, token in enumerate(tokens):
        beside = any(unknown[max(0, number - 1) : number + 2])
        doubtful = beside and len(token.group()) >= SHORTEST_HOMOGRAPH and fold(token.group()) in vocabulary.homographs
        if unknown[number] or (doubtful and token.group()[:1].isupper()):
            start = token.start()
            initials = _INITIAL.search(text, max(0, start - MOST_BEFORE), start)
            yield (initials.start() if initials else start), token.end()


def _known(token: str, vocabulary: Vocabulary) -> bool:
    if token.isdigit() or fold(token) in vocabulary.words:
        return True
    if _YEAR_BEHIND.match(token):
        return False
    for run in _LETTERS.finditer(token):
        beside_digit = run.end() - run.start() < len(token)
        if not _known_run(run.group(), beside_digit, vocabulary):
            return False
    return True


def _known_run(run: str, beside_digit: bool, vocabulary: Vocabulary) -> bool:
    folded = fold(run)
    if len(run) == 1:
        return run.lower() != run.upper()  # a letter; a sign of Chinese has no case, and can be a whole name
    if folded in vocabulary.words or (beside_digit and len(run) <= BESIDE_DIGITS and run.isascii()):
        return True
    if _acronym(run, folded, vocabulary):
        return True
    parts = _CAMEL.findall(run)
    if len(parts) > 1 and sum(map(len, parts)) == len(run):
        return all(_part(fold(part), vocabulary) for part in parts)
    behind = _MODALITY.match(folded)
    return behind is not None and len(behind.group(1)) >= SHORTEST_OF_TWO and vocabulary.plain(behind.group(1))


def _part(folded: str, vocabulary: Vocabulary) -> bool:
    return len(folded) == 1 or folded in vocabulary.words


def _acronym(run: str, folded: str, vocabulary: Vocabulary) -> bool:
    return (
        run.isascii()
        and len(run) <= LONGEST_ACRONYM
        and _VOWELS.isdisjoint(folded)
        and folded not in vocabulary.no_vowel_names
    )
