"""``python tests/quality_checks/defects/matrix.py``: write docs/checks-measured.md, what fires on which defect."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TARGET = ROOT / "docs" / "checks-measured.md"
_HEAD = """# What the checks find: measured on defects

Written by `python tests/quality_checks/defects/matrix.py`; don't edit it by hand. Each defect is put into something
good made by code: a series, the rows of a source and its neighbours, the details of a series. All checks of that kind
look at it, and what fires is listed. A test compares this page with what it measures. The two checks with dicom3tools
are measured where it is installed. Rules on single columns of the tables have a test each, with a defect of its own, in
`tests/quality_checks/test_quality_rules.py`.
"""
_KINDS = {
    "imaging": "Checks on the objects of a series",
    "crossing": "Checks that compare people, studies and images, within a source and over sources",
    "clinical": "Checks of a clinical table against the images",
    "details": "Checks on times and acquisition",
}

Row = tuple[str, set[str], set[str]]
"""Name of the defect or good series, rules that must find it, rules that fired."""


def rows() -> dict[str, list[Row]]:
    """By kind of check."""
    from conftest import Sound
    from test_tabular_clinical import DEFECTS, fired

    from defects import imaging, tabular_crossing, tabular_details

    sound = Sound()
    return {
        "imaging": imaging.matrix(),
        "crossing": tabular_crossing.matrix(),
        "clinical": [(f"defect of {name}", {name}, fired(sound, spoil)) for name, spoil in DEFECTS.items()],
        "details": tabular_details.matrix(sound.tables(), sound.entry()),
    }


def rule_ids(kind: str) -> list[str]:
    """The rules that are measured together."""
    from quality_checks.catalogue_of_checks import crossing_rules, imaging_rules
    from quality_checks.crossing.clinical import RULES as CLINICAL
    from quality_checks.suites import series_details

    of_kind = {
        "imaging": imaging_rules(),
        "crossing": [rule for rule in crossing_rules() if rule not in CLINICAL],
        "clinical": CLINICAL,
        "details": [check.rule for check in series_details.CHECKS],
    }
    return [rule.id for rule in of_kind[kind]]


def render(measured: dict[str, list[Row]]) -> str:
    """The page as Markdown: counts by check, then one row for each defect."""
    parts = [_HEAD]
    for kind, found in measured.items():
        parts.append(f"## {_KINDS[kind]}\n")
        ids, defects = rule_ids(kind), sum(bool(expected) for _, expected, _ in found)
        parts.append(f"{len(ids)} checks, {len(found)} cases, {defects} with a defect.\n")
        parts.append("| Check | its defects | found | other cases | false alarms |\n|---|---|---|---|---|")
        for rule_id in ids:
            own = [row for row in found if rule_id in row[1]]
            others = [row for row in found if rule_id not in row[1]]
            hits, alarms = sum(rule_id in row[2] for row in own), sum(rule_id in row[2] for row in others)
            parts.append(f"| `{rule_id}` | {len(own)} | {hits} | {len(others)} | {alarms} |")
        parts.append("\n| Defect | fires |\n|---|---|")
        parts += [f"| {name} | {', '.join(f'`{rule}`' for rule in sorted(fired)) or '–'} |" for name, _, fired in found]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "quality_checks")]
    TARGET.write_text(render(rows()), encoding="utf-8")
