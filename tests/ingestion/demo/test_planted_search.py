"""The search for planted identities: what it must find, in which form, and what chance may not make of it."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from ingestion.demo.answer_key import AnswerKey, PlantedValue
from ingestion.demo.search import Search

NAME = PlantedValue(kind="patient_name", value="Żółkiewska^Anna", where="PatientName")
STATION = PlantedValue(kind="station", value="MR07X", where="StationName")
BIRTH = PlantedValue(kind="birth_date", value="20160214", where="PatientBirthDate")


@pytest.fixture(scope="module")
def search() -> Search:
    keys = [SimpleNamespace(source_id="BB-LUNG-01", planted=(NAME, STATION, BIRTH))]
    keys.append(SimpleNamespace(source_id="BB-LUNG-02", planted=()))
    return Search(cast(list[AnswerKey], keys))


@pytest.mark.parametrize(
    "body",
    [
        "x Żółkiewska Anna y".encode(), "ŻÓŁKIEWSKA^ANNA".encode("iso8859-2"), "anna żółkiewska".encode("utf-16-le"),
        json.dumps({"who": "Żółkiewska, Anna"}).encode(), base64.b64encode("ab Żółkiewska^Anna".encode()),
        b"data:image/png;base64," + base64.b64encode(bytes(90) + "Żółkiewska Anna".encode() + bytes(50)),
        b"station MR07X", b"born 14.02.2016", b"2016-02-14", b"MR07X".hex().encode(),
    ],
)  # fmt: skip
def test_a_planted_value_is_found_in_every_form(search: Search, body: bytes) -> None:
    assert list(search.hits(body, "s3://cie-research/dicom/BB-LUNG-01/x.dcm"))


def test_short_values_do_not_come_up_in_packed_pictures(search: Search) -> None:
    """Megabytes of noise in base64 hold every five letters somewhere, once case is folded."""
    noise = base64.b64encode(np.random.default_rng(1).bytes(6_000_000))
    assert not list(search.hits(b'{"thumbnail": "' + noise + b'"}', "s3://cie-internal/examinations/BB-LUNG-01/x.json"))


def test_a_date_of_another_source_is_no_birth_date(search: Search) -> None:
    assert not list(search.hits(b"20160214", "s3://cie-research/dicom/BB-LUNG-02/x.dcm"))
    assert list(search.hits(b"20160214", "table cie.event_logs"))
    assert not list(search.hits(b"1.2.820160214", "s3://cie-research/dicom/BB-LUNG-01/x.dcm"))
