"""What the imaging checks cost, measured: CPU seconds of one CT, and memory over a folder of many series."""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
from pydicom import dcmread

from ingestion.accounting.manifest import Manifest, ManifestInstance
from ingestion.benchmarks.slices import write_slices
from ingestion.dicom.summary import INSTANCE_KEYWORDS, SERIES_KEYWORDS, summarise
from quality_checks.imaging.decode import frames
from quality_checks.imaging.examine import examine
from quality_checks.imaging.objects import open_object

SERIES_SLICES = 100
"""Slices of each series of the folder."""
RUNS = 3
MEGABYTE = 1 << 20
_TIMES = ("user", "system", "children_user", "children_system")


@dataclass(frozen=True, slots=True)
class ImagingCost:
    """``cpu_seconds`` of one core for one series of ``slices`` of 512 × 512, decoding included; median of the runs."""

    slices: int
    runs: int
    cpu_seconds: float
    decoding_seconds: float
    """Of reading the objects' structure and decoding alone."""
    instances: int
    """Of the folder over which memory was watched."""
    folder_cpu_seconds: float
    memory_after_tenth_mb: float
    """Resident memory of the process after a tenth of the folder."""
    memory_at_end_mb: float

    @property
    def checks_seconds(self) -> float:
        """What the checks cost beside decoding."""
        return self.cpu_seconds - self.decoding_seconds

    @property
    def growth_mb(self) -> float:
        return self.memory_at_end_mb - self.memory_after_tenth_mb


def measure_imaging(*, slices: int = 300, instances: int = 10_000) -> ImagingCost:
    """Make a CT of ``slices``, examine it; then a folder of ``instances`` in series of ``SERIES_SLICES``.

    Needs about 150 MB in the temporary folder: the folder's series share one set of files, each under its own UID.
    """
    with tempfile.TemporaryDirectory(prefix="cie-bench-") as place:
        paths = write_slices(Path(place), slices)
        manifest, by_key = _manifest(paths)

        def read(item: ManifestInstance) -> bytes:
            return by_key[item.key].read_bytes()

        examine(manifest, read)  # imports and caches
        whole = statistics.median(_cpu(lambda: examine(manifest, read)) for _ in range(RUNS))
        decoding = statistics.median(_cpu(lambda: _decode(manifest, by_key)) for _ in range(RUNS))
        short = replace(manifest, instances=manifest.instances[:SERIES_SLICES])
        series = max(instances // SERIES_SLICES, 10)
        memory: list[float] = []
        started = time.process_time()
        for number in range(series):
            examine(replace(short, SeriesInstanceUID=f"2.25.{number + 1}"), read)
            memory.append(psutil.Process().memory_info().rss / MEGABYTE)
        return ImagingCost(
            slices=slices,
            runs=RUNS,
            cpu_seconds=whole,
            decoding_seconds=decoding,
            instances=series * len(short.instances),
            folder_cpu_seconds=time.process_time() - started,
            memory_after_tenth_mb=memory[series // 10],
            memory_at_end_mb=memory[-1],
        )


def as_markdown(cost: ImagingCost) -> str:
    """The figures as rows of a table."""
    rows = [
        ("Measured", "Value"),
        ("---", "---"),
        (f"CT of {cost.slices} slices, 512 × 512: CPU seconds in all", f"{cost.cpu_seconds:.2f}"),
        ("of these reading the structure and decoding", f"{cost.decoding_seconds:.2f}"),
        ("of these all checks, digests, hashes and thumbnail", f"{cost.checks_seconds:.2f}"),
        (f"{cost.instances:,} instances one after the other: CPU seconds", f"{cost.folder_cpu_seconds:.1f}"),
        ("resident memory after a tenth of them, MB", f"{cost.memory_after_tenth_mb:.0f}"),
        ("resident memory at the end, MB", f"{cost.memory_at_end_mb:.0f}"),
    ]
    return "\n".join(f"| {name} | {value} |" for name, value in rows) + "\n"


def _cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process, and of the children it waited for (dciodvfy)."""
    before = psutil.Process().cpu_times()
    work()
    after = psutil.Process().cpu_times()
    return sum(getattr(after, name) - getattr(before, name) for name in _TIMES)


def _decode(manifest: Manifest, by_key: dict[str, Path]) -> None:
    for item in manifest.instances:
        for _ in frames(open_object(item, by_key[item.key].read_bytes())):
            pass


def _manifest(paths: Sequence[Path]) -> tuple[Manifest, dict[str, Path]]:
    instances: list[ManifestInstance] = []
    by_key: dict[str, Path] = {}
    header: dict[str, Any] = {}
    for path in paths:
        body = path.read_bytes()
        dataset = dcmread(BytesIO(body), stop_before_pixels=True)
        header = header or summarise(dataset, SERIES_KEYWORDS)
        by_key[path.name] = path
        instances.append(
            ManifestInstance(
                SOPInstanceUID=str(dataset.SOPInstanceUID),
                SOPClassUID=str(dataset.SOPClassUID),
                key=path.name,
                sha256=hashlib.sha256(body).hexdigest(),
                size=len(body),
                pixel_offset=None,
                attributes=summarise(dataset, INSTANCE_KEYWORDS),
            )
        )
    manifest = Manifest(
        source_id="BENCHMARK",
        PatientID="P1",
        StudyInstanceUID="2.25.1",
        SeriesInstanceUID="2.25.2",
        policy="benchmark",
        policy_digest="0" * 24,
        code_version="0",
        key_id="benchmark",
        header=header,
        varying=(),
        instances=tuple(instances),
    )
    return manifest, by_key
