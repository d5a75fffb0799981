"""A source's de-identified clinical table, and what its columns are: registered once, read by the checks.

``clinical/<source>/<digest>.csv`` and ``clinicals/<source>/<number>.json`` in the internal bucket; the highest number
is the current one. Only tables that ``cie deidentify`` made belong here: the pseudonyms must be the source's.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ingestion.accounting.erasure import refuse_erased
from ingestion.storage import ObjectStore
from ingestion.storage.numbered import append, read_latest

_ROOT = "clinicals/"


class ClinicalRole(StrEnum):
    """What a column is."""

    PATIENT = "patient"  # the pseudonym, as in DICOM
    ACCESSION = "accession"  # of a study that the table names
    SEX = "sex"
    AGE_AT_DIAGNOSIS = "age_at_diagnosis"
    DIAGNOSIS = "diagnosis"  # day of the diagnosis, shifted, or days from a baseline
    PATHOLOGY = "pathology"
    TREATMENT = "treatment"
    TREATED = "treated"  # day of the first treatment, likewise
    FOLLOWED_UP = "followed_up"  # day of a follow-up, likewise
    VISIT = "visit"  # number of the visit that the row tells of
    VISITED = "visited"  # day of that visit
    VISIT_DAYS = "visit_days"  # the same, as days from a baseline


class ClinicalRegistrationError(ValueError):
    """A table that cannot be registered; the message says what to do. It quotes names of columns, never a value."""


@dataclass(frozen=True, slots=True)
class ClinicalTable:
    """The rows by role; an empty text where a cell is empty."""

    source_id: str
    rows: tuple[Mapping[ClinicalRole, str], ...] = field(repr=False)
    digest: str

    def values(self, role: ClinicalRole) -> list[tuple[str, str]]:
        """(patient, value) of every row with a value."""
        return [(row[ClinicalRole.PATIENT], row[role]) for row in self.rows if row.get(role)]


def register_clinical(internal: ObjectStore, source_id: str, body: bytes, roles: Mapping[ClinicalRole, str]) -> int:
    """Store a table and name it the source's current one: its number. ``roles``: the column of each role.

    Raises:
        ClinicalRegistrationError: not UTF-8 CSV, a column that is not there, or pseudonyms of another source.
        SourceErasedError: the source was erased.
    """
    refuse_erased(internal, source_id)
    digest = hashlib.sha256(body).hexdigest()[:24]
    table = _parsed(source_id, body, roles, digest)
    strange = sum(1 for row in table.rows if not row[ClinicalRole.PATIENT].startswith(f"{source_id}-"))
    if strange:
        raise ClinicalRegistrationError(
            f"{strange} of {len(table.rows)} rows have no pseudonym of {source_id}: de-identify the table with "
            f"`cie deidentify TABLE OUT --columns MAP --source {source_id}` first"
        )
    key = f"clinical/{source_id}/{digest}.csv"
    internal.create(key, body, content_type="text/csv; charset=utf-8")
    said = {"key": key, "roles": {role.value: column for role, column in roles.items()}}
    return append(internal, f"{_ROOT}{source_id}/", json.dumps(said, sort_keys=True).encode())[0]


def read_clinical(internal: ObjectStore, source_id: str) -> ClinicalTable | None:
    """The current table of a source; None where none was registered."""
    latest = read_latest(internal, f"{_ROOT}{source_id}/")
    if latest is None:
        return None
    said = json.loads(latest[1])
    roles = {ClinicalRole(role): column for role, column in said["roles"].items()}
    digest = hashlib.sha256(latest[1]).hexdigest()[:24]  # over the key, which names the content, and the roles
    return _parsed(source_id, internal.read(said["key"]), roles, digest)


def _parsed(source_id: str, body: bytes, roles: Mapping[ClinicalRole, str], digest: str) -> ClinicalTable:
    if ClinicalRole.PATIENT not in roles:
        raise ClinicalRegistrationError("say which column is the patient: --column patient=NAME")
    try:
        reader = csv.DictReader(io.StringIO(body.decode("utf-8-sig")), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ClinicalRegistrationError(f"not UTF-8 CSV ({type(error).__name__}); save it so") from None
    missing = sorted(set(roles.values()) - set(reader.fieldnames or ()))
    if missing:
        raise ClinicalRegistrationError(f"no column {', '.join(missing)} in the table; see its first row")
    told = tuple({role: (row[column] or "").strip() for role, column in roles.items()} for row in rows)
    return ClinicalTable(source_id, told, digest)
