"""Progress of a long check: a bar on a terminal, a plain line now and then elsewhere (a log, a pipe, a batch job)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

SECONDS_BETWEEN = 10.0
"""Between plain lines, unless another tenth is done: often enough to see that it lives, seldom enough for a log."""

Advance = Callable[[int, int], None]
"""Called with how many are done, and of how many."""


@contextmanager
def shown(console: Console, what: str, *, first: str) -> Iterator[Advance]:
    """Show how far it is on ``console``; ``first`` until the number is known, then ``what`` is counted."""
    if not console.is_terminal:
        console.print(first, highlight=False)
        yield Lines(lambda line: console.print(line, highlight=False, soft_wrap=True), what)
        return
    with Progress(console=console, transient=True) as bar:
        line = bar.add_task(first, total=None)
        yield lambda done, total: bar.update(line, description=what, completed=done, total=total)


class Lines:
    """A line at the start, at each tenth, at the end, and after ``SECONDS_BETWEEN`` without one."""

    def __init__(self, write: Callable[[str], None], what: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._what, self._clock = write, what, clock
        self._tenth = -1
        self._last = clock()

    def __call__(self, done: int, total: int) -> None:
        tenth = done * 10 // total if total else 10
        now = self._clock()
        if tenth > self._tenth or now - self._last >= SECONDS_BETWEEN:
            self._tenth, self._last = max(tenth, self._tenth), now
            share = f" ({100 * done // total} %)" if total else ""
            self._write(f"{self._what}: {done:,} of {total:,}{share}")
