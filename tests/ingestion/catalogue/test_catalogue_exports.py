"""The public formats, without services: the record conforms, says what the rows say, and is the same each time."""

import json
import os
import subprocess
import sys

import jsonschema
import pytest
from made_sources import make_source
from made_views import LARGE, SMALL, made_collection, made_view
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCAT, DCTERMS, XSD

from ingestion.catalogue import tables as t
from ingestion.catalogue.exports.croissant import describe_release
from ingestion.catalogue.exports.datacite import release_record, source_record
from ingestion.catalogue.exports.dcat import build_graph, visitors_record
from ingestion.catalogue.exports.names import ACCESS_CONDITION, EUCAIM, HEALTHDCATAP, LONGITUDINAL, SPDX
from ingestion.catalogue.exports.public import public_documents
from ingestion.catalogue.exports.schema_org import catalogue
from ingestion.catalogue.exports.validation import validate_record, violations
from ingestion.catalogue.exports.view import ReleaseView, dataset_uri
from ingestion.catalogue.exports.visitors import visitors_row
from ingestion.catalogue.json_schema import DIALECT
from ingestion.catalogue.release_tables import released_schema
from ingestion.catalogue.search.protection import CountPolicy, PublicCounts
from ingestion.catalogue.search.public import PublicAnswer
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA
from ingestion.sources.registry import AccessMode
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.data_use import data_use_terms

MANDATORY = {
    "dataset": [
        DCTERMS.identifier, DCTERMS.title, DCTERMS.description, URIRef(f"{DCAT}version"), EUCAIM.interoperabilityLevel,
        DCAT.distribution, DCAT.contactPoint, DCAT.theme, HEALTHDCATAP.healthCategory, DCTERMS.type,
        DCTERMS.accessRights, URIRef("http://data.europa.eu/r5r/applicableLegislation"), DCTERMS.publisher,
        HEALTHDCATAP.hasStructuredData, HEALTHDCATAP.hasVariables, HEALTHDCATAP.numberOfUniqueIndividuals,
        HEALTHDCATAP.numberOfRecords, EUCAIM.hasBirthSex, EUCAIM.hasCondition, EUCAIM.collectionMethod,
        EUCAIM.hasImageModality, EUCAIM.hasEquipmentManufacturer, EUCAIM.hasImageBodyPart, DCAT.keyword,
        DCTERMS.provenance,
    ],
    "distribution": [DCAT.accessURL, URIRef("http://data.europa.eu/r5r/applicableLegislation"), DCTERMS.rights],
}  # fmt: skip


@pytest.fixture(scope="module")
def view() -> ReleaseView:
    return made_view()


@pytest.fixture(scope="module")
def graph(view: ReleaseView) -> Graph:
    return build_graph(view)


@pytest.fixture(scope="module")
def small(graph: Graph) -> Graph:
    """One dataset, without the columns of the tables: quick to check over and over."""
    found = Graph()
    for triple in graph:
        if not str(triple[0]).startswith("urn:cie:tables:") and SMALL not in f"{triple[0]} {triple[2]}":
            found.add(triple)
    assert violations(validate_record(found)) == ()
    return found


def test_the_record_has_no_violation_and_names_what_is_open(graph: Graph) -> None:
    findings = validate_record(graph)
    assert violations(findings) == ()
    assert {(one.severity, one.path) for one in findings} == {("Info", str(HEALTHDCATAP.hdab))}


@pytest.mark.parametrize("cancer", list(CancerType))
def test_every_cancer_conforms(cancer: CancerType) -> None:
    view = made_view(make_source(LARGE, patients=12, series=1, cancer_type=cancer.value))
    assert violations(validate_record(build_graph(view))) == ()


@pytest.mark.parametrize(
    ("kind", "predicate"), [(kind, predicate) for kind, listed in MANDATORY.items() for predicate in listed]
)
def test_the_shapes_demand_every_mandatory_property(small: Graph, kind: str, predicate: URIRef) -> None:
    dataset = dataset_uri(LARGE)
    node = dataset if kind == "dataset" else URIRef(f"{dataset}#distribution")
    without = Graph() + small
    without.remove((node, predicate, None))
    found = violations(validate_record(without))
    assert {one.node for one in found} == {str(node)}


@pytest.mark.parametrize(
    ("predicate", "value"),
    [
        (EUCAIM.hasCondition, EUCAIM["CLIN1000075"]),  # a second condition
        (EUCAIM.hasImageModality, Literal("CT")),
        (EUCAIM.hasEquipmentManufacturer, Literal("Siemens")),
        (EUCAIM.hasBirthSex, EUCAIM["COM1"]),
        (HEALTHDCATAP.numberOfRecords, Literal(-1)),
        (DCTERMS.accessRights, URIRef("http://publications.europa.eu/resource/authority/access-right/OPEN")),
        (DCTERMS.title, Literal("another English title", lang="en")),
    ],
)
def test_the_shapes_refuse_what_the_profile_forbids(small: Graph, predicate: URIRef, value: URIRef | Literal) -> None:
    wrong = Graph() + small
    wrong.add((dataset_uri(LARGE), predicate, value))
    assert violations(validate_record(wrong))


