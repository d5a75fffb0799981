"""Datasets to files: the transfer syntaxes that deliveries come in, the same bytes every time."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from ingestion.demo.model import Station, put
from ingestion.demo.seeds import Seeds

VERSION_NAME = "EXPORT_1"
SYNTAXES: tuple[str, ...] = (
    *[ExplicitVRLittleEndian] * 9,
    *[ImplicitVRLittleEndian] * 3,
    ExplicitVRBigEndian,
    *[JPEG2000Lossless] * 2,
    *[JPEGLSLossless] * 2,
    *[RLELossless] * 2,
)
"""As often as they are met: most exports are not compressed."""
_ENCODERS = {JPEG2000Lossless: "pylibjpeg", JPEGLSLossless: "pyjpegls", RLELossless: "pydicom"}


def pick_syntax(seeds: Seeds, *, modality: str, uid: str) -> str:
    """The transfer syntax of one series; signed and multi-frame pixels stay uncompressed."""
    if modality not in ("CT", "MR", "MG"):
        return str(ExplicitVRLittleEndian)
    return seeds.pick(SYNTAXES, "syntax", uid)


def encode(dataset: Dataset, station: Station, *, syntax: str = ExplicitVRLittleEndian, preamble: bytes = b"") -> bytes:
    """The file of a dataset, with file meta information. ``dataset`` is not changed."""
    written = Dataset()
    written.update(dataset)
    written.file_meta = FileMetaDataset()
    put(
        written.file_meta,
        MediaStorageSOPClassUID=dataset.SOPClassUID,
        MediaStorageSOPInstanceUID=dataset.SOPInstanceUID,
        TransferSyntaxUID=syntax,
        ImplementationClassUID=f"{station.uid_root}.1",
        ImplementationVersionName=VERSION_NAME,
        SourceApplicationEntityTitle=station.name,
    )
    if syntax in _ENCODERS:
        written.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        put(written, PixelData=dataset.PixelData)  # compressing changes the element in place
        written.compress(syntax, encoding_plugin=_ENCODERS[UID(syntax)], generate_instance_uid=False)
    elif syntax == ExplicitVRBigEndian and "PixelData" in dataset:
        if dataset.BitsAllocated != 16:
            raise ValueError(f"big endian is made of 16-bit pixels only, not of {dataset.BitsAllocated}")
        put(written, PixelData=np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes())
    written.preamble = preamble.ljust(128, b"\0")
    buffer = BytesIO()
    dcmwrite(buffer, written, enforce_file_format=True)
    return buffer.getvalue()


def bare(dataset: Dataset) -> bytes:
    """The dataset alone, implicit VR little endian: a file without preamble and file meta information."""
    buffer = BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=True, little_endian=True, enforce_file_format=False)
    return buffer.getvalue()
