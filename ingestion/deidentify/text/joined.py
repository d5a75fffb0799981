"""Words made of words: compounds (Leberzirrhose, CHESTABDPELVIS) and scripts that part no words (胸部単純撮影)."""

from __future__ import annotations

from ingestion.deidentify.text.vocabulary import Vocabulary

SHORTEST_JOINED = 9
"""Letters of a compound; shorter ones can be names made of words (Handke, Armbein)."""
SHORTEST_PART = 4
MOST_PARTS = 4
LONGEST_JOINED = 40
NAMES = frozenset({
    "boatright", "brasswell", "breathnach", "cervantes", "hodemakers", "ironhorse", "kostiantin", "leadbetter",
    "lockheart", "piersanti", "polykarpos", "scarsella", "spatafore", "stilianos", "turpeinen", "underdown",
    "walkingstick", "bauchspies", "grossetete", "standeven",
})  # fmt: skip
"""Names in the 1990 census of the United States and in the Faker package that fall into words of the vocabulary."""
_LINKS = ("", "s", "n", "o")
"""What stands between the parts of a compound: Schilddrüse-n-karzinom, abdomin-o-pelvic."""
LONGEST_SIGNS = 24
LONGEST_UNSPACED_WORD = 8
AFFIXES = frozenset("左右上下前后後双両大小中高低的の部像相期法用時有無加及与と等含中心性系")
"""Signs that stand before or behind a known word of two signs and more: 左肺, 胸部の. Alone they can be names."""


def is_joined(folded: str, vocabulary: Vocabulary) -> bool:
    """Whether ``folded`` falls into plain words of four letters and more, with nothing left but links."""
    if not SHORTEST_JOINED <= len(folded) <= LONGEST_JOINED or folded in NAMES:
        return False
    return _falls(folded, 0, 0, vocabulary)


def _falls(word: str, start: int, parts: int, vocabulary: Vocabulary) -> bool:
    if start == len(word):
        return parts > 1
    if parts == MOST_PARTS:
        return False
    for end in range(len(word), start + SHORTEST_PART - 1, -1):
        if not vocabulary.plain(word[start:end]):
            continue
        if end == len(word):
            return parts > 0
        for link in _LINKS:
            if word.startswith(link, end) and _falls(word, end + len(link), parts + 1, vocabulary):
                return True
    return False


def is_written_unspaced(signs: str, vocabulary: Vocabulary) -> bool:
    """Whether ``signs`` fall into known words of two signs and more, with affixes between: one alone is a name."""
    if signs in vocabulary.unspaced:
        return True
    if len(signs) > LONGEST_SIGNS:
        return False
    # reached[i]: the first i signs are accounted for, and by a word of two signs at least once.
    reached: list[bool | None] = [False] + [None] * len(signs)
    for start in range(len(signs)):
        if reached[start] is None:
            continue
        if signs[start] in AFFIXES:
            reached[start + 1] = reached[start + 1] or reached[start]
        for end in range(start + 2, min(len(signs), start + LONGEST_UNSPACED_WORD) + 1):
            if signs[start:end] in vocabulary.unspaced:
                reached[end] = True
    return bool(reached[-1])
