"""The registry: the shipped one is whole, a wrong one is told all its errors at once."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
import yaml

from ingestion.settings import REGISTRY_FILE
from ingestion.sources.registry import RegistryError, UnknownSourceError, load_registry
from ingestion.vocabulary.cancer import CancerType


def test_the_shipped_registry_has_36_sources_over_nine_cancers() -> None:
    registry = load_registry(REGISTRY_FILE)
    assert len(registry.ids) == 36
    assert {entry.cancer_type for entry in registry.sources} == set(CancerType)
    assert "stand-in" in registry.description.lower()
    assert all(entry.figures.provenance for entry in registry.sources)


def test_its_figures_are_those_of_the_seed(shared: Path) -> None:
    with (shared / "sources" / "registry36.csv").open() as stream:
        seed = {row["source_id"]: row for row in csv.DictReader(stream)}
    registry = load_registry(REGISTRY_FILE)
    assert set(registry.ids) == set(seed)
    for entry in registry.sources:
        figures = entry.figures
        told = Counter(individuals=figures.individuals, studies=figures.studies, series=figures.series)
        assert told == Counter({name: int(seed[entry.id][name]) for name in told})


def test_all_errors_are_reported_with_row_and_field(tmp_path: Path) -> None:
    data = yaml.safe_load(REGISTRY_FILE.read_text())
    data["sources"][0]["cancer_type"] = "gout"
    data["sources"][2]["contact"]["email"] = "nobody"
    data["sources"][3]["id"] = data["sources"][4]["id"]
    del data["sources"][5]["policy"]
    data["sources"][6]["figures"]["series"] = -1
    data["sources"][7]["modalities"] = ["ZZ"]
    data["sources"][8]["connector"]["path"] = "./" + data["sources"][9]["connector"]["path"]
    path = tmp_path / "registry.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(RegistryError) as caught:
        load_registry(path)
    text = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 7
    for expected in (
        "row 1 ",
        "cancer_type",
        "row 3 ",
        "contact.email",
        "row 5 ",
        "same id as row 4",
        "row 6 ",
        "policy",
        "row 8 ",
        "no defined term of Modality",
        "the same folder as row 9",
    ):
        assert expected in text
    assert "figures.series" in text


def test_a_missing_or_broken_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="does not exist"):
        load_registry(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("sources: [")
    with pytest.raises(RegistryError, match="not readable as YAML, line"):
        load_registry(tmp_path / "bad.yaml")
    (tmp_path / "twice.yaml").write_text("sources:\n- id: A\n  id: B\n")
    with pytest.raises(RegistryError, match="line 3: id is given twice"):
        load_registry(tmp_path / "twice.yaml")


def test_an_unknown_source_is_named() -> None:
    with pytest.raises(UnknownSourceError, match="'NOPE'"):
        load_registry(REGISTRY_FILE).select(["NOPE"])
