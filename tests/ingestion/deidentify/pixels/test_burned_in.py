"""What goes on, what is blanked, what waits for a person: on pictures made by code."""

from __future__ import annotations

import dataclasses
import importlib.util
import json

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.pixels import (
    Box,
    Finding,
    Hint,
    Look,
    Method,
    OnText,
    PixelDecision,
    PixelEvidence,
    PixelPolicy,
    assess_pixels,
    clean_burned_in,
    clear_embedded_overlays,
    find_detector,
    parse_boxes,
    parse_decision,
    propose,
)
from ingestion.deidentify.pixels import detector as detector_module
from ingestion.deidentify.pixels.boxes import mask_of
from ingestion.deidentify.pixels.detector import TextBox
from ingestion.deidentify.pixels.layouts import known_layouts, layout_boxes
from ingestion.deidentify.pixels.regions import ultrasound_regions
from ingestion.deidentify.pixels.strokes import count_strokes
from ingestion.deidentify.pixels.text_screen import find_screen
from tests.ingestion.deidentify.pixels.pictures import (
    LINES,
    NAME,
    dataset_of,
    fan,
    lettering,
    region,
    slice_of_body,
    ultrasound,
)

CT = str(uid.CTImageStorage)
SC = str(uid.SecondaryCaptureImageStorage)
BLANKING = PixelPolicy(inside_regions=OnText.BLANK, unmapped_screens=OnText.BLANK)


def clean(dataset: Dataset, policy: PixelPolicy | None = None, **more: object) -> PixelEvidence:
    assessment = assess_pixels(dataset, dataset.SOPClassUID)
    options = {"detector": find_detector()} | more
    return clean_burned_in(dataset, assessment, policy=policy or PixelPolicy(), **options)  # type: ignore[arg-type]


def refusal(dataset: Dataset, policy: PixelPolicy | None = None, **more: object) -> InstanceRefusedError:
    before = bytes(dataset.PixelData)
    with pytest.raises(InstanceRefusedError) as refused:
        clean(dataset, policy, **more)
    if policy is None:
        assert dataset.PixelData == before
    return refused.value


def ct(pixels: NDArray[np.generic], **attributes: object) -> Dataset:
    return dataset_of(pixels, sop_class=CT, modality="CT", **attributes)  # type: ignore[arg-type]


def ct_with_name() -> Dataset:
    pixels = slice_of_body(512)
    layer = np.zeros(pixels.shape, np.uint8)
    lettering(layer, NAME, left=12, top=20, size=14)
    pixels[layer > 0] = 3000
    return ct(pixels)


def capture(lines: tuple[str, ...] = LINES) -> Dataset:
    canvas = np.zeros((300, 420), np.uint8)
    canvas[120:280, 40:380] = 40
    for number, line in enumerate(lines):
        lettering(canvas, line, left=12, top=8 + 24 * number, size=16)
    return dataset_of(canvas, sop_class=SC, modality="OT", ConversionType="WSD")


def test_ultrasound_all_outside_its_regions_is_black_and_all_inside_untouched() -> None:
    dataset = ultrasound(frames=3)
    before = pixel_array(dataset)
    evidence = clean(dataset)
    after = pixel_array(dataset)
    assert not after[:, :50].any()
    assert np.array_equal(after[:, 50:], before[:, 50:])
    assert [(finding.box, finding.method) for finding in evidence.blanked] == [(Box(0, 0, 640, 50), Method.REGION)]
    assert (evidence.burned_in_annotation, evidence.method_code) == ("NO", "113101")
    assert evidence.engine is not None
    assert evidence.frames_looked_at == 3


def test_a_name_in_the_image_region_waits_for_a_person_with_its_box() -> None:
    refused = refusal(ultrasound(name_in_region=True))
    assert (refused.reason, refused.rule) == (Reason.BURNED_IN_ANNOTATION, "pixels.text_in_region")
    told = parse_boxes(refused.detail.removeprefix("text is likely at "))
    assert mask_of(told, rows=480, columns=640)[302:314, 44:180].all()
    assert "MUSTER" not in str(refused).upper()


