"""How the values of a source are distributed, and which of them lie far outside: by modality, unit and manufacturer."""

from __future__ import annotations

import numpy as np
import pandas as pd

FAR = 6.0
"""Robust standard deviations from the median: of a normal distribution one value in 500 million lies farther."""
ENOUGH = 8
"""Values of a group below which nothing is called an outlier."""
NORMAL_MAD = 0.6744897501960817
"""The median absolute deviation of a normal distribution of deviation 1."""
KINDS = ["Level", "Modality", "Unit", "Feature"]
QUARTILES = {"Minimum": 0.0, "Quartile1": 0.25, "Median": 0.5, "Quartile3": 0.75, "Maximum": 1.0}


def outliers(long: pd.DataFrame) -> pd.Series:
    """For each row of the long table whether its value lies far outside those of its kind; NA where too few are there.

    The kind is level, modality, unit and feature. Where half of the values are equal, nothing is far outside: the
    spread is not known.
    """
    values = long["Value"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    found = pd.Series(pd.array([pd.NA] * len(long), dtype="boolean"), index=long.index)
    for positions in long.groupby(KINDS, dropna=False, sort=False, observed=True).indices.values():
        given = values[positions]
        known = given[np.isfinite(given)]
        if len(known) < ENOUGH:
            continue
        spread = float(np.median(np.abs(known - np.median(known)))) / NORMAL_MAD
        far = np.abs(given - np.median(known)) > FAR * spread if spread > 0 else np.zeros(len(given), dtype=bool)
        found.iloc[positions] = pd.array(np.where(np.isfinite(given), far, False), dtype="boolean")
        found.iloc[positions[~np.isfinite(given)]] = pd.NA
    return found


def distributions(long: pd.DataFrame) -> pd.DataFrame:
    """Number, quartiles and outliers of each feature by level, modality, unit and manufacturer."""
    rows = []
    given = long[long["Value"].notna()]
    for key, part in given.groupby([*KINDS, "Manufacturer"], dropna=False, sort=True, observed=True):
        values = part["Value"].to_numpy(dtype=np.float64)
        quartiles = {name: float(np.quantile(values, share)) for name, share in QUARTILES.items()}
        named = dict(zip([*KINDS, "Manufacturer"], map(_name, key), strict=True))
        far = int(part["Outlier"].fillna(False).sum())
        rows.append({**named, "Number": len(values), **quartiles, "Outliers": far})
    return pd.DataFrame(rows, columns=[*KINDS, "Manufacturer", "Number", *QUARTILES, "Outliers"])


def _name(value: object) -> str | None:
    """A group's name; None for the group without one."""
    return str(value) if isinstance(value, str) else None
