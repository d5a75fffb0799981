"""How to cite a collection or a selection, worked out from the release: in words, for BibTeX, for CSL processors.

Names of the three forms: the style of the American Psychological Association (7th edition, section 10.9, data sets),
BibTeX's entry type ``misc``, the Citation Style Language's JSON schema (item type ``dataset``).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Citation:
    """What a citation is made of. ``author``: institutions; ``identifier``: a URN; ``url``, ``released_on``: where
    they are known."""

    author: tuple[str, ...]
    title: str
    version: str
    released_on: dt.date | None
    publisher: str
    identifier: str
    url: str | None = None

    def apa(self) -> str:
        place = self.url or self.identifier
        # the series comma of APA: two with &, more with commas and &
        authors = ", ".join(self.author[:-1]) + (", & " if len(self.author) > 2 else " & ") + self.author[-1]
        author = self.author[0] if len(self.author) == 1 else authors
        year = self.released_on.year if self.released_on else "n.d."
        return f"{author}. ({year}). {self.title} (Version {self.version}) [Data set]. {self.publisher}. {place}"

    def bibtex(self) -> str:
        fields = {
            "author": " and ".join(f"{{{_tex(name)}}}" for name in self.author),
            "title": f"{{{_tex(self.title)}}}",
            "version": _tex(self.version),
            "publisher": f"{{{_tex(self.publisher)}}}",
            "howpublished": "Data set",
            "note": _tex(self.identifier),
        }
        if self.released_on:
            fields |= {"year": str(self.released_on.year), "month": str(self.released_on.month)}
        if self.url:
            # braces and backslashes can't be in the URL of a page of ours
            fields["url"] = re.sub(r"[{}\\]", "", self.url)
        key = re.sub(r"[^A-Za-z0-9]+", "-", f"{self.identifier.rpartition(':')[2]}-{self.version}").strip("-")
        lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
        return f"@misc{{{key},\n{lines}}}\n"

    def csl(self) -> list[dict[str, Any]]:
        day = self.released_on
        item: dict[str, Any] = {
            "id": f"{self.identifier}@{self.version}",
            "type": "dataset",
            "title": self.title,
            "author": [{"literal": name} for name in self.author],
            "version": self.version,
            "publisher": self.publisher,
            "number": self.identifier,
        }
        if day is not None:
            item["issued"] = {"date-parts": [[day.year, day.month, day.day]]}
        return [item | ({"URL": self.url} if self.url else {})]

    def csl_json(self) -> str:
        return json.dumps(self.csl(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def _tex(text: str) -> str:
    """The text with everything that means something to TeX written as itself."""
    return "".join(_TEX.get(sign, sign) for sign in " ".join(text.split()))
