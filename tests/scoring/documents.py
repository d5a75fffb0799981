"""A report and a presentation state for each patient of the made-up delivery, with their rows of the key."""

from __future__ import annotations

from pydicom.dataset import Dataset

from .key import Action

CLASSES = {"SR": "1.2.840.10008.5.1.4.1.1.88.22", "PR": "1.2.840.10008.5.1.4.1.1.11.1"}
CONTENT, TEXT = "0040A730", "0040A160"


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """A code."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _item(kind: str, code: str, meaning: str, **values: object) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", kind
    item.ConceptNameCodeSequence = [coded(code, "DCM", meaning)]
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def add_report(maker) -> None:  # type: ignore[no-untyped-def]
    """The content of an enhanced SR: who read it, on which device, what was found, when, in which image."""
    person, dataset = maker.person, maker.dataset
    measured, referenced = Dataset(), Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "14.5", [coded("mm", "UCUM", "mm")]
    base = str(dataset.StudyInstanceUID)
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", f"{base}.1.1"
    doctor = person.physician.split("^")[0]
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ConceptNameCodeSequence = [coded("18748-4", "LN", "Diagnostic imaging report")]
    dataset.ContentSequence = [
        _item("PNAME", "121008", "Person Observer Name", PersonName=person.physician),
        _item("TEXT", "121009", "Person Observer's Organization Name", TextValue=person.institution),
        _item("TEXT", "121016", "Device Observer Serial Number", TextValue="SN-77120"),
        _item("TEXT", "121030", "Subject ID", TextValue=person.patient_id),
        _item("TEXT", "121071", "Finding", TextValue=f"Round focus of {person.called}, no change"),
        _item("TEXT", "121077", "Conclusion", TextValue=f"Dr. {doctor}: control in 3 months"),
        _item("NUM", "121206", "Distance", MeasuredValueSequence=[measured]),
        _item("DATE", "111526", "DateTime Started", Date=person.study_date),
        _item("IMAGE", "121080", "Best illustration of finding", ReferencedSOPSequence=[referenced]),
        _item("UIDREF", "112040", "Tracking Unique Identifier", UID=f"{base}.88"),
    ]
    maker.text(f"{CONTENT}[0].0040A123", gone=(doctor,), category="document")
    maker.text(f"{CONTENT}[1].{TEXT}", gone=(person.institution,), category="document")
    maker.text(f"{CONTENT}[2].{TEXT}", gone=("77120",), category="document")
    maker.text(f"{CONTENT}[3].{TEXT}", gone=(person.patient_id,), category="document")
    maker.text(f"{CONTENT}[4].{TEXT}", kept="Round focus of", gone=(person.family,), category="document")
    maker.text(f"{CONTENT}[4].{TEXT}", kept="no change", gone=(person.given,), category="document")
    maker.text(f"{CONTENT}[5].{TEXT}", kept="control in 3 months", gone=(doctor,), category="document")
    maker.text(f"{CONTENT}[6].0040A300[0].0040A30A", kept="14.5", category="document")
    maker.add(Action.DATE_SHIFTED, f"{CONTENT}[7].0040A121", category="document")
    for place in (f"{CONTENT}[8].00081199[0].00081155", f"{CONTENT}[9].0040A124"):
        maker.add(Action.UID_CHANGED, place, category="document")
        maker.add(Action.UID_CONSISTENT, place, category="document")


def add_graphics(maker) -> None:  # type: ignore[no-untyped-def]
    """The annotations of a presentation state: a line, a finding, a name."""
    person, dataset = maker.person, maker.dataset
    annotation, line, layer = Dataset(), Dataset(), Dataset()
    line.GraphicAnnotationUnits, line.GraphicDimensions, line.NumberOfGraphicPoints = "PIXEL", 2, 2
    line.GraphicData, line.GraphicType, line.GraphicFilled = [10.0, 10.0, 20.0, 30.0], "POLYLINE", "N"
    texts = []
    for value in ("Liver lesion 14 mm", f"{person.called} necrosis", person.patient_id):
        text = Dataset()
        text.AnchorPointAnnotationUnits, text.AnchorPoint, text.AnchorPointVisibility = "PIXEL", [5.0, 5.0], "N"
        text.UnformattedTextValue = value
        texts.append(text)
    annotation.GraphicLayer, annotation.TextObjectSequence, annotation.GraphicObjectSequence = "LAYER1", texts, [line]
    layer.GraphicLayer, layer.GraphicLayerOrder = "LAYER1", 1
    dataset.GraphicAnnotationSequence, dataset.GraphicLayerSequence = [annotation], [layer]
    dataset.ContentLabel, dataset.ContentDescription = "NOTES", f"Leber {person.family}"
    dataset.ContentCreatorName = person.physician
    dataset.PresentationCreationDate, dataset.PresentationCreationTime = person.study_date, "101500"
    place = "00700001[0].00700008"
    maker.text(f"{place}[0].00700006", kept="Liver lesion 14 mm", category="document")
    maker.text(f"{place}[1].00700006", kept="necrosis", gone=(person.family, person.given), category="document")
    maker.text(f"{place}[2].00700006", gone=(person.patient_id,), category="document")
    maker.text("00700001[0].00700009[0].00700022", kept="20", category="document")
    maker.text("00700081", kept="Leber", gone=(person.family,), category="document")
    maker.text("00700084", gone=(person.physician.split("^")[0],), category="document")
    maker.add(Action.DATE_SHIFTED, "00700082", category="document")
