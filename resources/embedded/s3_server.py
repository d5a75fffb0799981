"""An S3-compatible server over a folder: what the pipeline uses of S3, with create-once and checked signatures.

python -m resources.embedded.s3_server --root FOLDER --port N      (keys: CIE_S3_ACCESS_KEY, CIE_S3_SECRET_KEY)
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import logging
import os
import re
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path
from xml.sax.saxutils import escape

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from resources.embedded.s3_body import S3Error, payload, read_body
from resources.embedded.s3_files import ExistsError, Files, Row
from resources.embedded.s3_listing import NAMESPACE, list_objects
from resources.embedded.s3_signature import SignatureError, check_signature

MAX_KEY_BYTES = 1024
MAX_PART_NUMBER = 10_000
MAX_DOCUMENT = 2 << 20
"""Bytes of XML: the longest that S3 allows names 1,000 keys of 1,024 bytes or 10,000 parts."""
MAX_HEAD = 64 << 10
"""Bytes of a request's head; S3's own limit is 8 kB of headers."""
DRAIN_BYTES = 16 << 20
"""Of a refused body so much is read and thrown away, so that the client hears why it was refused."""
DRAIN_SECONDS = 5.0
_STATUS = {
    "NoSuchKey": 404, "NoSuchBucket": 404, "NoSuchUpload": 404, "PreconditionFailed": 412, "InvalidRange": 416,
    "BucketAlreadyOwnedByYou": 409, "EntityTooLarge": 413, "RequestTimeout": 408, "NotImplemented": 501,
    "InsufficientStorage": 507, "InternalError": 500,
}  # fmt: skip
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ufffe\uffff\U0010ffff]")
"""Characters that no XML document can hold, and the one that sorts last."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_log = logging.getLogger(__name__)


