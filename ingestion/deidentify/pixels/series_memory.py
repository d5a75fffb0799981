"""What is remembered of the frames of a series while they are screened, in bounded memory.

What stands at the same place in every slice adds up over them, while anatomy does not: the mean of the screen's
answers, and the mean picture, show lettering that is too faint in each.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ingestion.deidentify.pixels.detector import TextBox, TextDetector
from ingestion.deidentify.pixels.display import shown, window_of
from ingestion.deidentify.pixels.second_look import second_look
from ingestion.deidentify.pixels.text_screen import Logits, Rejected, TextScreen, runs, suspects

FEWEST = 4
"""Frames of one size whose mean says more than each of them."""
MEAN_LEVEL = -1.0
"""Mean log-odds from which a place is looked at: lower than in one frame, for chance does not add up."""
OWN_LEVEL = 0.0
"""Log-odds in the mean picture itself from which a place is looked at."""
MOST_SIZES = 4
"""Sizes of frames in one series whose means are held; a series has one or two."""
MOST_PIXELS = 1 << 22
"""Pixels of a frame up to which the mean is held: 32 MB."""


@dataclass(slots=True)
class _Sum:
    looks: NDArray[np.float32]
    logits: Logits
    count: int = 0


@dataclass(slots=True)
class SeriesMemory:
    """Sums of what was seen of frames of one size, and what was rejected in them."""

    sums: dict[tuple[int, ...], _Sum] = field(default_factory=dict, repr=False)
    _rejected: dict[tuple[int, ...], Rejected] = field(default_factory=dict, repr=False)

    def rejected(self, shape: tuple[int, ...]) -> Rejected:
        """What the detector rejected in frames of this size."""
        return self._rejected.setdefault(shape, Rejected())

    def add(self, looks: NDArray[np.float32], logits: Logits) -> None:
        """One frame, as the screen saw it."""
        found = self.sums.get(looks.shape)
        if found is None:
            if len(self.sums) >= MOST_SIZES or looks[0].size > MOST_PIXELS:
                return
            found = self.sums[looks.shape] = _Sum(np.zeros_like(looks), np.zeros_like(logits))
        found.looks += looks
        found.logits += logits
        found.count += 1

    def lettering(self, screen: TextScreen, detector: TextDetector) -> tuple[TextBox, ...]:
        """Lines that stand in the frames of one size at the same place."""
        found: list[TextBox] = []
        for shape, total in sorted(self.sums.items()):
            if total.count >= FEWEST:
                mean = _stretched(total.looks / np.float32(total.count))
                together = total.logits / np.float32(total.count)
                best = np.maximum(runs(screen.look(mean)) - OWN_LEVEL, runs(together) - MEAN_LEVEL)
                for suspect in suspects(best, rows=shape[1], columns=shape[2], level=0.0):
                    found += second_look(mean, suspect.box, detector)
        return tuple(found)


def _stretched(mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """A mean of many frames is flat: shown between its own percentiles, and over its own range."""
    window, whole = mean[0], mean[1]
    looks = np.stack([shown(window, window_of(window, None)), shown(whole, (float(whole.min()), float(whole.max())))])
    looks *= 2
    looks -= 1
    return looks
