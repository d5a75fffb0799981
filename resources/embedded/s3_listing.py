"""ListObjectsV2: pages of keys, folded at a delimiter where one is asked for (Amazon S3 API reference)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

from resources.embedded.s3_body import S3Error
from resources.embedded.s3_files import LAST, Files, Row

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
MAX_KEYS = 1000


@dataclass(frozen=True, slots=True)
class _Page:
    rows: list[Row]
    folders: list[str]
    following: str | None
    """The key after which the next page begins; None on the last page."""


def list_objects(files: Files, bucket: str, query: Mapping[str, str]) -> str:
    """The answer's XML.

    Raises:
        S3Error: an argument that isn't one.
    """
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    limit = query.get("max-keys", str(MAX_KEYS))
    if not limit.isascii() or not limit.isdecimal():
        raise S3Error("InvalidArgument")
    size = min(int(limit[:9]), MAX_KEYS)
    token = query.get("continuation-token", "")
    after = _key(token) if token else query.get("start-after", "")
    page = _page(files, bucket, prefix=prefix, delimiter=delimiter, after=after, size=size)
    encode = quote if query.get("encoding-type") == "url" else escape
    contents = "".join(
        f'<Contents><Key>{encode(row.key)}</Key><LastModified>{row.changed}</LastModified><ETag>"{row.etag}"</ETag>'
        f"<Size>{row.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for row in page.rows
    )
    folders = "".join(f"<CommonPrefixes><Prefix>{encode(name)}</Prefix></CommonPrefixes>" for name in page.folders)
    following = "" if page.following is None else base64.urlsafe_b64encode(page.following.encode()).decode()
    return (
        f"<ListBucketResult {NAMESPACE}><Name>{escape(bucket)}</Name><Prefix>{encode(prefix)}</Prefix>"
        f"<KeyCount>{len(page.rows) + len(page.folders)}</KeyCount><MaxKeys>{size}</MaxKeys>"
        f"<IsTruncated>{str(bool(following)).lower()}</IsTruncated>"
        + (f"<Delimiter>{encode(delimiter)}</Delimiter>" if delimiter else "")
        + ("<EncodingType>url</EncodingType>" if encode is quote else "")
        + (f"<NextContinuationToken>{following}</NextContinuationToken>" if following else "")
        + contents
        + folders
        + "</ListBucketResult>"
    )


def _page(files: Files, bucket: str, *, prefix: str, delimiter: str, after: str, size: int) -> _Page:
    rows: list[Row] = []
    folders: list[str] = []
    while size:
        found = files.list(bucket, prefix=prefix, after=after, limit=size + 1)
        for row in found:
            folder = _folder(row.key, prefix, delimiter)
            if len(rows) + len(folders) == size:
                return _Page(rows, folders, after)
            if folder is None:
                rows.append(row)
                after = row.key
            else:
                folders.append(folder)
                after = folder + LAST  # one look-up passes over all that is below it
                break
        else:
            break
    return _Page(rows, folders, None)


def _folder(key: str, prefix: str, delimiter: str) -> str | None:
    head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
    return prefix + head + found if found else None


def _key(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode("ascii")).decode()
    except (binascii.Error, UnicodeError):
        raise S3Error("InvalidArgument") from None