def test_a_catalogue_without_publisher_says_what_to_do() -> None:
    found = violations(validate_record(build_graph(made_view(publisher=False))))
    assert [one.message for one in found] == ["the catalogue names no publisher: set 'publisher' in the registry"]


def test_figures_are_those_of_the_public_rows(graph: Graph, view: ReleaseView) -> None:
    large, small = dataset_uri(LARGE), dataset_uri(SMALL)
    count = HEALTHDCATAP.numberOfUniqueIndividuals
    assert graph.value(large, count) == Literal(20, datatype=XSD.nonNegativeInteger)  # of 24
    assert graph.value(small, count) == Literal(10, datatype=XSD.nonNegativeInteger)  # of 3: the bound
    assert graph.value(large, EUCAIM.hasCondition) == EUCAIM["CLIN1000065"]
    assert set(graph.objects(large, EUCAIM.hasBirthSex)) == {EUCAIM["COM1001366"], EUCAIM["COM1001370"]}
    assert set(graph.objects(small, EUCAIM.hasBirthSex)) == {EUCAIM["COM1002760"]}
    assert set(graph.objects(large, EUCAIM.hasImageModality)) == {EUCAIM["IMG1000042"]}
    assert set(graph.objects(large, EUCAIM.hasEquipmentManufacturer)) == {EUCAIM["IMG1000047"]}
    assert set(graph.objects(large, EUCAIM.hasImageBodyPart)) == {EUCAIM["BP1000067"]}
    assert graph.value(large, HEALTHDCATAP.minTypicalAge).toPython() == 60
    assert graph.value(large, HEALTHDCATAP.maxTypicalAge).toPython() == 65
    assert graph.value(small, HEALTHDCATAP.minTypicalAge) is None
    period = graph.value(large, DCTERMS.temporal)
    assert str(graph.value(period, DCAT.startDate)) == "2020-01-01"
    assert str(graph.value(period, DCAT.endDate)) == "2020-12-31"
    assert set(graph.objects(large, EUCAIM.hasAnnotationLabel)) == {EUCAIM["IMG1016402"]}
    assert str(graph.value(large, DCAT.spatialResolutionInMeters)) == "0.0005"
    checksum = graph.value(URIRef(f"{large}#distribution"), SPDX.checksum)
    assert str(graph.value(checksum, SPDX.checksumValue)) == view.rows[0]["InstancesSHA256"]


@pytest.mark.parametrize(("people", "told"), [(30, 30), (None, 10)])
def test_a_record_with_counts_of_the_search_conforms(view: ReleaseView, people: int | None, told: int) -> None:
    counts = PublicCounts(people, people, people)
    answer = PublicAnswer(view.version, counts, facets=(), refused=(), policy=CountPolicy())
    record = visitors_record(view, visitors_row(view.rows[0], answer, RELEASE_SCHEMA))
    assert violations(validate_record(record)) == ()
    dataset = dataset_uri(LARGE)
    assert record.value(dataset, HEALTHDCATAP.numberOfUniqueIndividuals).toPython() == told
    for left_out in (HEALTHDCATAP.minTypicalAge, EUCAIM.hasAnnotationLabel, DCAT.spatialResolutionInMeters):
        assert record.value(dataset, left_out) is None
    distribution = URIRef(f"{dataset}#distribution")
    assert record.value(distribution, DCAT.byteSize) is None and record.value(distribution, SPDX.checksum) is None
    assert not list(record.triples((dataset_uri(SMALL), None, None)))


@pytest.mark.parametrize(("people", "studies", "more"), [(50, 60, False), (50, 70, True), (50, 50, False)])
def test_studies_are_more_than_people_only_beyond_the_rounding(people: int, studies: int, more: bool) -> None:
    graph = build_graph(made_view(NumberOfPatients=people, NumberOfStudies=studies))
    assert ((dataset_uri(LARGE), EUCAIM.collectionMethod, LONGITUDINAL) in graph) is more


def test_unknown_makers_and_parts_still_conform() -> None:
    view = made_view(Manufacturers="Carestream,Siemens", BodyParts="Hip; Acromioclavicular joint", Modalities="RTDOSE")
    graph = build_graph(view)
    assert violations(validate_record(graph)) == ()
    assert set(graph.objects(dataset_uri(LARGE), EUCAIM.hasEquipmentManufacturer)) == {EUCAIM["IMG1000044"]}
    assert set(graph.objects(dataset_uri(LARGE), EUCAIM.hasImageModality)) == {EUCAIM["IMG1000074"]}
    nothing = made_view(Manufacturers=None, BodyParts=None, Modalities=None)
    assert violations(validate_record(build_graph(nothing))) == ()


