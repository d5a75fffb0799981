"""Writes ``iod_types.txt``: which attributes an object must have (type 1) and may have empty (type 2), from PS3.3.

    python -m tools.iod_table ingestion/deidentify/tables/iod_types.txt

The facts come from the module tables that the highdicom package carries as data. The result holds just what
de-identification asks: types 1, 1C (as 1) and 2, 2C (as 2) of attributes whose value can be taken away; what is not
named is optional or unknown. A conditional attribute that is present has met its condition, so its type holds. Within
a sequence the type depends on the sequence alone in all but 121 of 10,531 cases, in which the stricter one is taken:
a value where an empty one would do is never an error.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map, get_sop_class_iod_map
from pydicom.datadict import dictionary_VR, tag_for_keyword

TYPES = {"1": 1, "1C": 1, "2": 2, "2C": 2}
KEPT_WHATEVER = frozenset({"AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "US", "UV"})
"""Values of these are numbers: they are kept, or removed as what their table row says."""
EVERYWHERE = 3
"""An attribute that has the same type in this many sequences and in no other another has it in all of them: the parts
of a code, of a reference, of a person's identification are macros (PS3.3 section 8.8, section 10)."""


def _tag(keyword: str) -> int | None:
    tag = tag_for_keyword(keyword)
    if tag is None:
        return None
    vr = dictionary_VR(tag)
    return None if vr in KEPT_WHATEVER or " or " in vr else int(tag)


def lines() -> list[str]:
    """The table: ``any``, ``in`` (by sequence), ``module``, ``iod`` and ``sop`` lines."""
    modules: dict[str, dict[int, int]] = defaultdict(dict)
    items: dict[int, dict[int, int]] = defaultdict(dict)
    kinds: dict[int, set[int]] = defaultdict(set)
    for module, attributes in get_module_attribute_map().items():
        for attribute in attributes:
            tag, kind = _tag(attribute["keyword"]), TYPES.get(str(attribute["type"]))
            if tag is None:
                continue
            where = modules[module]
            if attribute["path"]:
                parent = tag_for_keyword(attribute["path"][-1])
                if parent is None:
                    continue
                where = items[int(parent)]
                kinds[tag].add(kind or 3)
            if kind is not None:
                where[tag] = min(kind, where.get(tag, kind))
    count: dict[int, int] = defaultdict(int)
    for inside in items.values():
        for tag in inside:
            count[tag] += 1
    anywhere = {tag: min(kinds[tag]) for tag in kinds if len(kinds[tag]) == 1 and count[tag] >= EVERYWHERE}
    result = [_line("any", "-", anywhere)]
    for parent in sorted(items):
        own = {tag: kind for tag, kind in items[parent].items() if tag not in anywhere}
        if own:
            result.append(_line("in", f"{parent:08X}", own))
    result += [_line("module", module, modules[module]) for module in sorted(modules) if modules[module]]
    known = set(get_sop_class_iod_map().values())
    for iod, parts in sorted(get_iod_module_map().items()):
        names = sorted({part["key"] for part in parts if modules.get(part["key"])})
        if iod in known:
            result.append(f"iod {iod} {' '.join(names)}")
    result += [f"sop {uid} {iod}" for uid, iod in sorted(get_sop_class_iod_map().items())]
    return result


def _line(kind: str, name: str, types: dict[int, int]) -> str:
    return f"{kind} {name} " + " ".join(f"{tag:08X}{kind_}" for tag, kind_ in sorted(types.items()))


def main() -> None:
    head = (
        "# Types of attributes (DICOM PS3.3), from the module tables of highdicom. Written by tools/iod_table.py.\n"
        "# any: in every sequence; in SEQUENCE: in its items; module NAME: at the top; iod NAME modules; sop UID iod.\n"
        "# An attribute is its tag and its type: 1 for types 1 and 1C, 2 for types 2 and 2C.\n"
    )
    Path(sys.argv[1]).write_text(head + "\n".join(lines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
