"""One pass over a series: each object read once and decoded once, all checks share it.

Memory is bounded by one object and a few numbers per frame; the order of the files does not matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.accounting.manifest import Manifest, ManifestInstance
from ingestion.dicom.frames import frames_of
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.summary import INSTANCE_KEYWORDS, summarise
from ingestion.dicom.values import Rescale, VolumeRefusedError
from ingestion.storage import ObjectMissingError
from quality_checks.examination import CheckOutcome, Examination
from quality_checks.imaging import rules_digest
from quality_checks.imaging.decode import UndecodableError, frames
from quality_checks.imaging.digests import frame_digest, perceptual_hash, pixel_digest
from quality_checks.imaging.figures import Figures
from quality_checks.imaging.groups import SEGMENTS, groups_for
from quality_checks.imaging.integrity import Integrity
from quality_checks.imaging.objects import ObjectDamagedError, StoredObject, open_object
from quality_checks.imaging.padding import padding_of
from quality_checks.imaging.pictures import blanked_boxes, may_be_shown, thumbnail, why_none, windowed
from quality_checks.imaging.series import (
    FrameRecord,
    FrameSeen,
    Group,
    SeriesContext,
    as_float,
    depth_of,
    in_spatial_order,
)

PICKED_FRAMES = 5
"""Frames of a series that are hashed: spread over it, so that shifted and cut series still share some."""

SIZES = ("Rows", "Columns")
"""One number each; a damaged header can hold several, or a text."""

Read = Callable[[ManifestInstance], bytes]
Described = tuple[dict[str, Any], Rescale | VolumeRefusedError]
"""Attributes of a frame, and its rescale or why there is none."""


def examine(
    manifest: Manifest, read: Read, *, companions: Sequence[Manifest] | None = None, thumbnails: bool = True
) -> Examination:
    """Everything that the imaging checks find in one series.

    Args:
        read: the bytes of one instance; called once for each, in spatial order.
        companions: the other series of the same patient, for what refers to them; None: not known, so references are
            not judged. An empty tuple says that there is nothing else.
        thumbnails: whether to make a small picture at all.

    Raises:
        StoreError: from ``read``. What is wrong with the objects is a fault in the result, never an exception.
    """
    announced = sum(_frames_announced(item) for item in manifest.instances)
    context = SeriesContext(manifest, companions, announced)
    return _Pass(context, groups_for(context, read), thumbnails=thumbnails).run(read)


@dataclass(slots=True)
class _Kept:
    """What is kept of the frames."""

    hashes: dict[int, str] = field(default_factory=dict)
    shown: FrameSeen | None = None
    """The frame that stands for the series: the middle one, or the nearest before or after it that shows something; of
    a segmentation the fullest."""
    filled: int = 0
    blank: bool = False
    hidden: bool = False
    """Frames were seen that show one value; that may not be shown."""


class _Pass:
    def __init__(self, context: SeriesContext, groups: Sequence[Group], *, thumbnails: bool) -> None:
        self._context = context
        self._integrity = Integrity()
        self._figures = Figures(context)
        self._groups: tuple[Group, ...] = (self._integrity, *groups, self._figures)
        self._kept = _Kept()
        self._thumbnails = thumbnails
        count = context.frames_announced
        chosen = sorted({int((n + 0.5) * count / PICKED_FRAMES) for n in range(PICKED_FRAMES)}) if count else []
        self._picks = {number: at for at, number in enumerate(chosen)}

    def run(self, read: Read) -> Examination:
        first = 0
        for item in in_spatial_order(self._context.manifest.instances):
            stored = self._open(item, read)
            if stored is not None:
                self._see(stored, first)
            first += _frames_announced(item)
        return self._result()

    def _open(self, item: ManifestInstance, read: Read) -> StoredObject | None:
        try:
            body = read(item)
        except ObjectMissingError:
            self._integrity.read(item.SOPInstanceUID, sound=False, detail="not in the store")
            self._log_undecoded(item.SOPInstanceUID, [item.attributes])
            return None
        same = hashlib.sha256(body).hexdigest() == item.sha256
        self._integrity.read(item.SOPInstanceUID, sound=same, detail="another digest than when it was stored")
        try:
            stored = open_object(item, body)
        except ObjectDamagedError as damaged:
            self._integrity.opened(item.SOPInstanceUID, detail=damaged.detail)
            self._log_undecoded(item.SOPInstanceUID, [item.attributes])
            return None
        return stored

    def _see(self, stored: StoredObject, first: int) -> None:
        """``first``: number of its first frame in the series."""
        detail = None
        try:
            for group in self._groups:
                group.see(stored)
            if stored.pixels is not None:
                self._see_frames(stored, first)
        except PARSER_ERRORS as error:
            detail = f"an attribute has a value that cannot be read ({type(error).__name__})"
        self._integrity.opened(stored.uid, detail=detail)

    def _see_frames(self, stored: StoredObject, first: int) -> None:
        described = list(_described(stored))
        ranks = _ranks(described)
        number, detail = 0, None
        decoded = frames(stored)
        while True:
            try:
                pixels = next(decoded, None)
            except UndecodableError as error:
                detail = error.detail
                break
            if pixels is None:
                break
            attributes, rescale = described[min(number, len(described) - 1)]
            rank = ranks[number] if number < len(ranks) else number
            frame = _frame(stored, number, pixels, attributes, rescale, picked=self._picks.get(first + rank))
            self._keep(frame)
            for group in self._groups:
                group.see_frame(frame)
            number += 1
        self._integrity.decoded(stored, frames=number, detail=detail)
        self._log_undecoded(stored.uid, [attributes for attributes, _ in described[number:]], first=number)

    def _log_undecoded(self, uid: str, described: Sequence[Mapping[str, Any]], *, first: int = 0) -> None:
        """A frame that is damaged still has its place: the geometry does not take it for missing."""
        for index, attributes in enumerate(described, start=first):
            said = {name: value for name, value in attributes.items() if name not in SIZES or isinstance(value, int)}
            record = FrameRecord(uid, index, said, depth_of(said), sha256="", constant=False)
            self._context.log.append(record)

    def _keep(self, frame: FrameSeen) -> None:
        self._context.log.append(
            FrameRecord(
                uid=frame.owner.uid,
                index=frame.index,
                attributes=frame.attributes,
                depth=depth_of(frame.attributes),
                sha256=frame.sha256,
                constant=frame.constant,
            )
        )
        if self._context.sop_class in SEGMENTS and self._thumbnails:
            filled = int(np.count_nonzero(frame.stored))
            self._choose(frame, better=filled > self._kept.filled)
            self._kept.filled = max(filled, self._kept.filled)
        if frame.picked is None:
            return
        self._kept.hashes[frame.picked] = perceptual_hash(windowed(frame, self._context.modality, shown=False))
        if self._context.sop_class not in SEGMENTS:
            self._choose(frame, better=self._nearer(frame.picked))

    def _nearer(self, picked: int) -> bool:
        """Whether a picked frame is nearer to the middle than the one that is kept."""
        middle, kept = len(self._picks) // 2, self._kept.shown
        return kept is None or kept.picked is None or abs(picked - middle) < abs(kept.picked - middle)

    def _choose(self, frame: FrameSeen, *, better: bool) -> None:
        """Keep the frame for the thumbnail, one at a time."""
        kept = self._kept
        if not self._thumbnails or not may_be_shown(self._context, frame):
            kept.hidden |= self._thumbnails
        elif frame.constant:
            kept.blank = True
        elif better:
            kept.shown = frame

    def _picture(self) -> tuple[str | None, str | None]:
        """A thumbnail, or the words that stand in its place."""
        kept, context = self._kept, self._context
        if kept.shown is not None:
            return thumbnail(windowed(kept.shown, context.modality, shown=True), blanked_boxes(kept.shown)), None
        return None, why_none(context, hidden=kept.hidden, blank=kept.blank).value if self._thumbnails else None

    def _result(self) -> Examination:
        manifest, kept = self._context.manifest, self._kept
        outcomes: list[CheckOutcome] = []
        figures: dict[str, Any] = {}
        for group in self._groups:
            if group is self._integrity:
                continue
            try:
                outcomes += group.outcomes()
                figures = self._figures.figures() if group is self._figures else figures
            except PARSER_ERRORS as error:
                detail = f"the series has values that a check cannot judge ({type(error).__name__})"
                self._integrity.opened(None, detail=detail)
        outcomes = [*self._integrity.outcomes(), *outcomes]
        picture, no_picture = self._picture()
        return Examination(
            source_id=manifest.source_id,
            SeriesInstanceUID=manifest.SeriesInstanceUID,
            manifest_version=manifest.version,
            rules_digest=rules_digest(),
            outcomes=tuple(outcomes),
            pixel_digest=_digest(self._context.log),
            frame_hashes=tuple(kept.hashes[at] for at in sorted(kept.hashes)),
            figures=figures,
            thumbnail=picture,
            no_picture=no_picture,
        )


def _digest(log: Sequence[FrameRecord]) -> str | None:
    """None where some frame was not decoded: what is known then is not the image."""
    return pixel_digest((one.depth, one.sha256) for one in log) if all(one.decoded for one in log) else None


def _frames_announced(item: ManifestInstance) -> int:
    return max(int(as_float(item.attributes.get("NumberOfFrames"), 1)), 1)


def _described(stored: StoredObject) -> Iterator[Described]:
    """Attributes and rescale of each frame; where they cannot be told, what the top level says, and why."""
    try:
        yield from [(frame.attributes, frame.rescale) for frame in frames_of(stored.header, instance=0)]
    except VolumeRefusedError as refused:
        base = summarise(stored.header, INSTANCE_KEYWORDS)
        base.pop("NumberOfFrames", None)
        yield base, refused


def _ranks(described: Sequence[Described]) -> list[int]:
    """Of each frame of an object its place in spatial order, the stored order where one has no position."""
    depths = [depth_of(attributes) for attributes, _ in described]
    order = list(range(len(depths)))
    if all(depth is not None for depth in depths):
        order.sort(key=lambda at: (depths[at] or 0.0, at))
    ranks = [0] * len(order)
    for rank, at in enumerate(order):
        ranks[at] = rank
    return ranks


def _frame(
    stored: StoredObject,
    index: int,
    pixels: NDArray[Any],
    attributes: dict[str, Any],
    rescale: Rescale | VolumeRefusedError,
    *,
    picked: int | None,
) -> FrameSeen:
    empty = pixels.size == 0
    return FrameSeen(
        owner=stored,
        index=index,
        stored=pixels,
        attributes=attributes,
        rescale=rescale if isinstance(rescale, Rescale) else None,
        refused=None if isinstance(rescale, Rescale) else rescale,
        sha256=frame_digest(pixels),
        lowest=float(np.nan if empty else pixels.min()),
        highest=float(np.nan if empty else pixels.max()),
        padding=padding_of(stored.header, pixels),
        picked=picked,
    )
