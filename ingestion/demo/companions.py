"""What lies between the images and is none: letters, lists, thumbnails, the droppings of file managers, a DICOMDIR."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from ingestion.accounting.states import Reason
from ingestion.demo.answer_key import ObjectKind
from ingestion.demo.encode import VERSION_NAME
from ingestion.demo.layout import Style
from ingestion.demo.lettering import burn_in
from ingestion.demo.model import Ledger, item, put
from ingestion.demo.outbox import NOT_DICOM, End, Item, Outbox, Place
from ingestion.demo.people import Person
from ingestion.demo.plan import SourcePlan
from ingestion.demo.seeds import Seeds

DIRECTORY_ROOT = "1.3.12.2.1107.5.2.99.9"


def add_companions(plan: SourcePlan, outbox: Outbox, ledger: Ledger, style: Style) -> None:
    """Text files, a thumbnail and hidden files for every source; a DICOMDIR where the style brings one."""
    people = [patient.person for patient in plan.patients]
    _add(outbox, "README.txt", _letter(plan, ledger).encode(), "a covering letter with telephone and e-mail")
    _add(outbox, "lists/patients.csv", _patient_list(people, ledger).encode("utf-8"), "names, ids and birth dates")
    thumbnail = f"previews/{ledger.plant(people[0].ascii_family, 'family_name', 'path')}.jpg"
    _add(outbox, thumbnail, _thumbnail(people[0], ledger, thumbnail, plan.seeds), "a thumbnail with the name in it")
    hidden = plan.seeds.pick(("Thumbs.db", ".DS_Store", "desktop.ini", "VERSION"), "hidden")
    _add(outbox, hidden, b"Bud1\0\0 not an image\n" + plan.seeds.generator("hidden").bytes(200), "left by a program")
    if style is Style.MEDIA:
        outbox.add(
            Item(
                Place("DICOMDIR"), dicomdir(people, plan.seeds, ledger), ObjectKind.COMPANION,
                End.quarantined(Reason.MEDIA_DIRECTORY), note="index of the media, with names",
            )
        )  # fmt: skip


def dicomdir(people: list[Person], seeds: Seeds, ledger: Ledger) -> bytes:
    """A DICOMDIR (PS3.3 annex F) with one record per patient, chained by their offsets in the file."""
    records = []
    for person in people:
        ledger.plant(person.dicom_name, "patient_name", "DICOMDIR")
        records.append(
            item(
                OffsetOfTheNextDirectoryRecord=0,
                RecordInUseFlag=0xFFFF,
                OffsetOfReferencedLowerLevelDirectoryEntity=0,
                DirectoryRecordType="PATIENT",
                SpecificCharacterSet=list(person.charset) if len(person.charset) > 1 else person.charset[0],
                PatientName=person.dicom_name,
                PatientID=ledger.plant(person.patient_id, "patient_id", "DICOMDIR"),
            )
        )
    directory = put(
        Dataset(),
        FileSetID="EXPORT",
        OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity=0,
        OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity=0,
        FileSetConsistencyFlag=0,
        DirectoryRecordSequence=records,
    )
    directory.file_meta = put(  # type: ignore[assignment]
        FileMetaDataset(),
        MediaStorageSOPClassUID=MediaStorageDirectoryStorage,
        MediaStorageSOPInstanceUID=seeds.uid(DIRECTORY_ROOT, "file set", *(person.patient_id for person in people)),
        TransferSyntaxUID=ExplicitVRLittleEndian,
        ImplementationClassUID=f"{DIRECTORY_ROOT}.1",
        ImplementationVersionName=VERSION_NAME,
    )
    directory.preamble = b"\0" * 128
    places = [entry.seq_item_tell for entry in dcmread(BytesIO(_written(directory))).DirectoryRecordSequence]
    put(
        directory,
        OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity=places[0],
        OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity=places[-1],
    )
    for record, following in zip(records, [*places[1:], 0], strict=True):
        put(record, OffsetOfTheNextDirectoryRecord=following)
    return _written(directory)


def _written(directory: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, directory, enforce_file_format=True)
    return buffer.getvalue()


def _add(outbox: Outbox, path: str, body: bytes, note: str) -> None:
    outbox.add(Item(Place(path), body, ObjectKind.COMPANION, NOT_DICOM, note=note))


def _letter(plan: SourcePlan, ledger: Ledger) -> str:
    hospital, person = plan.hospitals[0], plan.patients[0].person
    return (
        f"{ledger.plant(hospital.name, 'institution', 'text')}\n{ledger.plant(hospital.address, 'address', 'text')}\n\n"
        f"Export for research. Questions: {ledger.plant(person.phone, 'phone', 'text')}, "
        f"{ledger.plant(person.email, 'email', 'text')}\n"
    )


def _patient_list(people: list[Person], ledger: Ledger) -> str:
    rows = ["id;name;born"]
    for person in people:
        patient_id = ledger.plant(person.patient_id, "patient_id", "text")
        family = ledger.plant(person.family, "family_name", "text")
        born = ledger.plant(person.birth.strftime("%Y%m%d"), "birth_date", "text")
        rows.append(f"{patient_id};{family}, {person.given};{born}")
    return "\n".join(rows) + "\n"


def _thumbnail(person: Person, ledger: Ledger, path: str, seeds: Seeds) -> bytes:
    canvas = seeds.generator("thumbnail").integers(0, 90, (96, 160)).astype(np.uint8)
    burn_in(canvas, [ledger.plant(person.ascii_family, "family_name", f"pixels of {path}"), person.patient_id])
    buffer = BytesIO()
    Image.fromarray(canvas).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
