"""AWS Signature Version 4, checked on the server's side (AWS: Authenticating Requests; in the head or in the query)."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

MAX_SKEW = dt.timedelta(minutes=15)
MAX_EXPIRES = 7 * 24 * 3600
"""Seconds for which an address may be signed beforehand (AWS: X-Amz-Expires)."""
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<scope>[^,\s]+), ?SignedHeaders=(?P<signed>[a-z0-9;-]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_SCOPE = re.compile(r"(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/s3/aws4_request", re.ASCII)
_STAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_ALGORITHM = "AWS4-HMAC-SHA256"


class SignatureError(Exception):
    """The request is not signed by the one who holds the secret. The first argument is S3's error code."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says of its signature."""

    scope: str
    signed: str
    signature: str
    stamp: str
    payload: str
    pairs: list[tuple[str, str]]
    """The query, without the signature itself."""
    expires: dt.timedelta | None
    """How long an address signed beforehand holds; None for a signed head."""


def check_signature(
    method: str, raw_path: str, query: str, headers: Mapping[str, str], *, access_key: str, secret_key: str
) -> None:
    """Accept or raise. ``headers`` have lower-case names.

    Raises:
        SignatureError: unsigned, another key, another secret, too old, or a header of S3's that is not signed.
    """
    claim = _claim(query, headers)
    scope = _SCOPE.fullmatch(claim.scope)
    if scope is None or not _STAMP.fullmatch(claim.stamp) or scope["date"] != claim.stamp[:8]:
        raise SignatureError("AccessDenied")
    if not hmac.compare_digest(scope["key"].encode(), access_key.encode()):
        raise SignatureError("InvalidAccessKeyId")
    _check_time(claim)
    signed = claim.signed.split(";")
    if "host" not in signed or any(name.startswith("x-amz-") and name not in signed for name in headers):
        raise SignatureError("AccessDenied")
    canonical = "\n".join([
        method,
        raw_path,
        "&".join(f"{name}={value}" for name, value in sorted(_quoted(claim.pairs))),
        *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed),
        "",
        claim.signed,
        claim.payload,
    ])  # fmt: skip
    to_sign = "\n".join([
        _ALGORITHM, claim.stamp, claim.scope.partition("/")[2], hashlib.sha256(canonical.encode()).hexdigest(),
    ])  # fmt: skip
    key = f"AWS4{secret_key}".encode()
    for part in (scope["date"], scope["region"], "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise SignatureError("SignatureDoesNotMatch")


def _claim(query: str, headers: Mapping[str, str]) -> _Claim:
    pairs = parse_qsl(query, keep_blank_values=True)
    told = dict(pairs)
    if "authorization" in headers:
        match = _AUTHORIZATION.fullmatch(headers["authorization"])
        if match is None:
            raise SignatureError("AccessDenied")
        return _Claim(
            scope=match["scope"], signed=match["signed"], signature=match["signature"],
            stamp=headers.get("x-amz-date", ""), payload=headers.get("x-amz-content-sha256", ""), pairs=pairs,
            expires=None,
        )  # fmt: skip
    expires = told.get("X-Amz-Expires", "")
    if told.get("X-Amz-Algorithm") != _ALGORITHM or not (expires.isascii() and expires.isdecimal()):
        raise SignatureError("AccessDenied")
    if not 0 < int(expires[:9]) <= MAX_EXPIRES:
        raise SignatureError("AuthorizationQueryParametersError")
    return _Claim(
        scope=told.get("X-Amz-Credential", ""), signed=told.get("X-Amz-SignedHeaders", ""),
        signature=told.get("X-Amz-Signature", ""), stamp=told.get("X-Amz-Date", ""),
        payload=headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        pairs=[pair for pair in pairs if pair[0] != "X-Amz-Signature"], expires=dt.timedelta(seconds=int(expires)),
    )  # fmt: skip


def _check_time(claim: _Claim) -> None:
    try:
        sent = dt.datetime.strptime(claim.stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        raise SignatureError("AccessDenied") from None
    age = dt.datetime.now(dt.UTC) - sent
    if age < -MAX_SKEW or (claim.expires is None and age > MAX_SKEW):
        raise SignatureError("RequestTimeTooSkewed")
    if claim.expires is not None and age > claim.expires:
        raise SignatureError("AccessDenied")


def _quoted(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs]
