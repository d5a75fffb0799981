"""What a benchmark measures of our own code and of plain libraries, each in a process of its own.

``python -m ingestion.benchmarks.tasks TASK IN OUT`` prints the CPU seconds of the work alone as JSON; the process's
own start is measured from outside.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pydicom

from ingestion.deidentify.copying import copy_files
from ingestion.deidentify.expectation import expectation_of
from ingestion.deidentify.instance import InstanceDeidentifier
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.stream import deidentify_file, write_at_once
from ingestion.deidentify.verification import Verifier
from ingestion.dicom.quiet import silence_readers
from ingestion.dicom.summary import INSTANCE_KEYWORDS, SERIES_KEYWORDS, summarise
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms

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


def pydicom_loop(source: Path, target: Path) -> None:
    """pydicom, every element decoded once, as the tools built upon it do."""
    for path in _files(source):
        dataset = pydicom.dcmread(path)
        for element in dataset.iterall():
            _ = element.value
        dataset.save_as(target / path.name)


def header(source: Path, target: Path) -> None:
    """Read, collect identities, rewrite the header under the full profile, write."""
    deidentifier = _deidentifier(look_at_pixels=False)
    for copied in copy_files(((path, target / path.name) for path in _files(source)), deidentifier):
        if copied.refused is not None:
            raise copied.refused


def whole_way(source: Path, target: Path) -> None:
    """As the pipeline does: hash, look at the pixels, rewrite, verify the bytes, hash the result, summarise, write."""
    deidentifier, verifier = _deidentifier(), Verifier()
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


def without_verification(source: Path, target: Path) -> None:
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


def file_by_file(source: Path, target: Path) -> None:
    """Large files: mapped, their pixels streamed and hashed."""
    deidentifier = _deidentifier()
    for path in _files(source):
        deidentify_file(path, target / path.name, deidentifier)


TASKS: dict[str, Callable[[Path, Path], None]] = {
    task.__name__: task
    for task in (read, pydicom_copy, pydicom_loop, header, whole_way, without_verification, file_by_file)
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
