"""Which result belongs to which original: by a mapping, by the file's name, or by what no tool changes."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

Pairs = dict[str, tuple[Dataset, Dataset | None]]
_UNCHANGED = ("SOPClassUID", "Modality", "InstanceNumber", "SeriesNumber", "Rows", "Columns", "NumberOfFrames")


def read_mapping(file: Path) -> dict[str, str]:
    """Old to new SOPInstanceUID: the first two columns of a CSV file with a heading."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    return {row[0]: row[1] for row in rows[1:] if len(row) > 1}


def pair(original: Path, result: Path, *, mapping: dict[str, str] | None = None) -> Pairs:
    """Every original with its result. Without a mapping: the same relative path, else the one result like it."""
    results = dict(_read(result))
    by_uid = {str(dataset.SOPInstanceUID): dataset for dataset in results.values()}
    alike: dict[str, list[Dataset]] = defaultdict(list)
    for dataset in results.values():
        alike[_likeness(dataset)].append(dataset)
    found: Pairs = {}
    for name, dataset in _read(original):
        uid = str(dataset.SOPInstanceUID)
        if mapping is not None:
            found[uid] = dataset, by_uid.get(mapping.get(uid, ""))
            continue
        same = alike[_likeness(dataset)]
        found[uid] = dataset, results.get(name) or (same[0] if len(same) == 1 else None)
    return found


def _read(folder: Path) -> Iterator[tuple[str, Dataset]]:
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            dataset = pydicom.dcmread(file)
        except InvalidDicomError:
            continue  # a manifest or report beside the objects
        yield file.relative_to(folder).as_posix(), dataset


def _likeness(dataset: Dataset) -> str:
    parts = [str(dataset.get(keyword) or "") for keyword in _UNCHANGED]
    pixels = dataset.get("PixelData")
    parts.append(hashlib.sha256(pixels).hexdigest() if pixels else "")
    return "\n".join(parts)
