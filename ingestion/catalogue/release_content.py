"""What of a source's rows goes into a release: all but the series that a quality check leaves out.

The catalogue keeps those series, with status and reason. What is counted of the source is counted anew from what is
left, so that a release adds up in itself: series in the catalogue = series released + series left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, Table

from ingestion.catalogue import tables as t
from ingestion.catalogue.collection import contents_row
from ingestion.catalogue.frames import frame_of
from ingestion.catalogue.release_manifest import SeriesExclusion
from ingestion.catalogue.rows import people_and_studies, rows_of
from ingestion.catalogue.series_columns import rights_of
from ingestion.catalogue.writer import read_rows
from ingestion.sources.registry import SourceEntry

BY_SOURCE: tuple[Table, ...] = tuple(table for table in t.ROW_TABLES if table is not t.collection)
"""The tables that a release holds by source."""
LEFT_OUT = "error"
"""Of ``series.QualityStatus``."""
_OF_SERIES = {
    t.feature.name: ("SeriesInstanceUID",),
    t.segmentation.name: ("SeriesInstanceUID", "ImageSeriesInstanceUID"),
    t.instance_manifest.name: ("SeriesInstanceUID",),
}
"""Columns that name the series that a row is about; a row goes with any of them."""


@dataclass(frozen=True, slots=True)
class SourceRelease:
    """The rows of a source that are released, by table, and the series that are not."""

    collection: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    left_out: tuple[SeriesExclusion, ...]


def source_release(connection: Connection, collection: pd.DataFrame, source_id: str) -> SourceRelease:
    """Read the source's rows and take the series out that quality leaves out.

    Args:
        collection: the one row of the source.
    """
    frames = {table.name: read_rows(connection, table, source_id=source_id) for table in BY_SOURCE}
    series, patients_before = frames[t.series.name], frames[t.patient.name]
    out = series[series["QualityStatus"] == LEFT_OUT]
    if out.empty:
        return SourceRelease(collection, frames, ())
    left_out = tuple(
        SeriesExclusion(source_id, uid, because or "")
        for uid, because in out[["SeriesInstanceUID", "LeftOutBecause"]].itertuples(index=False)
    )
    gone = {one.SeriesInstanceUID for one in left_out}
    kept = series[~series["SeriesInstanceUID"].isin(gone)].reset_index(drop=True)
    rows = rows_of(kept)
    people = dict(zip(patients_before["PatientID"], patients_before["PersonKey"], strict=True))
    patients, studies = people_and_studies(rows, people)
    frames[t.series.name] = kept
    frames[t.patient.name] = frame_of(t.patient, patients)
    frames[t.study.name] = frame_of(t.study, studies)
    for name, columns in _OF_SERIES.items():
        frames[name] = _without(frames[name], columns, gone)
    [declared] = rows_of(collection)
    counted = frame_of(t.collection, [declared | contents_row(patients=patients, studies=studies, series=rows)])
    return SourceRelease(counted, frames, left_out)


def with_rights(released: SourceRelease, entry: SourceEntry) -> SourceRelease:
    """With the terms of the registry as it is now: those narrowed since the source was published hold at once."""
    rights = rights_of(entry)
    agreement = {
        "AgreementKind": entry.agreement.kind.value,
        "AgreementSignedOn": entry.agreement.signed_on,
        "AgreementValidUntil": entry.agreement.valid_until,
        "AgreementWithdrawnOn": entry.agreement.withdrawn_on,
        "CountsHiddenBelow": entry.counts.hidden_below,
        "CountsRoundedTo": entry.counts.rounded_to,
    }
    [row] = rows_of(released.collection)
    series = released.tables[t.series.name].assign(**rights)
    return SourceRelease(
        frame_of(t.collection, [row | rights | agreement]),
        released.tables | {t.series.name: series},
        released.left_out,
    )


def _without(frame: pd.DataFrame, columns: tuple[str, ...], gone: set[str]) -> pd.DataFrame:
    named = frame[list(columns)].isin(gone).any(axis=1)
    return frame[~named].reset_index(drop=True)
