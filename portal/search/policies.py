"""The count policies of the sources, pinned to a release: what was shown once under a rule stays under it.

A source that becomes stricter is so at once; one that becomes laxer is so from the next release on, since numbers of
one release by two rules tell more than by one.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from ingestion.catalogue.search.index import IndexUnusableError, SearchIndex
from ingestion.catalogue.search.protection import CountPolicy, strictest
from ingestion.sources.registry import SourceEntry

PINNED = "{release}.counts.json"
"""Beside the index, by release."""


class PolicyFileError(IndexUnusableError):
    """The pinned policies can't be read; the message names the file and what to do."""


def policies_of(entries: Iterable[SourceEntry]) -> dict[str, CountPolicy]:
    """As the registry says now."""
    return {entry.id: CountPolicy(**entry.counts.model_dump()) for entry in entries}


def pinned(folder: Path, entries: Iterable[SourceEntry]) -> Callable[[SearchIndex], Mapping[str, CountPolicy]]:
    """What gives the policies of a release, kept in ``folder`` when it is first opened."""
    now = policies_of(entries)

    def of(index: SearchIndex) -> Mapping[str, CountPolicy]:
        place = folder / PINNED.format(release=index.release)
        before = _read(place)
        if before is None:
            _write(place, now)
            return now
        return {name: strictest(known[name] for known in (before, now) if name in known) for name in {*before, *now}}

    return of


def _read(place: Path) -> dict[str, CountPolicy] | None:
    try:
        return {name: CountPolicy(**one) for name, one in json.loads(place.read_text()).items()}
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise PolicyFileError(
            f"{place} is damaged ({type(error).__name__}): restore it; without it the counts of this release would "
            "follow another rule than before"
        ) from None


def _write(place: Path, policies: Mapping[str, CountPolicy]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{place.name}-", dir=place.parent)
    with os.fdopen(handle, "w") as file:
        json.dump({name: asdict(one) for name, one in sorted(policies.items())}, file, indent=1)
    os.replace(draft, place)
