"""One object without pixels made ready for the rewriter of headers, or refused."""

from __future__ import annotations

from io import BytesIO

import pydicom
from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.rules import Cleaner, RuleBook
from ingestion.deidentify.structured.content import ContentCleaner
from ingestion.deidentify.structured.kinds import Structure
from ingestion.deidentify.study import RawObject, open_object
from ingestion.dicom.guard import guarded
from ingestion.identity.pseudonyms import Pseudonyms

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "PixelDataProviderURL", "EncapsulatedDocument")
_BITMAP_GROUPS = range(0x6000, 0x6100, 2)


def clean_structure(
    opened: RawObject, structure: Structure, *, book: RuleBook, cleaner: Cleaner, pseudonyms: Pseudonyms
) -> RawObject:
    """``opened`` with a content in which nobody is named; a presentation state or plan as it is.

    The rules for its attributes are still to be applied: dates, UIDs, names of persons, all other texts.

    Raises:
        InstanceRefusedError: UNCLEANABLE_CONTENT: pixels or bitmaps where none belong, or content of unknown type.
    """
    with guarded("structured"):
        dataset = pydicom.dcmread(BytesIO(opened.raw), force=True)
        _refuse_pictures(dataset)
        if structure is not Structure.REPORT:
            return opened
        ContentCleaner(book, cleaner, pseudonyms, opened.ids.patient).clean(dataset)
        # Written anew even where nothing changed: what the rewriter then keeps is what was walked here, and no more.
        out = BytesIO()
        pydicom.dcmwrite(out, dataset, enforce_file_format=True, overwrite=True)
    return open_object(out.getvalue())


def _refuse_pictures(dataset: Dataset) -> None:
    if any(keyword in dataset for keyword in _PIXELS):
        raise InstanceRefusedError(
            Reason.UNCLEANABLE_CONTENT, rule="object.document", detail="pixels or a document in an object of words"
        )
    groups = {element.tag.group for element in dataset}
    if not groups.isdisjoint(_BITMAP_GROUPS):
        raise InstanceRefusedError(
            Reason.UNCLEANABLE_CONTENT, rule="graphics.bitmap", detail="an overlay in bits, which can show text"
        )
