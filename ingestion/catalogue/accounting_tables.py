"""Tables that account for what is shown: each instance, what it came from, what was held back, what was released."""

from __future__ import annotations

from sqlalchemy import Index, MetaData, String, Table

from ingestion.catalogue.columns import column, count, day, size, source_id, text, uid, whole

_VERSION_LENGTH = 16
"""Characters of YYYY.MM.N with room for N."""


def instance_manifest_table(metadata: MetaData) -> Table:
    """The model of ``instance_manifest``."""
    return Table(
        "instance_manifest",
        metadata,
        source_id(),
        uid("SeriesInstanceUID", "Pseudonymised UID of the series", key=True),
        uid("SOPInstanceUID", "Pseudonymised UID of the instance", key=True),
        text("SOPClassUID", "SOP class (0008,0016)", source="manifest"),
        whole("InstanceNumber", "Instance Number (0020,0013)", source="manifest"),
        text("Key", "Object of the research bucket", source="manifest", required=True),
        text("SHA256", "SHA-256 of the object, hexadecimal", source="manifest", required=True),
        size("Bytes", "Size of the object", source="manifest"),
        whole(
            "PixelOffset", "Where the pixel data's value begins; empty without pixels", source="manifest", unit="byte"
        ),
        comment="One row per stored instance of a series",
    )


def lineage_table(metadata: MetaData) -> Table:
    """The model of ``lineage``."""
    return Table(
        "lineage",
        metadata,
        source_id(),
        whole("RowNumber", "Position, from 0", source="publication", key=True),
        text("Made", "What was made: instances, quality, features and so on", source="publication", required=True),
        text("Step", "Asset of the pipeline that made it", source="publication", required=True),
        text("From", "What it was made from", source="publication", required=True),
        text("Object", "Object of a bucket that holds it; empty: many", source="publication"),
        text("Digest", "Digest of what was made or used", source="publication"),
        text("CodeVersion", "Version of the code that made it", source="manifest"),
        text("KeyID", "Id of the source's key that pseudonyms were made with, not the key", source="manifest"),
        count("Items", "Series or objects that it is of", source="publication"),
        comment="One row per thing that the rows of a source were made from",
    )


def quarantine_table(metadata: MetaData) -> Table:
    """The model of ``quarantine``."""
    return Table(
        "quarantine",
        metadata,
        source_id(),
        whole("RowNumber", "Position, from 0", source="source state", key=True),
        text(
            "SeriesInstanceUID", "Pseudonymised UID of the series; empty: objects of no series", source="source state"
        ),
        text("State", "partial or quarantined", source="source state", required=True),
        text("Reason", "Why, by the list of reasons", source="source state", required=True),
        count("Objects", "Objects quarantined for it", source="source state"),
        Index("ix_quarantine_reason", "Reason", "source_id"),
        comment="One row per series and reason for which objects of it are quarantined",
    )


def release_table(metadata: MetaData) -> Table:
    """The model of ``release``."""
    return Table(
        "release",
        metadata,
        column("Version", String(_VERSION_LENGTH), "Calendar version YYYY.MM.N", source="release", key=True),
        day("ReleasedOn", "Day of the release", source="release", required=True),
        text("Previous", "Version before", source="release"),
        column("ContentDigest", String(24), "Digest of what it holds", source="release", required=True),
        count("Sources", "Sources in it", source="release"),
        count("SourcesExcluded", "Sources left out", source="release"),
        count("Patients", "Patients by source, added up", source="release"),
        count("People", "Distinct people over all sources", source="release"),
        count("Studies", "Studies", source="release"),
        count("Series", "Series", source="release"),
        comment="One row per release",
    )


def release_series_table(metadata: MetaData) -> Table:
    """The model of ``release_series``."""
    return Table(
        "release_series",
        metadata,
        source_id(),
        uid("SeriesInstanceUID", "Pseudonymised UID of the series", key=True),
        text("ManifestVersion", "Manifest of the last release that holds it", source="releases", required=True),
        text("FirstRelease", "First release that holds it", source="releases", required=True),
        text("RevisedRelease", "Release since which its instances are as they are", source="releases", required=True),
        text("LastRelease", "Last release that held it; empty while the newest does", source="releases"),
        comment="One row per series that was ever released",
    )
