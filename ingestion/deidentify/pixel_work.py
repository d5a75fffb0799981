"""What one object's pixels need before its header is rewritten: assessed by the header, looked at, blanked, defaced.

Scanner images go on as they are read; an object whose pixels change is written anew, whole, and goes on as that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.declaration import BURNED_IN, RECOGNIZABLE, MethodCode
from ingestion.deidentify.defacing import SeriesFace, deface
from ingestion.deidentify.pixel_place import PIXEL_DATA, AfterHeader, PixelPlace, find_pixels
from ingestion.deidentify.pixels import (
    Assessment,
    Look,
    OnText,
    PixelDecision,
    PixelEvidence,
    PixelPolicy,
    TextDetector,
    assess_pixels,
    clean_burned_in,
    clear_embedded_overlays,
    find_detector,
    refuse_what_may_show_identities,
)
from ingestion.deidentify.pixels.burned_in import screened_evidence
from ingestion.deidentify.pixels.detector import TextBox
from ingestion.deidentify.pixels.screening import Screened, screen_parts
from ingestion.deidentify.pixels.series_memory import SeriesMemory
from ingestion.deidentify.policy import PixelChoice, Policy
from ingestion.deidentify.profile import METHOD_CODES, Option
from ingestion.deidentify.study import RawObject, open_object
from ingestion.dicom.header import ValueMemo
from ingestion.dicom.mapped import MAPPED_FROM, let_go
from ingestion.dicom.pixel_description import PHOTOMETRIC, pixel_description

ASKED = (
    "BurnedInAnnotation", "ImageType", "ConversionType", "SecondaryCaptureDeviceManufacturer", "Modality",
    "PhotometricInterpretation", "BitsAllocated", "SamplesPerPixel", "Rows", "Columns",
)  # fmt: skip
"""What the assessment looks at, and what it goes by."""
DESCRIPTION = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PlanarConfiguration", "NumberOfFrames", "WindowCenter", "WindowWidth",
    "RescaleSlope", "RescaleIntercept",
)  # fmt: skip
_FRAMES = 0x00280008
_ASKED_TAGS = tuple(tag for keyword in ASKED if (tag := tag_for_keyword(keyword)) is not None)
MOST_JUDGED = 1024
"""Kinds of header whose assessment is remembered; the slices of a series share one."""


@dataclass(frozen=True, slots=True)
class PixelResult:
    """``opened``: the object to rewrite, with clean pixels. ``codes`` and ``states`` are to be declared."""

    opened: RawObject = field(repr=False)
    evidence: PixelEvidence
    changed: bool
    codes: tuple[MethodCode, ...] = ()
    states: tuple[tuple[int, str], ...] = ()

    def to_json(self) -> dict[str, Any] | None:
        """For the manifest; None where nothing was looked at."""
        return None if self.evidence.look is Look.NONE else self.evidence.to_json()


@dataclass
class PixelWorker:
    """The pixels of a series' objects under one policy."""

    policy: Policy
    _judged: dict[tuple[object, ...], Assessment] = field(default_factory=dict, repr=False)
    _described: ValueMemo = field(default_factory=ValueMemo, repr=False)

    @property
    def _on_text(self) -> PixelPolicy:
        return PIXEL_POLICIES[self.policy.pixels]

    @property
    def detector(self) -> TextDetector:
        """Loaded at its first look."""
        return _WhenNeeded()

    def screen(self, opened: RawObject, *, memory: SeriesMemory | None = None) -> Screened | None:
        """The cheap look at one object of a scanner; None where its kind, or its encoding, asks for another.

        Raises:
            InstanceRefusedError: what cannot be decoded, or is of a kind that no rule covers.
        """
        rest = find_pixels(opened)
        if rest.pixels is None or not len(rest.pixels.value) or rest.embedded_overlay:
            return None  # an overlay in unused bits is seen with the picture until it is cleared
        if self._assessed(opened, rest).look is not Look.SCREEN:
            return None
        return self._screened(opened, rest.pixels, memory)

    def _screened(self, opened: RawObject, place: PixelPlace, memory: SeriesMemory | None = None) -> Screened | None:
        if place.encapsulated and not self._on_text.screen_compressed:
            return None
        if len(opened.buffer) >= MAPPED_FROM and not place.encapsulated:
            frames = _native_frames(opened, place, self._described)
            return screen_parts(frames, detector=_WhenNeeded(), memory=memory)
        light = _pixels_only(opened, place, self._described)
        return None if light is None else screen_parts((light,), detector=_WhenNeeded(), memory=memory)

    def run(
        self,
        opened: RawObject,
        *,
        face: SeriesFace | None,
        decision: PixelDecision | None,
        screened: Screened | None = None,
    ) -> PixelResult:
        """Look at the pixels of one object, and clean them where the policy says so. ``screened``: if it was already.

        Raises:
            InstanceRefusedError: what stays uncertain, cannot be decoded, or is of a kind that no rule covers.
        """
        rest = find_pixels(opened)
        assessment = self._assessed(opened, rest)
        if rest.pixels is not None and not len(rest.pixels.value):
            raise InstanceRefusedError(
                Reason.PIXELS_UNREADABLE, rule="pixels.length", detail="the pixel data has no bytes"
            )
        changes = rest.embedded_overlay or (face is not None and face.defaced)
        if assessment.look is Look.NONE and not changes:
            return self._result(opened, PixelEvidence(Look.NONE), face, changed=False)
        seen = screened
        if (
            assessment.look is Look.SCREEN
            and decision is None
            and rest.pixels is not None
            and not rest.embedded_overlay
        ):
            seen = screened or self._screened(opened, rest.pixels)
            if seen is not None and not seen.strokes and not changes:
                return self._result(opened, screened_evidence(seen), face, changed=False)
        return self._whole(opened, assessment, face, decision, seen)

    def _assessed(self, opened: RawObject, rest: AfterHeader) -> Assessment:
        header = opened.header
        said = tuple(header.element(tag) for tag in _ASKED_TAGS)
        pixels = None if rest.pixels is None else rest.pixels.tag
        key = (opened.ids.sop_class_uid, header.encoding, header.charset, pixels, said)
        found = self._judged.get(key)
        if found is None:
            dataset = header.dataset(ASKED, memo=ValueMemo())
            if pixels is not None:
                dataset.add_new(pixels, "OW", b"")
            if self.policy.pixels is PixelChoice.QUARANTINE:
                refuse_what_may_show_identities(dataset, opened.ids.sop_class_uid)
            found = assess_pixels(dataset, opened.ids.sop_class_uid)
            if len(self._judged) >= MOST_JUDGED:
                self._judged.clear()
            self._judged[key] = found
        return found

    def _whole(
        self,
        opened: RawObject,
        assessment: Assessment,
        face: SeriesFace | None,
        decision: PixelDecision | None,
        screened: Screened | None,
    ) -> PixelResult:
        """The slow way: the object parsed, its pixels changed, and written anew."""
        dataset = pydicom.dcmread(BytesIO(opened.raw), force=True)
        before = dataset.get("PixelData")
        clear_embedded_overlays(dataset)
        evidence = clean_burned_in(
            dataset,
            assessment,
            policy=self._on_text,
            detector=_WhenNeeded(),
            decision=decision,
            screened=screened,
        )
        if face is not None:
            deface(dataset, face)
        if dataset.get("PixelData") == before:
            return self._result(opened, evidence, face, changed=False)
        out = BytesIO()
        pydicom.dcmwrite(out, dataset, enforce_file_format=True, overwrite=True)
        return self._result(open_object(out.getvalue()), evidence, face, changed=True)

    def _result(
        self, opened: RawObject, evidence: PixelEvidence, face: SeriesFace | None, *, changed: bool
    ) -> PixelResult:
        states: list[tuple[int, str]] = []
        if evidence.burned_in_annotation is not None:
            states.append((BURNED_IN, evidence.burned_in_annotation))
        if face is not None and (face.recognizable or face.defaced):
            states.append((RECOGNIZABLE, "YES" if face.recognizable else "NO"))
        codes = []
        if evidence.method_code is not None:
            codes.append(MethodCode(*METHOD_CODES[Option.CLEAN_PIXEL_DATA]))
        if face is not None and face.method_code is not None:
            codes.append(MethodCode(*METHOD_CODES[Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES]))
        return PixelResult(opened, evidence, changed, tuple(codes), tuple(states))


