"""Real files of many vendors that come with installed packages; nothing is downloaded. Their ends are not foretold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from ingestion.demo.answer_key import ObjectKind
from ingestion.demo.outbox import ANY, Item, Outbox, Place
from ingestion.demo.seeds import Seeds

LARGEST_BYTES = 1_000_000
"""Larger ones would make the demo slow without showing anything new."""


class Group(StrEnum):
    """What a file can do to a source's quality figures."""

    IMAGE = "image"  # may be accepted, and lacks attributes that the quality rules ask for
    CAPTURE = "capture"  # of a kind that a policy holds back
    FRAGMENT = "fragment"  # without ids, or no DICOM


@dataclass(frozen=True, slots=True)
class RealFile:
    package: str
    path: str
    group: Group


PYDICOM, DEID_DATA = "pydicom", "deid_data"
_TESTS = "data/test_files/"
_CHARSETS = "data/charset_files/"
_IMAGES = (
    "693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "MR_small.dcm", "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_padded.dcm", "MR_truncated.dcm", "badVR.dcm", "examples_overlay.dcm", "liver_1frame.dcm", "no_meta.dcm",
    "rtdose.dcm", "rtdose_rle.dcm", "rtplan.dcm", "rtplan_truncated.dcm", "rtstruct.dcm", "waveform_ecg.dcm",
)  # fmt: skip
_CAPTURES = (
    "GDCMJ2K_TextGBR.dcm", "JPEG-lossy.dcm", "JPEG2000.dcm", "JPGExtended.dcm", "SC_jpeg_no_color_transform.dcm",
    "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_gdcm_KY.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_rle.dcm", "SC_rgb_rle_16bit_2frame.dcm", "SC_rgb_rle_32bit.dcm", "SC_rgb_small_odd.dcm",
    "SC_rgb_small_odd_big_endian.dcm", "SC_ybr_full_422_uncompressed.dcm", "examples_palette.dcm",
    "examples_rgb_color.dcm", "examples_ybr_color.dcm", "reportsi.dcm", "test-SR.dcm", "image_dfl.dcm",
    "ExplVR_BigEnd.dcm",
)  # fmt: skip
_FRAGMENTS = (
    "ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm", "JPEGLSNearLossless_08.dcm", "SC_rgb_jls_lossy_line.dcm",
    "UN_sequence.dcm", "crayons.icc", "empty_charset_LEI.dcm", "meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm",
    "no_meta_group_length.dcm", "priv_SQ.dcm", "rtplan.dump", "test1.json", "zipMR.gz",
)  # fmt: skip
_SCRIPTS = (
    "chrArab.dcm", "chrFren.dcm", "chrFrenMulti.dcm", "chrGerm.dcm", "chrGreek.dcm", "chrH31.dcm", "chrH32.dcm",
    "chrHbrw.dcm", "chrI2.dcm", "chrRuss.dcm", "chrX1.dcm", "chrX2.dcm",
)  # fmt: skip
_HUMANS = ("data/humans/ctbrain1.dcm", "data/humans/ctbrain2.dcm", "data/dicom-cookies/image2.dcm",
           "data/dicom-cookies/image6.dcm", "data/ultrasounds/GREYSCALE_IMAGE.dcm")  # fmt: skip

REAL_FILES: tuple[RealFile, ...] = (
    *(RealFile(PYDICOM, _TESTS + name, Group.IMAGE) for name in _IMAGES),
    *(RealFile(PYDICOM, _TESTS + name, Group.CAPTURE) for name in _CAPTURES),
    *(RealFile(PYDICOM, _CHARSETS + name, Group.CAPTURE) for name in _SCRIPTS),
    *(RealFile(DEID_DATA, path, Group.CAPTURE) for path in _HUMANS),
    *(RealFile(PYDICOM, _TESTS + name, Group.FRAGMENT) for name in _FRAGMENTS),
)
PER_GROUP = {Group.IMAGE: 1, Group.CAPTURE: 3, Group.FRAGMENT: 1}


def add_real_files(outbox: Outbox, seeds: Seeds, *, images: bool) -> None:
    """A few real files for a source; ``images``: also one of those that may become rows of the quality tables."""
    for group, count in PER_GROUP.items():
        if group is Group.IMAGE and not images:
            continue
        choice = [found for found in REAL_FILES if found.group is group]
        start = seeds.number("real", group)
        for step in range(count):
            real = choice[(start + step * 7) % len(choice)]
            name = Path(real.path).name
            bare = name.endswith(".dcm") and seeds.number("real name", name) % 2 == 0
            place = Place(f"various/{name.removesuffix('.dcm') if bare else name}")
            note = f"{real.package}: {name}"
            outbox.add(Item(place, _read(real), ObjectKind.IMAGE, ANY, note=note))


def _read(real: RealFile) -> bytes:
    """Raises: FileNotFoundError: the package is not installed, or a release of it left the file out."""
    spec = find_spec(real.package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {real.package} is not installed; run `uv sync`")
    return (Path(spec.origin).parent / real.path).read_bytes()
