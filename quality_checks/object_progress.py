"""How many objects of a folder are through, also while one long series is worked on in another process.

A worker leaves a byte in a file for each object that it has stored; who waits for it looks at the sizes of these files
now and then. Series that are done are counted by their objects, whatever became of them.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ingestion.storage.folder import FolderStore

SECONDS_BETWEEN_LOOKS = 1.0
"""Often enough for a bar that moves, and nothing beside the work."""
_FOLDER = ".progress"


@dataclass(frozen=True, slots=True)
class CountingStore(FolderStore):
    """A folder that leaves a byte in ``tally`` for each DICOM object written to it."""

    tally: Path = field(kw_only=True)

    def create(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        made = FolderStore.create(self, key, body, content_type=content_type)
        if key.startswith("dicom/"):
            with self.tally.open("ab") as stream:
                stream.write(b".")
        return made


@contextmanager
def counting(store: FolderStore, series_uid: str) -> Iterator[CountingStore]:
    """``store``, counting what is written of one series while that is worked on."""
    folder = store.root / _FOLDER
    folder.mkdir(exist_ok=True)
    tally = folder / hashlib.sha256(series_uid.encode()).hexdigest()
    tally.unlink(missing_ok=True)  # of a worker that died: the series is worked on anew
    try:
        yield CountingStore(store.root, durable=store.durable, tally=tally)
    finally:
        tally.unlink(missing_ok=True)


class ObjectProgress:
    """Puts together what is done and what is on its way, and tells it onward; never less than before."""

    def __init__(self, tell: Callable[[int, int], None], root: Path) -> None:
        self._tell, self._folder = tell, root / _FOLDER
        self._lock = threading.Lock()
        self._done = self._total = self._told = 0

    def __call__(self, done: int, total: int) -> None:
        """``done`` objects of finished series."""
        with self._lock:
            self._done, self._total = done, total
        self.look()

    def look(self) -> None:
        """Tell how far it is now; nothing before the number of objects is known."""
        with self._lock:
            if not self._total:
                return
            self._told = min(self._total, max(self._told, self._done + self._running()))
            self._tell(self._told, self._total)

    def _running(self) -> int:
        """Objects of series that are worked on; all but the last of one, for a series is done when it was examined."""
        count = 0
        for tally in self._folder.glob("*"):
            try:
                count += max(tally.stat().st_size - 1, 0)
            except FileNotFoundError:
                continue  # done in this moment
        return count

    @contextmanager
    def watched(self) -> Iterator[ObjectProgress]:
        """Look now and then from a thread, until left."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(SECONDS_BETWEEN_LOOKS):
                self.look()

        thread = threading.Thread(target=watch, name="progress", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()
