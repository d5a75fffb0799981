"""Faces in head images: which series may show one, where it is, and what defacing would blank.

A face can be rendered from CT and MR and be recognised (Schwarz et al. 2019, NEJM 381:1684). Found is it by its
profile: below the crown of a head of plausible size, a nose that stands out of the cheeks beside it. Defacing blanks a
shell below the brow, from the air in front of the skin inwards; it needs no atlas and no trained weights, and where the
profile isn't found it does nothing: the series is held back, not guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy import ndimage

from ingestion.deidentify.pixels.boxes import Box
from ingestion.dicom.volume import Volume

HEAD_WORDS = (
    "HEAD", "BRAIN", "SKULL", "FACE", "FACIAL", "SINUS", "ORBIT", "NECK", "CRANI", "CEREB", "NEURO", "IAC", "TEMPORAL",
    "KOPF", "SCHADEL", "SCHÄDEL", "HIRN", "TETE", "TÊTE", "CRANEO", "CRÁNEO", "CABEZA", "TESTA", "ENCEFALO", "GLIO",
    "PITUITARY", "MANDIB", "MAXILL", "DENTAL", "WHOLE BODY", "WHOLEBODY",
)  # fmt: skip
"""Looked for in body part, study, series and protocol; whole-body examinations begin at the eyes or the crown."""
VOLUME_MODALITIES = frozenset({"CT", "MR", "PT"})
CT_SKIN = -300.0
"""HU between air and skin."""
SIGNAL_SHARE = 0.12
"""Of the 99th percentile: skin in MR and PT is brighter, noise and ghosts are darker."""
MAX_TILT = 0.87
"""Cosine (30 degrees): volumes further from the patient's axes are not measured along them."""
HEAD_LENGTH = (130.0, 230.0)
"""Millimetres from brow to occiput, of a child of one year to a large man with his hair (Farkas 1994)."""
ADULT_LENGTH = 190.0
NOSE_BELOW_CROWN = (75.0, 190.0)
"""Millimetres from the crown to the tip of the nose, of a child to a tall head bent back, times the head's scale."""
MIN_NOSE = 16.0
"""Millimetres that the tip stands out of the cheeks 35 mm beside it: lips and a chin alone stand out less."""
MAX_NOSE = 55.0
"""More is no nose: a pad, a mask, or a side of the head beyond which the cheeks fall away."""
CHEEK = 35.0
BROW_ABOVE_TIP = 50.0
NASION_ABOVE_TIP = 38.0
SHELL = 10.0
"""Millimetres from the skin inwards that are blanked at the brow: scalp and bone there measure more."""
EYE_LEVEL = 18.0
"""Millimetres below the nasion down to which the shell stays that thin, for the frontal lobe lies behind, and lower
when the chin is on the chest."""
MAX_SHELL = 26.0
"""Towards the chin the shell grows to this: lips and chin go with their underlying shape."""
LATERAL = 0.3
"""Part of the head's breadth from the midline, beyond which the shell stays ``SHELL``: the temporal lobe is near."""


class FaceState(StrEnum):
    """What was found."""

    NONE = "none"  # the volume ends above the face, or is no head
    FACE = "face"
    UNCERTAIN = "uncertain"  # a head by its header, whose face is not located


class OnFace(StrEnum):
    """What a policy does with a series that may show a face."""

    KEEP = "keep"  # publish, flagged: recognizable_visual_features
    QUARANTINE = "quarantine"
    DEFACE = "deface"  # deface; quarantine where the face is not located


@dataclass(frozen=True, slots=True)
class FaceFinding:
    """``recognizable``: the flag of the catalogue. ``detail`` has numbers, no identities."""

    state: FaceState
    detail: str
    removal: NDArray[np.bool_] | None = field(default=None, repr=False)
    """What defacing blanks, of the volume's shape; None without a face."""

    @property
    def recognizable(self) -> bool:
        return self.state is not FaceState.NONE


