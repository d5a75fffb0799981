"""Clinical tables: the pseudonyms and the shift of the DICOM, every interval exact, every row accounted for."""

import csv
import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ingestion.cli import build_app
from ingestion.deidentify.clinical_map import ClinicalTableError, load_map
from ingestion.deidentify.clinical_table import RowReason, TableOutcome, deidentify_table
from ingestion.deidentify.dates import shift_date
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

KEY = SourceKey("MADE-UP", bytes(range(32)))
PSEUDONYMS = Pseudonyms(KEY)
MAP = """
patient: {column: patient_no, issuer: HOSP-A}
baseline: diagnosed
columns:
  patient_no: {is: patient}
  surname: {is: name}
  born: {is: birth_date, formats: ["%d.%m.%Y"], age_at: diagnosed}
  diagnosed: {is: date}
  operated: {is: date, formats: ["%Y-%m-%d", "%d/%m/%Y %H:%M"]}
  accession: {is: accession}
  age: {is: age}
  notes: {is: text}
  stage: {is: keep}
  insurance: {is: drop}
"""
HEAD = "patient_no,surname,born,diagnosed,operated,accession,age,notes,stage,insurance\n"
GOOD = "PL-4471-99,Przybylska,12.03.1930,2019-06-19,2019-07-01,A77120,93,CT liver of Przybylska 2019-06-20,T2N0,X-1\n"
IDENTITY = PatientIdentity("PL-4471-99", "HOSP-A")


def _table(folder: Path, body: str, columns: str = MAP, *, shift_dates: bool = True) -> TableOutcome:
    (folder / "in.csv").write_text(HEAD + body, encoding="utf-8")
    (folder / "map.yaml").write_text(columns, encoding="utf-8")
    return deidentify_table(
        folder / "in.csv",
        folder / "out.csv",
        columns=load_map(folder / "map.yaml"),
        pseudonyms=PSEUDONYMS,
        shift_dates=shift_dates,
    )


def _read(folder: Path) -> list[dict[str, str]]:
    with (folder / "out.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_row_comes_out_as_the_dicom_of_the_same_patient(tmp_path: Path) -> None:
    outcome = _table(tmp_path, GOOD)
    (row,) = _read(tmp_path)
    days = PSEUDONYMS.shift_days(IDENTITY)
    assert outcome == TableOutcome(1, 1)
    assert row["patient_no"] == PSEUDONYMS.patient(IDENTITY)
    assert row["diagnosed"].replace("-", "") == shift_date("20190619", days)
    assert row["operated"].replace("-", "") == shift_date("20190701", days)
    assert (row["diagnosed_days"], row["operated_days"]) == ("0", "12")
    assert row["accession"] == PSEUDONYMS.accession("A77120", "HOSP-A")
    assert (row["born_age"], row["age"], row["stage"]) == ("89", "90", "T2N0")
    moved = dt.date(2019, 6, 20) + dt.timedelta(days=days)
    assert row["notes"] == f"CT liver of {moved.isoformat()}"
    assert not {"surname", "born", "insurance"} & row.keys()


def test_without_shift_only_intervals_stay(tmp_path: Path) -> None:
    _table(tmp_path, GOOD, shift_dates=False)
    (row,) = _read(tmp_path)
    assert (row["diagnosed"], row["operated"], row["operated_days"]) == ("", "", "12")
    assert row["notes"] == "CT liver of"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (GOOD.replace("T2N0", "Przybylska"), RowReason.IDENTITY),
        (GOOD.replace("T2N0", "20190619"), RowReason.IDENTITY),
        (GOOD.replace("T2N0", "jo@example.org"), RowReason.IDENTITY),
        (GOOD.replace("2019-06-19", "19.06.2019"), RowReason.DATE),
        (GOOD.replace("2019-06-19", "2019-02-30"), RowReason.DATE),
        (GOOD.replace(",93,", ",ninety,"), RowReason.AGE),
        (GOOD.replace("12.03.1930", "12.03.2030"), RowReason.AGE),
        (GOOD.replace("PL-4471-99", " "), RowReason.PATIENT_MISSING),
        (GOOD.replace(",X-1", ""), RowReason.FIELDS),
    ],
)
def test_a_row_that_cannot_be_judged_is_set_aside(tmp_path: Path, row: str, reason: RowReason) -> None:
    outcome = _table(tmp_path, GOOD + row + GOOD)
    assert (outcome.rows_in, outcome.rows_out) == (3, 2)
    assert [(item.row, item.reason) for item in outcome.quarantined] == [(3, reason)]
    assert "rzybylska" not in repr(outcome)
    assert len(_read(tmp_path)) == 2


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (MAP.replace("  stage: {is: keep}\n", "").replace("  age: {is: age}\n", ""), "without a rule: age, stage"),
        (MAP + "  more: {is: keep}\n", "not there: more"),
        (MAP.replace("is: keep", "is: treasure"), "'stage': 'is' must be one of"),
        (MAP.replace("age_at: diagnosed", "age_at: stage"), "'age_at' must name"),
        (MAP.replace("%d.%m.%Y", "%m.%Y"), "a year, a month and a day"),
        (MAP.replace("baseline: diagnosed", "baseline: notes"), "'baseline' must name"),
        (MAP.replace("{column: patient_no, issuer: HOSP-A}", "{column: surname}"), "exactly one column"),
        ("columns: [", "not readable as YAML"),
        ("patient: a\npatient: b\n", "line 2: patient is given twice"),
    ],
)
def test_a_wrong_map_tells_all_and_nothing_is_written(tmp_path: Path, columns: str, told: str) -> None:
    with pytest.raises(ClinicalTableError, match=told.replace("(", r"\(")):
        _table(tmp_path, GOOD, columns)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "map.yaml"]


