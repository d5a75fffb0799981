"""Which delivered file ended where: for the data holder alone, who knows its files by name."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from ingestion.deidentify.folder import FolderOutcome


def write_names(target: Path, outcome: FolderOutcome) -> None:
    """A CSV file readable by its owner only: platform and reports know series and objects by pseudonyms and hashes.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)  # a file that was there keeps its mode otherwise
    # a name that is no text in UTF-8 is told by its bytes: the list must open everywhere
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("name", "series", "object", "state", "reason", "rule", "detail", "result"))
        rows = [
            (
                outcome.names.get(item.object_hash, ""),
                series.series_uid,
                item.object_hash,
                item.state.value,
                item.refusal.reason.value if item.refusal else "",
                item.refusal.rule if item.refusal else "",
                item.refusal.detail if item.refusal else "",
                item.store_key or "",
            )
            for series in outcome.outcomes
            for item in series.instances
        ]
        table.writerows(sorted(rows))
