"""``cie quarantine decide`` about one object, and about its series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from typer.testing import CliRunner

from ingestion.accounting.decisions import Verb
from ingestion.accounting.states import Reason
from ingestion.commands import quarantine as command

TEXT = Reason.BURNED_IN_ANNOTATION.value
ROWS = [
    {"source_id": "S", "object_hash": "aa01", "series_uid": "2.25.1", "reason": TEXT},
    {"source_id": "S", "object_hash": "bb02", "series_uid": "2.25.1", "reason": TEXT},
    {"source_id": "S", "object_hash": "cc03", "series_uid": "2.25.2", "reason": TEXT},
    {"source_id": "S", "object_hash": "dd04", "series_uid": "2.25.1", "reason": Reason.TRUNCATED.value},
]


@dataclass
class Rows:
    """In the place of the quarantine's tables."""

    decided: dict[str, str | None] = field(default_factory=dict)

    def rows(
        self, *, source_id: str | None = None, reason: str | None = None, object_prefix: str | None = None
    ) -> Sequence[dict[str, str]]:
        return [
            row
            for row in ROWS
            if reason in (None, row["reason"]) and row["object_hash"].startswith(object_prefix or "")
        ]

    def decide(self, *, source_id: str, object_hash: str, verb: Verb, note: str, pixels: str | None = None) -> None:
        assert (source_id, verb) == ("S", Verb.RELEASE)
        self.decided[object_hash] = pixels


@pytest.mark.parametrize(
    ("words", "decided"),
    [
        (["aa", "--clean"], {"aa01": "clean"}),
        (["aa", "--clean", "--series"], {"aa01": "clean", "bb02": "clean"}),
        (["bb", "--boxes", "1,2,3,4", "--series"], {"aa01": "blank:1,2,3,4", "bb02": "blank:1,2,3,4"}),
        (["cc", "--clean", "--series"], {"cc03": "clean"}),
    ],
)
def test_a_decision_about_one_or_about_its_series(
    monkeypatch: pytest.MonkeyPatch, words: list[str], decided: dict[str, str]
) -> None:
    rows = Rows()
    monkeypatch.setattr(command, "_quarantine", lambda: rows)
    result = CliRunner().invoke(command.app, ["decide", *words])
    assert result.exit_code == 0, result.output
    assert rows.decided == decided


@pytest.mark.parametrize(
    "words", [["aa"], ["aa", "--clean", "--boxes", "1,2,3,4"], ["dd", "--clean"], ["ee", "--clean"]]
)
def test_wrong_use(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    rows = Rows()
    monkeypatch.setattr(command, "_quarantine", lambda: rows)
    assert CliRunner().invoke(command.app, ["decide", *words]).exit_code == 2
    assert not rows.decided
