"""The measures of a whole image on disk, in the columns of the series table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from ingestion.dicom.geometry import GeometryKind, SeriesGeometry, geometry_of, orientation_of
from ingestion.dicom.refused import RefusedError
from ingestion.dicom.summary import INSTANCE_KEYWORDS, summarise
from ingestion.dicom.values import VolumeRefusedError
from ingestion.dicom.volume import Volume
from ingestion.features.provenance import files_digest
from ingestion.features.refusal import FeatureRefusedError
from ingestion.features.regions import image_digest
from ingestion.features.series_measures import (
    SeriesMeasures,
    frames_expected,
    measure_series,
    whole_statistics,
)
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import geometry_record, image_columns, image_row, series_body
from ingestion.features.undefined import undefined_measures, undefined_text
from ingestion.features.units import ARBITRARY, Unit
from ingestion.features.value_counts import ValueCounts


@dataclass(frozen=True, slots=True)
class WholeImage:
    """``row``: in ``image_columns``. ``undefined``: each measure without a value, and why."""

    row: dict[str, Any]
    undefined: dict[str, str]
    unit: Unit | None
    refusal: RefusedError[Any] | None = None
    """Why it was not measured; its geometry is in the row all the same."""

    def geometry_said(self) -> str | None:
        """What keeps the slices from being one right volume, in words; None where nothing does."""
        if self.row["GeometryProblems"] is None:
            return None
        numbers = {"missing_slices": "MissingSlices", "duplicate_positions": "DuplicatePositions"}
        problems = [
            f"{name} ({self.row[numbers[name]]})" if name in numbers else name
            for name in self.row["GeometryProblems"].split(",")
        ]
        said = f"geometry: {', '.join(problems)}"
        by_reason: dict[str, list[str]] = {}
        for name, why in self.undefined.items():
            by_reason.setdefault(why, []).append(name)
        lost = [f"{', '.join(names)} ({why})" for why, names in by_reason.items()]
        return f"{said}; without a value: {'; '.join(lost)}" if lost else said


def dicom_series(datasets: Sequence[Dataset], settings: FeatureSettings) -> WholeImage:
    """The measures of the instances of one series, read from files: those of the same series when it is stored."""
    attributes = [summarise(dataset, INSTANCE_KEYWORDS) for dataset in datasets]
    header = summarise(datasets[0], ("Modality", "Manufacturer"))
    modality = header.get("Modality")
    unit, refusal = None, None
    try:
        frames = sum(frames_expected(item) for item in attributes)
        measures = measure_series(datasets, settings, frames_expected=frames)
        unit, body = measures.unit, series_body(measures)
    except (VolumeRefusedError, FeatureRefusedError) as error:
        refusal, body = error, {"reason": error.reason, "detail": error.detail}
    row = image_row(
        body,
        settings,
        geometry=body.get("geometry")
        or geometry_record(geometry_of(attributes, modality=modality if isinstance(modality, str) else None)),
        digest=_files_digest(datasets),
        modality=modality,
        manufacturer=header.get("Manufacturer"),
    )
    return _whole(row, settings, undefined_measures(row), unit=unit, refusal=refusal)


def nifti_image(volume: Volume, settings: FeatureSettings) -> WholeImage:
    """The intensities of a NIfTI image, and its grid, which is regular by definition: gaps cannot be told."""
    slices = volume.array.shape[0]
    between, row_spacing, column_spacing = volume.spacing
    x, y, z = (float(value) for value in volume.direction[0])
    geometry = SeriesGeometry(
        kind=GeometryKind.VOLUME if slices > 1 else GeometryKind.SINGLE_SLICE,
        slices=slices,
        volumes=1,
        row_spacing=row_spacing,
        column_spacing=column_spacing,
        spacing_between_slices=between if slices > 1 else None,
        orientation=orientation_of((x, y, z)),
        coverage_mm=(slices - 1) * between,
    )
    unit = Unit(ARBITRARY)
    measures = SeriesMeasures(unit, volume.array.size, 0.0, whole_statistics(ValueCounts.of(volume.array), settings))
    row = image_row(
        series_body(measures),
        settings,
        geometry=geometry_record(geometry) | dict.fromkeys(("MissingSlices", "DuplicatePositions", "IrregularSteps")),
        digest=image_digest(volume),
        modality=None,
        manufacturer=None,
    )
    return _whole(row, settings, undefined_measures(row, dicom=False), unit=unit)


def _whole(
    row: Mapping[str, Any],
    settings: FeatureSettings,
    undefined: dict[str, str],
    *,
    unit: Unit | None,
    refusal: RefusedError[Any] | None = None,
) -> WholeImage:
    said = {**row, "Undefined": undefined_text(undefined)}
    return WholeImage({name: said.get(name) for name in image_columns(settings)}, undefined, unit, refusal)


def _files_digest(datasets: Iterable[Dataset]) -> str:
    digests = []
    for dataset in datasets:
        with Path(dataset.filename).open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return files_digest(digests)
