"""The embedded S3 server when it is killed, lied to, fed too much, or out of room.

What S3 asks of it is in ``test_s3_protocol.py``, what the pipeline asks in ``test_store_contract.py``.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from s3_servers import ACCESS, SECRET, Served

from ingestion.storage import StoreError
from resources.embedded.s3_body import S3Error, payload
from resources.embedded.s3_files import ExistsError, Files

BUCKET = "made-up"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("s3"))
    server.endpoint.store(BUCKET).ensure_bucket()
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def still_serves(served: Served) -> Iterator[None]:
    """Whatever a test does to it, the server answers afterwards."""
    yield
    assert served.process.poll() is None
    assert not served.endpoint.store(BUCKET).exists("nothing")


def head_of(served: Served, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> dict[str, str]:
    """A head whose signature is right."""
    request = AWSRequest(method, served.endpoint.url + path, data=body, headers=headers)
    botocore.auth.S3SigV4Auth(Credentials(ACCESS, SECRET), "s3", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def asked(
    served: Served, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request(method, path, body=body, headers=head_of(served, method, path, headers or {}, body))
    answer = connection.getresponse()
    return answer.status, answer.read()


def raw(served: Served, text: bytes, *, hang_up: bool = True) -> bytes:
    """What comes back for these very bytes; nothing when the server hangs up before it has read them."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        try:
            line.sendall(text)
            if not hang_up:
                return line.recv(65536)
            line.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: line.recv(65536), b""))
        except OSError as error:
            assert error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN)
            return b""


def blobs(root: Path) -> set[Path]:
    return {path for path in (root / "blobs").rglob("*") if path.is_file()}


def test_everything_acknowledged_survives_a_kill(served: Served) -> None:
    store = served.endpoint.store(BUCKET)
    acknowledged: list[str] = []

    def write() -> None:
        for number in range(10_000):
            try:
                store.create(f"kept/{number}", str(number).encode() * 1000)
            except StoreError:
                return
            acknowledged.append(f"kept/{number}")

    writer = threading.Thread(target=write)
    writer.start()
    while len(acknowledged) < 20:
        time.sleep(0.01)
    served.kill()
    writer.join()
    served.start()
    assert {found.key for found in store.list("kept/")} >= set(acknowledged)
    for found in store.list("kept/"):
        assert store.read(found.key) == found.key.removeprefix("kept/").encode() * 1000


def test_it_ends_when_asked_to(tmp_path: Path) -> None:
    server = Served(tmp_path)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", "?list-type=2&max-keys=many", {}, b"", 400),
        ("GET", "?list-type=2&max-keys=-1", {}, b"", 400),
        ("GET", "?list-type=2&continuation-token=x", {}, b"", 400),
        ("PUT", "/k?partNumber=x&uploadId=none", {}, b"x", 400),
        ("PUT", "/k?partNumber=1", {}, b"x", 404),
        ("PUT", "/k?partNumber=99999&uploadId=none", {}, b"x", 400),
        ("POST", "/k?uploadId=none", {}, b"<x/>", 404),
        ("POST", "?delete", {}, b"<not closed", 400),
        ("POST", "?delete", {}, b'<!DOCTYPE a [<!ENTITY b "bb">]><a><Key>&b;</Key></a>', 400),
        ("POST", "?delete", {}, b"<a>" + b"x" * (3 << 20) + b"</a>", 400),
        ("PUT", "/" + "k" * 1025, {}, b"x", 400),
        ("PUT", "/nul%00byte", {}, b"x", 400),
        ("PUT", "/..%2Fup", {}, b"x", 400),
        ("PUT", "/a/./b", {}, b"x", 400),
        ("PUT", "/k", {"Content-MD5": "no base64"}, b"x", 400),
        ("PUT", "/k", {"x-amz-checksum-crc32": "AAAAAA=="}, b"x", 400),
        ("PUT", "/k", {"x-amz-copy-source": "/made-up/other"}, b"", 501),
        ("GET", "?acl", {}, b"", 501),
        ("GET", "/none", {"Range": "bytes=" + "9" * 400 + "-"}, b"", 404),
    ],
)
def test_a_wrong_argument_is_told(served: Served, method, path, headers, body, status) -> None:
    assert asked(served, method, f"/{BUCKET}{path}", headers, body)[0] == status
    assert not served.endpoint.store(BUCKET).exists("k")


