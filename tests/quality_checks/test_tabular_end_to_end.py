"""Two sources brought in and judged: what only comparing them finds is found, in the second and in the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest

from ingestion.accounting.ledger import Ledger, engine_of
from ingestion.catalogue.curated import Attribute, Curated, save_curated
from ingestion.catalogue.migrate import upgrade
from ingestion.catalogue.unknown_spellings import read_unknown
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.source import SourceSync
from ingestion.demo.make import DemoSource, make_source
from ingestion.fanout import Done
from ingestion.identity.keys import SourceKey
from ingestion.identity.linkage import LINKAGE_KEY_ID
from ingestion.sources.folder import FolderConnector
from ingestion.storage.folder import FolderStore
from quality_checks.model import Severity
from quality_checks.source import judge_source

SOURCES = (
    DemoSource("AA-LUNG-01", "lung", ("CT",), ("IT",)),
    DemoSource("BB-LUNG-02", "lung", ("CT",), ("ES",)),
)


class Inline:
    """The fan-out without processes."""

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        return map(function, tasks)

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Done[Any, Any]]:
        return (Done(task, function(task)) for task in tasks)


def shared_file(delivery: Path) -> bytes:
    """One delivered image of the first source, with a body part that no vocabulary knows."""
    for path in sorted(path for path in delivery.rglob("*") if path.is_file()):
        try:
            dataset = pydicom.dcmread(path)
        except (pydicom.errors.InvalidDicomError, EOFError, ValueError):
            continue
        if dataset.get("Modality") == "CT" and "PixelData" in dataset and dataset.get("PatientID"):
            dataset.BodyPartExamined = "FUSION"
            dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.99.2"
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.99.1"
            out = BytesIO()
            dataset.save_as(out)
            return out.getvalue()
    raise AssertionError("the demo source has no CT image")


@pytest.mark.slow
def test_sources_find_each_other(postgres_url: str, sound: Any, tmp_path: Path) -> None:
    upgrade(postgres_url)
    engine = engine_of(postgres_url)
    research, internal = FolderStore(tmp_path / "research"), FolderStore(tmp_path / "internal")
    for source in SOURCES:
        make_source(source, tmp_path / "sources", seed=7, scale=0.3)
    deliveries = {source.id: tmp_path / "sources" / source.id / "delivery" for source in SOURCES}
    body = shared_file(deliveries["AA-LUNG-01"])
    for folder in deliveries.values():
        (folder / "shared.dcm").write_bytes(body)
    fanout: Any = Inline()
    for number, source in enumerate(SOURCES):
        sync = SourceSync(
            source_id=source.id, connector=FolderConnector(deliveries[source.id]),
            key=SourceKey(source.id, bytes(range(number, number + 32))), policy=load_policy("platform-default"),
            ledger=Ledger(engine), research=research, internal=internal,
            linkage=SourceKey(LINKAGE_KEY_ID, bytes(range(100, 132))),
        )  # fmt: skip
        sync.take_inventory(fanout)
        sync.deidentify(fanout, run_id="r")
    engine.dispose()
    entries = {
        source.id: sound.entry(id=source.id, cancer_type="lung", modalities=source.modalities) for source in SOURCES
    }

    def judged(source_id: str) -> Any:
        return judge_source(entries[source_id], research=research, internal=internal, run=fanout.run)

    first = judged("AA-LUNG-01")
    by_rule = {result.rule_id: result for result in first.verdict.results}
    assert by_rule["series_not_repeated"].rows > 0
    assert not by_rule["series_not_repeated"].failing
    second = judged("BB-LUNG-02")
    found = {result.rule_id for result in second.verdict.results if result.failing}
    assert {"series_not_repeated", "study_uid_one_source", "patient_one_source"} <= found
    assert second.verdict.excluded
    again = judged("AA-LUNG-01")  # the second source changed what is known of the first
    assert not again.reused
    assert {"study_uid_one_source", "patient_one_source"} <= {
        result.rule_id for result in again.verdict.results if result.failing
    }
    assert "series_not_repeated" not in again.verdict.excluded  # the first source keeps its copy
    assert judged("AA-LUNG-01").reused
    assert judged("BB-LUNG-02").reused
    before = read_unknown(internal, Curated())
    assert [(item.spelling, item.total) for item in before if item.spelling == "FUSION"] == [("FUSION", 2)]
    save_curated(internal, Curated().deciding(Attribute.BODY_PART, "FUSION", "Chest"))
    assert not judged("AA-LUNG-01").reused
    assert [item.series for item in read_unknown(internal, Curated()) if item.spelling == "FUSION"] == [
        {"BB-LUNG-02": 1}
    ]
    for stored in research.list():
        assert b"people" not in stored.key.encode()
    warned = {result.rule_id: (result.failing, result.rows) for result in second.verdict.of(Severity.WARNING)} | {
        result.rule_id: (result.failing, result.rows) for result in second.verdict.of(Severity.ERROR)
    }
    assert len(warned) < 30, warned