PIXEL_POLICIES = {
    PixelChoice.CLEAN: PixelPolicy(unmapped_screens=OnText.BLANK),
    PixelChoice.RULES: PixelPolicy(),
    PixelChoice.QUARANTINE: PixelPolicy(),
}
"""Text inside an ultrasound region is for a person always: a label of the anatomy there, or a name."""


class _WhenNeeded:
    """The text detector, loaded at the first look: most series never need it. Without one, the look is refused."""

    @property
    def name(self) -> str:
        return _detector().name

    @property
    def version(self) -> str:
        return _detector().version

    def find(self, grey: NDArray[np.uint8], *, enlarge: bool = True) -> tuple[TextBox, ...]:
        """As the detector does."""
        return _detector().find(grey, enlarge=enlarge)


def _detector() -> TextDetector:
    found = find_detector()
    if found is None:
        raise InstanceRefusedError(
            Reason.BURNED_IN_ANNOTATION,
            rule="pixels.no_detector",
            detail="must be looked at for text, and no text detector is installed",
        )
    return found


def _description(opened: RawObject, memo: ValueMemo) -> Dataset:
    """What describes the pixels, without attributes that are there and empty: decoders take them for values. Its
    elements are those of ``memo``: they are replaced, never changed."""
    light = opened.header.dataset(DESCRIPTION, memo=memo)
    for element in list(light):
        if element.is_empty:
            del light[element.tag]
    light.file_meta = FileMetaDataset()
    light.file_meta.TransferSyntaxUID = UID(opened.meta.transfer_syntax)
    return light


def _native_frames(opened: RawObject, place: PixelPlace, memo: ValueMemo) -> Iterator[Dataset]:
    """The frames of a large native object, one by one, each described as an object of its own."""
    light = _description(opened, memo)
    frames = int(light.get("NumberOfFrames") or 1) or 1
    length = pixel_description(opened.header).exact // frames
    light.add_new(_FRAMES, "IS", 1)
    for number in range(frames):
        frame = bytes(place.value[number * length : (number + 1) * length])
        light.add_new(PIXEL_DATA, "OW" if light.get("BitsAllocated", 8) > 8 else "OB", frame)
        yield light
        let_go(opened.buffer)


def _pixels_only(opened: RawObject, place: PixelPlace, memo: ValueMemo) -> Dataset | None:
    """What is needed to decode the pixels, without parsing the rest; None where that is not enough."""
    if place.tag != PIXEL_DATA or opened.header.text(PHOTOMETRIC).startswith("PALETTE"):
        return None
    light = _description(opened, memo)
    light.add_new(PIXEL_DATA, "OW" if light.get("BitsAllocated", 8) > 8 else "OB", bytes(place.value))
    light["PixelData"].is_undefined_length = place.encapsulated
    return light