def test_a_bucket_is_no_path(served: Served) -> None:
    for name in ("..", "UPPER", "a", "x" * 64, "%2e%2e", "a%2Fb%00"):
        assert asked(served, "PUT", f"/{name}")[0] == 400


def test_a_range_that_is_none_gives_all(served: Served) -> None:
    served.endpoint.store(BUCKET).create("ten", b"0123456789")
    for range_ in ("bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=0-1,4-5", "bytes=" + "9" * 400 + "-"):
        assert asked(served, "GET", f"/{BUCKET}/ten", {"Range": range_}) == (200, b"0123456789")
    assert asked(served, "GET", f"/{BUCKET}/ten", {"Range": "bytes=-0"})[0] == 416


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * (1 << 20) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100_000 + b"\r\n",
        b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"not http at all\r\n\r\n",
        b"PUT /made-up/k HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"PUT /made-up/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxx",
        b"PUT /made-up/k HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nxxx",
        b"PUT /made-up/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nxx",
        b"GET /made-up/\xff\xfe?x=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /made-up?list-type=2 HTTP/1.1\r\nHost: x\r\nAuthorization: AWS4-HMAC-SHA256 Credential=\xb2/\r\n\r\n",
    ],
    ids=range(10),
)
def test_what_is_no_request_gets_a_4xx_or_a_closed_line(served: Served, text: bytes) -> None:
    answer = raw(served, text)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def test_nobody_without_the_secret_fills_the_memory(served: Served) -> None:
    """A body of a terabyte that is announced and never sent, unsigned: refused without waiting for it."""
    head = b"PUT /made-up/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1099511627776\r\n\r\n"
    assert raw(served, head + b"x" * 100_000, hang_up=False).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize(("length", "sent", "status"), [("1099511627776", b"x", 413), ("10", b"only", None)])
def test_another_length_than_told_makes_no_object(served: Served, length, sent, status) -> None:
    path = f"/{BUCKET}/of-another-length"
    headers = head_of(served, "PUT", path, {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name.lower() != "content-length")
    host = f"127.0.0.1:{served.port}"
    answer = raw(
        served, f"PUT {path} HTTP/1.1\r\nHost: {host}\r\n{lines}Content-Length: {length}\r\n\r\n".encode() + sent
    )
    if status is not None:
        assert answer.startswith(f"HTTP/1.1 {status}".encode())
    assert not served.endpoint.store(BUCKET).exists("of-another-length")


def test_a_slow_body_holds_up_nobody(served: Served) -> None:
    path = f"/{BUCKET}/slow"
    headers = head_of(served, "PUT", path, {}, b"0123456789")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n{lines}Content-Length: 10\r\n\r\n"
    slow = [socket.create_connection(("127.0.0.1", served.port), timeout=30) for _ in range(50)]
    try:
        for line in slow:
            line.sendall(head.encode() + b"0123")
        assert served.endpoint.store(BUCKET).create("meanwhile", b"x")
        assert not served.endpoint.store(BUCKET).exists("slow")
        slow[0].sendall(b"456789")
        assert slow[0].recv(4096).startswith(b"HTTP/1.1 200")
        assert served.endpoint.store(BUCKET).read("slow") == b"0123456789"
    finally:
        for line in slow:
            line.close()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"5\r\nhel", b"5\r\nhello",
        b"5\r\nhelloXX0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"zz\r\nhello\r\n0\r\n\r\n",
        b"\r\n", b"f" * 17 + b"\r\nx", b"f" * 5000 + b"\r\nx", b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", b"4\r\nhell\r\n0\r\n\r\n",
    ],
    ids=range(12),
)  # fmt: skip
def test_bad_chunks_are_refused(served: Served, body: bytes) -> None:
    told = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "5"}
    with pytest.raises(S3Error):
        payload(body, told)
    # The signer wants to set the digest itself: it is told not to.
    status, _ = _signed_with(served, f"/{BUCKET}/chunked", told, body)
    assert status == 400
    assert not served.endpoint.store(BUCKET).exists("chunked")


