"""What judging tables and comparing images costs, measured on made series in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ingestion.sources.registry import SourceEntry
from quality_checks.crossing.index import COLUMNS
from quality_checks.crossing.near import near_pairs
from quality_checks.model import Level

SERIES = 200_000
"""About as many as all sources together are said to hold."""
FRAMES = 3


@dataclass(frozen=True, slots=True)
class TableFigures:
    """CPU seconds of one process, and its highest memory in megabytes (10^6 bytes)."""

    series: int
    expectations: int
    import_seconds: float
    frame_seconds: float
    evaluate_seconds: float
    memory_megabytes: float
    near_hashes: int
    near_seconds: float
    near_found: int
    near_planted: int


def measure_tables(entry: SourceEntry, *, series: int = SERIES) -> TableFigures:
    """Measure in a fresh process, so that import and memory are those of the checks alone.

    Raises:
        subprocess.CalledProcessError: the measurement failed; its output says why.
    """
    command = [sys.executable, "-m", "quality_checks.benchmark_tables", str(series), entry.model_dump_json()]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return TableFigures(**json.loads(done.stdout.splitlines()[-1]))


def made_series(count: int) -> pd.DataFrame:
    """A sound table of series as the catalogue has it: four series to a study, two studies to a patient."""
    at = np.arange(count)
    modality = np.array(["CT", "MR", "PT", "MG"], dtype=object)[at % 4]
    study = at // 4
    day = [f"2019{number % 12 + 1:02d}14" for number in study]
    texts = {
        "SeriesInstanceUID": [f"2.25.2{number:07d}" for number in at],
        "StudyInstanceUID": [f"2.25.1{number:07d}" for number in study],
        "PatientID": [f"P{number:07d}" for number in at // 8],
        "Modality": modality, "StudyDate": day, "AcquisitionDate": day, "SeriesNumber": at,
    }  # fmt: skip
    same = {
        "BodyPartExamined": "BREAST", "BodyPart": "Breast", "BodyPartCode": "76752008", "Manufacturer": "SIEMENS",
        "ManufacturerName": "Siemens", "ManufacturerModelName": "Model 1", "PatientSex": "F", "PatientAge": "063Y",
        "ConvolutionKernel": "B30f", "ViewPosition": "CC", "ImageLaterality": "L", "Units": "BQML", "Varying": "",
        "AgeAtStudy": 63.0, "Rows": 512, "Columns": 512, "NumberOfInstances": 10, "Delivered": 10, "Duplicate": 0,
        "Quarantined": 0, "PixelSpacingRow": 0.7, "PixelSpacingColumn": 0.7, "SliceThickness": 3.0,
        "SliceSpacing": 3.0, "MissingSlices": 0, "DuplicatePositions": 0, "KVP": 28.0, "MagneticFieldStrength": 1.5,
        "RepetitionTime": 4200.0, "EchoTime": 90.0,
    }  # fmt: skip
    return pd.DataFrame(texts).assign(**same)  # type: ignore[arg-type]


def made_index(count: int, *, copies: int, seed: int = 20261123) -> tuple[pd.DataFrame, set[tuple[int, int]]]:
    """Index rows of ``count`` series of like outlines, and the pairs planted in them (one bit apart in each frame)."""
    chance = np.random.default_rng(seed)
    # images of one kind are alike: each hash is one of few outlines with up to twenty bits changed
    outlines = chance.integers(1, 2**64 - 1, max(2, count // 50), dtype=np.uint64)
    values = outlines[chance.integers(0, len(outlines), count * FRAMES)]
    for _ in range(20):
        values ^= np.uint64(1) << chance.integers(0, 64, len(values), dtype=np.uint64)
    values = values.reshape(count, FRAMES)
    first, second = np.split(chance.choice(count, 2 * copies, replace=False), 2)
    values[second] = values[first] ^ (np.uint64(1) << chance.integers(0, 64, (copies, FRAMES), dtype=np.uint64))
    index = pd.DataFrame(index=range(count), columns=list(COLUMNS), dtype=object)
    index["source_id"], index["Modality"] = "S", chance.choice(["CT", "MR", "MG"], count)
    index.loc[second, "Modality"] = index.loc[first, "Modality"].to_numpy()
    index["StudyInstanceUID"] = [f"study-{at}" for at in range(count)]
    index["FrameHashes"] = [" ".join(f"{value:016x}" for value in row) for row in values.tolist()]
    planted = {(min(pair), max(pair)) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    return index, planted


def _measure(series: int, entry: SourceEntry) -> TableFigures:
    from quality_checks.catalogue_of_checks import table_checks
    from quality_checks.engine import evaluate
    from quality_checks.frames import series_frame

    delivered, checks = made_series(series), table_checks(Level.SERIES)
    began = time.process_time()
    frame = series_frame(delivered)
    framed = time.process_time()
    evaluate(frame.head(4), checks, name="few", entry=entry)
    imported = time.process_time()
    outcomes = evaluate(frame, checks, name="all", entry=entry)
    evaluated = time.process_time()
    index, planted = made_index(series, copies=max(1, series // 400))
    near = time.process_time()
    found = {(pair.first, pair.second) for pair in near_pairs(index, own=series)}
    ended = time.process_time()
    return TableFigures(
        series=series,
        expectations=sum(1 for outcome in outcomes.values() if outcome.rows),
        import_seconds=round(imported - framed, 2),
        frame_seconds=round(framed - began, 2),
        evaluate_seconds=round(evaluated - imported, 2),
        memory_megabytes=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
        near_hashes=series * FRAMES,
        near_seconds=round(ended - near, 2),
        near_found=len(found & planted),
        near_planted=len(planted),
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_measure(int(sys.argv[1]), SourceEntry.model_validate_json(sys.argv[2])))))
