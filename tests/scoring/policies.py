"""``python -m tests.scoring.policies``: the made-up delivery under each shipped policy, by action, as the table of
``docs/scoring.md``."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pydicom

from ingestion.deidentify.folder import deidentify_folder
from ingestion.deidentify.iod_check import IodCheck
from ingestion.deidentify.policy import load_policy
from ingestion.fanout import Done, Fanout
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms
from ingestion.storage.folder import FolderStore

from .key import Action, Check
from .pairs import Pairs, pair
from .planted import make_delivery
from .score import Outcome, Score, score

POLICIES = ("platform-default", "reference-node", "strict-basic")
KEY = SourceKey("MADE-UP", bytes(range(32)))


class Here(Fanout):
    """Series one after the other in this process."""

    def map(self, function, tasks):  # type: ignore[no-untyped-def]
        return map(function, tasks)

    def run(self, function, tasks):  # type: ignore[no-untyped-def]
        return (Done(task, function(task)) for task in tasks)


def scored(folder: Path, checks: Iterable[Check], *, policy: str, scratch: Path) -> Score:
    """The delivery in ``folder`` de-identified under ``policy``, judged by its key."""
    deidentify_folder(
        folder, key=KEY, policy=load_policy(policy), target=FolderStore(scratch), fanout=Here(workers=1),
        iod=IodCheck.INSTALLED,
    )  # fmt: skip
    results = {str(found.SOPInstanceUID): found for found in map(pydicom.dcmread, sorted(scratch.rglob("*.dcm")))}
    pseudonyms = Pseudonyms(KEY)
    pairs: Pairs = {
        uid: (original, results.get(pseudonyms.uid(uid))) for uid, (original, _) in pair(folder, folder).items()
    }
    return score(checks, pairs)


def as_table(scores: Mapping[str, Score]) -> str:
    """Markdown: a row for each action, then both numbers."""
    lines = [
        "| action | checks | " + " | ".join(f"`{name}`: left, lost" for name in scores) + " |",
        "|---|--:|" + "--:|" * len(scores),
    ]
    total = Counter(item.check.action for item in next(iter(scores.values())).judged)
    for action in Action:
        cells = [
            f"{_number(found, action, Outcome.LEFT)}, {_number(found, action, Outcome.LOST)}"
            for found in scores.values()
        ]
        lines.append(f"| `{action.value}` | {total[action]} | " + " | ".join(cells) + " |")
    left = [f"{found.identifiers_left} of {found.identifier_checks}" for found in scores.values()]
    kept = [f"{found.information_kept:.2f} % of {found.information_checks}" for found in scores.values()]
    held = [str(len(found.missing)) for found in scores.values()]
    lines.append("| identifiers left | | " + " | ".join(left) + " |")
    lines.append("| information kept | | " + " | ".join(kept) + " |")
    lines.append("| objects held back | | " + " | ".join(held) + " |")
    return "\n".join(lines)


def _number(found: Score, action: Action, outcome: Outcome) -> int:
    return sum(item.check.action is action and item.outcome is outcome for item in found.judged)


def all_scores(scratch: Path) -> dict[str, Score]:
    """Of each shipped policy."""
    folder = scratch / "delivery"
    folder.mkdir()
    checks = make_delivery(folder)
    return {name: scored(folder, checks, policy=name, scratch=scratch / name) for name in POLICIES}


def main() -> int:
    """Print the table."""
    with tempfile.TemporaryDirectory() as scratch:
        sys.stdout.write(as_table(all_scores(Path(scratch))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
