"""One defect per imaging check, put into good series; what fires is measured, not assumed."""
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from . import series as good
from . import views
from .shim import Stored, encoded, failing

Series = list[Dataset]


@dataclass(frozen=True)
class Defect:
    """``rule``: the check that must find it; ``also``: further ones for which it is a defect too."""

    id: str
    rule: str
    make: Callable[[], Stored | tuple[Stored, list[Stored]]]
    also: frozenset[str] = frozenset()

    def fired(self) -> set[str]:
        made = self.make()
        return failing(made.examine()) if isinstance(made, Stored) else failing(made[0].examine(made[1]))


def clean() -> dict[str, Callable[[], Stored | tuple[Stored, list[Stored]]]]:
    """Good series of every kind, on which nothing may fire."""
    ct = good.ct_series()
    beside = [Stored(encoded(ct))]
    kinds = {
        "CT": ct, "MR": good.mr_series(), "MR, three echoes": good.multi_echo(), "MR, two b-values": good.diffusion(),
        "MR, three time points": good.dynamic(), "MR localizer": good.localizer(), "PT": good.pt_series(),
        "MG left": good.mammogram(), "MG right": good.mammogram("R"), "MG oblique": [views.dataset_of(_breast("MLO"))], "US loop": good.ultrasound(),
        "MR enhanced": good.enhanced(), "CT with slabs at both ends blank": _blank_ends(),
        "MR in two slabs, numbered without a gap": _slabs(), "PT without attenuation correction": _uncorrected(),
        "CT of one slice": good.ct_series(slices=1), "CT in motion at one position": _bolus(),
        "MR values and MONOCHROME1 both turned": _negative(),
    }  # fmt: skip
    made: dict[str, Callable[[], Stored | tuple[Stored, list[Stored]]]] = {
        name: (lambda datasets=datasets: Stored(encoded(datasets))) for name, datasets in kinds.items()
    }
    made["SEG"] = lambda: (Stored(encoded(good.segmentation(ct))), beside)
    made["RTSTRUCT"] = lambda: (Stored(encoded(good.structure_set(ct))), beside)
    return made


def _blank_ends() -> Series:
    made = good.ct_series(slices=9)
    for dataset in (made[0], made[-1]):
        dataset.PixelData = bytes(len(dataset.PixelData))
    return made


def _slabs() -> Series:
    made = good.mr_series(slices=8)
    for dataset in made[4:]:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, round(float(z) + 33, 2)]
    return made


def _bolus() -> Series:
    """One slice watched while contrast agent arrives: the acquisition time tells the images apart."""
    made = good.ct_series()
    for at, dataset in enumerate(made):
        dataset.ImagePositionPatient, dataset.AcquisitionTime = made[0].ImagePositionPatient, f"1017{at:02}"
    return made


def _negative() -> Series:
    """Shown right: the values are turned, and MONOCHROME1 turns them back."""
    made = good.mr_series()
    for dataset in made:
        before = _values(dataset)
        dataset.PixelData = (before.max() - before.astype(int)).astype(before.dtype).tobytes()
        dataset.PhotometricInterpretation = "MONOCHROME1"
    return made


def _uncorrected() -> Series:
    made = good.pt_series()
    for dataset in made:
        dataset.CorrectedImage = ["NORM", "DECY"]
    return made


def _set(made: Series, at: int | None = None, **values: object) -> Stored:
    """``values`` in all instances, or in one."""
    for dataset in made if at is None else [made[at]]:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
    return Stored(encoded(made))


def _values(dataset: Dataset) -> np.ndarray:
    kind = "u1" if dataset.BitsAllocated == 8 else "<i2" if dataset.PixelRepresentation else "<u2"
    return np.frombuffer(dataset.PixelData, kind).reshape(dataset.Rows, dataset.Columns).copy()


def _changed() -> Stored:
    made = Stored(encoded(good.ct_series()))
    key = made.manifest.instances[2].key
    made.bodies[key] = made.bodies[key][:-2] + b"zz"
    return made


def _cut_header() -> Stored:
    bodies = encoded(good.ct_series())
    made = Stored(bodies)
    key = made.manifest.instances[1].key
    made.bodies[key] = made.bodies[key][:700]
    return made


