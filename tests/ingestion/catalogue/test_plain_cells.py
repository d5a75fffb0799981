"""The guard of CSV files against spreadsheet formulas: one rule for text, frames and tables; numbers stay numbers."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv as arrow_csv

from ingestion.catalogue.plain_cells import STARTS, plain_cell, plain_frame, plain_table

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
CELLS = st.one_of(TEXTS, st.sampled_from(STARTS).flatmap(lambda start: TEXTS.map(lambda rest: start + rest)))


def test_a_cell_that_would_be_run_is_text_and_a_number_is_a_number() -> None:
    assert [plain_cell(start + "x") for start in STARTS] == [f"'{start}x" for start in STARTS]
    same = ("plain", "", "a=b", None, -1.5, 3, True, dt.date(2026, 1, 1))
    assert tuple(map(plain_cell, same)) == same


@given(st.lists(st.one_of(st.none(), CELLS), max_size=6))
def test_frames_tables_and_cells_are_guarded_alike(texts: list[str | None]) -> None:
    wanted = [plain_cell(text) for text in texts]
    kinds = (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()))
    for kind in kinds:
        table = pa.table({"text": pa.array(texts, kind), "number": pa.array([-1.5] * len(texts), pa.float64())})
        found = plain_table(table)
        assert found["text"].to_pylist() == wanted and found["number"].to_pylist() == [-1.5] * len(texts)
    frame = pd.DataFrame({"text": pd.Series(texts, dtype=object), "number": [-1.5] * len(texts)})
    guarded = plain_frame(frame)
    assert guarded["text"].tolist() == wanted and guarded["number"].tolist() == [-1.5] * len(texts)
    sink = io.BytesIO()
    arrow_csv.write_csv(plain_table(pa.table({"text": pa.array(texts, pa.string())})), sink)
    for row in list(csv.reader(io.StringIO(sink.getvalue().decode(), newline="")))[1:]:
        assert not row or not row[0].startswith(STARTS)
