"""What one source tells the others: a row per series of digests and hashes, one immutable file per state.

``crossing/<source>/<digest>.parquet`` in the internal bucket, ``crossings/<source>/<number>.json`` says which is the
current one. The rows hold keyed digests and pseudonyms. They never leave the internal bucket.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.accounting.facts import SeriesFacts
from ingestion.accounting.source_state import SourceState
from ingestion.storage import ObjectStore
from ingestion.storage.numbered import append, read_latest
from quality_checks.examination import Examination, examination_key
from quality_checks.suites.source import Tables

COLUMNS = (
    "source_id", "SeriesInstanceUID", "StudyInstanceUID", "PatientID", "Modality", "Content", "Series", "Study",
    "Accessions", "People", "PixelDigest", "FrameHashes", "ExaminationKey",
)  # fmt: skip
"""``Content``, ``Series`` and ``Study`` are digests, ``Accessions`` and ``People`` digests joined by spaces, as
``FrameHashes`` (16 hex digits each) are; None where nothing is known."""
SCHEMA = pa.schema([pa.field(name, pa.string()) for name in COLUMNS])
_ROOT = "crossings/"


def index_frame(state: SourceState, tables: Tables, examinations: Iterable[Examination]) -> pd.DataFrame:
    """The rows of a source, by SeriesInstanceUID."""
    if tables.series.empty:
        return pd.DataFrame(columns=list(COLUMNS), dtype=object)
    facts = facts_by_series(state)
    examined = {one.SeriesInstanceUID: one for one in examinations}
    rows = []
    columns = ["SeriesInstanceUID", "StudyInstanceUID", "PatientID", "Modality"]
    for uid, study, patient, modality in tables.series[columns].itertuples(index=False):
        known, seen = facts.get(uid, SeriesFacts()), examined.get(uid)
        rows.append({
            "source_id": state.source_id,
            "SeriesInstanceUID": uid,
            "StudyInstanceUID": study,
            "PatientID": patient,
            "Modality": modality,
            "Content": known.content,
            "Series": known.series,
            "Study": known.study,
            "Accessions": " ".join(known.accessions) or None,
            "People": " ".join(known.people) or None,
            "PixelDigest": None if seen is None else seen.pixel_digest,
            "FrameHashes": None if seen is None else " ".join(seen.frame_hashes) or None,
            "ExaminationKey": None
            if seen is None
            else examination_key(seen.source_id, seen.SeriesInstanceUID, seen.manifest_version, seen.rules_digest),
        })  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    return frame.sort_values("SeriesInstanceUID", kind="stable", ignore_index=True)


def facts_by_series(state: SourceState) -> dict[str, SeriesFacts]:
    """The facts of every stored series that has any."""
    return {
        entry.SeriesInstanceUID: SeriesFacts.from_json(entry.facts)
        for entry in state.series
        if entry.SeriesInstanceUID is not None and entry.manifest_version is not None and entry.facts
    }


def save_index(internal: ObjectStore, state: SourceState, frame: pd.DataFrame) -> str:
    """Store the rows of a state and name them the current ones: their key. The same again writes nothing."""
    source_id = state.source_id
    body = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False), body, compression="zstd")
    key = f"crossing/{source_id}/{hashlib.sha256(body.getvalue()).hexdigest()[:24]}.parquet"
    internal.create(key, body.getvalue())
    append(internal, f"{_ROOT}{source_id}/", json.dumps({"key": key, "state": state.digest}).encode())
    return key


def read_others(internal: ObjectStore, source_id: str) -> pd.DataFrame:
    """The current rows of all other sources, by source and SeriesInstanceUID."""
    keys = current_keys(internal)
    frames = [_read(internal, key) for other, key in sorted(keys.items()) if other != source_id]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS), dtype=object)


def read_own(internal: ObjectStore, state: SourceState) -> pd.DataFrame | None:
    """The rows of ``state``; None where they were not saved yet."""
    latest = read_latest(internal, f"{_ROOT}{state.source_id}/")
    said = {} if latest is None else json.loads(latest[1])
    return _read(internal, said["key"]) if said.get("state") == state.digest else None


def _read(internal: ObjectStore, key: str) -> pd.DataFrame:
    return pq.read_table(io.BytesIO(internal.read(key)), schema=SCHEMA).to_pandas().astype(object)


def current_keys(internal: ObjectStore) -> Mapping[str, str]:
    """The key of each source's current rows."""
    latest: dict[str, str] = {}
    for stored in internal.list(_ROOT):  # in the order of the keys, so the last of a source is its current one
        latest[stored.key.removeprefix(_ROOT).split("/", 1)[0]] = stored.key
    return {source_id: json.loads(internal.read(key))["key"] for source_id, key in latest.items()}
