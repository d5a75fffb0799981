"""Whether de-identification broke an object's definition (IOD): judged within the run, before its series is stored.

dciodvfy (dicom3tools) sees the header as delivered and as written, without pixels, from memory. Objects whose headers
have the same shape before and after get one answer, so a series of 300 costs two calls.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.conformance_check import (
    INSTANCE_JUDGE,
    STUDY_JUDGE,
    ConformanceError,
    JudgeMissingError,
    errors_in_memory,
    judge_is_there,
    memory_files,
    more_than,
)
from ingestion.deidentify.instance import DeidentifiedInstance, InstanceDeidentifier
from ingestion.deidentify.iod_excuses import not_excused
from ingestion.deidentify.study import file_meta
from ingestion.dicom.byte_shape import ByteShapes, Shape
from ingestion.dicom.elements import Buffer, walk
from ingestion.dicom.encoding import Encoding, encoding_of
from ingestion.dicom.guard import guarded
from ingestion.dicom.reading import InstanceIds, read_meta

RULE = "iod.introduced"
SHOWN = 3
"""Errors that a refusal names."""
_log = logging.getLogger(__name__)


class IodCheck(StrEnum):
    """Whether results are held against their definition by dciodvfy."""

    INSTALLED = "installed"  # where the tool is there; else the accounting says that nothing was checked
    REQUIRED = "required"
    OFF = "off"

    def told(self, *, judged: int, unjudged: int) -> str:
        """What the accounting of a run says."""
        said = f"{self.value}: {judged} objects judged, {unjudged} not"
        return f"{said} ({self.why_unjudged()})" if unjudged else said

    def told_of_studies(self, *, judged: int, unjudged: int) -> str:
        """What the accounting of a run says of dcentvfy."""
        said = f"{self.value}: {judged} series compared with their study, {unjudged} not"
        return f"{said} ({self.why_unjudged(STUDY_JUDGE)})" if unjudged else said

    def why_unjudged(self, judge: str = INSTANCE_JUDGE) -> str:
        """Why objects (or, by dcentvfy, series) were not judged in a run on this machine."""
        if self is IodCheck.OFF:
            return "the check is off"
        if not (can_judge() if judge == INSTANCE_JUDGE else can_judge_studies()):
            return f"{judge} is not installed (package dicom3tools)"
        slow = f"{judge} took too long"
        return slow if judge == INSTANCE_JUDGE else f"{slow}, or no header of theirs could be compared"

    def check_start(self) -> None:
        """To be called before a run begins.

        Raises:
            JudgeMissingError: the check is required, and the tool is not there.
        """
        there = {INSTANCE_JUDGE: can_judge(), STUDY_JUDGE: can_judge_studies()}
        missing = [name for name, found in there.items() if not found]
        if self is IodCheck.REQUIRED and missing:
            raise JudgeMissingError(
                f"the check against definitions (IOD) is required, and {' and '.join(missing)} cannot run: install the "
                "package dicom3tools (Linux), or set CIE_IOD_CHECK (--iod-check) to installed or off"
            )


def can_judge() -> bool:
    """Whether dciodvfy is installed and can be given headers without a disk."""
    return judge_is_there(INSTANCE_JUDGE) and memory_files()


def can_judge_studies() -> bool:
    """The same of dcentvfy."""
    return judge_is_there(STUDY_JUDGE) and memory_files()


def as_file(ids: InstanceIds, data_set: bytes | memoryview) -> tuple[bytes | memoryview, ...]:
    """A data set that lies here inflated, as a file that the judges can read."""
    if ids.transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        ids = replace(ids, transfer_syntax_uid=str(ExplicitVRLittleEndian))
    return file_meta(ids), data_set


@dataclass(frozen=True, slots=True)
class _Side:
    """The header of one object, before or after: from ``start`` up to where its shape ends."""

    buffer: Buffer = field(repr=False)
    start: int
    shape: Shape
    ids: InstanceIds = field(repr=False)
    encoding: Encoding

    def whole(self) -> tuple[bytes | memoryview, ...]:
        """A file without pixels. Of a deflated object the data set lies here inflated."""
        return as_file(self.ids, memoryview(self.buffer)[self.start : self.shape.stop])

    def holds(self, tag: int) -> bool:
        body = bytes(self.buffer[self.start : self.shape.stop])
        elements = walk(body, 0, implicit=self.encoding.implicit, little=self.encoding.little)
        return any(element.tag == tag for element in elements)


@dataclass(slots=True)
class IodJudge:
    """Of one series. ``check`` OFF, or no tool: nothing is judged, and counted so."""

    check: IodCheck
    calls: int = 0
    _there: bool = field(init=False)
    _raw: ByteShapes = field(default_factory=ByteShapes, repr=False)
    _written: ByteShapes = field(default_factory=ByteShapes, repr=False)
    _answers: dict[tuple[str, str], tuple[ConformanceError, ...] | None] = field(default_factory=dict, repr=False)
    """By shape before and after; None: the tool took too long."""
    _slow: bool = False
    _seen: set[str] = field(default_factory=set, repr=False)
    """Shapes, as delivered, of which one object was looked at ahead."""

    def __post_init__(self) -> None:
        self.check.check_start()  # a worker of a cluster stands on another machine
        self._there = self.check is not IodCheck.OFF and can_judge()

    def look_ahead(
        self, raw: bytes, deidentifier: InstanceDeidentifier, *, refused_anyway: Callable[[], bool] = lambda: False
    ) -> None:
        """Judge an object by its header alone, before anything of its series is written; one of each shape.

        Args:
            refused_anyway: whether the whole object is refused for a reason of its own, which is then the one told.

        Raises:
            InstanceRefusedError: IOD_INTRODUCED; or the object itself is refused, for another reason.
        """
        if not self._there:
            return
        meta = read_meta(raw)
        shape = "" if meta.deflated else self._raw.of(raw, meta.dataset_start, encoding_of(meta.transfer_syntax)).digest
        if shape in self._seen:
            return
        with guarded("iod"):
            done = deidentifier.deidentify(raw)
        if shape:
            self._seen.add(shape)
        try:
            self.check_object(done)
        except InstanceRefusedError:
            if not refused_anyway():
                raise
            self._seen.discard(shape)  # the next of its shape may be whole

    def check_object(self, done: DeidentifiedInstance) -> bool:
        """Whether it could be judged.

        Raises:
            InstanceRefusedError: IOD_INTRODUCED: the result has errors that the object as delivered has not.
        """
        if not self._there:
            return False
        before, after = self._sides(done)
        key = (before.shape.digest, after.shape.digest)
        if key not in self._answers:
            if self._slow:
                return False
            self._answers[key] = self._judge(before, after, done.new_ids.sop_class_uid)
        errors = self._answers[key]
        if errors is None:
            return False
        if errors:
            raise InstanceRefusedError(Reason.IOD_INTRODUCED, rule=RULE, detail=_told(errors))
        return True

    def _sides(self, done: DeidentifiedInstance) -> tuple[_Side, _Side]:
        header, written = done.raw_header, done.rewritten
        start = min(place[1] for place in header.places.values())
        before = self._raw.of(header.buffer, start, header.encoding)
        after = self._written.of(written.header, 0, written.encoding)
        return (
            _Side(header.buffer, start, before, done.ids, header.encoding),
            _Side(written.header, 0, after, done.new_ids, written.encoding),
        )

    def _judge(self, before: _Side, after: _Side, sop_class: str) -> tuple[ConformanceError, ...] | None:
        try:
            self.calls += 1
            new = errors_in_memory(after.whole())
            if not new:
                return ()
            self.calls += 1
            errors = more_than(new, errors_in_memory(before.whole()))
        except TimeoutError:
            self._slow = True
            _log.warning("dciodvfy took too long: the rest of a series is not held against its definition")
            return None
        return not_excused(errors, sop_class=sop_class, removed=lambda tag: before.holds(tag) and not after.holds(tag))


def _told(errors: tuple[ConformanceError, ...]) -> str:
    shown = "; ".join(error.message for error in errors[:SHOWN])
    return shown + (f"; and {len(errors) - SHOWN} more" if len(errors) > SHOWN else "")