def test_a_name_in_one_frame_of_a_cine_is_found() -> None:
    dataset = ultrasound(frames=14)
    pixels = pixel_array(dataset).copy()
    lettering(pixels[9], NAME, left=40, top=400, size=16)
    dataset["PixelData"].value = pixels.tobytes()
    assert refusal(dataset).rule == "pixels.text_in_region"


def test_a_policy_can_have_it_blanked() -> None:
    dataset = ultrasound(name_in_region=True)
    before = pixel_array(dataset)
    evidence = clean(dataset, BLANKING)
    after = pixel_array(dataset)
    layer = np.zeros((480, 640), np.uint8)
    lettering(layer, NAME, left=40, top=300, size=16)
    assert not after[layer > 0].any()
    mask = mask_of([finding.box for finding in evidence.blanked], rows=480, columns=640)
    assert np.array_equal(after[~mask], before[~mask])
    assert {finding.method for finding in evidence.blanked} == {Method.REGION, Method.DETECTOR}


def test_without_regions_a_screen_waits_for_a_person_or_a_policy() -> None:
    assert refusal(ultrasound(with_regions=False)).rule == "pixels.text_found"
    silent = dataset_of(fan(), sop_class=str(uid.UltrasoundImageStorage), modality="US")
    assert refusal(silent).rule == "pixels.silent"
    dataset = ultrasound(with_regions=False)
    clean(dataset, BLANKING)
    assert not pixel_array(dataset)[6:40, 8:300].any()


def test_a_capture_waits_for_a_person_and_a_policy_blanks_every_line() -> None:
    assert refusal(capture()).rule == "pixels.text_found"
    dataset = capture()
    lettered = pixel_array(dataset) == 255
    evidence = clean(dataset, BLANKING)
    after = pixel_array(dataset)
    assert not after[lettered].any()
    assert (after[200:280, 40:380] == 40).all()
    assert evidence.engine_version is not None
    assert "rapidocr" in evidence.engine_version


def test_a_scanner_image_goes_on_without_a_detector() -> None:
    dataset = ct(slice_of_body(512))
    before = bytes(dataset.PixelData)
    evidence = clean(dataset, detector=None)
    assert evidence == PixelEvidence(Look.SCREEN, screen=find_screen().version)
    assert dataset.PixelData == before
    assert (evidence.burned_in_annotation, evidence.method_code) == (None, None)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLSLossless])
def test_a_name_on_a_scanner_image_is_found_by_its_strokes(syntax: str) -> None:
    dataset = ct_with_name()
    if syntax != uid.ExplicitVRLittleEndian:
        dataset.compress(syntax, generate_instance_uid=False)
    assert refusal(dataset).rule == "pixels.text_found"
    assert refusal(dataset, detector=None).rule == "pixels.no_detector"


def test_lettering_darker_than_the_body_is_found_too() -> None:
    pixels = np.full((256, 256), 900, np.int16) + np.random.default_rng(5).normal(0, 10, (256, 256)).astype(np.int16)
    layer = np.zeros(pixels.shape, np.uint8)
    lettering(layer, NAME, left=12, top=20)
    pixels[layer > 0] = 0
    assert count_strokes(pixels).suspicious


@pytest.mark.parametrize("seed", range(5))
def test_bodies_and_noise_have_no_strokes(seed: int) -> None:
    assert not count_strokes(slice_of_body(512, seed=seed)).suspicious
    noise = np.random.default_rng(seed).normal(1000, 100, (256, 256)).astype(np.int16)
    assert not count_strokes(noise).suspicious
    assert count_strokes(np.zeros((64, 64), np.int16)).crossings == 0


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"BurnedInAnnotation": "YES"}, Hint.DECLARED),
        ({"BurnedInAnnotation": "maybe"}, Hint.DECLARED),
        ({"ConversionType": "WSD"}, Hint.CAPTURED),
        ({"SecondaryCaptureDeviceManufacturer": "X"}, Hint.CAPTURED),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, Hint.IMAGE_TYPE),
        ({"ImageType": ["DERIVED", "SECONDARY", "3D"]}, Hint.IMAGE_TYPE),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, Hint.LOCALIZER),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, Hint.COLOUR),
        ({"BitsAllocated": 8}, Hint.EIGHT_BITS),
    ],
)
def test_hints_of_the_header(change: dict[str, object], hint: Hint) -> None:
    plain = ct(slice_of_body(), ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], BurnedInAnnotation="NO")
    assert assess_pixels(plain, CT).look is Look.SCREEN
    changed = ct(slice_of_body(), **({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]} | change))
    assessment = assess_pixels(changed, CT)
    assert (assessment.look, assessment.hints) == (Look.FULL, (hint,))


