"""What an attribute is: its VR and keyword from PS3.6, and the family of a VR, which decides what can be done to it."""

from __future__ import annotations

from enum import StrEnum

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword

from ingestion.deidentify.profile import rows


class Family(StrEnum):
    """VRs that hold the same kind of thing."""

    TEXT = "text"
    CODE = "code"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    UID = "uid"
    AGE = "age"
    PERSON = "person"
    ADDRESS = "address"
    BINARY = "binary"
    SEQUENCE = "sequence"
    UNKNOWN = "unknown"


_VRS = {
    Family.TEXT: "LO SH ST LT UT UC",
    Family.CODE: "CS",
    # Arrays of floats or whole numbers are numbers too; bytes and words (OB, OW) can be anything.
    Family.NUMBER: "AT DS FD FL IS SL SS SV UL US UV OD OF OL OV",
    Family.DATE: "DA DT",
    Family.TIME: "TM",
    Family.UID: "UI",
    Family.AGE: "AS",
    Family.PERSON: "PN",
    Family.ADDRESS: "AE UR",
    Family.BINARY: "OB OW",
    Family.SEQUENCE: "SQ",
    Family.UNKNOWN: "UN",
}
FAMILY_OF = {vr: family for family, vrs in _VRS.items() for vr in vrs.split()}
TEXTS = frozenset({Family.TEXT, Family.CODE})


def family_of(vr: str) -> Family:
    """The family of a VR; of one that the dictionary leaves open ("US or SS"), that of its last."""
    return FAMILY_OF.get(vr.rpartition(" or ")[2], Family.UNKNOWN)


def vr_of(tag: int) -> str | None:
    """The VR of a standard attribute, None for one that neither the dictionary nor Table E.1-1 knows."""
    if dictionary_has_tag(tag):
        return dictionary_VR(tag)
    row = rows().get(tag)
    return row.vr if row is not None else None


def keyword_of(tag: int) -> str:
    """The keyword, or gggg,eeee for what has none."""
    row = rows().get(tag)
    return keyword_for_tag(tag) or (row.keyword if row is not None else f"{tag >> 16:04X},{tag & 0xFFFF:04X}")


def tag_of(text: str) -> int | None:
    """The tag that a keyword or ``gggg,eeee`` (with or without brackets, or eight digits) means; None for neither."""
    known = tag_for_keyword(text)
    if known is not None:
        return int(known)
    digits = text.strip("() ").replace(",", "").replace(" ", "")
    if len(digits) == 8:
        try:
            return int(digits, 16)
        except ValueError:
            return None
    return next((tag for tag, row in rows().items() if row.keyword == text), None)
