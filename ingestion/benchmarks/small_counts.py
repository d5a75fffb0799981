"""Attacks on public counts, replayed against ours, against rounding alone, and against Samply Focus's defaults.

Focus obfuscates by samply/laplace-rs: 0 stays, 1 to 9 become 10, others get Laplace noise of scale 1 / 0.28 and are
rounded to 10. It keeps what it drew for a count, so that equal counts give equal answers until it starts anew; both
ways are replayed. (On its EUCAIM paths it obfuscates nothing: those are the exact counts.)

Two worlds of 600 people differ in one: the target was examined on a rare scanner, or was not. An attacker asks and has
to say which world it is. ``advantage``: how much better than by tossing a coin, 0 to 1, over worlds and secrets drawn
anew (Yeom et al., Privacy Risk in Machine Learning, CSF 2018).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.fields import FieldKind, SearchField, SearchSchema
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.protection import Protection
from ingestion.catalogue.search.public import PublicSearch
from ingestion.catalogue.search.query import AllOf, parse_query

SCHEMA = SearchSchema(
    fields=(
        SearchField("source_id", FieldKind.TERM, "Source"),
        SearchField("Modality", FieldKind.TERM, "Modality"),
        SearchField("Model", FieldKind.TERM, "Model"),
        SearchField("Maker", FieldKind.TERM, "Maker"),
        SearchField("PatientSex", FieldKind.TERM, "Sex"),
        SearchField("AgeAtStudy", FieldKind.NUMBER, "Age", unit="year", edges=tuple(range(0, 95, 5))),
    ),
    person=("Person",),
)
PEOPLE = 600
TARGET = "p42"
RARE = "Rare scanner"
MODELS = ("Model 0", "Model 1")
MAKER = "Maker of the rare scanner"
"""Its other models are ``MODELS``: so to ask for the maker is to ask for these, but for those on the rare scanner."""
CELL: dict[str, Any] = {
    "all": [
        {"field": "Model", "in": [RARE]},
        {"field": "source_id", "in": ["A"]},
        {"field": "Modality", "in": ["CT"]},
        {"field": "PatientSex", "in": ["F"]},
    ]
}
"""Whom it holds: the target, in one world; nobody, in the other."""
EPSILON = 0.28
STEP = 10
PAIRS = (1, 10, 100)
PANELS = 40
RESTARTS = 200
"""How often an attacker asks again: over days, or of a service that starts anew."""


class Answers(Protocol):
    """What an attacker sees: the number of people, None where it is hidden."""

    def __call__(self, said: dict[str, Any]) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack against one defence. ``advantage``: see above; ``error``: of the guessed count, where one is made."""

    attack: str
    defence: str
    advantage: float | None
    error: float | None
    note: str


def make_world(folder: Path, *, rare: bool, seed: int) -> SearchIndex:
    """600 people of one series each; ``rare``: the target was examined on a scanner that three others were."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "source_id": rng.choice(["A", "B", "C"], PEOPLE),
            "Person": [f"p{number}" for number in range(PEOPLE)],
            "StudyInstanceUID": [f"1.2.{number}" for number in range(PEOPLE)],
            "SeriesInstanceUID": [f"1.2.{number}.1" for number in range(PEOPLE)],
            "Modality": rng.choice(["CT", "MR", "PT"], PEOPLE),
            "Model": rng.choice([f"Model {number}" for number in range(6)], PEOPLE),
            "PatientSex": rng.choice(["F", "M"], PEOPLE),
            "AgeAtStudy": rng.integers(30, 90, PEOPLE).astype(float),
        }
    )
    target = frame["Person"] == TARGET
    for name, value in {"source_id": "A", "Modality": "CT", "PatientSex": "F"}.items():
        frame.loc[target, name] = value
    frame.loc[target, "AgeAtStudy"] = 67.0
    if rare:
        frame.loc[target, "Model"] = RARE
    # three others, so that the value is known in both worlds
    others = frame["Person"].isin(["p1", "p2", "p3"])
    frame.loc[others, "Model"], frame.loc[others, "source_id"] = RARE, "B"
    frame["Maker"] = np.where(frame["Model"].isin([*MODELS, RARE]), MAKER, "Another maker")
    frame.to_parquet(folder / "series.parquet")
    return build_index([folder / "series.parquet"], folder / "index", schema=SCHEMA, release="2026.11.0")


class Defences:
    """The ways to answer from one world."""

    def __init__(self, index: SearchIndex, *, seed: int) -> None:
        self._engine = SearchEngine(index)
        self._rng = np.random.default_rng(seed)
        self._kept: dict[int, int] = {}
        secret = self._rng.bytes(32)
        self._search = PublicSearch(self._engine, Protection(secret=secret))
        self._exact: dict[AllOf, int] = {}

    def exact(self, said: dict[str, Any]) -> int:
        query = parse_query(said, SCHEMA)
        if query not in self._exact:
            self._exact[query] = self._engine.answer(query, facets=()).total.people
        return self._exact[query]

    def rounded(self, said: dict[str, Any]) -> int | None:
        number = self.exact(said)
        return None if number < STEP else STEP * round(number / STEP)

    def focus(self, said: dict[str, Any]) -> int | None:
        """Fresh noise: without its cache, or after a restart each."""
        return self._focus(self.exact(said))

    def focus_cached(self, said: dict[str, Any]) -> int | None:
        number = self.exact(said)
        if number not in self._kept:
            self._kept[number] = self._focus(number)
        return self._kept[number]

    def ours(self, said: dict[str, Any]) -> int | None:
        return self._search.answer(parse_query(said, SCHEMA), facets=()).total.people

    def _focus(self, number: int) -> int:
        if number == 0:
            return 0
        if number < 10:
            return 10
        noisy = number + self._rng.laplace(scale=1 / EPSILON)
        return max(STEP * round(noisy / STEP), 0)

    def value(self, ways: str, said: dict[str, Any], field: str, value: str) -> int:
        """The people of one value in the panel beside a question."""
        if ways != "ours":
            ask: Answers = getattr(self, ways)
            return ask({"all": [said, {"field": field, "in": [value]}]}) or 0
        (facet,) = self._search.answer(parse_query(said, SCHEMA), facets=(field,)).facets
        return next((one.counts.people or 0 for one in facet.values if one.value == value), 0)

    def panel(self, ways: str) -> tuple[int | None, list[int | None]]:
        """The total and the numbers of all models but the rare one, as ``ways`` shows them."""
        ask: Answers = getattr(self, ways)
        return ask({"all": []}), [ask({"field": "Model", "in": [f"Model {number}"]}) for number in range(6)]


DEFENCES = ("exact", "rounded", "focus", "focus_cached", "ours")


def bases() -> list[dict[str, Any]]:
    """Ninety groups that the target is not in."""
    return [
        {"all": [{"field": "Modality", "in": ["MR", "PT"]}, {"field": "AgeAtStudy", "from": low, "to": low + width}]}
        for low in range(30, 75, 5)
        for width in range(9, 59, 5)
    ]


def moved(ask: Answers) -> float:
    """Differencing: the mean change of a group's number when the cell is added to it; 1 in truth, or 0."""
    changes = [(ask({"any": [base, CELL]}) or 0) - (ask(base) or 0) for base in bases()]
    return float(np.mean(changes))


