"""An S3-compatible server over a folder: what the pipeline uses of S3, with create-once and checked signatures.

python -m resources.embedded.s3_server --root FOLDER --port N      (keys: CIE_S3_ACCESS_KEY, CIE_S3_SECRET_KEY)
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import xml.etree.ElementTree as ET
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from resources.embedded.s3_files import ExistsError, Files, Row
from resources.embedded.s3_signature import SignatureError, check_signature

_NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
MAX_KEYS = 1000
_STATUS = {
    "NoSuchKey": 404, "NoSuchBucket": 404, "NoSuchUpload": 404, "PreconditionFailed": 412, "InvalidRange": 416,
    "BucketAlreadyOwnedByYou": 409, "BadDigest": 400, "XAmzContentSHA256Mismatch": 400, "NotImplemented": 501,
    "IncompleteBody": 400, "MalformedXML": 400,
}  # fmt: skip
_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")
_CHUNKED = "STREAMING-"


class S3Error(Exception):
    """An answer other than success; the first argument is S3's code."""


class Server:
    """Answers requests over one ``Files``."""

    def __init__(self, files: Files, *, access_key: str, secret_key: str) -> None:
        self._files, self._access_key, self._secret_key = files, access_key, secret_key

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self._answer, request, body)

    def _answer(self, request: Request, body: bytes) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw_path = request.scope["raw_path"].decode("ascii").split("?")[0]
        try:
            check_signature(
                request.method, raw_path, request.scope["query_string"].decode("ascii"), headers,
                access_key=self._access_key, secret_key=self._secret_key,
            )  # fmt: skip
            body = _payload(body, headers)
            bucket, _, key = request.path_params["path"].partition("/")
            return self._bucket(request, bucket, body) if not key else self._object(request, bucket, key, body, headers)
        except SignatureError as error:
            return _error(request, str(error), 403)
        except S3Error as error:
            return _error(request, str(error), _STATUS.get(str(error), 400))
        except ExistsError:
            return _error(request, "PreconditionFailed", 412)

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
            return self._list(bucket, request)
        if method == "GET" and "location" in query:
            return _xml(f"<LocationConstraint {_NS}/>")
        raise S3Error("NotImplemented")

    def _list(self, bucket: str, request: Request) -> Response:
        query = request.query_params
        prefix, limit = query.get("prefix", ""), min(int(query.get("max-keys", MAX_KEYS)), MAX_KEYS)
        token = query.get("continuation-token", "")
        after = base64.urlsafe_b64decode(token).decode() if token else query.get("start-after", "")
        if query.get("delimiter"):
            raise S3Error("NotImplemented")
        rows = self._files.list(bucket, prefix=prefix, after=after, limit=limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        encode = quote if query.get("encoding-type") == "url" else escape
        contents = "".join(
            f'<Contents><Key>{encode(row.key)}</Key><LastModified>{row.changed}</LastModified><ETag>"{row.etag}"</ETag>'
            f"<Size>{row.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for row in rows
        )
        following = base64.urlsafe_b64encode(rows[-1].key.encode()).decode() if more else ""
        return _xml(
            f"<ListBucketResult {_NS}><Name>{bucket}</Name><Prefix>{encode(prefix)}</Prefix>"
            f"<KeyCount>{len(rows)}</KeyCount><MaxKeys>{limit}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>"
            + ("<EncodingType>url</EncodingType>" if encode is quote else "")
            + (f"<NextContinuationToken>{following}</NextContinuationToken>" if more else "")
            + contents
            + "</ListBucketResult>"
        )

    def _delete_many(self, bucket: str, body: bytes) -> Response:
        try:
            keys = [node.text or "" for node in ET.fromstring(body).iter() if node.tag.rpartition("}")[2] == "Key"]
        except ET.ParseError:
            raise S3Error("MalformedXML") from None
        for key in keys:
            self._files.delete(bucket, key)
        told = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return _xml(f"<DeleteResult {_NS}>{told}</DeleteResult>")

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
            etag = self._files.put_part(query["uploadId"], int(query["partNumber"]), body)
            return Response(headers={"ETag": f'"{etag}"'})
        if method == "PUT" and "x-amz-copy-source" not in headers:
            etag = self._files.put(bucket, key, body, type_=type_, meta=meta, only_new=only_new)
            return Response(headers={"ETag": f'"{etag}"'})
        if method == "POST" and "uploads" in query:
            upload = self._files.start_upload(bucket, key, type_=type_, meta=meta)
            name = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{upload}</UploadId>"
            return _xml(f"<InitiateMultipartUploadResult {_NS}>{name}</InitiateMultipartUploadResult>")
        if method == "POST" and "uploadId" in query:
            finished = self._files.finish_upload(query["uploadId"], only_new=only_new)
            if finished is None:
                raise S3Error("NoSuchUpload")
            name = f'<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><ETag>"{finished}"</ETag>'
            return _xml(f"<CompleteMultipartUploadResult {_NS}>{name}</CompleteMultipartUploadResult>")
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
    match = _RANGE.match(text) if text else None
    if match is None or match.groups() == ("", ""):
        return 0, row.size, 200
    first, last = match.groups()
    if not first:
        return max(0, row.size - int(last)), row.size, 206
    if int(first) >= row.size:
        raise S3Error("InvalidRange")
    return int(first), min(int(last) + 1 if last else row.size, row.size), 206


def _payload(body: bytes, headers: dict[str, str]) -> bytes:
    """The body as it was before chunks were put around it, after its digests were found right."""
    declared = headers.get("x-amz-content-sha256", "")
    if declared.startswith(_CHUNKED):
        body = _unchunk(body)
        length = headers.get("x-amz-decoded-content-length")
        if length is not None and int(length) != len(body):
            raise S3Error("IncompleteBody")
    elif declared != "UNSIGNED-PAYLOAD" and declared != hashlib.sha256(body).hexdigest():
        raise S3Error("XAmzContentSHA256Mismatch")
    md5 = headers.get("content-md5")
    if md5 and md5 != base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode():
        raise S3Error("BadDigest")
    sha256 = headers.get("x-amz-checksum-sha256")
    if sha256 and sha256 != base64.b64encode(hashlib.sha256(body).digest()).decode():
        raise S3Error("BadDigest")
    return body


def _unchunk(body: bytes) -> bytes:
    parts: list[bytes] = []
    position = 0
    while True:
        end = body.find(b"\r\n", position)
        if end < 0:
            raise S3Error("IncompleteBody")
        length = int(body[position:end].split(b";")[0], 16)
        if length == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + length])
        position = end + 4 + length


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
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
