"""Namespaces and fixed terms of the catalogue's public record."""

from __future__ import annotations

from rdflib import Graph, URIRef
from rdflib.namespace import DCAT, Namespace

from ingestion.sources.registry import AccessMode

EUCAIM = Namespace("https://cancerimage.eu/ontology/EUCAIM#")
HEALTHDCATAP = Namespace("http://healthdataportal.eu/ns/health#")
DCATAP = Namespace("http://data.europa.eu/r5r/")
CV = Namespace("http://data.europa.eu/m8g/")
"""Core vocabularies of SEMIC: contact points of agents."""
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
SPDX = Namespace("http://spdx.org/rdf/terms#")
ODRL = Namespace("http://www.w3.org/ns/odrl/2/")
DPV = Namespace("https://w3id.org/dpv#")
ADMS = Namespace("http://www.w3.org/ns/adms#")
CSVW = Namespace("http://www.w3.org/ns/csvw#")
DQV = Namespace("http://www.w3.org/ns/dqv#")
DCAT_VERSION = URIRef(f"{DCAT}version")
"""Of DCAT 3, which rdflib's list of DCAT terms lacks."""

_EU = "http://publications.europa.eu/resource/authority/"
HEALTH = URIRef(f"{_EU}data-theme/HEAL")
RESTRICTED = URIRef(f"{_EU}access-right/RESTRICTED")
COUNTRY = f"{_EU}country/"
ENGLISH = URIRef(f"{_EU}language/ENG")
EHDS = URIRef("http://data.europa.eu/eli/reg/2025/327/oj")
"""Regulation (EU) 2025/327 on the European Health Data Space."""
_HEALTHDATA = "https://hdeu-dcat.acceptance.data.health.europa.eu/resource/authority/"
HEALTH_RECORDS = URIRef(f"{_HEALTHDATA}healthcategories/EHRS")
"""Article 51 of that regulation, point (a): electronic health data from health records, imaging among them."""
CANCER = URIRef(f"{_HEALTHDATA}health-theme/CANCER_DISEASE")
DICOM_MEDIA = URIRef("https://www.iana.org/assignments/media-types/application/dicom")

_ACCESS = "https://eucaim.github.io/eucaim_dcat_ap/releases/controlled-vocabularies/access-conditions/#"
ACCESS_CONDITION = {
    AccessMode.DOWNLOAD: URIRef(f"{_ACCESS}DOWNLOAD"),
    AccessMode.IN_SITU: URIRef(f"{_ACCESS}IN_SITU_PROCESSING"),
    AccessMode.REMOTE: URIRef(f"{_ACCESS}REMOTE_PROCESSING"),
}
TIERS = {1: EUCAIM["SPEC1000009"], 2: EUCAIM["SPEC1000011"], 3: EUCAIM["SPEC1000010"]}
"""Of a source that was not judged, or meets not even tier 1, the first: what this pipeline itself ensures."""
ORIGINAL, ANNOTATED = EUCAIM["SPEC1000020"], EUCAIM["SPEC1000019"]
DISEASE_SPECIFIC, LONGITUDINAL = EUCAIM["SPEC1000007"], EUCAIM["SPEC1000006"]

_COUNTRIES = {
    "AT": "AUT", "BE": "BEL", "BG": "BGR", "CH": "CHE", "CY": "CYP", "CZ": "CZE", "DE": "DEU", "DK": "DNK",
    "EE": "EST", "ES": "ESP", "FI": "FIN", "FR": "FRA", "GB": "GBR", "GR": "GRC", "HR": "HRV", "HU": "HUN",
    "IE": "IRL", "IL": "ISR", "IS": "ISL", "IT": "ITA", "LT": "LTU", "LU": "LUX", "LV": "LVA", "MT": "MLT",
    "NL": "NLD", "NO": "NOR", "PL": "POL", "PT": "PRT", "RO": "ROU", "RS": "SRB", "SE": "SWE", "SI": "SVN",
    "SK": "SVK", "TR": "TUR", "UA": "UKR", "US": "USA",
}  # fmt: skip


def country(code: str) -> URIRef | None:
    """The EU authority's name of a country (by alpha-3 there, by alpha-2 here: ISO 3166-1); None for others."""
    return URIRef(COUNTRY + _COUNTRIES[code]) if code in _COUNTRIES else None


def bind(graph: Graph) -> Graph:
    """The graph with short prefixes."""
    names = {
        "eucaim": EUCAIM, "healthdcatap": HEALTHDCATAP, "dcatap": DCATAP, "cv": CV, "vcard": VCARD, "spdx": SPDX,
        "odrl": ODRL, "dpv": DPV, "adms": ADMS, "csvw": CSVW, "dqv": DQV,
    }  # fmt: skip
    for prefix, namespace in names.items():
        graph.bind(prefix, namespace, override=True, replace=True)
    return graph
