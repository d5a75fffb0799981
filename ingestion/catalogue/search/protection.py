"""What a visitor may see of a count: nothing of small groups, rounded numbers of others, the same at every repeat.

How a number is rounded depends on a secret, the settled question (``settle``) and the state of the sources that it is
about, and on nothing else: asking again, in other words, or of a later release in which these sources are as they were,
gives the same number, so repeats don't average out; two questions with the same people get numbers of their own, so
equal numbers don't tell that two groups are the same. Rounding goes up or down in
proportion to the remainder (as Statistics New Zealand's random rounding does), and the bound under which a count is
hidden is blurred, so one person more or less doesn't move a number at a place that could be searched for.
docs/decisions/0007-small-counts.md says what that withstands, measured.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.counting import Counts

HIDDEN_BELOW = 10
"""The least that a visitor learns a number of: what European federations of clinical data use."""
ROUNDED_TO = 10
EDGE = 0.25
"""Of a mean, at most: how far a step is moved from where anybody could work it out."""
BLUR = 0.5
"""Groups of up to 1.5 times the bound are hidden at times, so that the bound itself tells nothing."""


COARSER = 5
"""Times the step, and the bound, of studies and series that answer another question than the people: of the same people
there are many such, one for each word and value that only some of their series have, and each has a draw of its own."""


@dataclass(frozen=True, slots=True)
class CountPolicy:
    """How numbers of a source are shown. ``noise``: scale of a Laplace distribution, in people; 0: none."""

    hidden_below: int = HIDDEN_BELOW
    rounded_to: int = ROUNDED_TO
    noise: float = 0.0

    def __post_init__(self) -> None:
        if self.hidden_below < 1 or self.rounded_to < 1 or not 0 <= self.noise < math.inf:
            raise ValueError("a count policy has hidden_below and rounded_to of 1 or more, and noise of 0 or more")

    @property
    def step(self) -> int:
        """What numbers are rounded to: no finer than the bound, else a hidden one is the total less all others."""
        return self.rounded_to * math.ceil(self.hidden_below / self.rounded_to)

    @property
    def fewest_moved(self) -> int:
        """Criteria that move fewer people than this are not applied.

        The bound, but no more than numbers are rounded to anyway (and ten): a source with a high bound hides more
        groups, and does not answer another question than was asked.
        """
        return min(self.hidden_below, max(self.rounded_to, HIDDEN_BELOW))


def strictest(policies: Iterable[CountPolicy]) -> CountPolicy:
    """Of numbers that mix sources, the strictest of each."""
    known = list(policies)
    if not known:
        return CountPolicy()
    return CountPolicy(
        hidden_below=max(one.hidden_below for one in known),
        rounded_to=max(one.rounded_to for one in known),
        noise=max(one.noise for one in known),
    )


@dataclass(frozen=True, slots=True)
class PerPerson:
    """What one person brings to the counts of studies and series: these are rounded in steps that much wider.

    Else a count of series, rounded to 10, would show one person with a dozen of them that the count of people hides.
    """

    studies: int = 1
    series: int = 1
    """The means over a whole release, up to the next 1, 2 or 5 times a power of ten; of a question's own people they
    would tell of those."""


def _up(mean: float) -> int:
    power = 10 ** max(math.floor(math.log10(mean)), 0) if mean > 1 else 1
    return next(power * step for step in (1, 2, 5, 10) if power * step >= mean)


@dataclass(frozen=True, slots=True)
class PublicCounts:
    """What is shown of one set of people. ``hidden``: fewer than ``below``, perhaps nobody; numbers are None then.

    Studies and series may be None where people are a number: too few people have any of those asked for.
    """

    people: int | None
    studies: int | None
    series: int | None
    below: int | None = None

    @property
    def hidden(self) -> bool:
        return self.people is None


@dataclass(frozen=True, slots=True)
class Counted:
    """Exact counts. ``drawn_by``: digest of the settled question and of the state of the sources that it is about."""

    counts: Counts
    drawn_by: str


class Protection:
    """Turns exact counts into public ones."""

    def __init__(self, *, secret: bytes) -> None:
        """Raises ``ValueError`` for a secret of under 32 bytes."""
        if len(secret) < 32:
            raise ValueError("the secret of the public counts has at least 32 bytes")
        self._key = hashlib.blake2b(b"public counts", key=secret[:64], digest_size=32).digest()

    def bound(self, policy: CountPolicy, *, who: str) -> float:
        """How many people a part of a question must move to stay. ``who``: digest of those whom it moves.

        Not of the question: of those there are as many as an attacker likes, and the bound would be told by their mean.
        """
        return policy.fewest_moved * (1 + BLUR * self._uniform(who, "moved"))

    def states(self, people: NDArray[np.int32], among: NDArray[np.int32], names: Sequence[str]) -> NDArray[np.bool_]:
        """(sources, fields): which sources are taken to state a field, so that nobody shows by being the only one.

        Args:
            people: (sources, fields) how many people state it.
            among: (sources,) how many people there are. Of few, one is enough: all their counts are hidden.
            names: (sources,) of the sources, with their state.
        """
        blurred = np.asarray(
            [[self._uniform(f"{name}|{at}", "states") for at in range(people.shape[1])] for name in names]
        ).reshape(people.shape)
        needed = HIDDEN_BELOW * (1 + BLUR * blurred)
        return np.where((among >= 2 * HIDDEN_BELOW)[:, None], people >= needed, people >= 1)

    def per_person(self, *, people: int, studies: int, series: int) -> PerPerson:
        """The steps of a release, at edges that nobody knows: else one person more could move all steps."""
        factor = 1 + EDGE * self._uniform("", "per person")
        return PerPerson(studies=_up(factor * studies / max(people, 1)), series=_up(factor * series / max(people, 1)))

    def public(
        self, people: Counted | None, policy: CountPolicy, *, images: Counted | None, each: PerPerson = PerPerson()
    ) -> PublicCounts:
        """What may be shown of the people in ``people``, and of the studies and series in ``images``.

        They may answer another question: a criterion that all but a few people meet moves none of these, and yet most
        of their series. None: another question than the one asked, whose numbers are not shown.
        """
        if people is None or self._is_hidden(people, policy):
            return PublicCounts(None, None, None, below=math.ceil(policy.hidden_below * (1 + BLUR)))
        # A group that is shown is never smaller than the bound says, and its people have a study and a series each.
        shown = max(self._shown(people.drawn_by, people.counts.people, "people", policy), policy.step)
        same = images is not None and images.drawn_by == people.drawn_by
        by = policy if same else replace(policy, hidden_below=COARSER * policy.step, rounded_to=COARSER * policy.step)
        if images is None or self._is_hidden(images, by):
            return PublicCounts(shown, None, None)
        studies = self._shown(images.drawn_by, images.counts.studies, "studies", by, each.studies)
        series = self._shown(images.drawn_by, images.counts.series, "series", by, each.series)
        studies = max(studies, shown if same else by.step)
        return PublicCounts(shown, studies, max(series, studies))

    def _is_hidden(self, counted: Counted, policy: CountPolicy) -> bool:
        people = counted.counts.people
        if people < policy.hidden_below or people >= policy.hidden_below * (1 + BLUR):  # whatever is drawn
            return people < policy.hidden_below
        return people < policy.hidden_below * (1 + BLUR * self._uniform(counted.drawn_by, "bound"))

    def _shown(self, question: str, number: int, what: str, policy: CountPolicy, each: int = 1) -> int:
        """``each``: how many of what is counted one person brings."""
        value, step = float(number), policy.step * each
        if policy.noise:
            value += _laplace(self._uniform(question, f"{what} noise"), policy.noise * each)
        low = math.floor(value / step)
        up = self._uniform(question, what) < value / step - low
        return max((low + up) * step, 0)

    def _uniform(self, question: str, what: str) -> float:
        """In [0, 1), by the secret and the question, and by which of its numbers it is for."""
        said = f"{what}|{question}".encode()
        return int.from_bytes(hashlib.blake2b(said, key=self._key, digest_size=8).digest(), "little") / 2**64


def _laplace(uniform: float, scale: float) -> float:
    centred = min(max(uniform, 2**-60), 1 - 2**-53) - 0.5
    return -scale * math.copysign(math.log1p(-2 * abs(centred)), centred)
