"""Facts of raw headers: true where something is wrong, silent else, and without a value that names anyone."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from ingestion.accounting.facts import SeriesFacts
from ingestion.accounting.inventory import InventoryObject
from ingestion.accounting.manifest import Manifest, manifest_key
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.series import SeriesTask, TaskObject, process_series
from ingestion.deidentify.series_facts import FactGatherer, raw_facts
from ingestion.deidentify.study import open_object
from ingestion.identity.keys import SourceKey
from ingestion.identity.linkage import LINKAGE_KEY_ID, Linkage
from ingestion.identity.pseudonyms import Pseudonyms
from ingestion.sources.folder import FolderConnector
from ingestion.storage.folder import FolderStore

SECRET = SourceKey(LINKAGE_KEY_ID, bytes(range(32)))
KEY = SourceKey("MADE-UP", bytes(range(1, 33)))
WRITTEN = dt.date(2024, 5, 1)
SOUND = {
    "PatientName": "Przybylski^Wanda", "PatientID": "PL-4471-99", "PatientBirthDate": "19610312", "PatientAge": "058Y",
    "StudyDate": "20190823", "SeriesDate": "20190823", "AcquisitionDate": "20190823", "AccessionNumber": "A1",
}  # fmt: skip


def made(**changes: str) -> bytes:
    dataset: Dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    for keyword, value in (SOUND | changes).items():
        setattr(dataset, keyword, value)
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def facts(*bodies: bytes, secret: SourceKey | None = SECRET, written: dt.date | None = WRITTEN) -> SeriesFacts:
    gatherer = FactGatherer(Linkage(secret) if secret else None)
    for body in bodies:
        opened = open_object(body)
        gatherer.add(raw_facts(opened.header, opened.ids), sha256=hashlib.sha256(body).digest(), written=written)
    return gatherer.facts()


def test_a_sound_header_has_digests_and_no_fault() -> None:
    found = facts(made())
    assert len(found.people) == len(found.names) == len(found.birth_dates) == len(found.patients) == 1
    assert found.study
    assert found.birth_date_stated
    assert not (found.before_birth or found.after_delivery or found.age_contradicts)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"PatientBirthDate": "20200101", "PatientAge": ""}, "before_birth"),
        ({"AcquisitionDate": "19600101"}, "before_birth"),
        ({"AcquisitionDate": "20240503"}, "after_delivery"),
        ({"SeriesDate": "20990101"}, "after_delivery"),
        ({"PatientAge": "085Y"}, "age_contradicts"),
    ],
)
def test_each_fault_is_seen_alone(changes: dict[str, str], fault: str) -> None:
    found = facts(made(**changes))
    seen = {name for name in ("before_birth", "after_delivery", "age_contradicts") if getattr(found, name)}
    assert seen == {fault}


@pytest.mark.parametrize("written", [None, dt.date(1980, 1, 1)])
def test_without_a_believable_day_of_writing_nothing_lies_in_the_future(written: dt.date | None) -> None:
    assert not facts(made(AcquisitionDate="20990101"), written=written).after_delivery


def test_contradictions_between_instances_are_kept() -> None:
    found = facts(made(), made(PatientName="Nowak^Jan"), made(PatientBirthDate="19710312"))
    assert len(found.names) == 2
    assert len(found.birth_dates) == 2
    assert len(found.people) == 3


def test_without_secret_there_are_no_digests() -> None:
    found = facts(made(PatientAge="085Y"), secret=None)
    assert found.age_contradicts
    assert found.to_json() == {"age_contradicts": True, "birth_date_stated": True}


def test_facts_survive_json_and_name_nobody() -> None:
    found = facts(made())
    said = json.dumps(found.to_json())
    assert SeriesFacts.from_json(json.loads(said)) == found
    assert not any(value in said for value in ("Przybylski", "Wanda", "4471", "19610312", "20190823"))


def test_digests_never_reach_the_research_bucket(tmp_path: Path) -> None:
    delivery, research = tmp_path / "delivery", FolderStore(tmp_path / "research")
    delivery.mkdir()
    body = made()
    (delivery / "a.dcm").write_bytes(body)
    connector = FolderConnector(delivery)
    pseudonyms, ids = Pseudonyms(KEY), open_object(body).ids
    item = connector.listing().objects[0]
    series_uid = pseudonyms.uid(ids.series_uid)
    known = InventoryObject(
        pseudonyms.object_name(item.name), item.fingerprint, item.size, series_uid, pseudonyms.uid(ids.study_uid),
        pseudonyms.uid(ids.sop_instance_uid), pseudonyms.patient(ids.patient),
    )  # fmt: skip
    task = SeriesTask(
        series_uid,
        (TaskObject(known, item),),
        connector,
        KEY,
        load_policy("platform-default"),
        research,
        linkage=SECRET,
    )
    outcome = process_series(task)
    assert outcome.manifest_version is not None
    header = Manifest.from_json(research.read(manifest_key(KEY.source_id, series_uid, outcome.manifest_version))).header
    assert header["TransferSyntaxUID"] == "1.2.840.10008.1.2.1"
    assert header["DeidentificationMethodCodes"] == [code for code, _ in load_policy("platform-default").method_codes]
    assert outcome.facts == facts(body)
    digests = {value for held in outcome.facts.to_json().values() if isinstance(held, list) for value in held}
    stored = b"".join(research.read(found.key) + found.key.encode() for found in research.list())
    assert digests
    assert not any(digest.encode() in stored for digest in digests)
