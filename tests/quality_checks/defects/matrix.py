"""``python tests/quality_checks/defects/matrix.py``: write docs/checks-measured.md, what fires on which defect."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TARGET = ROOT / "docs" / "checks-measured.md"
_HEAD = """# What the imaging checks find: measured on defects

Written by `python tests/quality_checks/defects/matrix.py`; don't edit it by hand. Each defect is put into a good series
made by code, all imaging checks look at it, and what fires is listed. A test compares this page with what it measures.
The two checks with dicom3tools are measured where it is installed.
"""

Row = tuple[str, set[str], set[str]]
"""Name of the defect or good series, rules that must find it, rules that fired."""


def rows() -> list[Row]:
    from defects.imaging import matrix

    return matrix()


def render(measured: list[Row]) -> str:
    """The page as Markdown: counts by check, then one row for each defect."""
    from quality_checks.imaging import RULES

    parts = [
        _HEAD,
        f"{len(RULES)} checks, {len(measured)} series, {sum(bool(e) for _, e, _ in measured)} with a defect.\n",
    ]
    parts.append("| Check | its defects | found | other series | false alarms |\n|---|---|---|---|---|")
    for rule in RULES:
        own = [row for row in measured if rule.id in row[1]]
        others = [row for row in measured if rule.id not in row[1]]
        found, alarms = sum(rule.id in row[2] for row in own), sum(rule.id in row[2] for row in others)
        parts.append(f"| `{rule.id}` | {len(own)} | {found} | {len(others)} | {alarms} |")
    parts.append("\n| Defect | fires |\n|---|---|")
    parts += [f"| {name} | {', '.join(f'`{rule}`' for rule in sorted(fired)) or '–'} |" for name, _, fired in measured]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "quality_checks")]
    TARGET.write_text(render(rows()), encoding="utf-8")
