"""Private attributes whose values are known to be harmless once treated (PS3.15 section E.3.10).

Known by creator, group and element offset: the block that an attribute stands in differs from file to file. Safe isn't
clean: the table says what an attribute holds, so that UIDs are replaced, dates shifted and texts cleaned all the same.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from ingestion.deidentify.profile import read_text

TABLE = "safe_private.csv"


class Holds(StrEnum):
    """What an attribute holds."""

    KEEP = "keep"  # a number, or a text that somebody may have typed
    CODE = "code"  # a text of which the list's makers say that a device writes it: a direction, a mode, a version
    UID = "uid"
    DATE = "date"  # a date or a date with time, whatever its VR
    SECONDS = "seconds"  # since 1970


@dataclass(frozen=True, slots=True)
class SafeAttribute:
    """``vrs``: those seen in real files, the commonest first. ``source``: who says that it is safe."""

    creator: str
    group: int
    offset: int
    vrs: tuple[str, ...]
    holds: Holds
    source: str


@cache
def safe_private() -> Mapping[tuple[str, int, int], SafeAttribute]:
    """All of them by creator, group and element offset."""
    found = {}
    for line in csv.DictReader(read_text(TABLE)):
        key = (line["creator"], int(line["group"], 16), int(line["element"], 16))
        vrs = tuple(vr for vr in line["vr"].split("/") if vr)
        found[key] = SafeAttribute(*key, vrs, Holds(line["holds"]), line["source"])
    return found


@cache
def safe_blocks() -> frozenset[tuple[str, int]]:
    """Creator and group of the blocks that hold at least one of them."""
    return frozenset((creator, group) for creator, group, _ in safe_private())
