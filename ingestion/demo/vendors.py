"""How each vendor names itself and what it hides in private blocks. Private texts carry planted identities."""

from __future__ import annotations

import struct

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from ingestion.demo.model import Hospital, Ledger, SeriesPlan, Station, Vendor, item
from ingestion.demo.people import Person
from ingestion.demo.seeds import Seeds

SPELLINGS: dict[Vendor, tuple[str, ...]] = {
    Vendor.SIEMENS: ("SIEMENS", "Siemens Healthineers", "Siemens HealthCare GmbH"),
    Vendor.GE: ("GE MEDICAL SYSTEMS", "GE Healthcare", "G.E. Medical Systems"),
    Vendor.PHILIPS: ("Philips Medical Systems", "Philips", "PHILIPS Healthcare"),
    Vendor.TOSHIBA: ("TOSHIBA", "Canon Medical Systems", "TOSHIBA_MEC", "CANON_MEC"),
    Vendor.HOLOGIC: ("HOLOGIC, Inc.", "Hologic"),
    Vendor.FUJI: ("FUJIFILM Corporation", "FUJI PHOTO FILM Co., ltd."),
}
UID_ROOTS: dict[Vendor, str] = {
    Vendor.SIEMENS: "1.3.12.2.1107.5.2.99",
    Vendor.GE: "1.2.840.113619.2.999",
    Vendor.PHILIPS: "1.3.46.670589.99",
    Vendor.TOSHIBA: "1.2.392.200036.9116.2.99",
    Vendor.HOLOGIC: "1.2.840.113681.99",
    Vendor.FUJI: "1.2.392.200036.9125.99",
}
MODELS: dict[tuple[Vendor, str], str] = {
    (Vendor.SIEMENS, "CT"): "SOMATOM Definition AS+", (Vendor.SIEMENS, "MR"): "MAGNETOM Skyra",
    (Vendor.SIEMENS, "PT"): "Biograph mCT Flow", (Vendor.SIEMENS, "NM"): "Symbia Intevo",
    (Vendor.SIEMENS, "MG"): "MAMMOMAT Revelation", (Vendor.GE, "CT"): "Revolution EVO",
    (Vendor.GE, "MR"): "SIGNA Architect", (Vendor.GE, "PT"): "Discovery 710", (Vendor.GE, "MG"): "Senographe Pristina",
    (Vendor.GE, "NM"): "Discovery NM/CT 670", (Vendor.PHILIPS, "CT"): "Ingenuity TF",
    (Vendor.PHILIPS, "MR"): "Ingenia Elition X", (Vendor.PHILIPS, "PT"): "Vereos PET/CT",
    (Vendor.TOSHIBA, "CT"): "Aquilion ONE", (Vendor.TOSHIBA, "MR"): "Vantage Galan 3T",
    (Vendor.HOLOGIC, "MG"): "Selenia Dimensions", (Vendor.FUJI, "CR"): "FCR XG-5000",
    (Vendor.FUJI, "DX"): "FDR D-EVO II", (Vendor.FUJI, "MG"): "AMULET Innovality",
}  # fmt: skip
VENDORS_OF: dict[str, tuple[Vendor, ...]] = {
    "CT": (Vendor.SIEMENS, Vendor.GE, Vendor.PHILIPS, Vendor.TOSHIBA),
    "MR": (Vendor.SIEMENS, Vendor.GE, Vendor.PHILIPS, Vendor.TOSHIBA),
    "PT": (Vendor.SIEMENS, Vendor.GE, Vendor.PHILIPS),
    "NM": (Vendor.SIEMENS, Vendor.GE),
    "MG": (Vendor.HOLOGIC, Vendor.SIEMENS, Vendor.GE, Vendor.FUJI),
    "CR": (Vendor.FUJI,),
    "DX": (Vendor.FUJI,),
    "US": (Vendor.PHILIPS, Vendor.TOSHIBA, Vendor.GE),
}


def make_station(seeds: Seeds, modality: str, *names: str | int) -> Station:
    """The scanner of a modality in a source."""
    vendor = seeds.pick(VENDORS_OF.get(modality, (Vendor.SIEMENS,)), "vendor", modality, *names)
    return Station(
        vendor=vendor,
        manufacturer=seeds.pick(SPELLINGS[vendor], "spelling", modality),
        model=MODELS.get((vendor, modality), "Workplace"),
        serial=f"SN{seeds.digits(7, 'serial', modality, *names)}",
        software=f"{seeds.between(2, 9, 'sw')}.{seeds.between(0, 9, 'sw2')}.{seeds.between(1, 30, 'sw3')}",
        name=f"{modality}{seeds.digits(5, 'station', modality, *names)}",
        uid_root=UID_ROOTS[vendor],
    )


def csa_header(entries: dict[str, str]) -> bytes:
    """A SIEMENS CSA header (format SV10): named elements of one text each."""
    body = struct.pack("<4s4s2I", b"SV10", b"\4\3\2\1", len(entries), 77)
    for name, text in entries.items():
        value = text.encode("ascii") + b"\0"
        padded = value + b"\0" * (-len(value) % 4)
        body += struct.pack("<64si4s3I", name.encode("ascii"), 1, b"LO\0\0", 19, 6, 77)
        body += struct.pack("<4I", len(value), len(value), 77, len(value)) + padded
        body += struct.pack("<4I", 0, 0, 77, 0) * 5
    return body + b"\0" * (len(body) % 2)


