"""``cie.Client`` and ``cie search`` against a real portal process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from made_index import make_index, make_rows
from pyarrow import parquet
from typer.testing import CliRunner

import cie
from cie.client import _wait, criteria
from ingestion.cli import build_app

HELD = {"LUNG-01": 400, "COLON-01": 300}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A portal of its own over an index whose records are open to all."""
    frame = make_rows(HELD)
    frame["AccessMode"] = "download"
    frame["series_aws_url"] = [f"s3://open/{uid}/*" for uid in frame["SeriesInstanceUID"]]
    index = make_index(tmp_path_factory.mktemp("client"), frame)
    process = subprocess.Popen(
        [sys.executable, "-m", "portal", "--index", str(index.folder), "--port", "0"],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_client_asks_all_there_is(address: str, tmp_path: Path) -> None:
    with cie.Client(address) as client:
        assert client.release()["release"] == "2026.11.1"
        assert {one["name"] for one in client.fields()} >= {"Modality", "AgeAtStudy"}
        assert client.fields() is client.fields()  # the second is not sent again
        answer = client.search(Modality=["CT"], AgeAtStudy=(40, None), facets=["BodyPart"])
        again = client.search(
            {"all": [{"field": "Modality", "in": ["CT"]}, {"field": "AgeAtStudy", "from": 40}]}, facets=[]
        )
        assert answer["total"] == again["total"] and answer["total"]["people"] % 10 == 0
        assert [facet["field"] for facet in answer["facets"]] == ["BodyPart"]
        assert {one["value"] for one in client.values("Modality")} == {"CT", "MR"}
        frame = make_rows(HELD)
        uids = [row["SeriesInstanceUID"] for row in client.series(page=50, Modality="MR")]
        assert sorted(uids) == sorted(frame[frame["Modality"] == "MR"]["SeriesInstanceUID"])
        assert client.one(uids[0])["SeriesInstanceUID"] == uids[0]
        file = client.export(tmp_path / "all.parquet")
        assert parquet.read_table(file).num_rows == len(frame)
        lines = client.export(tmp_path / "all.txt", criteria(Modality="MR"), format="manifest").read_text().splitlines()
        assert len(lines) == len(uids) and all(line.startswith("cp 's3://open/1.2.") for line in lines)


def test_the_client_says_what_was_refused(address: str) -> None:
    with cie.Client(address) as client:
        with pytest.raises(cie.RefusedError, match="no field with values") as refused:
            client.search(Stage="IV")
        assert refused.value.status == 400
        with pytest.raises(cie.RefusedError, match="asks no nodes"):
            client.federated()
    with cie.Client("http://127.0.0.1:1") as nobody, pytest.raises(cie.CatalogueError, match="does not answer"):
        nobody.fields()


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(build_app("search"), ["search", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_prints_tables_or_json(address: str) -> None:
    asked = ["--url", address, "-w", "Modality=CT", "-w", "AgeAtStudy.from=40", "--facet", "Modality"]
    code, out, _ = run(*asked, "--json")
    answer = json.loads(out)
    assert code == 0 and answer["query"]["all"][0] == {"field": "AgeAtStudy", "from": 40.0}
    code, out, _ = run(*asked)
    assert code == 0 and re.search(r"about [\d,]+ people", out.replace("\n", " "))
    code, _, told = run("--url", address, "-w", "MagneticFieldStrength.from=1")
    assert code == 0 and "COLON-01 states MagneticFieldStrength for none of its series" in told.replace("\n", " ")


@pytest.mark.parametrize(
    ("asked", "code"),
    [("Modality", 2), ("AgeAtStudy.from=x", 2), ("AgeAtStudy.above=5", 2), ("Stage=IV", 2)],
)
def test_wrong_use_of_the_command_is_code_2(address: str, asked: str, code: int) -> None:
    assert run("--url", address, "-w", asked)[0] == code


def test_no_answer_is_code_1() -> None:
    assert run("--url", "http://127.0.0.1:1")[0] == 1


@pytest.mark.parametrize(
    ("status", "again", "waits"),
    [(429, "1", 1.0), (503, "5", 5.0), (503, None, None), (503, "3600", None), (400, "1", None)],
)
def test_a_client_comes_again_where_it_is_told_so(status: int, again: str | None, waits: float | None) -> None:
    """Also where as much is counted as may be at once; not where nothing says when."""
    response = requests.Response()
    response.status_code = status
    if again is not None:
        response.headers["Retry-After"] = again
    assert _wait(response) == waits
