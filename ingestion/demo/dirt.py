"""What goes wrong at every hospital, in every source: each piece with the end it must meet."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from pydicom.dataset import Dataset

from ingestion.accounting.states import Reason
from ingestion.demo.answer_key import Expected, KeyFlaw, KeyObject, ObjectKind
from ingestion.demo.delivery import Delivery
from ingestion.demo.encode import bare, encode
from ingestion.demo.model import Series, SeriesPlan, put
from ingestion.demo.outbox import ACCEPTED, NOT_DICOM, End, Item, Place, RawArchive, member_name, packed

MANDATORY = ("BodyPartExamined", "Manufacturer", "AcquisitionDate")
DEEP = 400
"""Sequences within sequences: beyond any real object, and beyond Python's stack when read by recursion."""
BOMB_BYTES = 40_000_000
HUGE_LENGTH = 0x7FFFFFF0


def add_dirt(delivery: Delivery) -> None:
    """The seven pieces that every source has, and a third of the rarer ones."""
    for piece in (
        _truncated, _text_named_like_an_image, _exact_duplicate, _same_uid_other_content, _two_patients,
        _missing_slice, _missing_attribute, _no_patient_id,
    ):  # fmt: skip
        piece(delivery)
    chance = delivery.plan.seeds.number("rare dirt") % 3
    for number, rare in enumerate(RARE):
        if number % 3 == chance:
            rare(delivery)


def _series(delivery: Delivery, number: int, name: str, *, patient: int = 0, images: int = 3) -> Series:
    return delivery.make(delivery.plan.dirty(number, name=name, patient=patient, images=images))


def _body(series: Series, dataset: Dataset, *, syntax: str | None = None) -> bytes:
    return encode(dataset, series.plan.station, syntax=syntax or series.syntax)


def _add(
    delivery: Delivery, series: Series, body: bytes, end: End, *, number: int, note: str, series_uid: str | None = None
) -> Item:
    uid = series.instances[0].SOPInstanceUID
    place = delivery.layout.place(series.plan, number=number, sop_uid=f"{uid}.{number}"[-60:])
    return delivery.outbox.add(Item(place, body, ObjectKind.DIRT, end, series_uid or series.plan.uid, note))


