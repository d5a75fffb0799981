"""The client of the public API.

>>> client = Client("http://127.0.0.1:8010")
>>> client.search(Modality=["CT", "MR"], AgeAtStudy=(40, 69))["total"]["people"]
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import quote

import requests

PREFIX = "/api/v1"
TIMEOUT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 30
"""What is asked again later at most; a used-up budget, which lasts till midnight, is an error at once."""
TRIES = 3

Query: TypeAlias = Mapping[str, Any]
Criterion: TypeAlias = str | Iterable[str] | tuple[float | None, float | None]


class CatalogueError(RuntimeError):
    """The catalogue did not answer, or not as its description says."""


class QuestionError(CatalogueError, ValueError):
    """A question that can't be put to a catalogue: nothing was sent."""


class RefusedError(CatalogueError):
    """The catalogue refuses the question. ``problems``: each with its place; ``status``: of HTTP."""

    def __init__(self, status: int, problems: list[str]) -> None:
        self.status, self.problems = status, tuple(problems)
        super().__init__("; ".join(problems))


def criteria(*, text: str | None = None, **fields: Criterion) -> dict[str, Any]:
    """A query in JSON form: a string or strings are values, of which one must hold; a pair of numbers is a range.

    Raises:
        QuestionError: it is neither, or an end of the range is not a finite number.
    """
    children: list[dict[str, Any]] = []
    for name, said in fields.items():
        if isinstance(said, tuple) and len(said) == 2 and not any(isinstance(end, str) for end in said):
            children.append({"field": name, **_ends(name, said)})
            continue
        values = [said] if isinstance(said, str) else list(said) if isinstance(said, Iterable) else [None]
        if not all(isinstance(value, str) for value in values):
            raise QuestionError(
                f"{name}: give a value such as 'CT', a list of values, or a range as a pair of numbers such as "
                "(40, 69), None for an open end"
            )
        children.append({"field": name, "in": values})
    if text:
        children.append({"text": text})
    return {"all": children}


def _ends(name: str, said: tuple[Any, Any]) -> dict[str, float]:
    ends = {key: end for key, end in zip(("from", "to"), said, strict=True) if end is not None}
    for end in ends.values():
        if not isinstance(end, Real) or isinstance(end, bool) or not math.isfinite(end):
            raise QuestionError(f"{name}: the ends of a range are finite numbers or None, not {end!r}")
    if not ends:
        raise QuestionError(f"{name}: a range has one end at least")
    return {key: end if isinstance(end, int) else float(end) for key, end in ends.items()}


