"""The catalogue's tables (schema ``cie``). Everything in them is de-identified and can be made again from the buckets.

DICOM attributes are columns under their keyword, so in SQL they need double quotes (``"PatientID"``); ``cie catalogue
sql`` adds them. ``docs/catalogue.md`` is generated from this file.
"""

from __future__ import annotations

from sqlalchemy import Index, MetaData, String, Table
from sqlalchemy.dialects.postgresql import JSONB

from ingestion.accounting.tables import SCHEMA
from ingestion.catalogue.accounting_tables import (
    instance_manifest_table,
    lineage_table,
    quarantine_table,
    release_series_table,
    release_table,
)
from ingestion.catalogue.columns import column, count, day, number, size, source_id, text, uid, whole
from ingestion.catalogue.series_table import series_table

metadata = MetaData(schema=SCHEMA)

publication = Table(
    "publication",
    metadata,
    source_id(),
    whole("Number", "Number of the publication shown", source="publication", required=True),
    column("Digest", String(24), "Digest of what the publication names", source="publication", required=True),
    whole("StateNumber", "Number of the source state shown", source="publication", required=True),
    column("StateDigest", String(24), "Digest of that state", source="publication", required=True),
    text("QualityKey", "Object with the quality results", source="publication"),
    text("FeaturesSeriesKey", "Object with the features of series", source="publication"),
    text("FeaturesRegionsKey", "Object with the features of regions of interest", source="publication"),
    column("EntryDigest", String(24), "Digest of the registry entry", source="publication", required=True),
    whole("TablesVersion", "Version of the code that makes rows", source="publication", required=True),
    comment="What the catalogue shows of each source: one immutable object in the internal bucket",
)

collection = Table(
    "collection",
    metadata,
    source_id(),
    text("Project", "Project that collected the data", source="registry: project", required=True),
    text(
        "HolderCountries",
        "Countries of the holders, ISO 3166-1 alpha-2, comma-joined",
        source="registry: holder_countries",
        required=True,
    ),
    text("CancerType", "Cancer that the source is about", source="registry: cancer_type", required=True),
    text("CancerScheme", "Coding scheme of the cancer's code", source="vocabulary", required=True),
    text("CancerCode", "Code of the cancer", source="vocabulary", required=True),
    text("CancerMeaning", "Meaning of the code", source="vocabulary", required=True),
    text(
        "ModalitiesDeclared",
        "Modalities that the source says it holds, comma-joined",
        source="registry: modalities",
        required=True,
    ),
    text("Policy", "De-identification policy of the source", source="registry: policy", required=True),
    text("AgreementKind", "Kind of agreement", source="registry: agreement.kind", required=True),
    day(
        "AgreementSignedOn",
        "Day of signature; empty: unsigned, so in no release",
        source="registry: agreement.signed_on",
    ),
    day("AgreementValidUntil", "Last day of the agreement; empty: no end", source="registry: agreement.valid_until"),
    text(
        "DataUse", "Data use conditions, DUO codes, comma-joined", source="registry: agreement.data_use", required=True
    ),
    text(
        "AccessMode", "How users reach the data once granted", source="registry: agreement.access_mode", required=True
    ),
    text("ContactName", "Contact at the data holder", source="registry: contact.name", required=True),
    text("ContactEmail", "Address of the contact", source="registry: contact.email", required=True),
    count("IndividualsDeclared", "Individuals that the source is said to hold", source="registry: figures.individuals"),
    count("StudiesDeclared", "Studies that the source is said to hold", source="registry: figures.studies"),
    count("SeriesDeclared", "Series that the source is said to hold", source="registry: figures.series"),
    day("FiguresAsOf", "Day of the declared figures", source="registry: figures.as_of", required=True),
    text(
        "FiguresProvenance",
        "Where the declared figures come from",
        source="registry: figures.provenance",
        required=True,
    ),
    count("NumberOfPatients", "Patients with at least one stored series", source="patient"),
    count("NumberOfStudies", "Studies with at least one stored series", source="study"),
    count("NumberOfSeries", "Series stored", source="series"),
    count("NumberOfInstances", "Instances stored", source="series"),
    size("Bytes", "Size of the stored instances", source="series"),
    count("SeriesPartial", "Series of which some instance is quarantined", source="source state"),
    count("SeriesQuarantined", "Series with no stored instance", source="source state"),
    count("Delivered", "Objects delivered = accepted + duplicate + quarantined", source="source state"),
    count("Accepted", "Objects accepted", source="source state"),
    count("Duplicate", "Objects that repeat an accepted one", source="source state"),
    count("Quarantined", "Objects quarantined", source="source state"),
    text("Modalities", "Modalities stored, comma-joined", source="series"),
    text("BodyParts", "Normalised body parts stored, semicolon-joined", source="series"),
    text("Manufacturers", "Normalised manufacturers, comma-joined", source="series"),
    text("Sexes", "Patient's sexes, comma-joined", source="patient"),
    number("AgeMinimum", "Lowest age at a study", unit="year", source="study"),
    number("AgeMaximum", "Highest age at a study", unit="year", source="study"),
    text("FirstStudyDate", "Earliest study date (shifted per patient), YYYYMMDD", source="study"),
    text("LastStudyDate", "Latest study date (shifted per patient), YYYYMMDD", source="study"),
    day(
        "AgreementWithdrawnOn", "Day from which the source is in no release", source="registry: agreement.withdrawn_on"
    ),
    text("license_short_name", "Licence of the data, SPDX id; empty: the agreement alone", source="registry: licence"),
    text("source_DOI", "DOI of the source's own publication of the data", source="registry: doi"),
    count("SegmentedStudies", "Studies with a measured region of interest", source="series", required=False),
    text("SegmentLabels", "Labels of the measured regions, semicolon-joined", source="series"),
    number("SmallestSpacing", "Smallest distance between pixels or slices of a series", unit="mm", source="series"),
    text("TransferSyntaxes", "Transfer syntaxes of the series, comma-joined", source="series"),
    text("InstancesSHA256", "SHA-256 over the digests of its series, sorted, one a line", source="series"),
    whole("CountsHiddenBelow", "Public counts under this are hidden", source="registry: counts.hidden_below", unit="1"),
    whole("CountsRoundedTo", "Step of public counts", source="registry: counts.rounded_to", unit="1"),
    comment="One row per published source",
)

