"""Stores that can't be read: said to the log once a change, and to visitors in words that name no internals."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable

from ingestion.catalogue.search.index import IndexUnusableError
from ingestion.catalogue.search.release_index import ReleaseDamagedError
from ingestion.storage import StoreError
from portal.search.access import AccessFileError
from portal.search.journal import NotRecordedError

UNREADABLE = (StoreError, IndexUnusableError, ReleaseDamagedError)
"""What reading a release raises where the store is away, or what it gives is damaged."""
NOT_READ = "the catalogue can't be read now: come again later"
NOT_RECORDED = "questions can't be recorded now, and none is answered unrecorded: come again later"
NO_ACCESS = "granted access can't be looked up now: come again later"
NONE_RELEASED = "there is no release yet"
NOT_RENEWED = "X-Not-Renewed-Since"
"""Header of answers that are made of what was read before the store went away."""

log = logging.getLogger("cie.portal")


class Outage:
    """Since when what can't be read. Each change of state is logged once. Safe to use from several threads."""

    def __init__(self, *, now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> None:
        self._now, self._lock = now, threading.Lock()
        self._away: dict[str, tuple[dt.datetime, str]] = {}

    def failed(self, what: str, error: Exception) -> None:
        """``what`` could not be read. For the log ``error`` is said in full: operators need it."""
        with self._lock:
            since, kind = self._away.get(what, (self._now(), ""))
            self._away[what] = (since, type(error).__name__)
        if kind != type(error).__name__:
            log.error("%s can't be read since %s: %s: %s", what, since.isoformat(timespec="seconds"),
                      type(error).__name__, error)  # fmt: skip

    def read(self, what: str) -> None:
        """``what`` was read."""
        with self._lock:
            before = self._away.pop(what, None)
        if before is not None:
            log.warning("%s is read again; it was not since %s", what, before[0].isoformat(timespec="seconds"))

    def unanswered(self, error: Exception) -> None:
        """A question was not answered for something that no state is kept of; what is known to be away was logged."""
        if self.since is None:
            log.error("not answered: %s: %s", type(error).__name__, error)

    @property
    def since(self) -> dt.datetime | None:
        """Of all that can't be read the longest; None where everything is."""
        with self._lock:
            return min((since for since, _ in self._away.values()), default=None)


def said_to_visitors(error: Exception) -> str:
    """Why there is no answer, without keys, file names, classes and commands: these are in the log."""
    if isinstance(error, UNREADABLE):
        return NOT_READ
    if isinstance(error, NotRecordedError):
        return NOT_RECORDED
    return NO_ACCESS if isinstance(error, AccessFileError) else str(error)
