"""The search index of a platform release: its series rows, joined with what their collections and annotations say."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import parquet
from rdflib import Graph, URIRef

from ingestion.catalogue.linked_people import LINKED, PERSON, read_linked
from ingestion.catalogue.release_manifest import ReleaseFile, ReleaseManifest, release_key
from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.fields import FieldKind, SearchField, SearchSchema
from ingestion.catalogue.search.index import FORMAT, IndexUnusableError, SearchIndex, open_index
from ingestion.storage import ObjectStore

_AGES = tuple(range(0, 95, 5))
_THICKNESSES = (0, 1, 1.5, 2, 3, 4, 5, 7, 10)
"""Millimetres, from thin-section to thick: the steps at which protocols differ."""
_FIELDS = (0, 1, 1.4, 2, 3.1)
"""Tesla: low field, 1.0, 1.5, 3.0, above."""

RELEASE_SCHEMA = SearchSchema(
    fields=(
        SearchField("CancerType", FieldKind.TERM, "Cancer"),
        SearchField("BodyPart", FieldKind.TERM, "Body part"),
        SearchField("Modality", FieldKind.TERM, "Modality"),
        SearchField("ManufacturerName", FieldKind.TERM, "Manufacturer"),
        SearchField("ManufacturerModelName", FieldKind.TERM, "Model"),
        SearchField("PatientSex", FieldKind.TERM, "Sex"),
        SearchField("AgeAtStudy", FieldKind.NUMBER, "Age at study", unit="year", edges=_AGES),
        SearchField("StudyYear", FieldKind.NUMBER, "Year of study (shifted)", edges=tuple(range(1990, 2031))),
        SearchField("HolderCountries", FieldKind.TERMS, "Country of the holder", separator=","),
        SearchField("source_id", FieldKind.TERM, "Source"),
        SearchField("SliceThickness", FieldKind.NUMBER, "Slice thickness", unit="mm", edges=_THICKNESSES),
        SearchField("MagneticFieldStrength", FieldKind.NUMBER, "Field strength", unit="T", edges=_FIELDS),
        SearchField("Segmented", FieldKind.TERM, "Has a segmentation"),
        SearchField("Contrast", FieldKind.TERM, "Contrast agent"),
        SearchField("QualityStatus", FieldKind.TERM, "Quality"),
        SearchField("Tier", FieldKind.TERM, "Tier"),
        SearchField("State", FieldKind.TERM, "Completeness"),
        SearchField("AccessMode", FieldKind.TERM, "Access"),
        SearchField("DataUse", FieldKind.TERMS, "Data use condition", separator=","),
        SearchField("Licence", FieldKind.TERM, "Licence"),
        SearchField("SeriesDescription", FieldKind.TEXT, "Series description"),
    )
)
"""What can be searched in a release. Study years are of shifted dates: exact to within the shift, up to five years."""

_OPTIONAL = {
    "Contrast": (
        "ContrastBolusAgent",
        """case when trim(series."ContrastBolusAgent") = '' then null
             when upper(trim(series."ContrastBolusAgent")) in ('NO', 'NONE', 'N', 'WITHOUT') then 'no'
             when series."ContrastBolusAgent" is not null then 'yes' end""",
    ),
    "Licence": ("license_short_name", 'series."license_short_name"'),
}
"""Fields by the column of the series table that they come from: of a release without it they are not stated."""
DATASET = "urn:cie:collection:"
DQV_VALUE = URIRef("http://www.w3.org/ns/dqv#value")
"""W3C Data Quality Vocabulary, section 4.3."""

_PERSON = 'coalesce(linked.first, series.source_id || \' \' || series."PatientID") as "Person",'
_LINKED = """
left join (
  select *, min(source_id || ' ' || "PatientID") over (partition by "Person") as first from read_parquet($linked)
) as linked using (source_id, "PatientID")
"""
"""People by their first pseudonym: their numbers are other ones in each release, and would draw all counts anew."""

_JOIN = """
select series.* replace (
         case when series."PatientSex" in ('F', 'M', 'O') then series."PatientSex" end as "PatientSex"
       ),
       {optional},
       {person}
       tiers."Tier",
       try_cast(left(series."StudyDate", 4) as integer) as "StudyYear",
       case when regions.image is null then 'no' else 'yes' end as "Segmented",
       collection."CancerType", collection."HolderCountries"
