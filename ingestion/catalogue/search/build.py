"""Making the index of a release from the Parquet of its series rows."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ingestion.catalogue.search.counting import count_field
from ingestion.catalogue.search.fields import NOT_STATED, FieldKind, SearchField, SearchSchema
from ingestion.catalogue.search.index import FORMAT, GIVEN, META, ROWS, IndexUnusableError, SearchIndex, open_index
from ingestion.catalogue.search.units import Postings, Units, group_rows, tells_groups, write_groups

ROW_GROUP = 5_000
"""Rows read to show a single one: 6 ms for all columns of the Commons' index, 15 ms in groups of 20,000."""


def build_index(
    parquet: Sequence[Path],
    folder: Path,
    *,
    schema: SearchSchema,
    release: str,
    select: str = "*",
    given_by: Sequence[str] = (),
) -> SearchIndex:
    """Make the index of the series rows in ``parquet`` at ``folder``, whole or not at all.

    Args:
        select: SQL expressions that give the columns of ``schema`` from the columns of the files.
        given_by: columns that order the rows as they are given out, before study and series; () for the index's own
            order, in which rows of a person stand together: it would tell who is one person in two sources.

    Raises:
        IndexUnusableError: a column of the schema is missing, or a row names no person, study or series.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _sort_rows(parquet, draft / ROWS, schema, select)
        _write(draft, schema, release)
        if given_by:
            _write_given(draft, schema, given_by)
        os.replace(draft, folder)
    except OSError:
        if not (folder / META).is_file():  # else another process was faster: its index is as good
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return open_index(folder)


def _sort_rows(parquet: Sequence[Path], target: Path, schema: SearchSchema, select: str) -> None:
    keys = [*schema.person, schema.study, schema.series]
    with duckdb.connect() as connection:
        relation = connection.read_parquet([str(path) for path in parquet], union_by_name=True).project(select)
        wanted = {*keys, *(field.name for field in schema.fields)}
        missing = sorted(wanted - set(relation.columns))
        if missing:
            raise IndexUnusableError(f"the series table lacks {', '.join(missing)}: make the release with this version")
        unnamed = relation.filter(" or ".join(f'"{name}" is null' for name in keys))
        if unnamed.limit(1).fetchall():
            raise IndexUnusableError("a series row names no person, study or series: it is not of a release")
        order = ", ".join(f'"{name}"' for name in keys)
        relation.order(order).write_parquet(str(target), compression="zstd", row_group_size=ROW_GROUP)


def _write_given(folder: Path, schema: SearchSchema, given_by: Sequence[str]) -> None:
    """The rows in another order and without the columns that only name people, and the place of each in it."""
    order = ", ".join(f'"{name}"' for name in (*given_by, schema.study, schema.series))
    names = ", ".join(f'"{name}"' for name in schema.person if name not in given_by)
    with duckdb.connect() as connection:
        rows = connection.sql(f"select * from read_parquet('{folder / ROWS}', file_row_number=true) order by {order}")
        place = np.argsort(rows.project("file_row_number").fetchnumpy()["file_row_number"])
        kept = rows.project(f"* exclude (file_row_number{', ' + names if names else ''})")
        kept.write_parquet(str(folder / GIVEN), compression="zstd", row_group_size=ROW_GROUP)
    np.save(folder / "place_of_row.npy", place.astype(np.int32))


def _write(folder: Path, schema: SearchSchema, release: str) -> None:
    people = _write_keys(folder, schema)
    for at, field in enumerate(schema.fields):
        _write_field(folder, at, field, _column(folder / ROWS, f'"{field.name}"'))
    meta = {
        "format": FORMAT,
        "release": release,
        "schema": schema.to_json(),
        "people": people,
        "states": _states(folder / ROWS, schema),
    }
    (folder / META).write_text(json.dumps(meta, ensure_ascii=False))
    index = open_index(folder)
    np.save(folder / "stating.npy", _stating(index))
    for at, one in enumerate(index.fields.values()):
        if one.field.counted:
            found = count_field(index, one, None, kernels=None)
            np.save(folder / f"totals_{at}.npy", np.stack([found.series, found.studies, found.people]))
    write_groups(folder, _groups(index))


def _groups(index: SearchIndex) -> Units:
    telling = [one for one in index.fields.values() if tells_groups(one.field)]
    group, number = group_rows(
        index.study_of_row, [(Postings(one.postings, one.offsets), len(one.terms)) for one in telling]
    )
    row_of = np.empty(number, dtype=np.int32)
    row_of[group[::-1]] = np.arange(index.series - 1, -1, -1, dtype=np.int32)
    postings = {}
    for one in index.fields.values():
        if one.field.counted:
            value = np.repeat(np.arange(len(one.terms)), np.diff(one.offsets))
            pairs = np.unique(value * number + group[one.postings])
            offsets = np.searchsorted(pairs, np.arange(len(one.terms) + 1) * number)
            postings[one.field.name] = Postings((pairs % max(number, 1)).astype(np.int32), offsets.astype(np.int64))
    return Units(
        index.study_of_row[row_of],
        index.person_of_row[row_of],
        np.bincount(group, minlength=number).astype(np.int32),
        row_of,
        postings,
        {one.field.name: one.codes[row_of] for one in telling if one.codes is not None},
    )


def _states(rows: Path, schema: SearchSchema) -> dict[str, str]:
    """By source: digest of all that can be asked about its rows, in any order.

    The exclusive or of the rows' digests: a series stands in one row, so no two rows cancel out.
    """
    names = [*schema.person, schema.study, schema.series, *(field.name for field in schema.fields)]
    row = ", ".join(f'"n{at}" := cast("{name}" as varchar)' for at, name in enumerate(names))
    with duckdb.connect() as connection:
        found = connection.read_parquet(str(rows)).aggregate(
            f'cast("{schema.source}" as varchar), bit_xor(md5_number(cast(struct_pack({row}) as varchar)))'
        )
        return {str(source): f"{number:032x}" for source, number in found.fetchall() if source is not None}


def _stating(index: SearchIndex) -> NDArray[np.int32]:
    """(sources, fields): how many people of the source have a series that states the field."""
    source = index.fields[index.schema.source]
    people = index.people
    code_of_row = np.zeros(index.series, dtype=np.int64)
    for code in range(len(source.terms)):
        code_of_row[source.rows_of(code)] = code
    found = np.zeros((len(source.terms), len(index.fields)), dtype=np.int32)
    for at, field in enumerate(index.fields.values()):
        rows = field.postings[field.offsets[1] :]
        pairs = np.unique(code_of_row[rows] * people + index.person_of_row[rows])
        found[:, at] = np.bincount(pairs // people, minlength=len(source.terms))
    return found


def _write_keys(folder: Path, schema: SearchSchema) -> int:
    """Who and which study a row belongs to; the number of people."""
    person = " || '\x1f' || ".join(f'cast("{name}" as varchar)' for name in schema.person)
    people = _column(folder / ROWS, person).to_numpy(dtype=object)
    studies = _column(folder / ROWS, f'"{schema.study}"').to_numpy(dtype=object)
    series = np.asarray(_column(folder / ROWS, f'"{schema.series}"').to_numpy(dtype=object), dtype=np.bytes_)
    new_person = np.ones(len(people), dtype=bool)
    new_person[1:] = people[1:] != people[:-1]
    new_study = new_person.copy()
    new_study[1:] |= studies[1:] != studies[:-1]
    person_of_row = (np.cumsum(new_person) - 1).astype(np.int32)
    digests = b"".join(hashlib.blake2b(one.encode(), digest_size=8).digest() for one in people[new_person])
    np.save(folder / "person_digest.npy", np.frombuffer(digests, dtype=np.uint64))
    np.save(folder / "person_of_row.npy", person_of_row)
    np.save(folder / "study_of_row.npy", (np.cumsum(new_study) - 1).astype(np.int32))
    np.save(folder / "person_of_study.npy", person_of_row[new_study])
    order = np.argsort(series, kind="stable")
    np.save(folder / "series_uids.npy", series[order])
    np.save(folder / "row_of_series.npy", order.astype(np.int32))
    return int(new_person.sum())


def _column(rows: Path, expression: str) -> pd.Series:
    with duckdb.connect() as connection:
        return connection.read_parquet(str(rows)).project(f"{expression} as value").df()["value"]


def _write_field(folder: Path, at: int, field: SearchField, values: pd.Series) -> None:
    if field.kind is FieldKind.NUMBER:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float32, na_value=np.nan)
        np.save(folder / f"numbers_{at}.npy", numbers)
        edges = np.asarray(field.edges, dtype=np.float32)
        # below the first edge counts in the first bin: a histogram must add up
        codes = np.where(np.isnan(numbers), 0, np.maximum(np.searchsorted(edges, numbers, side="right"), 1))
        terms, rows = [NOT_STATED, *field.bins()], np.arange(len(numbers))
    else:
        terms, codes, rows = _terms(field, values)
    (folder / f"terms_{at}.json").write_text(json.dumps(terms, ensure_ascii=False))
    if field.kind is not FieldKind.TEXT and len(rows) == len(values) and (rows == np.arange(len(values))).all():
        narrow = np.int16 if len(terms) <= np.iinfo(np.int16).max else np.int32
        np.save(folder / f"codes_{at}.npy", np.asarray(codes).astype(narrow))
    order = np.argsort(codes, kind="stable")
    np.save(folder / f"postings_{at}.npy", rows[order].astype(np.int32))
    np.save(folder / f"offsets_{at}.npy", np.searchsorted(codes[order], np.arange(len(terms) + 1)).astype(np.int64))


def _terms(field: SearchField, values: pd.Series) -> tuple[list[str], NDArray[Any], NDArray[Any]]:
    """The distinct values, and pairs of code and row: one a row, or as many as it has values."""
    texts = [NOT_STATED if pd.isna(value) else str(value) for value in values]
    if field.kind is FieldKind.TEXT:
        texts = [text.casefold() for text in texts]
    numbers, distinct = pd.factorize(np.asarray(texts, dtype=object), sort=True)
    parts = [_parts(text, field.separator) for text in distinct]
    terms = [NOT_STATED, *sorted({part for each in parts for part in each})]
    place = {term: code for code, term in enumerate(terms)}
    coded = [[place[part] for part in each] or [0] for each in parts]
    repeats = np.asarray([len(each) for each in coded], dtype=np.intp)
    rows = np.repeat(np.arange(len(numbers)), repeats[numbers])
    if len(rows) == len(numbers):
        return terms, np.asarray([each[0] for each in coded], dtype=np.int64)[numbers], rows
    return terms, np.concatenate([np.asarray(coded[number]) for number in numbers]), rows


def _parts(text: str, separator: str | None) -> list[str]:
    split = text.split(separator) if separator else [text]
    return sorted({part.strip() if separator else part for part in split} - {NOT_STATED})
