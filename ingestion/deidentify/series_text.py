"""Lettering in a series of scanner images, looked for in all of them before the first is written.

What stands in one slice mostly stands in others too, and a detector misses some: so one slice in which it is found
holds back all. And what stands at the same place in every slice adds up over them, while anatomy does not: the mean of
the screen's answers, and the mean picture, show lettering that is too faint in each.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.pixel_work import PixelWorker
from ingestion.deidentify.pixels.decision import box_to_text
from ingestion.deidentify.pixels.screening import Screened
from ingestion.deidentify.pixels.series_memory import SeriesMemory
from ingestion.deidentify.pixels.text_screen import find_screen
from ingestion.deidentify.study import open_object, shared_runs
from ingestion.dicom.elements import Buffer
from ingestion.dicom.runs import SharedRuns


@dataclass(slots=True)
class SeriesText:
    """What was seen of a series' objects, by a name for each; a changed object is looked at anew in its turn."""

    worker: PixelWorker
    _memory: SeriesMemory = field(default_factory=SeriesMemory, repr=False)
    _shared: SharedRuns | None = field(default_factory=shared_runs, repr=False)
    _seen: dict[str, tuple[int, Screened]] = field(default_factory=dict, repr=False)
    _together: str | None = None

    def add(self, name: str, raw: Buffer) -> None:
        """Look at one object, where it is of a kind that is screened.

        Raises:
            InstanceRefusedError: it cannot be read, or is of a kind that no rule covers.
        """
        screened = self.worker.screen(open_object(raw, self._shared), memory=self._memory)
        if screened is not None:
            self._seen[name] = (zlib.crc32(raw), screened)

    def judge(self) -> None:
        """Look at the means. To be called once, after the last object.

        Raises:
            InstanceRefusedError: the detector is needed and not installed.
        """
        screen = find_screen()
        found = () if screen is None else self._memory.lettering(screen, self.worker.detector)
        self._memory = SeriesMemory()
        if found:
            surest = max(found, key=lambda text: (text.confidence, text.box))
            self._together = f"text is likely at {box_to_text(surest.box)} in all frames together"

    def screened(self, name: str, raw: Buffer) -> Screened | None:
        """What was seen of these bytes; None: nothing, or they are others now."""
        checksum, screened = self._seen.get(name, (None, None))
        return screened if checksum == zlib.crc32(raw) else None

    def refuse_beside(self, name: str) -> None:
        """Hold back an object that shows nothing itself, in a series that does.

        Raises:
            InstanceRefusedError: BURNED_IN_ANNOTATION.
        """
        if name not in self._seen or self._seen[name][1].findings:
            return  # another kind of object, or refused with its own boxes
        if any(screened.findings for _, screened in self._seen.values()):
            raise InstanceRefusedError(
                Reason.BURNED_IN_ANNOTATION,
                rule="pixels.text_beside",
                detail="another image of its series is likely to show text; decide about that one first",
            )
        if self._together is not None:
            raise InstanceRefusedError(Reason.BURNED_IN_ANNOTATION, rule="pixels.text_in_series", detail=self._together)