def _short() -> Stored:
    made = good.ct_series()
    made[3].PixelData = made[3].PixelData[:-400]
    return Stored(encoded(made))


def _long() -> Stored:
    made = good.ct_series()
    made[3].PixelData = made[3].PixelData + b"\0" * 64
    return Stored(encoded(made))


def _broken_codec() -> Stored:
    made = good.ct_series()
    made[2].compress("1.2.840.10008.1.2.5", encoding_plugin="pydicom")
    body = bytearray(made[2].PixelData)
    body[20:84] = b"\xff" * 64
    made[2].PixelData = bytes(body)
    made[2]["PixelData"].is_undefined_length = True
    return Stored(encoded(made))


def _rle_without_end(cut: int) -> Stored:
    """The file ends ``cut`` bytes early; the delimiter takes the last 8."""
    made = good.ct_series()
    made[2].compress("1.2.840.10008.1.2.5", encoding_plugin="pydicom")
    bodies = encoded(made)
    bodies[2] = bodies[2][:-cut]
    return Stored(bodies)


def _cut_fragment() -> Stored:
    return _rle_without_end(300)


def _no_delimiter() -> Stored:
    return _rle_without_end(8)


def _meta() -> Stored:
    bodies = encoded(good.ct_series())
    # pydicom writes the file meta from the data set; the first of the two UIDs in the bytes is the meta's
    bodies[1] = bodies[1].replace(f"{good.ROOT}.1.2".encode(), f"{good.ROOT}.1.9".encode(), 1)
    return Stored(bodies)


def _unplaced() -> Stored:
    made = good.mr_series()
    del made[2].ImagePositionPatient
    return Stored(encoded(made))


def _turned() -> Stored:
    made = good.mr_series()
    for dataset in made[3:]:
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 0.96, 0.28]
    return Stored(encoded(made))


def _scout() -> Stored:
    made = good.ct_series(slices=8)
    made[0].ImageOrientationPatient, made[0].ImageType = [1, 0, 0, 0, 0, -1], ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    return Stored(encoded(made))


def _one_turned() -> Stored:
    made = good.ct_series(slices=9)
    made[4].ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    return Stored(encoded(made))


def _one_position() -> Stored:
    made = good.ct_series()
    for dataset in made:
        dataset.ImagePositionPatient = made[0].ImagePositionPatient
    return Stored(encoded(made))


def _scouts_unsaid() -> Series:
    """A stack beside a coronal and a sagittal scout that do not say what they are."""
    made = good.ct_series(slices=9)
    made[0].ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    made[1].ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    return made


def _turned_values(made: Series, **values: object) -> Stored:
    """Values turned over, as a negative has them."""
    for dataset in made:
        before = _values(dataset)
        dataset.PixelData = (before.max() - before.astype(int)).astype(before.dtype).tobytes()
    return _set(made, **values)


def _twice() -> Stored:
    made = good.ct_series()
    again = deepcopy(made[3])
    again.SOPInstanceUID, again.InstanceNumber = f"{good.ROOT}.1.99", 99
    again.file_meta.MediaStorageSOPInstanceUID = again.SOPInstanceUID
    return Stored(encoded([*made, again]))


def _unexplained() -> Stored:
    made = good.mr_series()
    again = deepcopy(made[3])
    again.SOPInstanceUID, again.InstanceNumber = f"{good.ROOT}.2.99", 99
    again.file_meta.MediaStorageSOPInstanceUID = again.SOPInstanceUID
    again.PixelData = (_values(again) // 2).tobytes()
    return Stored(encoded([*made, again]))


def _gap() -> Stored:
    made = good.ct_series(slices=9)
    return Stored(encoded(made[:4] + made[5:]))


def _irregular() -> Stored:
    made = good.ct_series()
    for dataset in made[4:]:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, float(z) + 0.9]
    return Stored(encoded(made))


def _sheared() -> Stored:
    made = good.ct_series()
    for at, dataset in enumerate(made):
        dataset.ImagePositionPatient = [-120, -120 + at * 0.6, at * 2.5]
    return Stored(encoded(made))


def _shuffled() -> Stored:
    made = good.ct_series()
    for dataset, number in zip(made, (4, 1, 6, 2, 7, 3, 5), strict=True):
        dataset.InstanceNumber = number
    return Stored(encoded(made))


