"""Each check judged, and the two numbers: identifiers left, and information kept."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

from .key import Action, Box, Check, find

STILL_BRIGHT = 0.01
"""Share of a drawing's samples that may by chance be as bright afterwards; one letter is more."""
IDENTIFIER_ACTIONS = frozenset({
    Action.TEXT_REMOVED, Action.UID_CHANGED, Action.DATE_SHIFTED, Action.PATID_CONSISTENT, Action.PIXELS_HIDDEN,
})  # fmt: skip
"""Checks that can find an identifier left."""
INFORMATION_ACTIONS = frozenset(Action) - {Action.TEXT_REMOVED, Action.PIXELS_HIDDEN}
"""Checks that can find information lost."""


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    LEFT = "left"  # an identifier is still there
    LOST = "lost"  # information is gone


@dataclass(frozen=True, slots=True)
class Judged:
    """One check and its outcome. ``why`` says it without values."""

    check: Check
    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """All that was judged. ``missing``: originals without a result; nothing of them is left, all of them is lost."""

    judged: tuple[Judged, ...]
    missing: tuple[str, ...] = field(default=())

    @property
    def identifiers_left(self) -> int:
        return sum(item.outcome is Outcome.LEFT for item in self.judged)

    @property
    def identifier_checks(self) -> int:
        return sum(item.check.action in IDENTIFIER_ACTIONS for item in self.judged)

    @property
    def information_checks(self) -> int:
        return sum(item.check.action in INFORMATION_ACTIONS for item in self.judged)

    @property
    def information_kept(self) -> float:
        """Per cent; 100 where nothing was asked."""
        if not self.information_checks:
            return 100.0
        lost = sum(item.outcome is Outcome.LOST for item in self.judged)
        return 100.0 * (self.information_checks - lost) / self.information_checks

    def table(self) -> list[tuple[str, str, int, int, int]]:
        """Rows of action, category, checks, left, lost."""
        counts: dict[tuple[str, str], Counter[Outcome]] = defaultdict(Counter)
        for item in self.judged:
            counts[item.check.action.value, item.check.category][item.outcome] += 1
        return [
            (action, category, found.total(), found[Outcome.LEFT], found[Outcome.LOST])
            for (action, category), found in sorted(counts.items())
        ]


def score(checks: Iterable[Check], pairs: Mapping[str, tuple[Dataset, Dataset | None]]) -> Score:
    """Judge ``checks``. ``pairs``: by the original's SOPInstanceUID, the original and its result (None: none)."""
    study = _Study(pairs)
    judged = tuple(_judge(check, study) for check in checks)
    return Score(judged, tuple(uid for uid, (_, result) in pairs.items() if result is None))


class _Study:
    """What holds over all files: shifts by patient, new UIDs by old, new patient ids by old."""

    def __init__(self, pairs: Mapping[str, tuple[Dataset, Dataset | None]]) -> None:
        self.pairs = pairs
        self.uids: dict[str, set[str]] = defaultdict(set)
        self.patients: dict[str, set[str]] = defaultdict(set)
        self.shifts: dict[str, Counter[int]] = defaultdict(Counter)
        for original, result in pairs.values():
            if result is None:
                continue
            patient = _patient(original)
            self.patients[patient].add(_patient(result))
            for old, new in _aligned(original, result):
                if old.VR == "UI":
                    for one, other in zip(_texts(old), _texts(new), strict=False):
                        self.uids[one].add(other)
                elif old.VR in ("DA", "DT") and (days := _days(old, new)) is not None:
                    self.shifts[patient][days] += 1

    def shift(self, patient: str) -> int | None:
        """The commonest shift of the patient's dates."""
        common = self.shifts[patient].most_common(1)
        return common[0][0] if common else None


def _patient(dataset: Dataset) -> str:
    return str(dataset.get("PatientID") or "")


def _judge(check: Check, study: _Study) -> Judged:
    if check.instance not in study.pairs:
        raise ValueError("the key names an instance that is not among the originals")
    original, result = study.pairs[check.instance]
    if result is None:
        kept = check.action in (Action.TEXT_REMOVED, Action.PIXELS_HIDDEN)
        return Judged(check, Outcome.PASSED if kept else Outcome.LOST, "no result")
    outcome, why = _outcome(check, original, result, study)
    return Judged(check, outcome, why)


