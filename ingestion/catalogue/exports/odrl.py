"""The terms of a source as an ODRL policy: what its data-use conditions and access mode allow, forbid and oblige.

By the ODRL Information Model 2.2, permissions of one policy are alternatives, and all constraints of a permission must
hold. So there is one permission for each condition that names a kind of use, and each of them carries every condition
that narrows: as a constraint, or as a duty. What a condition forbids is a prohibition, and prohibitions win
(``odrl:conflict``, section 2.10: unsaid, a policy with a permission to use and a prohibition to copy would be void).
What each condition is, and why: ``ingestion/vocabulary/data/data_use_rules.csv``.
"""

from __future__ import annotations

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, RDF, SKOS

from ingestion.catalogue.exports.names import DPV, ODRL, bind
from ingestion.catalogue.exports.view import BASE, ReleaseView, Row, dataset_uri, parts
from ingestion.sources.registry import AccessMode
from ingestion.vocabulary.data_use import DataUseRule, DataUseTerm, Part, data_use_terms, profile_terms

PROFILE = URIRef(f"{BASE}odrl")
"""Of the terms that ODRL lacks (section 3 of the model): each is described in the policies that use it."""
_FORBIDDEN_BY_ACCESS = {
    AccessMode.DOWNLOAD: ("distribute",),
    AccessMode.IN_SITU: ("reproduce", "distribute"),
    AccessMode.REMOTE: ("display", "reproduce", "distribute"),
}
"""Download: a copy, not passed on. In situ: seen where it is, no copy. Remote: neither seen nor copied.

What is not forbidden is part of ``use``, which the permissions permit under their constraints: a permission to copy of
its own would be one without them."""


def policy_uri(source_id: str) -> URIRef:
    """The name of a source's policy."""
    return URIRef(f"{dataset_uri(source_id)}#policy")


def add_policy(graph: Graph, row: Row) -> URIRef:
    """The policy of a source. No blank nodes. Where no condition names a kind of use, none is permitted."""
    made = _Policy(graph, policy_uri(row["source_id"]), dataset_uri(row["source_id"]))
    graph.add((made.policy, RDF.type, ODRL.Policy))
    graph.add((made.policy, RDF.type, ODRL.Set))
    graph.add((made.policy, ODRL.uid, made.policy))
    graph.add((made.policy, ODRL.profile, PROFILE))
    graph.add((made.policy, ODRL.conflict, ODRL.prohibit))
    graph.add((made.policy, DCTERMS.title, Literal(f"Terms of use of {row['source_id']}", lang="en")))
    made.add_conditions([data_use_terms()[code] for code in parts(row["DataUse"], ",")])
    mode = AccessMode(row["AccessMode"])
    for action in _FORBIDDEN_BY_ACCESS[mode]:
        rule = URIRef(f"{made.policy}-access-{action}")
        made.add_rule(rule, ODRL.prohibition, ODRL.Prohibition, action)
        graph.add((rule, DCTERMS.description, Literal(f"By the access mode {mode.value}", lang="en")))
    return made.policy


def policies_graph(view: ReleaseView) -> Graph:
    """The policies of all sources of a release."""
    graph = bind(Graph())
    for row in view.rows:
        add_policy(graph, row)
    return graph


class _Policy:
    """A policy that is being written into a graph."""

    def __init__(self, graph: Graph, policy: URIRef, target: URIRef) -> None:
        self.graph, self.policy, self.target = graph, policy, target

    def add_conditions(self, terms: list[DataUseTerm]) -> None:
        permissions: list[URIRef] = []
        constraints: list[URIRef] = []
        duties: list[URIRef] = []
        for term in terms:
            name = URIRef(f"{self.policy}-{term.short}")
            own = [rule for rule in term.rules if rule.part is Part.PERMISSION]
            if own:
                self.add_rule(name, ODRL.permission, ODRL.Permission, own[0].action, term)
                permissions.append(name)
                for rule in own:
                    if rule.left:
                        self._add_constraint(name, self._constraint(name, rule, term))
            for rule in term.rules:
                if rule.part is Part.CONSTRAINT:
                    constraints.append(self._constraint(name, rule, term))
                elif rule.part is Part.DUTY:
                    self.add_rule(name, None, ODRL.Duty, rule.action, term)
                    duties.append(name)
                elif rule.part is Part.PROHIBITION:
                    forbidden = URIRef(f"{name}-forbidden")
                    self.add_rule(forbidden, ODRL.prohibition, ODRL.Prohibition, rule.action, term)
                    self._add_constraint(forbidden, self._constraint(forbidden, rule, term))
        for permission in permissions:
            for constraint in constraints:
                self._add_constraint(permission, constraint)
            for duty in duties:
                self.graph.add((permission, ODRL.duty, duty))

    def add_rule(
        self, rule: URIRef, predicate: URIRef | None, kind: URIRef, action: str, term: DataUseTerm | None = None
    ) -> None:
        """A rule of the policy by ``predicate``; None: a duty, which the permissions name."""
        if predicate is not None:
            self.graph.add((self.policy, predicate, rule))
        self.graph.add((rule, RDF.type, kind))
        self.graph.add((rule, ODRL.target, self.target))
        self.graph.add((rule, ODRL.action, self._term(action)))
        if term is not None:
            self._say(rule, term)

    def _add_constraint(self, rule: URIRef, constraint: URIRef) -> None:
        self.graph.add((rule, ODRL.constraint, constraint))

    def _constraint(self, owner: URIRef, rule: DataUseRule, term: DataUseTerm) -> URIRef:
        constraint = URIRef(f"{owner}-{rule.left.rpartition(':')[2]}")
        self.graph.add((constraint, RDF.type, ODRL.Constraint))
        self.graph.add((constraint, ODRL.leftOperand, self._term(rule.left)))
        self.graph.add((constraint, ODRL.operator, ODRL[rule.operator]))
        self.graph.add((constraint, ODRL.rightOperand, self._term(rule.right)))
        self._say(constraint, term)
        return constraint

    def _say(self, node: URIRef, term: DataUseTerm) -> None:
        self.graph.add((node, DCTERMS.description, Literal(term.label, lang="en")))
        self.graph.add((node, DCTERMS.conformsTo, URIRef(term.duo_uri)))

    def _term(self, name: str) -> URIRef:
        """The IRI of a term, described where it is none of a published vocabulary."""
        prefix, _, local = name.rpartition(":")
        if prefix == "":
            return URIRef(ODRL[local])
        if prefix == "dpv":
            return URIRef(DPV[local])
        if prefix == "DUO":
            return URIRef(data_use_terms()[name].duo_uri)
        said = profile_terms()[name]
        uri = URIRef(f"{self.policy}-agreed-{local}" if prefix == "agreed" else f"{PROFILE}:{local}")
        self.graph.add((uri, RDF.type, SKOS.Concept if said.kind == "Concept" else ODRL[said.kind]))
        self.graph.add((uri, SKOS.prefLabel, Literal(said.label, lang="en")))
        self.graph.add((uri, SKOS.definition, Literal(said.definition, lang="en")))
        if said.kind == "Action":
            self.graph.add((uri, ODRL.includedIn, ODRL.use))
        return uri