def add_private(base: Dataset, plan: SeriesPlan, seeds: Seeds, ledger: Ledger) -> None:
    """The private blocks of the plan's vendor."""
    makers = {
        Vendor.SIEMENS: _siemens,
        Vendor.GE: _ge,
        Vendor.PHILIPS: _philips,
        Vendor.TOSHIBA: _toshiba,
        Vendor.HOLOGIC: _hologic,
        Vendor.FUJI: _fuji,
    }
    private_uid = seeds.uid(plan.station.uid_root, "private", plan.uid)
    makers[plan.station.vendor](base, plan.study.person, plan.hospital, plan.station, private_uid, ledger)


def _siemens(base: Dataset, person: Person, hospital: Hospital, station: Station, uid: str, ledger: Ledger) -> None:
    name = ledger.plant(person.ascii_family, "family_name", "private (0029,1010)")
    serial = ledger.plant(station.serial, "device_serial", "private (0029,1020)")
    block = base.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x08, "CS", "IMAGE NUM 4")
    block.add_new(0x10, "OB", csa_header({"PatientName": name, "EchoLinePosition": "64", "UsedChannelMask": "1"}))
    block.add_new(0x18, "CS", "MR")
    block.add_new(0x20, "OB", csa_header({"DeviceSerialNumber": serial, "tProtocolName": "ax"}))
    medcom = base.private_block(0x0029, "SIEMENS MEDCOM HEADER2", create=True)
    medcom.add_new(0x60, "LO", "com")
    shown = base.private_block(0x0051, "SIEMENS MR HEADER", create=True)
    shown.add_new(0x08, "CS", "IMAGE NUM 4")
    shown.add_new(0x0F, "LO", "T:HE1-4")
    nested = base.private_block(0x0021, "SIEMENS MR SDI 02", create=True)
    inner = item(PatientID=ledger.plant(person.patient_id, "patient_id", "private (0021,10fe)"))
    inner.add_new(0x00080018, "UI", uid)
    nested.add_new(0xFE, "SQ", Sequence([inner]))


def _ge(base: Dataset, person: Person, hospital: Hospital, station: Station, uid: str, ledger: Ledger) -> None:
    block = base.private_block(0x0009, "GEMS_IDEN_01", create=True)
    block.add_new(0x01, "LO", "GE_GENESIS_FF")
    block.add_new(0x02, "SH", station.name)
    block.add_new(0x04, "SH", "SIGNA")
    block.add_new(0x27, "SL", 1615000000)
    block.add_new(0xE3, "UI", uid)
    patient = base.private_block(0x0011, "GEMS_PATI_01", create=True)
    patient.add_new(0x10, "SS", 0)
    shown = base.private_block(0x0025, "GEMS_SERS_01", create=True)
    shown.add_new(0x19, "SL", 64)
    shown.add_new(0x1B, "OB", ledger.plant(person.patient_id, "patient_id", "private (0025,101b)").encode().ljust(16))
    parameters = base.private_block(0x0043, "GEMS_PARM_01", create=True)
    parameters.add_new(0x6F, "DS", ["1", "0", "0"])
    parameters.add_new(0x62, "LO", ledger.plant(hospital.operator, "operator", "private (0043,1062)"))


def _philips(base: Dataset, person: Person, hospital: Hospital, station: Station, uid: str, ledger: Ledger) -> None:
    block = base.private_block(0x2001, "Philips Imaging DD 001", create=True)
    block.add_new(0x03, "FL", 0.0)
    block.add_new(0x0B, "CS", "TRANSVERSAL")
    inner = item(ReferencedSOPInstanceUID=uid)
    inner_block = inner.private_block(0x2005, "Philips MR Imaging DD 002", create=True)
    inner_block.add_new(0x37, "LO", ledger.plant(person.ascii_family, "family_name", "private (2005,1037)"))
    deeper = Dataset()
    deeper_block = deeper.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
    deeper_block.add_new(0x02, "SQ", Sequence([inner]))
    block.add_new(0x5F, "SQ", Sequence([deeper]))
    second = base.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    second.add_new(0x0D, "FL", 0.0)
    second.add_new(0x0E, "FL", 1.25)
    second.add_new(0x5F, "LO", ledger.plant(hospital.name, "institution", "private (2005,105f)"))


def _toshiba(base: Dataset, person: Person, hospital: Hospital, station: Station, uid: str, ledger: Ledger) -> None:
    block = base.private_block(0x7005, "TOSHIBA_MEC_CT3", create=True)
    block.add_new(0x00, "OB", b"\1\0\0\0")
    block.add_new(0x08, "UI", uid)
    block.add_new(0x0B, "LO", ledger.plant(person.ascii_family, "family_name", "private (7005,100b)"))
    block.add_new(0x1F, "LT", "protocol " + ledger.plant(hospital.performing, "physician", "private (7005,101f)"))


def _hologic(base: Dataset, person: Person, hospital: Hospital, station: Station, uid: str, ledger: Ledger) -> None:
    block = base.private_block(0x0019, "HOLOGIC, Inc.", create=True)
    block.add_new(0x01, "CS", "HTC")
    block.add_new(0x16, "DS", "12.5")
    block.add_new(0x26, "SH", ledger.plant(station.serial, "device_serial", "private (0019,1026)"))
    block.add_new(0x41, "LT", ledger.plant(person.email, "email", "private (0019,1041)"))
    block.add_new(0x89, "UI", uid)


def _fuji(base: Dataset, person: Person, hospital: Hospital, station: Station, uid: str, ledger: Ledger) -> None:
    block = base.private_block(0x0009, "FDMS 1.0", create=True)
    block.add_new(0x04, "SH", ledger.plant(person.other_id, "other_id", "private (0009,1004)"))
    block.add_new(0x05, "UI", uid)
    block.add_new(0x0C, "LO", station.model)
    block.add_new(0x90, "CS", "CS")
