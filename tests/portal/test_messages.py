"""The words of the pages: the same in both languages, all of them in the message files."""

from __future__ import annotations

import datetime as dt
import re
from importlib.resources import files

import pytest
from starlette.testclient import TestClient

from ingestion.accounting.states import Reason
from ingestion.catalogue.release import why_excluded
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA
from ingestion.commands.search import NO_NUMBER
from ingestion.deidentify.policy import DatesInText, FaceChoice, PixelChoice
from ingestion.sources.registry import AccessMode, AgreementKind, Registry
from ingestion.vocabulary.cancer import CancerType
from portal.search.api import RULE, CountsOut
from portal.site import exports
from portal.site.messages import LANGUAGES, Wording, messages
from portal.site.rendering import environment
from tests.ingestion.catalogue.made_sources import make_entry
from tests.portal.made_portal import OPEN, Platform

TEMPLATES = sorted(file.name for file in files("portal.site").joinpath("templates").iterdir())
NAMES_OF_FORMATS = {"APA", "BibTeX", "CSL", "JSON", "LD", "DCAT", "Turtle", "CSV", "Parquet", "parquet", "make console",
                    "Croissant", "DataCite", "ODRL"}  # fmt: skip
"""Proper names, the same in every language."""


def test_both_files_say_the_same_things() -> None:
    english, french = messages("en"), messages("fr")
    assert set(english) == set(french)
    for key, text in english.items():
        assert text and french[key]
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", french[key])), key


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_holds_no_words_of_its_own(name: str) -> None:
    source = files("portal.site").joinpath("templates").joinpath(name).read_text("utf-8")
    text = "".join(value if kind == "data" else "\x00" for _, kind, value in environment().lex(source)
                   if kind == "data" or kind.endswith("begin"))  # fmt: skip
    attributes = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"\x00]*)"', text)
    bare = re.sub(r"<[^>]*>", " ", text)
    bare = re.sub(r"&\w+;", " ", bare)
    words = set(re.findall(r"[^\W\d_]{2,}", " ".join([bare, *attributes])))
    known = {word for name in NAMES_OF_FORMATS for word in name.split()}
    assert words <= known, words - known


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_message_of_a_template_is_there(name: str) -> None:
    source = files("portal.site").joinpath("templates").joinpath(name).read_text("utf-8")
    known = set(messages("en"))
    for key in re.findall(r'\bt\("([^"]+)"(?! ~)', source):
        assert key in known, key
    for start in re.findall(r'\bt\("([^"]+)" ~', source):
        assert any(key.startswith(start) for key in known), start
    for key in re.findall(r'\btn\("([^"]+)"', source):
        assert {f"{key}.one", f"{key}.other"} <= known, key


def test_what_code_names_has_a_message() -> None:
    wanted = [f"field.{field.name}" for field in RELEASE_SCHEMA.fields]
    wanted += [f"reason.{reason.value}" for reason in Reason]
    wanted += [f"value.CancerType.{cancer.value}" for cancer in CancerType]
    wanted += [f"{start}.{mode.value}" for start in ("value.AccessMode", "mode", "export.mode") for mode in AccessMode]
    wanted += [f"agreement.{kind.value}" for kind in AgreementKind]
    wanted += [f"pixels.{one.value}" for one in PixelChoice] + [f"faces.{one.value}" for one in FaceChoice]
    wanted += [f"dates.{one.value}" for one in DatesInText]
    assert [key for key in wanted if key not in messages("en")] == []


def test_french_numbers_and_plurals() -> None:
    words = Wording("fr")
    assert words.number(1234567) == "1\u202f234\u202f567"
    assert words.plural("days", 0) == "0 jour" and words.plural("days", 2) == "2 jours"
    assert Wording("en").plural("days", 0) == "0 days"


@pytest.mark.parametrize(
    ("asked", "header", "language"),
    [
        ("", "fr-CH, en;q=0.5", "fr"), ("", "de, en;q=0.8, fr;q=0.2", "en"), ("", "", "en"), ("", "de", "en"),
        ("lang=fr", "en", "fr"), ("lang=xx", "fr", "fr"), ("", "fr;q=0, en;q=0.1", "en"), ("", "fr;q=nonsense", "en"),
    ],
)  # fmt: skip
def test_the_language_is_chosen(platform: Platform, asked: str, header: str, language: str) -> None:
    client = TestClient(platform.app, headers={"accept-language": header})
    response = client.get(f"/collections/{OPEN}?{asked}")
    assert f'<html lang="{language}">' in response.text and response.headers["content-language"] == language
    assert "Accept-Language" in response.headers["vary"]
    assert [code for code in LANGUAGES if f'hreflang="{code}"' in response.text] == [
        code for code in LANGUAGES if code != language
    ]


