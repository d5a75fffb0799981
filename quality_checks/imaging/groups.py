"""Which groups of checks look at a series."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ingestion.accounting.manifest import ManifestInstance
from quality_checks.imaging.series import Group, SeriesContext


def groups_for(context: SeriesContext, read: Callable[[ManifestInstance], bytes]) -> Sequence[Group]:
    """The groups beside integrity, in the order of their rules. ``read``: for samples of companions."""
    return ()
