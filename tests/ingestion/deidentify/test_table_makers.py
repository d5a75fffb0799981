"""The tables are what their makers make of the sources: one changed by hand, or out of date, is found."""

import csv
import io
from importlib import resources
from pathlib import Path

import pytest

from ingestion.deidentify.profile import read_text
from ingestion.deidentify.safe_private import Holds, safe_private
from tools import iod_table, private_table, profile_table


def test_types_of_attributes_are_those_of_the_module_tables() -> None:
    assert read_text("iod_types.txt") == iod_table.lines()


def test_the_profile_table_is_made_of_its_source(shared: Path) -> None:
    import json

    source = json.loads((shared / "tables" / "ps315_table_e11_2025c.json").read_text(encoding="utf-8"))
    columns = ["tag", "keyword", "vr", "edition", "basic_profile", *profile_table.OPTIONS]
    made = [{column: row.get(column, "") for column in columns} for row in profile_table.rows(source)]
    assert made == list(csv.DictReader(read_text("table_e11.csv")))


def test_private_attributes_are_made_of_their_sources_and_no_row_is_dropped_silently(shared: Path) -> None:
    tables = shared / "tables"
    rows, count = private_table.collect(
        tables / "tcia_private_tag_kb.csv", tables / "ps315_e310_safe_private_2026d.json"
    )
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    kept = resources.files("ingestion.deidentify").joinpath("tables", "safe_private.csv").read_text(encoding="utf-8")
    assert kept.endswith(out.getvalue())
    assert count["unreadable signature"] == count["unknown disposition"] == 0
    of_base = sum(number for what, number in count.items() if what.startswith("knowledge base"))
    of_list = sum(number for what, number in count.items() if what.startswith("standard's list"))
    other = count["standard attribute in a private sequence"] + count["creator is no maker"]
    assert of_base + of_list + other == 8787 + 479


@pytest.mark.parametrize(
    ("text", "creator", "group", "low", "within"),
    [
        ('(0009,GEMS_IDEN_01",27)', "GEMS_IDEN_01", 0x0009, 0x27, ""),
        ('(0009,"GEMS_IDEN_01",27)', "GEMS_IDEN_01", 0x0009, 0x27, ""),
        ('(0019,HOLOGIC, Inc.",02)', "HOLOGIC, Inc.", 0x0019, 0x02, ""),
        ('(0008,1111)[<0>](2005,Philips MR Imaging DD 005",06)', "Philips MR Imaging DD 005", 0x2005, 6, "(0008,1111)"),
    ],
)
def test_signatures_are_read_with_and_without_their_quotation_marks(
    text: str, creator: str, group: int, low: int, within: str
) -> None:
    assert private_table.parse(text) == private_table.Signature(creator, group, low, within)


@pytest.mark.parametrize(
    "text", ["", "0009,X,27", '(0009,X",2)', '(0029,FujiFILM TM",31)[<0>](0010,0010)', '(0009,X",27)x']
)
def test_what_is_no_private_signature_is_none(text: str) -> None:
    assert private_table.parse(text) is None


@pytest.mark.parametrize(
    "creator",
    ["", "CTP", "20100324115102", "Unnamed Private Block - 10", "UCSF BIRP PRIVATE CREATOR 011710xx", "HMC - CT - ID"],
)
def test_blocks_of_archives_projects_and_hospitals_are_in_no_list(creator: str) -> None:
    assert private_table.NOT_A_MAKER.search(creator)
    assert not [key for key in safe_private() if key[0] == creator]


def test_every_safe_attribute_says_what_it_holds_and_who_says_so() -> None:
    for (creator, group, offset), one in safe_private().items():
        assert (one.creator, one.group, one.offset) == (creator, group, offset)
        assert group & 1 and 0 <= offset <= 0xFF
        assert one.source in ("TCIA", "PS3.15", "PS3.15+TCIA")
    assert {one.holds for one in safe_private().values()} == set(Holds)
