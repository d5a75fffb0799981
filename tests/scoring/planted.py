"""A small delivery made by code, with identities planted where the MIDI-B data plant them, and its answer key.

Inside words worth keeping, in private tags, in nested sequences, as dates in text, as UIDs in odd places, drawn into
pixels. Everybody in it is made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from . import documents
from .key import Action, Box, Check

ROOT = "1.2.826.0.1.3680043.10.1338"
CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "SC": "1.2.840.10008.5.1.4.1.1.7",
    **documents.CLASSES,
}
IMAGES = {"CT": 3, "MR": 3, "PT": 2, "US": 1, "MG": 1, "SC": 1}
DOCUMENTS = {"SR": 1, "PR": 1}
SCREEN = (480, 640)
REGION: Box = (80, 80, 560, 440)
"""Of the ultrasound's screen: the image proper."""


@dataclass(frozen=True)
class Person:
    """A patient, a physician and a place."""

    number: int
    family: str
    given: str
    patient_id: str
    born: str
    physician: str
    institution: str
    study_date: str
    accession: str

    @property
    def called(self) -> str:
        return f"{self.given} {self.family}"


PEOPLE = (
    Person(1, "Davidson", "Douglas", "6505936988", "19610312", "Szczepańska^Ewa", "Klinikum Rosenheim Süd", "20190619",
           "A00912377"),
    Person(2, "Ångström", "Li", "PL-4471-99", "19480705", "Ng^Roy", "Hospital Vall Claramunt", "20210228", "7731902"),
)  # fmt: skip
DESCRIPTIONS = {
    "CT": ("XR CHEST AP PORTABLE for {called}", "XR CHEST AP PORTABLE for"),
    "MR": ("FMPSPGR/SPECIAL for {id}", "FMPSPGR/SPECIAL for"),
    "PT": ("PET WB AC {family} 3D", "PET WB AC"),
    "US": ("p4 {date}", "p4"),
    "MG": ("{upper}_L MLO TomoHD", "L MLO TomoHD"),
    "SC": ("Screen Save {given} {family}", "Screen Save"),
    "SR": ("TID 1500 {family} Measurements", "TID 1500"),
    "PR": ("Annotations for {given} {family}", "Annotations for"),
}
PROTOCOLS = {
    "CT": ("5.8 TAP : 4 HELICES {upper}", "5.8 TAP : 4 HELICES"),
    "MR": ("t2_tse_tra_p2_320 {family}", "t2_tse_tra_p2_320"),
    "PT": ("WB FDG 3 min/bed Dr. {doctor}", "WB FDG 3 min/bed"),
    "US": ("Abdomen C+/Abdomen {id}", "Abdomen C+/Abdomen"),
    "MG": ("R MLO TomoHD {given}", "R MLO TomoHD"),
    "SC": ("Rapport dose {accession}", "Rapport dose"),
    "SR": ("White matter lesions {family}", "White matter lesions"),
    "PR": ("Suivi métastases hépatiques {accession}", "Suivi métastases hépatiques"),
}
HARD = (
    ("PerformedProcedureStepDescription", "White matter protocol, born {born}", "White matter protocol", ("{born}",)),
    ("AcquisitionProtocolDescription", "KRK4471 Leberzirrhose Verlaufskontrolle", "Leberzirrhose Verlaufskontrolle",
     ("KRK4471", "4471")),
    ("RequestedProcedureDescription", "Mr Long 胸部単純撮影 {upper}", "胸部単純撮影", ("Long", "{upper}")),
    ("AdmittingDiagnosesDescription", "Brown tumour mandible, J.S., {given}. {family}", "Brown tumour mandible",
     ("J.S.", "{family}")),
    ("ReasonForStudy", "Suivi de métastases hépatiques, Dr {doctor}, 06 12 34 56 78", "Suivi de métastases hépatiques",
     ("{doctor}", "34 56")),
    ("DerivationDescription", "t1_vibe_dixon_tra_bh_W {id} BRAVO", "t1_vibe_dixon_tra_bh_W", ("{id}",)),
    ("VisitComments", "{called} waits outside", "", ("{family}", "{given}")),
)  # fmt: skip
"""Attribute, text, what must stay of it, what must go: what independent testers found the hardest."""


@dataclass
class _Maker:
    """One instance in the making, with its rows of the key."""

    person: Person
    dataset: Dataset
    checks: list[Check] = field(default_factory=list)

    def add(self, action: Action, path: str = "", value: str = "", category: str = "", box: str = "") -> None:
        self.checks.append(Check(str(self.dataset.SOPInstanceUID), action, path, value, category, box))

    def text(self, path: str, *, kept: str = "", gone: tuple[str, ...] = (), category: str) -> None:
        if kept:
            self.add(Action.TEXT_RETAINED, path, kept, category)
        for value in gone:
            self.add(Action.TEXT_REMOVED, path, value, category)


