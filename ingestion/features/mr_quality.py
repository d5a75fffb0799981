"""Quality measures of MR magnitude images, as MRIQC's code defines them, with tissue classes by Otsu's threshold.

Source: MRIQC (Esteban et al., PLoS ONE 2017;12:e0184661), module ``mriqc.qc.anatomical``. MRIQC takes grey and white
matter from a segmentation of the brain; here the body is split by a second Otsu threshold into a dark and a bright
class, and air is what lies outside the body: the measures are variants, and say so in their names. They are of use to
compare series of one protocol, not to compare with MRIQC's own values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy.ndimage import binary_dilation, binary_erosion, binary_fill_holes, generate_binary_structure, label

from ingestion.features.body import otsu

DIETRICH = math.sqrt((4 - math.pi) / 2)
"""Noise of a magnitude image in air (Rayleigh) has this part of its true deviation (Dietrich et al., 2007)."""
NORMAL_MAD = 0.6744897501960817
"""The median absolute deviation of a normal distribution of deviation 1."""
FEWEST = 200
"""Voxels of a class below which nothing is said of it."""
AIR_MARGIN = 3
"""Voxels beside the body that are not taken for air: they hold its blurred edge."""
NO_SIGNAL = 1e-3
"""Median energy of air below which there is none: the background was cut away (MRIQC's limit)."""

MAGNITUDE = frozenset({"M", "M_FFE", "M_SE", "M_IR"})
NOT_MAGNITUDE = frozenset({"P", "R", "I", "PHASE", "PHASE MAP", "REAL", "IMAGINARY", "ADC", "FA"})
"""Values of Image Type, of several makers."""

COLUMNS = (
    "SnrBrightOtsu", "SnrDarkOtsu", "SnrDietrichBrightOtsu", "SnrDietrichDarkOtsu", "CjvOtsu", "CnrOtsu", "FberOtsu",
    "Efc",
)  # fmt: skip


def is_magnitude(image_type: Any, component: Any, ge_type: int | None = None) -> bool:
    """Whether a header says that the values are magnitudes.

    By Complex Image Component (PS3.3, C.8.13.3.1.1), by the third and later values of Image Type as Siemens and Philips
    write them, or by GE's own image type, 0 for magnitude. One that says nothing is not taken for a magnitude.
    """
    if component:
        return str(component) == "MAGNITUDE"
    kinds = [image_type] if isinstance(image_type, str) else list(image_type or ())
    third = {str(kind) for kind in kinds[2:]}
    if third & NOT_MAGNITUDE:
        return False
    return ge_type == 0 if ge_type is not None else bool(third & MAGNITUDE)


def ge_image_type(dataset: Dataset) -> int | None:
    """GE's image type (0043,xx2F): 0 magnitude, 1 phase, 2 real, 3 imaginary; None where there is none."""
    try:
        return int(dataset.private_block(0x0043, "GEMS_PARM_01")[0x2F].value)
    except (KeyError, TypeError, ValueError):
        return None


def mr_quality(volume: NDArray[np.float32]) -> dict[str, float | None]:
    """All measures of a magnitude image (slice, row, column); None for one that is undefined here."""
    found: dict[str, float | None] = dict.fromkeys(COLUMNS)
    found["Efc"] = _entropy_focus(volume)
    threshold = otsu(volume)
    if threshold is None:
        return found
    body = _largest(volume > threshold)
    air = ~binary_dilation(body, structure=generate_binary_structure(3, 1), iterations=AIR_MARGIN)
    split = otsu(volume[body]) if body.any() else None
    if split is None:
        return found
    bright, dark = _eroded(body & (volume > split)), _eroded(body & (volume <= split))
    inside, outside, empty = volume[bright], volume[dark], volume[air]
    if min(inside.size, outside.size) < FEWEST:
        return found
    for name, values in (("Bright", inside), ("Dark", outside)):
        spread = float(values.std(dtype=np.float64)) * math.sqrt(values.size / (values.size - 1))
        found[f"Snr{name}Otsu"] = _quotient(float(np.median(values)), spread)
    difference = abs(float(inside.mean(dtype=np.float64)) - float(outside.mean(dtype=np.float64)))
    spreads = float(inside.std(dtype=np.float64)), float(outside.std(dtype=np.float64))
    found["CjvOtsu"] = _quotient(sum(spreads), difference)
    if empty.size < FEWEST:
        return found
    air_spread = float(empty.std(dtype=np.float64))
    air_mad = float(np.median(np.abs(empty - np.median(empty)))) / NORMAL_MAD
    noise = air_mad if air_mad > 1 else air_spread if air_spread > NO_SIGNAL else 0.0
    for name, values in (("Bright", inside), ("Dark", outside)):
        found[f"SnrDietrich{name}Otsu"] = _quotient(DIETRICH * float(np.median(values)), noise)
    found["CnrOtsu"] = _quotient(difference, math.hypot(air_spread, *spreads))
    energy = float(np.median(volume[~body].astype(np.float64) ** 2))
    found["FberOtsu"] = None if energy < NO_SIGNAL else float(np.median(volume[body].astype(np.float64) ** 2)) / energy
    return found


def _entropy_focus(volume: NDArray[np.float32]) -> float | None:
    """Entropy of the intensities' shares of the energy, over that of a uniform image (Atkinson et al., 1997)."""
    values = volume.astype(np.float64).ravel()
    number, energy = values.size, math.sqrt(float((values * values).sum()))
    if energy == 0 or number < 2:
        return None
    largest = math.sqrt(number) * math.log(1 / math.sqrt(number))
    return float(np.sum(values / energy * np.log((values + 1e-16) / energy)) / largest)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    parts, number = label(mask)
    if number == 0:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.stack([binary_fill_holes(plane) for plane in parts == int(np.argmax(sizes))])


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """As MRIQC erodes its classes; within the slice where there are fewer than three."""
    structure = generate_binary_structure(3, 2)
    if mask.shape[0] < 3:
        structure[[0, 2]] = False
    eroded: NDArray[np.bool_] = binary_erosion(mask, structure=structure)
    return eroded


def _quotient(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > 0 else None
