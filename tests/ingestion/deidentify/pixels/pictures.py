"""Pictures made by code, and their data sets, for the tests and the study of this folder."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from scipy.ndimage import gaussian_filter

NAME = "MUSTERMANN, ERIKA"
LINES = (NAME, "ID 4711-0815", "12.08.1964", "KLINIKUM NORD")


def lettering(canvas: NDArray[np.uint8], text: str, *, left: int, top: int, size: int = 14, value: int = 255) -> None:
    """Write ``text`` on ``canvas`` (rows, columns[, 3]) in place."""
    layer = Image.new("1", (canvas.shape[1], canvas.shape[0]), 0)
    ImageDraw.Draw(layer).text((left, top), text, fill=1, font=ImageFont.load_default(size))
    canvas[np.asarray(layer)] = value


def fan(rows: int = 480, columns: int = 640, *, seed: int = 1) -> NDArray[np.uint8]:
    """A sector of speckle on black, from row 60 down."""
    row = np.arange(rows)[:, None] - 60
    column = np.abs(np.arange(columns)[None, :] - columns // 2)
    echoes = np.random.default_rng(seed).rayleigh(60, (rows, columns))
    speckle = gaussian_filter(echoes, 1.2).clip(0, 160)  # a beam has a width: neighbouring pixels are alike
    inside = (row > 0) & (column < row * 0.7 + 20) & (column**2 + row**2 < (rows - 90) ** 2)
    return np.where(inside, speckle, 0).astype(np.uint8)


def slice_of_body(size: int = 256, *, seed: int = 1) -> NDArray[np.int16]:
    """An ellipse with noise, in CT numbers."""
    y, x = np.mgrid[:size, :size] - size / 2
    noise = np.random.default_rng(seed).normal(0, 12, (size, size))
    body = (x / (size * 0.42)) ** 2 + (y / (size * 0.33)) ** 2 < 1
    return np.where(body, 40 + noise, -1000 + noise).astype(np.int16)


def dataset_of(
    pixels: NDArray[np.generic],
    *,
    sop_class: str,
    modality: str,
    photometric: str = "MONOCHROME2",
    frames: int = 1,
    **attributes: object,
) -> Dataset:
    """A data set, explicit little endian, of ([frames,] rows, columns[, 3])."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    colour = photometric in ("RGB", "YBR_FULL", "YBR_RCT")
    shape = pixels.shape[1:] if frames > 1 else pixels.shape
    bits = pixels.dtype.itemsize * 8
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = sop_class, "1.2.3.4", modality
    dataset.Rows, dataset.Columns = shape[0], shape[1]
    dataset.SamplesPerPixel = 3 if colour else 1
    if colour:
        dataset.PlanarConfiguration = 0
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    raw = np.ascontiguousarray(pixels).tobytes()
    dataset.add_new("PixelData", "OW" if bits > 8 else "OB", raw + b"\0" * (len(raw) % 2))
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def region(*, left: int, top: int, right: int, bottom: int) -> Dataset:
    """An item of SequenceOfUltrasoundRegions; ``right`` and ``bottom`` are its last pixels."""
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = 1, 1, 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    return item


def ultrasound(*, name_in_region: bool = False, with_regions: bool = True, frames: int = 1) -> Dataset:
    """A colour still or cine with the patient's line above the image region, which starts at row 50."""
    pictures = []
    for number in range(frames):
        canvas = np.repeat(fan(seed=number + 1)[:, :, None], 3, axis=2)
        lettering(canvas, f"{NAME}  ID 4711-0815  12.08.1964", left=8, top=6)
        lettering(canvas, "KLINIKUM NORD", left=8, top=26)
        if name_in_region:
            lettering(canvas, NAME, left=40, top=300, size=16)
        pictures.append(canvas)
    pixels = np.stack(pictures) if frames > 1 else pictures[0]
    kind = uid.UltrasoundMultiFrameImageStorage if frames > 1 else uid.UltrasoundImageStorage
    dataset = dataset_of(pixels, sop_class=kind, modality="US", photometric="RGB", frames=frames)
    if with_regions:
        dataset.SequenceOfUltrasoundRegions = [region(left=0, top=50, right=639, bottom=479)]
    return dataset


def written_and_read(dataset: Dataset) -> Dataset:
    """The data set as a reader gets it."""
    buffer = BytesIO()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer)
