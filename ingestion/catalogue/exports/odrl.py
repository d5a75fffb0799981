"""The terms of a source as an ODRL policy: what its data-use conditions and access mode allow, forbid and oblige."""

from __future__ import annotations

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, RDF

from ingestion.catalogue.exports.names import ODRL, bind
from ingestion.catalogue.exports.view import ReleaseView, Row, dataset_uri, parts
from ingestion.sources.registry import AccessMode
from ingestion.vocabulary.data_use import DataUseTerm, RuleKind, data_use_terms

_KIND = {
    RuleKind.PERMISSION: (ODRL.permission, ODRL.Permission),
    RuleKind.PROHIBITION: (ODRL.prohibition, ODRL.Prohibition),
    RuleKind.DUTY: (ODRL.obligation, ODRL.Duty),
}
_BY_ACCESS = {
    AccessMode.DOWNLOAD: ((RuleKind.PERMISSION, "reproduce"), (RuleKind.PROHIBITION, "distribute")),
    AccessMode.IN_SITU: ((RuleKind.PERMISSION, "display"), (RuleKind.PROHIBITION, "reproduce")),
    AccessMode.REMOTE: ((RuleKind.PROHIBITION, "display"), (RuleKind.PROHIBITION, "reproduce")),
}
"""Download: a copy, not passed on. In situ: seen where it is, no copy. Remote: neither seen nor copied."""


def policy_uri(source_id: str) -> URIRef:
    """The name of a source's policy."""
    return URIRef(f"{dataset_uri(source_id)}#policy")


def add_policy(graph: Graph, row: Row) -> URIRef:
    """The policy of a source. No blank nodes."""
    policy, target = policy_uri(row["source_id"]), dataset_uri(row["source_id"])
    graph.add((policy, RDF.type, ODRL.Policy))
    graph.add((policy, RDF.type, ODRL.Set))
    graph.add((policy, ODRL.uid, policy))
    graph.add((policy, DCTERMS.title, Literal(f"Terms of use of {row['source_id']}", lang="en")))
    for code in parts(row["DataUse"], ","):
        _add_condition(graph, policy, target, data_use_terms()[code])
    mode = AccessMode(row["AccessMode"])
    for kind, action in _BY_ACCESS[mode]:
        rule = URIRef(f"{policy}-access-{action}")
        _add_rule(graph, policy, target, rule, kind, action)
        graph.add((rule, DCTERMS.description, Literal(f"By the access mode {mode.value}", lang="en")))
    return policy


def policies_graph(view: ReleaseView) -> Graph:
    """The policies of all sources of a release."""
    graph = bind(Graph())
    for row in view.rows:
        add_policy(graph, row)
    return graph


def _add_condition(graph: Graph, policy: URIRef, target: URIRef, term: DataUseTerm) -> None:
    rule = URIRef(f"{policy}-{term.short}")
    _add_rule(graph, policy, target, rule, term.rule, term.action)
    graph.add((rule, DCTERMS.description, Literal(term.label, lang="en")))
    graph.add((rule, DCTERMS.conformsTo, URIRef(term.duo_uri)))
    if term.action == "use":
        # What the use is for, or who uses: named by the condition itself (ODRL Information Model 2.2, section 2.5).
        constraint = URIRef(f"{rule}-constraint")
        graph.add((rule, ODRL.constraint, constraint))
        graph.add((constraint, RDF.type, ODRL.Constraint))
        graph.add((constraint, ODRL.leftOperand, ODRL.purpose))
        graph.add((constraint, ODRL.operator, ODRL.isA))
        graph.add((constraint, ODRL.rightOperand, URIRef(term.duo_uri)))


def _add_rule(graph: Graph, policy: URIRef, target: URIRef, rule: URIRef, kind: RuleKind, action: str) -> None:
    predicate, type_ = _KIND[kind]
    graph.add((policy, predicate, rule))
    graph.add((rule, RDF.type, type_))
    graph.add((rule, ODRL.target, target))
    graph.add((rule, ODRL.action, ODRL[action]))
