"""Structured reports, key objects and presentation states in the making: of Zdenka Hrušková, who does not exist."""

from __future__ import annotations

from io import BytesIO

import highdicom as hd
import numpy as np
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import dcmread
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

FAMILY, GIVEN, PATIENT_ID, BORN = "Hrušková", "Zdenka", "7159034412", "19350417"
STUDY_DATE, ACCESSION, SERIAL, STATION = "20190619", "A0091237", "SN-88213", "ONCOMR7"
READER, HOSPITAL = "Oyelaran^Tunde", "Klinikum Rosenheim"


def image() -> Dataset:
    """A CT slice of that patient."""
    dataset = dcmread(get_testdata_file("CT_small.dcm"))
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = f"{FAMILY}^{GIVEN}", PATIENT_ID, BORN
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = STUDY_DATE
    dataset.AccessionNumber, dataset.ReferringPhysicianName = ACCESSION, READER
    dataset.InstitutionName, dataset.StationName, dataset.DeviceSerialNumber = HOSPITAL, STATION, SERIAL
    for keyword in ("OtherPatientIDsSequence", "DataSetTrailingPadding", "InstitutionAddress"):
        if keyword in dataset:
            delattr(dataset, keyword)
    return dataset


def body(dataset: Dataset) -> bytes:
    """As a file."""
    if not hasattr(dataset, "file_meta") or "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def measurement_report() -> Dataset:
    """TID 1500 by highdicom: observers, a tracked finding with a diameter, free texts."""
    slice_ = image()
    person = hd.sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(
            name=READER, login_name="toyelaran", organization_name=HOSPITAL
        ),
    )
    device = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=hd.UID(), name=STATION, serial_number=SERIAL, physical_location="Room 7 Rosenheim"
        ),
    )
    region = hd.sr.ImageRegion(
        graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
        graphic_data=np.array([[10.0, 10.0], [40.0, 12.0]]),
        source_image=hd.sr.SourceImageForRegion(slice_.SOPClassUID, slice_.SOPInstanceUID),
    )
    group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier="Lesion 1"),
        referenced_region=region,
        finding_type=codes.SCT.Neoplasm,
        measurements=[hd.sr.Measurement(name=codes.SCT.Diameter, value=14.5, unit=codes.UCUM.Millimeter)],
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(
                name=Code("EV1", "99ROSENH", "Seen by"), value=Code("7731", "99ROSENH", "Dr. Oyelaran")
            ),
            hd.sr.QualitativeEvaluation(
                name=Code("250145", "99PMP", "Metabolic volume"), value=Code("250138", "99PMP", "High uptake")
            ),
        ],
    )
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=person, observer_device_context=device),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )
    made = hd.sr.Comprehensive3DSR(
        evidence=[slice_],
        content=report[0],
        series_number=7,
        series_instance_uid=hd.UID(),
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="MADE UP",
        is_complete=True,
        is_final=True,
        is_verified=True,
        verifying_observer_name=READER,
        verifying_organization=HOSPITAL,
        series_description=f"Measurements of {GIVEN} {FAMILY}",
    )
    return made


def item(value_type: str, concept: tuple[str, str, str], **values: object) -> Dataset:
    """A content item."""
    made = Dataset()
    made.RelationshipType, made.ValueType = "CONTAINS", value_type
    made.ConceptNameCodeSequence = [coded(*concept)]
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """A code."""
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made


def report(*items: Dataset, sop_class: str = uid.EnhancedSRStorage) -> Dataset:
    """A report with these items below its title."""
    slice_, made = image(), Dataset()
    for keyword in (
        "SpecificCharacterSet", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
        "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID", "InstitutionName",
    ):  # fmt: skip
        setattr(made, keyword, slice_.get(keyword, ""))
    made.SOPClassUID, made.SOPInstanceUID, made.SeriesInstanceUID = sop_class, hd.UID(), hd.UID()
    made.Modality, made.SeriesNumber, made.InstanceNumber, made.Manufacturer = "SR", 9, 1, "MADE UP"
    made.ContentDate, made.ContentTime, made.ReferencedPerformedProcedureStepSequence = STUDY_DATE, "101500", []
    made.PerformedProcedureCodeSequence = []
    made.CompletionFlag, made.VerificationFlag = "COMPLETE", "UNVERIFIED"
    made.ValueType, made.ContinuityOfContent = "CONTAINER", "SEPARATE"
    made.ConceptNameCodeSequence = [coded("18748-4", "LN", "Diagnostic imaging report")]
    made.ContentSequence = list(items)
    return made


def key_objects() -> Dataset:
    """A selection by highdicom."""
    slice_ = image()
    content = hd.ko.KeyObjectSelection(
        document_title=codes.DCM.OfInterest, referenced_objects=[slice_], description=f"for {READER}, liver lesion"
    )
    return hd.ko.KeyObjectSelectionDocument(
        evidence=[slice_],
        content=content,
        series_instance_uid=hd.UID(),
        series_number=8,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="MADE UP",
        institution_name=HOSPITAL,
    )


def presentation(*texts: str) -> Dataset:
    """A greyscale presentation state by highdicom with a line and these texts."""
    slice_ = image()
    layer = hd.pr.GraphicLayer(layer_name="LAYER1", order=1, description=f"drawn by {READER}")
    annotation = hd.pr.GraphicAnnotation(
        referenced_images=[slice_],
        graphic_layer=layer,
        graphic_objects=[
            hd.pr.GraphicObject(
                graphic_type=hd.pr.GraphicTypeValues.POLYLINE,
                graphic_data=np.array([[10.0, 10.0], [20.0, 30.0]]),
                units=hd.pr.AnnotationUnitsValues.PIXEL,
            )
        ],
        text_objects=[
            hd.pr.TextObject(text_value=text, units=hd.pr.AnnotationUnitsValues.PIXEL, anchor_point=(5.0, 5.0))
            for text in texts
        ],
    )
    made = hd.pr.GrayscaleSoftcopyPresentationState(
        referenced_images=[slice_],
        series_instance_uid=hd.UID(),
        series_number=10,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="MADE UP",
        manufacturer_model_name="Maker",
        software_versions="1",
        device_serial_number=SERIAL,
        content_label="ANNOTATIONS",
        content_description=f"{GIVEN} liver",
        content_creator_name=READER,
        graphic_layers=[layer],
        graphic_annotations=[annotation],
        institution_name=HOSPITAL,
    )
    return made
