"""What runs in the environment of each tool that features are measured beside: a script of its own, with its imports.

Each defines ``load(image, mask)``, which is not measured, and ``work(loaded)``, which is, and gives the number of
values or voxels. The frame runs ``work`` on a small input first, in which compilers and caches do their part.
"""

from __future__ import annotations

FRAME = """
import hashlib, json, os, sys
image, mask, small_image, small_mask, scratch, rounds = sys.argv[1:7]
def spent():
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system
def megabytes(name):
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(name)).split()[1]) / 1024
{script}
TOLD = []
if WARM:
    work(load(small_image, small_mask))
    TOLD.clear()
loaded, cpu, peak = load(image, mask), [], []
while len(cpu) < int(rounds) and sum(cpu) < LONG:
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")  # the highest memory use counts from here on
    before, started = megabytes("VmRSS"), spent()
    number = work(loaded)
    cpu.append(spent() - started)
    peak.append(megabytes("VmHWM") - before)
print(json.dumps({"cpu": cpu, "peak_mb": peak, "number": int(number), "told": sorted(set(TOLD))}))
"""

_OWN = """
import numpy as np
import SimpleITK
from ingestion.features.ibsi import IbsiSettings, compute
WARM = True
SETTINGS = IbsiSettings.from_mapping({"discretisation": {"method": "fixed_bin_number", "bin_number": BINS}}, place="")
def load(image, mask):
    read = SimpleITK.ReadImage(image)
    array = SimpleITK.GetArrayFromImage(read).astype(np.float32)
    return array, SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(mask)) > 0, read.GetSpacing()[::-1]
def work(loaded):
    found = compute(loaded[0], loaded[1], spacing_mm=loaded[2], settings=SETTINGS)
    TOLD.append(hashlib.sha256(repr([value.value for value in found.values]).encode()).hexdigest())
    return sum(value.value is not None for value in found.values)
"""
_ZRAD = """
from zrad.image import Image
from zrad.preprocessing import IntensityMaskBuilder, IVHIntensityDiscretizer, Pipeline, RoiData, TextureDiscretizer
from zrad.radiomics import Radiomics
WARM = True
STEPS = Pipeline([("mask", IntensityMaskBuilder()), ("texture", TextureDiscretizer(number_of_bins=BINS)),
                  ("ivh", IVHIntensityDiscretizer("direct"))])
def load(image, mask):
    read = Image.from_nifti(image)
    return read, Image.from_nifti_mask(mask, read)
def work(loaded):
    region = STEPS.apply(RoiData(image=loaded[0], morphological_mask=loaded[1]))
    return len(Radiomics(aggr_dim="3D", aggr_method="AVER").extract_features(region, families="all"))
"""
_MIRP = """
import logging
from mirp import extract_features
logging.disable(logging.CRITICAL)
WARM = True
def load(image, mask):
    return image, mask
def work(loaded):
    table = extract_features(
        image=loaded[0], mask=loaded[1], image_modality="ct", by_slice=False, num_cpus=1, base_feature_families="all",
        base_discretisation_method="fixed_bin_number", base_discretisation_n_bins=BINS,
        glcm_spatial_method="3d_average", glrlm_spatial_method="3d_average", glszm_spatial_method="3d",
        gldzm_spatial_method="3d", ngtdm_spatial_method="3d", ngldm_spatial_method="3d",
    )[0]
    families = ("morph", "loc", "stat", "ih", "ivh", "cm", "rlm", "szm", "dzm", "ngt", "ngl")
    return sum(name.split("_")[0] in families for name in table.columns)
"""
_NYXUS = """
from nyxus import Nyxus3D
WARM = False  # compiled; and its second region of a process comes out with a handful of columns
def load(image, mask):
    return image, mask
def work(loaded):
    engine = Nyxus3D(
        features=["*3D_ALL*"], n_feature_calc_threads=1, ibsi=True, coarse_gray_depth=BINS,
    )
    return sum(name.startswith("3") for name in engine.featurize_files([loaded[0]], [loaded[1]], False).columns)
"""
_PYSERA = """
import contextlib, io
import pysera
WARM = True
def load(image, mask):
    return image, mask
def work(loaded):
    with contextlib.redirect_stdout(io.StringIO()):
        found = pysera.process_batch(
            image_input=loaded[0], mask_input=loaded[1], output_path=scratch, temporary_files_path=scratch,
            apply_preprocessing=False, enable_parallelism=False, num_workers="1", bin_size=BINS, report="none",
            categories="morph,ivh,stat,hist,local,glcm,glrlm,glszm,gldzm,ngtdm,ngldm", dimensions="1st,3d",
            IBSI_based_parameters={"radiomics_DiscType": "FBN", "radiomics_isScale": 0},
        )
    if not found["success"]:
        raise SystemExit(found.get("error"))
    return found["features_extracted"].shape[1] - 2
"""
_PYRADIOMICS = """
import logging
import SimpleITK
from radiomics import featureextractor
logging.disable(logging.CRITICAL)
WARM = True
def load(image, mask):
    return SimpleITK.ReadImage(image), SimpleITK.ReadImage(mask)
def work(loaded):
    engine = featureextractor.RadiomicsFeatureExtractor(binCount=BINS)
    engine.enableAllFeatures()
    return sum(name.startswith("original") for name in engine.execute(*loaded))
"""
OWN = "cie features"
REGIONS = {
    OWN: _OWN, "z-rad": _ZRAD, "mirp": _MIRP, "nyxus": _NYXUS, "pysera": _PYSERA, "pyradiomics": _PYRADIOMICS,
}  # fmt: skip
"""Script by the package that brings what it imports."""
REGION_NOTES = {
    "mirp": "Moran's I and Geary's C sampled",
    "nyxus": "other definitions than IBSI's for some; no Moran's I",
    "pyradiomics": "seven families; no Moran's I",
}