from read_parquet($series, union_by_name=true) as series
join read_parquet($collection) as collection using (source_id)
left join read_parquet($tiers) as tiers using (source_id)
left join (
  select distinct source_id, "ImageSeriesInstanceUID" as image
  from read_parquet($segmentation, union_by_name=true) where "Status" = 'measured'
) as regions on regions.source_id = series.source_id and regions.image = series."SeriesInstanceUID"
{linked}
"""


class ReleaseDamagedError(RuntimeError):
    """A file of a release is not the one that its manifest names."""


def open_release(
    research: ObjectStore, release: ReleaseManifest, folder: Path, *, sources: frozenset[str] | None = None,
    internal: ObjectStore | None = None,
) -> SearchIndex:  # fmt: skip
    """The index of ``release``, made in ``folder`` the first time.

    Args:
        sources: ids of the sources that it holds, as a federation's node has some of them; None: all.
        internal: where it is kept which pseudonyms are one person (``linked_people``); None: each counts by itself.

    Raises:
        StoreError: the store failed.
        ReleaseDamagedError: a file has another checksum than the manifest says.
        IndexUnusableError: the release holds no series, or was made by a version whose tables differ.
    """
    name = f"{release.version}-{release.content_digest}-{FORMAT}-{_schema_digest()}"
    if sources is not None:
        name += "-" + hashlib.sha256(",".join(sorted(sources)).encode()).hexdigest()[:12]
    linked = None if internal is None else read_linked(internal, release.version)
    if linked is not None:
        name += "-p" + hashlib.sha256(linked).hexdigest()[:12]
    try:
        return open_index(folder / name)
    except IndexUnusableError:
        return _make(research, release, folder / name, sources, linked)


def _make(
    research: ObjectStore, release: ReleaseManifest, place: Path, sources: frozenset[str] | None, linked: bytes | None
) -> SearchIndex:
    schema = RELEASE_SCHEMA if linked is None else replace(RELEASE_SCHEMA, person=(PERSON,))
    with tempfile.TemporaryDirectory(prefix="cie-search-") as scratch:
        tables: dict[str, list[str]] = {"series": [], "collection": [], "segmentation": []}
        for number, file in enumerate(release.files):
            if file.table in tables:
                tables[file.table].append(_fetch(research, release.version, file, Path(scratch) / f"{number}.parquet"))
        if not tables["series"]:
            raise IndexUnusableError(f"release {release.version} holds no series: nothing can be searched")
        tables["tiers"] = [_tiers(research, release, Path(scratch) / "tiers.parquet")]
        if linked is not None:
            (Path(scratch) / LINKED).write_bytes(linked)
            tables["linked"] = [str(Path(scratch) / LINKED)]
        joined = Path(scratch) / "joined.parquet"
        with duckdb.connect() as connection:
            chosen = "" if sources is None else f" where series.source_id in ({_quoted(sources)})"
            try:
                connection.execute(f"copy ({_join(tables)}{chosen}) to '{joined}' (format parquet)", tables)
            except duckdb.Error as error:
                raise IndexUnusableError(
                    f"release {release.version} lacks a column that the search needs ({type(error).__name__}): "
                    "build a release with this version"
                ) from None
        given_by = () if linked is None else RELEASE_SCHEMA.person
        return build_index([joined], place, schema=schema, release=release.version, given_by=given_by)


def _join(tables: Mapping[str, list[str]]) -> str:
    """The statement, with what the series tables have of the optional columns, and people where they are linked."""
    columns = {name for file in tables["series"] for name in parquet.read_schema(file).names}
    made = [f'{say if needed in columns else "cast(null as varchar)"} as "{name}"'
            for name, (needed, say) in _OPTIONAL.items()]  # fmt: skip
    people = {"person": "", "linked": ""} if "linked" not in tables else {
        "person": _PERSON, "linked": _LINKED
    }  # fmt: skip
    return _JOIN.format(optional=", ".join(made), **people)


def _tiers(research: ObjectStore, release: ReleaseManifest, target: Path) -> str:
    """The tier of each source by the quality certificates in the release's public record."""
    found: dict[str, str] = {}
    for file in release.files:
        if file.path == "dcat.ttl":
            body = research.read(release_key(release.version, file.path))
            for subject, value in Graph().parse(data=body, format="turtle").subject_objects(DQV_VALUE):
                source_id, _, measured = str(subject).removeprefix(DATASET).partition("#")
                if measured == "quality-tier":
                    found[source_id] = str(value)
    rows = [{"source_id": source_id, "Tier": tier} for source_id, tier in sorted(found.items())]
    schema = pa.schema([("source_id", pa.string()), ("Tier", pa.string())])
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), target)
    return str(target)


def _fetch(research: ObjectStore, version: str, file: ReleaseFile, target: Path) -> str:
    body = research.read(release_key(version, file.path))
    if hashlib.sha256(body).hexdigest() != file.sha256:
        raise ReleaseDamagedError(f"release {version}: {file.path} is not the file that the manifest names")
    target.write_bytes(body)
    return str(target)


def _quoted(sources: frozenset[str]) -> str:
    return ", ".join("'" + source_id.replace("'", "''") + "'" for source_id in sorted(sources)) or "null"


def _schema_digest() -> str:
    return hashlib.sha256(repr(RELEASE_SCHEMA).encode()).hexdigest()[:12]
