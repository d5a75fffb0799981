"""The manifest of a series: what is stored of it, byte for byte, and what made it.

Stored at ``manifests/<source>/<SeriesInstanceUID>/<version>.json`` in the research bucket. The version is the digest
of the sorted instance digests and of what made them, so the same series made the same way has the same manifest.
All values are de-identified. Together with the source state (``source_state``) the manifests are enough to rebuild
the catalogue.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, fields
from typing import Any

type_json = str | int | float | bool | None | list[Any] | dict[str, Any]


@dataclass(frozen=True, slots=True)
class ManifestInstance:
    """One stored instance. ``pixel_offset`` is the byte at which the pixel data's value begins, None without pixels."""

    SOPInstanceUID: str
    SOPClassUID: str
    key: str
    sha256: str
    size: int
    pixel_offset: int | None
    attributes: dict[str, type_json] = field(default_factory=dict)
    """Per-instance attributes by keyword (``ingestion.dicom.summary.INSTANCE_KEYWORDS``)."""
    pixels: dict[str, type_json] | None = None
    """How closely the pixels were looked at, and which boxes were blanked, by what; None: nothing was due."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One stored version of one series."""

    source_id: str
    PatientID: str
    StudyInstanceUID: str
    SeriesInstanceUID: str
    policy: str
    policy_digest: str
    code_version: str
    key_id: str
    header: dict[str, type_json]
    """Series-level attributes by keyword (``ingestion.dicom.summary.SERIES_KEYWORDS``), from the first instance."""
    varying: tuple[str, ...]
    """Keywords of ``header`` whose value differs between instances."""
    instances: tuple[ManifestInstance, ...]
    face: dict[str, type_json] | None = None
    """Whether a face can be recognised in the series, and what was done about it; None: no head by its header."""
    withheld: tuple[str, ...] = ()
    """Keywords that ``header`` lacks because the policy took the value out: the first instance was delivered with one.
    """

    @property
    def version(self) -> str:
        """Digest (24 hex digits) of all that the manifest says."""
        return hashlib.sha256(self.to_json()).hexdigest()[:24]

    @property
    def key(self) -> str:
        return manifest_key(self.source_id, self.SeriesInstanceUID, self.version)

    def to_json(self) -> bytes:
        """Canonical bytes: same content, same bytes."""
        said = _shallow(self) | {"instances": [_shallow(instance) for instance in self.instances]}
        if not self.withheld:
            del said["withheld"]  # as before there was such a field, so that versions stay
        return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()

    @staticmethod
    def from_json(body: bytes) -> Manifest:
        data = json.loads(body)
        instances = tuple(ManifestInstance(**instance) for instance in data.pop("instances"))
        varying, withheld = tuple(data.pop("varying")), tuple(data.pop("withheld", ()))
        return Manifest(instances=instances, varying=varying, withheld=withheld, **data)


def _shallow(said: Manifest | ManifestInstance) -> dict[str, Any]:
    """The fields as they are: ``dataclasses.asdict`` copies every value below, for series of a thousand instances."""
    return {item.name: getattr(said, item.name) for item in fields(said)}


def manifest_key(source_id: str, series_instance_uid: str, version: str) -> str:
    return f"manifests/{source_id}/{series_instance_uid}/{version}.json"


_RESULT = re.compile(
    r"(dicom/[^/]+/[0-9.]{1,64}/[0-9.]{1,64}\.[0-9a-f]{16}\.dcm|manifests/[^/]+/[0-9.]{1,64}/[0-9a-f]{24}\.json)"
)


def is_result_key(key: str) -> bool:
    """Whether ``manifest_key`` or ``instance_key`` makes such a key.

    What else lies there somebody put there, and it can have any name, a patient's too.
    """
    return _RESULT.fullmatch(key) is not None


def instance_key(source_id: str, series_instance_uid: str, sop_instance_uid: str, sha256: str) -> str:
    return f"dicom/{source_id}/{series_instance_uid}/{sop_instance_uid}.{sha256[:16]}.dcm"
