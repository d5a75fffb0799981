"""What machines are told of a collection: nothing that one person makes, and nothing of a few people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_views import LARGE, made_view

from ingestion.catalogue.exports.dcat import visitors_record
from ingestion.catalogue.exports.schema_org import dataset
from ingestion.catalogue.exports.validation import validate_record, violations
from ingestion.catalogue.exports.view import ReleaseView
from ingestion.catalogue.exports.visitors import DECLARED, visitors_row
from ingestion.catalogue.search.protection import PublicCounts
from ingestion.catalogue.search.public import PublicAnswer
from ingestion.catalogue.search.query import AllOf, AnyOfValues
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA
from portal.site import exports
from tests.portal.made_index import make_index, make_rows, make_service

PEOPLE = 200
ONE_MORE = {
    "Modality": "PT", "BodyPart": "Whole body", "ManufacturerName": "Canon", "PatientSex": "O", "AgeAtStudy": 117.0,
    "StudyYear": 2029.0, "Segmented": "yes",
}  # fmt: skip
EXACT = {
    "Modalities": ("CT,MR", "CT,MR,PT"), "BodyParts": ("Abdomen; Chest; Lung", "Abdomen; Chest; Lung; Whole body"),
    "Manufacturers": ("Philips,Siemens", "Canon,Philips,Siemens"), "Sexes": ("F,M", "F,M,O"),
    "AgeMinimum": (30, 30), "AgeMaximum": (90, 120), "FirstStudyDate": ("20100101", "20100101"),
    "LastStudyDate": ("20151231", "20291231"), "SmallestSpacing": (0.5, 0.1), "SegmentLabels": (None, "Tumour"),
    "InstancesSHA256": ("a" * 64, "b" * 64), "Bytes": (1_000_000, 1_100_000), "SegmentedStudies": (None, 10),
    "TransferSyntaxes": ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1,1.2.840.10008.1.2.4.90"),
}  # fmt: skip
"""Columns of the release's table without and with the one person."""


def answered(folder: Path, frame: pd.DataFrame) -> PublicAnswer:
    return make_service(make_index(folder, frame)).answer(AllOf((AnyOfValues("source_id", (LARGE,)),)))