_READ_OWN = """
from pathlib import Path
from ingestion.dicom.images import ImageReader
from ingestion.dicom.volume import read_volume
WARM = True
def load(folder, _):
    return sorted(Path(folder).iterdir())
def work(paths):
    reader = ImageReader()
    return read_volume([reader.from_file(path) for path in paths]).array.size
"""
_READ_PYDICOM = """
from pathlib import Path
import numpy as np
from pydicom import dcmread
WARM = True
def load(folder, _):
    return sorted(Path(folder).iterdir())
def work(paths):
    read = sorted((dcmread(path) for path in paths), key=lambda one: float(one.ImagePositionPatient[2]))
    return np.stack(
        [one.pixel_array * np.float32(one.RescaleSlope) + np.float32(one.RescaleIntercept) for one in read]
    ).size
"""
_READ_ITK = """
import numpy as np
import SimpleITK
SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
WARM = True
def load(folder, _):
    return folder
def work(folder):
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder))
    return SimpleITK.GetArrayFromImage(reader.Execute()).astype(np.float32).size
"""
_READ_DCM2NIIX = """
import subprocess
import dcm2niix
WARM = True
def load(folder, _):
    return folder
def work(folder):
    command = [str(dcm2niix.bin), "-z", "n", "-b", "n", "-w", "1", "-f", "volume", "-o", scratch, folder]
    subprocess.run(command, check=True, capture_output=True)
    return os.path.getsize(os.path.join(scratch, "volume.nii")) // 2
"""
_READ_ZRAD = """
from zrad.image import Image
WARM = True
def load(folder, _):
    return folder
def work(folder):
    return Image.from_dicom(folder, "CT").array.size
"""
READING = {
    OWN: _READ_OWN, "pydicom": _READ_PYDICOM, "SimpleITK": _READ_ITK, "dcm2niix": _READ_DCM2NIIX, "z-rad": _READ_ZRAD,
}  # fmt: skip
HERE = frozenset({OWN, "pydicom", "SimpleITK"})
"""Those that need no environment of their own: the product has them."""
READING_NOTES = {
    "pydicom": "the usual ten lines, slices sorted by z alone", "dcm2niix": "writes a NIfTI file of 16-bit integers",
}  # fmt: skip