def path_of(*keywords: str) -> str:
    """``00400275[0].00400007`` of the keywords of sequences and their attribute."""
    tags = [tag_for_keyword(keyword) or 0 for keyword in keywords]
    return ".".join([f"{tag:08X}[0]" for tag in tags[:-1]] + [f"{tags[-1]:08X}"])


def make_delivery(folder: Path) -> list[Check]:
    """Write the objects below ``folder`` and return their key."""
    checks: list[Check] = []
    for person in PEOPLE:
        for series, (modality, count) in enumerate((IMAGES | DOCUMENTS).items(), start=1):
            for number in range(1, count + 1):
                maker = _instance(person, modality, series, number)
                place = folder / f"p{person.number}" / modality / f"{number}.dcm"
                place.parent.mkdir(parents=True, exist_ok=True)
                maker.dataset.save_as(place, enforce_file_format=True)
                checks += maker.checks
    return checks


def _instance(person: Person, modality: str, series: int, number: int) -> _Maker:
    dataset = Dataset()
    base = f"{ROOT}.{person.number}"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = CLASSES[modality], f"{base}.{series}.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = base, f"{base}.{series}"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = (
        modality if modality != "SC" else "OT",
        series,
        number,
    )
    maker = _Maker(person, dataset)
    _people(maker)
    _dates(maker)
    _uids(maker, base)
    _descriptions(maker, modality)
    _device(maker, modality)
    _private(maker, modality)
    if modality == "SR":
        documents.add_report(maker)
    elif modality == "PR":
        documents.add_graphics(maker)
    else:
        _pixels(maker, modality, number)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if modality == "PT" else ExplicitVRLittleEndian
    dataset.file_meta = meta
    return maker


def _people(maker: _Maker) -> None:
    person, dataset = maker.person, maker.dataset
    dataset.PatientName, dataset.PatientID = f"{person.family}^{person.given}", person.patient_id
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = person.born, "M", "058Y"
    dataset.PatientWeight, dataset.PatientSize = "81.5", "1.78"
    dataset.ReferringPhysicianName, dataset.InstitutionName = person.physician, person.institution
    dataset.AccessionNumber, dataset.StudyID = person.accession, person.accession
    dataset.OperatorsName = "Technologist^Berta"
    dataset.PatientComments = f"{person.called} moved during the scan"
    maker.add(Action.PATID_CONSISTENT, path_of("PatientID"), category="identifier")
    maker.text(path_of("PatientName"), gone=(person.family, person.given), category="person")
    maker.text(path_of("PatientID"), gone=(person.patient_id,), category="identifier")
    maker.text(path_of("ReferringPhysicianName"), gone=tuple(person.physician.split("^")), category="person")
    maker.text(path_of("OperatorsName"), gone=("Berta",), category="person")
    maker.text(path_of("InstitutionName"), gone=(person.institution,), category="place")
    maker.text(path_of("AccessionNumber"), gone=(person.accession,), category="identifier")
    maker.text(path_of("StudyID"), gone=(person.accession,), category="identifier")
    maker.text(path_of("PatientComments"), gone=(person.family, person.given), category="description")
    for keyword in ("PatientSex", "PatientAge", "PatientWeight", "PatientSize"):
        maker.add(Action.TEXT_NOTNULL, path_of(keyword), category="characteristic")


def _dates(maker: _Maker) -> None:
    dataset, date = maker.dataset, maker.person.study_date
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(dataset, keyword, date)
        maker.add(Action.DATE_SHIFTED, path_of(keyword), category="date")
    dataset.AcquisitionDateTime = f"{date}101500"
    maker.add(Action.DATE_SHIFTED, path_of("AcquisitionDateTime"), category="date")
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "101500"
    maker.add(Action.TAG_RETAINED, path_of("StudyTime"), category="date")


def _uids(maker: _Maker, base: str) -> None:
    dataset = maker.dataset
    dataset.FrameOfReferenceUID = f"{base}.9"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CLASSES["CT"], f"{base}.1.1"
    dataset.ReferencedImageSequence = [item]
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = CLASSES["MR"], f"{base}.2.1"
    dataset.SourceImageSequence = [source]
    dataset.IrradiationEventUID = f"{base}.77"
    nested = (
        path_of("ReferencedImageSequence", "ReferencedSOPInstanceUID"),
        path_of("SourceImageSequence", "ReferencedSOPInstanceUID"),
    )
    keywords = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "IrradiationEventUID")
    for path in (*map(path_of, keywords), *nested):
        maker.add(Action.UID_CHANGED, path, category="uid")
        maker.add(Action.UID_CONSISTENT, path, category="uid")


