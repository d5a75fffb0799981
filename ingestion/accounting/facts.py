"""What is known of a series' raw header and says nothing of a person: digests under the platform's key, yes or no.

Made where the raw header is read, kept in the ledger and in the source's state (internal bucket), read by the checks on
identity and time. Never part of a manifest: the research bucket holds no digest that links sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """Facts of one series over all of its accepted instances. Digests are empty without a linkage secret.

    A tuple holds every value met, sorted; more than one where instances contradict each other.
    """

    people: tuple[str, ...] = ()
    """Of name and birth date together."""
    names: tuple[str, ...] = ()
    birth_dates: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    """Of PatientID and its issuer."""
    study: str | None = None
    series: str | None = None
    content: str | None = None
    """Of the SHA-256 of all accepted raw objects: equal for the same files in another source."""
    accessions: tuple[str, ...] = ()
    birth_date_stated: bool = False
    before_birth: bool = False
    """A study, series or acquisition date before the birth date."""
    after_delivery: bool = False
    """A study, series or acquisition date after the file was last written."""
    age_contradicts: bool = False
    """PatientAge and the age by birth and study date are over ``AGE_TOLERANCE_YEARS`` apart."""

    def to_json(self) -> dict[str, Any]:
        """Only what is not empty, names sorted."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in sorted(said.items()) if value
        }

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> SeriesFacts:
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in said.items()
        }
        return SeriesFacts(**known)


AGE_TOLERANCE_YEARS = 1.5
"""Patient's Age is cut to whole years and may be of the day of scheduling."""
