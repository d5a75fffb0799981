"""The unit of work, one series, and the examinations of a source: what was examined before is read back.

An examination is one small JSON object in the internal bucket, written once. A series whose manifest version, rules and
companions (the series that it refers to) were examined already costs one read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from pydicom.uid import RTDoseStorage, RTStructureSetStorage, SegmentationStorage

from ingestion.accounting.manifest import Manifest, ManifestInstance, manifest_key
from ingestion.accounting.source_state import SourceState
from ingestion.fanout import Crashed, Done
from ingestion.storage import ObjectMissingError, ObjectStore
from quality_checks.examination import CheckOutcome, Examination, Fault, examination_key
from quality_checks.imaging import rules_digest
from quality_checks.imaging.examine import examine
from quality_checks.imaging.integrity import DECODES, OPENS

REFERRING = frozenset({SegmentationStorage, RTStructureSetStorage, RTDoseStorage})
"""Objects that are judged against the images that they refer to."""

Runner: TypeAlias = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Done[Any, Any] | Crashed[Any]]]
"""``Fanout.run``."""


@dataclass(frozen=True, slots=True)
class ExamineTask:
    """Examine one series. ``companions``: (SeriesInstanceUID, manifest version) of the series to judge it against.

    ``again``: also where an examination is stored already.
    """

    source_id: str
    series_uid: str
    version: str
    companions: tuple[tuple[str, str], ...]
    research: ObjectStore = field(repr=False)
    internal: ObjectStore = field(repr=False)
    again: bool = False

    @property
    def rules_digest(self) -> str:
        """Of the rules, and of the versions of the companions that were there."""
        digest = rules_digest()
        if self.companions:
            digest += "-" + hashlib.sha256(json.dumps(sorted(self.companions)).encode()).hexdigest()[:16]
        return digest

    @property
    def key(self) -> str:
        return examination_key(self.source_id, self.series_uid, self.version, self.rules_digest)


@dataclass(frozen=True, slots=True)
class ExamineResult:
    """``written``: whether an object was written; False: it was there already."""

    examination: Examination
    written: bool


def run_examination(task: ExamineTask) -> ExamineResult:
    """Examine one series from the research store and store what was found, unless that is there already.

    Raises:
        StoreError: a store failed.
    """
    if not task.again and task.internal.exists(task.key):
        return ExamineResult(Examination.from_json(task.internal.read(task.key)), written=False)
    try:
        manifest = _manifest(task, task.series_uid, task.version)
        companions = [_manifest(task, uid, version) for uid, version in task.companions]
    except ObjectMissingError:
        # Not stored: the manifest may come back.
        return ExamineResult(_unexamined(task, OPENS.id, "a manifest is not in the store"), written=False)

    def read(item: ManifestInstance) -> bytes:
        return task.research.read(item.key)

    found = examine(manifest, read, companions=companions if task.companions or _refers(manifest) else None)
    # the examination names itself as it is stored, so that whoever has it can say where it lies
    found = replace(found, rules_digest=task.rules_digest)
    return ExamineResult(
        found, written=task.internal.create(task.key, found.to_json(), content_type="application/json")
    )


def examine_source(
    state: SourceState,
    manifests: Iterable[Manifest],
    *,
    research: ObjectStore,
    internal: ObjectStore,
    run: Runner,
    full: bool = False,
) -> tuple[Examination, ...]:
    """The examination of every stored series of a source, by SeriesInstanceUID; only what is new is examined.

    Args:
        manifests: the current manifests of ``state``, as ``read_manifests`` gives them.
        run: ``Fanout.run``; tasks carry keys, not pixels.
        full: examine again what was examined before; what is stored already is not overwritten.

    Raises:
        StoreError: a store failed; what was examined so far is stored.
    """
    tasks = plan(state.source_id, manifests, research=research, internal=internal)
    stored = set() if full else {item.key for item in internal.list(f"examinations/{state.source_id}/")}
    found: dict[str, Examination] = {}
    work = []
    for task in tasks:
        if task.key in stored:
            found[task.series_uid] = Examination.from_json(internal.read(task.key))
        else:
            work.append(replace(task, again=full))
    for outcome in run(run_examination, work):
        found[outcome.task.series_uid] = (
            _unexamined(outcome.task, DECODES.id, "looking at it ended the worker process, also when it ran alone")
            if isinstance(outcome, Crashed)
            else outcome.result.examination
        )
    return tuple(found[uid] for uid in sorted(found))


def plan(
    source_id: str, manifests: Iterable[Manifest], *, research: ObjectStore, internal: ObjectStore
) -> list[ExamineTask]:
    """One task per series, by SeriesInstanceUID."""
    current = sorted(manifests, key=lambda manifest: manifest.SeriesInstanceUID)
    by_patient: dict[str, list[tuple[str, str]]] = {}
    by_study: dict[str, list[tuple[str, str]]] = {}
    for manifest in current:
        pair = (manifest.SeriesInstanceUID, manifest.version)
        by_patient.setdefault(manifest.PatientID, []).append(pair)
        by_study.setdefault(manifest.StudyInstanceUID, []).append(pair)

    def beside(manifest: Manifest) -> tuple[tuple[str, str], ...]:
        """What refers to images is judged against its patient's series, a study's first series against the others."""
        study = by_study[manifest.StudyInstanceUID]
        first = study[0][0] == manifest.SeriesInstanceUID
        known = by_patient[manifest.PatientID] if _refers(manifest) else study if first else []
        return tuple(pair for pair in known if pair[0] != manifest.SeriesInstanceUID)

    return [
        ExamineTask(
            source_id,
            manifest.SeriesInstanceUID,
            manifest.version,
            beside(manifest),
            research=research,
            internal=internal,
        )
        for manifest in current
    ]


def _refers(manifest: Manifest) -> bool:
    return manifest.header.get("SOPClassUID") in REFERRING


def _manifest(task: ExamineTask, series_uid: str, version: str) -> Manifest:
    return Manifest.from_json(task.research.read(manifest_key(task.source_id, series_uid, version)))


def _unexamined(task: ExamineTask, rule_id: str, detail: str) -> Examination:
    """A series that could not be looked at has a fault, never silence."""
    outcome = CheckOutcome(rule_id, judged=1, faults=(Fault(detail),), failing=1)
    return Examination(task.source_id, task.series_uid, task.version, task.rules_digest, (outcome,))
