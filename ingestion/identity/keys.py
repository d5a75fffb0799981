"""One secret of 32 bytes per source: found, checked, never shown.

A key is named in the registry and read from the environment (``CIE_KEY_<SOURCE>``: 64 hex digits) or from the file
``<keys folder>/<SOURCE>.key``. Its id (not its value) and a check value are recorded with each result, so that a
lost or exchanged key is noticed before it silently makes new pseudonyms for known people.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

KEY_BYTES = 32
FEWEST_DISTINCT = 8
"""Distinct bytes of a key: 32 random ones have fewer once in 10^20."""
_VARIABLE = "CIE_KEY_"
_HEX = re.compile(rf"^[0-9a-fA-F]{{{2 * KEY_BYTES}}}$")


class KeyMissingError(RuntimeError):
    """No key for a source; the message says where one is looked for."""


class KeyInvalidError(RuntimeError):
    """What was found is not a key, or not the key this source was processed with before."""


@dataclass(frozen=True, slots=True)
class SourceKey:
    """The secret of one source. ``repr`` and ``str`` show the id only."""

    source_id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise KeyInvalidError(f"the key of source {self.source_id} must have {KEY_BYTES} bytes")

    @property
    def key_id(self) -> str:
        """A short public name of the key: tells two keys apart, says nothing of their bytes."""
        return hmac.new(self.secret, b"cie/key-id", hashlib.sha256).hexdigest()[:12]

    @property
    def check_value(self) -> str:
        """What is stored to recognise the same key again (as PKCS #11's CKA_CHECK_VALUE: keyed, of a constant)."""
        return hmac.new(self.secret, b"cie/check-value/" + self.source_id.encode(), hashlib.sha256).hexdigest()


def environment_name(source_id: str) -> str:
    """``PRCI-PROST-01`` → ``CIE_KEY_PRCI_PROST_01``."""
    return _VARIABLE + re.sub(r"[^A-Z0-9]", "_", source_id.upper())


def load_key(source_id: str, *, keys_dir: Path, key_file: Path | None = None, alone: bool = True) -> SourceKey:
    """The key of ``source_id``: from ``key_file`` if given, else the environment, else the keys folder.

    ``alone``: that no other source, by the environment or the keys folder, has the same.

    Raises:
        KeyMissingError: none of the places has one.
        KeyInvalidError: the place that has one does not hold 64 hex digits, or other sources have the same key.
    """
    key = _found(source_id, keys_dir=keys_dir, key_file=key_file)
    others = _same_elsewhere(key, keys_dir) if alone else []
    if others:
        raise KeyInvalidError(shared_key(source_id, others))
    return key


def shared_key(source_id: str, others: Sequence[str]) -> str:
    """What is wrong when sources share a key."""
    return (
        f"source {source_id} has the same key as {', '.join(others)}: equal UIDs and patient numbers of both would get "
        "equal pseudonyms, and one person could be followed from one to the other. Give each source a key of its own."
    )


def _same_elsewhere(key: SourceKey, keys_dir: Path) -> list[str]:
    """Names of the other key files and variables that hold the secret; what cannot be read is told in its own turn."""
    found = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_VARIABLE) and name != environment_name(key.source_id)
    }
    for path in sorted(keys_dir.glob("*.key")):
        # a source whose key is in the environment and in a file, as it is moved from one to the other, is one source
        if path.stem != key.source_id:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                found[path.stem] = path.read_text()
    told = key.secret.hex()
    same = {name for name, text in found.items() if text.strip().lower() == told}
    return sorted(name for name in same if environment_name(name) not in same)


def _found(source_id: str, *, keys_dir: Path, key_file: Path | None) -> SourceKey:
    variable = environment_name(source_id)
    if key_file is None and (value := os.environ.get(variable)):
        return _parse(source_id, value, place=f"environment variable {variable}")
    path = key_file or keys_dir / f"{source_id}.key"
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise KeyMissingError(
            f"no key for source {source_id}: set {variable} to 64 hex digits, or put them into {path}. "
            "Without its key nothing of this source is processed."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyInvalidError(
            f"the key file {path} of source {source_id} cannot be read: {type(error).__name__}"
        ) from error
    return _parse(source_id, text, place=f"key file {path}")


def create_key(source_id: str, *, keys_dir: Path) -> Path:
    """Make a new key file (mode 0600) unless there is one, which is then left as it is; returns its path."""
    keys_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = keys_dir / f"{source_id}.key"
    temporary = keys_dir / f".{source_id}.{os.getpid()}.tmp"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(secrets.token_hex(KEY_BYTES) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    try:
        with contextlib.suppress(FileExistsError):  # a key is never replaced
            os.link(temporary, path)
    finally:
        temporary.unlink()
    return path


def _parse(source_id: str, text: str, *, place: str) -> SourceKey:
    if not _HEX.match(text.strip()):
        raise KeyInvalidError(f"the {place} of source {source_id} must hold exactly {2 * KEY_BYTES} hex digits")
    secret = bytes.fromhex(text.strip())
    if len(set(secret)) < FEWEST_DISTINCT:
        raise KeyInvalidError(
            f"the {place} of source {source_id} is no secret: it repeats itself. Make one with "
            '`python3 -c "import secrets; print(secrets.token_hex(32))"`'
        )
    return SourceKey(source_id=source_id, secret=secret)
