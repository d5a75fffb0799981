"""The two clients of a bucket in this process: boto3 for control, obstore for objects.

obstore takes a third of boto3's processor time for an object of 500 kB (``docs/decisions/0001-object-store.md``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import boto3
from botocore.config import Config
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store as ObstoreS3

from ingestion.storage.protocol import StoreError

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
TRANSFER_SECONDS = 300
"""Longest time for one object: 2 GB over a line of 7 MB/s. obstore bounds the whole transfer, not the pauses in it."""
ATTEMPTS = 4
"""Tries of one request, the first included; both clients wait longer between them each time."""


@dataclass(frozen=True)
class Place:
    """One bucket and how it is reached. ``repr`` shows no secret."""

    bucket: str
    endpoint: str | None
    access_key: str | None = field(repr=False)
    secret_key: str | None = field(repr=False)
    region: str
    addressing_style: str


def control_client(place: Place) -> Any:
    """boto3's client, one for each process: making one takes a tenth of a second, as long as 20 objects."""
    return _control_client(place.endpoint, place.access_key, place.secret_key, place.region, place.addressing_style,
                           os.getpid())  # fmt: skip


def object_client(place: Place) -> ObstoreS3:
    """obstore's client, one for each process.

    Raises:
        StoreError: this process was forked from one that had used obstore; its threads are gone, a call would never
            return. Start workers with ``forkserver`` or ``spawn``.
    """
    if _process_of_the_threads() != os.getpid():
        raise StoreError("this process was forked after the store was used: start workers with forkserver or spawn")
    return _object_client(place)


@lru_cache(maxsize=1)
def _process_of_the_threads() -> int:
    """The process that used obstore first: its threads run there, and in no process forked from it."""
    return os.getpid()


@lru_cache(maxsize=8)
def _control_client(
    endpoint: str | None, access_key: str | None, secret_key: str | None, region: str, addressing_style: str,
    process: int,  # a forked process shares the open connections of its parent: it needs a client of its own
) -> Any:  # fmt: skip
    session = boto3.session.Session(aws_access_key_id=access_key, aws_secret_access_key=secret_key, region_name=region)
    return session.client(
        "s3",
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"max_attempts": ATTEMPTS, "mode": "standard"},
            s3={"addressing_style": addressing_style},  # type: ignore[arg-type]
            # Chunked trailers with checksums aren't understood everywhere; we keep a SHA-256 of our own.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


@lru_cache(maxsize=8)
def _object_client(place: Place) -> ObstoreS3:
    virtual = place.addressing_style == "virtual" or (place.addressing_style == "auto" and place.endpoint is None)
    where: dict[str, Any] = {} if place.endpoint is None else {"endpoint": _endpoint(place, virtual=virtual)}
    return ObstoreS3(
        place.bucket,
        region=place.region,
        virtual_hosted_style_request=virtual,
        # Not keys as arguments: beside those obstore would send a session token that the environment happens to hold.
        credential_provider=_credentials(place),
        client_options={
            "allow_http": place.endpoint is not None and place.endpoint.startswith("http://"),
            "connect_timeout": f"{CONNECT_TIMEOUT_SECONDS}s",
            "timeout": f"{TRANSFER_SECONDS}s",
        },
        retry_config={"max_retries": ATTEMPTS - 1},
        **where,
    )


def _endpoint(place: Place, *, virtual: bool) -> str:
    """obstore wants the bucket within the address of an own server where it is part of the host name."""
    parts = urlsplit(place.endpoint or "")
    return urlunsplit(parts._replace(netloc=f"{place.bucket}.{parts.netloc}")) if virtual else str(place.endpoint)


def _credentials(place: Place) -> Any:
    if place.access_key is None:  # wherever boto3 finds them: environment, profile, role of the machine
        return Boto3CredentialProvider(boto3.session.Session(region_name=place.region))
    known = {
        "access_key_id": place.access_key, "secret_access_key": place.secret_key or "", "token": None,
        "expires_at": None,
    }  # fmt: skip
    return lambda: known
