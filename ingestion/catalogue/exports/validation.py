"""Checks the public record against the shapes of this package, with pySHACL.

No official SHACL shapes of EUCAIM DCAT-AP 2.0 are published; ours (``shapes.ttl``) say what its property tables say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

from rdflib import Graph
from rdflib.namespace import SH


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a shape found. ``severity``: Violation, Warning or Info; ``node``: what it is about."""

    severity: str
    node: str
    path: str
    message: str


@cache
def shapes() -> Graph:
    """The shapes as a graph."""
    body = resources.files("ingestion.catalogue.exports").joinpath("shapes.ttl").read_text(encoding="utf-8")
    return Graph().parse(data=body, format="turtle")


def validate_record(graph: Graph) -> tuple[Finding, ...]:
    """All findings, worst first; none of severity Violation: the record conforms."""
    import pyshacl  # takes a second to import

    _, report, _ = pyshacl.validate(graph, shacl_graph=shapes(), inference="none", allow_infos=True)
    found = [
        Finding(
            severity=str(report.value(result, SH.resultSeverity)).rpartition("#")[2],
            node=str(report.value(result, SH.focusNode)),
            path=str(report.value(result, SH.resultPath) or ""),
            message=str(report.value(result, SH.resultMessage) or ""),
        )
        for result in report.subjects(SH.resultSeverity)
    ]
    order = {"Violation": 0, "Warning": 1, "Info": 2}
    return tuple(sorted(found, key=lambda one: (order[one.severity], one.node, one.path, one.message)))


def violations(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Those that keep the record from conforming."""
    return tuple(one for one in findings if one.severity == "Violation")
