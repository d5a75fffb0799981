"""Of each series what the quality checks read and the catalogue does not show: times, and how it was acquired."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from ingestion.accounting.manifest import Manifest
from ingestion.catalogue import values
from ingestion.vocabulary.age import parse_date

EPOCH = dt.date(1970, 1, 1)
_DATES = ("Study", "Series", "Acquisition", "Content")
_NUMBERS = (
    "XRayTubeCurrent", "ExposureTime", "Exposure", "FlipAngle", "InversionTime", "PatientWeight",
    "RadionuclideTotalDose", "RadionuclideHalfLife", "BodyPartThickness", "CompressionForce", "DiffusionBValue",
)  # fmt: skip
_TEXTS = (
    "ProtocolName",
    "SeriesDescription",
    "DecayCorrection",
    "RadiopharmaceuticalStartTime",
    "ImageType",
    "AccessionNumber",
)
WITHHELD = "Withheld"
"""Keywords whose value the policy took out, comma-joined: they are no gaps of the data holder's."""
COLUMNS = ("SeriesInstanceUID", *(f"{name}Seconds" for name in _DATES), *_NUMBERS, *_TEXTS, WITHHELD)
_TIME = re.compile(r"^(\d{2})(\d{2})?(\d{2})?")


def details_row(manifest: Manifest) -> dict[str, Any]:
    """``StudySeconds`` and so on: seconds from 1970-01-01 by the shifted date and the time as stated; None where either
    is missing. ``DiffusionBValue``: the highest of the instances."""
    header = manifest.header
    row: dict[str, Any] = {"SeriesInstanceUID": manifest.SeriesInstanceUID}
    row |= {f"{name}Seconds": seconds(header.get(f"{name}Date"), header.get(f"{name}Time")) for name in _DATES}
    row |= {name: values.number(header.get(name)) for name in _NUMBERS}
    row |= {name: values.text(header.get(name)) for name in _TEXTS}
    weights = [values.number(item.attributes.get("DiffusionBValue")) for item in manifest.instances]
    row["DiffusionBValue"] = max((value for value in weights if value is not None), default=None)
    row[WITHHELD] = ",".join(manifest.withheld) or None
    return row


def details_frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Sorted by SeriesInstanceUID."""
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS), dtype=object)
    return frame.sort_values("SeriesInstanceUID", kind="stable", ignore_index=True)


def seconds(date: Any, time: Any) -> float | None:
    """A DICOM date and time (PS3.5 section 6.2) as seconds; None where either is none."""
    day = parse_date(values.text(date))
    match = _TIME.match(values.text(time) or "")
    if day is None or match is None:
        return None
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    if hours > 23 or minutes > 59 or rest > 60:
        return None
    return float((day - EPOCH).days * 86_400 + hours * 3600 + minutes * 60 + rest)
