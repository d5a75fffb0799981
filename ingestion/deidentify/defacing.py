"""A series that may show a face: kept and flagged, held back, or defaced, as the policy says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.faces import FaceFinding, FaceState, OnFace, find_face, may_show_face, removal_boxes
from ingestion.deidentify.pixels.blank import blank
from ingestion.deidentify.pixels.boxes import Box
from ingestion.dicom.volume import VolumeRefusedError, read_volume

CLEAN_RECOGNIZABLE = "113102"
"""DCM code of the Clean Recognizable Visual Features Option (PS3.16 CID 7050), due where the series was defaced."""


@dataclass(frozen=True, slots=True)
class SeriesFace:
    """``recognizable``: a face may still be in the published series, the flag ``recognizable_visual_features``."""

    state: FaceState
    detail: str
    recognizable: bool
    boxes: Mapping[str, tuple[Box, ...]] = field(default_factory=dict, repr=False)
    """What ``deface`` blanks, by the raw SOP Instance UID: identities, in memory only."""

    @property
    def defaced(self) -> bool:
        return bool(self.boxes)

    @property
    def method_code(self) -> str | None:
        """The code to add to DeidentificationMethodCodeSequence of each instance."""
        return CLEAN_RECOGNIZABLE if self.defaced else None

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        pixels = sum(box.width * box.height for boxes in self.boxes.values() for box in boxes)
        return {
            "state": self.state.value,
            "detail": self.detail,
            "recognizable_visual_features": self.recognizable,
            "defaced_pixels": pixels,
        }


def assess_faces(datasets: Sequence[Dataset], *, on_face: OnFace) -> SeriesFace:
    """Look at one series as a whole, raw and in any order; under DEFACE, what to blank in each instance.

    Raises:
        InstanceRefusedError: RECOGNIZABLE_FACE for every instance of a series that the policy holds back.
    """
    if not datasets or not may_show_face(datasets[0]):
        return SeriesFace(FaceState.NONE, "no head by its header", recognizable=False)
    found, owners = _find(datasets)
    if found.state is FaceState.NONE or on_face is OnFace.KEEP:
        return SeriesFace(found.state, found.detail, recognizable=found.recognizable)
    if on_face is OnFace.QUARANTINE:
        raise _held_back("faces.policy", found.detail)
    if found.removal is None:
        raise _held_back("faces.not_located", found.detail)
    boxes = {uid: removal_boxes(removal) for uid, removal in zip(owners, found.removal, strict=True)}
    return SeriesFace(found.state, found.detail, recognizable=False, boxes=boxes)


def deface(dataset: Dataset, face: SeriesFace) -> None:
    """Blank the face's part of one instance, in place and in its own encoding; before its UIDs are replaced.

    Raises:
        InstanceRefusedError: its encoding does not allow that exactly.
    """
    boxes = face.boxes.get(str(dataset.SOPInstanceUID), ())
    if boxes:
        blank(dataset, boxes, exact=True).put(dataset)  # grown to blocks, a face's boxes would reach into the brain


def _find(datasets: Sequence[Dataset]) -> tuple[FaceFinding, tuple[str, ...]]:
    try:
        volume = read_volume(datasets)
    except VolumeRefusedError as error:
        return FaceFinding(FaceState.UNCERTAIN, f"no volume: {error.reason.value}"), ()
    if len(set(volume.sop_instance_uids)) != len(volume.sop_instance_uids):
        return FaceFinding(FaceState.UNCERTAIN, "several slices in one object"), ()
    return find_face(volume, modality=str(datasets[0].Modality)), volume.sop_instance_uids


def _held_back(rule: str, detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.RECOGNIZABLE_FACE, rule=rule, detail=f"may show a face: {detail}")
