"""``cie policy``."""

import json
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from ingestion.cli import build_app
from ingestion.deidentify.policy import load_policy, shipped_policies
from ingestion.deidentify.profile import rows

RUNNER = CliRunner()


def _run(*words: str, code: int = 0) -> str:
    result = RUNNER.invoke(build_app("policy"), ["policy", *words], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.output


def test_list_tells_every_policy_and_its_version() -> None:
    text = _run("list")
    told = json.loads(_run("list", "--json"))
    assert [policy["name"] for policy in told] == list(shipped_policies())
    for policy in told:
        assert policy["digest"] == load_policy(policy["name"]).digest
        assert policy["name"] in text and policy["digest"][:12] in text


@pytest.mark.parametrize(
    ("words", "treatment", "row"),
    [
        (["SeriesDescription"], "clean", {"basic_profile": "X", "clean_descriptors": "C"}),
        (["0018,0010", "--policy", "strict-basic"], "empty", {"basic_profile": "Z/D", "clean_descriptors": "C"}),
        (["(6000,3000)"], "remove", {"basic_profile": "X", "clean_graphics": "C"}),
        (["NameToUse"], "remove", {"basic_profile": "X"}),
        (["KVP", "--sop-class", "MRImageStorage"], "keep", {}),
        (["CodeMeaning", "--in", "PersonIdentificationCodeSequence"], "dummy", {}),
        (
            ["0019,xx0C", "--private", "SIEMENS MR HEADER"],
            "keep",
            {"basic_profile": "X", "retain_safe_private": "C"},
        ),
        (
            ["0009,1027", "--private", "GEMS_IDEN_01"],
            "shift_seconds",
            {"basic_profile": "X", "retain_safe_private": "C"},
        ),
    ],
)
def test_explain_tells_treatment_reason_and_row(words: list[str], treatment: str, row: dict[str, str]) -> None:
    told = json.loads(_run("explain", *words, "--json"))
    assert (told["treatment"], told["row"]) == (treatment, row)
    text = " ".join(_run("explain", *words).split())
    assert treatment in text and " ".join(told["why"].split()) in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], ("screened for lettering", "becomes black, and the object goes on", "stays and is flagged")),
        (["--policy", "strict-basic"], ("quarantined, unlooked at", "holds the series back")),
        (["--policy", "reference-node", "--sop-class", "UltrasoundImageStorage"], ("outside the ultrasound regions",)),
        (["--sop-class", "SecondaryCaptureImageStorage"], ("takes for text becomes black",)),
        (["--policy", "strict-basic", "--sop-class", "SecondaryCaptureImageStorage"], ("usually shows text",)),
        (["--sop-class", "EncapsulatedPDFStorage"], ("quarantined (object.document)",)),
        (["--sop-class", "SegmentationStorage"], ("not looked at",)),
    ],
)
def test_explain_tells_what_becomes_of_the_pixels(words: list[str], said: tuple[str, ...]) -> None:
    told = " ".join(json.loads(_run("explain", "PixelData", *words, "--json"))["pixels"])
    shown = " ".join(_run("explain", "7FE0,0010", *words).split())
    for sentence in said:
        assert sentence in told and sentence in shown
    assert json.loads(_run("explain", "KVP", "--json"))["pixels"] == []


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "NoSuchAttribute"],
        ["explain", "KVP", "--policy", "none"],
        ["explain", "KVP", "--sop-class", "Nothing"],
        ["conformance", "--policy", "none"],
    ],
)
def test_wrong_use_is_code_2(words: list[str]) -> None:
    _run(*words, code=2)


@pytest.mark.parametrize("policy", shipped_policies())
def test_the_report_tells_options_exceptions_digest_and_every_attribute(policy: str, tmp_path) -> None:
    report = _run("conformance", "--policy", policy)
    loaded = load_policy(policy)
    assert loaded.digest in report
    for code, name in loaded.method_codes:
        assert f"| yes | {code} | {name} |" in report
    for row in rows().values():
        assert f" {row.keyword} |" in report
    for override in loaded.overrides:
        assert override.why in report
    assert "## Limits" in report and "edition 2025c: 647 attributes" in report


def test_the_report_as_a_page_is_well_formed(tmp_path) -> None:
    file = tmp_path / "report.html"
    _run("conformance", "--out", str(file))
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs) -> None:
            if tag != "meta":
                opened.append(tag)

        def handle_endtag(self, tag) -> None:
            assert opened.pop() == tag

    page = file.read_text(encoding="utf-8")
    Reader().feed(page)
    assert opened == []
    assert "src=" not in page and "http" not in page
    assert page.count("<table>") == 3
    assert "|---" not in page