def _lost_time() -> Stored:
    return Stored(encoded([dataset for dataset in good.dynamic() if dataset.TemporalPositionIdentifier != 3]))


def _lost_group() -> Stored:
    made = good.enhanced()
    made[0].PerFrameFunctionalGroupsSequence = made[0].PerFrameFunctionalGroupsSequence[:-1]
    return Stored(encoded(made))


def _pixels(made: Series, change: Callable[[np.ndarray, int], np.ndarray]) -> Stored:
    for at, dataset in enumerate(made):
        before = _values(dataset)
        dataset.PixelData = change(before, at).astype(before.dtype).tobytes()
    return Stored(encoded(made))


def _padded() -> Stored:
    made = good.ct_series()
    for dataset in made:
        values = _values(dataset)
        hidden = np.ones(values.shape, bool)
        hidden[28:36, 28:40] = False
        values[hidden] = 0
        dataset.PixelData, dataset.PixelPaddingValue = values.tobytes(), 0
        dataset["PixelPaddingValue"].VR = "US"
    return Stored(encoded(made))


def _noise(values: np.ndarray, at: int) -> np.ndarray:
    return np.abs(np.random.default_rng(at).normal(0, 40, values.shape))


def _annotated(make: Callable[[Series], Series], change: Callable[[Dataset], None]) -> tuple[Stored, list[Stored]]:
    ct = good.ct_series()
    made = make(ct)
    change(made[0])
    return Stored(encoded(made)), [Stored(encoded(ct))]


def _seg(change: Callable[[Dataset], None]) -> Callable[[], tuple[Stored, list[Stored]]]:
    return lambda: _annotated(good.segmentation, change)


def _set_of(change: Callable[[Dataset], None]) -> Callable[[], tuple[Stored, list[Stored]]]:
    return lambda: _annotated(good.structure_set, change)


def _other_images(seg: Dataset) -> None:
    seg.ReferencedSeriesSequence[0].SeriesInstanceUID = f"{good.ROOT}.404"


def _other_space(seg: Dataset) -> None:
    seg.FrameOfReferenceUID = f"{good.ROOT}.405"


def _other_grid(seg: Dataset) -> None:
    seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [0.75, 0.75]


def _displaced(seg: Dataset) -> None:
    for group in seg.PerFrameFunctionalGroupsSequence:
        x, y, z = group.PlanePositionSequence[0].ImagePositionPatient
        group.PlanePositionSequence[0].ImagePositionPatient = [x, y, float(z) + 100]


def _emptied(seg: Dataset) -> None:
    body = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little").reshape(4, -1)
    body[2:] = 0
    seg.PixelData = np.packbits(body.ravel(), bitorder="little").tobytes()


def _uncoded(seg: Dataset) -> None:
    seg.SegmentSequence[0].SegmentedPropertyTypeCodeSequence = Sequence([])


def _opened(rt: Dataset) -> None:
    rt.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "OPEN_PLANAR"


def _between(rt: Dataset) -> None:
    for contour in rt.ROIContourSequence[0].ContourSequence:
        contour.ContourData = [value + (1.2 if at % 3 == 2 else 0) for at, value in enumerate(contour.ContourData)]


def _beyond(rt: Dataset) -> None:
    contour = rt.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [value + (300 if at % 3 == 0 else 0) for at, value in enumerate(contour.ContourData)]


def _undrawn(rt: Dataset) -> None:
    rt.ROIContourSequence[0].ContourSequence = Sequence([])


def _unnamed(rt: Dataset) -> None:
    rt.StructureSetROISequence[0].ROIName = ""


def _other_patient() -> tuple[Stored, list[Stored]]:
    made = good.mr_series()
    for dataset in made:
        dataset.PatientSex = "M"
    return Stored(encoded(good.ct_series())), [Stored(encoded(made))]