def test_the_same_rows_give_the_same_bytes_in_every_process() -> None:
    code = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from made_views import made_view\n"
        "from ingestion.catalogue.exports.public import public_documents\n"
        "print(hashlib.sha256(b''.join(one.body for one in public_documents(made_view()))).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, os.path.dirname(__file__)],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(outputs) == 1


def test_no_exact_count_is_in_any_public_document(view: ReleaseView) -> None:
    exact = made_view(make_source(LARGE, patients=24)).rows[0]
    assert exact["NumberOfPatients"] == 20
    for document in public_documents(view):
        for figure in (b" 24 ", b'"24"', b": 24,", b": 48,", b'"48"'):
            assert figure not in document.body, (document.path, figure)


def test_no_public_document_describes_a_few_people() -> None:
    exact = made_collection(make_source(SMALL, patients=3)).iloc[0]
    view = made_view(make_source(SMALL, patients=3))
    rare = [exact[name] for name in ("Manufacturers", "InstancesSHA256", "SegmentLabels")]
    rare += [str(EUCAIM["IMG1000047"]), str(EUCAIM["IMG1016402"])]  # the maker and the label as classes
    assert all(rare)
    for document in public_documents(view):
        said = document.body.decode()
        assert [one for one in rare if one in said or one.replace(str(EUCAIM), "eucaim:") in said] == [], document.path
    assert [view.rows[0][name] for name in ("Modalities", "BodyParts")] == [exact["ModalitiesDeclared"], "Lung"]
    assert violations(validate_record(build_graph(view))) == ()


def test_both_forms_of_dcat_are_one_graph(view: ReleaseView, graph: Graph) -> None:
    documents = {one.path: one.body for one in public_documents(view)}
    assert set(Graph().parse(data=documents["dcat.ttl"], format="turtle")) == set(graph)
    assert set(Graph().parse(data=documents["dcat.jsonld"], format="json-ld")) == set(graph)
    assert not [node for node in graph.all_nodes() if type(node).__name__ == "BNode"]


@pytest.mark.parametrize("mode", list(AccessMode))
def test_the_access_mode_is_one_of_the_rights(mode: AccessMode) -> None:
    graph = build_graph(made_view(AccessMode=mode.value))
    rights = set(graph.objects(URIRef(f"{dataset_uri(LARGE)}#distribution"), DCTERMS.rights))
    assert rights & set(ACCESS_CONDITION.values()) == {ACCESS_CONDITION[mode]}
    assert violations(validate_record(graph)) == ()


def test_there_are_the_23_conditions() -> None:
    assert len(data_use_terms()) == 23
    assert len({term.concept for term in data_use_terms().values()}) == 23


def test_schema_org_tells_no_hidden_figure(view: ReleaseView) -> None:
    said = catalogue(view)
    datasets = {one["@id"].rpartition(":")[2]: one for one in said["dataset"]}
    names = [one["name"] for one in datasets[LARGE]["variableMeasured"]]
    assert "individuals (rounded)" in names
    assert "age at study" in names
    assert [one["name"] for one in datasets[SMALL]["variableMeasured"]] == ["body part"]
    assert datasets[LARGE]["temporalCoverage"] == "2020-01-01/2020-12-31"


def test_croissant_names_every_column_and_the_file(view: ReleaseView) -> None:
    said = describe_release(view)
    [file] = said["distribution"]
    assert (file["sha256"], file["contentUrl"]) == (view.table.sha256, "collection.parquet")
    [records] = said["recordSet"]
    assert [field["source"]["extract"]["column"] for field in records["field"]] == list(view.rows[0])
    # as mlcroissant 1.1.1 reads it: with another type it refuses the table, without these terms it warns
    assert file["encodingFormat"] == "application/x-parquet"
    assert {"equivalentProperty", "samplingRate"} <= set(said["@context"])


def test_datacite_has_what_version_4_6_demands(view: ReleaseView) -> None:
    for record in (release_record(view), *(source_record(view, row) for row in view.rows)):
        for name in ("creators", "titles", "publisher", "publicationYear", "types", "identifiers"):
            assert record[name], name
        assert record["types"]["resourceTypeGeneral"] in {"Collection", "Dataset"}
        assert "doi" not in record  # none is made up
    row = {**view.rows[0], "source_DOI": "10.1234/abc"}
    assert source_record(view, row)["doi"] == "10.1234/abc"
    assert [one["relationType"] for one in release_record(view)["relatedIdentifiers"]][-1] == "IsNewVersionOf"


def test_the_schemas_describe_the_rows(view: ReleaseView) -> None:
    for table in t.ROW_TABLES:
        schema = released_schema(table)
        assert schema["$schema"] == DIALECT
        jsonschema.Draft202012Validator.check_schema(schema)
        assert all(said["description"] and said["x-from"] for said in schema["properties"].values())
    collection = released_schema(t.collection)
    for row in view.rows:
        plain = json.loads(json.dumps(row, default=str))
        found = [error.message for error in jsonschema.Draft202012Validator(collection).iter_errors(plain)]
        # Counts that are required in the database are hidden in public.
        assert all("None is not of type 'integer'" in message for message in found), found
