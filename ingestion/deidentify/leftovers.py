"""What lies in a folder of results and is of no object that is delivered now: withdrawn, changed, or held back since.

Results are never overwritten or deleted unasked, so a person must hear of it before the folder is sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ingestion.accounting.manifest import is_result_key, manifest_key
from ingestion.accounting.outcomes import SeriesOutcome
from ingestion.storage import ObjectStore, StoreError


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Keys of objects and of manifests, sorted; they hold pseudonyms only.

    ``foreign``: how many files lie among them that are no results. They can be named after a patient, so that they are
    told by number only, and never deleted: they are not ours.
    """

    objects: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    foreign: int = 0

    @property
    def keys(self) -> tuple[str, ...]:
        return (*self.objects, *self.manifests)


def leftovers(target: ObjectStore, source_id: str, outcomes: Iterable[SeriesOutcome]) -> Leftovers:
    """What ``target`` holds of the source beside the results of ``outcomes``, which are those of a whole delivery.

    Raises:
        StoreError: the store failed.
    """
    results: set[str] = set()
    for outcome in outcomes:
        results |= {item.store_key for item in outcome.instances if item.store_key is not None}
        if outcome.manifest_version is not None:
            results.add(manifest_key(source_id, outcome.series_uid, outcome.manifest_version))
    left: dict[str, list[str]] = {"dicom": [], "manifests": []}
    foreign = 0
    for folder, found in left.items():
        for stored in target.list(f"{folder}/"):
            if not is_result_key(stored.key):
                foreign += 1
            elif stored.key.startswith(f"{folder}/{source_id}/") and stored.key not in results:
                found.append(stored.key)
    return Leftovers(tuple(left["dicom"]), tuple(left["manifests"]), foreign)


def prune(root: Path, left: Leftovers) -> int:
    """Delete them, and folders that are empty then; how many files. A file that went away by itself does not count.

    Raises:
        StoreError: one cannot be deleted; those before it are gone.
    """
    number = 0
    for key in left.keys:
        path = root / key
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(f"{key} cannot be deleted: {error.strerror}; delete it by hand, or run again") from None
        number += 1
        with contextlib.suppress(OSError):  # another file lies there still
            path.parent.rmdir()
    return number
