"""Starting a backfill and watching it to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from assets.webserver import RunFacts, Webserver

POLL_SECONDS = 1.0
INGEST_ASSETS = ("raw_dicom", "deidentified_dicom", "quality_report", "series_features", "catalogue_tables")


class BackfillTimeoutError(RuntimeError):
    """The runs did not all end in time; they go on, only the waiting stopped."""


def wait_for_backfill(
    webserver: Webserver,
    backfill_id: str,
    *,
    partitions: Sequence[str],
    progress: Callable[[Mapping[str, RunFacts]], None],
    timeout_seconds: float,
) -> Mapping[str, RunFacts]:
    """Wait until every partition's newest run has ended; the runs by partition.

    Raises:
        BackfillTimeoutError, WebserverError.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        runs = webserver.runs_of_backfill(backfill_id)
        progress(runs)
        if all(key in runs and runs[key].end.is_final for key in partitions):
            return runs
        if time.monotonic() > deadline:
            ended = sum(1 for run in runs.values() if run.end.is_final)
            raise BackfillTimeoutError(
                f"{ended} of {len(partitions)} runs ended in {timeout_seconds:.0f} s; the others go on: "
                f"{webserver.url}/runs/b/{backfill_id}"
            )
        time.sleep(POLL_SECONDS)


def wait_for_run(webserver: Webserver, run_id: str, *, timeout_seconds: float) -> RunFacts:
    """Wait until a run has ended."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        run = webserver.run(run_id)
        if run.end.is_final:
            return run
        if time.monotonic() > deadline:
            raise BackfillTimeoutError(
                f"the run did not end in {timeout_seconds:.0f} s; it goes on: {webserver.url}/runs/{run_id}"
            )
        time.sleep(POLL_SECONDS)
