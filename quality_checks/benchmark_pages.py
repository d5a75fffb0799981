"""What writing a report costs: all files of one judgement of a large source, with findings and pictures."""

from __future__ import annotations

import base64
import io
import resource
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from ingestion.accounting.source_state import Counts, SeriesEntry, SourceState
from ingestion.accounting.states import SeriesState
from ingestion.catalogue.frames import frame_of
from ingestion.catalogue.results import plain
from ingestion.catalogue.rows import people_and_studies
from ingestion.catalogue.tables import patient, series, study
from ingestion.sources.registry import SourceEntry
from quality_checks import documents as d
from quality_checks.benchmark_tables import made_series
from quality_checks.catalogue_of_checks import imaging_rules
from quality_checks.examination import CheckOutcome, Examination, Fault
from quality_checks.judge import judge
from quality_checks.report_folder import ReportInput, report_documents

SERIES = 10_000
"""A large source; most of the registry's have fewer."""
FAULTY = 10
"""One series in so many has a fault."""
_SIDE = 128


@dataclass(frozen=True, slots=True)
class PageFigures:
    """CPU seconds and megabytes (10^6 bytes). ``report_megabytes``: of ``report.html`` with its pictures."""

    series: int
    findings: int
    judge_seconds: float
    documents_seconds: float
    report_megabytes: float
    all_files_megabytes: float
    memory_megabytes: float


@dataclass(frozen=True, slots=True)
class _Tables:
    patient: pd.DataFrame
    study: pd.DataFrame
    series: pd.DataFrame


def measure_pages(entry: SourceEntry, *, count: int = SERIES) -> PageFigures:
    """Judge ``count`` made series, a part of them faulty, and write all files of the report."""
    tables = _tables(entry, count)
    state = _state(entry, tables)
    examinations = _examinations(entry, tables)
    started = time.process_time()
    verdict = judge(tables, state, entry=entry, examinations=examinations)
    judged = time.process_time()
    files = report_documents(ReportInput(verdict, tables, state, entry, "made series", examinations))
    ended = time.process_time()
    sizes = {file.name: len(file.body) / 1e6 for file in files}
    return PageFigures(
        series=count,
        findings=len(verdict.findings),
        judge_seconds=judged - started,
        documents_seconds=ended - judged,
        report_megabytes=sizes[d.REPORT],
        all_files_megabytes=sum(sizes.values()),
        memory_megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    )


def _tables(entry: SourceEntry, count: int) -> _Tables:
    made = made_series(count).assign(
        source_id=entry.id, State=SeriesState.COMPLETE.value, ManifestVersion="0" * 24, PolicyDigest="0" * 24,
        CodeVersion="made", NumberOfFrames=10, Bytes=1,
    )  # fmt: skip
    made = made.reindex(columns=[column.name for column in series.columns])
    names = list(made.columns)
    rows = [
        dict(zip(names, (plain(value) for value in values), strict=True))
        for values in made.itertuples(index=False, name=None)
    ]
    patients, studies = people_and_studies(rows)
    return _Tables(frame_of(patient, patients), frame_of(study, studies), frame_of(series, rows))


def _state(entry: SourceEntry, tables: _Tables) -> SourceState:
    entries = (
        SeriesEntry(str(uid), SeriesState.COMPLETE, "0" * 24, Counts(delivered=int(number), accepted=int(number)), {})
        for uid, number in tables.series[["SeriesInstanceUID", "NumberOfInstances"]].itertuples(index=False)
    )
    return SourceState(entry.id, tuple(entries))


def _examinations(entry: SourceEntry, tables: _Tables) -> list[Examination]:
    rules, picture = imaging_rules(), _picture()
    made = []
    for number, uid in enumerate(tables.series["SeriesInstanceUID"]):
        rule = rules[number // FAULTY % len(rules)]
        faults = (Fault("made faulty"),) if number % FAULTY == 0 else ()
        outcome = CheckOutcome(rule.id, judged=1, faults=faults, failing=len(faults))
        made.append(Examination(entry.id, str(uid), "0" * 24, "0" * 16, (outcome,), thumbnail=picture))
    return made


def _picture() -> str:
    """Noise: it packs worse than any image, so the page is no smaller than a real one."""
    noise = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, format="PNG")
    return base64.b64encode(out.getvalue()).decode()
