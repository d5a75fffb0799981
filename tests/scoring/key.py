"""The answer key: what must be true of each result, row by row.

Fields of a row (CSV columns or JSON members; empty where an action does not need them):

``instance``  SOPInstanceUID of the original
``action``    one of ``Action``
``path``      where: ``00081030``, ``00400275[0].00400007``, private ones by creator: ``0019[SIEMENS MR HEADER]0C``
``value``     the text to be kept or gone; for ``patid_consistent`` and UIDs not needed
``category``  any word to count by, such as ``description`` or ``private``
``box``       for pixels: ``left,top,right,bottom`` with the last column and row left out; several parted by ``;``
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

Box = tuple[int, int, int, int]
_STEP = re.compile(r"^(?P<tag>[0-9A-Fa-f]{8})(?:\[(?P<item>\d+)\])?$")
_PRIVATE = re.compile(
    r"^(?P<group>[0-9A-Fa-f]{4})\[(?P<creator>[^\]]+)\](?P<element>[0-9A-Fa-f]{2})(?:\[(?P<item>\d+)\])?$"
)
_BETWEEN_STEPS = re.compile(r"\.(?![^\[]*\])")
"""A creator's name can hold points."""


class Action(StrEnum):
    """What a row asks of the result."""

    TAG_RETAINED = "tag_retained"  # the element is there
    TEXT_NOTNULL = "text_notnull"  # and holds something
    TEXT_RETAINED = "text_retained"  # and holds ``value``
    TEXT_REMOVED = "text_removed"  # ``value`` is not there, whatever the case
    DATE_SHIFTED = "date_shifted"  # another date, all of a patient by the same number of days
    UID_CHANGED = "uid_changed"
    UID_CONSISTENT = "uid_consistent"  # one new UID for one old one, wherever it stands
    PATID_CONSISTENT = "patid_consistent"  # one new id for one patient, not the old one
    PIXELS_RETAINED = "pixels_retained"  # outside the boxes every sample is what it was
    PIXELS_HIDDEN = "pixels_hidden"  # what was drawn within the boxes is not to be seen


class BadKeyError(ValueError):
    """A key that cannot be used; the message gives its row."""


@dataclass(frozen=True, slots=True)
class Check:
    """One row."""

    instance: str
    action: Action
    path: str = ""
    value: str = ""
    category: str = ""
    box: str = ""

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The boxes as numbers."""
        boxes = (tuple(int(part) for part in box.split(",")) for box in self.box.split(";") if box)
        return tuple((left, top, right, bottom) for left, top, right, bottom in boxes)


def read_key(file: Path) -> list[Check]:
    """The rows of ``file``.

    Raises:
        BadKeyError: not such a file, or a row with an unknown action or a path that cannot be read.
    """
    if file.suffix.lower() == ".json":
        rows = json.loads(file.read_text(encoding="utf-8"))
    else:
        with file.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    return [_check(row, number) for number, row in enumerate(rows, start=1)]


def write_key(file: Path, checks: list[Check]) -> None:
    """Write a key as JSON."""
    file.write_text(json.dumps([asdict(check) for check in checks], indent=1, ensure_ascii=False), encoding="utf-8")


def _check(row: dict[str, str], number: int) -> Check:
    try:
        check = Check(
            instance=row["instance"],
            action=Action(row["action"]),
            **{field: row.get(field) or "" for field in ("path", "value", "category", "box")},
        )
    except (KeyError, ValueError) as error:
        raise BadKeyError(f"row {number} of the key: {type(error).__name__}: {error}") from None
    for step in _BETWEEN_STEPS.split(check.path) if check.path else ():
        if not (_STEP.match(step) or _PRIVATE.match(step)):
            raise BadKeyError(f"row {number} of the key: {step!r} is no step of a path")
    return check


def find(dataset: Dataset, path: str) -> DataElement | None:
    """The element at ``path``; None where there is none."""
    at = dataset
    steps = _BETWEEN_STEPS.split(path)
    for number, step in enumerate(steps):
        element, item = _one(at, step)
        if element is None or number == len(steps) - 1:
            return element
        if element.VR != "SQ" or item >= len(element.value):
            return None
        at = element.value[item]
    return None


def _one(dataset: Dataset, step: str) -> tuple[DataElement | None, int]:
    private = _PRIVATE.match(step)
    if private:
        item = int(private["item"] or 0)
        try:
            block = dataset.private_block(int(private["group"], 16), private["creator"])
        except KeyError:
            return None, item
        offset = int(private["element"], 16)
        return (block[offset] if offset in block else None), item  # noqa: SIM401
    match = _STEP.match(step)
    if match is None:
        raise BadKeyError(f"{step!r} is no step of a path")
    tag = int(match["tag"], 16)
    return (dataset[tag] if tag in dataset else None), int(match["item"] or 0)  # noqa: SIM401