def taken_out(ask: Answers) -> float:
    """The complement of the cell, taken from some groups that hold it."""
    groups: list[dict[str, Any]] = [{"field": "source_id", "in": ["A"]}, {"field": "Modality", "in": ["CT"]}]
    groups += [{"field": "PatientSex", "in": ["F"]}, {"all": []}]
    return float(np.mean([(ask(group) or 0) - (ask({"all": [group, {"not": CELL}]}) or 0) for group in groups]))


def looked_at(ask: Answers) -> float:
    """The cell itself: shown as one person, or as nobody?"""
    return float(ask(CELL) or 0)


def by_two_fields(pairs: int) -> Callable[[Answers], float]:
    """Two fields that say nearly the same, under further criteria that the target meets: the mean difference.

    No criterion moves few people, so nothing is left out: the two questions differ in the target alone.
    """
    ages = [{"field": "AgeAtStudy", "from": low, "to": high} for low in range(30, 70, 5) for high in range(69, 94, 5)]
    modalities = [{"field": "Modality", "in": names} for names in (["CT"], ["CT", "MR"], ["CT", "PT"])]
    groups = [
        [{"field": "source_id", "in": ["A"]}, *parts]
        for age in [[], *([one] for one in ages)]
        for modality in [[], *([one] for one in modalities)]
        for parts in (age + modality, [*age, *modality, {"field": "PatientSex", "in": ["F"]}])
    ]
    order = np.random.default_rng(0).permutation(len(groups))[:pairs]

    def difference(ask: Answers) -> float:
        maker, models = {"field": "Maker", "in": [MAKER]}, {"field": "Model", "in": list(MODELS)}
        return float(
            np.mean([(ask({"all": [*groups[at], maker]}) or 0) - (ask({"all": [*groups[at], models]}) or 0)
                     for at in order])
        )  # fmt: skip

    return difference


