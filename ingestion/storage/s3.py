"""A store that is a bucket of any S3-compatible server, through boto3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ingestion.storage.protocol import ObjectMissingError, StoredObject, StoreError

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
ATTEMPTS = 4
"""Tries of one request, the first included; botocore waits longer between them each time."""
_EXISTS = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_OURS = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
DIGEST = "sha256"
"""User metadata that holds the SHA-256 of the body: ours, whatever checksums a server knows."""


@dataclass(frozen=True)
class S3Store:
    """One bucket. Can be pickled; each process makes a client of its own. ``repr`` shows no secret."""

    bucket: str
    endpoint: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    region: str = "us-east-1"
    addressing_style: str = "path"

    def create(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        # Asking first saves sending the bytes again, and holds for a server that ignores the condition.
        if self.exists(key):
            return False
        with self._errors("write", key):
            try:
                self._client().put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=body,
                    ContentType=content_type,
                    IfNoneMatch="*",
                    Metadata={DIGEST: hashlib.sha256(body).hexdigest()},
                )
            except ClientError as error:
                if _code(error) in _EXISTS:
                    return False
                raise
        return True

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        whole = start == 0 and length is None
        if length == 0:
            return b""
        extra = {} if whole else {"Range": f"bytes={start}-{'' if length is None else start + length - 1}"}
        with self._errors("read", key):
            try:
                answer = self._client().get_object(Bucket=self.bucket, Key=key, **extra)
                body = answer["Body"].read()
            except ClientError as error:
                if _code(error) in _MISSING:
                    raise ObjectMissingError(key) from None
                if _code(error) in {"InvalidRange", "416"}:
                    return b""
                raise
        expected = answer.get("Metadata", {}).get(DIGEST)
        if whole and expected is not None and hashlib.sha256(body).hexdigest() != expected:
            raise StoreError(f"{self.bucket}/{key} has other bytes than were written: the store is damaged")
        return bytes(body)

    def exists(self, key: str) -> bool:
        with self._errors("look up", key):
            try:
                self._client().head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if _code(error) in _MISSING:
                    return False
                raise
        return True

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        with self._errors("list", prefix):
            pages = (
                self._client()
                .get_paginator("list_objects_v2")
                .paginate(Bucket=self.bucket, Prefix=prefix, **({"StartAfter": after} if after else {}))
            )
            for page in pages:
                for row in page.get("Contents", []):
                    yield StoredObject(key=row["Key"], size=row["Size"], etag=row.get("ETag"))

    def ensure_bucket(self) -> None:
        """Make the bucket if it isn't there.

        Raises:
            StoreError: the store refused.
        """
        with self._errors("make the bucket", ""):
            try:
                self._client().create_bucket(Bucket=self.bucket)
            except ClientError as error:
                if _code(error) not in _OURS:
                    raise

    def _client(self) -> Any:
        return _client(self.endpoint, self.access_key, self.secret_key, self.region, self.addressing_style)

    @contextmanager
    def _errors(self, action: str, key: str) -> Iterator[None]:
        place = f"{self.bucket}/{key}" if key else self.bucket
        try:
            yield
        except ClientError as error:
            raise StoreError(f"the store refused to {action} {place}: {_code(error)}") from None
        except BotoCoreError as error:
            raise StoreError(f"the store could not {action} {place}: {type(error).__name__}") from None


@lru_cache(maxsize=8)
def _client(
    endpoint: str | None, access_key: str | None, secret_key: str | None, region: str, addressing_style: str
) -> Any:
    """The client of these settings in this process: making one takes a tenth of a second, as long as 20 objects."""
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


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
