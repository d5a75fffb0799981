"""Who may see records: users with a granted application, by a token; everybody where the data are open.

The file holds digests of tokens, so that reading it lets nobody in::

    [{"name": "study 12", "sha256": "…", "sources": ["PRCI-PROST-01"], "until": "2027-01-01"}]
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ingestion.catalogue.exports.words import ask
from ingestion.sources.registry import AccessMode, Agreement, SourceEntry

EVERY_SOURCE = "*"


class AccessFileError(ValueError):
    """The file of granted access can't be read; the message says what is wrong."""


class NotGrantedError(PermissionError):
    """No token, or none that is known and valid today."""


class Grant(BaseModel):
    """One granted application. ``sources``: ids, or ``*``; ``until``: its last day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    sources: tuple[str, ...] = Field(min_length=1)
    until: dt.date

    def may_see(self, source_id: str) -> bool:
        return EVERY_SOURCE in self.sources or source_id in self.sources


_GRANTS = TypeAdapter(tuple[Grant, ...])


class Access:
    """Looks tokens up. The file is read at each question: a grant that is taken out ends at once."""

    def __init__(self, file: Path | None, *, today: Callable[[], dt.date]) -> None:
        self._file, self._today = file, today

    def grant_of(self, authorization: str | None) -> Grant:
        """The grant of a header ``Bearer TOKEN``.

        Raises:
            NotGrantedError: there is no such grant, or it ended.
            AccessFileError: the file can't be read.
        """
        kind, _, token = (authorization or "").partition(" ")
        if kind.casefold() != "bearer" or not token.strip():
            raise NotGrantedError("records are for approved users: send the token of your application as a bearer")
        said = hashlib.sha256(token.strip().encode()).hexdigest()
        found = [one for one in read_grants(self._file) if hmac.compare_digest(one.sha256, said)]
        if not any(self._today() <= one.until for one in found):
            raise NotGrantedError("the token is not known, or its access has ended: apply for access again")
        return next(one for one in found if self._today() <= one.until)


class OpenAccess(Access):
    """Everybody may see all records, as of a public index."""

    def __init__(self) -> None:
        super().__init__(None, today=dt.date.today)

    def grant_of(self, authorization: str | None) -> Grant:
        return Grant(name="everybody", sha256="0" * 64, sources=(EVERY_SOURCE,), until=dt.date.max)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the registry says of downloads. ``asking``: whom to ask, by source.

    A release tells the terms of its day; those that were narrowed since hold at once.
    """

    asking: Mapping[str, str]
    agreements: Mapping[str, Agreement]

    @staticmethod
    def of(entries: Iterable[SourceEntry]) -> Terms:
        known = tuple(entries)
        return Terms(
            {one.id: ask(one.contact.name, one.contact.email) for one in known},
            {one.id: one.agreement for one in known},
        )

    def closed(self, sources: Iterable[str], day: dt.date) -> frozenset[str]:
        """Those of the sources that may not be downloaded on ``day``; one that the registry does not know is one."""
        return frozenset(one for one in sources if not self._is_open(self.agreements.get(one), day))

    def holds(self, source_id: str, day: dt.date) -> bool:
        """Whether the source's agreement holds on ``day``: where it ended or was withdrawn, all grants to it end."""
        agreement = self.agreements.get(source_id)
        return agreement is not None and agreement.valid_on(day)

    def _is_open(self, agreement: Agreement | None, day: dt.date) -> bool:
        return agreement is not None and agreement.access_mode is AccessMode.DOWNLOAD and agreement.valid_on(day)


def read_grants(file: Path | None) -> tuple[Grant, ...]:
    """Raises ``AccessFileError``; a missing file grants nothing."""
    if file is None:
        return ()
    try:
        return _GRANTS.validate_json(file.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        raise AccessFileError(
            f"{file.name}, the file of granted access, can't be read: {type(error).__name__}"
        ) from None


def add_grant(file: Path, *, name: str, sources: tuple[str, ...], until: dt.date) -> str:
    """Grant access; the token, which is kept nowhere."""
    token = secrets.token_urlsafe(32)
    grant = Grant(name=name, sha256=hashlib.sha256(token.encode()).hexdigest(), sources=sources, until=until)
    grants = [one.model_dump(mode="json") for one in (*read_grants(file), grant)]
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    with os.fdopen(handle, "w") as target:
        json.dump(grants, target, indent=1)
    os.replace(draft, file)
    return token
