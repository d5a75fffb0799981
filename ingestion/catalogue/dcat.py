"""The public catalogue record: one DCAT dataset per collection, close to EUCAIM DCAT-AP 2.0.

Differences to that profile: body parts and modalities are named by SNOMED CT and DICOM codes, as public EUCAIM
repositories disagree on their own; manufacturers by their names; a suppressed count is left out; the access address is
the contact's, as it is the data holder's network that knows its own.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, XSD, Namespace

from ingestion.catalogue.quality_annotations import QualityAnnotation
from ingestion.sources.registry import AccessMode
from ingestion.vocabulary.body_part import body_parts
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.modality import modalities
from ingestion.vocabulary.sex import Sex

BASE = "urn:cie:"
"""Names of catalogue, datasets and distributions begin with it."""
EUCAIM = Namespace("https://cancerimage.eu/ontology/EUCAIM#")
HEALTHDCATAP = Namespace("http://healthdataportal.eu/ns/health#")
DCATAP = Namespace("http://data.europa.eu/r5r/")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
_VERSION = URIRef(f"{DCAT}version")
"""Of DCAT 3, which rdflib's list of DCAT terms lacks."""
_HEALTH = URIRef("http://publications.europa.eu/resource/authority/data-theme/HEAL")
_RESTRICTED = URIRef("http://publications.europa.eu/resource/authority/access-right/RESTRICTED")
_EHDS = URIRef("http://data.europa.eu/eli/reg/2025/327/oj")
_COUNTRY = "http://publications.europa.eu/resource/authority/country/"
_ACCESS = "https://eucaim.github.io/eucaim_dcat_ap/releases/controlled-vocabularies/access-conditions/#"
_ACCESS_CONDITION = {
    AccessMode.DOWNLOAD: "DOWNLOAD",
    AccessMode.IN_SITU: "IN_SITU_PROCESSING",
    AccessMode.REMOTE: "REMOTE_PROCESSING",
}
_DUO = "http://purl.obolibrary.org/obo/"
_TIERS = {1: EUCAIM["SPEC1000009"], 2: EUCAIM["SPEC1000011"], 3: EUCAIM["SPEC1000010"]}
"""Of a source that was not judged, or meets not even tier 1, the first: what this pipeline itself ensures."""
_BIRTH_SEX = {Sex.MALE.value: EUCAIM["COM1001366"], Sex.FEMALE.value: EUCAIM["COM1001370"]}


def build_graph(
    collections: pd.DataFrame,
    *,
    version: str,
    released_on: dt.date,
    quality: Mapping[str, QualityAnnotation] | None = None,
) -> Graph:
    """The catalogue of a release from its public collection rows. No blank nodes: the same rows, the same text.

    Args:
        quality: annotations by source, added to the datasets of sources that are in the release.
    """
    graph = Graph()
    for prefix, namespace in (("eucaim", EUCAIM), ("healthdcatap", HEALTHDCATAP), ("dcatap", DCATAP), ("vcard", VCARD)):
        graph.bind(prefix, namespace)
    catalogue = URIRef(f"{BASE}catalogue")
    graph.add((catalogue, RDF.type, DCAT.Catalog))
    graph.add((catalogue, DCTERMS.title, Literal("Cancer image collections", lang="en")))
    graph.add(
        (catalogue, DCTERMS.description, Literal("De-identified collections of cancer images by source", lang="en"))
    )
    graph.add((catalogue, _VERSION, Literal(version)))
    graph.add((catalogue, DCTERMS.modified, Literal(released_on.isoformat(), datatype=XSD.date)))
    for row in collections.to_dict("records"):
        known = (quality or {}).get(str(row["source_id"]))
        tier = _TIERS[max(known.tier, 1) if known else 1]
        added = _add_dataset(graph, row, version=version, released_on=released_on, tier=tier)
        graph.add((catalogue, DCAT.dataset, added))
        if known is not None:
            graph += known.graph
    return graph


def to_turtle(graph: Graph) -> bytes:
    """Turtle, sorted by the serialiser."""
    return graph.serialize(format="longturtle", encoding="utf-8")


def to_json_ld(graph: Graph) -> bytes:
    """JSON-LD in expanded form, sorted."""
    data = _sorted(json.loads(graph.serialize(format="json-ld")))
    return json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True).encode()


