"""A store in memory and stored series made by code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    SegmentationStorage,
    generate_uid,
)
from typer.testing import CliRunner

from ingestion.accounting.manifest import Manifest, ManifestInstance, instance_key
from ingestion.accounting.source_state import Counts, SeriesEntry, SourceState
from ingestion.accounting.states import SeriesState
from ingestion.commands.features import register
from ingestion.dicom.summary import INSTANCE_KEYWORDS, SERIES_KEYWORDS, summarise
from ingestion.storage import ObjectMissingError, StoredObject

SOURCE = "testsource"


@pytest.fixture
def cie() -> Any:
    """Runs ``cie features`` with the arguments."""
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return lambda *arguments: CliRunner().invoke(app, ["features", *map(str, arguments)])


@dataclass
class MemoryStore:
    objects: dict[str, bytes] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def create(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        if key in self.objects:
            return False
        self.objects[key] = body
        return True

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        self.reads.append(key)
        if key not in self.objects:
            raise ObjectMissingError(key)
        return self.objects[key][start : None if length is None else start + length]

    def exists(self, key: str) -> bool:
        return key in self.objects

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after:
                yield StoredObject(key, len(self.objects[key]))


@dataclass
class Made:
    """A source of made series: its store, and the manifests it would have after a sync."""

    store: MemoryStore = field(default_factory=MemoryStore)
    manifests: list[Manifest] = field(default_factory=list)

    @property
    def state(self) -> SourceState:
        rows = (SeriesEntry(m.SeriesInstanceUID, SeriesState.COMPLETE, m.version, Counts(), {}) for m in self.manifests)
        return SourceState(SOURCE, tuple(sorted(rows, key=lambda row: row.SeriesInstanceUID or "")))

    def add(self, datasets: Sequence[Dataset], *, patient: str = "P1") -> Manifest:
        """Store a series; one of the same UID is replaced, as by a later delivery."""
        series = str(datasets[0].SeriesInstanceUID)
        instances = []
        for dataset in datasets:
            buffer = BytesIO()
            dataset.save_as(buffer, enforce_file_format=True)
            body = buffer.getvalue()
            digest = hashlib.sha256(body).hexdigest()
            key = instance_key(SOURCE, series, str(dataset.SOPInstanceUID), digest)
            self.store.create(key, body)
            instances.append(
                ManifestInstance(
                    SOPInstanceUID=str(dataset.SOPInstanceUID),
                    SOPClassUID=str(dataset.SOPClassUID),
                    key=key,
                    sha256=digest,
                    size=len(body),
                    pixel_offset=None,
                    attributes=summarise(dataset, INSTANCE_KEYWORDS),
                )
            )
        manifest = Manifest(
            source_id=SOURCE,
            PatientID=patient,
            StudyInstanceUID=str(datasets[0].StudyInstanceUID),
            SeriesInstanceUID=series,
            policy="test",
            policy_digest="0",
            code_version="0",
            key_id="0",
            header=summarise(datasets[0], SERIES_KEYWORDS),
            varying=(),
            instances=tuple(instances),
        )
        self.manifests = [m for m in self.manifests if m.SeriesInstanceUID != series] + [manifest]
        self.store.create(manifest.key, manifest.to_json())
        return manifest


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture
def make_ct() -> Callable[..., list[Dataset]]:
    """CT (or, with more attributes, other) slices of stored values (slice, row, column), 2 x 0.5 x 0.5 mm."""
    return _slices


def _slices(stored: NDArray[np.int16], *, modality: str = "CT", **more: Any) -> list[Dataset]:
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    slices = []
    for k, plane in enumerate(stored):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = PositronEmissionTomographyImageStorage if modality == "PT" else CTImageStorage
        dataset.SOPInstanceUID = generate_uid()
        dataset.SeriesInstanceUID, dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = series, study, frame
        dataset.Modality, dataset.ImageType = modality, ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate, dataset.PatientSex = "P1", "", "", ""
        dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20200102", "101112", "1", ""
        dataset.ReferringPhysicianName, dataset.Manufacturer = "", "Made"
        dataset.InstanceNumber, dataset.SeriesNumber = k + 1, 1
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows, dataset.Columns = plane.shape
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
        dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 2 * k]
        dataset.PixelSpacing, dataset.RescaleSlope, dataset.RescaleIntercept = [0.5, 0.5], 1, -1000
        dataset.SliceThickness = 99  # wrong on purpose: nothing may use it
        dataset.PixelData = plane.tobytes()
        for keyword, value in more.items():
            setattr(dataset, keyword, value)
        slices.append(dataset)
    return slices


@pytest.fixture
def make_seg() -> Callable[..., Dataset]:
    """A segmentation of masks (slice, row, column, segment) on slices."""
    return _seg


def _seg(slices: list[Dataset], masks: NDArray[np.generic]) -> Dataset:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    return hd.seg.Segmentation(
        source_images=slices,
        pixel_array=masks.astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=[
            hd.seg.SegmentDescription(
                segment_number=number + 1,
                segment_label=f"lesion {number + 1}",
                segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
                segmented_property_type=codes.SCT.Neoplasm,
                algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
            for number in range(masks.shape[-1])
        ],
        series_instance_uid=hd.UID(),
        series_number=2,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="Made",
        manufacturer_model_name="Test",
        software_versions="1",
        device_serial_number="1",
    )


@pytest.fixture
def plan(make_ct: Callable[..., list[Dataset]]) -> Dataset:
    """An object without pixels."""
    dataset = _slices(np.zeros((1, 2, 2), dtype=np.int16))[0]
    dataset.SOPClassUID, dataset.Modality = "1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN"
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(dataset, keyword)
    assert dataset.SOPClassUID != SegmentationStorage
    return dataset
