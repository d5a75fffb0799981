"""Whether the objects are what was stored, can be opened, and their pixels decode to what the header describes."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.uid import UID

from quality_checks.examination import CheckOutcome
from quality_checks.imaging.declare import imaging_rule
from quality_checks.imaging.decode import expected_bytes
from quality_checks.imaging.objects import StoredObject
from quality_checks.imaging.series import FrameSeen
from quality_checks.imaging.tally import Tally
from quality_checks.model import Dimension

AGAIN = "Have the series exported and delivered again."
UNCHANGED = imaging_rule(
    "image_unchanged",
    Dimension.INTEGRITY,
    title="Stored objects have the bytes that were stored",
    meaning="Another digest at reading means that a disk, a copy or a person changed the object.",
    fault="objects that are gone or have other bytes than were stored",
    remedy="Restore the objects from the replica, or process the series again.",
    excludes=True,
)
OPENS = imaging_rule(
    "image_opens",
    Dimension.INTEGRITY,
    title="Objects can be opened",
    meaning="An object that ends within its header or is no DICOM can be used by nobody.",
    fault="objects that cannot be opened",
    remedy=AGAIN,
    excludes=True,
)
PIXELS_WHOLE = imaging_rule(
    "image_pixels_whole",
    Dimension.INTEGRITY,
    title="Pixel data is as long as the header describes",
    meaning="Shorter pixel data is a truncated image; readers fill the rest with noise or stop.",
    fault="pixel data shorter than Rows × Columns × frames × bits",
    remedy=AGAIN,
    excludes=True,
)
PIXELS_EXACT = imaging_rule(
    "image_pixels_not_padded",
    Dimension.INTEGRITY,
    title="Pixel data ends where the header says",
    meaning="Surplus bytes mean that Rows, Columns, frames or bits are wrong, or that a writer filled up the value.",
    fault="pixel data longer than Rows × Columns × frames × bits, or without the delimiter that ends it",
    remedy="Compare the image with the archive: lines that are shifted show a wrong Columns.",
)
DECODES = imaging_rule(
    "image_decodes",
    Dimension.INTEGRITY,
    title="Every frame decodes",
    meaning="A frame that does not decode is lost to every user.",
    fault="frames that do not decode, or not to Rows × Columns",
    remedy=AGAIN,
    excludes=True,
)
META_AGREES = imaging_rule(
    "image_meta_agrees",
    Dimension.CONSISTENCY,
    title="File meta information agrees with the data set",
    meaning="Servers file objects by the one and show the other (PS3.10 section 7.1).",
    fault="file meta information that contradicts the data set",
    remedy="Have the file meta information written anew from the data set.",
)
RULES = (UNCHANGED, OPENS, PIXELS_WHOLE, PIXELS_EXACT, DECODES, META_AGREES)


class Integrity:
    """``changed``, ``damaged`` and ``undecodable`` are told by the reader; the rest is seen here."""

    def __init__(self) -> None:
        self._tallies = {rule.id: Tally(rule) for rule in RULES}

    def read(self, uid: str, *, sound: bool, detail: str = "") -> None:
        self._tallies[UNCHANGED.id].check(sound, detail, uid)

    def opened(self, uid: str | None, *, detail: str | None) -> None:
        self._tallies[OPENS.id].check(detail is None, detail or "", uid)

    def decoded(self, stored: StoredObject, *, frames: int, detail: str | None) -> None:
        """``frames`` decoded; ``detail`` says what ended it early."""
        tally = self._tallies[DECODES.id]
        announced = max(stored.number("NumberOfFrames", 1), 1)
        tally.judge(max(frames, announced))
        if detail is not None:
            tally.fault(f"frame {frames + 1} of {announced}: {detail}", f"{stored.uid}#{frames + 1}")
        elif frames != announced:
            tally.fault(f"{frames} frames decoded, NumberOfFrames is {announced}", stored.uid)

    def see(self, stored: StoredObject) -> None:
        self._see_meta(stored)
        place = stored.pixels
        if place is None:
            return
        whole, exact = self._tallies[PIXELS_WHOLE.id], self._tallies[PIXELS_EXACT.id]
        whole.judge()
        if place.encapsulated:
            exact.judge()
            if place.missing:
                whole.fault(f"the last fragment lacks {place.missing:,} bytes", stored.uid)
            elif not place.ended:
                exact.fault("no delimiter ends the encapsulated pixel data", stored.uid)
            return
        exact.judge()
        asked, there = expected_bytes(stored), place.stop - place.start
        if there < asked or place.missing:
            whole.fault(f"{there:,} bytes, the header describes {asked:,}", stored.uid)
        elif there > asked + asked % 2:
            exact.fault(f"{there:,} bytes, the header describes {asked:,}", stored.uid)

    def see_frame(self, frame: FrameSeen) -> None:
        """Frames are counted by ``decoded``."""

    def _see_meta(self, stored: StoredObject) -> None:
        tally, meta = self._tallies[META_AGREES.id], stored.header.file_meta
        tally.judge()
        wrong = [
            keyword
            for keyword, own in (
                ("MediaStorageSOPClassUID", "SOPClassUID"),
                ("MediaStorageSOPInstanceUID", "SOPInstanceUID"),
            )
            if (said := str(meta.get(keyword) or "")) and said != str(stored.header.get(own) or "")
        ]
        if wrong:
            tally.fault(f"{' and '.join(wrong)} differ from the data set", stored.uid)
        elif stored.pixels is not None and stored.pixels.encapsulated is not UID(stored.syntax).is_encapsulated:
            said = "encapsulated" if stored.pixels.encapsulated else "native"
            tally.fault(f"{said} pixel data under a transfer syntax that has the other", stored.uid)

    def outcomes(self) -> Iterable[CheckOutcome]:
        return [tally.outcome() for tally in self._tallies.values()]
