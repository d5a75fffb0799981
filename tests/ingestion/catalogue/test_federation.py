"""The federation's queries and codes: all that can be asked is reachable from all that can be stored."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.catalogue.federation.ast import MAX_BYTES, UnsupportedError, decode, from_parameters
from ingestion.catalogue.federation.terms import CATEGORIES, FIELDS, shown_in, terms, values_of
from ingestion.catalogue.search.query import MAX_DEPTH, QueryError, to_json
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA
from ingestion.vocabulary.body_part import body_parts
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.manufacturer import normalise_manufacturer
from ingestion.vocabulary.modality import modalities
from ingestion.vocabulary.sex import Sex

WRITTEN = {
    "sex": {*(sex.value for sex in Sex), ""},
    "diagnosis": {cancer.value for cancer in CancerType},
    "modality": set(modalities()),
    "bodyPart": set(body_parts()),
}
"""What the pipeline can write into the field of each category."""


def leaf(key: str, value: Any, kind: str = "EQUALS") -> dict[str, Any]:
    return {"key": key, "type": kind, "system": "", "value": value}


def tree(*criteria: Any) -> bytes:
    groups = [{"operand": "OR", "children": [criterion]} for criterion in criteria]
    ast = {"operand": "OR", "children": [{"operand": "AND", "children": groups}]}
    return json.dumps({"ast": ast, "id": "x__search__x"}).encode()


def test_every_code_means_values_that_ingestion_can_write() -> None:
    for term in terms():
        values = values_of(term.category, term.written)
        assert values, term
        if term.category == "manufacturer":
            assert all(normalise_manufacturer(value) == value for value in values), term
        else:
            assert set(values) <= WRITTEN[term.category], term
        assert FIELDS[term.category] in {field.name for field in RELEASE_SCHEMA.fields}


def test_every_value_that_ingestion_writes_can_be_asked_for() -> None:
    for category in ("sex", "diagnosis"):
        reached = {value for term in terms() if term.category == category for value in term.values}
        assert reached == WRITTEN[category]
    assert all(values_of("modality", value) == (value,) for value in modalities())
    for label, part in body_parts().items():
        assert label in (values_of("bodyPart", f"SNOMEDCT{part.code.value}") or ())


def test_codes_of_one_meaning_reach_the_same_images() -> None:
    """Code drift: the sexes, breast, colon, lung, CT, MR and mammography each have two codes or more in use."""
    for written in (
        ("sex", "EUCAIM:COM1001366", "EUCAIM:COM1000180", "SNOMEDCT248153007", "male"),
        ("bodyPart", "EUCAIM:CLIN1063727", "EUCAIM:BP1000136", "SNOMEDCT76752008", "breast"),
        ("bodyPart", "EUCAIM:BP1000192", "EUCAIM:BP1000113", "SNOMEDCT39607008"),
        ("modality", "EUCAIM:IMG1000042", "EUCAIM:IMG1000026", "RID10321", "CT"),
        ("modality", "EUCAIM:IMG1004455", "EUCAIM:IMG1000030", "MG"),
        ("diagnosis", "EUCAIM_Hyper-Ontology_V1.0.CLIN1000077", "SNOMEDCT363351006"),
    ):
        category, *codes = written
        assert len({values_of(category, code) for code in codes}) == 1, written


def test_a_lung_is_found_in_chests() -> None:
    assert {"Lung", "Chest", "Chest, Abdomen and Pelvis"} <= shown_in("Lung")
    assert "Abdomen" not in shown_in("Lung") and "Lung" in shown_in("Chest")


def test_the_query_that_focus_tests_with_is_answered() -> None:
    body = tree(
        leaf("SNOMEDCT263495000", "SNOMEDCT248153007"), leaf("SNOMEDCT439401001", "SNOMEDCT399068003"),
        leaf("RID10311", "RID10312"), leaf("C25392", "birnlex_3065"),
    )  # fmt: skip
    expected = {
        "all": [
            {"field": "CancerType", "in": ["prostate"]}, {"field": "ManufacturerName", "in": ["Philips"]},
            {"field": "Modality", "in": ["MR"]}, {"field": "PatientSex", "in": ["M"]},
        ]
    }  # fmt: skip
    assert to_json(decode(body)) == expected == to_json(decode(base64.b64encode(body)))
    by_address = [
        ("gender", "male"),
        ("diagnosis", "SNOMEDCT399068003"),
        ("modality", "MR"),
        ("manufacturer", "Philips"),
    ]
    assert to_json(from_parameters(by_address)) == expected


def test_alternatives_negations_and_everything() -> None:
    either = {"operand": "OR", "children": [leaf("RID10311", "RID10312"), leaf("RID10311", "RID10337")]}
    assert to_json(decode(json.dumps({"ast": either}).encode())) == {"all": [{"field": "Modality", "in": ["MR", "PT"]}]}
    assert to_json(decode(tree(leaf("RID10311", ["RID10321", "RID10334"], "IN")))) == {
        "all": [{"field": "Modality", "in": ["CT", "NM", "ST"]}]
    }
    assert to_json(decode(tree(leaf("RID10311", "RID10321", "NOT_EQUALS")))) == {
        "all": [{"not": {"field": "Modality", "in": ["CT"]}}]
    }
    assert to_json(decode(b'{"ast":{"children":[],"operand":"OR"},"id":"x"}')) == {"all": []}


@pytest.mark.parametrize(
    "criterion",
    [
        leaf("EUCAIM_Hyper-Ontology_V1.0.CLIN1045815", "EUCAIM_Hyper-Ontology_V1.0.COM1001310"),
        leaf("SNOMEDCT423493009", {"min": 40, "max": 50}, "BETWEEN"),
        leaf("SNOMEDCT432213005", {"min": 2015, "max": 2020}, "BETWEEN"),
        leaf("RID10311", "RID99999"),
        leaf("RID10311", "EUCAIM:CLIN1000185"),
        leaf("RID10311", "RID10321", "CONTAINS"),
    ],
)
def test_what_is_not_held_is_refused_by_name_and_never_left_out(criterion: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"ast\.children\[0\]\.children\[1\]"):
        decode(tree(leaf("SNOMEDCT263495000", "SNOMEDCT248153007"), criterion))
    with pytest.raises(UnsupportedError, match="nothing is held"):
        from_parameters([("gender", "male"), ("receptor", "positive")])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff\xfe", b"[]", b"{}", b'{"ast":[]}', b'{"ast":{"operand":"XOR","children":[]}}', b"bm9uc2Vuc2U=",
        b"[" * 9000,
        b'{"ast":{"operand":"AND","children":[7]}}', b'{"ast":{"key":"RID10311","type":"EQUALS"}}',
        b'{"ast":{"operand":"AND","children":[' + b",".join([b'{"operand":"OR","children":[]}'] * 500) + b"]}}",
        b'{"ast":' + b'{"operand":"AND","children":[' * 60 + b"]}" * 60 + b"}",
        b" " * (MAX_BYTES + 1),
    ],
)  # fmt: skip
def test_what_is_no_query_is_refused(body: bytes) -> None:
    with pytest.raises(QueryError):
        decode(body)


MALE = leaf("SNOMEDCT263495000", "SNOMEDCT248153007")


@pytest.mark.parametrize(
    ("said", "place", "member", "allowed"),
    [
        ({"ast": {**MALE, "negate": True}}, "ast", "negate", "key, nodeType, system, type, value"),
        ({"ast": {"operand": "AND", "children": [{**MALE, "mx": 5}]}}, r"ast\.children\[0\]", "mx", "key, nodeType"),
        ({"ast": {"operand": "AND", "children": [], "negate": True}}, "ast", "negate", "children, key, nodeType"),
        ({"ast": {"operand": "OR", "children": [MALE], "value": "x"}}, "ast", "value", "children"),
        ({"ast": MALE, "negate": True}, "the query", "negate", "ast, facets, id"),
        ({"ast": leaf("cie:AgeAtStudy", {"min": 40, "mx": 69}, "BETWEEN")}, r"ast\.value", "mx", "max, min"),
        ({"ast": leaf("cie:AgeAtStudy", {"min": 40, "MAX": 69}, "BETWEEN")}, r"ast\.value", "MAX", "max, min"),
    ],
)  # fmt: skip
def test_a_member_that_is_not_known_is_refused_with_its_place(
    said: dict[str, Any], place: str, member: str, allowed: str
) -> None:
    for body in (json.dumps(said).encode(), base64.b64encode(json.dumps(said).encode())):
        with pytest.raises(QueryError, match=rf"^{place}: unknown member '{member}'; allowed: .*{allowed}"):
            decode(body)


def test_a_member_that_is_there_twice_is_refused() -> None:
    with pytest.raises(QueryError, match="'value' twice"):
        decode(b'{"ast":{"key":"RID10311","type":"EQUALS","value":"RID10312","value":"RID10337"}}')


def test_what_the_explorer_adds_without_a_question_is_taken() -> None:
    criterion = {**MALE, "nodeType": "leaf"}
    group = {"nodeType": "branch", "key": "gender", "operand": "OR", "children": [criterion]}
    assert decode(json.dumps({"ast": group, "id": "x"}).encode()) == decode(json.dumps({"ast": MALE}).encode())


@pytest.mark.parametrize("levels", [MAX_DEPTH + 3, 60, 3_000])
def test_a_query_nested_too_deep_is_told_that(levels: int) -> None:
    tree = b'{"ast":' + b'{"operand":"AND","children":[' * levels + json.dumps(MALE).encode() + b"]}" * levels + b"}"
    for body in (tree, base64.b64encode(tree)):
        with pytest.raises(QueryError) as refused:
            decode(body)
        assert refused.value.problems == (f"groups nested deeper than {MAX_DEPTH}: write the query flatter",)


def test_too_many_criteria_are_told_that() -> None:
    with pytest.raises(QueryError, match="more than 200 criteria") as refused:
        decode(json.dumps({"ast": {"operand": "OR", "children": [MALE] * 400}}).encode())
    assert "nested" not in str(refused.value)


def test_values_of_one_parameter_are_alternatives() -> None:
    both = from_parameters([("gender", "male"), ("gender", "female"), ("modality", "MR")])
    assert to_json(both) == {
        "all": [{"field": "Modality", "in": ["MR"]}, {"field": "PatientSex", "in": ["F", "M"]}]
    }  # fmt: skip


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["ast", "operand", "children", "key", "type", "value", "x"]),
        inner | st.sampled_from(["AND", "OR", "EQUALS", "IN", *CATEGORIES]),
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(said=json_values)
def test_anything_else_gives_a_query_or_a_refusal(said: Any) -> None:
    try:
        decode(json.dumps({"ast": said}).encode())
    except QueryError as error:
        assert error.problems
