"""AWS Signature Version 4, checked on the server's side (AWS: Authenticating Requests, header method)."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

MAX_SKEW = dt.timedelta(minutes=15)
_AUTHORIZATION = re.compile(
    r"^AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/s3/aws4_request, ?"
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})$"
)


class SignatureError(Exception):
    """The request is not signed by the one who holds the secret. The first argument is S3's error code."""


def check_signature(
    method: str, raw_path: str, query: str, headers: Mapping[str, str], *, access_key: str, secret_key: str
) -> None:
    """Accept or raise. ``headers`` have lower-case names.

    Raises:
        SignatureError: unsigned, another key, another secret, or too old.
    """
    match = _AUTHORIZATION.match(headers.get("authorization", ""))
    if match is None:
        raise SignatureError("AccessDenied")
    if not hmac.compare_digest(match["key"].encode(), access_key.encode()):
        raise SignatureError("InvalidAccessKeyId")
    stamp = headers.get("x-amz-date", "")
    try:
        sent = dt.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        raise SignatureError("AccessDenied") from None
    if abs(dt.datetime.now(dt.UTC) - sent) > MAX_SKEW:
        raise SignatureError("RequestTimeTooSkewed")
    signed = match["signed"].split(";")
    if "host" not in signed:
        raise SignatureError("AccessDenied")
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(query, keep_blank_values=True))
    canonical = "\n".join([
        method,
        raw_path,
        "&".join(f"{name}={value}" for name, value in pairs),
        *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed),
        "",
        match["signed"],
        headers.get("x-amz-content-sha256", ""),
    ])  # fmt: skip
    scope = f"{match['date']}/{match['region']}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret_key}".encode()
    for part in (match["date"], match["region"], "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, match["signature"]):
        raise SignatureError("SignatureDoesNotMatch")
