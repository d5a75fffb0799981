"""Asks the Dagster webserver (GraphQL) to do what a click in the UI does, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import requests

TIMEOUT_SECONDS = 60
REPOSITORY = "__repository__"
LOCATION = "cie"
BACKFILL_TAG, PARTITION_TAG, WILL_RETRY_TAG = "dagster/backfill", "dagster/partition", "dagster/will_retry"

_BACKFILL = """
mutation Backfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on PartitionKeysNotFoundError { message }
    ... on UnauthorizedError { message }
  }
}"""
_RUN = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
_RUNS = """
query Runs($filter: RunsFilter!, $limit: Int) {
  runsOrError(filter: $filter, limit: $limit) {
    __typename
    ... on Runs { results { runId status creationTime startTime endTime tags { key value } } }
    ... on PythonError { message }
  }
}"""


class WebserverError(RuntimeError):
    """The Dagster webserver could not be asked, or refused."""


class RunEnd(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return self in (RunEnd.SUCCESS, RunEnd.FAILURE, RunEnd.CANCELED)


_ENDS = {"SUCCESS": RunEnd.SUCCESS, "FAILURE": RunEnd.FAILURE, "CANCELED": RunEnd.CANCELED, "STARTED": RunEnd.RUNNING}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run. ``seconds`` from its start to its end; None while it isn't both."""

    run_id: str
    partition: str | None
    end: RunEnd
    created: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Webserver:
    """The webserver at ``url``, for instance ``http://127.0.0.1:3000``."""

    url: str

    def backfill(self, *, assets: Sequence[str], partitions: Sequence[str], title: str) -> str:
        """Start a backfill of some assets for some sources; its id.

        Raises:
            WebserverError: it was refused.
        """
        params = {
            "assetSelection": [{"path": [name]} for name in assets],
            "partitionNames": list(partitions),
            "title": title,
        }
        answer = self._ask(_BACKFILL, {"params": params})["launchPartitionBackfill"]
        if answer["__typename"] != "LaunchBackfillSuccess":
            raise WebserverError(f"Dagster refused the backfill: {answer.get('message', answer['__typename'])}")
        return str(answer["backfillId"])

    def launch(self, job: str) -> str:
        """Start a run of an unpartitioned job; its id."""
        selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "jobName": job}
        answer = self._ask(_RUN, {"params": {"selector": selector, "mode": "default"}})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise WebserverError(f"Dagster refused the run: {answer.get('message', answer['__typename'])}")
        return str(answer["run"]["runId"])

    def runs_of_backfill(self, backfill_id: str) -> dict[str, RunFacts]:
        """The newest run of each partition; one that is going to be tried again counts as waiting."""
        found = self._runs({"tags": [{"key": BACKFILL_TAG, "value": backfill_id}]})
        return {run.partition: run for run in sorted(found, key=lambda run: run.created) if run.partition}

    def run(self, run_id: str) -> RunFacts:
        found = self._runs({"runIds": [run_id]})
        if not found:
            raise WebserverError(f"Dagster knows no run {run_id}")
        return found[0]

    def _runs(self, wanted: dict[str, Any]) -> list[RunFacts]:
        answer = self._ask(_RUNS, {"filter": wanted, "limit": 10_000})["runsOrError"]
        if answer["__typename"] != "Runs":
            raise WebserverError(f"Dagster did not list the runs: {answer.get('message', answer['__typename'])}")
        return [_facts(row) for row in answer["results"]]

    def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        try:
            reply = requests.post(
                f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=TIMEOUT_SECONDS
            )
            reply.raise_for_status()
            body = reply.json()
        except (requests.RequestException, ValueError) as error:
            raise WebserverError(
                f"the Dagster webserver at {self.url} does not answer ({type(error).__name__}); "
                "`cie status` shows what runs, `cie up` starts it"
            ) from None
        if body.get("errors"):
            raise WebserverError(f"Dagster did not understand: {body['errors'][0].get('message')}")
        data: dict[str, Any] = body["data"]
        return data


def _facts(row: dict[str, Any]) -> RunFacts:
    tags = {tag["key"]: tag["value"] for tag in row["tags"]}
    end = _ENDS.get(row["status"], RunEnd.WAITING)
    if end is RunEnd.FAILURE and tags.get(WILL_RETRY_TAG) == "true":
        end = RunEnd.WAITING
    started, ended = row["startTime"], row["endTime"]
    return RunFacts(
        run_id=row["runId"],
        partition=tags.get(PARTITION_TAG),
        end=end,
        created=row["creationTime"],
        seconds=ended - started if started and ended else None,
    )