patient = Table(
    "patient",
    metadata,
    source_id(),
    column("PatientID", String(64), "Pseudonym of the patient", source="manifest", key=True),
    text("PatientSex", "M, F or O; empty where unknown or contradictory", source="series, normalised"),
    text("Sexes", "All delivered values of Patient's Sex, comma-joined", source="series"),
    count("NumberOfStudies", "Studies of the patient", source="series"),
    count("NumberOfSeries", "Series of the patient", source="series"),
    count("NumberOfInstances", "Instances stored of the patient", source="series"),
    text("FirstStudyDate", "Earliest study date (shifted), YYYYMMDD", source="series"),
    text("LastStudyDate", "Latest study date (shifted), YYYYMMDD", source="series"),
    text(
        "PersonKey",
        "The same for one person in all sources: a digest under the platform's linkage secret, or else the pseudonym; "
        "never released",
        source="source state: facts",
    ),
    comment="One row per patient with at least one stored series",
)

study = Table(
    "study",
    metadata,
    source_id(),
    column("PatientID", String(64), "Pseudonym of the patient", source="manifest", key=True),
    uid("StudyInstanceUID", "Pseudonymised UID of the study", key=True, index=True),
    text("StudyDate", "Study date (shifted), YYYYMMDD; the earliest where series differ", source="series"),
    number("AgeAtStudy", "Age at the study; 90 stands for 90 and more", unit="year", source="series"),
    text("PatientSex", "M, F or O; empty where unknown or contradictory", source="series, normalised"),
    text("Modalities", "Modalities of the study, sorted, comma-joined", source="series"),
    count("NumberOfSeries", "Series stored of the study", source="series"),
    count("NumberOfInstances", "Instances stored of the study", source="series"),
    size("Bytes", "Size of the study's stored instances", source="series"),
    count(
        "NumberOfPatientIDs", "Patients that share the study's UID; 1 unless the source mixed them up", source="series"
    ),
    comment="One row per study with at least one stored series",
)

