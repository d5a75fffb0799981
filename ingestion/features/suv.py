"""SUVbw of PET: the factor that turns the rescaled values of a series into g/ml, or a named reason why there is none.

Rules: QIBA's vendor-neutral pseudo-code for SUV (Quantitative Imaging Biomarkers Alliance, FDG-PET/CT profile), with
its vendor branches. SUVbw = activity concentration (Bq/ml) × body weight (g) / injected dose decayed to the scan time,
the moment that the concentrations are corrected to (Decay Correction START):

1. Series Date and Time, where they are not later than the first acquisition of the series;
2. else (the series was made again later) GE's private scan time (0009,xx0D, GEMS_PETD_01);
3. else of Siemens (and CPS), with Frame Reference Time and Actual Frame Duration on every frame, each frame's
   acquisition start minus its reference time plus the time of its average count rate (PS3.3, C.8.9.4.1.5); the frames
   must agree. Other makers count the reference time otherwise (Philips from before the acquisition that it names);
4. else the first acquisition of the series, which must be all there (Number of Slices). Where reference times are
   given and lead elsewhere, nothing is decided.

Units CNTS are Philips': its private factors turn counts into SUVbw (7053,xx00) or, without that, into Bq/ml
(7053,xx09). Units GML of type body weight are SUVbw already.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydicom.dataset import Dataset

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
FRAMES_AGREE_S = 2.0
"""Scan times worked out from the frames of one series differ by rounding; of F-18 0.02 % decays in that time."""
PHILIPS, PHILIPS_GROUP, PHILIPS_SUV, PHILIPS_ACTIVITY = "Philips PET Private Group", 0x7053, 0x00, 0x09
SIEMENS = ("SIEMENS", "CPS")
GE_PET, GE_GROUP, GE_SCAN_TIME = "GEMS_PETD_01", 0x0009, 0x0D


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
    SERIES_INCOMPLETE = "series_incomplete"
    VARIES = "varies"


@dataclass(frozen=True, slots=True)
class Injection:
    """Dose in Bq, half-life in s; ``clock``: time of day, ``moment``: date and time, as written."""

    dose: float | None
    half_life: float | None
    clock: str
    moment: str


@dataclass(frozen=True, slots=True)
class PetHeader:
    """What one PET instance says of its values. Times as written, reference time and duration in ms."""

    units: str
    suv_type: str
    corrected: frozenset[str]
    decay_correction: str
    weight: float | None
    injections: tuple[Injection, ...]
    series_date: str
    series_time: str
    acquisition_date: str
    acquisition_time: str
    frame_reference: float | None
    frame_duration: float | None
    slices: int | None
    manufacturer: str
    philips_suv: float | None
    philips_activity: float | None
    ge_scan: str

    @property
    def acquired(self) -> datetime | None:
        return moment(self.acquisition_date, self.acquisition_time)


def pet_header(dataset: Dataset) -> PetHeader:
    """The attributes of a PET instance that its unit depends on."""
    return PetHeader(
        units=_text(dataset.get("Units")),
        suv_type=_text(dataset.get("SUVType")),
        corrected=frozenset(str(value) for value in values_of(dataset.get("CorrectedImage"))),
        decay_correction=_text(dataset.get("DecayCorrection")),
        weight=number_of(dataset.get("PatientWeight")),
        injections=tuple(
            Injection(
                number_of(item.get("RadionuclideTotalDose")),
                number_of(item.get("RadionuclideHalfLife")),
                _text(item.get("RadiopharmaceuticalStartTime")),
                _text(item.get("RadiopharmaceuticalStartDateTime")),
            )
            for item in values_of(dataset.get("RadiopharmaceuticalInformationSequence"))
        ),
        series_date=_text(dataset.get("SeriesDate")),
        series_time=_text(dataset.get("SeriesTime")),
        acquisition_date=_text(dataset.get("AcquisitionDate")),
        acquisition_time=_text(dataset.get("AcquisitionTime")),
        frame_reference=number_of(dataset.get("FrameReferenceTime")),
        frame_duration=number_of(dataset.get("ActualFrameDuration")),
        slices=None if (slices := number_of(dataset.get("NumberOfSlices"))) is None else int(slices),
        manufacturer=_text(dataset.get("Manufacturer")),
        philips_suv=number_of(_private(dataset, PHILIPS_GROUP, PHILIPS, PHILIPS_SUV)),
        philips_activity=number_of(_private(dataset, PHILIPS_GROUP, PHILIPS, PHILIPS_ACTIVITY)),
        ge_scan=_text(_private(dataset, GE_GROUP, GE_PET, GE_SCAN_TIME)),
    )


def counts_factor(header: PetHeader) -> tuple[float | None, float | None]:
    """For Units CNTS: what turns rescaled counts into SUVbw, and what turns them into Bq/ml; None where not given."""
    return (
        header.philips_suv if header.philips_suv and header.philips_suv > 0 else None,
        header.philips_activity if header.philips_activity and header.philips_activity > 0 else None,
    )


def corrected(header: PetHeader) -> bool:
    """Whether the values are corrected for attenuation and decay: without, no SUV has a meaning."""
    return {"ATTN", "DECY"} <= header.corrected


def suv_factor(header: PetHeader, series: Sequence[PetHeader]) -> float | SuvRefusal:
    """SUVbw of one Bq/ml, in g/ml per Bq/ml, for an instance of ``series`` (of which it may be the only one)."""
    if not corrected(header):
        return SuvRefusal.NOT_CORRECTED
    if header.weight is None or not WEIGHTS_KG[0] <= header.weight <= WEIGHTS_KG[1]:
        return SuvRefusal.WEIGHT_UNKNOWN
    if len(header.injections) != 1:
        return SuvRefusal.SEVERAL_INJECTIONS if header.injections else SuvRefusal.DOSE_UNKNOWN
    injection = header.injections[0]
    if injection.dose is None or not DOSES_BQ[0] <= injection.dose <= DOSES_BQ[1]:
        return SuvRefusal.DOSE_UNKNOWN
    if header.decay_correction == "ADMIN":
        return header.weight * 1000 / injection.dose
    if header.decay_correction != "START":
        return SuvRefusal.DECAY_CORRECTION_UNKNOWN
    if injection.half_life is None or injection.half_life <= 0:
        return SuvRefusal.HALF_LIFE_UNKNOWN
    scan = scan_time(series, half_life=injection.half_life)
    if isinstance(scan, SuvRefusal):
        return scan
    delay = _delay(scan, header.series_date, injection)
    if isinstance(delay, SuvRefusal):
        return delay
    if not 0 <= delay <= MAX_HALF_LIVES * injection.half_life:
        return SuvRefusal.TIMES_CONFLICT
    return header.weight * 1000 / (injection.dose * math.pow(2.0, -delay / injection.half_life))


def scan_time(series: Sequence[PetHeader], *, half_life: float) -> datetime | SuvRefusal:
    """The moment that the values of a series are decay corrected to, by the rules of this module."""
    starts = {(header.series_date, header.series_time) for header in series}
    if len(starts) > 1:
        return SuvRefusal.VARIES
    started = moment(*starts.pop())
    acquired = [header.acquired for header in series]
    known = [time for time in acquired if time is not None]
    if started is None or len(known) < len(acquired):
        return SuvRefusal.SCAN_TIME_UNKNOWN
    first = min(known)
    if (started - first).total_seconds() <= SAME_MOMENT_S:
        return started
    private = {header.ge_scan for header in series}
    if len(private) == 1 and (written := next(iter(private))):
        kept = moment(written[:8], written[8:])
        if kept is None or (kept - first).total_seconds() > SAME_MOMENT_S:
            return SuvRefusal.TIMES_CONFLICT
        return kept
    if any(header.manufacturer.upper().startswith("GE") for header in series):
        return SuvRefusal.SERIES_AFTER_ACQUISITION  # GE counts its reference time otherwise
    if all((header.frame_reference or 0) > 0 and (header.frame_duration or 0) > 0 for header in series):
        implied = _from_frames(series, half_life)
        if all(header.manufacturer.upper().startswith(SIEMENS) for header in series) or isinstance(implied, SuvRefusal):
            return implied
        if abs((implied - first).total_seconds()) > FRAMES_AGREE_S:
            return SuvRefusal.TIMES_CONFLICT
    if any(header.slices is not None and header.slices > len(series) for header in series):
        return SuvRefusal.SERIES_INCOMPLETE
    return first


def _from_frames(series: Sequence[PetHeader], half_life: float) -> datetime | SuvRefusal:
    decay = math.log(2) / half_life
    found = []
    for header in series:
        reference, span = (header.frame_reference or 0) / 1000, (header.frame_duration or 0) / 1000
        average = math.log(decay * span / -math.expm1(-decay * span)) / decay
        acquired = header.acquired
        assert acquired is not None
        found.append(acquired + timedelta(seconds=average - reference))
    if (max(found) - min(found)).total_seconds() > FRAMES_AGREE_S:
        return SuvRefusal.VARIES
    return sorted(found)[len(found) // 2]


def _delay(scan: datetime, series_date: str, injection: Injection) -> float | SuvRefusal:
    """Seconds from the injection to the scan. A time of day without a date is taken to be of the series' day."""
    by_clock = moment(series_date, injection.clock)
    if not injection.moment:
        return SuvRefusal.INJECTION_TIME_UNKNOWN if by_clock is None else (scan - by_clock).total_seconds()
    injected = moment(injection.moment[:8], injection.moment[8:])
    if injected is None:  # not a time, or one with an offset from UTC, which the other times do not have
        return SuvRefusal.INJECTION_TIME_UNKNOWN
    if by_clock is not None:
        apart = abs((injected - by_clock).total_seconds()) % 86_400
        if min(apart, 86_400 - apart) > CLOCKS_AGREE_S:
            return SuvRefusal.TIMES_CONFLICT
    return (scan - injected).total_seconds()


def moment(date: Any, time: Any) -> datetime | None:
    """A date (YYYYMMDD) and time (HHMMSS.FFFFFF, from HHMM on) as a moment; None when either is not that."""
    day, clock = str(date or "").strip(), str(time or "").strip()
    whole, _, fraction = clock.partition(".")
    if not (day + whole + (fraction or "0")).isdecimal() or len(whole) not in {4, 6}:
        return None
    try:
        found = datetime.strptime(day + whole.ljust(6, "0"), "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return found + timedelta(microseconds=int(fraction[:6].ljust(6, "0") or 0))


def number_of(value: Any) -> float | None:
    """``value`` as a finite number; None where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def values_of(value: Any) -> list[Any]:
    """The values of an attribute that may have none, one or several."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _private(dataset: Dataset, group: int, creator: str, offset: int) -> Any:
    """A private attribute's value; bytes of an unknown VR as their text."""
    try:
        value = dataset.private_block(group, creator)[offset].value
    except KeyError:
        return None
    return value.decode("ascii", "replace").strip("\0 ") if isinstance(value, bytes) else value


def _text(value: Any) -> str:
    return str(value or "").strip()
