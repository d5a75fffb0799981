"""What the pages say, in two languages: one file each in ``portal/messages``, the same keys in both."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from starlette.requests import Request

LANGUAGES = ("en", "fr")
"""The first is the one for readers who ask for none of them."""
NAMES = {"en": "English", "fr": "Français"}
COOKIE = "lang"
"""Remembers a choice of language and nothing else."""
_THOUSANDS = {"en": ",", "fr": "\u202f"}

_EXCLUDED = {
    "unregistered": "not in the registry", "unsigned": "agreement not signed",
    "before": "agreement not in force before", "ended": "agreement ended on", "withdrawn": "withdrawn on",
    "unpublished": "nothing published yet",
}  # fmt: skip
"""Starts of the reasons of ``ingestion.catalogue.release.why_excluded``, which manifests hold."""


@cache
def messages(language: str) -> Mapping[str, str]:
    """All messages of a language."""
    said: dict[str, str] = tomllib.loads(
        files("portal").joinpath("messages").joinpath(f"{language}.toml").read_text("utf-8")
    )
    return said


@dataclass(frozen=True, slots=True)
class Wording:
    """Says things in one language."""

    language: str

    def say(self, key: str, **values: object) -> str:
        """The message of ``key`` with ``{names}`` filled in. A missing key is an error, never an empty place."""
        return messages(self.language)[key].format(**values) if values else messages(self.language)[key]

    def plural(self, key: str, number: int, **values: object) -> str:
        """``key.one`` or ``key.other``; French has the singular for nought too."""
        one = number in (0, 1) if self.language == "fr" else number == 1
        return self.say(f"{key}.{'one' if one else 'other'}", n=self.number(number), **values)

    def known(self, key: str, otherwise: str) -> str:
        """The message of ``key`` where there is one."""
        return messages(self.language).get(key, otherwise)

    def pair(self, label: str, value: str) -> str:
        """A label and its value; the colon as the language sets it."""
        return f"{label}{self.say('colon')}{value}"

    def number(self, value: int) -> str:
        return f"{value:,}".replace(",", _THOUSANDS[self.language])

    def field(self, name: str, otherwise: str) -> str:
        """What a searchable field is called."""
        return self.known(f"field.{name}", otherwise)

    def excluded(self, reason: str) -> tuple[str, str]:
        """Why a source is in no release, as the end of a message's key, and the day in it."""
        for key, start in _EXCLUDED.items():
            if reason.startswith(start):
                return key, reason.removeprefix(start).strip()
        return "other", ""

    def term(self, field: str, value: str) -> str:
        """What a value of a field is called."""
        if not value:
            return self.say("value.not_stated")
        if value.endswith(" and more"):
            return self.say("value.and_more", low=value.removesuffix(" and more"))
        low, to, high = value.partition(" to ")
        if to and _is_number(low) and _is_number(high):
            return self.say("value.between", low=low, high=high)
        if field == "HolderCountries":
            return self.known(f"country.{value}", value)
        if field == "DataUse":
            known = self.known(f"duo.{value.removeprefix('DUO:')}", "")
            return f"{known} ({value})" if known else value
        return self.known(f"value.{field}.{value}", value)


def wording_of(request: Request) -> Wording:
    """By the address, then by an earlier choice, then by what the browser asks for."""
    chosen = request.query_params.get("lang", "")
    if chosen in LANGUAGES:
        return Wording(chosen)
    if request.cookies.get(COOKIE) in LANGUAGES:
        return Wording(request.cookies[COOKIE])
    return Wording(_accepted(request.headers.get("accept-language", "")))


def _accepted(header: str) -> str:
    """The best of our languages by a header ``Accept-Language`` (RFC 9110, section 12.5.4)."""
    ranked = []
    for at, part in enumerate(header[:500].split(",")):
        name, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        language = name.strip().lower().partition("-")[0]
        if language in LANGUAGES and weight > 0:
            ranked.append((-weight, at, language))
    return min(ranked)[2] if ranked else LANGUAGES[0]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
