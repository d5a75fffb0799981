"""Which words of a text that people typed could be names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum

from ingestion.deidentify.text.folding import fold
from ingestion.deidentify.text.joined import is_joined, is_written_unspaced
from ingestion.deidentify.text.vocabulary import FIRST_UNSPACED, Vocabulary

LONGEST_ACRONYM = 6
"""Letters without a vowel that are an acronym (FSPGR, MPR, GRE's kin); no language here has longer such names."""
LONGEST_CAPITALS = 3
"""Capitals that are an acronym even with a vowel, unless they are a name of that length (TOF, OPA, but LEE)."""
BESIDE_DIGITS = 2
"""Letters beside a digit that make a code of a protocol (Br40d, B31f, FC18) rather than a name."""
SHORTEST_OF_TWO = 3
"""Letters of a known word behind a modality's (CTABD)."""
MOST_BEFORE = 12
"""Characters before a word in which its initials are looked for."""
SHORTEST_HOMOGRAPH = 3
"""Letters from which a word beside an unknown one is taken for the other half of a name; 'de' and 'la' stay."""
NUMBERED = 4
"""Digits, zeros before them aside, that with letters make the number of a record (KRK4471)."""
ROUND = 50
"""What numbers behind one or two letters are multiples of where they are settings: G1000, TI2500."""
_SETTINGS = frozenset({"b", "bv", "bval", "tr", "te", "ti", "td", "tm"})
_TOKEN = re.compile(r"(?:[^\W_](?:['’](?=[^\W_]))?)+")
_LETTERS = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"[A-ZÀ-Þ]+(?=[A-ZÀ-Þ][a-zß-ÿ])|[A-ZÀ-Þ]?[a-zß-ÿ]+|[A-ZÀ-Þ]+")
_NUMBER_BESIDE = re.compile(r"([^\W\d_]+)0*(\d+)|0*(\d+)([^\W\d_]+)")
_SCRIPTS = re.compile(f"[{FIRST_UNSPACED}-\U0003ffff]+|[^{FIRST_UNSPACED}-\U0003ffff]+")
_VOWELS = frozenset("aeiouy")
_VIETNAMESE = re.compile("[\u1ea0-\u1ef9ơưƠƯ]")
"""Letters of Vietnamese alone: without their marks its names look like words of other languages (Thị, Đầu)."""
_MODALITY = re.compile(r"^(?:ct|mr|mri|mrt|irm|tdm|pet|us|mg|rt|rx|xr|tac|spect)(.+)$")
_YEAR_BEHIND = re.compile(r"^[^\W\d_]+(?:19|20)\d\d$")
"""Initials with a year of birth, or DOB1957; no protocol is numbered so."""
_INITIAL = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.[\s-]?){1,3}$")
_ARTICLE = re.compile(
    r"(?<![^\W_])(?:(?:van|von|der|den|ter|zu|abu|bin|ibn|mac|mc|della|dello)[\s-]+)+$"
    r"|(?<![^\W_])(?:al|el|de|la|le|du|di|da|del|dos|das|o|d)[-'’]$",
    re.IGNORECASE,
)
"""What is a part of the name behind it: van der, El-."""
_POSSESSIVE = re.compile(r"['’]s$")
_WITHIN_PHRASE = re.compile(r"[\s_\-/.'’]{1,2}")


class Standing(IntEnum):
    """How sure it is that a word is no name."""

    KNOWN = 0
    DOUBTFUL = 1  # an acronym of two or three letters, a word that is a common name: goes beside an unknown word
    UNKNOWN = 2


def unknown_words(text: str, vocabulary: Vocabulary) -> Iterator[tuple[int, int]]:
    """Where words stand that could be a name, each with the initials before it.

    A word that is a name as well goes with the unknown one beside it: Victor Long, Ray Palmer.
    """
    tokens = list(_TOKEN.finditer(text))
    standing = [_standing(token.group(), vocabulary) for token in tokens]
    for number in _in_phrases(text, tokens, vocabulary):
        standing[number] = Standing.KNOWN
    for number, token in enumerate(tokens):
        beside = Standing.UNKNOWN in standing[max(0, number - 1) : number + 2]
        if standing[number] is Standing.UNKNOWN or (standing[number] is Standing.DOUBTFUL and beside):
            start = token.start()
            initials = _INITIAL.search(text, max(0, start - MOST_BEFORE), start)
            article = _ARTICLE.search(text, max(0, start - MOST_BEFORE), start)
            yield min(match.start() if match else start for match in (initials, article)), token.end()


