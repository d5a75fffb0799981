"""What the libraries that we use ask of an S3 server, one row each: the table of docs/decisions/0001-object-store.md.

Runs on our server, on moto's (what that lacks is named in ``s3_servers``) and on an outside one.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import http.client
import io
import os
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import obstore
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store as ObstoreS3
from pyarrow import fs, parquet, table
from s3_servers import SERVERS, Endpoint, endpoint, new_bucket

PART = 5 << 20
"""The smallest part that S3 allows but for the last."""
WHEN_REQUIRED = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
ODD_KEYS = (
    "space and+plus", "ü/é/漢字/😀", "a&b<c>\"d'", "100%25%2F", "~!*();:@,$=", "tab\there", "dots/.../..x/x..",
    "x" * 900, "deep/" * 100 + "x", "both", "both/below",
)  # fmt: skip


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with endpoint(request.param, tmp_path_factory.mktemp("s3")) as made:
        yield made


@pytest.fixture(scope="module")
def bucket(server: Endpoint) -> str:
    return new_bucket(server)


@pytest.fixture(autouse=True)
def known_gaps(server: Endpoint, request: pytest.FixtureRequest) -> None:
    if request.node.originalname.removeprefix("test_") in server.gaps:
        request.applymarker(pytest.mark.xfail(reason="this server lacks it", strict=True))


@pytest.fixture
def s3(server: Endpoint) -> Any:
    return server.client(**WHEN_REQUIRED)


def refused(act: Callable[[], object]) -> str:
    """The status of the answer that refuses ``act``."""
    with pytest.raises(ClientError) as error:
        act()
    status: int = error.value.response["ResponseMetadata"]["HTTPStatusCode"]
    return f"{status} {error.value.response['Error'].get('Code')}"


def signed(
    server: Endpoint, method: str, path: str, body: bytes = b"", *, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """A request with this very path on the wire: clients tidy theirs."""
    request = AWSRequest(method, server.url + path, data=body, headers=headers or {})
    botocore.auth.S3SigV4Auth(Credentials(server.access, server.secret), "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    connection.request(method, path, body=body, headers=dict(request.headers.items()))
    answer = connection.getresponse()
    return answer.status, answer.read()


def names(s3: Any, bucket: str, prefix: str = "") -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [row["Key"] for page in pages for row in page.get("Contents", [])]


def test_create_once(s3, bucket) -> None:
    s3.put_object(Bucket=bucket, Key="once", Body=b"first", IfNoneMatch="*")
    assert refused(lambda: s3.put_object(Bucket=bucket, Key="once", Body=b"second", IfNoneMatch="*")).startswith("412")
    assert s3.get_object(Bucket=bucket, Key="once")["Body"].read() == b"first"


def test_create_once_concurrent(s3, bucket) -> None:
    writers = 4
    for attempt in range(5):
        together = threading.Barrier(writers)

        def write(number: int, key: str = f"race/{attempt}", together: threading.Barrier = together) -> bool:
            together.wait()
            try:
                s3.put_object(Bucket=bucket, Key=key, Body=bytes([number]) * 50_000, IfNoneMatch="*")
            except ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412)
                return False
            return True

        with ThreadPoolExecutor(writers) as pool:
            won = list(pool.map(write, range(writers)))
        assert sum(won) == 1
        stored = s3.get_object(Bucket=bucket, Key=f"race/{attempt}")["Body"].read()
        assert stored == bytes([won.index(True)]) * 50_000


def test_multipart(s3, bucket) -> None:
    body = os.urandom(PART)
    told = {"Bucket": bucket, "Key": "parts"}
    upload = s3.create_multipart_upload(**told, Metadata={"kept": "yes"})["UploadId"]
    parts = []
    for number, part in ((2, b"end"), (1, b"sent again below"), (1, body)):
        etag = s3.upload_part(**told, UploadId=upload, PartNumber=number, Body=part)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    s3.complete_multipart_upload(**told, UploadId=upload, MultipartUpload={"Parts": [parts[2], parts[0]]})
    stored = s3.get_object(**told)
    assert (stored["Body"].read(), stored["Metadata"]) == (body + b"end", {"kept": "yes"})


def test_multipart_aborted(s3, bucket) -> None:
    left = s3.create_multipart_upload(Bucket=bucket, Key="left")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="left", UploadId=left, PartNumber=1, Body=b"x")
    assert "left" not in names(s3, bucket)
    s3.abort_multipart_upload(Bucket=bucket, Key="left", UploadId=left)
    assert refused(
        lambda: s3.complete_multipart_upload(
            Bucket=bucket, Key="left", UploadId=left, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "x"}]}
        )
    ).startswith("404")


def test_multipart_create_once(s3, bucket) -> None:
    told = {"Bucket": bucket, "Key": "parts once"}
    upload = s3.create_multipart_upload(**told)["UploadId"]
    etag = s3.upload_part(**told, UploadId=upload, PartNumber=1, Body=b"second")["ETag"]
    s3.put_object(**told, Body=b"first")
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    assert refused(
        lambda: s3.complete_multipart_upload(**told, UploadId=upload, MultipartUpload=parts, IfNoneMatch="*")
    ).startswith("412")
    assert s3.get_object(**told)["Body"].read() == b"first"


def test_list_pages(s3, bucket) -> None:
    keys = [f"page/{number} &é" for number in range(7)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.put_object(Bucket=bucket, Key="page/below/x", Body=b"x")
    found = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix="page/", PaginationConfig={"PageSize": 3}, StartAfter="page/"
        )
    )
    assert [[row["Key"] for row in page["Contents"]] for page in found] == [
        keys[:3], keys[3:6], [keys[6], "page/below/x"],
    ]  # fmt: skip
    folded = s3.list_objects_v2(Bucket=bucket, Prefix="page/", Delimiter="/")
    assert [row["Prefix"] for row in folded["CommonPrefixes"]] == ["page/below/"]
    assert [row["Key"] for row in folded["Contents"]] == keys


def test_ranges(s3, bucket) -> None:
    s3.put_object(Bucket=bucket, Key="range", Body=b"0123456789")
    for range_, expected in (("bytes=2-4", b"234"), ("bytes=8-", b"89"), ("bytes=-3", b"789"), ("bytes=7-99", b"789")):
        answer = s3.get_object(Bucket=bucket, Key="range", Range=range_)
        assert answer["Body"].read() == expected
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="range", Range="bytes=10-11")).startswith("416")


def test_checksums(s3, bucket) -> None:
    body = b"these bytes"
    sha256, crc32 = hashlib.sha256(body).digest(), zlib.crc32(body).to_bytes(4)
    s3.put_object(Bucket=bucket, Key="sum", Body=body, ContentMD5=base64.b64encode(hashlib.md5(body).digest()).decode())
    s3.put_object(Bucket=bucket, Key="sum", Body=body, ChecksumSHA256=base64.b64encode(sha256).decode())
    s3.put_object(Bucket=bucket, Key="sum", Body=body, ChecksumCRC32=base64.b64encode(crc32).decode())
    for wrong in (
        {"ContentMD5": base64.b64encode(bytes(16)).decode()}, {"ChecksumSHA256": base64.b64encode(bytes(32)).decode()},
        {"ChecksumCRC32": base64.b64encode(bytes(4)).decode()},
    ):  # fmt: skip
        assert refused(lambda wrong=wrong: s3.put_object(Bucket=bucket, Key="bad", Body=body, **wrong))[0] == "4"
    assert "bad" not in names(s3, bucket)


def test_boto3_default_checksums(server, bucket) -> None:
    s3 = server.client()
    body = os.urandom(9 << 20)  # upload_fileobj sends more than 8 MiB in parts
    s3.put_object(Bucket=bucket, Key="default/one", Body=body)
    s3.upload_fileobj(io.BytesIO(body), bucket, "default/parts")
    for key in ("default/one", "default/parts"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
        assert s3.get_object(Bucket=bucket, Key=key, Range="bytes=5-6")["Body"].read() == body[5:7]


def test_wrong_secret(server, bucket) -> None:
    s3 = server.client(secret="wrong", **WHEN_REQUIRED)
    assert refused(lambda: s3.list_objects_v2(Bucket=bucket)).startswith("403")
    assert refused(lambda: s3.put_object(Bucket=bucket, Key="wrong", Body=b"x")).startswith("403")
    assert "wrong" not in names(server.client(), bucket)


def test_unknown_key(server, bucket) -> None:
    s3 = server.client(access="nobody", **WHEN_REQUIRED)
    assert refused(lambda: s3.list_objects_v2(Bucket=bucket)).startswith("403")


def test_unsigned(server, bucket) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{server.url}/{bucket}?list-type=2", timeout=20)


def test_clock_skew(server, bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    real = botocore.auth.get_current_datetime
    s3 = server.client(**WHEN_REQUIRED)
    for hours in (-1, 1):
        monkeypatch.setattr(
            botocore.auth, "get_current_datetime",
            lambda remove_tzinfo=True, hours=hours: real(remove_tzinfo) + dt.timedelta(hours=hours),
        )  # fmt: skip
        assert refused(lambda: s3.list_objects_v2(Bucket=bucket)).startswith("403")


def test_presigned(s3, bucket) -> None:
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "pre signed/é"}, ExpiresIn=60)
    request = urllib.request.Request(put, data=b"bytes", method="PUT", headers={"Content-Type": "image/x"})
    urllib.request.urlopen(request, timeout=20).close()
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "pre signed/é"}, ExpiresIn=60)
    assert urllib.request.urlopen(get, timeout=20).read() == b"bytes"


def test_presigned_tampered(s3, bucket) -> None:
    s3.put_object(Bucket=bucket, Key="pre-x", Body=b"x")
    s3.put_object(Bucket=bucket, Key="pre-y", Body=b"y")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "pre-x"}, ExpiresIn=60)
    for bad in (url.replace("pre-x", "pre-y"), url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")):
        assert bad != url
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(bad, timeout=20)


def test_presigned_expired(s3, bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put_object(Bucket=bucket, Key="expired", Body=b"x")
    real = botocore.auth.get_current_datetime
    monkeypatch.setattr(
        botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: real(remove_tzinfo) - dt.timedelta(minutes=2)
    )
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "expired"}, ExpiresIn=60)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url, timeout=20)


def test_delete(s3, bucket) -> None:
    keys = [f"gone/{number}" for number in range(5)] + ["gone/&<é>"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket, Key=keys[0])
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in (*keys[1:], "gone/never")]})
    assert {row["Key"] for row in done["Deleted"]} >= set(keys[1:])
    assert names(s3, bucket, "gone/") == []
    s3.put_object(Bucket=bucket, Key=keys[0], Body=b"again", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read() == b"again"


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_odd_keys(s3, bucket, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert key in names(s3, bucket)


@pytest.mark.parametrize("path", ["/../{0}/x", "/a/../../{0}/x", "/%2e%2e/{0}/x", "/..%2f{0}/x", "//../../{0}/x"])
def test_traversal(server, s3, bucket, path: str) -> None:
    other = new_bucket(server)
    status, _ = signed(server, "PUT", f"/{bucket}{path.format(other)}", b"over the wall")
    assert status < 500
    assert names(s3, other) == []


def test_pyarrow(server, bucket) -> None:
    where = urlsplit(server.url)
    s3 = fs.S3FileSystem(
        access_key=server.access, secret_key=server.secret, endpoint_override=where.netloc, scheme="http",
        region="us-east-1",
    )  # fmt: skip
    body = os.urandom(12 << 20)
    with s3.open_output_stream(f"{bucket}/arrow/stream") as stream:
        for start in range(0, len(body), 1 << 20):
            stream.write(body[start : start + (1 << 20)])
    with s3.open_input_file(f"{bucket}/arrow/stream") as stream:
        assert stream.read() == body
        assert stream.read_at(10, 5) == body[5:15]
    made = table({"a": list(range(1000))})
    parquet.write_table(made, f"{bucket}/arrow/small.parquet", filesystem=s3)
    assert parquet.read_table(f"{bucket}/arrow/small.parquet", filesystem=s3) == made
    assert s3.get_file_info(f"{bucket}/arrow/none").type == fs.FileType.NotFound
    listed = s3.get_file_info(fs.FileSelector(f"{bucket}/arrow"))
    assert {info.base_name for info in listed} == {"stream", "small.parquet"}


def test_obstore(server, bucket) -> None:
    store = ObstoreS3(
        bucket, endpoint=server.url, access_key_id=server.access, secret_access_key=server.secret, region="us-east-1",
        virtual_hosted_style_request=False, client_options={"allow_http": True},
    )  # fmt: skip
    body = os.urandom(12 << 20)
    obstore.put(store, "ob/one é+", b"0123456789", mode="create", attributes={"Content-Type": "x/y", "sha256": "d"})
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "ob/one é+", b"other", mode="create")
    assert obstore.get_range(store, "ob/one é+", start=2, length=3).to_bytes() == b"234"
    assert obstore.get(store, "ob/one é+").attributes["sha256"] == "d"
    obstore.put(store, "ob/parts", io.BytesIO(body), use_multipart=True, chunk_size=PART)
    assert obstore.get(store, "ob/parts").bytes().to_bytes() == body
    assert {row["path"] for rows in obstore.list(store, "ob") for row in rows} == {"ob/one é+", "ob/parts"}