def test_good_chunks_are_joined() -> None:
    told = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "5"}
    crc = "NhCmhg=="  # CRC-32 of "hello", big-endian
    body = f"2;chunk-signature=x\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n".encode()
    assert payload(body, told) == b"hello"


def _signed_with(served: Served, path: str, told: dict[str, str], body: bytes) -> tuple[int, bytes]:
    class Signer(botocore.auth.S3SigV4Auth):
        def payload(self, request: Any) -> str:
            return told["x-amz-content-sha256"]

        def _inject_signature_to_request(self, request: Any, signature: str) -> Any:
            return super()._inject_signature_to_request(request, signature)

    request = AWSRequest("PUT", served.endpoint.url + path, data=body, headers=dict(told))
    Signer(Credentials(ACCESS, SECRET), "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("PUT", path, body=body, headers=dict(request.headers.items()))
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_a_header_of_s3_that_nobody_signed_is_refused(served: Served) -> None:
    path = f"/{BUCKET}/unsigned-header"
    headers = head_of(served, "PUT", path, {}, b"x") | {"x-amz-meta-planted": "yes"}
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("PUT", path, body=b"x", headers=headers)
    assert connection.getresponse().status == 403


def test_no_key_becomes_a_path(served: Served, tmp_path: Path) -> None:
    store = served.endpoint.store(BUCKET)
    for key in ("etc/passwd", "a\\..\\b", "~/x", "blobs/00/x", "index.sqlite"):
        assert store.create(key, b"planted")
        assert store.read(key) == b"planted"
    assert {path.name for path in served.root.iterdir()} <= {
        "blobs", "index.sqlite", "index.sqlite-wal", "index.sqlite-shm",
    }  # fmt: skip
    assert all(len(path.name) == 32 and path.parent.name == path.name[:2] for path in blobs(served.root))
    assert served.root.stat().st_mode & 0o077 == 0


def test_no_room_leaves_no_half_object(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the write fails in the middle in the same way."""
    limited = Served(tmp_path, file_size_limit=1 << 20)
    try:
        store = limited.endpoint.store(BUCKET)
        store.ensure_bucket()
        assert store.create("fits", b"x" * 1000)
        before = blobs(tmp_path)
        with pytest.raises(StoreError, match="InsufficientStorage"):
            store.create("does not fit", b"x" * (2 << 20))
        with pytest.raises(ClientError) as refused:
            limited.endpoint.client().put_object(Bucket=BUCKET, Key="neither", Body=b"x" * (2 << 20))
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
        assert blobs(tmp_path) == before
        assert [found.key for found in store.list()] == ["fits"]
        assert store.create("fits too", b"x" * 1000)
    finally:
        limited.kill()


def test_a_full_disk_at_the_last_moment_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(tmp_path)
    files.create_bucket(BUCKET)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="no space"):
            files.put(BUCKET, "k", b"x", type_="t", meta={}, only_new=True)
    assert blobs(tmp_path) == set()
    with sqlite3.connect(tmp_path / "index.sqlite") as other:
        other.execute("create trigger full before insert on object begin select raise(abort, 'full'); end")
    with pytest.raises((sqlite3.OperationalError, ExistsError)):
        files.put(BUCKET, "k", b"x", type_="t", meta={}, only_new=True)
    assert blobs(tmp_path) == set()
    assert files.find(BUCKET, "k") is None


def test_what_is_written_is_synced_before_it_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(tmp_path)
    files.create_bucket(BUCKET)
    synced: list[str] = []
    real_data, real = os.fdatasync, os.fsync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), real_data(fd)))
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd)))
    files.put(BUCKET, "k", b"x", type_="t", meta={}, only_new=True)
    row = files.find(BUCKET, "k")
    assert row is not None
    blob = tmp_path / "blobs" / row.file
    assert synced == [str(tmp_path / "blobs"), str(blob), str(blob.parent)]
    assert hashlib.md5(blob.read_bytes()).hexdigest() == row.etag
