"""Whether objects keep to their definition (IOD), as far as a receiver would trip over it.

The judges are dciodvfy and dcentvfy of dicom3tools where they are installed. Every object is judged: objects whose
headers have one shape (``header_shape``) get one answer, so a series of 300 costs one or two calls. Without the judges
a short list of attributes that every reader needs is checked; that is checked of every object in any case.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from ingestion.accounting.manifest import ManifestInstance
from ingestion.deidentify.conformance_check import INSTANCE_JUDGE, STUDY_JUDGE, errors_of, judge_is_there
from ingestion.dicom.header_shape import Shapes
from ingestion.storage import ObjectMissingError
from quality_checks.examination import CheckOutcome
from quality_checks.imaging.declare import imaging_rule
from quality_checks.imaging.geometry import SINGLE
from quality_checks.imaging.objects import ObjectDamagedError, StoredObject, open_object
from quality_checks.imaging.series import FrameSeen, SeriesContext, in_spatial_order
from quality_checks.imaging.tally import Tally
from quality_checks.model import Dimension

EVERY = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality")
IMAGE = (
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation",
)  # fmt: skip
SLICE = ("FrameOfReferenceUID", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "ImageType")
BY_MODALITY = {
    "CT": ("RescaleIntercept", "RescaleSlope"),
    "MR": ("ScanningSequence", "SequenceVariant"),
    "PT": ("RescaleIntercept", "RescaleSlope", "Units", "DecayCorrection", "CorrectedImage"),
}
"""Type 1 attributes (PS3.3 annex A and C) of images stored slice by slice."""
FLOATS_NEED_NOT = frozenset({"BitsStored", "HighBit", "PixelRepresentation"})
STUMBLES = re.compile(
    r"(?:Missing attribute|Empty attribute \(no value\)) Type 1 Required .*Module="
    r"(?:(?!FileMeta|Overlay|EnhancedGeneralEquipment|\w*Macro)|Plane|PixelMeasures)|Value invalid for this VR - "
    r"\(00(?:18|20|28|54),.*? [DI]S |Unrecognized enumerated value .*attribute [A-Z]|itself failed"
)
"""Of what dciodvfy calls an error, that on which readers stop or guess: a required attribute of the image, a number
that is none, an unknown keyword. Left out are type 2 and conditional attributes, overlays in unused bits, equipment,
what macros of enhanced objects tell of the acquisition, and texts and UIDs that every reader forgives."""
SHOWN = 3
MOST_SHAPES = 40
"""Headers of different shape that dciodvfy is shown of one series; each costs 0.02 s. Objects of further shapes are not
judged, and not counted as judged."""
MOST_STUDY_FILES = 30
"""Series of a study that are compared; dcentvfy takes each against each."""

REQUIRED = imaging_rule(
    "iod_required_attributes",
    Dimension.VALIDITY,
    title="Objects have the attributes that every reader needs",
    meaning="Type 1 attributes of the image, its place and its values (PS3.3) must be there with a value.",
    fault="objects without attributes that their definition requires",
    remedy="Have the series exported again with the named attributes.",
)
STUMBLE = imaging_rule(
    "iod_no_stumbling_block",
    Dimension.VALIDITY,
    title="dciodvfy finds no error that a reader would stumble over",
    meaning="Every object is judged where dicom3tools is installed, else none; objects whose headers have one shape "
    f"get one answer, for at most {MOST_SHAPES} shapes in a series.",
    version="2",
    fault="errors against the object's definition that readers stumble over",
    remedy="Have the export corrected: the rule's detail names the attribute.",
)
STUDY = imaging_rule(
    "study_objects_agree",
    Dimension.CONSISTENCY,
    title="dcentvfy finds no contradiction within the study",
    meaning="Objects of one study must agree on patient, study and frame of reference. Judged where dicom3tools is "
    "installed, at the study's first series; else not judged.",
    version="2",
    fault="objects of one study that contradict each other",
    remedy="Have the study compared with the archive.",
)
CONTRADICTS = re.compile(
    r"Element=(PatientID|PatientName|PatientBirthDate|PatientSex|IssuerOfPatientID|StudyInstanceUID|StudyDate|StudyTime"
    r"|StudyID|AccessionNumber|FrameOfReferenceUID|PositionReferenceIndicator|Modality|SeriesNumber)\b|took longer"
)
"""What tells whose and which study it is. Other attributes of a study differ by rights: its description is typed anew
at each console, and how an object was de-identified depends on what it shows."""
RULES = (REQUIRED, STUMBLE, STUDY)


class Conformance:
    def __init__(self, context: SeriesContext, read: Callable[[ManifestInstance], bytes]) -> None:
        self._context, self._read = context, read
        self._tallies = {rule.id: Tally(rule) for rule in RULES}
        self._shapes = Shapes()
        self._answers: dict[str, str] = {}
        """By shape; an empty one: nothing is wrong."""
        self._slow = False
        self._first: Dataset | None = None
        self._there = judge_is_there(INSTANCE_JUDGE)

    def see(self, stored: StoredObject) -> None:
        missing = [name for name in _required(stored) if stored.header.get(name) in (None, "", [])]
        self._tallies[REQUIRED.id].check(not missing, f"no {', '.join(missing[:5])}", stored.uid)
        self._first = self._first or stored.header
        if self._there:
            self._show(stored)

    def see_frame(self, frame: FrameSeen) -> None:
        """Pixels have no part in it."""

    def outcomes(self) -> Iterable[CheckOutcome]:
        if self._there and self._first is not None:
            self._compare_study(self._first)
        return [tally.outcome() for tally in self._tallies.values()]

    def _compare_study(self, first: Dataset) -> None:
        """Once per study, at the series with the lowest UID: the first object of each of its series."""
        own = self._context.manifest
        beside = [one for one in self._context.companions or () if one.StudyInstanceUID == own.StudyInstanceUID]
        if not beside or any(one.SeriesInstanceUID < own.SeriesInstanceUID for one in beside):
            return
        headers = [first]
        for manifest in sorted(beside, key=lambda one: one.SeriesInstanceUID)[: MOST_STUDY_FILES - 1]:
            try:
                item = in_spatial_order(manifest.instances)[0]
                headers.append(open_object(item, self._read(item)).header)
            except (ObjectMissingError, ObjectDamagedError, IndexError):
                continue  # a fault of that series, found where it is examined
        tally = self._tallies[STUDY.id]
        tally.judge(len(headers))
        with tempfile.TemporaryDirectory(prefix="cie-iod-") as folder:
            paths = [Path(folder) / f"{number}.dcm" for number in range(len(headers))]
            for path, header in zip(paths, headers, strict=True):
                header.save_as(path, enforce_file_format=False)
            try:
                errors = errors_of(paths, STUDY_JUDGE)
            except TimeoutError:
                errors = Counter({f"{STUDY_JUDGE} took longer than 30 s": 1})
        for message in sorted(errors):
            if CONTRADICTS.search(message):
                tally.fault(message)

    def _show(self, stored: StoredObject) -> None:
        """Where the shape is new, to the judge; a judge that ran out of time is not asked again of this series."""
        shape = self._shapes.of(stored.header)
        if shape not in self._answers:
            if self._slow or len(self._answers) >= MOST_SHAPES:
                return
            self._answers[shape] = self._judge(stored.header)
        answer = self._answers[shape]
        self._tallies[STUMBLE.id].check(not answer, answer, stored.uid)

    def _judge(self, header: Dataset) -> str:
        """Header only: the judge reads no pixels, and files are small without them."""
        with tempfile.TemporaryDirectory(prefix="cie-iod-") as folder:
            path = Path(folder) / "one.dcm"
            header.save_as(path, enforce_file_format=False)
            try:
                errors = errors_of((path,), INSTANCE_JUDGE)
            except TimeoutError:
                self._slow = True
                return "dciodvfy took longer than 30 s"
        if header.get("DimensionOrganizationType") == "TILED_FULL":
            return ""  # it has no groups for each frame, which the judge asks for
        bad = sorted(message for message in errors if STUMBLES.search(message) and "PixelData" not in message)
        return "; ".join(bad[:SHOWN])


def _required(stored: StoredObject) -> Sequence[str]:
    names = [*EVERY]
    if stored.pixels is not None:
        names += [name for name in IMAGE if stored.pixels.keyword == "PixelData" or name not in FLOATS_NEED_NOT]
    if stored.header.get("SOPClassUID") in SINGLE:
        names += [*SLICE, *BY_MODALITY.get(str(stored.header.get("Modality") or ""), ())]
    return names