def _in_phrases(text: str, tokens: list[re.Match[str]], vocabulary: Vocabulary) -> Iterator[int]:
    """The tokens that are part of a phrase of the vocabulary."""
    words = [_POSSESSIVE.sub("", fold(token.group())) for token in tokens]
    for number, word in enumerate(words):
        for rest in vocabulary.phrases.get(word, ()):
            end = number + len(rest) + 1
            if tuple(words[number + 1 : end]) == rest and all(
                _WITHIN_PHRASE.fullmatch(text, tokens[at].end(), tokens[at + 1].start())
                for at in range(number, end - 1)
            ):
                yield from range(number, end)
                break


def _standing(token: str, vocabulary: Vocabulary) -> Standing:
    folded = fold(token)
    if token.isdigit():
        return Standing.KNOWN
    if _VIETNAMESE.search(token):
        return Standing.UNKNOWN
    if folded in vocabulary.words:
        common = folded in vocabulary.half_names and len(token) >= SHORTEST_HOMOGRAPH and token[:1].isupper()
        return Standing.DOUBTFUL if common else Standing.KNOWN
    if (_YEAR_BEHIND.match(token) and not _is_setting(token)) or _is_record(token, vocabulary):
        return Standing.UNKNOWN
    found = Standing.KNOWN
    for run in _LETTERS.finditer(token):
        beside_digit = run.end() - run.start() < len(token)
        if not _known_run(run.group(), beside_digit, vocabulary):
            if not _short_acronym(run.group(), vocabulary):
                return Standing.UNKNOWN
            found = Standing.DOUBTFUL
    return found


def _is_record(token: str, vocabulary: Vocabulary) -> bool:
    """Letters that are no word with a number of four digits or more: KRK4471, but not B1000."""
    for match in _NUMBER_BESIDE.finditer(token):
        letters, digits = fold(match.group(1) or match.group(4)), match.group(2) or match.group(3)
        word = len(letters) > LONGEST_CAPITALS and letters in vocabulary.words
        if len(digits) < NUMBERED or letters in _SETTINGS or word:
            continue
        if len(letters) > BESIDE_DIGITS or int(digits) % ROUND:
            return True
    return False


def _is_setting(token: str) -> bool:
    """B2000, TR1950."""
    letters = token.rstrip("0123456789")
    return letters.lower() in _SETTINGS and int(token[len(letters) :]) % ROUND == 0


def _known_run(run: str, beside_digit: bool, vocabulary: Vocabulary) -> bool:
    folded = fold(run)
    if folded in vocabulary.words:
        return True
    if max(run) >= FIRST_UNSPACED:
        return all(_known_script(part, vocabulary) for part in _SCRIPTS.findall(run))
    if len(run) == 1:
        return run.lower() != run.upper()
    if (beside_digit and len(run) <= BESIDE_DIGITS and run.isascii()) or _acronym(run, folded, vocabulary):
        return True
    parts = _CAMEL.findall(run)
    if len(parts) > 1 and sum(map(len, parts)) == len(run):
        return all(_part(part, vocabulary) for part in parts)
    behind = None if run[1:].islower() and run[0].isupper() else _MODALITY.match(folded)
    if behind is not None and len(behind.group(1)) >= SHORTEST_OF_TWO and vocabulary.plain(behind.group(1)):
        return True
    return is_joined(folded, vocabulary)


def _known_script(part: str, vocabulary: Vocabulary) -> bool:
    if part[0] >= FIRST_UNSPACED:
        return is_written_unspaced(part, vocabulary)
    return len(part) == 1 or _known_run(part, False, vocabulary)


def _part(part: str, vocabulary: Vocabulary) -> bool:
    folded = fold(part)
    return len(folded) == 1 or folded in vocabulary.words or (part.isupper() and _acronym(part, folded, vocabulary))


def _acronym(run: str, folded: str, vocabulary: Vocabulary) -> bool:
    return (
        run.isascii()
        and len(run) <= LONGEST_ACRONYM
        and _VOWELS.isdisjoint(folded)
        and folded not in vocabulary.no_vowel_names
    )


def _short_acronym(run: str, vocabulary: Vocabulary) -> bool:
    return (
        run.isascii() and run.isupper() and len(run) <= LONGEST_CAPITALS and run.lower() not in vocabulary.short_names
    )
