"""Writes ``table_e11.csv``: Table E.1-1 of DICOM PS3.15 in the standard's own codes, one row an attribute.

    python -m tools.profile_table ps315_table_e11_2025c.json ingestion/deidentify/tables/table_e11.csv

The input is the machine-readable form that the idiscore project collected (a list of rules for each option). In it,
the columns "Retain Safe Private" and "Retain UIDs" are one list: its 60 attributes belong to Retain UIDs (59 of them
so in edition 2024b; the 60th is new), and the row of private attributes alone to Retain Safe Private. Rows that only a
later edition has are added here, with that edition.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag

EDITION = "2025c"
LATER = "2026d"
OPTIONS = (
    "retain_safe_private",
    "retain_uids",
    "retain_device_id",
    "retain_institution_id",
    "retain_patient_characteristics",
    "retain_full_dates",
    "retain_modified_dates",
    "clean_descriptors",
    "clean_structured_content",
    "clean_graphics",
)
CODES = {
    "REMOVE": "X",
    "EMPTY": "Z",
    "DUMMY": "D",
    "UID": "U",
    "KEEP": "K",
    "CLEAN": "C",
    "REMOVE_OR_EMPTY": "X/Z",
    "REMOVE_OR_DUMMY": "X/D",
    "EMPTY_OR_DUMMY": "Z/D",
    "REMOVE_OR_EMPTY_OR_DUMMY": "X/Z/D",
    "REMOVE_OR_EMPTY_OR_UID": "X/Z/U*",
}
NAMES = {
    "00081301": ("PrincipalDiagnosisCodeSequence", "SQ"),
    "00081302": ("PrimaryDiagnosisCodeSequence", "SQ"),
    "00081303": ("SecondaryDiagnosesCodeSequence", "SQ"),
    "00081304": ("HistologicalDiagnosesCodeSequence", "SQ"),
    "00100011": ("PersonNamesToUseSequence", "SQ"),
    "00100012": ("NameToUse", "LT"),
    "00100013": ("NameToUseComment", "UT"),
    "00100014": ("ThirdPersonPronounsSequence", "SQ"),
    "00100015": ("PronounCodeSequence", "SQ"),
    "00100016": ("PronounComment", "UT"),
    "00100041": ("GenderIdentitySequence", "SQ"),
    "00100042": ("SexParametersForClinicalUseCategoryComment", "UT"),
    "00100043": ("SexParametersForClinicalUseCategorySequence", "SQ"),
    "00100044": ("GenderIdentityCodeSequence", "SQ"),
    "00100045": ("GenderIdentityComment", "UT"),
    "00100046": ("SexParametersForClinicalUseCategoryCodeSequence", "SQ"),
    "00100047": ("SexParametersForClinicalUseCategoryReference", "UR"),
    "00102162": ("EthnicGroups", "UC"),
    "0040A034": ("EffectiveStartDateTime", "DT"),
    "0040A035": ("EffectiveStopDateTime", "DT"),
    "0040B034": ("AnnotationDateTime", "DT"),
    "0040B036": ("SegmentDefinitionDateTime", "DT"),
    "0040B03B": ("MontageName", "LO"),
    "0040B03F": ("MontageChannelLabel", "SH"),
    "0040B020": ("WaveformAnnotationSequence", "SQ"),
    "0040E012": ("DisplayURI", "UR"),
    "3004007F": ("DoseCalculationModelName", "LO"),
}
"""Attributes that pydicom's dictionary does not have yet (PS3.6)."""
ADDED = {
    "00400556": ("X", {"clean_descriptors": "C"}),
    "003A020C": ("X", {"clean_descriptors": "C"}),
    "003A0203": ("X", {"clean_descriptors": "C"}),
    "003A0020": ("X", {"clean_descriptors": "C"}),
    "0040E012": ("X", {}),
    "3004007F": ("X", {"clean_descriptors": "C"}),
    "00181010": ("X", {"retain_device_id": "K"}),
    "00181011": ("X", {"retain_device_id": "K"}),
    "00700006": ("D", {"clean_descriptors": "C"}),
    "0040B020": ("X/D", {"clean_structured_content": "C"}),
}
"""Rows of edition 2026d that 2025c has not, from a public transcription of it: basic code, codes of options."""
GROUPS = {"50xxxxxx": "CurveData", "60xx3000": "OverlayData", "60xx4000": "OverlayComments", "private": "Private"}


def rows(source: dict[str, dict[str, object]]) -> list[dict[str, str]]:
    """All rows, sorted by tag; the four rules for groups of attributes come last."""
    found: dict[str, dict[str, str]] = {}
    for column, part in source.items():
        for kind, place, action in part["rules"]:  # type: ignore[attr-defined]
            tag = "private" if kind == "PrivateTags" else place.upper() if kind == "SingleTag" else place.lower()
            name = column
            if column == "retain_safe_private" and kind == "SingleTag":
                name = "retain_uids"
            found.setdefault(tag, _row(tag, EDITION))[name] = CODES[action]
    for tag, (basic, options) in ADDED.items():
        if tag not in found:
            found[tag] = _row(tag, LATER) | {"basic_profile": basic} | options
    return [found[tag] for tag in sorted(found, key=lambda tag: (tag in GROUPS, tag))]


def _row(tag: str, edition: str) -> dict[str, str]:
    if tag in GROUPS:
        keyword, vr = GROUPS[tag], ""
    elif tag in NAMES:
        keyword, vr = NAMES[tag]
    elif dictionary_has_tag(int(tag, 16)):
        keyword, vr = keyword_for_tag(int(tag, 16)), dictionary_VR(int(tag, 16))
    else:
        raise ValueError(f"no name is known for {tag}: add it to NAMES")
    return {"tag": tag, "keyword": keyword, "vr": vr, "edition": edition}


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    head = (
        f"# DICOM PS3.15 Table E.1-1, edition {EDITION}, and the rows that {LATER} added: what happens to each\n"
        "# attribute under the Basic Profile and its options. X remove, Z empty, D dummy, U new UID, K keep, C clean;\n"
        "# X/Z, X/D, Z/D, X/Z/D, X/Z/U* are decided by the attribute's type in the object.\n"
        "# Written by tools/profile_table.py.\n"
    )
    with target.open("w", encoding="utf-8", newline="") as file:
        file.write(head)
        columns = ["tag", "keyword", "vr", "edition", "basic_profile", *OPTIONS]
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows(json.loads(source.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
