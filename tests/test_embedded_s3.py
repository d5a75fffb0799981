"""The embedded S3 server against what the pipeline uses, through real boto3 over a real socket."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from ingestion.storage import ObjectMissingError, StoreError
from ingestion.storage.s3 import S3Store

ACCESS, SECRET = "access", "a-secret-of-the-test"


class Served:
    def __init__(self, root: Path) -> None:
        self.root = root
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "resources.embedded.s3_server", "--root", str(self.root)]
        environment = os.environ | {"CIE_S3_ACCESS_KEY": ACCESS, "CIE_S3_SECRET_KEY": SECRET}
        self.process = subprocess.Popen([*command, "--port", str(self.port)], env=environment)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def store(self, secret: str = SECRET) -> S3Store:
        return S3Store("made-up", f"http://127.0.0.1:{self.port}", ACCESS, secret)

    def client(self, secret: str = SECRET, **config):
        return boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{self.port}", aws_access_key_id=ACCESS,
            aws_secret_access_key=secret, region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **config),
        )  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    server = Served(tmp_path_factory.mktemp("s3"))
    server.store().ensure_bucket()
    yield server
    server.kill()


def test_created_once_read_whole_and_in_part(served) -> None:
    store = served.store()
    assert store.create("a/b c+ü=1.dcm", b"0123456789")
    assert not store.create("a/b c+ü=1.dcm", b"other")
    assert store.read("a/b c+ü=1.dcm") == b"0123456789"
    assert store.read("a/b c+ü=1.dcm", start=2, length=3) == b"234"
    assert store.read("a/b c+ü=1.dcm", start=8) == b"89"
    assert store.read("a/b c+ü=1.dcm", start=50) == b""
    with pytest.raises(ObjectMissingError):
        store.read("nothing")


def test_the_server_itself_enforces_create_once(served) -> None:
    client = served.client()
    client.put_object(Bucket="made-up", Key="once", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        client.put_object(Bucket="made-up", Key="once", Body=b"second", IfNoneMatch="*")
    assert refused.value.response["Error"]["Code"] == "PreconditionFailed"
    assert client.get_object(Bucket="made-up", Key="once")["Body"].read() == b"first"


def test_listing_goes_on_over_pages(served) -> None:
    client = served.client()
    for number in range(7):
        client.put_object(Bucket="made-up", Key=f"page/{number} &é", Body=b"x")
    pages = list(
        client.get_paginator("list_objects_v2").paginate(
            Bucket="made-up", Prefix="page/", PaginationConfig={"PageSize": 3}
        )
    )
    assert [len(page["Contents"]) for page in pages] == [3, 3, 1]
    assert [row["Key"] for page in pages for row in page["Contents"]] == [f"page/{n} &é" for n in range(7)]
    assert [item.key for item in served.store().list("page/", after="page/4 &é")] == ["page/5 &é", "page/6 &é"]


def test_multipart_and_checksums(served) -> None:
    client = served.client()
    upload = client.create_multipart_upload(Bucket="made-up", Key="big")["UploadId"]
    body = os.urandom(5 << 20)
    parts = []
    for number, part in enumerate((body, b"end"), start=1):
        etag = client.upload_part(Bucket="made-up", Key="big", UploadId=upload, PartNumber=number, Body=part)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    client.complete_multipart_upload(Bucket="made-up", Key="big", UploadId=upload, MultipartUpload={"Parts": parts})
    assert client.get_object(Bucket="made-up", Key="big")["Body"].read() == body + b"end"
    with pytest.raises(ClientError, match="BadDigest"):
        client.put_object(Bucket="made-up", Key="bad", Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")


def test_a_wrong_secret_is_refused(served) -> None:
    with pytest.raises(ClientError) as refused:
        served.client("wrong").list_objects_v2(Bucket="made-up")
    assert refused.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    with pytest.raises(StoreError):
        served.store("wrong").create("never", b"x")
    assert not served.store().exists("never")


def test_everything_survives_a_kill(served) -> None:
    served.store().create("kept", b"bytes")
    served.kill()
    with pytest.raises(EndpointConnectionError):
        served.client().list_objects_v2(Bucket="made-up")
    served.start()
    assert served.store().read("kept") == b"bytes"
