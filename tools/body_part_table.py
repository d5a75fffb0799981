"""``python -m tools.body_part_table``: write the anatomic regions of DICOM PS3.16 as pydicom carries them.

Context groups CID 4 (anatomic region), 4031 (common anatomic regions), 4009 (DX anatomy imaged), 4028 (craniofacial)
and 4040 (endoscopy). The hand-kept table ``body_part.csv`` goes before: a code that it has is left out here.
"""

from __future__ import annotations

import csv
import io
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts

from ingestion.vocabulary.spelling import read_table, words

GROUPS = (4, 4031, 4009, 4028, 4040)
TARGET = Path(__file__).resolve().parent.parent / "ingestion" / "vocabulary" / "data" / "body_part_dicom.csv"
_NO_PART = {"Phantom"}
"""What is imaged there is nobody."""
_SHORT = {"joint", "region", "structure", "of", "entire"}
"""Words of SNOMED names that consoles leave out."""


def render() -> str:
    """The table as CSV: label, SNOMED CT code, further spellings."""
    own = read_table("body_part.csv")
    codes = {row["code"] for row in own}
    taken = {"".join(words(text)) for row in own for text in (row["label"], *row["spellings"].split("|"))}
    found: dict[str, tuple[str, set[str]]] = {}
    for group in GROUPS:
        for keyword in cid_concepts[group].get("SCT", ()):
            terms: dict[str, Any] = concepts["SCT"][keyword]  # type: ignore[assignment]
            for code, (meaning, *_) in terms.items():
                if code not in codes and meaning not in _NO_PART:
                    found.setdefault(meaning, (code, set()))
    out = io.StringIO()
    groups = ", ".join(str(group) for group in GROUPS)
    out.write(f"# Anatomic regions of DICOM PS3.16 (CID {groups}) from pydicom {version('pydicom')}; ")
    out.write("written by `python -m tools.body_part_table`.\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["label", "code", "spellings"])
    for label, (code, _) in sorted(found.items()):
        short = " ".join(part for part in re.split(r"\s+", label) if part.lower() not in _SHORT)
        key = "".join(words(label))
        if key in taken:
            continue
        taken.add(key)
        other = "".join(words(short))
        spelling = short if other and other not in taken else ""
        taken.add(other)
        writer.writerow([label, code, spelling])
    return out.getvalue()


def main() -> None:
    TARGET.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