def _descriptions(maker: _Maker, modality: str) -> None:
    person, dataset = maker.person, maker.dataset
    words = {
        "called": person.called, "family": person.family, "given": person.given, "upper": person.family.upper(),
        "id": person.patient_id, "date": person.study_date, "doctor": person.physician.split("^")[0],
        "accession": person.accession,
    }  # fmt: skip
    planted = (person.family, person.patient_id, person.study_date, words["doctor"], person.accession)
    for keyword, table in (("SeriesDescription", DESCRIPTIONS), ("ProtocolName", PROTOCOLS)):
        pattern, kept = table[modality]
        text = pattern.format(**words)
        setattr(dataset, keyword, text)
        gone = tuple(word for word in planted if word.casefold() in text.casefold())
        if "{given}" in pattern or "{called}" in pattern:
            gone += (person.given,)
        maker.text(path_of(keyword), kept=kept, gone=gone, category="description")
    dataset.StudyDescription = f"TDM THORAX / ABD {person.born[6:]}.{person.born[4:6]}.{person.born[:4]}"
    birth = dataset.StudyDescription.split()[-1]
    maker.text(path_of("StudyDescription"), kept="TDM THORAX / ABD", gone=(birth,), category="description")
    dataset.ImageComments = f"see {dataset.StudyInstanceUID} of {person.called}"
    maker.text(path_of("ImageComments"), gone=(str(dataset.StudyInstanceUID), person.family), category="description")
    words["born"] = f"{int(person.born[6:])} {int(person.born[4:6])} {person.born[2:4]}"
    for keyword, pattern, kept, gone in HARD:
        setattr(dataset, keyword, pattern.format(**words))
        maker.text(path_of(keyword), kept=kept, gone=tuple(one.format(**words) for one in gone), category="hard")
    item = Dataset()
    item.RequestedProcedureDescription = f"CT Thorax nativ {person.family}, {person.given}"
    item.ScheduledProcedureStepDescription = f"AX T1 FS POST {person.accession}"
    item.RequestedProcedureID = person.accession
    dataset.RequestAttributesSequence = [item]
    sequence = "RequestAttributesSequence"
    maker.text(path_of(sequence, "RequestedProcedureDescription"), kept="CT Thorax nativ",
               gone=(person.family, person.given), category="nested")  # fmt: skip
    maker.text(path_of(sequence, "ScheduledProcedureStepDescription"), kept="AX T1 FS POST",
               gone=(person.accession,), category="nested")  # fmt: skip
    maker.text(path_of(sequence, "RequestedProcedureID"), gone=(person.accession,), category="nested")
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "51185008", "SCT", "Chest"
    dataset.AnatomicRegionSequence = [code]
    maker.text(path_of("AnatomicRegionSequence", "CodeMeaning"), kept="Chest", category="code")
    maker.text(path_of("AnatomicRegionSequence", "CodeValue"), kept="51185008", category="code")


def _device(maker: _Maker, modality: str) -> None:
    dataset = maker.dataset
    dataset.Manufacturer, dataset.ManufacturerModelName = "SIEMENS", "Biograph 64"
    dataset.SoftwareVersions, dataset.BodyPartExamined = "syngo VB20P", "CHEST"
    dataset.StationName, dataset.DeviceSerialNumber = "MRC25182", "SN-77120"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    for keyword, kept in (
        ("Manufacturer", "SIEMENS"), ("ManufacturerModelName", "Biograph 64"), ("SoftwareVersions", "syngo VB20P"),
        ("BodyPartExamined", "CHEST"), ("ImageType", "ORIGINAL"),
    ):  # fmt: skip
        maker.text(path_of(keyword), kept=kept, category="device")
    maker.text(path_of("StationName"), gone=("MRC25182",), category="device")
    maker.text(path_of("DeviceSerialNumber"), gone=("77120",), category="device")
    if modality == "CT":
        dataset.KVP, dataset.ConvolutionKernel, dataset.ContrastBolusAgent = "120", "B31f", "Omnipaque 350"
        kept_texts = (("KVP", "120"), ("ConvolutionKernel", "B31f"), ("ContrastBolusAgent", "Omnipaque 350"))
    elif modality == "MR":
        dataset.SequenceName, dataset.EchoTime, dataset.ScanOptions = "*tse2d1_17", "90", "FS"
        kept_texts = (("SequenceName", "*tse2d1_17"), ("EchoTime", "90"), ("ScanOptions", "FS"))
    else:
        return
    for keyword, kept in kept_texts:
        maker.text(path_of(keyword), kept=kept, category="acquisition")


