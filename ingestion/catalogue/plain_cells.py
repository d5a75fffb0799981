"""Text that no spreadsheet takes for a formula, for every CSV file that people open.

Values of headers come from anywhere, and a cell that begins with ``=`` is run by the program that opens the file
(OWASP, "CSV injection"). Such a cell gets an apostrophe before it, which spreadsheets read as "this is text". Numbers
stay numbers: only text is looked at. Parquet and JSON carry the values as they are.
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Those of OWASP's list."""


def plain_cell(value: Any) -> Any:
    """A value as it may stand in a cell; what is no text comes back as it is."""
    return f"'{value}" if isinstance(value, str) and value.startswith(STARTS) else value


def plain_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose texts are plain, also in columns that hold texts beside other things."""
    plain = {}
    for name in frame.columns:
        if pd.api.types.is_object_dtype(frame[name].dtype) or pd.api.types.is_string_dtype(frame[name].dtype):
            plain[str(name)] = pd.Series([plain_cell(value) for value in frame[name]], index=frame.index, dtype=object)
    return frame.assign(**plain)


def plain_table(table: pa.Table) -> pa.Table:
    """A table of Arrow whose texts are plain."""
    for at, field in enumerate(table.schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            text = table.column(at).cast(kind)
            run = pc.match_substring_regex(text, f"^[{re.escape(''.join(STARTS))}]")
            plain = pc.if_else(run, pc.binary_join_element_wise(pa.scalar("'", kind), text, pa.scalar("", kind)), text)
            table = table.set_column(at, field.name, plain)
    return table
