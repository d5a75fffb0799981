"""The public catalogue record: EUCAIM DCAT-AP 2.0 on HealthDCAT-AP release 7, one dataset per source.

Property tables: EUCAIM/eucaim_dcat_ap, releases/v2.0 (Catalogue, Dataset, Distribution). All of it is worked out from
the release's public table. Two things the profile asks for are answered as follows. A hidden count is given as the
bound below which counts are hidden, which the profile allows as approximate, and the text says so. The health data
access body is left out: none is designated yet, and the profile forbids a placeholder.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, XSD

from ingestion.catalogue.exports import names as n
from ingestion.catalogue.exports.odrl import add_policy
from ingestion.catalogue.exports.variables import add_variables
from ingestion.catalogue.exports.view import BASE, ReleaseView, Row, dataset_uri, parts
from ingestion.catalogue.exports.words import describe, keywords, period, title
from ingestion.catalogue.suppression import DEFAULT_RULE, SMALL_COUNT
from ingestion.sources.registry import AccessMode
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.data_use import data_use_terms
from ingestion.vocabulary.eucaim import OTHER, eucaim_term, segment_term

_MILLIMETRES = 1_000
"""In a metre."""


def build_graph(view: ReleaseView) -> Graph:
    """The catalogue of a release. No blank nodes: the same rows, the same text."""
    graph = n.bind(Graph())
    catalogue = URIRef(f"{BASE}catalogue")
    graph.add((catalogue, RDF.type, DCAT.Catalog))
    graph.add((catalogue, DCTERMS.title, Literal("Cancer image collections", lang="en")))
    told = "De-identified collections of cancer images by source"
    graph.add((catalogue, DCTERMS.description, Literal(told, lang="en")))
    graph.add((catalogue, n.DCATAP.applicableLegislation, n.EHDS))
    graph.add((catalogue, n.DCAT_VERSION, Literal(view.version)))
    graph.add((catalogue, DCTERMS.language, n.ENGLISH))
    graph.add((catalogue, DCTERMS.modified, _date(view.released_on.isoformat())))
    if view.publisher is not None:
        _add_agent(graph, catalogue, DCTERMS.publisher, view.publisher["name"], view.publisher["email"])
    variables = add_variables(graph)
    for row in view.rows:
        graph.add((catalogue, DCAT.dataset, _add_dataset(graph, view, row, variables)))
    graph += view.quality
    return graph


def visitors_record(view: ReleaseView, row: Row) -> Graph:
    """The record of one source as a visitor may know it; it conforms too.

    So a visitor gets one number for one question, not two with different rounding.

    Args:
        row: of ``visitors_row``, in place of the release's own.
    """
    about = str(dataset_uri(row["source_id"]))
    quality = Graph()
    tier = URIRef(f"{about}#quality-tier")
    for triple in view.quality:
        if row["NumberOfPatients"] is None and triple[1] == n.DQV.value and triple[0] != tier:
            continue  # shares of a few people
        if triple[1] == DCTERMS.description:
            continue  # how many rules ended in a warning: one series of one person can turn one
        if str(triple[0]) == about or str(triple[0]).startswith((f"{about}#", f"{BASE}metric:", f"{BASE}dimension:")):
            quality.add(triple)
    return build_graph(replace(view, rows=(row,), quality=quality))


def to_turtle(graph: Graph) -> bytes:
    """Turtle, sorted by the serialiser."""
    return graph.serialize(format="longturtle", encoding="utf-8")


def to_json_ld(graph: Graph) -> bytes:
    """JSON-LD in expanded form, sorted."""
    data = _sorted(json.loads(graph.serialize(format="json-ld")))
    return json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True).encode()


def _bound(row: Row) -> int:
    return int(row.get("CountsHiddenBelow") or SMALL_COUNT)


def _add_dataset(graph: Graph, view: ReleaseView, row: Row, variables: URIRef) -> URIRef:
    dataset = dataset_uri(row["source_id"])
    cancer = CancerType(row["CancerType"])

    def add(predicate: URIRef, *values: URIRef | Literal) -> None:
        for value in values:
            graph.add((dataset, predicate, value))

    add(RDF.type, DCAT.Dataset)
    add(DCTERMS.identifier, Literal(str(dataset)))
    add(DCTERMS.title, Literal(title(row), lang="en"))
    add(DCTERMS.description, Literal(describe(row), lang="en"))
    add(n.DCAT_VERSION, Literal(view.version))
    add(DCTERMS.modified, _date(view.released_on.isoformat()))
    add(n.EUCAIM.interoperabilityLevel, n.TIERS[max(view.tier(row["source_id"]) or 1, 1)])
    add(DCAT.theme, n.HEALTH)
    add(n.HEALTHDCATAP.healthCategory, n.HEALTH_RECORDS)
    add(n.HEALTHDCATAP.healthTheme, n.CANCER)
    add(DCTERMS.type, n.ANNOTATED if row.get("SegmentedStudies") else n.ORIGINAL, n.DPV.PseudonymisedData)
    add(DCTERMS.accessRights, n.RESTRICTED)
    add(n.DCATAP.applicableLegislation, n.EHDS)
    add(n.HEALTHDCATAP.hasStructuredData, Literal(True))
    add(n.HEALTHDCATAP.hasVariables, variables)
    add(n.EUCAIM.hasCondition, URIRef(cancer.eucaim_code.uri))
    add(n.EUCAIM.collectionMethod, n.DISEASE_SPECIFIC)
    if _longitudinal(row):
        add(n.EUCAIM.collectionMethod, n.LONGITUDINAL)
    add(DCAT.keyword, *(Literal(word, lang="en") for word in keywords(row)))
    add(DCTERMS.provenance, _provenance(graph, dataset, row))
    add(DCTERMS.spatial, *filter(None, map(n.country, parts(row["HolderCountries"], ","))))
    add(n.EUCAIM.hasImageModality, *_classes("modality", parts(row["Modalities"], ",")))
    add(n.EUCAIM.hasImageBodyPart, *_classes("body_part", parts(row["BodyParts"], "; ")))
    add(n.EUCAIM.hasEquipmentManufacturer, *_makers(parts(row["Manufacturers"], ",")))
    add(n.EUCAIM.hasBirthSex, *_classes("sex", parts(row["Sexes"], ",")))
    _add_figures(graph, dataset, row)
    _add_contact(graph, dataset, row)
    _add_distribution(graph, dataset, row)
    if row.get("source_DOI"):
        other = URIRef(f"{dataset}#doi")
        add(n.ADMS.identifier, other)
        graph.add((other, RDF.type, n.ADMS.Identifier))
        graph.add((other, URIRef("http://www.w3.org/2004/02/skos/core#notation"), Literal(row["source_DOI"])))
    return dataset


def _longitudinal(row: Row) -> bool:
    """Whether there are more studies than people for certain: each count may be off by what it is rounded to."""
    people, studies = row["NumberOfPatients"], row["NumberOfStudies"]
    rounded_to = int(row.get("CountsRoundedTo") or DEFAULT_RULE.rounded_to)
    return bool(people and studies) and studies - people >= 2 * rounded_to


def _add_figures(graph: Graph, dataset: URIRef, row: Row) -> None:
    health = n.HEALTHDCATAP
    figures = {
        health.numberOfUniqueIndividuals: _approximate(row, "NumberOfPatients"),
        health.numberOfRecords: _records(row),
        health.minTypicalAge: row["AgeMinimum"],
        health.maxTypicalAge: row["AgeMaximum"],
        n.EUCAIM.nbrOfSegmentations: row.get("SegmentedStudies"),
    }
    for predicate, value in figures.items():
        if value is not None:
            graph.add((dataset, predicate, Literal(int(value), datatype=XSD.nonNegativeInteger)))
    bound = _bound(row)
    told = "Counts are rounded" if row["NumberOfPatients"] is not None else f"Counts not shown are given as {bound}"
    if row["NumberOfPatients"] is not None and row["NumberOfStudies"] is None:
        told += "; the number of studies is not shown and given as that of people"
    graph.add((dataset, health.populationCoverage, Literal(f"{told}. Ages are bounds of steps of 5 years.", lang="en")))
    for label in parts(row.get("SegmentLabels"), "; "):
        term = segment_term(label)
        if term is not None:
            graph.add((dataset, n.EUCAIM.hasAnnotationLabel, URIRef(term.uri)))
    if row.get("SmallestSpacing"):
        metres = format(row["SmallestSpacing"] / _MILLIMETRES, ".9f").rstrip("0")
        graph.add((dataset, DCAT.spatialResolutionInMeters, Literal(metres, datatype=XSD.decimal)))
    covered = period(row)
    if covered is not None:
        node = URIRef(f"{dataset}#acquired")
        graph.add((dataset, DCTERMS.temporal, node))
        graph.add((node, RDF.type, DCTERMS.PeriodOfTime))
        graph.add((node, DCAT.startDate, _date(covered[0])))
        graph.add((node, DCAT.endDate, _date(covered[1])))


def _approximate(row: Row, name: str) -> int:
    """A count for a property that must have one: of a hidden one the bound below which counts are hidden."""
    return _bound(row) if row[name] is None else int(row[name])


def _records(row: Row) -> int:
    """Studies; where they are not shown beside people the least that they can be: each person has one."""
    if row["NumberOfStudies"] is None and row["NumberOfPatients"] is not None:
        return int(row["NumberOfPatients"])
    return _approximate(row, "NumberOfStudies")


def _add_contact(graph: Graph, dataset: URIRef, row: Row) -> None:
    contact = URIRef(f"{dataset}#contact")
    graph.add((dataset, DCAT.contactPoint, contact))
    graph.add((contact, RDF.type, n.VCARD.Kind))
    graph.add((contact, n.VCARD.fn, Literal(row["ContactName"])))
    graph.add((contact, n.VCARD.hasEmail, URIRef(f"mailto:{row['ContactEmail']}")))
    _add_agent(graph, dataset, DCTERMS.publisher, row["Project"], row["ContactEmail"])


def _add_agent(graph: Graph, subject: URIRef, predicate: URIRef, name: str, email: str) -> None:
    agent, contact = URIRef(f"{subject}#publisher"), URIRef(f"{subject}#publisher-contact")
    graph.add((subject, predicate, agent))
    graph.add((agent, RDF.type, FOAF.Agent))
    graph.add((agent, FOAF.name, Literal(name)))
    graph.add((agent, n.CV.contactPoint, contact))
    graph.add((contact, RDF.type, n.CV.ContactPoint))
    graph.add((contact, n.CV.email, Literal(email)))


def _add_distribution(graph: Graph, dataset: URIRef, row: Row) -> None:
    distribution = URIRef(f"{dataset}#distribution")

    def add(predicate: URIRef, value: URIRef | Literal) -> None:
        graph.add((distribution, predicate, value))

    graph.add((dataset, DCAT.distribution, distribution))
    add(RDF.type, DCAT.Distribution)
    mode = AccessMode(row["AccessMode"])
    add(DCTERMS.title, Literal(f"DICOM objects of {row['source_id']}", lang="en"))
    # The platform's negotiator is not known to it: whoever asks for access writes to the data holder.
    add(DCAT.accessURL, URIRef(f"mailto:{row['ContactEmail']}"))
    add(n.DCATAP.applicableLegislation, n.EHDS)
    add(DCAT.mediaType, n.DICOM_MEDIA)
    add(DCTERMS.rights, n.ACCESS_CONDITION[mode])
    for code in parts(row["DataUse"], ","):
        add(DCTERMS.rights, URIRef(data_use_terms()[code].eucaim_uri))
        add(DCTERMS.rights, URIRef(data_use_terms()[code].duo_uri))
    add(n.ODRL.hasPolicy, add_policy(graph, row))
    if row.get("license_short_name"):
        add(DCTERMS.license, URIRef(f"http://spdx.org/licenses/{row['license_short_name']}"))
    if row["Bytes"] is not None:
        add(DCAT.byteSize, Literal(int(row["Bytes"]), datatype=XSD.nonNegativeInteger))
    if row.get("InstancesSHA256"):
        checksum = URIRef(f"{dataset}#checksum")
        add(n.SPDX.checksum, checksum)
        graph.add((checksum, RDF.type, n.SPDX.Checksum))
        graph.add((checksum, n.SPDX.algorithm, n.SPDX.checksumAlgorithm_sha256))
        graph.add((checksum, n.SPDX.checksumValue, Literal(row["InstancesSHA256"], datatype=XSD.hexBinary)))


def _provenance(graph: Graph, dataset: URIRef, row: Row) -> URIRef:
    statement = URIRef(f"{dataset}#provenance")
    graph.add((statement, RDF.type, DCTERMS.ProvenanceStatement))
    told = f"Collected by {row['Project']}, de-identified by policy {row['Policy']}; dates are shifted by person."
    graph.add((statement, DCTERMS.description, Literal(told, lang="en")))
    return statement


def _classes(kind: str, values: list[str]) -> list[URIRef]:
    return sorted({URIRef(eucaim_term(kind, value).uri) for value in values or [OTHER]})


def _makers(values: list[str]) -> list[URIRef]:
    """Of makers without a class only where there is no other: the profile has no class for the rest."""
    other = URIRef(eucaim_term("manufacturer", OTHER).uri)
    found = _classes("manufacturer", values)
    return [one for one in found if one != other] or [other]


def _date(text: str) -> Literal:
    return Literal(text, datatype=XSD.date)


def _sorted(data: Any) -> Any:
    """Lists of JSON-LD are sets: in the order of their text, so that the same graph gives the same bytes."""
    if isinstance(data, list):
        return sorted((_sorted(item) for item in data), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(data, dict):
        return {name: _sorted(value) for name, value in data.items()}
    return data