def _private(maker: _Maker, modality: str) -> None:
    person, dataset = maker.person, maker.dataset
    block = dataset.private_block(0x0099, "ACME RIS 1.0", create=True)
    block.add_new(0x01, "LO", f"booked by {person.called}")
    block.add_new(0x02, "LO", person.patient_id)
    maker.text("0099[ACME RIS 1.0]01", gone=(person.family, person.given), category="private")
    maker.text("0099[ACME RIS 1.0]02", gone=(person.patient_id,), category="private")
    if modality == "MR":
        header = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        header.add_new(0x0C, "IS", "800")
        header.add_new(0x0D, "CS", "DIRECTIONAL")
        phase = dataset.private_block(0x0051, "SIEMENS MR HEADER", create=True)
        phase.add_new(0x08, "CS", "COL PHASE_ENCOD")
        maker.text("0051[SIEMENS MR HEADER]08", kept="COL PHASE_ENCOD", category="private")
        header.add_new(0x0E, "FD", [0.1, 0.7, -0.7])
        maker.text("0019[SIEMENS MR HEADER]0C", kept="800", category="private")
        maker.text("0019[SIEMENS MR HEADER]0D", kept="DIRECTIONAL", category="private")
        maker.add(Action.TEXT_NOTNULL, "0019[SIEMENS MR HEADER]0E", category="private")
    if modality == "PT":
        group = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        group.add_new(0x00, "DS", "0.000412")
        maker.text("7053[Philips PET Private Group]00", kept="0.000412", category="private")


def _pixels(maker: _Maker, modality: str, number: int) -> None:
    dataset = maker.dataset
    random = np.random.default_rng(maker.person.number * 100 + number)
    if modality in ("US", "SC"):
        samples, boxes = _screen(maker, modality, random)
        box = ";".join(",".join(map(str, one)) for one in boxes)
        maker.add(Action.PIXELS_HIDDEN, box=box, category="pixels")
        left, top, right, bottom = REGION
        height, width = SCREEN
        around = f"0,0,{width},{top};0,{bottom},{width},{height};0,{top},{left},{bottom};{right},{top},{width},{bottom}"
        maker.add(Action.PIXELS_RETAINED, box=around if modality == "US" else box, category="pixels")
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.ConversionType, dataset.BurnedInAnnotation = "WSD", "YES"
    else:
        rows, columns = np.mgrid[:128, :128]
        disc = (rows - 64) ** 2 + (columns - 64) ** 2 < 50**2
        samples = np.where(disc, 1000, 0).astype(np.uint16) + random.integers(0, 40, (128, 128), dtype=np.uint16)
        maker.add(Action.PIXELS_RETAINED, category="pixels")
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.PixelSpacing, dataset.ImagePositionPatient = ["0.9", "0.9"], ["0", "0", str(5 * number)]
        dataset.ImageOrientationPatient, dataset.SliceThickness = ["1", "0", "0", "0", "1", "0"], "5"
        dataset.RescaleIntercept, dataset.RescaleSlope = "-1024", "1"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.Rows, dataset.Columns = samples.shape
    dataset.PixelData = samples.tobytes()


def _screen(maker: _Maker, modality: str, random: np.random.Generator) -> tuple[NDArray[np.uint8], tuple[Box, ...]]:
    """A screen with the patient's name and birth date drawn at its top."""
    canvas = np.zeros(SCREEN, dtype=np.uint8)
    left, top, right, bottom = REGION
    canvas[top:bottom, left:right] = random.integers(10, 90, (bottom - top, right - left), dtype=np.uint8)
    lines = (f"{maker.person.family.upper()}, {maker.person.given}", f"ID {maker.person.patient_id}", maker.person.born)
    boxes = tuple(_draw(canvas, line, left=20, top=6 + 24 * row) for row, line in enumerate(lines))
    if modality == "US":
        region = Dataset()
        region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
        region.RegionLocationMinX0, region.RegionLocationMinY0 = left, top
        region.RegionLocationMaxX1, region.RegionLocationMaxY1 = right - 1, bottom - 1
        region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection = 3, 3
        region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, 0.02
        maker.dataset.SequenceOfUltrasoundRegions = [region]
    return canvas, boxes


def _draw(canvas: NDArray[np.uint8], line: str, *, left: int, top: int) -> Box:
    """``line`` drawn in white, each of the font's dots as two by two."""
    font = ImageFont.load_default_imagefont()
    line = line.encode("ascii", "replace").decode()
    layer = Image.new("L", (len(line) * 6 + 2, 11), 0)
    ImageDraw.Draw(layer).text((0, 0), line, fill=255, font=font)
    dots = np.kron(np.asarray(layer) > 127, np.ones((2, 2), dtype=bool))
    rows, columns = np.nonzero(dots)
    canvas[top + rows, left + columns] = 255
    return left + int(columns.min()), top + int(rows.min()), left + int(columns.max()) + 1, top + int(rows.max()) + 1
