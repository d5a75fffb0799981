"""Whether bytes that should be numbers or samples are a text."""

from __future__ import annotations

SHORTEST = 12
"""Bytes from which a value counts as text: three single floats, or six short integers. Of random ones all of whose
bytes are letters there is less than one in 10^6; of shorter values too many."""
LONG = 20
"""Bytes from which half of them being letters is enough, if the others are those that stand between words."""
_LETTERS = bytes([*range(65, 91), *range(97, 123)])
_BESIDE = b"0123456789 ^,.'=:;/-_()\r\n\t"


def reads_as_text(data: bytes | memoryview) -> bool:
    """Whether all of it reads as words in ASCII, or as such in UTF-16."""
    body = bytes(data[:4096]).strip(b"\0 ")
    if len(body) < SHORTEST:
        return False
    if 0 in body:
        body = _narrow(bytes(data[:4096]))
    others = body.translate(None, _LETTERS)
    if len(body) < SHORTEST or others.translate(None, _BESIDE):
        return False
    return len(others) * 2 <= len(body) if len(body) >= LONG else len(others) * 10 <= len(body)


def _narrow(data: bytes) -> bytes:
    """UTF-16 as ASCII; nothing where it is none."""
    data = data[: len(data) // 2 * 2]
    for at in (0, 1):
        if not any(data[1 - at :: 2]):
            return data[at::2].strip(b"\0 ")
    return b""
