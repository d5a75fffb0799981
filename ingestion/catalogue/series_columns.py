"""Columns of ``series`` that are worked out: names of codes, digests, rights, pointers to results."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from pydicom.uid import UID_dictionary

from ingestion.accounting.manifest import Manifest
from ingestion.accounting.source_state import SourceState
from ingestion.catalogue import values
from ingestion.catalogue.collection import LABELS_JOINED_BY, Row, digest_of
from ingestion.sources.registry import SourceEntry
from ingestion.vocabulary.modality import normalise_modality

POINTER_COLUMNS = ("SegmentationSeries", "NumberOfSegments", "SegmentLabels", "FeatureRow")
"""Columns of ``series`` that come from the feature tables."""
DERIVED_MODALITIES = frozenset({"SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "SR", "PR", "KO", "REG", "ANN", "FID", "RWV"})
"""Modalities of objects that are made from images."""
BUCKET = "research"


def derived_columns(manifest: Manifest, row: Mapping[str, Any]) -> Row:
    """What follows from the manifest and the columns taken from its header."""
    header = manifest.header
    modality = normalise_modality(row["Modality"])
    weights = [values.number(item.attributes.get("DiffusionBValue")) for item in manifest.instances]
    codes = header.get("DeidentificationMethodCodes")
    code = modality.value if modality else None
    return {
        **dict.fromkeys(POINTER_COLUMNS),
        "Policy": manifest.policy,
        "PolicyOptions": ",".join(map(str, codes)) if isinstance(codes, list) and codes else None,
        "ModalityCode": code,
        "ModalityMeaning": modality.meaning if modality else None,
        "transfer_syntax_name": uid_name(row["TransferSyntaxUID"]),
        "sop_class_name": uid_name(row["SOPClassUID"]),
        "DiffusionBValue": max((value for value in weights if value is not None), default=None),
        "InstancesSHA256": digest_of(item.sha256 for item in manifest.instances),
        "series_uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, manifest.key)),
        "bucket": BUCKET,
        "series_prefix": f"dicom/{manifest.source_id}/{manifest.SeriesInstanceUID}/",
        "analysis_result_id": f"{manifest.source_id}-annotations" if code in DERIVED_MODALITIES else None,
    }


def uid_name(uid: str | None) -> str | None:
    """The name of a UID in PS3.6; None for a private or unknown one."""
    found = UID_dictionary.get(uid or "")
    return found[0] if found else None


def rights_of(entry: SourceEntry) -> Row:
    """What may be done with every row of the source."""
    return {
        "DataUse": ",".join(entry.agreement.data_use),
        "AccessMode": entry.agreement.access_mode.value,
        "license_short_name": entry.licence,
        "source_DOI": entry.doi,
    }


def people_of(state: SourceState, series: Iterable[Row]) -> dict[str, str]:
    """Person by pseudonym: the first digest of name and birth date under the linkage secret, where there is one.

    A patient whose series name several people keeps the first of them, so such a one is counted once.
    """
    digests = {entry.SeriesInstanceUID: entry.facts.get("people") or () for entry in state.series}
    found: dict[str, set[str]] = {}
    for row in series:
        found.setdefault(row["PatientID"], set()).update(digests.get(row["SeriesInstanceUID"], ()))
    return {patient: min(people) for patient, people in found.items() if people}


def pointers(series_uids: Iterable[str], *, features: pd.DataFrame, regions: pd.DataFrame) -> dict[str, Row]:
    """By series: where its segmentations and its features are."""
    found: dict[str, Row] = {uid: dict.fromkeys(POINTER_COLUMNS) for uid in series_uids}
    if "SeriesInstanceUID" in features.columns:
        for position, uid in enumerate(features["SeriesInstanceUID"]):
            if uid in found:
                found[uid]["FeatureRow"] = position
    if {"ImageSeriesInstanceUID", "SeriesInstanceUID", "Status"} <= set(regions.columns):
        measured = regions[regions["Status"] == "measured"]
        for uid, rows in measured.groupby("ImageSeriesInstanceUID"):
            if uid in found:
                labels = set(rows["SegmentLabel"].dropna()) if "SegmentLabel" in rows else set()
                found[str(uid)] |= {
                    "SegmentationSeries": ",".join(sorted(set(rows["SeriesInstanceUID"].dropna()))) or None,
                    "NumberOfSegments": len(rows),
                    "SegmentLabels": LABELS_JOINED_BY.join(sorted({str(label) for label in labels})) or None,
                }
    return found
