"""The body of a request: read within bounds, taken out of its chunks, checked against its digests.

Not checked: chunk signatures (the head of the request is signed, and the server is on the loopback) and checksums
other than MD5, SHA-256, SHA-1 and CRC32.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping

from starlette.requests import ClientDisconnect, Request

MAX_BODY = 5 << 30
"""S3's limit for one PUT (Amazon S3 user guide, "Uploading objects")."""
MAX_CHUNK_LINE = 4096
"""A chunk's length, its signature and nothing else."""
BODY_SECONDS = 300.0
"""Longest time for one body to arrive; a client that drips must not hold its memory for ever."""
_CHUNKED = "STREAMING-"
_CHECKSUMS: Mapping[str, Callable[[bytes], bytes]] = {
    "content-md5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4),
}


class S3Error(Exception):
    """An answer other than success; the first argument is S3's code."""


async def read_body(request: Request) -> bytes:
    """All bytes of the body as sent.

    Raises:
        S3Error: too large, too slow, or less than was promised.
    """
    declared = request.headers.get("content-length")
    if declared is not None and int(declared) > MAX_BODY:
        raise S3Error("EntityTooLarge")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY:
                    raise S3Error("EntityTooLarge")
                parts.append(part)
    except TimeoutError:
        raise S3Error("RequestTimeout") from None
    except ClientDisconnect:
        raise S3Error("IncompleteBody") from None
    return b"".join(parts)


def payload(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body as it was before chunks were put around it, after its digests were found right.

    Raises:
        S3Error: it isn't what its head says.
    """
    declared = headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
    trailers: Mapping[str, str] = {}
    if declared.startswith(_CHUNKED):
        body, trailers = _unchunk(body)
        length = headers.get("x-amz-decoded-content-length")
        if length is not None and length != str(len(body)):
            raise S3Error("IncompleteBody")
    elif declared != "UNSIGNED-PAYLOAD" and declared != hashlib.sha256(body).hexdigest():
        raise S3Error("XAmzContentSHA256Mismatch")
    for name, digest in _CHECKSUMS.items():
        expected = headers.get(name) or trailers.get(name)
        if expected and expected != base64.b64encode(digest(body)).decode():
            raise S3Error("BadDigest")
    return body


def _unchunk(body: bytes) -> tuple[bytes, dict[str, str]]:
    """Content of an ``aws-chunked`` body and what its trailer says (AWS: Signature calculations, chunked upload)."""
    parts: list[bytes] = []
    position = 0
    while True:
        end = body.find(b"\r\n", position, position + MAX_CHUNK_LINE)
        if end < 0:
            raise S3Error("IncompleteBody")
        try:
            length = int.from_bytes(binascii.unhexlify(body[position:end].split(b";")[0].strip().rjust(16, b"0")))
        except binascii.Error:
            raise S3Error("MalformedChunk") from None
        start, position = end + 2, end + 2 + length + 2
        if length == 0:
            return b"".join(parts), _trailers(body[start:])
        if body[position - 2 : position] != b"\r\n":
            raise S3Error("IncompleteBody")
        parts.append(body[start : start + length])


def _trailers(text: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.decode("latin-1").splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
