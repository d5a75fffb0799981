"""Values of a manifest as column values. A hostile header can hold anything: what does not fit becomes None."""

from __future__ import annotations

import math
from typing import Any

MAX_INTEGER = 2**31 - 1
"""PostgreSQL's integer; also the largest Integer String (PS3.5, section 6.2)."""


def text(value: Any) -> str | None:
    """One text; values of a multi-valued attribute are joined by the backslash that DICOM separates them with."""
    if isinstance(value, list):
        parts = [text(item) or "" for item in value]
        return "\\".join(parts) if any(parts) else None
    if value is None or isinstance(value, dict):
        return None
    # PostgreSQL's text can't hold NUL nor Parquet's lone surrogates; both are met in damaged headers.
    return str(value).replace("\0", "").encode(errors="replace").decode().strip() or None


def number(value: Any, *, at: int = 0) -> float | None:
    """A finite number; of several values the one at position ``at``."""
    if isinstance(value, list):
        return number(value[at]) if at < len(value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or at:
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def integer(value: Any) -> int | None:
    """A whole number within the range of a database integer."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() and abs(found) <= MAX_INTEGER else None