class Server:
    """Answers requests over one ``Files``."""

    def __init__(self, files: Files, *, access_key: str, secret_key: str) -> None:
        self._files, self._access_key, self._secret_key = files, access_key, secret_key

    async def answer(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            # Before the body is read: nobody without the secret may fill the memory.
            self._check(request, headers)
            body = await read_body(request)
        except SignatureError as error:
            await _drain(request)
            return _error(request, str(error), 403)
        except S3Error as error:
            return _error(request, str(error), _STATUS.get(str(error), 400))
        return await run_in_threadpool(self._answer, request, body, headers)

    def _check(self, request: Request, headers: Mapping[str, str]) -> None:
        try:
            raw_path = request.scope["raw_path"].decode("ascii").split("?")[0]
            query = request.scope["query_string"].decode("ascii")
        except UnicodeDecodeError:
            raise S3Error("InvalidURI") from None
        check_signature(
            request.method, raw_path, query, headers, access_key=self._access_key, secret_key=self._secret_key
        )

    def _answer(self, request: Request, body: bytes, headers: dict[str, str]) -> Response:
        try:
            body = payload(body, headers)
            bucket, _, key = request.path_params["path"].partition("/")
            _check_names(bucket, key)
            return self._bucket(request, bucket, body) if not key else self._object(request, bucket, key, body, headers)
        except S3Error as error:
            return _error(request, str(error), _STATUS.get(str(error), 400))
        except ExistsError:
            return _error(request, "PreconditionFailed", 412)
        except OSError as error:
            full = error.errno in _FULL
            _log.error("%s: %s", request.method, os.strerror(error.errno or 0))
            return _error(request, "InsufficientStorage" if full else "InternalError", 507 if full else 500)
        except sqlite3.OperationalError as error:
            full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
            _log.error("%s: the index: %s", request.method, error.sqlite_errorname)
            return _error(request, "InsufficientStorage" if full else "InternalError", 507 if full else 500)

    def _bucket(self, request: Request, bucket: str, body: bytes) -> Response:
        query, method = request.query_params, request.method
        if method == "PUT":
            if not self._files.create_bucket(bucket):
                raise S3Error("BucketAlreadyOwnedByYou")
            return Response(headers={"Location": f"/{bucket}"})
        if not self._files.has_bucket(bucket):
            raise S3Error("NoSuchBucket")
        if method == "HEAD":
            return Response()
        if method == "POST" and "delete" in query:
            return self._delete_many(bucket, body)
        if method == "GET" and query.get("list-type") == "2":
            return _xml(list_objects(self._files, bucket, query))
        if method == "GET" and "location" in query:
            return _xml(f"<LocationConstraint {NAMESPACE}/>")
        raise S3Error("NotImplemented")

    def _delete_many(self, bucket: str, body: bytes) -> Response:
        keys = [node.text or "" for node in _document(body).iter() if _tag(node) == "Key"]
        for key in keys:
            self._files.delete(bucket, key)
        told = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return _xml(f"<DeleteResult {NAMESPACE}>{told}</DeleteResult>")

    def _object(self, request: Request, bucket: str, key: str, body: bytes, headers: dict[str, str]) -> Response:
        if not self._files.has_bucket(bucket):
            raise S3Error("NoSuchBucket")
        query, method = request.query_params, request.method
        only_new = headers.get("if-none-match") == "*"
        meta = {name[11:]: value for name, value in headers.items() if name.startswith("x-amz-meta-")}
        type_ = headers.get("content-type", "binary/octet-stream")
        if method in ("GET", "HEAD"):
            return self._get(bucket, key, headers, head=method == "HEAD")
        if method == "PUT" and "partNumber" in query:
            upload, number = query.get("uploadId", ""), _number(query["partNumber"])
            if not self._files.has_upload(upload, bucket, key):
                raise S3Error("NoSuchUpload")
            etag = self._files.put_part(upload, number, body)
            return Response(headers={"ETag": f'"{etag}"'})
        if method == "PUT" and "x-amz-copy-source" not in headers:
            etag = self._files.put(bucket, key, body, type_=type_, meta=meta, only_new=only_new)
            return Response(headers={"ETag": f'"{etag}"'})
        if method == "POST" and "uploads" in query:
            upload = self._files.start_upload(bucket, key, type_=type_, meta=meta)
            name = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{upload}</UploadId>"
            return _xml(f"<InitiateMultipartUploadResult {NAMESPACE}>{name}</InitiateMultipartUploadResult>")
        if method == "POST" and "uploadId" in query:
            upload = query["uploadId"]
            if not self._files.has_upload(upload, bucket, key):
                raise S3Error("NoSuchUpload")
            parts = [_number(node.text or "") for node in _document(body).iter() if _tag(node) == "PartNumber"]
            if parts != sorted(set(parts)):
                raise S3Error("InvalidPartOrder")
            finished = self._files.finish_upload(upload, parts, only_new=only_new)
            if finished is None:
                raise S3Error("InvalidPart")
            name = f'<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><ETag>"{finished}"</ETag>'
            return _xml(f"<CompleteMultipartUploadResult {NAMESPACE}>{name}</CompleteMultipartUploadResult>")
        if method == "DELETE":
            if "uploadId" in query:
                self._files.abort_upload(query["uploadId"])
            else:
                self._files.delete(bucket, key)
            return Response(status_code=204)
        raise S3Error("NotImplemented")

    def _get(self, bucket: str, key: str, headers: dict[str, str], *, head: bool) -> Response:
        row = self._files.find(bucket, key)
        if row is None:
            raise S3Error("NoSuchKey")
        start, end, status = _range(headers.get("range"), row)
        answer = {
            "ETag": f'"{row.etag}"', "Content-Type": row.type, "Accept-Ranges": "bytes",
            "Last-Modified": formatdate(usegmt=True), "Content-Length": str(end - start),
            **{f"x-amz-meta-{name}": value for name, value in json.loads(row.meta).items()},
        }  # fmt: skip
        if status == 206:
            answer["Content-Range"] = f"bytes {start}-{end - 1}/{row.size}"
        body = b"" if head else self._files.read(row, start=start, length=end - start)
        return Response(body, status_code=status, headers=answer)


def _range(text: str | None, row: Row) -> tuple[int, int, int]:
    match = _RANGE.fullmatch(text) if text else None
    if match is None or match.groups() == ("", ""):
        return 0, row.size, 200
    first, last = match.groups()
    if (first and int(first) >= row.size) or (not first and not int(last)) or not row.size:
        raise S3Error("InvalidRange")
    if not first:
        return max(0, row.size - int(last)), row.size, 206
    if last and int(last) < int(first):
        return 0, row.size, 200  # not a range (RFC 9110, section 14.1.1): as if none were asked for
    return int(first), min(int(last) + 1 if last else row.size, row.size), 206


def _check_names(bucket: str, key: str) -> None:
    """Keys never become paths here; a key that would climb elsewhere is refused for those who copy it to a folder."""
    if bucket and not _BUCKET.fullmatch(bucket):
        raise S3Error("InvalidBucketName")
    if len(key.encode()) > MAX_KEY_BYTES:
        raise S3Error("KeyTooLongError")
    if _CONTROL.search(key) or not {".", ".."}.isdisjoint(key.split("/")):
        raise S3Error("InvalidArgument")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= MAX_PART_NUMBER):
        raise S3Error("InvalidArgument")
    return int(text)


def _document(body: bytes) -> ET.Element:
    if len(body) > MAX_DOCUMENT or b"<!" in body:  # no document type, so no entities that grow
        raise S3Error("MalformedXML")
    try:
        return ET.fromstring(body)
    except ET.ParseError:
        raise S3Error("MalformedXML") from None


def _tag(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


async def _drain(request: Request) -> None:
    if int(request.headers.get("content-length", "0")) > DRAIN_BYTES:
        return
    size = 0
    with suppress(ClientDisconnect, TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > DRAIN_BYTES:
                    return


def _xml(text: str) -> Response:
    return Response('<?xml version="1.0" encoding="UTF-8"?>' + text, media_type="application/xml")


def _error(request: Request, code: str, status: int) -> Response:
    body = "" if request.method == "HEAD" else f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return Response(body, status_code=status, media_type="application/xml")


def build_app(root: Path, *, access_key: str, secret_key: str) -> Starlette:
    server = Server(Files(root), access_key=access_key, secret_key=secret_key)
    route = Route("/{path:path}", server.answer, methods=["GET", "HEAD", "PUT", "POST", "DELETE"])
    return Starlette(routes=[route])


def main() -> None:
    parser = argparse.ArgumentParser(prog="s3_server")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    app = build_app(
        arguments.root, access_key=os.environ["CIE_S3_ACCESS_KEY"], secret_key=os.environ["CIE_S3_SECRET_KEY"]
    )
    uvicorn.run(
        app,
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        access_log=False,
        http="h11",  # the other parser of uvicorn sets no bound to the size of a head
        h11_max_incomplete_event_size=MAX_HEAD,
    )


if __name__ == "__main__":
    main()