def _outcome(check: Check, original: Dataset, result: Dataset, study: _Study) -> tuple[Outcome, str]:
    match check.action:
        case Action.PIXELS_RETAINED:
            return _pixels_retained(original, result, check.boxes)
        case Action.PIXELS_HIDDEN:
            return _pixels_hidden(original, result, check.boxes)
        case Action.PATID_CONSISTENT:
            return _patient_id(original, result, study)
    element = find(result, check.path)
    text = " ".join(_texts(element))
    match check.action:
        case Action.TAG_RETAINED:
            return (Outcome.LOST, "no such element") if element is None else (Outcome.PASSED, "")
        case Action.TEXT_NOTNULL:
            return (Outcome.PASSED, "") if text.strip() else (Outcome.LOST, "empty")
        case Action.TEXT_RETAINED:
            return (Outcome.PASSED, "") if check.value in text else (Outcome.LOST, "text is gone")
        case Action.TEXT_REMOVED:
            return (
                (Outcome.LEFT, "text is there") if check.value.casefold() in text.casefold() else (Outcome.PASSED, "")
            )
    before = find(original, check.path)
    if before is None:
        raise ValueError(f"the original has no element {check.path}")
    if element is None or not text.strip():
        return Outcome.LOST, "empty"
    match check.action:
        case Action.DATE_SHIFTED:
            days = _days(before, element)
            if days == 0 or _texts(before) == _texts(element):
                return Outcome.LEFT, "the date is the same"
            right = days is not None and days == study.shift(_patient(original))
            return (Outcome.PASSED, "") if right else (Outcome.LOST, "not the patient's shift")
        case Action.UID_CHANGED:
            if set(_texts(before)) & set(_texts(element)):
                return Outcome.LEFT, "the UID is the same"
            valid = all(UID(uid).is_valid for uid in _texts(element))
            return (Outcome.PASSED, "") if valid else (Outcome.LOST, "not a UID")
        case _:
            consistent = all(len(study.uids[uid]) == 1 for uid in _texts(before))
            return (Outcome.PASSED, "") if consistent else (Outcome.LOST, "several new UIDs for one")


def _patient_id(original: Dataset, result: Dataset, study: _Study) -> tuple[Outcome, str]:
    old, new = _patient(original), _patient(result)
    if old and old in new:
        return Outcome.LEFT, "the id is there"
    others = {one for patient, found in study.patients.items() if patient != old for one in found}
    if not new or len(study.patients[old]) != 1 or new in others:
        return Outcome.LOST, "not one id for one patient"
    return Outcome.PASSED, ""


def _texts(element: DataElement | None) -> list[str]:
    if element is None or element.value is None or element.VR == "SQ":
        return []
    value = element.value
    if isinstance(value, bytes):
        return [value.decode("utf-8", "replace"), value.decode("latin-1")]
    parts = [value] if isinstance(value, str) or not hasattr(value, "__iter__") or element.VR == "PN" else value
    return [str(part).strip() for part in parts]


def _days(old: DataElement, new: DataElement) -> int | None:
    try:
        dates = [dt.datetime.strptime(_texts(element)[0][:8], "%Y%m%d") for element in (old, new)]
    except (ValueError, IndexError):
        return None
    return (dates[1] - dates[0]).days


def _aligned(old: Dataset, new: Dataset) -> Iterator[tuple[DataElement, DataElement]]:
    """Elements of the same tag in the same item."""
    for element in old:
        if element.tag.is_private or element.tag not in new:
            continue
        other = new[element.tag]
        if element.VR == "SQ" and other.VR == "SQ":
            for one, two in zip(element.value, other.value, strict=False):
                yield from _aligned(one, two)
        elif element.VR == other.VR:
            yield element, other


def _samples(dataset: Dataset) -> np.ndarray:
    """Samples as [frame, row, column, …]."""
    array = dataset.pixel_array
    frames = int(dataset.get("NumberOfFrames") or 1)
    return array if frames > 1 else array[np.newaxis]


def _pixels_retained(original: Dataset, result: Dataset, boxes: tuple[Box, ...]) -> tuple[Outcome, str]:
    before, after = _samples(original), _samples(result)
    if before.shape != after.shape:
        return Outcome.LOST, "another shape"
    outside = np.ones(before.shape[1:3], dtype=bool)
    for left, top, right, bottom in boxes:
        outside[top:bottom, left:right] = False
    same = np.array_equal(before[:, outside], after[:, outside])
    return (Outcome.PASSED, "") if same else (Outcome.LOST, "samples outside the boxes differ")


def _pixels_hidden(original: Dataset, result: Dataset, boxes: tuple[Box, ...]) -> tuple[Outcome, str]:
    before, after = _samples(original), _samples(result)
    if before.shape != after.shape:
        return Outcome.LOST, "another shape"
    for left, top, right, bottom in boxes:
        one = before[:, top:bottom, left:right].astype(np.int64)
        two = after[:, top:bottom, left:right].astype(np.int64)
        drawn = one > (one.max() + one.min()) / 2
        if two.max() > two.min() and np.mean(two[drawn] == one[drawn]) > STILL_BRIGHT:
            return Outcome.LEFT, "the drawing is there"
    return Outcome.PASSED, ""
