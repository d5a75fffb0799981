"""Latin spellings of Greek and Cyrillic words, by the names of their letters (Unicode character database).

A name that a header holds in its own script is typed in Latin letters elsewhere, by no one rule: ELOT 743 (ISO 843) and
ICAO Doc 9303 are the commonest. The verifier's own table: the text cleaner has another.
"""

from __future__ import annotations

import unicodedata
from itertools import product

_GREEK = {
    "ALPHA": "a", "BETA": "v", "GAMMA": "g", "DELTA": "d", "EPSILON": "e", "ZETA": "z", "ETA": "i", "THETA": "th",
    "IOTA": "i", "KAPPA": "k", "LAMDA": "l", "MU": "m", "NU": "n", "XI": "x", "OMICRON": "o", "PI": "p", "RHO": "r",
    "SIGMA": "s", "FINAL SIGMA": "s", "TAU": "t", "UPSILON": "y", "PHI": "f", "CHI": "ch", "PSI": "ps", "OMEGA": "o",
}  # fmt: skip
_CYRILLIC = {
    "A": "a", "BE": "b", "VE": "v", "GHE": "g", "GHE WITH UPTURN": "g", "DE": "d", "IE": "e", "IO": "e",
    "UKRAINIAN IE": "ie", "ZHE": "zh", "ZE": "z", "I": "i", "BYELORUSSIAN-UKRAINIAN I": "i", "YI": "i", "SHORT I": "i",
    "KA": "k", "EL": "l", "EM": "m", "EN": "n", "O": "o", "PE": "p", "ER": "r", "ES": "s", "TE": "t", "U": "u",
    "EF": "f", "HA": "kh", "TSE": "ts", "CHE": "ch", "SHA": "sh", "SHCHA": "shch", "HARD SIGN": "", "YERU": "y",
    "SOFT SIGN": "", "E": "e", "YU": "yu", "YA": "ya",
}  # fmt: skip
_GREEK_PAIRS = {"αυ": ("av", "af"), "ευ": ("ev", "ef"), "ου": ("ou", "u"), "μπ": ("b", "mp"), "ντ": ("d", "nt"),
                "γκ": ("gk", "g"), "γγ": ("ng", "g")}  # fmt: skip
"""What two letters are together, the commonest first (ELOT 743, table 2)."""
_OTHERWISE = {"v": ("b",), "ch": ("h", "x"), "y": ("i", "u"), "f": ("ph",), "kh": ("h", "x"), "yu": ("iu", "ju"),
              "ya": ("ia", "ja"), "x": ("ks",)}  # fmt: skip
"""Other letters in common use for one that stands alone."""
MOST = 64
"""Spellings of one word; the first are the commonest."""


def romanised(word: str) -> tuple[str, ...]:
    """Latin spellings of ``word`` (lower case), none where it is Latin already or of another script."""
    bare = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    choices: list[tuple[str, ...]] = []
    position = foreign = 0
    while position < len(bare):
        pair = _GREEK_PAIRS.get(bare[position : position + 2])
        if pair:
            choices.append(pair)
            position, foreign = position + 2, foreign + 1
            continue
        letter = _latin(bare[position])
        foreign += letter is not None
        plain = bare[position] if letter is None else letter
        choices.append((plain, *_OTHERWISE.get(plain, ())) if letter is not None else (plain,))
        position += 1
    if not foreign:
        return ()
    found: dict[str, None] = {"".join(choice[0] for choice in choices): None}
    for spelled in product(*choices):
        if len(found) >= MOST:
            break
        found["".join(spelled)] = None
    return tuple(found)


def _latin(letter: str) -> str | None:
    name = unicodedata.name(letter, "")
    for script, table in (("GREEK", _GREEK), ("CYRILLIC", _CYRILLIC)):
        for size in ("SMALL", "CAPITAL"):
            prefix = f"{script} {size} LETTER "
            if name.startswith(prefix):
                return table.get(name.removeprefix(prefix))
    return None
