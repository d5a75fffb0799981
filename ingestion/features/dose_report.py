"""Dose of irradiation events from X-Ray Radiation Dose Reports (PS3.16, TID 10011, 10013 and 10003).

An event's UID also stands in the images that it made, so that its dose is known for their series. A series made of an
event that made others too has the dose of that event: doses of series must not be added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pydicom.dataset import Dataset

from ingestion.features.suv import number_of

CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.88.67", "1.2.840.10008.5.1.4.1.1.88.74", "1.2.840.10008.5.1.4.1.1.88.76"})
"""X-Ray Radiation Dose SR, Patient Radiation Dose SR and Enhanced X-Ray Radiation Dose SR Storage."""
EVENT_UID, EVENTS = "113769", frozenset({"113819", "113706"})
"""DCM codes: Irradiation Event UID; CT Acquisition, Irradiation Event X-Ray Data."""
QUANTITIES: dict[str, tuple[str, dict[str, float]]] = {
    "113830": ("ReportCTDIvolMGy", {"mGy": 1.0}),
    "113838": ("ReportDlpMGyCm", {"mGy.cm": 1.0, "mGycm": 1.0}),
    "122130": ("ReportDoseAreaProductGyCm2", {"Gy.m2": 1e4, "dGy.cm2": 0.1, "Gy.cm2": 1.0, "mGy.cm2": 1e-3}),
    "111631": ("ReportGlandularDoseMGy", {"mGy": 1.0, "dGy": 100.0, "Gy": 1000.0}),
}
"""DCM code (Mean CTDIvol, DLP, Dose Area Product, Average Glandular Dose): column, and units with their factors."""
COLUMNS: tuple[str, ...] = tuple(column for column, _ in QUANTITIES.values())
SUMMED = frozenset({"ReportDlpMGyCm", "ReportDoseAreaProductGyCm2"})
MAX_DEPTH = 12


def event_doses(report: Dataset) -> dict[str, dict[str, float]]:
    """For each Irradiation Event UID of a dose report its doses by column. Another object has none."""
    if report.get("SOPClassUID") not in CLASSES:
        return {}
    found: dict[str, dict[str, float]] = {}
    for event in _events(report, 0):
        items = list(_below(event, 0))
        uids = [str(item.get("UID")) for item in items if _code(item) == EVENT_UID and item.get("UID")]
        doses: dict[str, float] = {}
        for item in items:
            column, units = QUANTITIES.get(_code(item) or "", ("", {}))
            value = _measured(item, units)
            if column and value is not None:
                doses[column] = value
        if len(uids) == 1 and doses:
            found[uids[0]] = doses
    return found


def series_dose(events: Iterable[str], doses: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The dose of a series that several events made: products are added, CTDIvol and glandular dose are the largest."""
    found: dict[str, float] = {}
    for uid in sorted(set(events) & doses.keys()):
        for column, value in doses[uid].items():
            former = found.get(column, 0.0)
            found[column] = former + value if column in SUMMED else max(former, value)
    return found


def _events(item: Dataset, depth: int) -> Iterator[Dataset]:
    for child in item.get("ContentSequence") or ():
        if _code(child) in EVENTS:
            yield child
        elif depth < MAX_DEPTH:
            yield from _events(child, depth + 1)


def _below(item: Dataset, depth: int) -> Iterator[Dataset]:
    for child in item.get("ContentSequence") or ():
        yield child
        if depth < MAX_DEPTH:
            yield from _below(child, depth + 1)


def _code(item: Dataset) -> str | None:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].get("CodeValue")) if names and names[0].get("CodingSchemeDesignator") == "DCM" else None


def _measured(item: Dataset, units: Mapping[str, float]) -> float | None:
    values = item.get("MeasuredValueSequence")
    if not values or not units:
        return None
    codes = values[0].get("MeasurementUnitsCodeSequence")
    factor = units.get(str(codes[0].get("CodeValue"))) if codes else None
    number = number_of(values[0].get("NumericValue"))
    return None if factor is None or number is None else number * factor
