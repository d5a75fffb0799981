"""The demo's source databases: folders of raw DICOM as hospitals deliver it, each with an answer key beside it.

``<root>/<ID>/delivery/`` is what the connector reads, ``<root>/<ID>/answer_key.json`` what was planted in it.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ingestion.demo.answer_key import GENERATOR_VERSION, AnswerKey, KeyInterval, KeyPatient
from ingestion.demo.companions import add_companions
from ingestion.demo.delivery import Delivery, Fault
from ingestion.demo.dirt import add_dirt
from ingestion.demo.layout import Layout
from ingestion.demo.model import Ledger
from ingestion.demo.outbox import Outbox
from ingestion.demo.people import Person
from ingestion.demo.plan import SourcePlan, plan_source
from ingestion.demo.real_files import add_real_files
from ingestion.demo.seeds import Seeds

KEY_FILE = "answer_key.json"
DELIVERY = "delivery"
BROKEN: dict[str, Fault] = {"INCI-BREAST-RS": Fault.IMPOSSIBLE_AGES, "GBM-NL": Fault.NO_BODY_PART}
"""Sources that the quality rules must keep from the catalogue: a wall of green would prove nothing."""
FEWEST_FOR_REAL_IMAGES = 20
"""Objects; in a smaller source one real image, which lacks much, would decide the shares of the quality rules."""


@dataclass(frozen=True, slots=True)
class DemoSource:
    """What the registry says of a source to make."""

    id: str
    cancer_type: str
    modalities: tuple[str, ...]
    countries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MadeSource:
    """A source on disk. ``written``: made now, not found as it should be."""

    source_id: str
    delivered: int
    series: int
    bytes: int
    written: bool


def make_sources(
    wanted: Sequence[DemoSource],
    root: Path,
    *,
    seed: int,
    scale: float = 1.0,
    progress: Callable[[MadeSource], None] = lambda made: None,
) -> tuple[MadeSource, ...]:
    """Make the sources that are not there yet, or were made with another seed, scale or generator.

    Same seed, same bytes, whatever the order or number of processes.

    Raises:
        FileNotFoundError: a package with real files is not installed.
        OSError: the folder cannot be written.
    """
    root.mkdir(parents=True, exist_ok=True)
    found = {source.id: _as_before(source.id, root, seed=seed, scale=scale) for source in wanted}
    missing = [source for source in wanted if found[source.id] is None]
    for made in found.values():
        if made is not None:
            progress(made)
    if missing:
        workers = min(len(missing), len(os.sched_getaffinity(0)))
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            for future in [pool.submit(make_source, source, root, seed=seed, scale=scale) for source in missing]:
                made = future.result()
                found[made.source_id] = made
                progress(made)
    return tuple(made for made in found.values() if made is not None)


def make_source(source: DemoSource, root: Path, *, seed: int, scale: float) -> MadeSource:
    """Make one source anew."""
    folder = root / source.id
    key_file = folder / KEY_FILE
    key_file.unlink(missing_ok=True)  # without its key a folder counts as half-made
    seeds = Seeds(seed, source.id)
    plan = plan_source(source.id, source.cancer_type, source.modalities, source.countries, seeds=seeds, scale=scale)
    ledger, outbox = Ledger(), Outbox()
    layout = Layout.of(seeds, ledger)
    delivery = Delivery(plan, layout, ledger, outbox, BROKEN.get(source.id))
    delivery.add_images()
    add_dirt(delivery)
    add_companions(plan, outbox, ledger, layout.style)
    add_real_files(outbox, seeds, images=len(outbox.items) >= FEWEST_FOR_REAL_IMAGES)
    size = outbox.write(folder / DELIVERY)
    objects = outbox.objects()
    key = AnswerKey(
        generator_version=GENERATOR_VERSION,
        seed=seed,
        scale=scale,
        source_id=source.id,
        delivered=len(objects),
        series=len({item.series_uid for item in objects if item.series_uid}),
        bytes=size,
        objects=objects,
        planted=ledger.planted,
        patients=tuple(_patient(patient.person) for patient in plan.patients),
        intervals=_intervals(plan),
        flaws=tuple(ledger.flaws),
    )
    half = key_file.with_suffix(".new")
    half.write_text(key.to_json(), encoding="utf-8")
    half.replace(key_file)
    return _made(key, written=True)


def read_key(root: Path, source_id: str) -> AnswerKey:
    """The answer key of a source.

    Raises:
        FileNotFoundError: the source is not there, or half-made.
    """
    return AnswerKey.from_json((root / source_id / KEY_FILE).read_text(encoding="utf-8"))


def _as_before(source_id: str, root: Path, *, seed: int, scale: float) -> MadeSource | None:
    try:
        key = read_key(root, source_id)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    same = (key.generator_version, key.seed, key.scale) == (GENERATOR_VERSION, seed, scale)
    return _made(key, written=False) if same and (root / source_id / DELIVERY).is_dir() else None


def _made(key: AnswerKey, *, written: bool) -> MadeSource:
    return MadeSource(key.source_id, key.delivered, key.series, key.bytes, written)


def _patient(person: Person) -> KeyPatient:
    return KeyPatient(
        PatientID=person.patient_id,
        name=person.dicom_name,
        birth_date=person.birth.strftime("%Y%m%d"),
        sex=person.sex,
        other_id=person.other_id,
        character_set="\\".join(person.charset),
    )


def _intervals(plan: SourcePlan) -> tuple[KeyInterval, ...]:
    return tuple(
        KeyInterval(patient.person.patient_id, (earlier.uid, later.uid), (later.day - earlier.day).days)
        for patient in plan.patients
        for earlier, later in zip(patient.studies, patient.studies[1:], strict=False)
    )
