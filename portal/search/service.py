"""Answers of the newest release, kept until there is a newer one."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.protection import CountPolicy, Protection
from ingestion.catalogue.search.public import PublicAnswer, PublicSearch
from ingestion.catalogue.search.query import EVERYTHING, AllOf, AnyOfValues, digest
from ingestion.catalogue.search.records import Records
from ingestion.storage import StoreError
from portal.search.outage import NONE_RELEASED, UNREADABLE, Outage
from portal.search.turns import Turns

SHARE_STEP = 0.05
"""Of shares that visitors see: 0.91 of a collection of 60 people would tell of each of them."""
KEPT_ANSWERS = 2_000
"""Of a panel some 20 kB each: the questions of a busy day."""
NEWEST = "the newest release"
"""How the log calls what is looked for."""
LOOK_AGAIN_SECONDS = 30.0
"""How often the store is asked for a newer release."""
_Key = tuple[str, str, str, bool]
"""Release, digest of the question, fields, whether cross-filtered."""
_FIRST_PAGE = (digest(EVERYTHING), "*", True)
"""What the first page, the list of collections and the status ask: one question a release, which never waits."""


class NothingReleasedError(LookupError):
    """There is no release to search."""


@dataclass(frozen=True)
class Current:
    """The release that is searched."""

    search: PublicSearch

    @property
    def index(self) -> SearchIndex:
        return self.search.engine.index

    @cached_property
    def records(self) -> Records:
        return Records(self.index)

    @cached_property
    def tag(self) -> str:
        """Digest of the release and of the rules that its numbers are shown by: equal tags, equal answers."""
        said = f"{self.index.release}|{self.index.schema}|{sorted(self.search.policies.items())}"
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def share_step(policy: CountPolicy, people: int) -> float:
    """The step of shares of a source: what as many people as counts are rounded to are of all, ``SHARE_STEP`` at least.

    Args:
        people: of the source, as they are shown.
    """
    return min(max(SHARE_STEP, policy.step / people), 1.0)


class SearchService:
    """Opens the newest release and answers from it. Safe to use from several threads."""

    def __init__(
        self, newest: Callable[[], str | None], opened: Callable[[str], SearchIndex], *, secret: bytes,
        clock: Callable[[], float] = time.monotonic,
        policies: Callable[[SearchIndex], Mapping[str, CountPolicy]] = lambda index: {}, turns: Turns | None = None,
    ) -> None:  # fmt: skip
        """``newest``: the newest version or None; ``opened``: the index of a version; ``policies``: of its sources.

        ``turns``: shared with other services of the same process, which count on the same cores.
        """
        self.turns = turns or Turns()
        self._newest, self._opened, self._secret, self._clock = newest, opened, secret, clock
        self._policies = policies
        self.outage = Outage()
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._current: Current | None = None
        self._looked = float("-inf")
        self._answers: OrderedDict[_Key, PublicAnswer] = OrderedDict()

    def current(self) -> Current:
        """The release that was opened last. ``outage`` says since when no newer one could be looked for.

        Raises ``NothingReleasedError`` where there is no release, and what opening the first one raises.
        """
        known = self._current
        if known is not None and self._clock() - self._looked < LOOK_AGAIN_SECONDS:
            return known
        # while one looks for a newer release, the others go on with the one that is open
        if not self._looking.acquire(blocking=known is None):
            assert known is not None
            return known
        try:
            if self._current is None or self._clock() - self._looked >= LOOK_AGAIN_SECONDS:
                self._current = self._look(self._current)
                self._looked = self._clock()
            return self._current
        finally:
            self._looking.release()

    def _look(self, known: Current | None) -> Current:
        """The newest release; where it can't be read the one that is open, if any."""
        try:
            version = self._newest()
            if version is None and known is None:
                raise NothingReleasedError(NONE_RELEASED)
            if version is None:  # releases are never taken out: this is not the store that was read before
                raise StoreError("the store lists no release, and listed some before")
            found = known if known is not None and known.index.release == version else self._open(version)
        except UNREADABLE as error:
            self.outage.failed(NEWEST, error)
            if known is None:
                raise
            return known
        self.outage.read(NEWEST)
        return found

    def answer(
        self, query: AllOf, *, facets: tuple[str, ...] | None = None, cross_filtered: bool = True
    ) -> PublicAnswer:
        """The public answer of the newest release.

        Raises:
            BusyError: as much is counted as may be at once. Kept answers, and everything there is, wait for no turn.

        Args:
            cross_filtered: values of a field are counted without the query's criteria on that field, as a panel has
                them to choose others; False: every number is of the selection itself.
        """
        current = self.current()
        wanted = "*" if facets is None else ",".join(sorted(facets))
        key = (current.index.release, digest(query), wanted, cross_filtered)
        kept = self._kept(key)
        if kept is not None:
            return kept
        if key[1:] == _FIRST_PAGE:
            return self._keep(key, current.search.answer(query, facets=facets, cross_filtered=cross_filtered))
        with self.turns.turn():
            # who asked the same may have been counted meanwhile
            kept = self._kept(key)
            if kept is not None:
                return kept
            return self._keep(key, current.search.answer(query, facets=facets, cross_filtered=cross_filtered))

    def _kept(self, key: _Key) -> PublicAnswer | None:
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def _keep(self, key: _Key, answer: PublicAnswer) -> PublicAnswer:
        with self._lock:
            self._answers[key] = answer
            while len(self._answers) > KEPT_ANSWERS:
                self._answers.popitem(last=False)
        return answer

    def size(self, source_id: str, size: int, *, held: int, policy: CountPolicy) -> int:
        """The size of a source's images as it may be shown, in bytes: up or down to a step, in proportion.

        The step is what as many people bring on average as counts of people are rounded to, and the draw hangs on the
        secret and the source's state, as those of the counts do.

        Args:
            held: bytes of the whole release.
        """
        index = self.current().index
        each = Protection(secret=self._secret).per_person(people=index.people, studies=held, series=held)
        step = policy.step * each.studies
        low = size // step
        return max((low + (self._drawn("size", source_id) < size / step - low)) * step, step)

    def share(self, source_id: str, what: str, share: float, *, step: float = SHARE_STEP) -> float:
        """A share of a source's people, studies or series as it may be shown: a step up or down, in proportion."""
        low = math.floor(share / step)
        up = self._drawn(f"share of {what}", source_id) < share / step - low
        return round(min((low + up) * step, 1.0), 2)

    def stated(self, source_id: str, names: tuple[str, ...], *, people: int, policy: CountPolicy) -> dict[str, float]:
        """The shares of a source's series that state these fields, drawn; of fields that are not counted none.

        Not worked out from the public counts: where all but a few people have one series without a value, the count of
        series without it is that of all series, and the share would be 0. All fields have one draw: several may be
        missing in the same series, and the mean of many draws is the share itself.

        Args:
            people: the source's people as they are shown. The step is what as many of them as counts are rounded to
                are of all, or ``SHARE_STEP``.
        """
        current = self.current()
        only = AllOf((AnyOfValues(current.index.schema.source, (source_id,)),))
        exact = current.search.engine.answer(only, facets=names)
        step = share_step(policy, people)
        found = {}
        for facet in exact.facets:
            missing = int(facet.counts.series[facet.terms.index("")]) if "" in facet.terms else 0
            found[facet.name] = self.share(source_id, "what is stated", 1 - missing / exact.total.series, step=step)
        return found

    def _drawn(self, what: str, source_id: str) -> float:
        """In [0, 1), by the secret and the source's state, as the draws of the counts are."""
        said = f"{what}|{source_id}:{self.current().index.states[source_id]}".encode()
        return int.from_bytes(hashlib.blake2b(said, key=self._secret[:64], digest_size=8).digest(), "little") / 2**64

    def _open(self, version: str) -> Current:
        engine = SearchEngine(self._opened(version))
        # the compiled loop loads beside the first answers, which are counted without it
        threading.Thread(target=engine.compile, name="search-kernel", daemon=True).start()
        protection = Protection(secret=self._secret)
        return Current(PublicSearch(engine, protection, self._policies(engine.index)))
