"""What a policy permits, asked of a small evaluator of ODRL: a condition that narrows must narrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from made_sources import make_source
from made_views import LARGE, made_view
from rdflib import DCTERMS, RDF, BNode, Graph, URIRef

from ingestion.catalogue.exports.dcat import build_graph, to_json_ld
from ingestion.catalogue.exports.names import DPV, ODRL
from ingestion.catalogue.exports.odrl import PROFILE, policies_graph
from ingestion.catalogue.exports.validation import validate_record, violations
from ingestion.catalogue.exports.view import dataset_uri
from ingestion.sources.registry import AccessMode
from ingestion.vocabulary.data_use import data_use_terms, profile_terms

POLICY = URIRef(f"{dataset_uri(LARGE)}#policy")
BY_SHORT = {term.short: term for term in data_use_terms().values()}
NAMES_A_USE = ("NRES", "GRU", "HMB", "DS", "POA", "CC")
NARROWING = sorted(BY_SHORT.keys() - set(NAMES_A_USE))


def duo(short: str) -> URIRef:
    return URIRef(BY_SHORT[short].duo_uri)


def own(name: str) -> URIRef:
    return URIRef(f"{PROFILE}:{name}")


def agreed(name: str) -> URIRef:
    return URIRef(f"{POLICY}-agreed-{name}")


ACTIONS = {ODRL.reproduce, ODRL.display, ODRL.distribute, own("publish-results")}
"""Each is part of ``use`` (ODRL Vocabulary, section 3.2; the profile's own says so itself)."""
EVERYTHING = frozenset(
    own(name) for name in ("show-ethics-approval", "collaborate", "publish-results", "return-results")
)
FITTING: dict[URIRef, Any] = {
    ODRL.purpose: {duo("GRU"), duo("HMB"), own("genetic-study"), agreed("research")},
    ODRL.recipient: {DPV.NonProfitOrganisation, agreed("users"), agreed("institutions")},
    ODRL.spatial: {agreed("regions")},
    own("project"): {agreed("projects")},
    own("disease"): {agreed("diseases")},
    ODRL.elapsedTime: 6,
    ODRL.dateTime: 2030,
}
"""A request that every condition allows: a genetic study of the agreed kind by an approved user."""
AGREED = {agreed("period"): 12, agreed("publication-date"): 2028}


def policy(*shorts: str, mode: AccessMode = AccessMode.DOWNLOAD) -> Graph:
    agreement = {
        "kind": "data_sharing_agreement", "signed_on": "2025-01-01", "valid_until": None,
        "data_use": [BY_SHORT[short].code for short in shorts], "access_mode": mode.value,
    }  # fmt: skip
    written = to_json_ld(policies_graph(made_view(make_source(LARGE, patients=12, agreement=agreement))))
    return Graph().parse(data=written, format="json-ld")


def permits(
    graph: Graph, facts: Mapping[URIRef, Any], *, action: URIRef = ODRL.use, does: frozenset[URIRef] = EVERYTHING
) -> bool:
    """Whether some permission's constraints hold and its duties are done, and no prohibition matches.

    Args:
        facts: by left operand: what the request's purpose, recipient or place is or is part of, or a number.
        does: duties that whoever asks takes on.
    """

    def holds(constraint: Any) -> bool:
        [left], [operator], [right] = (
            list(graph.objects(constraint, name)) for name in (ODRL.leftOperand, ODRL.operator, ODRL.rightOperand)
        )
        if left not in facts:
            return False
        match operator:
            case ODRL.isA | ODRL.isPartOf:
                return right in facts[left]
            case ODRL.lt:
                return facts[left] < AGREED[right]
            case ODRL.lteq:
                return facts[left] <= AGREED[right]
        raise AssertionError(operator)

    def about(rule: Any) -> bool:
        [said] = graph.objects(rule, ODRL.action)
        return said == action or (said == ODRL.use and action in ACTIONS)

    def met(rule: Any) -> bool:
        return about(rule) and all(holds(one) for one in graph.objects(rule, ODRL.constraint))

    def done(rule: Any) -> bool:
        return all(set(graph.objects(duty, ODRL.action)) <= does for duty in graph.objects(rule, ODRL.duty))

    if any(met(rule) for rule in graph.objects(POLICY, ODRL.prohibition)):
        assert graph.value(POLICY, ODRL.conflict) == ODRL.prohibit
        return False
    return any(met(rule) and done(rule) for rule in graph.objects(POLICY, ODRL.permission))


def without(left: URIRef, *values: URIRef) -> dict[URIRef, Any]:
    return FITTING | {left: FITTING[left] - set(values)}


def also(left: URIRef, *values: URIRef) -> dict[URIRef, Any]:
    return FITTING | {left: FITTING[left] | set(values)}


EXCLUDED: dict[str, dict[str, Any]] = {
    "GSO": {"facts": without(ODRL.purpose, own("genetic-study"))},
    "RS": {"facts": without(ODRL.purpose, agreed("research"))},
    "GS": {"facts": without(ODRL.spatial, agreed("regions"))},
    "IS": {"facts": without(ODRL.recipient, agreed("institutions"))},
    "US": {"facts": without(ODRL.recipient, agreed("users"))},
    "PS": {"facts": without(own("project"), agreed("projects"))},
    "TS": {"facts": FITTING | {ODRL.elapsedTime: 13}},
    "NCU": {"facts": also(ODRL.purpose, DPV.CommercialPurpose)},
    "NPUNCU": {"facts": also(ODRL.purpose, DPV.CommercialPurpose)},
    "NPU": {"facts": without(ODRL.recipient, DPV.NonProfitOrganisation)},
    "NMDS": {"facts": also(ODRL.purpose, own("methods-research"))},
    "NPOA": {"facts": also(ODRL.purpose, duo("POA"))},
    "IRB": {"does": EVERYTHING - {own("show-ethics-approval")}},
    "COL": {"does": EVERYTHING - {own("collaborate")}},
    "PUB": {"does": EVERYTHING - {own("publish-results")}},
    "RTN": {"does": EVERYTHING - {own("return-results")}},
    "MOR": {"facts": FITTING | {ODRL.dateTime: 2027}, "action": own("publish-results")},
}
"""For each condition that narrows, a request that it excludes and general research use alone would not."""


def test_every_condition_that_names_no_use_is_tried() -> None:
    assert sorted(EXCLUDED) == NARROWING
    assert len(NARROWING) + len(NAMES_A_USE) == 23


@pytest.mark.parametrize("short", NARROWING)
@pytest.mark.parametrize("main", ["GRU", "NRES"])
def test_a_condition_that_narrows_refuses_what_it_excludes_and_grants_the_rest(main: str, short: str) -> None:
    asked = {"facts": FITTING} | EXCLUDED[short]
    allowed = {"facts": FITTING} | {name: asked[name] for name in ("action",) if name in asked}
    assert permits(policy(main), **asked), "the condition must be what refuses"
    assert not permits(policy(main, short), **asked)
    assert permits(policy(main, short), **allowed)


def test_both_halves_of_not_for_profit_and_non_commercial_use_bind() -> None:
    assert not permits(policy("GRU", "NPUNCU"), without(ODRL.recipient, DPV.NonProfitOrganisation))


@pytest.mark.parametrize("short", ["GRU", "HMB", "DS", "POA", "CC"])
def test_a_condition_that_names_a_use_permits_that_use_and_no_other(short: str) -> None:
    assert permits(policy(short), FITTING | {ODRL.purpose: {duo(short)}})
    assert not permits(policy(short), FITTING | {ODRL.purpose: {duo("HMB" if short == "GRU" else "GRU")}})
    assert permits(policy("NRES"), FITTING | {ODRL.purpose: set()})


def test_research_on_another_disease_is_no_disease_specific_use() -> None:
    facts = FITTING | {ODRL.purpose: {duo("DS")}}
    assert permits(policy("DS"), facts)
    assert not permits(policy("DS"), facts | {own("disease"): set()})


def test_a_second_use_is_bound_by_the_same_conditions() -> None:
    care = FITTING | {ODRL.purpose: {duo("CC")}}
    both = policy("GRU", "CC", "US")
    assert permits(both, care)
    assert not permits(both, care | {ODRL.recipient: set()})


def test_all_conditions_bind_at_once() -> None:
    everything = policy(*BY_SHORT)
    assert permits(everything, FITTING)
    for short, asked in EXCLUDED.items():
        assert not permits(everything, **({"facts": FITTING} | asked)), short


def test_conditions_that_only_narrow_permit_nothing() -> None:
    assert not permits(policy(*NARROWING), FITTING)


@pytest.mark.parametrize(
    ("mode", "allowed"),
    [(AccessMode.DOWNLOAD, {"display", "reproduce"}), (AccessMode.IN_SITU, {"display"}), (AccessMode.REMOTE, set())],
)
def test_the_access_mode_tells_what_may_be_done_under_the_same_conditions(mode: AccessMode, allowed: set[str]) -> None:
    graph = policy("GRU", "US", mode=mode)
    stranger = FITTING | {ODRL.recipient: set()}
    for name in ("display", "reproduce", "distribute"):
        assert permits(graph, FITTING, action=ODRL[name]) == (name in allowed)
        assert not permits(graph, stranger, action=ODRL[name])
    assert permits(graph, FITTING)


def test_one_permission_for_each_condition_that_names_a_use() -> None:
    for shorts in (("GRU", *NARROWING), (*NAMES_A_USE, *NARROWING)):
        found = set(policy(*shorts).objects(POLICY, ODRL.permission))
        assert found == {URIRef(f"{POLICY}-{short}") for short in shorts if short in NAMES_A_USE}


def test_every_condition_stands_in_the_policy_with_its_code_and_its_reason() -> None:
    graph = policy(*BY_SHORT)
    for term in BY_SHORT.values():
        assert (None, DCTERMS.conformsTo, URIRef(term.duo_uri)) in graph, term.short
        assert term.rules and all(rule.reason for rule in term.rules)


def test_what_odrl_lacks_is_of_a_declared_profile_and_described() -> None:
    graph = policy(*BY_SHORT)
    assert (POLICY, ODRL.profile, PROFILE) in graph
    used = {node for node in graph.objects() if str(node).startswith(f"{PROFILE}:") or "-agreed-" in str(node)}
    assert len(used) == len(profile_terms())
    for node in used:
        assert graph.value(node, RDF.type) is not None
        assert graph.value(node, URIRef("http://www.w3.org/2004/02/skos/core#definition")) is not None
    assert not [node for node in graph.all_nodes() if isinstance(node, BNode)]


@pytest.mark.parametrize("mode", list(AccessMode))
def test_the_record_with_every_condition_has_no_violation(mode: AccessMode) -> None:
    agreement = {
        "kind": "data_sharing_agreement", "signed_on": "2025-01-01", "valid_until": None,
        "data_use": list(data_use_terms()), "access_mode": mode.value,
    }  # fmt: skip
    graph = build_graph(made_view(make_source(LARGE, patients=12, agreement=agreement)))
    assert violations(validate_record(graph)) == ()
    graph.remove((POLICY, ODRL.conflict, None))
    assert violations(validate_record(graph)) != ()