class Client:
    """Asks one catalogue. Answers are the API's JSON; its description is at ``/api/v1/openapi.json``."""

    def __init__(self, url: str, *, token: str | None = None, timeout: float = TIMEOUT_SECONDS) -> None:
        """``token``: of a granted application, for records; ``timeout``: seconds without an answer."""
        self._url = url.rstrip("/") + PREFIX
        self._timeout = timeout
        self._session = requests.Session()
        self._kept: dict[str, tuple[str, Any]] = {}
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def fields(self) -> list[dict[str, Any]]:
        """What can be searched, with the values of which a count may be shown."""
        found: list[dict[str, Any]] = self._get("/fields")
        return found

    def release(self) -> dict[str, Any]:
        """The release that is searched, and what may be shown of its size."""
        found: dict[str, Any] = self._get("/releases")[0]
        return found

    def search(
        self, query: Query | None = None, *, facets: list[str] | None = None, text: str | None = None,
        **fields: Criterion,
    ) -> dict[str, Any]:  # fmt: skip
        """Counts of people, studies and series, in all and for the values of ``facets`` (None: of every field).

        Raises:
            QuestionError: the query can't be sent.
            RefusedError: the query is not understood, or too much was asked.
            CatalogueError: there is no answer.
        """
        found: dict[str, Any] = self._post("/search", {"query": _asked(query, text, fields), "facets": facets}).json()
        return found

    def federated(
        self, query: Query | None = None, *, facets: list[str] | None = None, text: str | None = None,
        **fields: Criterion,
    ) -> dict[str, Any]:  # fmt: skip
        """Counts of all nodes that the platform asks; sites without an answer are in it with the reason.

        Values of ``facets`` are summed over the nodes; ``partial`` says of which something may be missing.
        """
        asked = {"query": _asked(query, text, fields), "facets": facets or []}
        found: dict[str, Any] = self._post("/federated", asked).json()
        return found

    def values(self, field: str) -> Iterator[dict[str, Any]]:
        """Every value of a field of which a count may be shown, in the order of their names."""
        after: str | None = None
        while True:
            page = self._get(f"/fields/{quote(field, safe='')}/values", **({} if after is None else {"after": after}))
            yield from page["values"]
            after = page["next"]
            if after is None:
                return

    def series(self, *, page: int = 1_000, **parameters: str | list[str]) -> Iterator[dict[str, Any]]:
        """Series rows, for granted users; ``parameters`` as in an address: ``Modality="CT"``.

        Raises:
            RefusedError: no grant; or a new release came between two pages (status 409).
        """
        at: dict[str, Any] = {}
        while True:
            found = self._get("/series", limit=page, **parameters, **at)
            yield from found["series"]
            if found["next"] is None:
                return
            at = {"after": found["next"], "release": found["release"]}

    def one(self, series_uid: str) -> dict[str, Any]:
        """One series row by its SeriesInstanceUID, for granted users."""
        found: dict[str, Any] = self._get(f"/series/{quote(series_uid, safe='')}")
        return found

    def export(self, target: Path, query: Query | None = None, *, format: str = "parquet") -> Path:
        """Write all series rows of a query as ``csv``, ``parquet``, ``ndjson`` or ``manifest``, for granted users.

        The file appears when it is whole.
        """
        draft = target.with_name(f".{target.name}.part")
        with (
            self._send("POST", f"/export?format={quote(format)}", json={"query": query}, stream=True) as response,
            draft.open("wb") as file,
        ):
            response.raw.decode_content = True
            shutil.copyfileobj(response.raw, file)
        draft.replace(target)
        return target

    def _get(self, path: str, **parameters: Any) -> Any:
        request = self._session.prepare_request(requests.Request("GET", self._url + path, params=parameters))
        known = self._kept.get(str(request.url))
        headers = {"If-None-Match": known[0]} if known else {}
        response = self._send("GET", path, params=parameters, headers=headers)
        if response.status_code == requests.codes.not_modified and known:
            return known[1]
        body = response.json()
        if "ETag" in response.headers:
            self._kept[str(request.url)] = (response.headers["ETag"], body)
        return body

    def _post(self, path: str, body: Any) -> requests.Response:
        return self._send("POST", path, json=body)

    def _send(self, method: str, path: str, **how: Any) -> requests.Response:
        for attempt in range(TRIES):
            try:
                response = self._session.request(method, self._url + path, timeout=self._timeout, **how)
            except requests.exceptions.InvalidJSONError:
                raise QuestionError("the query holds what JSON can't say, such as NaN or infinity") from None
            except requests.RequestException as error:
                raise CatalogueError(f"{self._url} does not answer ({type(error).__name__})") from None
            wait = _wait(response)
            if wait is None or attempt == TRIES - 1:
                break
            time.sleep(wait)
        if response.status_code >= 400:
            raise RefusedError(response.status_code, _problems(response))
        return response


def _asked(query: Query | None, text: str | None, fields: Mapping[str, Criterion]) -> Query | None:
    if query is not None and (fields or text):
        return {"all": [query, criteria(text=text, **fields)]}
    return criteria(text=text, **fields) if fields or text else query


_COME_AGAIN = (requests.codes.too_many_requests, requests.codes.service_unavailable)


def _wait(response: requests.Response) -> float | None:
    """Seconds after which a request that came too fast, or while much was being counted, is worth another try."""
    said = response.headers.get("Retry-After", "")
    if response.status_code not in _COME_AGAIN or not said.isdigit():
        return None
    return float(said) if int(said) <= LONGEST_WAIT_SECONDS else None


def _problems(response: requests.Response) -> list[str]:
    try:
        return [str(one) for one in response.json()["problems"]]
    except (ValueError, KeyError, TypeError):
        return [f"status {response.status_code}"]
