"""Every code that a query can say finds exactly the images whose written value it means, counted over real rows."""

from __future__ import annotations

import hashlib
import json
from importlib import resources

import pandas as pd
import pytest

from ingestion.catalogue.federation.ast import decode
from ingestion.catalogue.federation.terms import CATEGORIES, FIELDS, Term, shown_in, terms, values_of
from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA
from ingestion.vocabulary.body_part import body_parts
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.manufacturer import manufacturers
from ingestion.vocabulary.modality import modalities
from ingestion.vocabulary.sex import Sex

PINNED = "7207a9e565800d9a036d5e2f39c1543b6dc73867e3b76257f9aa7d9a5d3f053c"
"""SHA-256 of the table: a change of it changes what queries mean, so it is made on purpose."""
WRITTEN = {
    "sex": sorted({*(sex.value for sex in Sex), ""}),
    "diagnosis": sorted(cancer.value for cancer in CancerType),
    "modality": sorted(modalities()),
    "bodyPart": sorted(body_parts()),
    "manufacturer": sorted(manufacturers()),
}
"""All that ingestion can write into the field of each category."""
KEYS = {category: key for key, category in reversed(CATEGORIES.items())}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> SearchEngine:
    """One person for each value of each category; other fields are empty."""
    rows = [
        {"source_id": "S", "PatientID": f"{category}|{value}", FIELDS[category]: value or None}
        for category, values in WRITTEN.items()
        for value in values
    ]
    frame = pd.DataFrame(rows)
    for field in RELEASE_SCHEMA.fields:
        if field.name not in frame:
            frame[field.name] = None
    frame["StudyInstanceUID"] = [f"1.{at}" for at in range(len(frame))]
    frame["SeriesInstanceUID"] = [f"1.{at}.1" for at in range(len(frame))]
    folder = tmp_path_factory.mktemp("reach")
    frame.to_parquet(folder / "series.parquet")
    return SearchEngine(build_index([folder / "series.parquet"], folder / "i", schema=RELEASE_SCHEMA, release="1"))


def found(engine: SearchEngine, category: str, code: str) -> set[str]:
    """The written values of the people that a criterion finds."""
    leaf = {"key": KEYS[category], "type": "EQUALS", "system": "", "value": code}
    body = json.dumps({"ast": {"operand": "OR", "children": [{"operand": "AND", "children": [leaf]}]}, "id": "x"})
    rows = engine.rows(decode(body.encode()))
    people = pd.read_parquet(engine.index.rows_file, columns=["PatientID"])["PatientID"].iloc[rows]
    return {person.split("|", 1)[1] for person in people if person.startswith(f"{category}|")}


@pytest.mark.parametrize("term", terms(), ids=lambda term: f"{term.category}-{term.code}")
def test_a_code_finds_all_that_was_written_for_it_and_nothing_else(engine: SearchEngine, term: Term) -> None:
    meant = set(term.values)
    if term.category == "bodyPart":
        meant = {label for value in term.values for label in shown_in(value)}
    assert found(engine, term.category, term.written) == meant & set(WRITTEN[term.category])
    assert meant & set(WRITTEN[term.category])


@pytest.mark.parametrize("category", sorted(WRITTEN))
def test_whatever_was_written_is_found_by_some_question(engine: SearchEngine, category: str) -> None:
    """By its code where it has one, else by its own word: no image is out of reach of the federation."""
    for value in WRITTEN[category]:
        words = [term.written for term in terms() if term.category == category and value in term.values]
        words += [value] if category in ("modality", "manufacturer") else []
        if category == "bodyPart":
            words.append(f"SNOMEDCT{body_parts()[value].code.value}")
        assert words, value
        for word in words:
            assert values_of(category, word) is not None, (value, word)
            assert value in found(engine, category, word), (value, word)


def test_the_table_is_pinned() -> None:
    body = resources.files("ingestion.catalogue.federation").joinpath("terms.csv").read_bytes()
    assert hashlib.sha256(body).hexdigest() == PINNED