def may_show_face(dataset: Dataset) -> bool:
    """Whether a series can show a face, by its header: a volume modality and a word of the head, or no word at all."""
    if dataset.get("Modality") not in VOLUME_MODALITIES:
        return False
    names = ("BodyPartExamined", "StudyDescription", "SeriesDescription", "ProtocolName")
    said = " ".join(str(dataset.get(name) or "") for name in names).upper().replace("_", " ")
    return not said.strip() or any(word in said for word in HEAD_WORDS)


def find_face(volume: Volume, *, modality: str) -> FaceFinding:
    """Locate the face of one volume, and what to blank to remove it."""
    turned = _turned(volume)
    if turned is None:
        return FaceFinding(FaceState.UNCERTAIN, "the volume is tilted by more than 30 degrees")
    head = _skin_mask(turned.array, modality=modality)
    if head is None:
        return FaceFinding(FaceState.UNCERTAIN, "no body in the volume")
    profile = _profile(head, turned.spacing)
    if isinstance(profile, FaceFinding):
        return profile
    removal = _removal(head, turned.spacing, profile)
    back = removal.transpose(np.argsort(turned.order))
    flips = tuple(axis for axis, flipped in enumerate(turned.flipped) if flipped)
    detail = f"nose {profile.nose:.0f} mm out of the cheeks, head {profile.length:.0f} mm long"
    return FaceFinding(FaceState.FACE, detail, np.flip(back, axis=flips) if flips else back)


def removal_boxes(removal: NDArray[np.bool_]) -> tuple[Box, ...]:
    """The part of one slice that defacing blanks, as boxes of one row each: what ``pixels.blank`` takes."""
    boxes = []
    for row in np.flatnonzero(removal.any(axis=1)):
        edges = np.diff(np.concatenate([[0], removal[row].astype(np.int8), [0]]))
        starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        boxes += [Box(int(a), int(row), int(b - a), 1) for a, b in zip(starts, ends, strict=True)]
    return tuple(boxes)


@dataclass(frozen=True, slots=True)
class _Turned:
    """The volume with axes up (head first), to the back, to the left: index 0 is the crown and the nose's side."""

    array: NDArray[np.float32]
    spacing: tuple[float, float, float]
    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    """By axis of the volume as it was."""


@dataclass(frozen=True, slots=True)
class _Profile:
    """Places in voxels of the turned volume; lengths in millimetres."""

    tip: int
    middle: float
    centre: float
    length: float
    breadth: float
    nose: float

    @property
    def scale(self) -> float:
        return min(self.length / ADULT_LENGTH, 1.1)


def _turned(volume: Volume) -> _Turned | None:
    cosines = np.asarray(volume.direction)
    along = np.abs(cosines)
    order = tuple(int(along[:, axis].argmax()) for axis in (2, 1, 0))  # superior, posterior, left (LPS)
    if sorted(order) != [0, 1, 2] or min(along[order[n], axis] for n, axis in enumerate((2, 1, 0))) < MAX_TILT:
        return None
    flipped = [False, False, False]
    for axis, wanted in zip(order, ((2, -1), (1, 1), (0, 1)), strict=True):
        flipped[axis] = cosines[axis, wanted[0]] * wanted[1] < 0
    axes = tuple(axis for axis in range(3) if flipped[axis])
    array = np.flip(volume.array, axis=axes) if axes else volume.array
    spacing = tuple(volume.spacing[axis] for axis in order)
    return _Turned(array.transpose(order), spacing, order, (flipped[0], flipped[1], flipped[2]))  # type: ignore[arg-type]


def _skin_mask(array: NDArray[np.float32], *, modality: str) -> NDArray[np.bool_] | None:
    """The body, without holes as seen from the front; the largest connected part, so that no headrest counts."""
    level = CT_SKIN if modality == "CT" else SIGNAL_SHARE * float(np.percentile(array, 99))
    solid = ndimage.binary_opening(array > level, iterations=1)
    labels, count = ndimage.label(solid)
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    body: NDArray[np.bool_] = labels == int(sizes.argmax())
    return body


