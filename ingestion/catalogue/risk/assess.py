"""k-anonymity (Sweeney 2002, doi:10.1142/S0218488502001648) and l-diversity (Machanavajjhala and others 2007,
doi:10.1145/1217299.1217302, its distinct form) over patients, and what to generalise for a wanted k.

The risk figures are those of the prosecutor, who knows that a certain person is in the data: at worst 1/k, on the
average over patients the number of classes by the number of patients. A journalist, who does not know that, has at
most this risk; how much less depends on the population, which the catalogue does not know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingestion.catalogue.risk.people import DEFAULT_QUASI, LEVELS, Person, Quasi, told

DEFAULT_K = 5
"""As for published counts (``catalogue.suppression``): the usual threshold of European health statistics."""
CELLS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one way to tell the quasi-identifiers. ``diversity`` is the l; it and ``k`` are 0 where nobody is."""

    patients: int
    classes: int
    k: int
    diversity: int
    unique: int
    below: int

    @property
    def share_below(self) -> float:
        """Share of the patients in classes smaller than the wanted k."""
        return self.below / self.patients if self.patients else 0.0

    @property
    def highest_risk(self) -> float:
        return 1 / self.k if self.k else 0.0

    @property
    def average_risk(self) -> float:
        return self.classes / self.patients if self.patients else 0.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One class: what is told of its patients, in the order of the quasi-identifiers, and how many they are."""

    told: tuple[str | None, ...]
    patients: int
    diversity: int


@dataclass(frozen=True, slots=True)
class Step:
    """One generalisation: ``quasi`` told as ``level`` says, and the figures after it and all before it."""

    quasi: Quasi
    level: str
    measured: Measured


@dataclass(frozen=True, slots=True)
class RiskReport:
    """``reached``: whether the last step has nobody below ``wanted_k``."""

    sites: tuple[str, ...]
    wanted_k: int
    quasi: tuple[Quasi, ...]
    measured: Measured
    smallest: tuple[Cell, ...]
    steps: tuple[Step, ...]

    @property
    def reached(self) -> bool:
        return (self.steps[-1].measured if self.steps else self.measured).below == 0


def assess(
    people: Sequence[Person], *, wanted_k: int = DEFAULT_K, quasi: Sequence[Quasi] = DEFAULT_QUASI
) -> RiskReport:
    """The risk as things are, and a greedy way to ``wanted_k``.

    Each step generalises by one level what then leaves the fewest patients below ``wanted_k``; of equals, what leaves
    the most classes, so the most information. A greedy way is not always the shortest; its figures are measured.
    """
    sites = tuple(sorted({person.site for person in people}))
    chosen = tuple(one for one in quasi if one is not Quasi.SITE or len(sites) > 1)
    levels = dict.fromkeys(chosen, 0)
    classes = classes_of(people, levels)
    measured = measure(classes, wanted_k=wanted_k)
    cells = sorted(
        (Cell(key, len(members), len({person.sensitive for person in members})) for key, members in classes.items()),
        key=lambda cell: (cell.patients, tuple(part or "" for part in cell.told)),
    )
    return RiskReport(
        sites=sites,
        wanted_k=wanted_k,
        quasi=chosen,
        measured=measured,
        smallest=tuple(cells[:CELLS_SHOWN]),
        steps=tuple(_steps(people, levels, measured, wanted_k)),
    )


def classes_of(people: Iterable[Person], levels: Mapping[Quasi, int]) -> dict[tuple[str | None, ...], list[Person]]:
    """The equivalence classes: patients of whom the same is told."""
    found: dict[tuple[str | None, ...], list[Person]] = defaultdict(list)
    for person in people:
        found[tuple(told(person, quasi, level) for quasi, level in levels.items())].append(person)
    return dict(found)


def measure(classes: Mapping[tuple[str | None, ...], Sequence[Person]], *, wanted_k: int) -> Measured:
    sizes = [len(members) for members in classes.values()]
    return Measured(
        patients=sum(sizes),
        classes=len(sizes),
        k=min(sizes, default=0),
        diversity=min((len({person.sensitive for person in members}) for members in classes.values()), default=0),
        unique=sizes.count(1),
        below=sum(size for size in sizes if size < wanted_k),
    )


def _steps(people: Sequence[Person], levels: dict[Quasi, int], now: Measured, wanted_k: int) -> Iterable[Step]:
    while now.below:
        tried = []
        for quasi, level in levels.items():
            if level + 1 < len(LEVELS[quasi]):
                raised = levels | {quasi: level + 1}
                tried.append((measure(classes_of(people, raised), wanted_k=wanted_k), quasi, raised))
        if not tried:
            return
        now, quasi, levels = min(tried, key=lambda one: (one[0].below, -one[0].classes, one[1]))
        yield Step(quasi, LEVELS[quasi][levels[quasi]], now)
