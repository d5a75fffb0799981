"""Volumes beside an independent converter, voxel by voxel, on real series of several vendors."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread
from pydicom.dataset import Dataset

from ingestion.dicom.quiet import silence_readers
from ingestion.dicom.values import VolumeRefusedError
from ingestion.dicom.volume import Volume, read_volumes

dcm2niix = pytest.importorskip("dcm2niix")

SERIES = {
    "ibsi/ct_phantom/dicom/image": 1,
    "corpus/dcm4che/dcm4che-assembly/src/etc/testdata/dicom": 1,
    "corpus/dcmqi/data/segmentations/ct-3slice": 1,
    "corpus/dcmqi/data/segmentations/23x38x3/image": 1,
    "corpus/dcmqi/data/segmentations/23x38x3/multiframe": 1,
    "corpus/dcmqi/data/segmentations/24x38x3/multiframe": 1,
    "corpus/dcm_qa_enh/In/Philips": 2,
    "corpus/dcm_qa_enh/In/Siemens/XA10": 4,
}
REFUSED = {
    "corpus/dcm_qa_nih/In/20180918Si/mr_0003": "mosaic",
    "corpus/dcm_qa_nih/In/20180918GE/mr_0004": "duplicate_positions",
}


def _images(folder: Path) -> list[Dataset]:
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in {".md", ".txt", ".json"}:
            dataset = dcmread(path, force=True)
            if dataset.get("Rows"):
                found.append(dataset)
    return found


def _converted(folder: Path, out: Path) -> list[SimpleITK.Image]:
    """Every three-dimensional image that the converter makes of a folder, scaled by the standard header (-p n)."""
    command = [
        str(dcm2niix.bin),
        "-z",
        "n",
        "-b",
        "n",
        "-m",
        "y",
        "-p",
        "n",
        "-f",
        "s%s_e%e_%z",
        "-o",
        str(out),
        str(folder),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    images = []
    for path in sorted(out.glob("*.nii")):
        image = SimpleITK.ReadImage(str(path), imageIO="NiftiImageIO")
        if image.GetDimension() == 4:
            size = [*image.GetSize()[:3], 0]
            images += [SimpleITK.Extract(image, size, [0, 0, 0, t]) for t in range(image.GetSize()[3])]
        else:
            images.append(image)
    return images


def _same(volume: Volume, image: SimpleITK.Image) -> bool:
    """Whether each voxel of ``volume`` has its value at the same place of ``image``."""
    array = SimpleITK.GetArrayFromImage(image).astype(np.float32)
    if sorted(array.shape) != sorted(volume.array.shape):
        return False
    axes = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()  # columns: x, y, z of the image
    index = np.moveaxis(np.indices(volume.array.shape), 0, -1).reshape(-1, 3)
    world = np.array(volume.origin) + (index * volume.spacing) @ volume.direction
    there = (world - np.array(image.GetOrigin())) @ np.linalg.inv(axes).T
    rounded = np.round(there).astype(int)
    if np.abs(there - rounded).max() > 0.01 or (rounded < 0).any() or (rounded >= np.array(image.GetSize())).any():
        return False
    found, expected = array[rounded[:, 2], rounded[:, 1], rounded[:, 0]], volume.array.reshape(-1)
    # NIfTI keeps slope and intercept as 32-bit floats.
    return bool(np.allclose(found, expected, rtol=0, atol=2e-7 * np.abs(expected).max()))


@pytest.mark.parametrize("name", SERIES)
def test_volumes_are_those_of_the_converter(shared: Path, tmp_path: Path, name: str) -> None:
    silence_readers()
    volumes = read_volumes(_images(shared / name))
    assert len(volumes) == SERIES[name]
    images = _converted(shared / name, tmp_path)
    for volume in volumes:
        matches = [image for image in images if _same(volume, image)]
        assert matches, f"none of {len(images)} images of the converter equals a volume of {volume.array.shape}"


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_single_volume_is_refused(shared: Path, name: str) -> None:
    with pytest.raises(VolumeRefusedError, match=REFUSED[name]):
        read_volumes(_images(shared / name))
