"""The physical unit of an image's values, and SUVbw for PET where the header suffices by one simple rule.

The rule: SUVbw = activity concentration (Bq/ml) × body weight (g) / injected dose decayed to the time that the
concentrations are corrected to. It is applied only to Units BQML, attenuation and decay corrected, with weight, dose
and half-life given; Decay Correction START is referred to Series Date and Time, which must not be later than any
acquisition (later: the series was processed again, and what it is corrected to is not known), ADMIN to the injection.
Everything else keeps its own unit, with the reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydicom.dataset import Dataset

HU, SUVBW, BQML, ARBITRARY = "HU", "SUVbw", "BQML", "arbitrary"
RESCALE_TYPES = frozenset({"HU", "HU_MOD", "OD", "MGML", "PCT", "Z_EFF", "ED", "EDW"})
"""Defined terms of Rescale Type that name a quantity (PS3.3, C.11.1.1.2)."""
PET_UNITS = frozenset(
    {"BQML", "CNTS", "NONE", "CM2", "CM2ML", "PCNT", "CPS", "MGMINML", "UMOLMINML", "MLMING", "MLG", "1CM", "UMOLML",
     "PROPCNTS", "PROPCPS", "MLMINML", "MLML", "GML", "STDDEV"}
)  # fmt: skip
"""Defined terms of Units (PS3.3, C.8.9.1.1.3)."""
WEIGHTS_KG = (0.5, 400.0)
"""Outside, the weight is a placeholder, or in grams or pounds."""
DOSES_BQ = (1e5, 1e11)
"""A dose below is in MBq, as older scanners wrote it."""
MAX_HALF_LIVES = 10.0
"""After ten half-lives a thousandth is left: no image is taken so late, a date is wrong."""
CLOCKS_AGREE_S = 1.0
"""Start Time and Start DateTime may differ by rounding."""
SAME_MOMENT_S = 0.01
"""Scanners write one moment as 12:35:15 and as 12:35:14.999995; even rubidium-82 decays by less than 0.01 % between."""


class SuvRefusal(StrEnum):
    """Why SUVbw was not computed."""

    UNITS_NOT_BQML = "units_not_bqml"
    SUV_TYPE_NOT_BODY_WEIGHT = "suv_type_not_body_weight"
    NOT_CORRECTED = "not_corrected"
    DECAY_CORRECTION_UNKNOWN = "decay_correction_unknown"
    WEIGHT_UNKNOWN = "weight_unknown"
    DOSE_UNKNOWN = "dose_unknown"
    SEVERAL_INJECTIONS = "several_injections"
    HALF_LIFE_UNKNOWN = "half_life_unknown"
    INJECTION_TIME_UNKNOWN = "injection_time_unknown"
    SCAN_TIME_UNKNOWN = "scan_time_unknown"
    TIMES_CONFLICT = "times_conflict"
    SERIES_AFTER_ACQUISITION = "series_after_acquisition"
    VARIES = "varies"


@dataclass(frozen=True, slots=True)
class Unit:
    """``factor`` turns rescaled values into values of ``name``. ``activity``: the rescaled values are Bq/ml."""

    name: str
    factor: float = 1.0
    suv_refusal: SuvRefusal | None = None
    activity: bool = False


def unit_of(dataset: Dataset) -> Unit:
    """The unit of an instance's rescaled values."""
    modality = dataset.get("Modality")
    if modality == "PT":
        return _pet(dataset)
    rescale_type = str(dataset.get("RescaleType") or "").strip()
    if modality == "CT":
        image_type = [str(value) for value in _values(dataset.get("ImageType"))]
        if "LOCALIZER" in image_type[2:3]:
            return Unit(ARBITRARY)
        # Rescale Type may be left out where it would be HU (PS3.3, C.8.2.1).
        return Unit(rescale_type or HU) if rescale_type in RESCALE_TYPES | {""} else Unit(ARBITRARY)
    return Unit(rescale_type if rescale_type in RESCALE_TYPES else ARBITRARY)


def common_unit(units: set[Unit]) -> Unit | None:
    """The unit that holds for all instances of a series; None when their values cannot be put together."""
    if len(units) == 1:
        return next(iter(units))
    if units and all(unit.activity for unit in units):
        refusals = sorted(unit.suv_refusal for unit in units if unit.suv_refusal is not None)
        return Unit(BQML, suv_refusal=refusals[0] if refusals else SuvRefusal.VARIES, activity=True)
    return None


