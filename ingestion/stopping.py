"""A run that is told to end: SIGTERM and SIGHUP become an exception in the main thread, as Ctrl-C is one already, so
that what must be said is said and what must be tidied up is tidied up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)
"""A job that is cancelled, a terminal that is closed."""


class StoppedError(BaseException):
    """The process was told to end; not an error that anything may handle. ``signal_number``: how."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


def exit_code(stopped: BaseException) -> int:
    """As shells have it: 128 and the number of the signal (130 for Ctrl-C, 143 for SIGTERM)."""
    return 128 + (stopped.signal_number if isinstance(stopped, StoppedError) else signal.SIGINT)


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP raise; afterwards all is as before. In a thread other than the main one it does
    nothing: Python gives signals to the main thread.

    Raises:
        StoppedError: one of them came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What is ignored stays so: under nohup a closed terminal is to stop nothing.
    before = {number: signal.signal(number, _stop) for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    for ending in _ENDING:
        signal.signal(ending, signal.SIG_IGN)  # a second one must not break off the tidying up
    raise StoppedError(number)
