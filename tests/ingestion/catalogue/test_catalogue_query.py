"""Questions in SQL, the export, the commands and the documentation."""

import json
from pathlib import Path

import pandas as pd
import pytest
from made_sources import World, make_source
from typer.testing import CliRunner

from ingestion.catalogue import docs
from ingestion.catalogue import tables as t
from ingestion.catalogue.export import ExportFormat, export_tables
from ingestion.catalogue.query import QueryError, ask, prepare
from ingestion.catalogue.tables import metadata

SOURCE = "TEST-LUNG-01"


@pytest.mark.parametrize(
    ("question", "statement"),
    [
        ("SELECT Modality FROM series;", 'SELECT "Modality" FROM series'),
        ('SELECT "Modality" FROM series', 'SELECT "Modality" FROM series'),
        ("SELECT 'Modality' FROM series", "SELECT 'Modality' FROM series"),
        ("SELECT s.KVP -- not KVP;\nFROM series s", 'SELECT s."KVP" -- not KVP;\nFROM series s'),
        ("SELECT ';' /* ; */, $$;Modality$$", "SELECT ';' /* ; */, $$;Modality$$"),
        ("SELECT source_id, unknown FROM series", "SELECT source_id, unknown FROM series"),
    ],
)
def test_names_are_quoted_and_texts_left(question: str, statement: str) -> None:
    assert prepare(question) == statement


@pytest.mark.parametrize("question", ["SELECT 1; DROP TABLE series", "COMMIT; SELECT 1", "", " ; "])
def test_one_statement_only(question: str) -> None:
    with pytest.raises(QueryError):
        prepare(question)


@pytest.mark.stack
class TestAsking:
    def test_answers(self, world: World) -> None:
        world.publish(make_source(SOURCE))
        answer = ask(
            world.engine, "SELECT Modality, count(*) AS n FROM series WHERE SeriesDescription IS NULL GROUP BY 1"
        )
        assert (answer.columns, answer.rows, answer.complete) == (("Modality", "n"), (("CT", 12),), True)

    def test_percent_signs_are_no_parameters(self, world: World) -> None:
        assert ask(world.engine, "SELECT 'a%b' LIKE 'a%'").rows == ((True,),)

    def test_rows_are_cut(self, world: World) -> None:
        answer = ask(world.engine, "SELECT * FROM generate_series(1, 10)", max_rows=3)
        assert (len(answer.rows), answer.complete) == (3, False)

    @pytest.mark.parametrize(
        "question",
        [
            "DELETE FROM series",
            "UPDATE series SET Modality = 'X' RETURNING 1",
            "WITH gone AS (DELETE FROM series RETURNING 1) SELECT * FROM gone",
            "DROP TABLE series",
            "SELECT * FROM no_such_table",
            "SELEC 1",
            "SET default_transaction_read_only = off",
        ],
    )
    def test_nothing_can_be_changed(self, world: World, question: str) -> None:
        world.publish(make_source(SOURCE))
        with pytest.raises(QueryError):
            ask(world.engine, question)
        assert ask(world.engine, "SELECT count(*) FROM series").rows == ((12,),)

    def test_a_slow_question_is_given_up(self, world: World) -> None:
        with pytest.raises(QueryError, match="timeout"):
            ask(world.engine, "SELECT pg_sleep(30)", timeout_seconds=0.2)


@pytest.mark.stack
@pytest.mark.parametrize("kind", list(ExportFormat))
def test_export_holds_all_rows(world: World, tmp_path: Path, kind: ExportFormat) -> None:
    world.publish(make_source(SOURCE))
    written = export_tables(world.engine, tmp_path / "out", kind=kind)
    assert {path.stem for path in written} == {table.name for table in t.ROW_TABLES}
    for path, rows in written.items():
        assert len(pd.read_parquet(path) if kind is ExportFormat.PARQUET else pd.read_csv(path)) == rows


@pytest.mark.stack
def test_commands(world: World, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingestion.commands import catalogue, release

    world.publish(make_source(SOURCE))
    monkeypatch.setenv("CIE_DATABASE_URL", postgres_url)
    monkeypatch.setenv("CIE_DATA_DIR", str(tmp_path))
    run = CliRunner().invoke
    asked = run(catalogue.app, ["sql", "SELECT count(*) AS n FROM series", "--json"])
    assert (asked.exit_code, json.loads(asked.stdout)) == (0, [{"n": 12}])
    shown = run(catalogue.app, ["sql", "SELECT Modality FROM series LIMIT 1"])
    assert shown.exit_code == 0
    assert "CT" in shown.stdout
    assert run(catalogue.app, ["sql", "DROP TABLE series"]).exit_code == 2
    exported = run(catalogue.app, ["export", str(tmp_path / "tables"), "--format", "csv"])
    assert exported.exit_code == 0
    assert (tmp_path / "tables" / "series.csv").is_file()
    for app, command in (
        (catalogue.app, "rebuild"),
        (release.app, "build"),
        (release.app, "list"),
        (release.app, "diff"),
    ):
        assert "Example: cie" in run(app, [command, "--help"]).stdout


def test_documentation_is_current() -> None:
    document = docs.DOCUMENT.read_text(encoding="utf-8")
    assert docs.renewed(document) == document, "run python -m ingestion.catalogue.docs"


def test_every_column_says_what_it_is_and_where_from() -> None:
    for table in metadata.tables.values():
        assert table.comment
        for column in table.columns:
            assert column.comment, f"{table.name}.{column.name}"
            assert column.info["source"], f"{table.name}.{column.name}"
