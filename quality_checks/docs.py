"""``python -m quality_checks.docs``: write docs/checks.md, the list of all rules, from the rules themselves."""

from __future__ import annotations

from pathlib import Path

from quality_checks.catalogue_of_checks import all_rules
from quality_checks.model import Level, Rule
from quality_checks.wording import percent

TARGET = Path(__file__).resolve().parent.parent / "docs" / "checks.md"
_HEAD = """# Quality checks

Written by `python -m quality_checks.docs` from the rules in `quality_checks/suites/` and
`quality_checks/imaging/`; don't edit it by hand. What each imaging check finds and leaves alone is measured:
[on defects made by code](checks-measured.md) and [on real files](checks-corpus.md).

Every rule judges the rows of one level. A share of passing rows below *error* blocks the source's way to the
catalogue, where its last good state stays; below *warning* it is named in the report. A rule without rows to judge is
neither passed nor failed. A dimension's score is the mean share over its judged rules that can warn.

Rules on series, studies and patients are Great Expectations suites, one for each table; rules on instances and on the
source are counted from the accounting; rules on what a series holds are checked where its objects are read; rules that
compare people, studies and images over sources use keyed digests (`quality_checks/crossing`). A rule that *leaves out*
takes its failing series out of the release, whatever their share, and the rest of the source goes on. To add one, add
an entry to a suite; asset checks, report and this page follow.

Great Expectations' own Data Docs load styles, scripts and pictures from other hosts, so each report links a page of our
own instead (`expectations.html`: every expectation, its suite, how it ended) and the suites as JSON that Great
Expectations reads.
"""
_TITLES = {
    Level.SOURCE: "The source",
    Level.INSTANCE: "Instances (delivered objects)",
    Level.SERIES: "Series",
    Level.STUDY: "Studies",
    Level.PATIENT: "Patients",
}


def render() -> str:
    """The page as Markdown."""
    parts = [_HEAD, f"{len(all_rules())} rules.\n"]
    for level, title in _TITLES.items():
        rules = [rule for rule in all_rules() if rule.level is level]
        parts.append(f"## {title}: {len(rules)} rules\n")
        parts.append("| Rule | Dimension | Error below | Warning below | Why | What to do |\n|---|---|---|---|---|---|")
        parts += [_row(rule) for rule in rules]
        parts.append("")
    parts.append("## Where the thresholds come from\n")
    reasons = dict.fromkeys(rule.threshold_reason for rule in all_rules())
    for reason in reasons:
        ids = ", ".join(f"`{rule.id}`" for rule in all_rules() if rule.threshold_reason == reason)
        parts.append(f"- {reason[:1].upper()}{reason[1:]}: {ids}")
    return "\n".join(parts) + "\n"


def _row(rule: Rule) -> str:
    bounds = [percent(bound) if bound is not None else "never" for bound in (rule.error_below, rule.warning_below)]
    if rule.excludes:
        bounds[0] += ", leaves out"
    cells = [
        f"**{rule.title}**<br>`{rule.id}` v{rule.version}",
        rule.dimension.value,
        *bounds,
        rule.meaning,
        rule.remedy,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    TARGET.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
