"""The registry of sources: one row of ``registry.yaml`` is one source database and one Dagster partition.

Everything is validated on load and all errors are reported at once, each with its row, source and field.
"""

from __future__ import annotations

import datetime as dt
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from ingestion.strict_yaml import YamlFileError, parse_yaml
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.data_use import data_use_terms
from ingestion.vocabulary.modality import modalities
from ingestion.vocabulary.terms import CodedTerm

SourceId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{1,38}[A-Z0-9]$")]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
ModalityCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,16}$")]
Doi = Annotated[str, StringConstraints(pattern=r"^10\.\d{4,9}/[^\s\"<>]+$")]


class RegistryError(ValueError):
    """The registry cannot be used. ``problems`` has one line per error: row, source, field, what is wrong."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__(f"{path} has {len(problems)} error(s):\n" + "\n".join(f"  - {line}" for line in problems))


class AgreementKind(StrEnum):
    DATA_TRANSFER = "data_transfer_agreement"
    DATA_SHARING = "data_sharing_agreement"


class AccessMode(StrEnum):
    """How users reach the data once granted (EUCAIM DCAT-AP access conditions)."""

    DOWNLOAD = "download"
    IN_SITU = "in_situ_processing"
    REMOTE = "remote_processing"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figures(_Model):
    """What the source is said to hold, when, and where each figure comes from."""

    individuals: int = Field(ge=0)
    studies: int = Field(ge=0)
    series: int = Field(ge=0)
    as_of: dt.date
    provenance: str = Field(min_length=3)


class FolderSettings(_Model):
    """A folder of files; a relative path counts from the folder sources' root (``CIE_SOURCES_DIR``)."""

    kind: Literal["folder"]
    path: Path
    max_member_bytes: int = Field(1 << 30, gt=0, description="largest archive member, unpacked")
    max_compression_ratio: int = Field(200, gt=1, description="DICOM deflates by 2 to 20; a bomb by 1000 and more")


class Agreement(_Model):
    """The agreement under which the source's data may be published. Unsigned: left out of every release."""

    kind: AgreementKind
    signed_on: dt.date | None
    valid_until: dt.date | None
    data_use: tuple[str, ...] = Field(min_length=1, description="DUO codes of the 23 data-use conditions")
    access_mode: AccessMode
    withdrawn_on: dt.date | None = Field(None, description="from this day on the source is in no release")
    note: str = ""

    @field_validator("data_use")
    @classmethod
    def _conditions_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [code for code in value if code not in data_use_terms()]
        if unknown:
            raise ValueError(
                f"no data-use condition of EUCAIM: {', '.join(unknown)}; the {len(data_use_terms())} known ones are in "
                "ingestion/vocabulary/data/data_use.csv"
            )
        return value

    @model_validator(mode="after")
    def _dates_in_order(self) -> Agreement:
        if self.signed_on and self.valid_until and self.valid_until <= self.signed_on:
            raise ValueError("valid_until must be after signed_on")
        return self

    def valid_on(self, day: dt.date) -> bool:
        """Signed, not withdrawn, and ``day`` within its term."""
        return (
            self.signed_on is not None
            and self.signed_on <= day
            and (self.withdrawn_on is None or day < self.withdrawn_on)
            and (self.valid_until is None or day <= self.valid_until)
        )


class Contact(_Model):
    name: str = Field(min_length=2)
    email: EmailStr


