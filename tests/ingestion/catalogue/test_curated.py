"""What curators decide: versions that stay, rows that follow, a queue that empties."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ingestion.catalogue.curated import Attribute, Curated, CurationError, read_curated, save_curated
from ingestion.catalogue.unknown_spellings import read_unknown, save_unknown, unknown_spellings
from ingestion.commands import vocabulary
from ingestion.storage.folder import FolderStore


def test_a_decision_goes_before_the_tables_and_any_spelling_of_it_follows() -> None:
    curated = Curated().deciding(Attribute.BODY_PART, "Protokoll 7 / Thx", "Chest")
    found = curated.body_part("PROTOKOLL^7 THX")
    assert found is not None
    assert found.label == "Chest"
    assert Curated().body_part("Protokoll 7 / Thx") is None
    assert curated.body_part("LIVER") == Curated().body_part("LIVER")
    assert curated.deciding(Attribute.BODY_PART, "LIVER", "").body_part("LIVER") is None
    assert Curated().deciding(Attribute.MANUFACTURER, "Acme", "Siemens").manufacturer("ACME") == "Siemens"


@pytest.mark.parametrize(("spelling", "term"), [("Thx 7", "Chestt"), ("--", "Chest"), ("", "Chest")])
def test_unknown_terms_and_empty_spellings_are_refused(spelling: str, term: str) -> None:
    with pytest.raises(CurationError):
        Curated().deciding(Attribute.BODY_PART, spelling, term)


def test_versions_stay_and_the_same_again_writes_none(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert read_curated(store) == Curated()
    first = save_curated(store, Curated().deciding(Attribute.BODY_PART, "x1", "Chest"))
    second = save_curated(store, first.deciding(Attribute.BODY_PART, "x1", "Liver"))
    assert (first.number, second.number) == (1, 2)
    assert save_curated(store, second).number == 2
    assert read_curated(store, 1) == first
    assert read_curated(store) == second
    assert read_curated(store, 0) == Curated()


@given(st.lists(st.tuples(st.sampled_from(Attribute), st.text(max_size=20) | st.none())))
def test_everything_is_known_decided_or_in_the_queue(values: list[tuple[Attribute, str | None]]) -> None:
    found = unknown_spellings(values, Curated())
    for attribute, delivered in values:
        known = (
            Curated().body_part(delivered) if attribute is Attribute.BODY_PART else Curated().manufacturer(delivered)
        )
        assert bool(delivered) == (known is not None or (delivered or "") in found[attribute])
    assert sum(sum(counts.values()) for counts in found.values()) <= len(values)


def test_the_command_works_through_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    save_unknown(store, "S-1", {Attribute.BODY_PART: {"Thx 7": 3, "FUSION": 1}})
    save_unknown(store, "S-2", {Attribute.BODY_PART: {"Thx 7": 9}, Attribute.MANUFACTURER: {"Acme": 2}})
    save_unknown(store, "S-2", {Attribute.BODY_PART: {"Thx 7": 4}, Attribute.MANUFACTURER: {"Acme": 2}})
    monkeypatch.setattr(vocabulary, "open_stores", lambda settings: type("Stores", (), {"internal": store}))
    run = CliRunner().invoke
    listed = run(vocabulary.app, ["unknown", "--json"])
    assert listed.exit_code == vocabulary.PROBLEMS
    assert [(row["spelling"], row["series"]) for row in json.loads(listed.stdout)] == [
        ("Thx 7", 7), ("Acme", 2), ("FUSION", 1),
    ]  # fmt: skip
    assert run(vocabulary.app, ["map", "Thx 7", "Chest"]).exit_code == 0
    assert run(vocabulary.app, ["map", "FUSION", "--nothing"]).exit_code == 0
    assert run(vocabulary.app, ["map", "Acme", "Acme", "--attribute", "Manufacturer"]).exit_code == vocabulary.WRONG_USE
    assert run(vocabulary.app, ["map", "Acme"]).exit_code == vocabulary.WRONG_USE
    assert [item.spelling for item in read_unknown(store, read_curated(store))] == ["Acme"]
    run(vocabulary.app, ["map", "Acme", "Siemens", "--attribute", "Manufacturer"])
    assert run(vocabulary.app, ["unknown"]).exit_code == 0
    assert json.loads(run(vocabulary.app, ["list", "--json"]).stdout)["version"] == 3
