"""What a benchmark measures of our own code and of plain libraries, each in a process of its own.

``python -m ingestion.benchmarks.tasks TASK IN OUT`` prints the CPU seconds of the work alone as JSON; the process's
own start is measured from outside.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pydicom

from ingestion.deidentify.copying import copy_files
from ingestion.deidentify.expectation import expectation_of
from ingestion.deidentify.folder import deidentify_folder
from ingestion.deidentify.instance import InstanceDeidentifier
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.stream import deidentify_file, write_at_once
from ingestion.deidentify.verification import Verifier
from ingestion.dicom.quiet import silence_readers
from ingestion.dicom.summary import INSTANCE_KEYWORDS, SERIES_KEYWORDS, summarise
from ingestion.fanout import Done, Fanout, Result, Task
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms
from ingestion.storage.folder import FolderStore

KEY = SourceKey("BENCH", bytes(range(32)))
"""A key for made-up people."""
POLICY = "platform-default"


def _deidentifier(*, look_at_pixels: bool = True) -> InstanceDeidentifier:
    return InstanceDeidentifier(load_policy(POLICY), Pseudonyms(KEY), look_at_pixels=look_at_pixels)


def read(source: Path, _target: Path) -> None:
    """Read every file."""
    for path in _files(source):
        path.read_bytes()


def pydicom_copy(source: Path, target: Path) -> None:
    """Read and write with pydicom, nothing changed."""
    for path in _files(source):
        pydicom.dcmread(path).save_as(target / path.name)


def header(source: Path, target: Path) -> None:
    """Read, collect identities, rewrite the header under the full profile, write."""
    deidentifier = _deidentifier(look_at_pixels=False)
    for copied in copy_files(((path, target / path.name) for path in _files(source)), deidentifier):
        if copied.refused is not None:
            raise copied.refused


def digests(source: Path, target: Path) -> None:
    """The header's way: hash, rewrite, hash the result, write, summarise; pixels not looked at, nothing verified."""
    deidentifier = _deidentifier(look_at_pixels=False)
    for path in _files(source):
        raw = path.read_bytes()
        hashlib.sha256(raw).digest()
        done = deidentifier.deidentify(raw)
        digest = hashlib.sha256()
        for part in done.rewritten.parts:
            digest.update(part)
        with (target / path.name).open("xb", buffering=0) as stream:
            write_at_once(done.rewritten, stream.fileno())
        summarise(done.dataset, SERIES_KEYWORDS + INSTANCE_KEYWORDS)


def unscreened(source: Path, target: Path) -> None:
    """Hash, rewrite, verify the bytes, hash the result, summarise, write; pixels not looked at."""
    _whole_way(source, target, look_at_pixels=False)


def screened(source: Path, target: Path) -> None:
    """The same, and every frame looked at for lettering."""
    _whole_way(source, target, look_at_pixels=True)


def _whole_way(source: Path, target: Path, *, look_at_pixels: bool) -> None:
    deidentifier, verifier = _deidentifier(look_at_pixels=look_at_pixels), Verifier()
    for path in _files(source):
        raw = path.read_bytes()
        hashlib.sha256(raw).digest()
        done = deidentifier.deidentify(raw)
        expected = expectation_of(deidentifier.policy, deidentifier.pseudonyms, done.ids.patient)
        found = verifier.verify(raw, done.body, expected=expected)
        if found:
            raise RuntimeError(f"{path.name}: the verification found {found[0].rule}")
        hashlib.sha256(done.body).digest()
        summarise(done.dataset, SERIES_KEYWORDS + INSTANCE_KEYWORDS)
        with (target / path.name).open("xb", buffering=0) as stream:
            stream.write(done.body)


class _Here(Fanout):
    """Tasks run in this process, whose CPU seconds are told."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        return map(function, tasks)

    def run(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Done[Task, Result]]:
        return (Done(task, function(task)) for task in tasks)


def pipeline(source: Path, target: Path) -> None:
    """What ``cie deidentify`` and the pipeline do, in this one process: inventory, identities of the study, every
    frame screened before the first is written, each file read twice, results stored under their digests, manifest."""
    outcome = deidentify_folder(source, key=KEY, policy=load_policy(POLICY), target=FolderStore(target), fanout=_Here())
    if outcome.counts.accepted != outcome.counts.delivered:
        raise RuntimeError(f"{outcome.counts.accepted} of {outcome.counts.delivered} accepted: {outcome.reasons}")


def file_by_file(source: Path, target: Path) -> None:
    """Large files: mapped, their pixels streamed and hashed."""
    deidentifier = _deidentifier()
    for path in _files(source):
        deidentify_file(path, target / path.name, deidentifier)


TASKS: dict[str, Callable[[Path, Path], None]] = {
    task.__name__: task for task in (read, pydicom_copy, header, digests, unscreened, screened, pipeline, file_by_file)
}


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def main() -> None:
    """Run the task named on the command line."""
    silence_readers()
    name, source, target = sys.argv[1:]
    started = time.process_time()
    TASKS[name](Path(source), Path(target))
    sys.stdout.write(json.dumps({"cpu": time.process_time() - started}))


if __name__ == "__main__":
    main()