def _profile(head: NDArray[np.bool_], spacing: tuple[float, float, float]) -> _Profile | FaceFinding:
    up, back, left = spacing
    filled = head.any(axis=(1, 2))
    crown = int(filled.argmax())
    if crown == 0 and head[0].sum() * back * left > 60 * 60:
        return FaceFinding(FaceState.UNCERTAIN, "the crown lies above the volume")
    skull = head[crown + int(30 / up) : crown + int(75 / up)]
    if skull.shape[0] < 2 or not skull.any():
        return FaceFinding(FaceState.NONE, "the volume ends within 75 mm of the crown")
    depth, width = np.flatnonzero(skull.any(axis=(0, 2))), np.flatnonzero(skull.any(axis=(0, 1)))
    length, breadth = (depth[-1] - depth[0] + 1) * back, (width[-1] - width[0] + 1) * left
    if not HEAD_LENGTH[0] <= length <= HEAD_LENGTH[1] or not 0.6 <= breadth / length <= 1.05:
        return FaceFinding(FaceState.UNCERTAIN, f"{length:.0f} by {breadth:.0f} mm is no head")
    middle, centre = (width[0] + width[-1]) / 2, (depth[0] + depth[-1]) / 2
    scale = min(length / ADULT_LENGTH, 1.1)
    first, last = (crown + int(mm * scale / up) for mm in NOSE_BELOW_CROWN)
    skin = _front(head)[first : last + 1]
    if skin.shape[0] < int(10 / up) + 1:
        return FaceFinding(FaceState.NONE, "the volume ends above the nose")
    ridge = skin[:, _columns(middle, 12, left, skin.shape[1])].min(axis=1)
    cheeks = [skin[:, _columns(middle + side * CHEEK * scale / left, 4, left, skin.shape[1])] for side in (-1, 1)]
    beside = np.minimum(np.median(cheeks[0], axis=1), np.median(cheeks[1], axis=1))
    height = np.where(ridge < head.shape[1], (beside - ridge) * back, 0)
    tip = int(np.where(ridge < centre, height, 0).argmax())
    if height[tip] < MIN_NOSE * scale:
        return FaceFinding(FaceState.UNCERTAIN, f"nothing stands {MIN_NOSE * scale:.0f} mm out of the cheeks")
    if height[tip] > MAX_NOSE * scale:
        return FaceFinding(FaceState.UNCERTAIN, f"what stands {height[tip]:.0f} mm out is no nose")
    if ridge[tip] == 0:
        return FaceFinding(FaceState.UNCERTAIN, "the nose is cut off by the edge of the volume")
    return _Profile(first + tip, middle, centre, float(length), float(breadth), float(height[tip]))


def _front(head: NDArray[np.bool_]) -> NDArray[np.intp]:
    """For each row and column the first voxel of the body, from the front; behind all where there is none."""
    return np.where(head.any(axis=1), head.argmax(axis=1), head.shape[1])


def _columns(middle: float, half_mm: float, left: float, size: int) -> slice:
    half = max(half_mm / left, 1)
    return slice(max(int(middle - half), 0), min(int(middle + half) + 1, size))


def _removal(head: NDArray[np.bool_], spacing: tuple[float, float, float], found: _Profile) -> NDArray[np.bool_]:
    """Everything from the front border to the shell's depth under the skin, below the brow, in front of the centre."""
    up, back, left = spacing
    skin = _front(head)
    below_nasion = (np.arange(head.shape[0]) - found.tip) * up + NASION_ABOVE_TIP * found.scale
    depth = np.clip(SHELL + 0.5 * (below_nasion - EYE_LEVEL * found.scale), SHELL, MAX_SHELL) * found.scale / back
    lateral = np.abs(np.arange(head.shape[2]) - found.middle) * left > LATERAL * found.breadth
    shell = np.where(lateral[None, :], SHELL * found.scale / back, depth[:, None])
    until = np.minimum(skin + shell, found.centre)
    until[skin >= found.centre] = 0  # the surface there is the side of the head or the neck
    until[: max(found.tip - int(BROW_ABOVE_TIP * found.scale / up), 0)] = 0
    removal: NDArray[np.bool_] = np.arange(head.shape[1])[None, :, None] < until[:, None, :]
    return removal