def worlds(folder: Path, people: int) -> list[tuple[ReleaseView, PublicAnswer]]:
    """The release and the search's answer without one person, and with: theirs is all that is rare."""
    frame = make_rows({LARGE: people}).assign(StudyYear=2012.0, Segmented="no")
    frame["AgeAtStudy"] = 40.0 + 10 * (frame.index % people % 3)  # many in each bin: none is hidden by draw
    one = frame.iloc[:1].assign(PatientID="one-more", StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1", **ONE_MORE)
    frames = (frame, pd.concat([frame, one], ignore_index=True))
    found = []
    for at, each in enumerate(frames):
        view = made_view(**{name: values[at] for name, values in EXACT.items()})
        found.append((view, answered(folder / str(at), each)))
    return found


def same_numbers(answer: PublicAnswer) -> PublicAnswer:
    """Without what the search draws."""
    counts = PublicCounts(190, 190, 250) if not answer.total.hidden else PublicCounts(None, None, None, below=15)
    facets = tuple(
        replace(facet, values=tuple(replace(one, counts=counts) for one in facet.values)) for facet in answer.facets
    )
    return replace(answer, total=counts, facets=facets)


def documents(view: ReleaseView, answer: PublicAnswer | None) -> Mapping[str, Any]:
    [row] = [one for one in view.rows if one["source_id"] == LARGE]
    told = visitors_row(row, answer, RELEASE_SCHEMA)
    made: dict[str, Any] = {
        name: exports.of_collection(view, told, name, lambda what, share: 0.9) for name in exports.OF_COLLECTION
    }
    made["schema-org"] = json.dumps(dataset(view, told), sort_keys=True).encode()
    return made


def test_one_person_more_changes_no_document(tmp_path: Path) -> None:
    (before, first), (after, second) = worlds(tmp_path, PEOPLE)
    assert all(
        before.rows[0][name] != after.rows[0][name] for name in EXACT if name not in ("AgeMinimum", "FirstStudyDate")
    )
    without, with_one = documents(before, same_numbers(first)), documents(after, same_numbers(second))
    for name, body in without.items():
        assert with_one[name] == body, name
    said = b"".join(without.values())
    for rare in (b"Canon", b"MR, PT", b"ositron", b"Whole body", b"2029", b"a" * 64, b"0.0005", b"byteSize"):
        assert rare not in said, rare


def test_what_many_have_is_told(tmp_path: Path) -> None:
    (view, answer), _ = worlds(tmp_path, PEOPLE)
    told = visitors_row(view.rows[0], answer, RELEASE_SCHEMA)
    assert told["Modalities"] == "CT,MR" and told["BodyParts"] == "Abdomen; Chest; Lung"
    assert told["Manufacturers"] == "Philips,Siemens" and told["Sexes"] == "F,M"
    shown = {facet.name: [one.value for one in facet.values] for facet in answer.facets}
    edges = sorted(int(value.split()[0]) for value in shown["AgeAtStudy"])
    assert (told["AgeMinimum"], told["AgeMaximum"]) == (edges[0], edges[-1] + 5)
    assert (told["FirstStudyDate"], told["LastStudyDate"]) == ("20120101", "20121231")
    assert told["NumberOfPatients"] == answer.total.people
    graph = visitors_record(view, told)
    assert violations(validate_record(graph)) == ()
    assert b"CT, MR" in documents(view, answer)["datacite.json"]


@pytest.mark.parametrize("searched", [True, False])
def test_of_a_few_nothing_is_told_but_what_the_registry_declares(tmp_path: Path, searched: bool) -> None:
    (before, first), (after, second) = worlds(tmp_path, 3)
    assert first.total.hidden and second.total.hidden
    told = visitors_row(after.rows[0], second if searched else None, RELEASE_SCHEMA)
    assert {name for name, value in told.items() if value is not None} <= {*DECLARED, "Modalities", "BodyParts"}
    assert told["Modalities"] == after.rows[0]["ModalitiesDeclared"] and told["BodyParts"] == "Lung"
    without, with_one = documents(before, first), documents(after, second if searched else None)
    assert without == with_one
    graph = visitors_record(after, told)
    assert violations(validate_record(graph)) == ()


def test_a_size_is_drawn_as_the_people_are(tmp_path: Path) -> None:
    service = make_service(make_index(tmp_path, make_rows({LARGE: 100})))
    policy = service.answer(AllOf(())).policy
    each = 1_000_000
    held = 150 * each  # 1.5 MB a person, so 2 up to the next step, and 20 for the ten that people are rounded to

    def shown(size: int) -> int:
        return service.size(LARGE, size, held=held, policy=policy)

    assert {shown(size) for size in range(45 * each, 46 * each, 50_000)} <= {40 * each, 60 * each}
    assert shown(45 * each) == shown(45 * each)
    assert shown(1) == 20 * each
    # by the proportion, with one draw for the source: from some size on it is the upper step
    steps = [shown(size) for size in range(40 * each, 60 * each + 1, each)]
    assert steps == sorted(steps) and {steps[0], steps[-1]} == {40 * each, 60 * each}


def test_a_share_is_drawn_by_the_source_and_its_state(tmp_path: Path) -> None:
    """0.91 of 57 people would be 52 of them; a step up or down, in proportion, the same at each look."""
    service = make_service(make_index(tmp_path, make_rows({LARGE: 100})))
    assert len({service.share(LARGE, "completeness", 0.91) for _ in range(20)}) == 1
    shown = [service.share(LARGE, f"measure {number}", 0.91) for number in range(400)]
    assert set(shown) == {0.9, 0.95}
    assert sum(shown) / len(shown) == pytest.approx(0.91, abs=0.005)
    assert {service.share(LARGE, f"measure {number}", 1.0) for number in range(40)} == {1.0}
    assert {service.share(LARGE, f"measure {number}", 0.0) for number in range(40)} == {0.0}
