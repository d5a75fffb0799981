"""What de-identification broke: errors of an IOD that the result has and the raw object has not.

The judges are dciodvfy and dcentvfy of dicom3tools (Debian package ``dicom3tools``; optional). Their messages quote
values, so they are read here and only reduced ones leave: the kind of the error, the attribute, the module.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import tag_for_keyword

SECONDS_PER_FILE = 30.0
"""dciodvfy takes 0.02 s for a slice; minutes mean that a damaged length sent it astray."""
INSTANCE_JUDGE, STUDY_JUDGE = "dciodvfy", "dcentvfy"
_ERROR = re.compile(r"^(?:\(0x[0-9a-f]{4},0x[0-9a-f]{4}\) \w+ .*? - )?Error - (?P<message>.*)$")
_TAG = re.compile(r"\(0x([0-9a-fA-F]{4}),0x([0-9a-fA-F]{4})\)")
_QUOTED = re.compile(r"<([^<>]*)>")
_KEYWORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:/[A-Za-z0-9]+|\(\d+\))*")
_NAMED = re.compile(r"(?:attribute|Attribute|element|Element|Module|module|Macro|macro|Sequence)\s*=?\s*$")
_QUOTES_VALUE = re.compile(r"\s=\s*<")
"""Names are written Element=<…>, values with a space."""
_VALUE = re.compile(r"= <[^>]*>|\[\d+\]|'[^']*'|\"[^\"]*\"")
_NUMBER = re.compile(r"(?<![A-Za-z0-9(,x])(?:0x[0-9a-fA-F]+(?![0-9a-fA-F,)])|[-+]?\d[\d.\\eE+\-]{2,})")
"""Three characters and more: 'Type 1' and '1-n' are the standard's own."""
_SPACES = re.compile(r"\s+")


