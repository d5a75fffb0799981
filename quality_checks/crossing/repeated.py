"""Series delivered twice: the same bytes, UID or pixels. One copy stays, the first by source and UID."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pandas as pd

from quality_checks.crossing import rules as r
from quality_checks.crossing.near import NO_PICTURE, hash_values
from quality_checks.crossing.rules import LinkOutcome
from quality_checks.model import Rule
from quality_checks.suites.series_terms import DERIVED_MODALITIES


def repeated_outcomes(own: pd.DataFrame, others: pd.DataFrame) -> Iterator[LinkOutcome]:
    """The rules that compare digests of whole series."""
    yield _later_copies(r.SAME_BYTES, own, others, "Content")
    content: dict[str, str] = dict(others.loc[others["Series"].notna(), ["Series", "Content"]].itertuples(index=False))
    sources: dict[str, str] = dict(
        others.loc[others["Series"].notna(), ["Series", "source_id"]].itertuples(index=False)
    )
    failing = {
        str(uid): f"also in {sources[digest]}, with other objects"
        for uid, digest, body in own[["SeriesInstanceUID", "Series", "Content"]].itertuples(index=False)
        if digest in sources and content[digest] != body
    }
    rows = int(own["Series"].notna().sum()) if len(others) else 0
    yield LinkOutcome(r.SERIES_ONE_SOURCE.id, rows, tuple(sorted(failing.items())))
    yield _later_copies(r.SAME_PIXELS, pictures(own), pictures(others), "PixelDigest")


def pictures(index: pd.DataFrame) -> pd.DataFrame:
    """The rows of images that show something: a blank frame equals every other blank frame."""
    images = index[~index["Modality"].isin(list(DERIVED_MODALITIES))]
    shown = [any(value not in NO_PICTURE for value in hash_values(text)) for text in images["FrameHashes"]]
    return images[pd.Series(shown, index=images.index, dtype=bool)]


def _later_copies(rule: Rule, own: pd.DataFrame, others: pd.DataFrame, column: str) -> LinkOutcome:
    """Of each group of equal digests all but the first."""
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for index in (own, others):
        known = index.loc[index[column].notna(), [column, "source_id", "SeriesInstanceUID"]]
        for digest, source_id, uid in known.itertuples(index=False):
            groups[digest].append((source_id, uid))
    first = {digest: min(members) for digest, members in groups.items() if len(members) > 1}
    known = own.loc[own[column].notna(), [column, "source_id", "SeriesInstanceUID"]]
    failing = {}
    for digest, source_id, uid in known.itertuples(index=False):
        if digest in first and first[digest] != (source_id, uid):
            kept_in, kept = first[digest]
            failing[str(uid)] = f"the same as series {kept} of {kept_in}, which is kept"
    return LinkOutcome(rule.id, len(known), tuple(sorted(failing.items())))
