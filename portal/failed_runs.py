"""How often the runs of each source failed, asked of the Dagster webserver (GraphQL)."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests

LOOKED_BACK_DAYS = 30
"""Dagster keeps failed runs longer; what failed before that is no status any more."""
MOST_RUNS = 1_000
"""Failed runs that are read at most: one for each of 36 sources a night would be as many in a month."""
LIMIT_SECONDS = 3.0
"""A page waits no longer for the webserver."""
KEPT_SECONDS = 30.0
"""As long as the pages keep what the store says; also the least time between two tries where nothing answers."""
PARTITION_TAG, WILL_RETRY_TAG = "dagster/partition", "dagster/will_retry"
_QUERY = """
query Failed($filter: RunsFilter!, $limit: Int) {
  runsOrError(filter: $filter, limit: $limit) {
    __typename
    ... on Runs { results { creationTime endTime tags { key value } } }
  }
}"""
log = logging.getLogger("cie.portal")


@dataclass(frozen=True, slots=True)
class Failed:
    """Failed runs of one source. ``last``: when the newest of them ended; ``more``: there may be older ones."""

    count: int
    last: dt.datetime
    more: bool = False


class FailedRuns:
    """Asks one webserver, at most once in half a minute. Safe to use from several threads."""

    def __init__(
        self, url: str, *, clock: Callable[[], float] = time.monotonic,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:  # fmt: skip
        self._url, self._clock, self._now = url.rstrip("/"), clock, now
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._found: Mapping[str, Failed] | None = None

    @staticmethod
    def at(url: str | None) -> FailedRuns | None:
        """None where no webserver is known."""
        return None if url is None else FailedRuns(url)

    def by_source(self) -> Mapping[str, Failed] | None:
        """The failed runs of the last 30 days by source id; None where the webserver can't be asked."""
        with self._lock:
            if self._clock() - self._looked >= KEPT_SECONDS:
                self._found = self._ask()
                self._looked = self._clock()
            return self._found

    def _ask(self) -> Mapping[str, Failed] | None:
        since = (self._now() - dt.timedelta(days=LOOKED_BACK_DAYS)).timestamp()
        wanted = {"statuses": ["FAILURE"], "createdAfter": since}
        try:
            reply = requests.post(
                f"{self._url}/graphql", timeout=LIMIT_SECONDS,
                json={"query": _QUERY, "variables": {"filter": wanted, "limit": MOST_RUNS}},
            )  # fmt: skip
            reply.raise_for_status()
            said = reply.json()
            if not isinstance(said, dict) or said.get("errors") or said["data"]["runsOrError"]["__typename"] != "Runs":
                raise ValueError("the runs are not listed")
            return _counted(said["data"]["runsOrError"]["results"])
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            log.warning("the failed runs can't be read from Dagster: %s", type(error).__name__)
            return None


def _counted(runs: list[dict[str, Any]]) -> dict[str, Failed]:
    """By source; a run that Dagster is going to try again has not failed yet."""
    ends: dict[str, list[float]] = {}
    for run in runs:
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        source_id = tags.get(PARTITION_TAG)
        if source_id is not None and tags.get(WILL_RETRY_TAG) != "true":
            ends.setdefault(source_id, []).append(run["endTime"] or run["creationTime"])
    more = len(runs) >= MOST_RUNS
    return {
        source_id: Failed(len(times), dt.datetime.fromtimestamp(max(times), dt.UTC), more)
        for source_id, times in ends.items()
    }
