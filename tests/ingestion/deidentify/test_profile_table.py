"""Our Table E.1-1 against the machine-readable forms of the standard's, row by row."""

import json
from pathlib import Path

import pytest

from ingestion.deidentify.profile import (
    EDITION,
    METHOD_CODES,
    TABLE_OPTIONS,
    Action,
    Option,
    group_rows,
    rows,
    table,
)

LATER = {
    "AcquisitionContextDescription", "ChannelDerivationDescription", "ChannelLabel", "MultiplexGroupLabel",
    "DisplayURI", "DoseCalculationModelName", "SecondaryCaptureDeviceID", "HardcopyCreationDeviceID",
    "UnformattedTextValue", "WaveformAnnotationSequence",
}  # fmt: skip
COLUMNS_2024B = {
    "basicProfile": None,
    "rtnSafePrivOpt": Option.RETAIN_SAFE_PRIVATE,
    "rtnUIDsOpt": Option.RETAIN_UIDS,
    "rtnDevIdOpt": Option.RETAIN_DEVICE_IDENTITY,
    "rtnInstIdOpt": Option.RETAIN_INSTITUTION_IDENTITY,
    "rtnPatCharsOpt": Option.RETAIN_PATIENT_CHARACTERISTICS,
    "rtnLongFullDatesOpt": Option.RETAIN_FULL_DATES,
    "rtnLongModifDatesOpt": Option.RETAIN_MODIFIED_DATES,
    "cleanDescOpt": Option.CLEAN_DESCRIPTORS,
    "cleanStructContOpt": Option.CLEAN_STRUCTURED_CONTENT,
    "cleanGraphOpt": Option.CLEAN_GRAPHICS,
}


def _ours() -> dict[str, object]:
    by_tag = {f"{tag:08x}": row for tag, row in rows().items()}
    return by_tag | dict(group_rows())


def _standard(shared: Path, name: str) -> object:
    return json.loads((shared / "tables" / name).read_text(encoding="utf-8"))


def test_every_row_of_the_edition_is_there_with_every_action(shared: Path) -> None:
    ours = _ours()
    codes = {"basic_profile": "113100"} | {option.value: METHOD_CODES[option][0] for option in TABLE_OPTIONS}
    seen: dict[str, dict[str, str]] = {}
    for column, part in _standard(shared, "ps315_table_e11_2025c.json").items():
        assert part["code"] == codes[column]
        for kind, place, action in part["rules"]:
            tag = "private" if kind == "PrivateTags" else place.lower()
            # This source holds the columns Retain UIDs and Retain Safe Private in one list (test below).
            merged = column == "retain_safe_private" and tag != "private"
            seen.setdefault(tag, {})["retain_uids" if merged else column] = action
    assert len(seen) == 647
    of_edition = {tag: row for tag, row in ours.items() if row.edition == EDITION}
    assert of_edition.keys() == seen.keys()
    for tag, row in of_edition.items():
        said = {"basic_profile": row.basic.value} | {option.value: act.value for option, act in row.options.items()}
        assert said == seen[tag], tag


def test_nothing_of_the_older_edition_is_lost_and_no_column_is_mistaken(shared: Path) -> None:
    ours = _ours()
    older = _standard(shared, "ps315_table_e11_2024b.json")
    assert len(older) == 621
    for line in older:
        tag = "private" if "where" in line["id"] else line["id"].lower()
        row = ours[tag]
        for column, option in COLUMNS_2024B.items():
            action = row.basic if option is None else row.options.get(option)
            assert (action.code if action else None) == line.get(column), (tag, column)
    new = {row.keyword for tag, row in ours.items() if row.edition == EDITION} - {
        ours["private" if "where" in line["id"] else line["id"].lower()].keyword for line in older
    }
    assert len(new) == 26
    assert {"NameToUse", "PronounComment", "GenderIdentityComment", "TableTopPositionAlignmentUID"} <= new


def test_later_rows_are_told_apart() -> None:
    assert {row.keyword for row in rows().values() if row.edition != EDITION} == LATER


def test_safe_private_is_about_private_attributes_alone() -> None:
    """Whoever reads the 60 UIDs of Retain UIDs as Retain Safe Private keeps every original UID with that option."""
    assert not [row for row in rows().values() if Option.RETAIN_SAFE_PRIVATE in row.options]
    assert sum(Option.RETAIN_UIDS in row.options for row in rows().values()) == 60
    chosen = frozenset({Option.RETAIN_SAFE_PRIVATE})
    assert table(chosen)[0x00080018] is Action.UID
    assert table(frozenset({Option.RETAIN_UIDS}))[0x00080018] is Action.KEEP


def test_codes_of_every_option() -> None:
    assert sorted(code for code, _ in METHOD_CODES.values()) == [str(number) for number in range(113100, 113113)]
    assert METHOD_CODES.keys() == {None, *Option}


@pytest.mark.parametrize(
    ("chosen", "action"),
    [
        ({Option.RETAIN_DEVICE_IDENTITY}, Action.KEEP),
        ({Option.RETAIN_MODIFIED_DATES}, Action.CLEAN),
        ({Option.RETAIN_DEVICE_IDENTITY, Option.RETAIN_MODIFIED_DATES}, Action.CLEAN),
        (set(), Action.REMOVE),
    ],
)
def test_no_date_stays_where_dates_are_shifted(chosen: set[Option], action: Action) -> None:
    calibrated = rows()[0x00181200]
    assert calibrated.keyword == "DateOfLastCalibration"
    assert calibrated.decide(frozenset(chosen))[0] is action