def test_a_broken_file_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(MAP)
    for body in (HEAD.encode() + GOOD.encode() + b"\xff\xfe,", HEAD.encode() + b'"open', b""):
        (tmp_path / "in.csv").write_bytes(body)
        with pytest.raises(ClinicalTableError, match=r"row"):
            deidentify_table(
                tmp_path / "in.csv",
                tmp_path / "out.csv",
                columns=load_map(tmp_path / "map.yaml"),
                pseudonyms=PSEUDONYMS,
                shift_dates=True,
            )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "map.yaml"]


@pytest.mark.parametrize("rest", ["", "\n\n"])
def test_a_heading_alone_is_refused(tmp_path: Path, rest: str) -> None:
    with pytest.raises(ClinicalTableError, match="no row below"):
        _table(tmp_path, rest)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "map.yaml"]


def test_the_issuer_of_a_row_tells_patients_apart(tmp_path: Path) -> None:
    columns = MAP.replace("issuer: HOSP-A", "issuer_column: insurance").replace(
        "insurance: {is: drop}", "insurance: {is: issuer}"
    )
    _table(tmp_path, GOOD + GOOD.replace("X-1", "X-2"), columns)
    first, second = (row["patient_no"] for row in _read(tmp_path))
    assert first == PSEUDONYMS.patient(PatientIdentity("PL-4471-99", "X-1"))
    assert first != second


@given(st.dates(dt.date(1950, 1, 1), dt.date(2024, 12, 31)), st.integers(0, 3000))
@settings(max_examples=60, deadline=None)
def test_every_interval_is_exact(tmp_path_factory: pytest.TempPathFactory, start: dt.date, length: int) -> None:
    end = start + dt.timedelta(days=length)
    folder = tmp_path_factory.mktemp("table")
    _table(folder, f"P1,Maier,01.01.1940,{start},{end:%d/%m/%Y} 10:30,,,,,\n")
    (row,) = _read(folder)
    moved = dt.datetime.strptime(
        row["operated"].split()[0], "%Y-%m-%d" if "-" in row["operated"] else "%d/%m/%Y"
    ).date()
    assert (moved - dt.date.fromisoformat(row["diagnosed"])).days == length == int(row["operated_days"])


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(HEAD + GOOD + GOOD.replace("T2N0", "Przybylska"))
    (tmp_path / "map.yaml").write_text(MAP)
    (tmp_path / "made-up.key").write_text(KEY.secret.hex())
    start = ["deidentify", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), "--source", "MADE-UP"]
    start += ["--key-file", str(tmp_path / "made-up.key"), "--json"]
    app, run = build_app("deidentify"), CliRunner().invoke
    assert run(app, start).exit_code == 2
    done = run(app, [*start, "--columns", str(tmp_path / "map.yaml"), "--report", str(tmp_path / "report.json")])
    assert done.exit_code == 1, done.output
    account = json.loads(done.stdout)
    assert (account["rows_in"], account["rows_out"]) == (2, 1)
    assert account["quarantined"] == [{"row": 3, "column": "stage", "reason": "identity_in_a_kept_value"}]
    assert json.loads((tmp_path / "report.json").read_text()) == account
    again = run(app, [*start, "--columns", str(tmp_path / "map.yaml")])
    assert again.exit_code == 2
