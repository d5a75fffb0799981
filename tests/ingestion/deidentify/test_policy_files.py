"""Policies as files: what is wrong is told at once, and the digest changes with whatever decides."""

import pytest

from ingestion.deidentify.policy import (
    DatesInText,
    FaceChoice,
    PixelChoice,
    PolicyError,
    load_policy,
    shipped_policies,
    tables_digest,
)
from ingestion.deidentify.profile import Option


def _load(tmp_path, text: str):
    file = tmp_path / "own.yaml"
    file.write_text(text)
    return load_policy(str(file))


def test_the_shipped_ones_load() -> None:
    assert shipped_policies() == ("platform-default", "reference-node", "strict-basic")
    default, node, strict = (load_policy(name) for name in shipped_policies())
    assert [code for code, _ in default.method_codes] == [
        "113100", "113103", "113104", "113105", "113107", "113108", "113111",
    ]  # fmt: skip
    assert (default.pixels, default.faces, default.dates_in_text) == (
        PixelChoice.CLEAN, FaceChoice.FLAG, DatesInText.SHIFT,
    )  # fmt: skip
    assert Option.RETAIN_SAFE_PRIVATE not in node.options and Option.RETAIN_MODIFIED_DATES in node.options
    assert node.faces is FaceChoice.QUARANTINE
    assert not strict.options and [code for code, _ in strict.method_codes] == ["113100"]
    assert len({policy.digest for policy in (default, node, strict)}) == 3


def test_everything_wrong_is_told_at_once_with_the_remedy(tmp_path) -> None:
    text = """
nmae: own
options: [retain_everything, clean_pixel_data]
pixels: ignore
overrides:
  - tags: [SeriesDescripton]
    treatment: keep
    why: typing error
  - tags: [PatientID]
    treatment: keep
    why: never
  - tags: [ReferringPhysicianName]
    treatment: keep
    why: never
  - tags: [StudyDate]
    treatment: keep
    why: not with shifted dates
  - tags: [PatientBirthDate]
    treatment: keep
    why: never
  - tags: [Rows]
    treatment: clean
    why: a number
  - private: {creator: ACME, group: '0018', elements: ['1010']}
    treatment: keep
    why: no private group
  - tags: [SeriesDescription]
    private: {creator: ACME}
    treatment: remove
    why: both
  - tags: [SeriesDescription]
    treatment: remove
    why: no such class
    when: {sop_class: [CatImageStorage]}
"""
    with pytest.raises(PolicyError) as error:
        _load(tmp_path, text)
    message = str(error.value)
    for told in (
        "unknown field 'nmae'; did you mean 'name'?", "name: is missing", "unknown option 'retain_everything'",
        "options of pixels follow from 'pixels' and 'faces'",
        "pixels: Input should be 'clean', 'rules' or 'quarantine'",
        "did you mean SeriesDescription?", "PatientID is treated the same under every policy",
        "names people or stations and is never kept", "StudyDate (DA) is a date: write 'shift'",
        "PatientBirthDate identifies a person", "Rows (US) cannot be treated by 'clean'", "no private group",
        "no element offset", "either 'tags' or 'private'", "'CatImageStorage' is no SOP class",
    ):  # fmt: skip
        assert told in message, told
    first, *lines = message.splitlines()
    assert first.endswith("own.yaml:")
    paths = [line.strip().split(": ")[0] for line in lines]
    assert paths.count("options") == 2, "each unknown option has its line"
    once = ("nmae", "name", "pixels", "overrides.0.tags", "overrides.6.private.group", "overrides.8.when.sop_class")
    for path in once:
        assert paths.count(path) == 1, path
    assert len(lines) == 15


def test_a_file_that_is_no_text_is_refused(tmp_path) -> None:
    (tmp_path / "own.yaml").write_bytes(b"name: \xff")
    with pytest.raises(PolicyError, match="UTF-8"):
        load_policy(str(tmp_path / "own.yaml"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: a\noptions: [retain_full_dates, retain_modified_dates]\n", "exclude each other"),
        ("name: a\noptions: []\ndates_in_text: shift\n", "needs the option retain_modified_dates"),
        ("name: a\noptions: text\n", "must be a list"),
        ("name: a b\n", "name"),
        ("name: a\noverrides:\n  - tags: [PatientName]\n    treatment: pseudonym\n    why: done\n", "every policy"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path, text: str, told: str) -> None:
    with pytest.raises(PolicyError, match=told):
        _load(tmp_path, text)


def test_the_digest_follows_what_decides_and_nothing_else(tmp_path, monkeypatch) -> None:
    base = "name: own\noptions: [clean_descriptors, retain_modified_dates]\n"
    digest = _load(tmp_path, base).digest
    assert _load(tmp_path, "# a comment\ndescription: for people\n" + base).digest == digest
    assert _load(tmp_path, "name: own\noptions: [retain_modified_dates, clean_descriptors]\n").digest == digest
    changed = [
        base + "pixels: clean\n",
        base + "faces: flag\n",
        base + "dates_in_text: shift\n",
        base + "overrides:\n  - {tags: [StudyID], treatment: remove, why: not needed}\n",
        "name: own\noptions: [clean_descriptors]\n",
    ]
    assert len({digest, *(_load(tmp_path, text).digest for text in changed)}) == 6
    monkeypatch.setattr("ingestion.deidentify.policy.tables_digest", lambda: "0" * len(tables_digest()))
    assert _load(tmp_path, base).digest != digest