def _truncated(delivery: Delivery) -> None:
    series = _series(delivery, 901, "truncated")
    for number, dataset in enumerate(series.instances, start=1):
        body, end, note = _body(series, dataset), ACCEPTED, ""
        if number == 2:
            body, end, note = body[: len(body) * 2 // 3], End.quarantined(Reason.TRUNCATED), "cut off at two thirds"
        _add(delivery, series, body, end, number=number, note=note)


def _text_named_like_an_image(delivery: Delivery) -> None:
    item = Item(
        Place("incoming/IM0000.dcm"), b"Export failed: retry later\n", ObjectKind.DIRT, NOT_DICOM, note="a text file"
    )
    delivery.outbox.add(item)


def _exact_duplicate(delivery: Delivery) -> None:
    """Of an ordinary image: delivered again under another name."""
    first = next(item for item in delivery.outbox.items if item.end is ACCEPTED and item.kind is ObjectKind.IMAGE)
    copy = replace(first, place=Place("resent/copy_of_an_image"), kind=ObjectKind.DIRT, note="sent twice")
    delivery.outbox.add(copy)


def _same_uid_other_content(delivery: Delivery) -> None:
    series = _series(delivery, 902, "conflict")
    for number, dataset in enumerate(series.instances, start=1):
        end = ACCEPTED
        if number < 3:
            put(dataset, SOPInstanceUID=series.instances[0].SOPInstanceUID)
            end = End.quarantined(Reason.SOP_INSTANCE_CONFLICT)
        _add(delivery, series, _body(series, dataset), end, number=number, note="one UID, two contents")


def _two_patients(delivery: Delivery) -> None:
    series = _series(delivery, 903, "mixed")
    other = delivery.plan.patients[-1].person
    end = End.quarantined(Reason.MIXED_PATIENTS)
    for number, dataset in enumerate(series.instances, start=1):
        if number == 3:
            put(dataset, PatientID=delivery.ledger.plant(other.patient_id, "patient_id", "PatientID"))
        _add(delivery, series, _body(series, dataset), end, number=number, note="ids of two patients in one series")


def _missing_slice(delivery: Delivery) -> None:
    """Of slices where the source has them, else an image number."""
    series = _series(delivery, 904, "missing slice", images=5)
    kept = [dataset for number, dataset in enumerate(series.instances) if number != 2]
    for number, dataset in enumerate(kept, start=1):
        _add(
            delivery, series, _body(series, dataset), ACCEPTED, number=number, note="a slice of this series is missing"
        )
    delivery.ledger.flaws.append(KeyFlaw("missing_slice", series.plan.uid, "the third instance was not exported"))


def _missing_attribute(delivery: Delivery) -> None:
    series = _series(delivery, 905, "missing attribute")
    keyword = delivery.plan.seeds.pick(MANDATORY, "missing attribute")
    for number, dataset in enumerate(series.instances, start=1):
        if keyword in dataset:
            del dataset[keyword]
        _add(delivery, series, _body(series, dataset), ACCEPTED, number=number, note=f"without {keyword}")
    delivery.ledger.flaws.append(KeyFlaw("missing_attribute", series.plan.uid, keyword))


def _no_patient_id(delivery: Delivery) -> None:
    series = _series(delivery, 906, "no patient id", images=1)
    dataset = series.instances[0]
    put(dataset, PatientID="")
    end = End.quarantined(Reason.MISSING_IDENTIFIER)
    _add(delivery, series, _body(series, dataset), end, number=1, note="PatientID is empty")


def _rare_file(delivery: Delivery, name: str, body: bytes, end: End, note: str) -> None:
    delivery.outbox.add(Item(Place(f"incoming/{name}"), body, ObjectKind.DIRT, end, note=note))


def _one(delivery: Delivery, number: int, name: str) -> tuple[SeriesPlan, Dataset]:
    series = _series(delivery, number, name, images=1)
    return series.plan, series.instances[0]


def _empty(delivery: Delivery) -> None:
    _rare_file(delivery, "IM0001", b"", End.quarantined(Reason.EMPTY_FILE), "no bytes")


def _unknown_syntax(delivery: Delivery) -> None:
    plan, dataset = _one(delivery, 911, "unknown syntax")
    body = encode(dataset, plan.station)
    known, unknown = b"1.2.840.10008.1.2.1\0", b"1.2.999.10008.9.9.9\0"
    end = End.quarantined(Reason.UNKNOWN_TRANSFER_SYNTAX)
    _rare_file(delivery, "IM0002", body.replace(known, unknown, 1), end, "a transfer syntax that nobody knows")


def _no_meta(delivery: Delivery) -> None:
    _, dataset = _one(delivery, 912, "no meta")
    end = End.quarantined(Reason.UNKNOWN_TRANSFER_SYNTAX)
    _rare_file(delivery, "IM0003", bare(dataset), end, "a data set without file meta information")


def _no_preamble(delivery: Delivery) -> None:
    plan, dataset = _one(delivery, 913, "no preamble")
    item = Item(
        Place("incoming/IM0004"), encode(dataset, plan.station)[132:], ObjectKind.DIRT, ACCEPTED, plan.uid,
        "without preamble",
    )  # fmt: skip
    delivery.outbox.add(item)


def _huge_length(delivery: Delivery) -> None:
    plan, dataset = _one(delivery, 914, "huge length")
    body = encode(dataset, plan.station)
    at = body.index(b"\x08\x00\x80\x00LO")  # InstitutionName, made an element that claims 2 GB
    hostile = body[:at] + b"\x08\x00\x80\x00UN\0\0" + struct.pack("<L", HUGE_LENGTH) + body[at + 8 :]
    _rare_file(delivery, "IM0005", hostile, End.quarantined(Reason.TRUNCATED), "an element that claims 2 GB")


def _deep(delivery: Delivery) -> None:
    plan, dataset = _one(delivery, 915, "deep")
    body = encode(dataset, plan.station)
    at = body.index(b"\x10\x00\x10\x00PN")
    opening = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    end = End.quarantined(Reason.NESTED_TOO_DEEP)
    hostile = body[:at] + opening * DEEP + closing * DEEP + body[at:]
    _rare_file(delivery, "IM0006", hostile, end, f"sequences {DEEP} deep")


def _bomb(delivery: Delivery) -> None:
    archive, member = "incoming/scans.zip", "IM0001.dcm"
    name = member_name(archive, 0, member)
    end = KeyObject(name, ObjectKind.DIRT, Expected.QUARANTINED, (Reason.ARCHIVE_UNSAFE,), None, "a zip bomb")
    body = packed([(member, bytes(BOMB_BYTES))], level=9)
    delivery.outbox.raw_archives.append(RawArchive(archive, body, (end,)))


def _traversal(delivery: Delivery) -> None:
    plan, dataset = _one(delivery, 916, "traversal")
    archive, member = "incoming/upload.zip", "../../../outside.dcm"
    name = member_name(archive, 0, member)
    end = KeyObject(name, ObjectKind.DIRT, Expected.QUARANTINED, (Reason.ARCHIVE_UNSAFE,), None, "leaves its folder")
    delivery.outbox.raw_archives.append(RawArchive(archive, packed([(member, encode(dataset, plan.station))]), (end,)))


def _broken_archive(delivery: Delivery) -> None:
    plan, dataset = _one(delivery, 917, "broken archive")
    archive = str(PurePosixPath("incoming") / "backup.zip")
    body = packed([("IM0001.dcm", encode(dataset, plan.station))])
    end = KeyObject(archive, ObjectKind.DIRT, Expected.QUARANTINED, (Reason.ARCHIVE_UNREADABLE,), None, "half a zip")
    delivery.outbox.raw_archives.append(RawArchive(archive, body[: len(body) // 2], (end,)))


RARE: tuple[Callable[[Delivery], None], ...] = (
    _empty, _unknown_syntax, _no_meta, _no_preamble, _huge_length, _deep, _bomb, _traversal, _broken_archive,
)  # fmt: skip
