"""A series of slices, defaced in its own encoding."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.deidentify.defacing import assess_faces, deface
from ingestion.deidentify.faces import FaceState, OnFace
from tests.ingestion.deidentify.heads import Head, make_head
from tests.ingestion.deidentify.pixels.pictures import dataset_of


def slices(head: Head, *, syntax: str = uid.ExplicitVRLittleEndian, part: str = "HEAD") -> list[Dataset]:
    made = []
    for number, plane in enumerate(head.array):
        dataset = dataset_of(plane.astype(np.int16), sop_class=str(uid.CTImageStorage), modality="CT")
        dataset.SOPInstanceUID, dataset.SeriesInstanceUID = f"1.2.{number + 1}", "1.2.3"
        dataset.BodyPartExamined, dataset.ImageType = part, ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.ImagePositionPatient = [0, 0, number * head.spacing[0]]
        dataset.PixelSpacing = [head.spacing[1], head.spacing[2]]
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
        if uid.UID(syntax).is_encapsulated:
            dataset.compress(syntax, generate_instance_uid=False)
        made.append(dataset)
    return made


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEGLSLossless])
def test_the_face_is_blanked_and_every_other_voxel_stays(syntax: str) -> None:
    head = make_head(modality="CT")
    series = slices(head, syntax=syntax)
    before = np.stack([pixel_array(dataset) for dataset in series])
    face = assess_faces(series[::-1], on_face=OnFace.DEFACE)
    for dataset in series:
        deface(dataset, face)
        assert dataset.file_meta.TransferSyntaxUID == syntax
    changed = np.stack([pixel_array(dataset) for dataset in series]) != before
    assert (face.state, face.recognizable, face.method_code) == (FaceState.FACE, False, "113102")
    assert not (changed & head.brain).any()
    assert (changed & head.face_surface).sum() / head.face_surface.sum() > 0.95
    assert face.to_json()["defaced_pixels"] >= changed.sum()


def test_what_the_policy_says() -> None:
    series = slices(make_head(modality="CT"))
    kept = assess_faces(series, on_face=OnFace.KEEP)
    assert (kept.recognizable, kept.defaced, kept.method_code) == (True, False, None)
    with pytest.raises(InstanceRefusedError) as refused:
        assess_faces(series, on_face=OnFace.QUARANTINE)
    assert refused.value.rule == "faces.policy"
    assert not assess_faces(slices(make_head(modality="CT"), part="KNEE"), on_face=OnFace.QUARANTINE).recognizable


def test_without_a_located_face_it_is_held_back() -> None:
    for series in (slices(make_head(modality="CT", nose=0.0)), slices(make_head(modality="CT"))[:1]):
        with pytest.raises(InstanceRefusedError) as refused:
            assess_faces(series, on_face=OnFace.DEFACE)
        assert refused.value.rule == "faces.not_located"
        assert assess_faces(series, on_face=OnFace.KEEP).recognizable