def test_a_choice_is_remembered_and_nothing_else(platform: Platform) -> None:
    client = TestClient(platform.app)
    assert not client.get("/").cookies
    assert dict(client.get("/?lang=fr").cookies) == {"lang": "fr"}
    assert '<html lang="fr">' in client.get("/collections").text


def test_every_reason_for_which_a_source_is_left_out_is_named() -> None:
    agreement = {"kind": "data_sharing_agreement", "signed_on": "2025-01-01", "valid_until": "2030-01-01",
                 "data_use": ["DUO:0000042"], "access_mode": "download"}  # fmt: skip
    changes: tuple[dict[str, str | None], ...] = (
        {"signed_on": None}, {"signed_on": "2027-01-01"}, {"valid_until": "2026-01-01"}, {"withdrawn_on": "2026-11-25"},
    )  # fmt: skip
    entries = [make_entry(f"TEST-0{at}", agreement={**agreement, **one}) for at, one in enumerate(changes)]
    registry = Registry(description="made for a test", sources=tuple(entries))
    words = Wording("en")
    for source_id in (*registry.ids, "TEST-NONE"):
        reason = why_excluded(source_id, registry, dt.date(2026, 11, 25))
        assert reason is not None and words.excluded(reason)[0] != "other", reason
    assert words.excluded("withdrawn on 2026-11-25") == ("withdrawn", "2026-11-25")


def test_a_count_that_is_not_shown_has_no_false_reason() -> None:
    """A question that comes too close to one about few people is not answered either, and then there may be many."""
    neutral = {"en": "too close to one about few", "fr": "trop proche d’une qui porte sur peu"}
    blames = {"en": re.compile(r"too few|so few|fewer than \d+ people, perhaps"), "fr": re.compile("trop peu|si peu")}
    for language, words in neutral.items():
        for key, text in messages(language).items():
            if blames[language].search(text):
                assert words in text, (language, key)
        assert words in messages(language)["not_shown.why"]
    spoken = [NO_NUMBER, *exports.COLUMNS.values(), str(CountsOut.model_json_schema())]
    assert all(neutral["en"] in text for text in spoken if blames["en"].search(text))
    assert neutral["en"] in NO_NUMBER and neutral["en"] in str(CountsOut.model_json_schema())


def test_the_rule_says_that_a_part_may_exceed_the_whole() -> None:
    """Each number is drawn by itself: of 20 people 30 may be shown with a scan of the pelvis."""
    assert "a part may exceed it by the rounding" in messages("en")["rule.counts"]
    assert "une partie peut le dépasser de l’arrondi" in messages("fr")["rule.counts"]
    assert "a part may exceed it by the rounding" in RULE


def test_french_has_its_space_before_high_signs(platform: Platform) -> None:
    for key, text in messages("fr").items():
        assert not re.search(r"[^\xa0\u202f0-9A-Za-z][:;?!%»]| [:;?!%»]|« ", text), (key, text)
        assert not re.search(r"[^\W\d_][:;?!](?:\s|$)", text), (key, text)
    client = TestClient(platform.app, headers={"accept-language": "fr"})
    query = '{"any":[{"field":"Modality","in":["CT"]},{"text":"t2"}]}'
    page = client.get("/explore", params={"Modality": "CT", "AgeAtStudy.from": "40", "q": query}).text
    main = re.sub(r"<(?:pre|code|script)[\s\S]*?</(?:pre|code|script)>", "", page[page.index("<main") :])
    labels = re.findall(r'(?:>|aria-label=")([^<>"]*[^\W\d_]: [^<>"]*)', main)
    assert labels == []
    assert "Modalité\xa0: CT" in page and "Mots\xa0: t2" in page and "Groupe 1\xa0: l’un de" in page
    style = files("portal").joinpath("static").joinpath("portal.css").read_text("utf-8")
    assert ':root:lang(fr) { --colon: "\\00a0: "; }' in style and "attr(data-label) var(--colon)" in style
