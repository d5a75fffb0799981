"""The columns of the record-level tables as CSVW, for ``healthdcatap:hasVariables``; from the models."""

from __future__ import annotations

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, RDF

from ingestion.catalogue import tables as t
from ingestion.catalogue.exports.names import CSVW
from ingestion.catalogue.exports.view import BASE
from ingestion.catalogue.json_schema import property_of
from ingestion.catalogue.release_tables import released_columns

DESCRIBED = (t.patient, t.study, t.series, t.segmentation, t.feature)
_DATATYPES = {"integer": "integer", "number": "double", "string": "string"}


def add_variables(graph: Graph) -> URIRef:
    """One table group for all datasets: they have the same tables."""
    group = URIRef(f"{BASE}tables")
    graph.add((group, RDF.type, CSVW.TableGroup))
    for table in DESCRIBED:
        one, schema = URIRef(f"{group}:{table.name}"), URIRef(f"{group}:{table.name}#schema")
        graph.add((group, CSVW.table, one))
        graph.add((one, RDF.type, CSVW.Table))
        graph.add((one, DCTERMS.title, Literal(table.name)))
        graph.add((one, DCTERMS.description, Literal(f"{table.comment}.", lang="en")))
        graph.add((one, CSVW.tableSchema, schema))
        graph.add((schema, RDF.type, CSVW.Schema))
        for column in released_columns(table):
            said = property_of(column)
            kind = said["type"][0] if isinstance(said["type"], list) else said["type"]
            node = URIRef(f"{one}#{column.name}")
            graph.add((schema, CSVW.column, node))
            graph.add((node, RDF.type, CSVW.Column))
            graph.add((node, CSVW.name, Literal(column.name)))
            graph.add((node, CSVW.datatype, Literal("date" if said.get("format") == "date" else _DATATYPES[kind])))
            graph.add((node, DCTERMS.description, Literal(said["description"], lang="en")))
    return group
