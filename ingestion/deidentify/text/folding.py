"""One spelling for many: case, accents, scripts and separators put aside, with the way back to the written text.

Greek follows ISO 843 (without its marks), Cyrillic the common base of ICAO Doc 9303 part 3 and ISO 9; where the two
differ, ``spellings`` gives each. An umlaut folds to its base letter; that it can be written with an ``e`` is likewise
left to ``spellings``, which is asked for what is searched, not for what is searched in.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_ALNUM = re.compile(r"[a-z0-9]+")
_LETTERS = {
    "ß": "ss", "ẞ": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i", "ħ": "h",
    "ŋ": "n", "ŧ": "t", "ĳ": "ij", "ʼ": "", "’": "'",
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k", "λ": "l",
    "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t", "υ": "y", "φ": "f",
    "χ": "ch", "ψ": "ps", "ω": "o",
    "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "е": "e", "ё": "e", "є": "ie", "ж": "zh", "з": "z",
    "и": "i", "і": "i", "ї": "i", "й": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r",
    "с": "s", "т": "t", "у": "u", "ў": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch",
    "ъ": "ie", "ы": "y", "ь": "", "э": "e", "ю": "iu", "я": "ia", "ђ": "dj", "ј": "j", "љ": "lj", "њ": "nj",
    "ћ": "c", "џ": "dz",
}  # fmt: skip
_WITH_E = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "ő": "oe", "ű": "ue", "æ": "ae"}
"""How what carries a mark is written where the mark cannot be typed (DIN 5007-2 and Nordic custom)."""
_BACK = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a"), ("ss", "s"))
_OTHER_SCHEMES = (
    (("kh", "h"), ("kh", "ch"), ("ts", "c"), ("zh", "z"), ("shch", "sc"), ("sh", "s"), ("iu", "yu"), ("ia", "ya")),
    (("kh", "h"), ("ts", "c"), ("zh", "z"), ("shch", "sc"), ("sh", "s"), ("ch", "c"), ("iu", "ju"), ("ia", "ja")),
    (("v", "b"), ("ch", "h"), ("f", "ph"), ("y", "u"), ("x", "ks")),
    (("ch", "kh"), ("y", "i"), ("ou", "u")),
)
"""Replacements that turn one romanisation into another; each line is one scheme, applied whole."""
_PAIRS = (
    (("ay", "av"), ("ey", "ev"), ("iy", "iv"), ("oy", "ou")),
    (("ay", "af"), ("ey", "ef"), ("iy", "if"), ("oy", "ou")),
    (("ay", "av"), ("ey", "ev"), ("oy", "ou"), ("mp", "b"), ("nt", "d"), ("gk", "g"), ("gg", "ng")),
    (("oy", "u"), ("ay", "au"), ("ey", "eu")),
)
"""What two Greek letters are together (ELOT 743, table 2): αυ is av or af, ου is ou, μπ may be b."""


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    found = _LETTERS.get(character)
    if found is not None:
        return found
    low = character.lower()
    found = _LETTERS.get(low)
    if found is not None:
        return found
    parts = unicodedata.normalize("NFKD", low)
    return "".join(_LETTERS.get(part, part) for part in parts if not unicodedata.combining(part))


def fold(text: str) -> str:
    """``text`` in lower case, without accents, in Latin letters where the script is Greek or Cyrillic."""
    if text.isascii():
        return text.lower()
    return "".join(_folded(character) for character in text)


@dataclass(frozen=True, slots=True)
class Squeezed:
    """The letters and digits of a text, folded. ``places``: where each stands in the text."""

    text: str
    places: list[int]


def squeeze(text: str) -> Squeezed:
    """``text`` folded, all but letters and digits left out."""
    if text.isascii():
        low = text.lower()
        runs = list(_ALNUM.finditer(low))
        return Squeezed("".join([run.group() for run in runs]), [at for run in runs for at in range(*run.span())])
    letters: list[str] = []
    places = []
    for place, character in enumerate(text):
        for letter in _folded(character):
            if letter.isalnum():
                letters.append(letter)
                places.append(place)
    return Squeezed("".join(letters), places)


def spellings(word: str) -> frozenset[str]:
    """All folded spellings that ``word`` can have: Müller, Mueller and Muller are one name, as are Шевченко's four."""
    low = word.lower()
    plain = "".join(letter for letter in fold(low) if letter.isalnum())
    found = {plain}
    if not low.isascii():
        found.add("".join(letter for letter in fold("".join(_WITH_E.get(c, c) for c in low)) if letter.isalnum()))
        if not low[:1].isascii() and plain.isascii():
            for schemes in (_PAIRS, _OTHER_SCHEMES):
                found |= {_replaced(one, scheme) for one in found for scheme in schemes}
    back = plain
    for two, one in _BACK:
        back = back.replace(two, one)
        found.add(plain.replace(two, one))
    found.add(back)
    return frozenset(spelling for spelling in found if spelling)


def _replaced(text: str, scheme: tuple[tuple[str, str], ...]) -> str:
    for old, new in scheme:
        text = text.replace(old, new)
    return text


def word_set(words: str) -> frozenset[str]:
    """The words of a text, parted by blanks."""
    return frozenset(words.split())
