"""The record of what was asked: a line for each new question of a client, kept as long as the operator keeps files.

Clients are in it by a keyed hash that changes with the day, questions by their digest. It outlives a restart, and with
it the budget does. One process writes one journal.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path


class NotRecordedError(RuntimeError):
    """The journal can't be written: what can't be recorded is not answered."""


class Journal:
    """Lines of JSON, one file a day: ``<name>-YYYY-MM-DD.jsonl``. Safe to use from several threads."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._lock = threading.Lock()

    def add(self, day: dt.date, line: dict[str, object]) -> None:
        """Raises ``NotRecordedError``."""
        try:
            self._write(day, json.dumps(line, sort_keys=True) + "\n")
        except OSError as error:
            raise NotRecordedError(f"the journal can't be written ({error.strerror}): nothing is answered") from None

    def _write(self, day: dt.date, said: str) -> None:
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._file(day), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(handle, said.encode())
            finally:
                os.close(handle)

    def of(self, day: dt.date) -> Iterator[tuple[str, str]]:
        """Client and question of each line of a day; a line cut short by a crash is the last and left out."""
        try:
            lines = self._file(day).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise NotRecordedError(f"the journal can't be read ({error.strerror}): nothing is answered") from None
        for line in lines:
            try:
                said = json.loads(line)
                yield str(said["client"]), str(said["question"])
            except (ValueError, KeyError, TypeError):
                continue  # cut short: its answer was never given

    def _file(self, day: dt.date) -> Path:
        return self._folder / f"{self._name}-{day.isoformat()}.jsonl"
