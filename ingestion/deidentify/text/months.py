"""The names of the months in the languages of the sources, and which one follows which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ingestion.deidentify.text.folding import fold

_TABLES = (
    "january february march april may june july august september october november december",
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "jan feb mrz apr mai jun jul aug sep okt nov dez",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "janv févr mars avr mai juin juil août sept oct nov déc",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "ene feb mar abr may jun jul ago sep oct nov dic",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "jan fev mar abr mai jun jul ago set out nov dez",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "januari februari mars april maj juni juli augusti september oktober november december",
)
"""One table a line, January first. A name in several tables is that of the first."""


ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
"""As months are written by hand from Hungary to Poland: 17.III.1952. No names: alone, or between blanks, they are
numerals of nerves, vertebrae and phases."""


@dataclass(frozen=True, slots=True)
class MonthName:
    """A month as it is written; ``table`` gives the other eleven in the same manner."""

    number: int
    table: tuple[str, ...]


@cache
def months() -> dict[str, MonthName]:
    """All names, folded."""
    found: dict[str, MonthName] = {}
    for line in _TABLES:
        table = tuple(line.split())
        for number, name in enumerate(table, start=1):
            found.setdefault(fold(name), MonthName(number, table))
    return found


@cache
def month_names(number: int) -> tuple[str, ...]:
    """Every folded name of one month, its Roman numeral too."""
    return (*sorted(name for name, month in months().items() if month.number == number), ROMAN[number - 1])
