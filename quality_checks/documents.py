"""The files of one judgement: the report and what lies beside it. Each can be opened by itself."""

from __future__ import annotations

from dataclasses import dataclass

REPORT = "report.html"
FINDINGS = "findings.html"
EXPECTATIONS = "expectations.html"
EXPECTATIONS_JSON = "expectations.json"
SUMMARY = "report.json"
SUMMARY_SCHEMA = "report.schema.json"
RESULTS_TABLE = "results.parquet"
FINDINGS_TABLE = "findings.parquet"
SERIES_TABLE = "series.parquet"
CERTIFICATE = "certificate.json"
CERTIFICATE_TURTLE = "certificate.ttl"
"""The same for the DCAT record of a release."""
SHEET = "sheet.jpg"
"""A few thumbnails, small enough for the Dagster UI."""
HTML = "text/html; charset=utf-8"
JSON = "application/json"
PARQUET = "application/vnd.apache.parquet"
CONTENT_TYPES = {".html": HTML, ".json": JSON, ".parquet": PARQUET, ".jpg": "image/jpeg", ".ttl": "text/turtle"}


@dataclass(frozen=True, slots=True)
class Document:
    """One file. ``name`` has no folder: the files link to each other by their names."""

    name: str
    body: bytes

    @property
    def content_type(self) -> str:
        return content_type(self.name)


def content_type(name: str) -> str:
    """By the ending.

    Raises:
        KeyError: an ending that no document has.
    """
    return CONTENT_TYPES[name[name.rindex(".") :]]
