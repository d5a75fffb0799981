"""The rows of ``instance_manifest``, ``lineage`` and ``quarantine``, from a source's state and manifests alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ingestion.accounting.manifest import Manifest
from ingestion.accounting.source_state import SourceState
from ingestion.catalogue import values
from ingestion.catalogue.collection import Row


def instance_rows(manifest: Manifest) -> list[Row]:
    """One row per stored instance."""
    return [
        {
            "source_id": manifest.source_id,
            "SeriesInstanceUID": manifest.SeriesInstanceUID,
            "SOPInstanceUID": item.SOPInstanceUID,
            "SOPClassUID": item.SOPClassUID,
            "InstanceNumber": values.integer(item.attributes.get("InstanceNumber")),
            "Key": item.key,
            "SHA256": item.sha256,
            "Bytes": item.size,
            "PixelOffset": item.pixel_offset,
        }
        for item in manifest.instances
    ]


def quarantine_rows(state: SourceState) -> list[Row]:
    """One row per series and reason, in the order of the state."""
    found = [
        (entry, reason, objects)
        for entry in state.series
        for reason, objects in sorted(entry.reasons.items())
        if objects and entry.counts.quarantined
    ]
    return [
        {
            "source_id": state.source_id,
            "RowNumber": position,
            "SeriesInstanceUID": entry.SeriesInstanceUID,
            "State": entry.state.value,
            "Reason": reason,
            "Objects": objects,
        }
        for position, (entry, reason, objects) in enumerate(found)
    ]


@dataclass(slots=True)
class Making:
    """Gathers what the instances of a source were made by, series by series."""

    state: SourceState
    _made: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)

    def add(self, manifest: Manifest) -> None:
        """One series."""
        self._made[(manifest.policy, manifest.policy_digest, manifest.code_version, manifest.key_id)] += 1

    def rows(self) -> list[Row]:
        """One row per policy, code version and key; then the state that names all manifests."""
        rows = [
            _row("instances", "deidentified_dicom", f"raw DICOM under policy {policy}", digest, items,
                 CodeVersion=code, KeyID=key)
            for (policy, digest, code, key), items in sorted(self._made.items())
        ]  # fmt: skip
        named = sum(1 for entry in self.state.series if entry.manifest_version is not None)
        rows.append(_row("source state", "deidentified_dicom", "manifests of all series", self.state.digest, named))
        return numbered(self.state.source_id, rows)


def numbered(source_id: str, rows: list[Row], *, after: int = 0) -> list[Row]:
    """The rows with source and position, counted from ``after``."""
    return [{**row, "source_id": source_id, "RowNumber": after + position} for position, row in enumerate(rows)]


def made_from(made: str, step: str, source: str, key: str | None) -> Row | None:
    """A stored object that the rows were made from; its key holds its digest. None for no key."""
    if key is None:
        return None
    return _row(made, step, source, None, 1) | {"Object": key}


def _row(made: str, step: str, source: str, digest: str | None, items: int, **more: str) -> Row:
    return {
        "Made": made, "Step": step, "From": source, "Object": None, "Digest": digest, "CodeVersion": None,
        "KeyID": None, "Items": items, **more,
    }  # fmt: skip