class CountRule(_Model):
    """How public counts of a source are shown, where its agreement asks for other than the default.

    Counts of mixed sources go by the strictest of each. ``noise``: scale of a Laplace distribution, in people.
    """

    hidden_below: int = Field(10, ge=1, le=1_000)
    rounded_to: int = Field(10, ge=1, le=1_000, description="not stated: the bound, and 10 at least")
    noise: float = Field(0.0, ge=0, le=1_000, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _rounding_follows_the_bound(cls, given: Any) -> Any:
        if isinstance(given, dict) and "rounded_to" not in given and isinstance(given.get("hidden_below"), int):
            return {**given, "rounded_to": max(given["hidden_below"], 10)}
        return given

    @model_validator(mode="after")
    def _what_is_hidden_stays_so(self) -> CountRule:
        if self.rounded_to < self.hidden_below:
            raise ValueError(
                f"rounded_to {self.rounded_to} is finer than hidden_below {self.hidden_below}: what is hidden would be "
                f"the total less the rest; round to {self.hidden_below} or more"
            )
        return self


class SourceEntry(_Model):
    """One source database."""

    id: SourceId
    project: str = Field(min_length=2)
    holder_countries: tuple[CountryCode, ...] = Field(min_length=1)
    cancer_type: CancerType
    modalities: tuple[ModalityCode, ...] = Field(min_length=1)
    figures: Figures
    connector: FolderSettings
    licence: str | None = Field(None, min_length=2, description="SPDX id; None: the agreement alone tells")
    doi: Doi | None = None
    policy: str = Field(min_length=1)
    agreement: Agreement
    contact: Contact
    counts: CountRule = CountRule()

    @field_validator("modalities")
    @classmethod
    def _modalities_are_defined(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [code for code in value if code not in modalities()]
        if unknown:
            raise ValueError(f"no defined term of Modality (PS3.3 section C.7.3.1.1.1): {', '.join(unknown)}")
        return value

    @property
    def cancer_code(self) -> CodedTerm:
        return self.cancer_type.code


class Registry(_Model):
    """All sources, in the order of the file, ids unique."""

    description: str
    publisher: Contact | None = Field(
        None, description="who publishes the catalogue; its public record has to name one"
    )
    sources: tuple[SourceEntry, ...] = Field(min_length=1)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(entry.id for entry in self.sources)

    def get(self, source_id: str) -> SourceEntry:
        """The entry of ``source_id``.

        Raises:
            UnknownSourceError: no such source.
        """
        for entry in self.sources:
            if entry.id == source_id:
                return entry
        raise UnknownSourceError(
            f"no source {source_id!r} in the registry; `cie sources list` shows all {len(self.sources)}"
        )

    def select(self, ids: list[str] | tuple[str, ...] | None) -> tuple[SourceEntry, ...]:
        """The named entries in the registry's order; all of them for None."""
        if ids is None:
            return self.sources
        for source_id in ids:
            self.get(source_id)
        return tuple(entry for entry in self.sources if entry.id in set(ids))


class UnknownSourceError(LookupError):
    """A source id that the registry does not have."""


def load_registry(path: Path) -> Registry:
    """Read and validate the registry.

    Raises:
        RegistryError: the file is missing or not YAML, or rows are wrong; names every error with row and field.
    """
    try:
        data = parse_yaml(path.read_text(encoding="utf-8"), place="the file")
    except FileNotFoundError:
        raise RegistryError(path, ["the file does not exist; set CIE_REGISTRY to the registry to use"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(path, [f"the file cannot be read as text ({type(error).__name__})"]) from None
    except YamlFileError as error:
        raise RegistryError(path, [str(error)]) from None
    if not isinstance(data, dict) or not isinstance(data.get("sources"), list):
        raise RegistryError(path, ["must be a mapping with a list named 'sources'"])
    problems = _duplicates(data["sources"])
    try:
        registry = Registry.model_validate(data)
    except ValidationError as error:
        problems += [_line(data["sources"], part) for part in error.errors()]
        raise RegistryError(path, problems) from None
    if problems:
        raise RegistryError(path, problems)
    return registry


def _duplicates(rows: list[Any]) -> list[str]:
    first: dict[Any, int] = {}
    problems = []
    for number, row in enumerate(rows, start=1):
        source_id = row.get("id") if isinstance(row, dict) else None
        if isinstance(source_id, str):
            if source_id in first:
                problems.append(f"row {number} ({source_id}), field id: the same id as row {first[source_id]}")
            first.setdefault(source_id, number)
    return problems + _shared_folders(rows)


def _shared_folders(rows: list[Any]) -> list[str]:
    """One folder in two rows would publish its people twice, under two pseudonyms each."""
    first: dict[str, int] = {}
    problems = []
    for number, row in enumerate(rows, start=1):
        connector = row.get("connector") if isinstance(row, dict) else None
        path = connector.get("path") if isinstance(connector, dict) else None
        if not isinstance(path, str):
            continue
        folder = os.path.normpath(path)
        if folder in first:
            problems.append(
                f"row {number} ({row.get('id', '?')}), field connector.path: the same folder as row {first[folder]}"
            )
        first.setdefault(folder, number)
    return problems


def _line(rows: list[Any], part: Any) -> str:
    location = list(part["loc"])
    if location[:1] == ["sources"] and len(location) > 1 and isinstance(location[1], int):
        row = rows[location[1]]
        name = row.get("id", "?") if isinstance(row, dict) else "?"
        field = ".".join(str(piece) for piece in location[2:]) or "(row)"
        return f"row {location[1] + 1} ({name}), field {field}: {part['msg']}"
    return f"field {'.'.join(str(piece) for piece in location)}: {part['msg']}"
