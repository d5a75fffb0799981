"""The pictures of docs/pixels.md, of an ultrasound made by code.

Run: python -m tests.ingestion.deidentify.pixels.screenshots docs/images
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

from ingestion.deidentify.pixels import OnText, PixelPolicy, assess_pixels, clean_burned_in, find_detector
from tests.ingestion.deidentify.pixels.pictures import ultrasound


def save(dataset: Dataset, file: Path) -> None:
    Image.fromarray(pixel_array(dataset)).quantize(64).save(file, optimize=True)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    dataset = ultrasound(name_in_region=True)
    save(dataset, folder / "ultrasound_before.png")
    policy = PixelPolicy(inside_regions=OnText.BLANK)
    assessment = assess_pixels(dataset, dataset.SOPClassUID)
    clean_burned_in(dataset, assessment, policy=policy, detector=find_detector())
    save(dataset, folder / "ultrasound_after.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
