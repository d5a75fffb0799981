"""What every row of features says of its origin: the settings and their digest, the tool and its version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from ingestion.features import TOOL, TOOL_VERSION
from ingestion.features.settings import FeatureSettings

COLUMNS = ("Settings", "SettingsDigest", "Tool", "ToolVersion")
DIGITS = 24


def provenance(settings: FeatureSettings) -> dict[str, str]:
    """``COLUMNS`` of a row. ``Settings``: the settings as JSON, names sorted."""
    return {
        "Settings": settings_text(settings),
        "SettingsDigest": settings.digest,
        "Tool": TOOL,
        "ToolVersion": TOOL_VERSION,
    }


def settings_text(settings: FeatureSettings) -> str:
    """The settings as JSON, names sorted: what ``SettingsDigest`` is the digest of, beside limits in code."""
    return json.dumps(settings.record(), sort_keys=True)


def files_digest(digests: Iterable[str]) -> str:
    """24 hex digits of a series by its files, whatever their names and order: SHA-256 over theirs, sorted, one a line.

    These are the first digits of ``InstancesSHA256`` in the catalogue.
    """
    text = "".join(f"{digest}\n" for digest in sorted(digests))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