DEFECTS: tuple[Defect, ...] = (
    Defect("other bytes in an object", "image_unchanged", _changed, frozenset({"values_readable"})),
    Defect("header cut off", "image_opens", _cut_header, frozenset({"image_unchanged"})),
    Defect("pixel data 400 bytes short", "image_pixels_whole", _short, frozenset({"image_decodes"})),
    Defect("pixel data 64 bytes long", "image_pixels_not_padded", _long),
    Defect("RLE without its last 300 bytes", "image_pixels_whole", _cut_fragment, frozenset({"image_decodes"})),
    Defect("no delimiter after the fragments", "image_pixels_not_padded", _no_delimiter),
    Defect("RLE header overwritten", "image_decodes", _broken_codec),
    Defect("another UID in the file meta", "image_meta_agrees", _meta),
    Defect("a position lost", "geometry_placed", _unplaced,
        frozenset({"iod_required_attributes", "iod_no_stumbling_block"})),
    Defect("axes not perpendicular", "geometry_axes_orthonormal", lambda: _set(
        good.mr_series(), ImageOrientationPatient=[1, 0, 0, 0.1, 0.99, 0])),
    Defect("half of the slices tilted", "geometry_one_orientation", _turned),
    Defect("a scout in the stack", "geometry_no_localizer_inside", _scout),
    Defect("two scouts that do not say so in the stack", "geometry_no_localizer_inside", lambda: Stored(encoded(_scouts_unsaid()))),
    Defect("one slice turned", "geometry_one_orientation", _one_turned),
    Defect("all slices at one position", "geometry_volumes_told_apart", _one_position),
    Defect("one slice of another spacing", "geometry_one_grid", lambda: _set(good.ct_series(), 3, PixelSpacing=[0.7, 0.7])),
    Defect("two frames of reference", "geometry_one_frame_of_reference", lambda: _set(
        good.ct_series(), 3, FrameOfReferenceUID=f"{good.ROOT}.406")),
    Defect("an image twice", "geometry_no_image_twice", _twice),
    Defect("another image at a position", "geometry_volumes_told_apart", _unexplained),
    Defect("a slice lost", "geometry_no_gaps", _gap),
    Defect("one step 0.9 mm longer", "geometry_steps_regular", _irregular),
    Defect("gantry tilted", "geometry_stacked_along_normal", _sheared),
    Defect("numbers shuffled", "geometry_numbered_in_order", _shuffled),
    Defect("SpacingBetweenSlices of 3, not 3.3 mm", "geometry_step_as_stated", lambda: _set(
        good.mr_series(), SpacingBetweenSlices=3.0)),
    Defect("9 images announced, 7 there", "geometry_count_as_announced", lambda: _set(
        good.ct_series(), ImagesInAcquisition=9)),
    Defect("a PET slice lost at the end", "geometry_count_as_announced", lambda: Stored(encoded(good.pt_series()[:-1]))),
    Defect("a time point lost", "geometry_count_as_announced", _lost_time),
    Defect("a functional group lost", "geometry_frames_described", _lost_group),
    Defect("all images empty", "pixels_show_something", lambda: _pixels(
        good.ct_series(), lambda values, at: values * 0)),
    Defect("a blank slice in the middle", "pixels_no_blank_between", lambda: _pixels(
        good.ct_series(), lambda values, at: values * (at != 3))),
    Defect("values times 12 and cut off", "pixels_not_saturated", lambda: _pixels(
        good.mr_series(), lambda values, at: np.minimum(values * 12.0, 4095))),
    Defect("96 % padding", "pixels_not_mostly_padding", _padded),
    Defect("presentation of a negative", "pixels_photometric_agrees", lambda: _set(
        good.mammogram(), PresentationLUTShape="INVERSE"), also=frozenset({"iod_no_stumbling_block"})),
    Defect("MR values turned", "pixels_not_inverted", lambda: _pixels(
        good.mr_series(), lambda values, at: values.max() - values.astype(int))),
    Defect("MR under MONOCHROME1", "pixels_not_inverted", lambda: _set(
        good.mr_series(), PhotometricInterpretation="MONOCHROME1")),
    Defect("CT under MONOCHROME1", "pixels_not_inverted", lambda: _set(
        good.ct_series(), PhotometricInterpretation="MONOCHROME1")),
    Defect("CT values turned", "pixels_not_inverted", lambda: _turned_values(good.ct_series()),
           frozenset({"ct_values_are_hounsfield"})),
    Defect("CT values turned, under MONOCHROME1", "ct_values_are_hounsfield", lambda: _turned_values(
        good.ct_series(), PhotometricInterpretation="MONOCHROME1")),
    Defect("Rescale Slope of 0", "values_rescale_valid", lambda: _set(good.ct_series(), RescaleSlope=0)),
    Defect("values beyond Bits Stored", "values_readable", lambda: _set(good.ct_series(), BitsStored=10, HighBit=9),
           frozenset({"iod_no_stumbling_block", "pixels_not_saturated"})),
    Defect("slices in two units", "values_readable", lambda: _set(good.ct_series(), 3, RescaleType="US")),
    Defect("CT without intercept", "ct_values_are_hounsfield", lambda: _set(good.ct_series(), RescaleIntercept=0)),
    Defect("CT intercept applied twice", "ct_values_are_hounsfield", lambda: _set(
        good.ct_series(), RescaleIntercept=-2048)),
    Defect("MR of noise", "mr_has_signal", lambda: _pixels(good.mr_series(), _noise)),
    Defect("PET without weight", "pt_uptake_computable", lambda: _set(good.pt_series(), PatientWeight=None)),
    Defect("PET values ten thousand times too low", "pt_uptake_plausible", lambda: _set(
        good.pt_series(), RescaleSlope=1e-4)),
    Defect("mammogram mirrored", "mg_side_agrees", lambda: _pixels(
        good.mammogram(), lambda values, at: values[:, ::-1])),
    Defect("mammogram labelled with the other side", "mg_side_agrees", lambda: _set(good.mammogram(), ImageLaterality="R")),
    Defect("view and its code differ", "mg_view_agrees", lambda: _set(good.mammogram(), ViewPosition="MLO")),
    Defect("an oblique mammogram labelled as cranio-caudal", "mg_view_shown", lambda: _other_view("MLO", "CC")),
    Defect("a cranio-caudal mammogram labelled as oblique", "mg_view_shown", lambda: _other_view("CC", "MLO")),
    Defect("SEG of images that are not there", "annotation_images_there", _seg(_other_images)),
    Defect("SEG in another frame of reference", "annotation_same_space", _seg(_other_space)),
    Defect("SEG of another pixel spacing", "seg_on_image_grid", _seg(_other_grid)),
    Defect("SEG displaced by 100 mm", "annotation_inside_image", _seg(_displaced)),
    Defect("a segment without pixels", "annotation_not_empty", _seg(_emptied)),
    Defect("a segment without type", "annotation_labelled", _seg(_uncoded)),
    Defect("a contour left open", "rtstruct_contours_closed", _set_of(_opened)),
    Defect("contours between slices", "rtstruct_contours_on_slices", _set_of(_between)),
    Defect("a contour 300 mm aside", "annotation_inside_image", _set_of(_beyond)),
    Defect("a region without contours", "annotation_not_empty", _set_of(_undrawn)),
    Defect("a region without name", "annotation_labelled", _set_of(_unnamed)),
    Defect("RTSTRUCT in another frame of reference", "annotation_same_space", _set_of(_other_space)),
    Defect("CT without Rescale Slope", "iod_required_attributes", lambda: _set(good.ct_series(), RescaleSlope=None),
           frozenset({"iod_no_stumbling_block", "values_rescale_valid"})),
    Defect("PET without Series Type", "iod_no_stumbling_block", lambda: _set(good.pt_series(), SeriesType=None)),
    Defect("two sexes in one study", "study_objects_agree", _other_patient),
)  # fmt: skip


def _breast(view: str) -> views.ViewOfBreast:
    """A small one, whose view is plain: a large breast reaches the corner where the muscle would be."""
    return next(one for one in views.made(1) if (one.view, one.density, one.size) == (view, "scattered", "small"))


def _other_view(view: str, said: str) -> Stored:
    return Stored(encoded([views.dataset_of(_breast(view), said=said)]))


def matrix() -> list[tuple[str, set[str], set[str]]]:
    """Of every defect and good series: its name, the rules that must find it, the rules that fired."""
    rows = [(defect.id, {defect.rule} | defect.also, defect.fired()) for defect in DEFECTS]
    return rows + list(_clean_rows())


def _clean_rows() -> Iterator[tuple[str, set[str], set[str]]]:
    for name, make in clean().items():
        made = make()
        fired = failing(made.examine()) if isinstance(made, Stored) else failing(made[0].examine(made[1]))
        yield f"good: {name}", set(), fired