def variants(group: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Ways to write one question, by parts that change nothing."""
    ways: list[dict[str, Any]] = []
    for at in range(number):
        idle = {"field": "Model", "in": [f"Model that is not there {at}"]}
        age = {"field": "AgeAtStudy", "from": at % 30}
        ways += [{"any": [group, idle]}, {"all": [group, age]}, {"all": [group, {"not": {"all": [idle, age]}}]}]
    return ways


def beside(group: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """The group, or another one that has nobody of source A: so that A's value in a panel is the group's of A."""
    ages = [(low, high) for low in range(30, 70, 5) for high in range(low + 19, 94, 5)]
    idle = [
        {"all": [{"field": "source_id", "in": names}, {"field": "AgeAtStudy", "from": low, "to": high}]}
        for low, high in ages
        for names in (["B"], ["C"], ["B", "C"])
    ]
    return [{"any": [group, one]} for one in idle[:number]]


_TELLING: tuple[tuple[str, Callable[[Answers], float]], ...] = (
    ("90 groups, each with and without the cell", moved),
    ("4 groups less the cell, by a negation", taken_out),
    ("the cell itself: one person or nobody", looked_at),
    *((f"two fields that say nearly the same: {2 * pairs} questions", by_two_fields(pairs)) for pairs in PAIRS),
)


def run(*, rounds: int) -> list[Attack]:
    """Replay all attacks on ``rounds`` pairs of worlds, each with secrets and noise of its own."""
    seen: dict[tuple[str, str], tuple[list[float], list[float]]] = {
        (name, defence): ([], []) for name, _ in _TELLING for defence in DEFENCES
    }
    averaged: dict[str, list[float]] = {name: [] for name in DEFENCES}
    complement: dict[str, list[float]] = {name: [] for name in DEFENCES}
    panels: dict[str, list[float]] = {name: [] for name in DEFENCES}
    group: dict[str, Any] = {"field": "Modality", "in": ["CT"]}
    with tempfile.TemporaryDirectory(prefix="cie-counts-") as scratch:
        for number in range(rounds):
            for rare in (False, True):
                folder = Path(scratch) / f"{number}-{rare}"
                folder.mkdir()
                answers = Defences(make_world(folder, rare=rare, seed=number), seed=1_000 + 2 * number + rare)
                for name, telling in _TELLING:
                    for defence in DEFENCES:
                        seen[name, defence][rare].append(telling(getattr(answers, defence)))
                for defence in DEFENCES:
                    ask: Answers = getattr(answers, defence)
                    many = [ask(said) or 0 for said in variants(group, RESTARTS // 3)]
                    averaged[defence].append(abs(float(np.mean(many)) - answers.exact(group)))
                    of_panels = [answers.value(defence, said, "source_id", "A") for said in beside(group, PANELS)]
                    exact = answers.exact({"all": [group, {"field": "source_id", "in": ["A"]}]})
                    panels[defence].append(abs(float(np.mean(of_panels)) - exact))
                    total, shown = answers.panel(defence)
                    guess = (total or 0) - sum(value or 0 for value in shown)
                    complement[defence].append(abs(guess - answers.exact({"field": "Model", "in": [RARE]})))
    found = [
        Attack(name, defence, _advantage(*seen[name, defence]), None, "which of two worlds")
        for name, _ in _TELLING
        for defence in DEFENCES
    ]
    many_ways = f"{RESTARTS // 3 * 3} ways to write one question, averaged"
    found += [Attack(many_ways, one, None, float(np.mean(averaged[one])), "people off") for one in DEFENCES]
    many_panels = f"a value in {PANELS} panels beside groups that have none of it, averaged"
    found += [Attack(many_panels, one, None, float(np.mean(panels[one])), "people off") for one in DEFENCES]
    hidden = "total less all values shown, for a hidden value of 3 or 4"
    found += [Attack(hidden, one, None, float(np.mean(complement[one])), "people off") for one in DEFENCES]
    return found


def as_markdown(found: Sequence[Attack], *, rounds: int) -> str:
    """The page."""
    lines = [
        "# Attacks on public counts, replayed",
        "",
        "Made by `cie bench counts`; every number on this page is measured by it, with fixed seeds.",
        "",
        f"{rounds} pairs of worlds of {PEOPLE} people, which differ in one person, each with a secret and noise of its "
        "own. *Advantage* is how much better than by a coin an attacker with the best threshold tells the worlds "
        "apart: 0 nothing, 1 always. It is fitted to the same answers, so that it is above 0 by chance for a defence "
        "that answers at random. *People off* is the mean error of the count that the attacker arrives at: the larger "
        "the better.",
        "",
        "Defences: exact counts (what Samply Focus gives on its EUCAIM paths); exact counts rounded to 10 and hidden "
        "under 10; Samply Focus's published defaults (1 to 9 become 10, Laplace noise of epsilon 0.28, rounded to 10) "
        "with fresh noise, and with its cache of one draw for each count; and ours with the default policy.",
        "",
        "| attack | measure | exact | rounded | Focus, fresh | Focus, cached | ours |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for name in dict.fromkeys(one.attack for one in found):
        rows = {one.defence: one for one in found if one.attack == name}
        measure = "advantage" if rows["ours"].advantage is not None else rows["ours"].note
        cells = [_cell(rows[defence]) for defence in DEFENCES]
        lines.append(f"| {name} | {measure} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "What remains is in [decision 0007](decisions/0007-small-counts.md).", ""])


def _cell(one: Attack) -> str:
    return f"{one.advantage:.2f}" if one.advantage is not None else f"{one.error:.1f}"


def _advantage(ordinary: Sequence[float], rare: Sequence[float]) -> float:
    """The largest gain over a coin of any threshold, in either direction: the Kolmogorov-Smirnov distance."""
    edges = np.unique([*ordinary, *rare])
    one = np.searchsorted(np.sort(ordinary), edges, side="right") / len(ordinary)
    other = np.searchsorted(np.sort(rare), edges, side="right") / len(rare)
    return float(np.abs(one - other).max())
