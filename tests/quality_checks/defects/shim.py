"""Series held in memory as the pipeline would have stored them: a manifest, and what reads its objects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset

from ingestion.accounting.manifest import Manifest, ManifestInstance
from ingestion.dicom.summary import INSTANCE_KEYWORDS, SERIES_KEYWORDS, summarise
from quality_checks.examination import Examination
from quality_checks.imaging.examine import examine

SOURCE = "TEST-BREAST-01"


class Stored:
    """One series: ``manifest``, and ``read`` for ``examine``."""

    def __init__(self, bodies: Sequence[bytes], *, face: dict[str, object] | None = None) -> None:
        headers = [dcmread(BytesIO(body), stop_before_pixels=True, force=True) for body in bodies]
        self.bodies = {f"dicom/{number}": body for number, body in enumerate(bodies)}
        instances = [
            ManifestInstance(
                SOPInstanceUID=str(header.get("SOPInstanceUID", f"2.25.{number}")),
                SOPClassUID=str(header.get("SOPClassUID", "")),
                key=f"dicom/{number}",
                sha256=hashlib.sha256(body).hexdigest(),
                size=len(body),
                pixel_offset=None,
                attributes=summarise(header, INSTANCE_KEYWORDS),
            )
            for number, (header, body) in enumerate(zip(headers, bodies, strict=True))
        ]
        first = headers[0]
        self.manifest = Manifest(
            source_id=SOURCE,
            PatientID=str(first.get("PatientID", "")),
            StudyInstanceUID=str(first.get("StudyInstanceUID", "")),
            SeriesInstanceUID=str(first.get("SeriesInstanceUID", "")),
            policy="test",
            policy_digest="0" * 24,
            code_version="0",
            key_id="test",
            header=summarise(first, SERIES_KEYWORDS),
            varying=(),
            instances=tuple(sorted(instances, key=lambda item: item.SOPInstanceUID)),
            face=face,
        )

    def read(self, item: ManifestInstance) -> bytes:
        return self.bodies[item.key]

    def examine(self, companions: Iterable[Stored] | None = None) -> Examination:
        beside = None if companions is None else [one.manifest for one in companions]
        readers = {} if companions is None else {id(one): one for one in companions}

        def read(item: ManifestInstance) -> bytes:
            if item in self.manifest.instances:
                return self.read(item)
            owner = next(one for one in readers.values() if item in one.manifest.instances)
            return owner.read(item)

        return examine(self.manifest, read, companions=beside)


def encoded(datasets: Iterable[Dataset]) -> list[bytes]:
    """Each data set as a file of DICOM."""
    bodies = []
    for dataset in datasets:
        out = BytesIO()
        dataset.save_as(out, enforce_file_format=True)
        bodies.append(out.getvalue())
    return bodies


def failing(examination: Examination) -> set[str]:
    """Ids of the rules that fail."""
    return {outcome.rule_id for outcome in examination.outcomes if not outcome.passed}