def test_a_localizer_without_text_goes_on_a_declared_one_does_not() -> None:
    kinds = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    assert clean(ct(slice_of_body(), ImageType=kinds)).burned_in_annotation == "NO"
    assert refusal(ct(slice_of_body(), BurnedInAnnotation="YES")).rule == "pixels.silent"
    assert refusal(ct(slice_of_body(), BurnedInAnnotation="YES"), BLANKING).rule == "pixels.silent"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (uid.EncapsulatedPDFStorage, Reason.UNCLEANABLE_CONTENT),
        (uid.BasicTextSRStorage, Reason.UNCLEANABLE_CONTENT),
        (uid.GrayscaleSoftcopyPresentationStateStorage, Reason.UNCLEANABLE_CONTENT),
        (uid.TwelveLeadECGWaveformStorage, Reason.UNCLEANABLE_CONTENT),
        (uid.VLPhotographicImageStorage, Reason.BURNED_IN_ANNOTATION),
        (uid.VideoEndoscopicImageStorage, Reason.BURNED_IN_ANNOTATION),
        (uid.RawDataStorage, Reason.UNSUPPORTED_SOP_CLASS),
    ],
)
def test_kinds_that_no_rule_covers_are_refused(kind: str, reason: Reason) -> None:
    with pytest.raises(InstanceRefusedError) as refused:
        assess_pixels(Dataset(), kind)
    assert refused.value.reason is reason


def test_masks_are_not_looked_at() -> None:
    seg = dataset_of(np.zeros((8, 8), np.uint8), sop_class=str(uid.SegmentationStorage), modality="SEG")
    assert clean(seg, detector=None) == PixelEvidence(Look.NONE)


def test_a_screen_in_a_lossy_encoding_is_refused_not_changed() -> None:
    dataset = ultrasound()
    dataset.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    assert refusal(dataset).rule == "pixels.encoding"


@pytest.mark.parametrize(
    "broken",
    [
        [],
        [region(left=9, top=0, right=3, bottom=5)],
        [region(left=0, top=0, right=639, bottom=479)],
        [Dataset()],
        [region(left=700, top=0, right=900, bottom=5)],
    ],
)
def test_regions_that_make_no_sense_are_no_regions(broken: list[Dataset]) -> None:
    dataset = ultrasound(with_regions=False)
    dataset.SequenceOfUltrasoundRegions = broken
    assert ultrasound_regions(dataset) == ()
    assert refusal(dataset).rule == "pixels.text_found"


def test_a_region_that_is_no_image_is_not_kept() -> None:
    around = region(left=0, top=0, right=639, bottom=400)
    around.RegionDataType = 0
    dataset = ultrasound(with_regions=False)
    dataset.SequenceOfUltrasoundRegions = [around, region(left=0, top=50, right=639, bottom=479)]
    assert ultrasound_regions(dataset) == (Box(0, 50, 640, 430),)


def test_a_known_screen_is_blanked_where_the_table_says() -> None:
    dataset = ultrasound(with_regions=False)
    dataset.Manufacturer, dataset.ManufacturerModelName = "GE Healthcare", "LOGIQ 9"
    assert layout_boxes(dataset) == (Box(0, 0, 640, 30),)
    lower = np.array(pixel_array(dataset))
    lower[30:50] = 0
    dataset["PixelData"].value = lower.tobytes()
    evidence = clean(dataset)
    assert evidence.blanked == (Finding(Box(0, 0, 640, 30), Method.LAYOUT),)
    assert not pixel_array(dataset)[:50].any()
    dataset.ManufacturerModelName = "LOGIQ 7"
    assert layout_boxes(dataset) == ()


def test_every_known_screen_has_a_source() -> None:
    assert len(known_layouts()) >= 25
    assert all(layout.source and layout.manufacturer and layout.model for layout in known_layouts())


