"""Numbers of a series for the report: size, spacing, orientation, coverage, distribution of values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.dicom.geometry import geometry_of
from quality_checks.examination import CheckOutcome
from quality_checks.imaging.objects import StoredObject
from quality_checks.imaging.series import FEWEST_SAMPLED, SAMPLED_PIXELS, FrameSeen, SeriesContext

PERCENTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)


class Figures:
    """Gathers as a group does, and judges nothing."""

    def __init__(self, context: SeriesContext) -> None:
        self._context = context
        self._each = max(SAMPLED_PIXELS // max(context.frames_announced, 1), FEWEST_SAMPLED)
        self._samples: list[NDArray[np.float32]] = []
        self._padding = 0
        self._pixels = 0
        self._syntaxes: set[str] = set()

    def see(self, stored: StoredObject) -> None:
        self._syntaxes.add(str(stored.syntax))

    def see_frame(self, frame: FrameSeen) -> None:
        if not frame.grey:
            return
        self._pixels += frame.stored.size
        if frame.padding is not None:
            self._padding += int(np.count_nonzero(frame.padding))
        self._samples.append(sample(frame, self._each))

    def outcomes(self) -> Iterable[CheckOutcome]:
        return ()

    def figures(self) -> dict[str, Any]:
        attributes = [one.attributes for one in self._context.log]
        geometry = geometry_of(attributes, modality=self._context.modality)
        found: dict[str, Any] = {
            "frames": len(attributes),
            "rows": sorted({item.get("Rows") for item in attributes} - {None}),
            "columns": sorted({item.get("Columns") for item in attributes} - {None}),
            "geometry": geometry.kind.value,
            "volumes": geometry.volumes,
            "split_by": list(geometry.split_by),
            "orientation": geometry.orientation.value if geometry.orientation else None,
            "spacing_mm": [_rounded(value) for value in geometry.spacing],
            "coverage_mm": _rounded(geometry.coverage_mm),
            "transfer_syntaxes": sorted(self._syntaxes),
            "padding_share": round(self._padding / self._pixels, 4) if self._pixels else None,
        }
        seen = np.concatenate(self._samples) if self._samples else np.empty(0)
        seen = seen[np.isfinite(seen)]
        if seen.size:
            values = np.percentile(seen, PERCENTILES)
            found["percentiles"] = {f"p{name}": _rounded(float(v)) for name, v in zip(PERCENTILES, values, strict=True)}
        return found


def sample(frame: FrameSeen, number: int) -> NDArray[np.float32]:
    """About ``number`` rescaled values of a grey frame that are no padding, evenly over it."""
    flat = frame.stored.reshape(-1)
    # An odd step, so that it does not fall on the same columns of every row.
    step = max(flat.size // number, 1) | 1
    taken = flat[::step].astype(np.float64)
    if frame.padding is not None:
        taken = taken[~frame.padding.reshape(-1)[::step]]
    if frame.rescale is not None:
        taken = taken * frame.rescale.slope + frame.rescale.intercept
    return taken.astype(np.float32)


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
