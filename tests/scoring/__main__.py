"""``python -m tests.scoring KEY ORIGINAL RESULT``: exit code 1 when an identifier is left."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .key import read_key
from .pairs import pair, read_mapping
from .score import Outcome, Score, score


def main(arguments: list[str]) -> int:
    """Score and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.scoring", description=__doc__)
    parser.add_argument("key", type=Path, help="answer key, .json or .csv")
    parser.add_argument("original", type=Path, help="folder of the originals")
    parser.add_argument("result", type=Path, help="folder of the results")
    parser.add_argument("--mapping", type=Path, help="CSV of old and new SOPInstanceUID, with a heading")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    given = parser.parse_args(arguments)
    mapping = read_mapping(given.mapping) if given.mapping else None
    found = score(read_key(given.key), pair(given.original, given.result, mapping=mapping))
    sys.stdout.write((as_json(found) if given.json else as_text(found)) + "\n")
    return 1 if found.identifiers_left else 0


def as_text(found: Score) -> str:
    """The two numbers, the table, and where it failed; no values."""
    lines = [
        f"identifiers left: {found.identifiers_left} of {found.identifier_checks}",
        f"information kept: {found.information_kept:.2f} % of {found.information_checks}",
        f"originals without a result: {len(found.missing)}",
        "",
        f"{'action':18} {'category':18} {'checks':>7} {'left':>6} {'lost':>6}",
    ]
    lines += [f"{a:18} {c:18} {n:7} {left:6} {lost:6}" for a, c, n, left, lost in found.table()]
    failed = [item for item in found.judged if item.outcome is not Outcome.PASSED]
    lines += [
        "",
        *(f"{i.outcome.value}: {i.check.action.value} {i.check.path} ({i.check.category}): {i.why}" for i in failed),
    ]
    return "\n".join(lines)


def as_json(found: Score) -> str:
    """The same for programs."""
    names = ("action", "category", "checks", "left", "lost")
    failed = [item for item in found.judged if item.outcome is not Outcome.PASSED]
    everything = {
        "identifiers_left": found.identifiers_left,
        "information_kept_percent": round(found.information_kept, 4),
        "missing": len(found.missing),
        "table": [dict(zip(names, row, strict=True)) for row in found.table()],
        "failed": [
            {"instance": item.check.instance, "action": item.check.action, "path": item.check.path,
             "outcome": item.outcome, "why": item.why}
            for item in failed
        ],
    }  # fmt: skip
    return json.dumps(everything, indent=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
