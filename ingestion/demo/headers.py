"""The header that all instances of one series share: patient, study, series, equipment, with identities planted in
plain tags, in sequences and in free text."""

from __future__ import annotations

import unicodedata

from pydicom.charset import python_encoding
from pydicom.dataset import Dataset

from ingestion.demo.model import Ledger, SeriesPlan, code, item, put
from ingestion.demo.people import Person
from ingestion.demo.seeds import Seeds
from ingestion.demo.vendors import add_private


def fit(text: str, person: Person) -> str:
    """``text`` as the patient's character set can write it."""
    encoding = python_encoding[person.charset[0]] if person.charset[0] else "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return text


def series_base(plan: SeriesPlan, seeds: Seeds, ledger: Ledger) -> Dataset:
    """All attributes that do not change from instance to instance."""
    study, person, hospital, station = plan.study, plan.study.person, plan.hospital, plan.station
    day = study.day.strftime("%Y%m%d")

    def plant(value: str, kind: str, where: str) -> str:
        return ledger.plant(fit(value, person), kind, where)

    for part, kind in ((person.family, "family_name"), (person.given, "given_name")):
        ledger.plant(part, kind, "PatientName")
    shown = person.plain_text_family
    for where in ("StudyDescription", "RequestAttributesSequence"):
        plant(shown, "family_name", where)
    if shown in plan.description:
        plant(shown, "family_name", "SeriesDescription")
    base = put(
        Dataset(),
        SpecificCharacterSet=list(person.charset) if len(person.charset) > 1 else person.charset[0],
        PatientName=ledger.plant(person.dicom_name, "patient_name", "PatientName"),
        PatientID=plant(person.patient_id, "patient_id", "PatientID"),
        PatientBirthDate=plant(person.birth.strftime("%Y%m%d"), "birth_date", "PatientBirthDate"),
        PatientSex=person.sex,
        PatientAge=person.age(study.day),
        PatientWeight=person.weight_kg,
        PatientSize=f"{person.height_cm / 100:.2f}",
        OtherPatientIDs=plant(person.other_id, "other_id", "OtherPatientIDs"),
        OtherPatientIDsSequence=[
            item(PatientID=plant(person.other_id, "other_id", "OtherPatientIDsSequence"), TypeOfPatientID="TEXT")
        ],
        PatientAddress=plant(person.address, "address", "PatientAddress"),
        PatientTelephoneNumbers=plant(person.phone, "phone", "PatientTelephoneNumbers"),
        PatientComments=f"contact {plant(person.email, 'email', 'PatientComments')}",
        StudyInstanceUID=study.uid,
        StudyDate=day,
        StudyTime=study.time,
        StudyID=plant(study.study_id, "study_id", "StudyID"),
        AccessionNumber=plant(study.accession, "accession", "AccessionNumber"),
        StudyDescription=f"{plan.modality} {plan.body_part} for {shown}"[:64],
        ReferringPhysicianName=plant(hospital.referring, "physician", "ReferringPhysicianName"),
        PerformingPhysicianName=plant(hospital.performing, "physician", "PerformingPhysicianName"),
        OperatorsName=plant(hospital.operator, "operator", "OperatorsName"),
        InstitutionName=plant(hospital.name, "institution", "InstitutionName"),
        InstitutionAddress=plant(hospital.address, "address", "InstitutionAddress"),
        InstitutionalDepartmentName=hospital.department,
        Modality=plan.modality,
        SeriesInstanceUID=plan.uid,
        SeriesNumber=plan.number,
        SeriesDate=day,
        SeriesTime=study.time,
        SeriesDescription=plan.description,
        ProtocolName=f"{plan.kind} {plant(hospital.performing, 'physician', 'ProtocolName')}"[:64],
        BodyPartExamined=plan.body_part,
        AcquisitionDate=day,
        AcquisitionTime=study.time,
        ContentDate=day,
        ContentTime=study.time,
        Manufacturer=station.manufacturer,
        ManufacturerModelName=station.model,
        DeviceSerialNumber=plant(station.serial, "device_serial", "DeviceSerialNumber"),
        SoftwareVersions=station.software,
        StationName=plant(station.name, "station", "StationName"),
        ImageComments=f"recall {plant(person.ascii_family, 'family_name', 'ImageComments')}",
        ReferencedStudySequence=[
            item(
                ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
                ReferencedSOPInstanceUID=seeds.uid(station.uid_root, "referenced study", study.uid),
            )
        ],
        ReferencedPerformedProcedureStepSequence=[
            item(
                ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.3",
                ReferencedSOPInstanceUID=seeds.uid(station.uid_root, "mpps", study.uid),
            )
        ],
        PerformedProcedureStepStartDate=day,
        PerformedProcedureStepID=f"PPS{seeds.digits(7, 'pps', study.uid)}",
        PerformedProtocolCodeSequence=[code("P5-09000", "SRT", "Imaging procedure")],
        RequestAttributesSequence=[_request(plan, seeds, shown)],
        ProcedureCodeSequence=[code("P5-09000", "SRT", "Imaging procedure")],
        BurnedInAnnotation="NO",
    )
    add_private(base, plan, seeds, ledger)
    return base


def _request(plan: SeriesPlan, seeds: Seeds, family: str) -> Dataset:
    return item(
        RequestedProcedureID=f"RP{seeds.digits(8, 'rp', plan.study.uid)}",
        ScheduledProcedureStepID=f"SPS{seeds.digits(8, 'sps', plan.study.uid)}",
        ScheduledProcedureStepDescription=f"{plan.modality} {family}"[:64],
        ScheduledProtocolCodeSequence=[code("P5-09000", "SRT", "Imaging procedure")],
    )
