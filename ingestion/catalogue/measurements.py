"""Which feature tables of a source are the current ones: ``measurements/<source>/<number>.json``, internal bucket."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import pandas as pd

from ingestion.catalogue.frames import store_features, store_frame
from ingestion.storage import ObjectStore
from ingestion.storage.numbered import append, read_latest


@dataclass(frozen=True, slots=True)
class Measurements:
    """The feature tables made of one state of a source."""

    source_id: str
    state_digest: str
    series_key: str
    regions_key: str
    long_key: str | None = None
    """All values one a row; None: measured before there was such a table."""


def save_measurements(
    research: ObjectStore, internal: ObjectStore, *, source_id: str, state_digest: str, series: pd.DataFrame,
    regions: pd.DataFrame, long: pd.DataFrame,
) -> tuple[Measurements, bool]:  # fmt: skip
    """Store the tables, then name them the current ones; whether anything new was named.

    ``long``: the values of both, one a row. Tables of other settings or states stay where they are.
    """
    series_key, regions_key = store_features(research, source_id, series=series, regions=regions)
    long_key = store_frame(research, f"features/{source_id}/tables", long, name=".long")
    measured = Measurements(source_id, state_digest, series_key, regions_key, long_key)
    _, written = append(internal, _prefix(source_id), json.dumps(asdict(measured), sort_keys=True).encode())
    return measured, written


def read_measurements(internal: ObjectStore, source_id: str) -> Measurements | None:
    """The current feature tables of a source; None when it was never measured."""
    latest = read_latest(internal, _prefix(source_id))
    return None if latest is None else Measurements(**json.loads(latest[1]))


def _prefix(source_id: str) -> str:
    return f"measurements/{source_id}/"
