"""k-anonymity and l-diversity against counting by brute force, and the ways in: catalogue rows and folders."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pandas as pd
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from ingestion.catalogue.risk.assess import assess, classes_of, measure
from ingestion.catalogue.risk.gather import NotDeidentifiedError, people_of_folder, people_of_frames
from ingestion.catalogue.risk.people import DEFAULT_QUASI, LEVELS, Person, Quasi, told
from ingestion.cli import build_app

PEOPLE = st.lists(
    st.builds(
        Person,
        site=st.sampled_from(["A", "B"]),
        sex=st.sampled_from(["F", "M", None]),
        age=st.sampled_from([None, 0, 4, 5, 44, 59, 60, 61, 90]),
        manufacturer=st.sampled_from(["GE", "Siemens", None]),
        model=st.sampled_from(["X1", "X2", None]),
        follow_up_days=st.sampled_from([None, 0, 1, 29, 30, 31, 364, 365]),
        study_year=st.sampled_from([None, 2019, 2020]),
        sensitive=st.sampled_from([("breast", "Chest"), ("lung", "Chest"), ("breast",)]),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(PEOPLE, st.integers(1, 6))
def test_figures_are_those_of_counting_everybody_against_everybody(people: list[Person], wanted_k: int) -> None:
    report = assess(people, wanted_k=wanted_k, quasi=tuple(Quasi))

    def alike(one: Person, other: Person) -> bool:
        return all(told(one, quasi, 0) == told(other, quasi, 0) for quasi in report.quasi)

    sizes = [sum(alike(one, other) for other in people) for one in people]
    diversity = [len({other.sensitive for other in people if alike(one, other)}) for one in people]
    now = report.measured
    assert (now.k, now.diversity) == (min(sizes, default=0), min(diversity, default=0))
    assert now.below == sum(size < wanted_k for size in sizes)
    assert now.unique == sizes.count(1)
    assert now.average_risk == pytest.approx(sum(1 / size for size in sizes) / len(sizes) if sizes else 0)
    assert now.highest_risk == pytest.approx(max((1 / size for size in sizes), default=0))


@settings(max_examples=60, deadline=None)
@given(PEOPLE, st.integers(1, 6))
def test_the_way_is_walked_as_told_and_leads_there_if_any_does(people: list[Person], wanted_k: int) -> None:
    report = assess(people, wanted_k=wanted_k)
    levels = dict.fromkeys(report.quasi, 0)
    for step in report.steps:
        levels[step.quasi] += 1
        assert LEVELS[step.quasi][levels[step.quasi]] == step.level
        assert step.measured == measure(classes_of(people, levels), wanted_k=wanted_k)
    reachable = any(
        measure(classes_of(people, dict(zip(report.quasi, chosen, strict=True))), wanted_k=wanted_k).below == 0
        for chosen in product(*(range(len(LEVELS[quasi])) for quasi in report.quasi))
    )
    assert report.reached is reachable


@settings(deadline=None)
@given(PEOPLE)
def test_telling_less_never_makes_a_class_smaller(people: list[Person]) -> None:
    for quasi in DEFAULT_QUASI:
        exact = dict.fromkeys(DEFAULT_QUASI, 0)
        before = measure(classes_of(people, exact), wanted_k=3)
        less = measure(classes_of(people, exact | {quasi: len(LEVELS[quasi]) - 1}), wanted_k=3)
        assert less.k >= before.k
        assert less.classes <= before.classes


@pytest.mark.parametrize(
    ("quasi", "level", "expected"),
    [
        (Quasi.AGE, 0, "59"), (Quasi.AGE, 1, "55-59"), (Quasi.AGE, 3, "40-59"), (Quasi.AGE, 4, None),
        (Quasi.DEVICE, 0, "GE X1"), (Quasi.DEVICE, 1, "GE"), (Quasi.FOLLOW_UP, 1, "30-59"),
        (Quasi.FOLLOW_UP, 2, "0-364"),
        (Quasi.SITE, 0, "A"), (Quasi.STUDY_YEAR, 1, "2020-2024"), (Quasi.SEX, 1, None),
    ],
)  # fmt: skip
def test_what_is_told_at_a_level(quasi: Quasi, level: int, expected: str | None) -> None:
    person = Person("A", "F", 59, "GE", "X1", 42, 2021, ("breast",))
    assert told(person, quasi, level) == expected


def test_rows_of_the_catalogue_become_people() -> None:
    patient = pd.DataFrame([{"source_id": "S", "PatientID": "p", "PatientSex": "F"}])
    study = pd.DataFrame(
        [
            {"source_id": "S", "PatientID": "p", "StudyDate": "20200301", "AgeAtStudy": 61.5},
            {"source_id": "S", "PatientID": "p", "StudyDate": "20200101", "AgeAtStudy": float("nan")},
        ]
    )
    series = pd.DataFrame([
        {"source_id": "S", "PatientID": "p", "SeriesInstanceUID": "2", "StudyDate": "20200301", "BodyPart": "Breast",
         "ManufacturerName": "GE", "ManufacturerModelName": "late"},
        {"source_id": "S", "PatientID": "p", "SeriesInstanceUID": "1", "StudyDate": "20200101", "BodyPart": None,
         "ManufacturerName": "GE", "ManufacturerModelName": "early"},
    ])  # fmt: skip
    people = people_of_frames(patient=patient, study=study, series=series, cancers={"S": "breast"})
    assert people == (Person("S", "F", 61, "GE", "early", 60, 2020, ("breast", "Breast")),)


def _folder(folder: Path, *, removed: str = "YES") -> Path:
    for number, (age, sex) in enumerate([("061Y", "F"), ("062Y", "F"), ("064Y", "M"), ("064Y", "M")]):
        dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
        dataset.PatientID, dataset.PatientAge, dataset.PatientSex = f"p{number}", age, sex
        dataset.SeriesInstanceUID, dataset.StudyInstanceUID = f"1.2.3.{number}", f"1.2.4.{number}"
        dataset.PatientIdentityRemoved = removed
        dataset.save_as(folder / f"{number}.dcm")
    (folder / "notes.txt").write_text("not DICOM")
    return folder


def test_a_folder_is_judged_by_the_command(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        build_app("risk"), ["risk", "--folder", str(_folder(tmp_path)), "--k", "2", "--json"], catch_exceptions=False
    )
    assert done.exit_code == 1
    told_json = json.loads(done.stdout)
    assert (told_json["patients"], told_json["k"], told_json["below"], told_json["unreadable_files"]) == (4, 1, 2, 1)
    assert told_json["reached"] is True
    assert [step["quasi"] for step in told_json["steps"]][-1] in ("age", "sex")
    shown = CliRunner().invoke(build_app("risk"), ["risk", "--folder", str(tmp_path), "--k", "1"])
    assert shown.exit_code == 0
    assert "k = 1" in shown.stdout


def test_raw_objects_are_not_reported_on(tmp_path: Path) -> None:
    with pytest.raises(NotDeidentifiedError):
        people_of_folder(_folder(tmp_path, removed="NO"))
    done = CliRunner().invoke(build_app("risk"), ["risk", "--folder", str(tmp_path)])
    assert done.exit_code == 2


def test_a_folder_with_nobody_in_it_is_refused_and_not_called_safe(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    empty = CliRunner().invoke(build_app("risk"), ["risk", "--folder", str(tmp_path / "notes"), "--json"])
    assert (empty.exit_code, empty.stdout) == (2, "")
    assert "holds no de-identified DICOM file: is it the right folder" in " ".join(empty.stderr.split())
    (tmp_path / "notes" / "patients.csv").write_text("patient,age\n")
    other = CliRunner().invoke(build_app("risk"), ["risk", "--folder", str(tmp_path / "notes")])
    assert other.exit_code == 2
    assert "(1 other file)" in " ".join(other.stderr.split())
