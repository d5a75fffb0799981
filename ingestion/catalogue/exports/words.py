"""What the public formats say in words, worked out from a source's public row."""

from __future__ import annotations

import datetime as dt

from ingestion.catalogue.exports.view import Row, parts
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.modality import modalities

_ACCESS = {
    "download": "Approved users may download the data.",
    "in_situ_processing": "Approved users may view and process the data where they are.",
    "remote_processing": "Approved users may have the data processed where they are, without seeing them.",
}


def title(row: Row) -> str:
    """Project, cancer and source."""
    return f"{row['Project']}: {_cancer(row)} ({row['source_id']})"


def describe(row: Row) -> str:
    """Some sentences: what, where from, how it can be used."""
    found = ", ".join(parts(row["Modalities"], ",")) or "no images yet"
    seen = f" Body parts: {', '.join(parts(row['BodyParts'], '; '))}." if row["BodyParts"] else ""
    return (
        f"De-identified images of {_cancer(row)} from {row['Project']}, held in "
        f"{row['HolderCountries'].replace(',', ', ')}. Modalities: {found}.{seen} {access(row)}"
    )


def access(row: Row) -> str:
    """How approved users reach the data."""
    return f"{_ACCESS[row['AccessMode']]} {ask(row['ContactName'], row['ContactEmail'])}"


def ask(name: str, email: str) -> str:
    """Whom to ask for access."""
    return f"Ask {name} ({email})."


def not_listed(source_id: str, mode: str, series: int, asking: str | None) -> str:
    """The comment of a list of downloads on a source that may not be downloaded: one line, whatever the names hold.

    Args:
        asking: ``ask`` of the source's contact; None: it is not known here.
    """
    told = asking or "The portal's page of the collection says whom to ask."
    said = f"# {source_id}: {series} series not listed: their access mode is {mode}, not download. {told}"
    return "".join(letter if letter.isprintable() else " " for letter in said)


def keywords(row: Row) -> list[str]:
    """Cancer, modalities and body parts."""
    named = (modalities()[code].meaning for code in parts(row["Modalities"], ",") if code in modalities())
    return sorted({"cancer", CancerType(row["CancerType"]).value, *named, *parts(row["BodyParts"], "; ")})


def period(row: Row) -> tuple[str, str] | None:
    """First and last day (ISO 8601) of the years in which images were acquired, by shifted dates; None if unknown."""
    days = (_day(row["FirstStudyDate"]), _day(row["LastStudyDate"]))
    return (days[0], days[1]) if days[0] is not None and days[1] is not None else None


def _cancer(row: Row) -> str:
    return CancerType(row["CancerType"]).code.meaning.lower()


def _day(text: str | None) -> str | None:
    """A DICOM date in ISO 8601; None for none, or for what is no date."""
    try:
        return dt.datetime.strptime(text or "", "%Y%m%d").date().isoformat()
    except ValueError:
        return None
