"""Writes ``safe_private.csv``: private attributes whose values are known, and what they hold.

    python -m tools.private_table tcia_private_tag_kb.csv ps315_e310_safe_private_2026d.json \
        ingestion/deidentify/tables/safe_private.csv

Sources: the private tag knowledge base of The Cancer Imaging Archive (2024-02; Bennett et al., "Re-engineering the
DICOM de-identification tools of The Cancer Imaging Archive"), whose curators judged each attribute on real deliveries,
and the list of safe private attributes of PS3.15 section E.3.10. Most signatures of the first have lost an opening
quotation mark; they are read all the same, and what cannot be read is counted and left out.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from pydicom.datadict import private_dictionary_VR

PART = re.compile(
    r'\((?P<group>[0-9a-fA-F]{4}),(?:(?P<element>[0-9a-fA-F]{4})|"?(?P<creator>[^"()]*?)"?,(?P<low>[0-9a-fA-F]{2}))\)'
)
STEP = re.compile(r"\[<\d+>\]")
MEANS = {"k": "keep", "h": "uid", "o": "date", "oi": "seconds", "d": "remove", "na": "remove", "": "remove"}
NOT_A_MAKER = re.compile(
    r"^$|^\d+$|unnamed private block|^ctp|posda|tcia|private creator|receiver|consultation|processed by|mayo|ucsf|"
    r"mrsc|^hmc|hospital|clinic|univers|institut|coercion|^nil_|^nud_|study home|^pps_sq|sienet|pacs|archive|intelerad|"
    r"mitra|amicas|stentor|netraad|dcm4che|sectra_ident|ident",
    re.IGNORECASE,
)
"""Creators that name no maker's block but an archive, a project, a hospital, a day: such a block goes whole."""

TYPED = re.compile(
    r"descri|comment|label|annot|protocol|procedure|title|remark|owner|radiographer|department|organ|anatom|body|"
    r"history|character|identification|preset|name$|object|package|prefix|postfix|manufacturer|^marker|^unknown|^$",
    re.IGNORECASE,
)
"""Names of attributes that hold what somebody typed, or may; the texts of all others are a device's own words."""
TEXT_VRS = frozenset({"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"})


@dataclass(frozen=True, slots=True)
class Signature:
    """The last element of a signature, and the one around it ("" at the top)."""

    creator: str
    group: int
    low: int
    within: str


def parse(text: str) -> Signature | None:
    """The signature, or None where it cannot be read or ends in a standard attribute."""
    parts: list[re.Match[str]] = []
    place = 0
    while place < len(text):
        match = PART.match(text, place)
        if match is None:
            return None
        parts.append(match)
        step = STEP.match(text, match.end())
        place = step.end() if step else match.end()
    if not parts:
        return None
    last = parts[-1]
    if last["creator"] is None:
        return None
    return Signature(last["creator"].strip(), int(last["group"], 16), int(last["low"], 16), "" if len(parts) == 1 else
                     parts[-2].group(0))  # fmt: skip


def collect(knowledge: Path, standard: Path) -> tuple[list[tuple[str, ...]], Counter[str]]:
    """The rows of the table, and how many rows of the sources went where."""
    count: Counter[str] = Counter()
    words: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    nested: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    unread: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    kinds: dict[tuple[str, int, int], Counter[str]] = defaultdict(Counter)
    sources: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    named: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    with knowledge.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            signature = parse(row["element_sig_pattern"])
            if signature is None:
                standard_leaf = re.search(r"\([0-9a-fA-F]{4},[0-9a-fA-F]{4}\)$", row["element_sig_pattern"])
                count["standard attribute in a private sequence" if standard_leaf else "unreadable signature"] += 1
                continue
            if NOT_A_MAKER.search(signature.creator):
                count["creator is no maker"] += 1
                continue
            key = (signature.creator, signature.group, signature.low)
            word = MEANS.get(row["private_disposition"].strip().lower())
            if word is None:
                count["unknown disposition"] += 1
                continue
            count[f"knowledge base: {word}"] += 1
            sources[key].add("TCIA")
            named[key].add(row["tag_name"].rpartition(":")[2].strip())
            if row["vr"] not in ("", "UN"):
                kinds[key][row["vr"]] += 1
            # Of unknown VR they were removed because nobody could read them; na: the sequence around goes anyway.
            if row["private_disposition"].strip().lower() != "na" and row["vr"] != "UN":
                (words if signature.within == "" else nested)[key].add(word)
            else:
                unread[key].add(word)
    for creator, group, low in json.loads(standard.read_text(encoding="utf-8"))["rows"]:
        key = (creator.strip(), int(group, 16), int(low, 16))
        if NOT_A_MAKER.search(key[0]):
            count["creator is no maker"] += 1
            continue
        count["standard's list: " + ("known to both" if key in words else "not in the knowledge base")] += 1
        sources[key].add("PS3.15")
    result: list[tuple[str, ...]] = []
    for key in sorted(sources):
        judged = words[key] or nested[key] or unread[key]
        word = _agreed(judged, in_standard="PS3.15" in sources[key], count=count)
        if word != "remove":
            creator, group, low = key
            vrs = _vrs(kinds[key], creator=creator, tag=(group << 16) | 0x1000 | low)
            if word == "keep" and vrs and vrs[0] in TEXT_VRS and not _typed(vrs[0], named[key]):
                word = "code"
            vr = "/".join(vrs)
            result.append((creator, f"{group:04X}", f"{low:02X}", vr, word, "+".join(sorted(sources[key]))))
    return result, count


def _typed(vr: str, names: set[str]) -> bool:
    """Whether somebody may have typed a value, by its VR and its names in the knowledge base; a CS is a code."""
    return any(map(TYPED.search, names)) if names or vr == "CS" else True


def _vrs(seen: Counter[str], *, creator: str, tag: int) -> list[str]:
    """The VRs seen, the commonest first; OB and OW only where no other was: some archives write all private ones so."""
    ordered = [vr for vr, _ in sorted(seen.items(), key=lambda item: (-item[1], item[0]))]
    known = [vr for vr in ordered if vr not in ("OB", "OW")]
    if known:
        return known
    try:
        return [private_dictionary_VR(tag, creator)]
    except KeyError:
        return ordered


def _agreed(words: set[str], *, in_standard: bool, count: Counter[str]) -> str:
    """The more cautious word where sources or nestings differ: an attribute that was once judged unsafe goes."""
    if not words:
        return "keep" if in_standard else "remove"
    if "remove" in words:
        if in_standard:
            count["in the standard's list, removed by the knowledge base"] += 1
        elif len(words) > 1:
            count["judged differently in different places"] += 1
        return "remove"
    for word in ("seconds", "date", "uid"):
        if word in words:
            return word
    return "keep"


def main() -> None:
    table, count = collect(Path(sys.argv[1]), Path(sys.argv[2]))
    with Path(sys.argv[3]).open("w", encoding="utf-8", newline="") as file:
        file.write(
            "# Private attributes that can stay, by creator, group and element offset, with the VRs seen (commonest\n"
            "# first) and what they hold. TCIA: private tag knowledge base, 2024-02. PS3.15: section E.3.10, 2026d.\n"
            "# What is not here goes. Written by tools/private_table.py.\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("creator", "group", "element", "vr", "holds", "source"))
        writer.writerows(table)
    for what, number in sorted(count.items()):
        sys.stdout.write(f"{number:6} {what}\n")


if __name__ == "__main__":
    main()