series = series_table(metadata)
quality = Table(
    "quality",
    metadata,
    source_id(),
    whole("RowNumber", "Position in the stored results, from 0", source="quality results", key=True),
    text("Rule", "Name of the rule", source="quality results"),
    text("Level", "What one row of the rule is: instance, series, study, patient or source", source="quality results"),
    text("Dimension", "Dimension of quality that the rule is about", source="quality results"),
    text("Severity", "passed, not_applicable, info, warning or error", source="quality results"),
    whole("Rows", "How many were judged", source="quality results", unit="1"),
    whole("Passing", "How many of them passed", source="quality results", unit="1"),
    number("Share", "Passing of judged; 1 where none was", source="quality results", unit="1"),
    text("Examples", "Pseudonyms of some that failed, comma-joined", source="quality results"),
    text("Message", "What was found, without identities", source="quality results"),
    column(
        "Other", JSONB(none_as_null=True), "Further columns of the stored results, by name", source="quality results"
    ),
    Index("ix_quality_rule", "Rule", "source_id"),
    comment="One row per quality rule and source",
)

_REGIONS = "region features"
segmentation = Table(
    "segmentation",
    metadata,
    source_id(),
    whole("RowNumber", "Position in the stored table, from 0", source=_REGIONS, key=True),
    text("PatientID", "Pseudonym of the patient", source=_REGIONS),
    text("StudyInstanceUID", "Pseudonymised UID of the segmentation's study", source=_REGIONS),
    text("SeriesInstanceUID", "Series of the segmentation (SEG or RTSTRUCT)", source=_REGIONS),
    text("SOPInstanceUID", "Instance of the segmentation", source=_REGIONS),
    text("ImageSeriesInstanceUID", "Series of the image that the region lies in", source=_REGIONS),
    whole("SegmentNumber", "Number of the segment or ROI", source=_REGIONS),
    text("SegmentLabel", "Label of the segment or ROI", source=_REGIONS),
    text("CategoryCode", "Code of the segmented property's category", source=_REGIONS),
    text("CategoryScheme", "Coding scheme of that code", source=_REGIONS),
    text("CategoryMeaning", "Meaning of that code", source=_REGIONS),
    text("TypeCode", "Code of the segmented property's type", source=_REGIONS),
    text("TypeScheme", "Coding scheme of that code", source=_REGIONS),
    text("TypeMeaning", "Meaning of that code", source=_REGIONS),
    text("Status", "measured or refused", source=_REGIONS),
    text("Reason", "Why it was refused", source=_REGIONS),
    text("Detail", "What exactly was found then, without identities", source=_REGIONS),
    column("Other", JSONB(none_as_null=True), "Further texts of the stored table, by name", source=_REGIONS),
    Index("ix_segmentation_series", "source_id", "SeriesInstanceUID"),
    Index("ix_segmentation_image", "source_id", "ImageSeriesInstanceUID"),
    comment="One row per region of interest that a SEG or RTSTRUCT brings, or per object that was refused",
)

feature = Table(
    "feature",
    metadata,
    source_id(),
    text("Level", "series or region", source="features", key=True),
    whole(
        "RowNumber",
        "Position in the stored table of that level, from 0; of a region: that of segmentation",
        source="features",
        key=True,
    ),
    text("Feature", "Name of the feature: its column in the stored table", source="features", key=True),
    text("SeriesInstanceUID", "Series of the image that was measured", source="features"),
    number("Value", "Value of a numeric feature; true is 1, false 0", unit="of the feature", source="features"),
    text("Text", "Value of any other feature of a series", source="features"),
    text("Unit", "Unit of the image's intensities, of features that have it", source="features"),
    Index("ix_feature_name", "Feature", "source_id"),
    Index("ix_feature_series", "source_id", "SeriesInstanceUID"),
    comment="One row per value measured of a series or of a region of interest",
)

instance_manifest = instance_manifest_table(metadata)
lineage = lineage_table(metadata)
quarantine = quarantine_table(metadata)
release = release_table(metadata)
release_series = release_series_table(metadata)

ROW_TABLES: tuple[Table, ...] = (
    collection, patient, study, series, quality, segmentation, feature, instance_manifest, lineage, quarantine,
)  # fmt: skip
"""The tables that a publication fills, in the order they are written and released."""
RELEASE_TABLES: tuple[Table, ...] = (release, release_series)
"""What has been released, read from the releases themselves."""
