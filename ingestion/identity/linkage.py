"""Digests by which the platform sees the same person, study or number in two sources, under a secret of its own.

Pseudonyms are keyed per source, so they cannot be compared over sources. These digests can, and therefore stay in the
ledger and the internal bucket: none of them is ever in the research bucket, in a release or in a report. The secret is
kept as the sources' are (``CIE_KEY_PLATFORM_LINKAGE`` or ``<keys folder>/PLATFORM-LINKAGE.key``) and belongs to the
platform, not to a source. Without it nothing is compared over sources, and all else goes on.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import PatientIdentity

LINKAGE_KEY_ID = "PLATFORM-LINKAGE"
"""Under this name the secret is looked for; no source may have it."""
DIGITS = 24
"""Hex digits of a digest: 96 bits, so that no two of a billion values meet by chance."""
_NO_NAME = re.compile(
    r"(?:^|\s)(?:ANON\w*|PSEUDO\w*|UNKNOWN|UNK|NONAME|NO NAME|DEIDENT\w*|REMOVED|TEST|PATIENT|XX+)(?:\s|$)"
)
"""Words that stand where a name was: two people called Anonymous are not one person."""
_NO_BIRTH_DATES = frozenset({"00000000", "00010101", "18000101", "19000101", "19010101", "19700101", "99991231"})
"""Days that systems write where none is known."""
_DAY = re.compile(r"^\d{8}$")


@dataclass(frozen=True, slots=True)
class Linkage:
    """All digests under the platform's linkage secret. None where a value says nothing."""

    key: SourceKey

    def person(self, name: str, birth_date: str) -> str | None:
        """Of a name and a birth date together: who someone is, whatever the PatientID."""
        plain, day = plain_name(name), plain_day(birth_date)
        return self._digest("person", f"{plain}\x1f{day}") if plain and day else None

    def name(self, name: str) -> str | None:
        plain = plain_name(name)
        return self._digest("name", plain) if plain else None

    def birth_date(self, birth_date: str) -> str | None:
        day = plain_day(birth_date)
        return self._digest("birth date", day) if day else None

    def patient(self, patient: PatientIdentity) -> str | None:
        return self._digest("patient", patient.message()) if patient.patient_id.strip() else None

    def uid(self, uid: str) -> str | None:
        return self._digest("uid", uid.strip()) if uid.strip() else None

    def accession(self, number: str) -> str | None:
        return self._digest("accession", number.strip()) if number.strip() else None

    def content(self, digests: Iterable[bytes]) -> str:
        """Of a set of objects, from their SHA-256."""
        return self._digest("content", "\n".join(sorted(digest.hex() for digest in digests)))

    def _digest(self, kind: str, message: str) -> str:
        body = f"cie/link/{kind}\x1e{message}".encode("utf-8", "surrogateescape")
        return hmac.new(self.key.secret, body, hashlib.sha256).hexdigest()[:DIGITS]


def plain_name(name: str) -> str:
    """A person name (PS3.5 section 6.2.1) as it is compared: family and given names in any order and case, without
    accents, titles and further groups; empty where it names nobody."""
    # of the five components the first three are names, the others titles
    components = re.split(r"\^", name.split("=", maxsplit=1)[0])[:3]
    decomposed = unicodedata.normalize("NFKD", " ".join(components).replace("ß", "ss"))
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter)).upper()
    words = "".join(letter if letter.isalpha() else " " for letter in letters).split()
    plain = " ".join(sorted(words))
    if len(plain) < 3 or len(words) < 2 or _NO_NAME.search(plain):
        return ""  # one word alone is an initial, an id or a placeholder
    return plain


def plain_day(birth_date: str) -> str:
    """A birth date as eight digits; empty where it is none, or one that stands for none."""
    day = re.sub(r"[.\-/]", "", birth_date.strip())
    return day if _DAY.match(day) and day not in _NO_BIRTH_DATES else ""