def _add_dataset(graph: Graph, row: Mapping[Any, Any], *, version: str, released_on: dt.date, tier: URIRef) -> URIRef:
    dataset = URIRef(f"{BASE}collection:{row['source_id']}")
    cancer = CancerType(row["CancerType"])

    def add(predicate: URIRef, *values: URIRef | Literal) -> None:
        for value in values:
            graph.add((dataset, predicate, value))

    add(RDF.type, DCAT.Dataset)
    add(DCTERMS.identifier, Literal(str(dataset)))
    add(DCTERMS.title, Literal(f"{row['Project']}: {cancer.code.meaning.lower()} ({row['source_id']})", lang="en"))
    add(DCTERMS.description, Literal(_description(row), lang="en"))
    add(_VERSION, Literal(version))
    add(DCTERMS.modified, Literal(released_on.isoformat(), datatype=XSD.date))
    add(EUCAIM.interoperabilityLevel, tier)
    add(DCAT.theme, _HEALTH)
    add(DCTERMS.accessRights, _RESTRICTED)
    add(DCATAP.applicableLegislation, _EHDS)
    add(HEALTHDCATAP.hasStructuredData, Literal(False))
    add(EUCAIM.hasCondition, URIRef(cancer.eucaim_code.uri))
    add(DCAT.keyword, Literal("cancer", lang="en"), Literal(cancer.value, lang="en"))
    add(DCTERMS.provenance, _provenance(graph, dataset, row))
    add(DCTERMS.spatial, *(URIRef(_COUNTRY + country) for country in row["HolderCountries"].split(",")))
    add(EUCAIM.hasImageModality, *(_modality(value) for value in _parts(row["Modalities"], ",")))
    add(EUCAIM.hasImageBodyPart, *(URIRef(body_parts()[part].code.uri) for part in _parts(row["BodyParts"], "; ")))
    add(EUCAIM.hasEquipmentManufacturer, *(Literal(name) for name in _parts(row["Manufacturers"], ",")))
    add(EUCAIM.hasBirthSex, *(_BIRTH_SEX[sex] for sex in _parts(row["Sexes"], ",") if sex in _BIRTH_SEX))
    for predicate, name in (
        (HEALTHDCATAP.numberOfUniqueIndividuals, "NumberOfPatients"),
        (HEALTHDCATAP.numberOfRecords, "NumberOfStudies"),
        (HEALTHDCATAP.minTypicalAge, "AgeMinimum"),
        (HEALTHDCATAP.maxTypicalAge, "AgeMaximum"),
    ):
        if not pd.isna(row[name]):
            add(predicate, Literal(int(row[name]), datatype=XSD.nonNegativeInteger))
    _add_contact(graph, dataset, row)
    _add_distribution(graph, dataset, row)
    return dataset


def _description(row: Mapping[Any, Any]) -> str:
    found = ", ".join(_parts(row["Modalities"], ",")) or "no images yet"
    return (
        f"De-identified images of {CancerType(row['CancerType']).code.meaning.lower()} from {row['Project']}, "
        f"held in {row['HolderCountries'].replace(',', ', ')}. Modalities: {found}."
    )


def _provenance(graph: Graph, dataset: URIRef, row: Mapping[Any, Any]) -> URIRef:
    statement = URIRef(f"{dataset}#provenance")
    graph.add((statement, RDF.type, DCTERMS.ProvenanceStatement))
    told = f"Collected by {row['Project']}, de-identified by policy {row['Policy']}."
    graph.add((statement, DCTERMS.description, Literal(told, lang="en")))
    return statement


def _modality(value: str) -> URIRef | Literal:
    known = modalities().get(value)
    return URIRef(known.code.uri) if known else Literal(value)


def _add_contact(graph: Graph, dataset: URIRef, row: Mapping[Any, Any]) -> None:
    contact, publisher = URIRef(f"{dataset}#contact"), URIRef(f"{dataset}#publisher")
    address = URIRef(f"mailto:{row['ContactEmail']}")
    graph.add((dataset, DCAT.contactPoint, contact))
    graph.add((contact, RDF.type, VCARD.Kind))
    graph.add((contact, VCARD.fn, Literal(row["ContactName"])))
    graph.add((contact, VCARD.hasEmail, address))
    graph.add((dataset, DCTERMS.publisher, publisher))
    graph.add((publisher, RDF.type, FOAF.Agent))
    graph.add((publisher, FOAF.name, Literal(row["Project"])))
    graph.add((publisher, FOAF.mbox, address))


def _add_distribution(graph: Graph, dataset: URIRef, row: Mapping[Any, Any]) -> None:
    distribution = URIRef(f"{dataset}#distribution")
    graph.add((dataset, DCAT.distribution, distribution))
    graph.add((distribution, RDF.type, DCAT.Distribution))
    graph.add((distribution, DCAT.accessURL, URIRef(f"mailto:{row['ContactEmail']}")))
    graph.add((distribution, DCATAP.applicableLegislation, _EHDS))
    access = _ACCESS_CONDITION[AccessMode(row["AccessMode"])]
    graph.add((distribution, DCTERMS.rights, URIRef(_ACCESS + access)))
    for condition in _parts(row["DataUse"], ","):
        graph.add((distribution, DCTERMS.rights, URIRef(_DUO + condition.replace(":", "_"))))


def _parts(joined: Any, separator: str) -> list[str]:
    return joined.split(separator) if isinstance(joined, str) and joined else []


def _sorted(data: Any) -> Any:
    """Lists of JSON-LD are sets: in the order of their text, so that the same graph gives the same bytes."""
    if isinstance(data, list):
        return sorted((_sorted(item) for item in data), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(data, dict):
        return {name: _sorted(value) for name, value in data.items()}
    return data
