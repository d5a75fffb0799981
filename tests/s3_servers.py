"""S3 servers for tests: ours and moto's as processes of their own, and one outside that the environment names.

The outside one: ``CIE_TEST_S3_ENDPOINT``, ``CIE_TEST_S3_ACCESS_KEY``, ``CIE_TEST_S3_SECRET_KEY``; what it is known to
lack, as names of tests with commas between them, in ``CIE_TEST_S3_GAPS``. Ceph's: ``tests/ceph_gateway.sh``.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from ingestion.storage.s3 import S3Store

ACCESS, SECRET = "tests", "a-secret-of-the-test"
START_SECONDS = 60.0
"""moto's server imports for some seconds, longer on a busy machine."""
SERVERS = ("ours", "moto", "outside")
MOTO_GAPS = frozenset({
    "wrong_secret", "unknown_key", "unsigned", "clock_skew", "presigned_tampered", "presigned_expired",
    "checksums", "multipart_aborted",
})  # fmt: skip
"""Seen with moto 5.2.5: it checks no signature and no Content-MD5, and answers 500 for an upload that is gone."""


@dataclass(frozen=True)
class Endpoint:
    """One server under test. ``gaps``: the tests that it is known to fail."""

    url: str
    access: str = ACCESS
    secret: str = field(default=SECRET, repr=False)
    gaps: frozenset[str] = frozenset()

    def store(self, bucket: str, *, secret: str | None = None) -> S3Store:
        return S3Store(bucket, self.url, self.access, secret or self.secret)

    def client(self, *, access: str | None = None, secret: str | None = None, **config: Any) -> Any:
        return boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=access or self.access,
            aws_secret_access_key=secret or self.secret, region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"}, retries={"max_attempts": 1}, signature_version="s3v4", **config
            ),
        )  # fmt: skip


class Served:
    """Our server as a process, that can be killed and started again on the same folder."""

    def __init__(self, root: Path, *, file_size_limit: int | None = None) -> None:
        self.root, self.port, self._limit = root, free_port(), file_size_limit
        self.endpoint = Endpoint(f"http://127.0.0.1:{self.port}")
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "resources.embedded.s3_server", "--root", str(self.root)]
        if self._limit is not None:
            command = ["prlimit", f"--fsize={self._limit}", *command]
        environment = os.environ | {"CIE_S3_ACCESS_KEY": ACCESS, "CIE_S3_SECRET_KEY": SECRET}
        self.process = subprocess.Popen([*command, "--port", str(self.port)], env=environment)
        wait_for(self.port, self.process)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not start")


@contextmanager
def endpoint(name: str, folder: Path) -> Iterator[Endpoint]:
    """One of ``SERVERS``; skips the test for an outside one that is not set."""
    if name == "ours":
        served = Served(folder)
        try:
            yield served.endpoint
        finally:
            served.kill()
    elif name == "moto":
        with _moto(folder) as url:
            yield Endpoint(url, gaps=MOTO_GAPS)
    else:
        yield outside()


@contextmanager
def _moto(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def outside() -> Endpoint:
    names = ("CIE_TEST_S3_ENDPOINT", "CIE_TEST_S3_ACCESS_KEY", "CIE_TEST_S3_SECRET_KEY")
    values = [os.environ.get(name) for name in names]
    if None in values:
        pytest.skip(f"no outside S3 server: set {', '.join(names)}")
    url, access, secret = (str(value) for value in values)
    return Endpoint(url, access, secret, frozenset(filter(None, os.environ.get("CIE_TEST_S3_GAPS", "").split(","))))


def new_bucket(made: Endpoint) -> str:
    """A bucket of its own: an outside server keeps what earlier runs left."""
    name = f"made-up-{uuid.uuid4().hex[:12]}"
    made.store(name).ensure_bucket()
    return name
