"""Digests that compare sources: equal for one person however written, unequal for two, None where nothing is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.identity.keys import SourceKey
from ingestion.identity.linkage import LINKAGE_KEY_ID, Linkage, plain_day, plain_name
from ingestion.identity.pseudonyms import PatientIdentity

ONE = Linkage(SourceKey(LINKAGE_KEY_ID, bytes(range(32))))
OTHER = Linkage(SourceKey(LINKAGE_KEY_ID, bytes(range(1, 33))))


@pytest.mark.parametrize(
    "spelling",
    [
        "Müller^Ännchen",
        "MULLER^ANNCHEN",
        "Ännchen^Müller",
        "muller^annchen^^Dr",
        "Müller^Ännchen=ミュラー",
        "Muller  Annchen",
    ],
)
def test_one_person_has_one_digest_however_written(spelling: str) -> None:
    assert ONE.person(spelling, "19610312") == ONE.person("Müller^Ännchen", "1961.03.12")


def test_another_person_birth_date_or_secret_has_another() -> None:
    mine = ONE.person("Rossi^Maria", "19610312")
    assert mine not in (ONE.person("Rossi^Mario", "19610312"), ONE.person("Rossi^Maria", "19610313"))
    assert mine != OTHER.person("Rossi^Maria", "19610312")


@pytest.mark.parametrize(
    "name", ["", "Anonymous^Patient", "ANON-17^X", "Unknown^Unknown", "123^456", "Rossi", "Test^One"]
)
def test_names_that_name_nobody_have_none(name: str) -> None:
    assert ONE.name(name) is None
    assert ONE.person(name, "19610312") is None


@pytest.mark.parametrize("day", ["", "19000101", "1961", "unknown", "00010101"])
def test_days_that_stand_for_none_have_none(day: str) -> None:
    assert ONE.birth_date(day) is None


def test_kinds_do_not_meet() -> None:
    assert len({ONE.uid("1.2"), ONE.accession("1.2"), ONE.patient(PatientIdentity("1.2"))}) == 3


@given(st.text(max_size=80), st.text(max_size=12))
def test_any_text_gives_a_digest_or_none(name: str, day: str) -> None:
    found = ONE.person(name, day)
    assert found is None or (len(found) == 24 and int(found, 16) >= 0)
    assert plain_name(plain_name(name)) == plain_name(name)
    assert plain_day(plain_day(day)) == plain_day(day)
