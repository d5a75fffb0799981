import pytest

from ingestion.vocabulary.body_part import body_parts, lies_within, normalise_body_part
from ingestion.vocabulary.spelling import read_table, words


@pytest.mark.parametrize(
    ("delivered", "label"),
    [
        ("CHEST", "Chest"),
        ("cHest ", "Chest"),
        ("Thorax", "Chest"),
        ("TÓRAX", "Chest"),
        ("HEADNECK", "Head and Neck"),
        ("Head & Neck", "Head and Neck"),
        ("HEAD/NECK", "Head and Neck"),
        ("PROSTATA", "Prostate"),
        ("Pelvis^Masculin", "Pelvis"),
        ("TDM THORAX / ABD", "Chest and Abdomen"),
        ("chest_abdomen_pelvis", "Chest, Abdomen and Pelvis"),
        ("TC ABD_MINO_P_LV", "Abdomen and Pelvis"),
        ("COLOSCANNER EAU", "Colon"),
        ("Crâne", "Head"),
        ("LEBER", "Liver"),
        ("WHOLE BODY", "Whole body"),
        ("LEFT BREAST", "Breast"),
        ("MAMMA L", "Breast"),
        ("MR BRAIN W/O CONTRAST", "Brain"),
    ],
)
def test_known_spellings(delivered: str, label: str) -> None:
    part = normalise_body_part(delivered)
    assert part is not None
    assert part.label == label


@pytest.mark.parametrize(
    "delivered",
    [None, "", "   ", "ANNOON", "UNKNOWN", "CRANE COLO", "CT", "LEFT", "PHANTOM", "BRAIN LIVER", "X" * 500, "\0"],
)
def test_unknown_empty_or_contradictory_is_none(delivered: str | None) -> None:
    assert normalise_body_part(delivered) is None


def test_no_spelling_names_two_parts() -> None:
    owner: dict[str, str] = {}
    for row in read_table("body_part.csv"):
        for spelling in (row["label"], *row["spellings"].split("|")):
            key = "".join(words(spelling))
            assert key, f"{row['label']}: empty spelling {spelling!r}"
            assert owner.setdefault(key, row["label"]) == row["label"], f"{spelling!r} names two parts"


def test_labels_normalise_to_themselves() -> None:
    for label in body_parts():
        part = normalise_body_part(label)
        assert part is not None
        assert part.label == label


def test_wider_parts_exist_and_end() -> None:
    for label, part in body_parts().items():
        assert part.within is None or part.within in body_parts()
        assert lies_within(label, label)


def test_search_for_a_wider_part_finds_what_lies_in_it() -> None:
    assert lies_within("Lung", "Chest")
    assert lies_within("Rectum", "Abdomen")
    assert not lies_within("Chest", "Lung")
    assert not lies_within("Brain", "Chest")
