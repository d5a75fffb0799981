"""The pages in docs/rules name only what exists: commands, quality rules, checks of assets, functions and tests."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import pytest
import typer

from ingestion.cli import build_app
from quality_checks.catalogue_of_checks import rules_by_id

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "rules").glob("*.md"))
KINDS = ("command", "check", "asset check", "code", "test")
NAMED = re.compile(r"(asset check|command|check|code|test) `([^`]+)`")
ROW = re.compile(r"^\| ([A-Z]\d+) \|(.*)\|$", re.MULTILINE)


def rules(page: Path) -> list[tuple[str, str]]:
    return [(number, row.rsplit("|", 1)[-1].strip()) for number, row in ROW.findall(page.read_text(encoding="utf-8"))]


def references() -> list[tuple[str, str]]:
    return sorted({found for page in PAGES for _, cell in rules(page) for found in NAMED.findall(cell)})


@cache
def commands() -> frozenset[str]:
    found = set()

    def walk(command: object, words: list[str]) -> None:
        found.add(" ".join(words))
        for name, child in getattr(command, "commands", {}).items():
            walk(child, [*words, name])

    walk(typer.main.get_command(build_app()), ["cie"])
    return frozenset(found)


@cache
def asset_checks() -> frozenset[str]:
    """Names of checks as the asset modules declare them: constants in capitals."""
    found = set()
    for module in (ROOT / "assets").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                found.add(node.value.value)
    return frozenset(found)


def exists(kind: str, name: str) -> bool:
    if kind == "command":
        return name in commands()
    if kind == "check":
        return name in rules_by_id()
    if kind == "asset check":
        return name in asset_checks()
    if kind == "code":
        module, _, path = name.partition(":")
        found: object = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part, None)
        return found is not None
    file, _, function = name.partition("::")
    body = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).is_file() else ""
    return bool(body) and (not function or f"def {function}(" in body)


@pytest.mark.parametrize(("kind", "name"), references())
def test_what_a_rule_names_exists(kind: str, name: str) -> None:
    assert exists(kind, name)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("command", "cie nothing"), ("check", "nothing"), ("asset check", "nothing"), ("code", "ingestion.cli:nothing"),
     ("test", "tests/test_nothing.py"), ("test", "tests/test_rules.py::test_nothing")],
)  # fmt: skip
def test_what_does_not_exist_is_seen(kind: str, name: str) -> None:
    assert not exists(kind, name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_rule_names_what_enforces_it(page: Path) -> None:
    found = rules(page)
    assert len(found) >= 10
    assert len({number for number, _ in found}) == len(found)
    for number, cell in found:
        assert NAMED.search(cell), number


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_page_has_a_version(page: Path) -> None:
    assert re.search(r"^Version \d+\.\d+, \d{4}-\d{2}-\d{2}\.$", page.read_text(encoding="utf-8"), re.MULTILINE)


def test_there_are_rules_for_providers_users_and_operators() -> None:
    assert [page.stem for page in PAGES] == ["data-providers", "data-users", "operating-procedures"]