def _pet(dataset: Dataset) -> Unit:
    units = str(dataset.get("Units") or "").strip()
    if units == "GML":
        kind = str(dataset.get("SUVType") or "BW").strip()  # absent means body weight (PS3.3, C.8.9.1)
        return Unit(SUVBW) if kind == "BW" else Unit("GML", suv_refusal=SuvRefusal.SUV_TYPE_NOT_BODY_WEIGHT)
    if units != "BQML":
        name = units if units in PET_UNITS else ARBITRARY
        return Unit(name, suv_refusal=SuvRefusal.UNITS_NOT_BQML)
    factor = _suv_factor(dataset)
    if isinstance(factor, SuvRefusal):
        return Unit(BQML, suv_refusal=factor, activity=True)
    return Unit(SUVBW, factor=factor, activity=True)


def _suv_factor(dataset: Dataset) -> float | SuvRefusal:
    """SUVbw for one Bq/ml, in g/ml per Bq/ml."""
    if not {"ATTN", "DECY"} <= {str(value) for value in _values(dataset.get("CorrectedImage"))}:
        return SuvRefusal.NOT_CORRECTED
    weight = _number(dataset.get("PatientWeight"))
    if weight is None or not WEIGHTS_KG[0] <= weight <= WEIGHTS_KG[1]:
        return SuvRefusal.WEIGHT_UNKNOWN
    injections = _values(dataset.get("RadiopharmaceuticalInformationSequence"))
    if len(injections) != 1:
        return SuvRefusal.SEVERAL_INJECTIONS if injections else SuvRefusal.DOSE_UNKNOWN
    dose = _number(injections[0].get("RadionuclideTotalDose"))
    if dose is None or not DOSES_BQ[0] <= dose <= DOSES_BQ[1]:
        return SuvRefusal.DOSE_UNKNOWN
    correction = dataset.get("DecayCorrection")
    if correction == "ADMIN":
        return weight * 1000 / dose
    if correction != "START":
        return SuvRefusal.DECAY_CORRECTION_UNKNOWN
    half_life = _number(injections[0].get("RadionuclideHalfLife"))
    if half_life is None or half_life <= 0:
        return SuvRefusal.HALF_LIFE_UNKNOWN
    delay = _delay(dataset, injections[0])
    if isinstance(delay, SuvRefusal):
        return delay
    if not 0 <= delay <= MAX_HALF_LIVES * half_life:
        return SuvRefusal.TIMES_CONFLICT
    return weight * 1000 / (dose * math.pow(2.0, -delay / half_life))


def _delay(dataset: Dataset, injection: Dataset) -> float | SuvRefusal:
    """Seconds from the injection to the time that the values are corrected to."""
    scan = _moment(dataset.get("SeriesDate"), dataset.get("SeriesTime"))
    acquired = _moment(dataset.get("AcquisitionDate"), dataset.get("AcquisitionTime"))
    if scan is None or acquired is None:
        return SuvRefusal.SCAN_TIME_UNKNOWN
    if (scan - acquired).total_seconds() > SAME_MOMENT_S:
        return SuvRefusal.SERIES_AFTER_ACQUISITION
    by_clock = _moment(dataset.get("SeriesDate"), injection.get("RadiopharmaceuticalStartTime"))
    written = str(injection.get("RadiopharmaceuticalStartDateTime") or "").strip()
    if not written:
        return SuvRefusal.INJECTION_TIME_UNKNOWN if by_clock is None else (scan - by_clock).total_seconds()
    injected = _moment(written[:8], written[8:])
    if injected is None:  # not a time, or one with an offset from UTC, which the other times do not have
        return SuvRefusal.INJECTION_TIME_UNKNOWN
    if by_clock is not None:
        apart = abs((injected - by_clock).total_seconds()) % 86_400
        if min(apart, 86_400 - apart) > CLOCKS_AGREE_S:
            return SuvRefusal.TIMES_CONFLICT
    return (scan - injected).total_seconds()


def _moment(date: Any, time: Any) -> datetime | None:
    """A date (YYYYMMDD) and time (HHMMSS.FFFFFF, from HHMM on) as a moment; None when either is not that."""
    day, clock = str(date or "").strip(), str(time or "").strip()
    whole, _, fraction = clock.partition(".")
    if not (day + whole + (fraction or "0")).isdecimal() or len(whole) not in {4, 6}:
        return None
    try:
        moment = datetime.strptime(day + whole.ljust(6, "0"), "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return moment + timedelta(microseconds=int(fraction[:6].ljust(6, "0") or 0))


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _values(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