def test_a_person_decides_and_the_same_decision_gives_the_same_bytes() -> None:
    decision = parse_decision("blank:36,296,180,28;0,0,640,50")
    results = []
    for _ in range(2):
        dataset = ultrasound(name_in_region=True)
        evidence = clean(dataset, decision=decision, detector=None)
        results.append(bytes(dataset.PixelData))
    assert results[0] == results[1]
    assert not pixel_array(dataset)[300:320, 40:180].any()
    assert {finding.method for finding in evidence.blanked} == {Method.REGION, Method.PERSON}
    assert evidence.burned_in_annotation == "NO"
    clean_dataset = ultrasound(with_regions=False)
    before = bytes(clean_dataset.PixelData)
    assert clean(clean_dataset, decision=PixelDecision(), detector=None).blanked == ()
    assert clean_dataset.PixelData == before


def test_decisions_as_text() -> None:
    decision = PixelDecision(parse_boxes("9,9,2,2@3; 1,2,3,4 ;9,9,2,2@3"))
    assert decision.to_text() == "blank:1,2,3,4;9,9,2,2@3"
    assert parse_decision(decision.to_text()) == decision
    assert parse_decision("clean") == PixelDecision()
    assert PixelDecision().to_text() == "clean"
    for wrong in ("", "blank:", "blank:1,2,3", "blank:1,2,0,4", "release", "blank:1,2,3,4@x"):
        with pytest.raises(ValueError, match=r"decision|box"):
            parse_decision(wrong)


def test_a_proposal_for_the_person_covers_rules_and_findings() -> None:
    detector = find_detector()
    assert detector is not None
    found = propose(ultrasound(name_in_region=True), policy=PixelPolicy(), detector=detector)
    assert {finding.method for finding in found} == {Method.REGION, Method.DETECTOR}


def test_evidence_is_json_without_text() -> None:
    evidence = clean(ultrasound())
    body = json.dumps(evidence.to_json())
    assert json.loads(body)["blanked"][0] == {
        "box": [0, 0, 640, 50], "frame": None, "method": "region", "confidence": 1.0,
    }  # fmt: skip
    assert not {field.name for field in dataclasses.fields(Finding)} & {"text", "word", "content"}
    assert NAME not in body


def test_no_model_means_no_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector_module, "PACKAGE", "no_such_package")
    assert find_detector.__wrapped__() is None  # type: ignore[attr-defined]
    monkeypatch.undo()
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else real(name))
    assert find_detector.__wrapped__() is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [10, 12, 16, 24, 40])
def test_the_detector_covers_planted_lines(size: int) -> None:
    detector = find_detector()
    assert detector is not None
    for background in (np.zeros((512, 512), np.uint8), fan(512, 512), np.full((512, 512), 60, np.uint8)):
        canvas = background.copy()
        for number, line in enumerate(LINES):
            lettering(canvas, line, left=20 + 30 * number, top=10 + 120 * number, size=size, value=255)
        ink = (canvas == 255) & (background != 255)
        covered = mask_of([text.box for text in detector.find(canvas)], rows=512, columns=512)
        assert covered[ink].mean() > 0.99


def test_large_images_are_looked_at_in_tiles() -> None:
    detector = find_detector()
    assert detector is not None
    canvas = np.zeros((1200, 1000), np.uint8)
    lettering(canvas, NAME, left=700, top=950, size=20)
    found: tuple[TextBox, ...] = detector.find(canvas)
    assert mask_of([text.box for text in found], rows=1200, columns=1000)[canvas > 0].all()


def test_overlays_in_unused_bits_are_cut() -> None:
    pixels = (slice_of_body().view(np.uint16) & 0x0FFF) | 0x8000
    dataset = ct(pixels)
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.add_new(0x60000102, "US", 15)
    assert clear_embedded_overlays(dataset) == 1
    assert np.array_equal(np.frombuffer(dataset.PixelData, "<u2").reshape(pixels.shape), pixels & 0x0FFF)
    dataset.BitsStored, dataset.HighBit = 16, 15
    with pytest.raises(InstanceRefusedError) as refused:
        clear_embedded_overlays(dataset)
    assert refused.value.reason is Reason.UNCLEANABLE_CONTENT
    assert clear_embedded_overlays(ct(pixels)) == 0
