"""How much one client may ask: a rate against overload, and a budget of different questions a day.

The budget bounds what combining answers can tell of single people; what was asked is recorded by digest, so that an
operator can see a client that walks through the catalogue. Clients are told apart by a keyed hash of their address,
which changes with the day.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from portal.search.journal import Journal

RATE_PER_SECOND = 20.0
BURST = 60
"""A page asks a few questions at once."""
DAILY_BUDGET = 500
"""Different questions a day: many times what a person asks, far below what averaging over variants needs."""
KEPT_CLIENTS = 20_000

audit = logging.getLogger("cie.portal.audit")


class TooManyError(RuntimeError):
    """The client asked too much; ``retry_after`` in seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(slots=True)
class _Client:
    tokens: float
    seen: float
    questions: set[str] = field(default_factory=set)


class Limits:
    """Counts what each client asks. Safe to use from several threads."""

    def __init__(
        self, *, secret: bytes, now: Callable[[], dt.datetime], rate: float = RATE_PER_SECOND, burst: int = BURST,
        budget: int = DAILY_BUDGET, journal: Journal | None = None,
    ) -> None:  # fmt: skip
        """``journal``: where questions are recorded; with it the budget outlives a restart."""
        self._secret, self._now, self._rate, self._burst, self._budget = secret, now, rate, burst, budget
        self._journal = journal
        self._lock = threading.Lock()
        self._day: dt.date | None = None
        self._clients: OrderedDict[str, _Client] = OrderedDict()

    def allow(self, address: str, question: str) -> None:
        """Raises ``TooManyError`` where this question is too much. Asking the same again costs no budget."""
        now = self._now()
        with self._lock:
            if now.date() != self._day:
                self._begin(now)
            name = self._name(address)
            client = self._clients.setdefault(name, _Client(self._burst, now.timestamp()))
            self._clients.move_to_end(name)
            client.tokens = min(self._burst, client.tokens + (now.timestamp() - client.seen) * self._rate)
            client.seen = now.timestamp()
            if client.tokens < 1:
                raise TooManyError("too many requests at once: wait a moment", 1)
            client.tokens -= 1
            if question not in client.questions:
                if len(client.questions) >= self._budget:
                    midnight = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), tzinfo=now.tzinfo)
                    raise TooManyError(
                        f"the budget of {self._budget} different questions a day is used up: ask again tomorrow, or "
                        "apply for access to the records",
                        int((midnight - now).total_seconds()) + 1,
                    )
                asked = len(client.questions) + 1
                line = {"at": now.isoformat(), "client": name, "question": question, "asked": asked}
                if self._journal is not None:
                    self._journal.add(now.date(), dict(line))
                audit.info(json.dumps(line))
                client.questions.add(question)
            while len(self._clients) > KEPT_CLIENTS:
                self._clients.popitem(last=False)

    def accessed(self, address: str, question: str, *, grant: str, **more: object) -> None:
        """Record that records were given out, each time: to whom by the grant's name, and by which question.

        Args:
            question: as ``allow`` was asked, so that the budget after a restart is the same.
            more: what else is recorded, such as the release and the number of rows.

        Raises:
            NotRecordedError: it can't be recorded; then nothing may be given out.
        """
        now = self._now()
        with self._lock:
            if now.date() != self._day:
                self._begin(now)
            line = {"at": now.isoformat(), "client": self._name(address), "question": question, "grant": grant, **more}
            if self._journal is not None:
                self._journal.add(now.date(), dict(line))
        audit.info(json.dumps(line))

    def _begin(self, now: dt.datetime) -> None:
        """A new day, or a start within one: what was asked today is taken from the journal."""
        self._day = now.date()
        self._clients.clear()
        for name, question in self._journal.of(now.date()) if self._journal is not None else ():
            known = self._clients.setdefault(name, _Client(self._burst, now.timestamp()))
            known.questions.add(question)

    def _name(self, address: str) -> str:
        said = f"{self._day}|{address}".encode()
        return hashlib.blake2b(said, key=self._secret[:64], digest_size=8).hexdigest()
