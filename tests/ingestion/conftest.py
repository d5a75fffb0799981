"""What tests of several parts of ``ingestion`` share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

from ingestion.commands import deidentify
from ingestion.fanout import Done, Fanout, Result, Task


class Here(Fanout):
    """Series are worked on in this process: starting workers takes longer than the work."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        return map(function, tasks)

    def run(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Done[Task, Result]]:
        return (Done(task, function(task)) for task in tasks)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """``cie deidentify`` without worker processes."""
    monkeypatch.setattr(deidentify, "Fanout", Here)
