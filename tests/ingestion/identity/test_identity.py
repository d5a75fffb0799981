"""Keys and pseudonyms: keyed, deterministic, unrelated between kinds and sources, never shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.identity.keys import KeyInvalidError, KeyMissingError, SourceKey, create_key, load_key
from ingestion.identity.pseudonyms import SHIFT_DAYS_MAX, SHIFT_DAYS_MIN, PatientIdentity, Pseudonyms

ONE, OTHER = Pseudonyms(SourceKey("S-1", b"1" * 32)), Pseudonyms(SourceKey("S-1", b"2" * 32))


@given(st.text(max_size=80))
def test_pseudonyms_are_the_same_every_time_and_depend_on_the_key(value: str) -> None:
    for name in ("uid", "accession", "object_name"):
        first = getattr(ONE, name)(value)
        assert first == getattr(ONE, name)(value)
        assert first != getattr(OTHER, name)(value)


@given(st.text(max_size=80))
def test_uids_are_valid(value: str) -> None:
    uid = ONE.uid(value)
    assert re.fullmatch(r"2\.25\.(0|[1-9]\d*)", uid)
    assert len(uid) <= 64


@given(st.text(max_size=64), st.text(max_size=64))
def test_shifts_move_back_by_one_to_five_years(patient_id: str, issuer: str) -> None:
    shift = ONE.shift_days(PatientIdentity(patient_id, issuer))
    assert -SHIFT_DAYS_MAX <= shift <= -SHIFT_DAYS_MIN


def test_padding_does_not_make_another_patient_but_an_issuer_does() -> None:
    plain = ONE.patient(PatientIdentity("17"))
    assert ONE.patient(PatientIdentity("17 ")) == plain
    assert ONE.patient(PatientIdentity("17", "H")) != plain
    assert len(plain) <= 64
    assert plain.startswith("S-1-")


def test_a_key_is_made_once_and_never_replaced(tmp_path: Path) -> None:
    path = create_key("S-1", keys_dir=tmp_path)
    before = path.read_text()
    create_key("S-1", keys_dir=tmp_path)
    assert path.read_text() == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_key("S-1", keys_dir=tmp_path)
    monkeypatch.setenv("CIE_KEY_S_1", bytes(range(32)).hex())
    assert load_key("S-1", keys_dir=tmp_path).secret == bytes(range(32))


def test_missing_and_wrong_keys_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyMissingError, match="CIE_KEY_S_1"):
        load_key("S-1", keys_dir=tmp_path)
    (tmp_path / "S-1.key").write_text("short")
    with pytest.raises(KeyInvalidError, match="64 hex digits"):
        load_key("S-1", keys_dir=tmp_path)


def test_a_key_shows_itself_nowhere() -> None:
    key = SourceKey("S-1", bytes(range(32)))
    shown = f"{key!r} {key} {key.key_id} {key.check_value} {Pseudonyms(key)!r}"
    assert bytes(range(32)).hex() not in shown
    assert repr(bytes(range(32))) not in shown


@pytest.mark.parametrize("text", ["00" * 32, "ab" * 32, "0123" * 16])
def test_a_key_that_repeats_itself_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "S.key").write_text(text)
    with pytest.raises(KeyInvalidError, match="is no secret"):
        load_key("S", keys_dir=tmp_path)


def test_two_sources_with_one_key_are_refused_wherever_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal numbers of both would get equal pseudonyms: all that share it are named, and none is processed."""
    same = bytes(range(32)).hex()
    for name in ("S-1", "S-2"):
        (tmp_path / f"{name}.key").write_text(same.upper() if name == "S-2" else same + "\n")
    create_key("S-4", keys_dir=tmp_path)
    monkeypatch.setenv("CIE_KEY_S_3", same)
    for name, others in (("S-1", "CIE_KEY_S_3, S-2"), ("S-2", "CIE_KEY_S_3, S-1"), ("S-3", "S-1, S-2")):
        with pytest.raises(KeyInvalidError, match=f"same key as {others}: ") as told:
            load_key(name, keys_dir=tmp_path)
        assert same not in str(told.value).lower()
    assert load_key("S-4", keys_dir=tmp_path).source_id == "S-4"
    assert load_key("S-1", keys_dir=tmp_path, alone=False).secret == bytes(range(32))


def test_a_key_that_moves_from_its_file_to_the_environment_is_of_one_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = create_key("S-1", keys_dir=tmp_path)
    monkeypatch.setenv("CIE_KEY_S_1", path.read_text())
    assert load_key("S-1", keys_dir=tmp_path).source_id == "S-1"
    (tmp_path / "elsewhere").write_text(path.read_text())
    assert load_key("S-1", keys_dir=tmp_path, key_file=tmp_path / "elsewhere").source_id == "S-1"