class JudgeMissingError(RuntimeError):
    """dicom3tools is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True, order=True)
class ConformanceError:
    """One error without any value of the object. ``message`` is the same for the same fault in any object."""

    message: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """One object before and after. ``judged`` False: the judge ran out of time, so nothing is known."""

    before: Path
    after: Path
    introduced: tuple[ConformanceError, ...]
    mended: tuple[ConformanceError, ...] = ()
    judged: bool = True


def judge_is_there(name: str = INSTANCE_JUDGE) -> bool:
    return shutil.which(name) is not None


def introduced_errors(before: Path, after: Path, *, seconds: float = SECONDS_PER_FILE) -> tuple[ConformanceError, ...]:
    """Errors of ``after`` that ``before`` has not, or has fewer of.

    Raises:
        JudgeMissingError: dciodvfy is not installed.
        TimeoutError: it took longer than ``seconds`` for one of the files.
    """
    return more_than(
        errors_of((after,), INSTANCE_JUDGE, seconds=seconds), errors_of((before,), INSTANCE_JUDGE, seconds=seconds)
    )


def introduced_in_study(
    before: Sequence[Path], after: Sequence[Path], *, seconds: float = SECONDS_PER_FILE
) -> tuple[ConformanceError, ...]:
    """Contradictions between the files of one study (dcentvfy) that came about.

    Raises:
        JudgeMissingError, TimeoutError: as ``introduced_errors``; the time is for all files together.
    """
    return more_than(errors_of(after, STUDY_JUDGE, seconds=seconds), errors_of(before, STUDY_JUDGE, seconds=seconds))


def compare_all(
    pairs: Iterable[tuple[Path, Path]], *, workers: int = 2, seconds: float = SECONDS_PER_FILE
) -> tuple[Comparison, ...]:
    """Compare many pairs, several at once; the order is that of ``pairs``.

    Raises:
        JudgeMissingError: dciodvfy is not installed.
    """
    _path_of(INSTANCE_JUDGE)

    def compare(pair: tuple[Path, Path]) -> Comparison:
        before, after = pair
        try:
            old = errors_of((before,), INSTANCE_JUDGE, seconds=seconds)
            new = errors_of((after,), INSTANCE_JUDGE, seconds=seconds)
        except TimeoutError:
            return Comparison(before, after, (), judged=False)
        return Comparison(before, after, more_than(new, old), more_than(old, new))

    with ThreadPoolExecutor(workers) as pool:
        return tuple(pool.map(compare, pairs))


def grouped(comparisons: Iterable[Comparison]) -> tuple[tuple[ConformanceError, int], ...]:
    """Each introduced error with the number of files that have it, the most frequent first."""
    files: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for comparison in comparisons:
        for error in comparison.introduced:
            files[error.message] += 1
            times[error.message] += error.count
    ranked = sorted(files.items(), key=lambda item: (-item[1], item[0]))
    return tuple((ConformanceError(message, times[message]), number) for message, number in ranked)


def errors_of(files: Sequence[Path], judge: str, *, seconds: float = SECONDS_PER_FILE) -> Counter[str]:
    """The reduced errors that ``judge`` has of ``files``, with their numbers.

    Raises:
        JudgeMissingError, TimeoutError: as ``introduced_errors``.
    """
    lines, failed = _run(judge, [str(file) for file in files], seconds=seconds)
    return _reduced(judge, lines, failed=failed)


def errors_in_memory(data: Sequence[bytes | memoryview], *, seconds: float = SECONDS_PER_FILE) -> Counter[str]:
    """As ``errors_of`` for one object that must not be written to a disk: dciodvfy reads it from memory.

    Args:
        data: the object's bytes in order; pixels can be left out.

    Raises:
        JudgeMissingError: dciodvfy is not installed, or the system has no files in memory (``memory_files``).
        TimeoutError: as ``introduced_errors``.
    """
    _, lines, failed = judged_in_memory(INSTANCE_JUDGE, [data], seconds=seconds)
    return _reduced(INSTANCE_JUDGE, lines, failed=failed)


def judged_in_memory(
    judge: str, objects: Sequence[Sequence[bytes | memoryview]], *, seconds: float = SECONDS_PER_FILE
) -> tuple[tuple[str, ...], list[str], bool]:
    """What ``judge`` writes of objects that go to no disk: their names, its lines, and whether it broke off.

    The lines quote values and names: they must not leave the caller.

    Raises:
        JudgeMissingError, TimeoutError: as ``errors_in_memory``; the time is for all objects together.
    """
    if not memory_files():
        raise JudgeMissingError("this system has no files in memory (memfd_create), and raw headers go to no disk")
    handles: list[int] = []
    try:
        for data in objects:
            handles.append(os.memfd_create("header"))
            with os.fdopen(os.dup(handles[-1]), "wb") as stream:
                stream.writelines(data)
        names = tuple(f"/proc/self/fd/{handle}" for handle in handles)
        lines, failed = _run(judge, names, seconds=seconds, handles=tuple(handles))
        return names, lines, failed
    finally:
        for handle in handles:
            os.close(handle)


@cache
def names_of_attributes() -> frozenset[str]:
    """Names of PS3.6 (Rescale Slope), by which some messages call an attribute."""
    return frozenset(entry[2] for entry in DicomDictionary.values())


def memory_files() -> bool:
    """Whether objects can be handed over without a disk: Linux."""
    return hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd")


def _run(judge: str, names: Sequence[str], *, seconds: float, handles: tuple[int, ...] = ()) -> tuple[list[str], bool]:
    program = _path_of(judge)
    try:
        done = subprocess.run(
            [program, *names],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False, pass_fds=handles,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        # From None: the exception that is replaced holds the output, and with it values.
        raise TimeoutError(f"{judge} took longer than {seconds:g} s") from None
    return (done.stdout + b"\n" + done.stderr).decode("latin-1").splitlines(), done.returncode < 0


def _reduced(judge: str, lines: Iterable[str], *, failed: bool) -> Counter[str]:
    found = Counter(reduced for line in lines if (reduced := reduce_message(line)) is not None)
    if failed:
        found[f"{judge} itself failed"] += 1
    return found


def reduce_message(line: str) -> str | None:
    """An error without the values, item numbers and nesting that make each one different; None for no error.

    What dciodvfy puts between angle brackets is either a name of the standard's or a value: only what is shaped as a
    keyword and follows the word for one stays. Where a value is quoted it must be a keyword of PS3.6: a value could
    look like the rest of a message.
    """
    match = _ERROR.match(line.strip())
    if match is None:
        return None
    message = match["message"]
    if message.count("<") != message.count(">"):
        # A value with a bracket in it: where it ends cannot be told.
        message = re.sub(r"\s*=?\s*[<>].*$", " …", message)

    careful = _QUOTES_VALUE.search(message) is not None

    def keep(quoted: re.Match[str]) -> str:
        named = _NAMED.search(message[: quoted.start()])
        word = quoted.group(1)
        if not named:
            return "…"
        if tag_for_keyword(word) is not None or word in names_of_attributes():
            return word
        return word if not careful and _KEYWORD.fullmatch(word) else "…"

    message = _VALUE.sub("…", _QUOTED.sub(keep, message))
    message = _TAG.sub(lambda tag: f"({tag[1].upper()},{tag[2].upper()})", message)
    return _SPACES.sub(" ", _NUMBER.sub("…", message)).strip()


def more_than(new: Counter[str], old: Counter[str]) -> tuple[ConformanceError, ...]:
    """What ``new`` has and ``old`` has not, or fewer of."""
    return tuple(ConformanceError(message, number) for message, number in sorted((new - old).items()))


def _path_of(judge: str) -> str:
    found = shutil.which(judge)
    if found is None:
        raise JudgeMissingError(f"{judge} is not installed: it is in the Debian package dicom3tools")
    return found
