"""A store that is a bucket of any S3-compatible server: objects through obstore, the rest through boto3."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import obstore
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store as ObstoreS3

from ingestion.storage.protocol import ObjectMissingError, StoredObject, StoreError
from ingestion.storage.s3_clients import Place, control_client, object_client

_OURS = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
DIGEST = "sha256"
"""User metadata that holds the SHA-256 of the body: ours, whatever checksums a server knows."""
_STATUS = re.compile(r"status code: (\d{3})[^<]*(?:<.*?<Code>(\w+)</Code>)?", re.DOTALL)
_RANGE_OUTSIDE = "416"
_DELETED_AT_ONCE = 1_000
"""Keys of one DeleteObjects request: as many as S3 takes."""


@dataclass(frozen=True)
class S3Store:
    """One bucket. Can be pickled; each process makes clients of its own. ``repr`` shows no secret."""

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
                # One request: the parts of a multipart upload are not joined under a condition everywhere.
                obstore.put(
                    self._objects(), key, body, attributes=_attributes(body, content_type), mode="create",
                    use_multipart=False,
                )  # fmt: skip
            except AlreadyExistsError:
                return False
        return True

    def replace(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> None:
        with self._errors("write", key):
            obstore.put(
                self._objects(), key, body, attributes=_attributes(body, content_type), mode="overwrite",
                use_multipart=False,
            )  # fmt: skip

    def delete(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            some = [{"Key": key} for key in keys[start : start + _DELETED_AT_ONCE]]
            with self._errors("delete", keys[start]):
                answer = control_client(self._place()).delete_objects(
                    Bucket=self.bucket, Delete={"Objects": some, "Quiet": True}
                )
            for wrong in answer.get("Errors", []):
                raise StoreError(f"the store refused to delete {self.bucket}/{wrong['Key']}: {wrong.get('Code')}")

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        if length == 0:
            return b""
        whole = start == 0 and length is None
        with self._errors("read", key):
            try:
                if whole:
                    answer = obstore.get(self._objects(), key)
                elif length is None:
                    answer = obstore.get(self._objects(), key, options={"range": {"offset": start}})
                else:
                    answer = obstore.get(self._objects(), key, options={"range": (start, start + length)})
                body = answer.bytes().to_bytes()
            except FileNotFoundError as error:
                if _told(error)[1] == "NoSuchBucket":
                    raise
                raise ObjectMissingError(key) from None
            except BaseError as error:
                if _told(error)[0] == _RANGE_OUTSIDE:
                    return b""
                raise
        expected = answer.attributes.get(DIGEST) if whole else None
        if expected is not None and hashlib.sha256(body).hexdigest() != expected:
            raise StoreError(f"{self.bucket}/{key} has other bytes than were written: the store is damaged")
        return body

    def exists(self, key: str) -> bool:
        with self._errors("look up", key):
            try:
                obstore.head(self._objects(), key)
            except FileNotFoundError:
                return False
        return True

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        with self._errors("list", prefix):
            pages = (
                control_client(self._place())
                .get_paginator("list_objects_v2")
                .paginate(Bucket=self.bucket, Prefix=prefix, **({"StartAfter": after} if after else {}))
            )
            for page in pages:
                for row in page.get("Contents", []):
                    yield StoredObject(
                        key=row["Key"], size=row["Size"], etag=row.get("ETag"), written=row.get("LastModified")
                    )

    def ensure_bucket(self) -> None:
        """Make the bucket if it isn't there.

        Raises:
            StoreError: the store refused.
        """
        with self._errors("make the bucket", ""):
            try:
                control_client(self._place()).create_bucket(Bucket=self.bucket)
            except ClientError as error:
                if _code(error) not in _OURS:
                    raise

    def _place(self) -> Place:
        return Place(
            self.bucket, self.endpoint, self.access_key, self.secret_key, self.region, self.addressing_style
        )  # fmt: skip

    def _objects(self) -> ObstoreS3:
        return object_client(self._place())

    @contextmanager
    def _errors(self, action: str, key: str) -> Iterator[None]:
        """Every failure as a ``StoreError`` of few words: clients' messages hold requests and whole answers."""
        place = f"{self.bucket}/{key}" if key else self.bucket
        try:
            yield
        except ClientError as error:
            raise StoreError(f"the store refused to {action} {place}: {_code(error)}") from None
        except BotoCoreError as error:
            raise StoreError(f"the store could not {action} {place}: {type(error).__name__}{_hint(None)}") from None
        except (BaseError, FileNotFoundError) as error:
            status, code = _told(error)
            told = f"refused to {action} {place}: {code or status}" if status else f"could not {action} {place}"
            raise StoreError(f"the store {told}{_hint(status)}") from None
        except ValueError:  # obstore's for a path with empty, '.' or '..' segments or control characters
            raise StoreError(f"{key!r} is no key") from None


def _attributes(body: bytes, content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type, DIGEST: hashlib.sha256(body).hexdigest()}


def _hint(status: str | None) -> str:
    """Where it did not answer at all."""
    return "" if status else "; `cie status` shows whether the embedded one runs, `cie up` starts it"


def _told(error: Exception) -> tuple[str | None, str | None]:
    """Status and S3 code of the answer that ``error`` is about; obstore has them in the message only."""
    match = _STATUS.search(str(error))
    return (match[1], match[2]) if match else (None, None)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
