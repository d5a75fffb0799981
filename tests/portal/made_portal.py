"""A platform with three sources and two releases, made for tests: what the pages show, and what they must not."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sqlalchemy import Engine
from starlette.applications import Starlette

from ingestion.accounting.manifest import Manifest
from ingestion.accounting.source_state import SourceState
from ingestion.accounting.states import Reason
from ingestion.catalogue.frames import store_frame, store_quality
from ingestion.catalogue.measurements import save_measurements
from ingestion.catalogue.rebuild import publish_source
from ingestion.catalogue.release import build_release
from ingestion.catalogue.release_manifest import list_releases, read_release
from ingestion.catalogue.search.release_index import open_release
from ingestion.sources.registry import Registry, SourceEntry
from ingestion.storage import ObjectStore
from ingestion.storage.folder import FolderStore
from ingestion.storage.numbered import append
from ingestion.storage.open import Stores
from portal.app import build_app
from portal.operators import build_operators
from portal.search.limits import Limits
from portal.search.service import SearchService
from quality_checks.certificate import Certificate, CheckRun
from quality_checks.examination import Examination, examination_key
from quality_checks.store import Judgement
from quality_checks.tier import Requirement, Tier
from tests.ingestion.catalogue.made_sources import (
    MadeSource,
    make_entry,
    make_features,
    make_manifest,
    make_quality,
    put_source,
)

SECRET = bytes(range(32))
HOSTILE = "<script>alert(1)</script>\"'>"
OPEN, CLOSED, FEW = "LUNG-01", "COLON-01", "LIVER-01"
"""Images may be downloaded; images stay where they are; seven people."""
EXACT = {OPEN: 57, CLOSED: 63, FEW: 7}
"""Patients of each source, so that a test can look for numbers that must not be shown."""
MODELS = ("Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta", "Eta", "Theta", "Iota", "Kappa", "Lambda")


@dataclass(frozen=True)
class Platform:
    """The stores with their releases, oldest first, and the visitors' and the operators' application over them."""

    stores: Stores
    entries: tuple[SourceEntry, ...]
    app: Starlette
    versions: tuple[str, ...]
    operators: Starlette


def make_sources() -> list[MadeSource]:
    agreement = {"kind": "data_sharing_agreement", "signed_on": "2025-01-01", "valid_until": "2030-01-01"}
    lung = make_entry(
        OPEN,
        licence="CC-BY-4.0",
        agreement={**agreement, "data_use": ["DUO:0000042", "DUO:0000019"], "access_mode": "download"},
    )
    colon = make_entry(
        CLOSED, project=f"Project {HOSTILE}", cancer_type="colon", holder_countries=["FR"],
        agreement={**agreement, "data_use": ["DUO:0000006"], "access_mode": "in_situ_processing"},
    )  # fmt: skip
    liver = make_entry(FEW, cancer_type="liver", holder_countries=["IT"])
    return [Made(entry, made_manifests(entry.id, EXACT[entry.id])) for entry in (lung, colon, liver)]


class Made(MadeSource):
    """With reasons that the accounting knows, as the pages name them."""

    def state(self) -> SourceState:
        known = {"pixel_unreadable": Reason.PIXELS_UNREADABLE.value}
        series = tuple(
            replace(one, reasons={known.get(name, name): count for name, count in one.reasons.items()})
            for one in super().state().series
        )
        return SourceState(source_id=self.entry.id, series=series)


def made_manifests(source_id: str, people: int) -> list[Manifest]:
    rng = np.random.default_rng(len(source_id) + people)
    made = []
    for person in range(1, people + 1):
        mr = bool(rng.random() < 0.4) and source_id != CLOSED
        header = {
            "Modality": "MR" if mr else "CT",
            "BodyPartExamined": str(rng.choice(["CHEST", "ABDOMEN", "LIVER"])),
            "Manufacturer": str(rng.choice(["GE MEDICAL SYSTEMS", "SIEMENS", "Philips"])),
            "ManufacturerModelName": HOSTILE if person % 3 == 0 else str(rng.choice(MODELS)),
            "PatientSex": "F" if person % 2 else "M",
            "PatientAge": f"{int(rng.integers(40, 80)):03d}Y",
            "StudyDate": f"{int(rng.integers(2010, 2016))}0301",
            "ContrastBolusAgent": (None, "IOHEXOL", "NONE")[person % 3],
            "SliceThickness": float(rng.choice([1.0, 2.5, 5.0])),
            "SeriesDescription": HOSTILE if person % 2 else "AX T2",
            **({"MagneticFieldStrength": 1.5, "KVP": None} if mr else {}),
        }
        made.append(make_manifest(source_id, patient=person, slices=2, **header))
    return made


def make_platform(engine: Engine, folder: Path, *, console_files: Path | None = None) -> Platform:
    research, internal = FolderStore(folder / "research"), FolderStore(folder / "internal")
    made = make_sources()
    unsigned = make_entry("BREAST-01", signed_on=None, cancer_type="breast")
    entries = (*(one.entry for one in made), unsigned)
    registry = Registry(description="made for a test", sources=entries)
    for number, sources in enumerate((made[:1], made), start=10):
        for source in sources:
            publish(engine, research, internal, source)
        build_release(engine, research, internal, registry, today=dt.date(2026, number, 1))
    stores = Stores(research=research, internal=internal)
    versions = tuple(one.version for one in list_releases(research))

    def service(version: str) -> SearchService:
        index = open_release(research, read_release(research, version), folder / "search")
        return SearchService(lambda: version, lambda _: index, secret=SECRET)

    limits = Limits(secret=SECRET, now=lambda: dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC), rate=1e6, burst=10_000,
                    budget=100_000)  # fmt: skip
    app = build_app(
        stores, entries, search=(service(versions[-1]), limits), provider="Made platform", other=service,
        address="https://portal.example.org", console_files=console_files,
    )  # fmt: skip
    return Platform(stores, entries, app, versions, build_operators(stores, entries))


def publish(engine: Engine, research: ObjectStore, internal: ObjectStore, made: MadeSource) -> None:
    """Leave the source in the buckets with a judgement, a certificate and pictures, and publish it."""
    put_source(research, internal, made)
    source_id = made.entry.id
    results = store_quality(internal, source_id, make_quality(source_id))
    run = f"quality/{source_id}/{'r' * 24}"
    judgement = Judgement(
        source_id, "basis", made.state().digest, blocks=source_id == FEW, series=len(made.manifests), errors=0,
        warnings=1, verdict_key=f"{run}/verdict.json", results_key=results, report_key=f"{run}/report.html", tier=1,
        scores={"completeness": 0.9},
    )  # fmt: skip
    internal.create(f"{run}/certificate.json", certificate(made).to_json())
    turtle = certificate(made).to_dqv().serialize(format="turtle", encoding="utf-8")
    internal.create(f"{run}/certificate.ttl", turtle)
    internal.create(f"{run}/report.html", b"<!doctype html><html lang=en><title>r</title><h1>report</h1>")
    append(internal, f"judgements/{source_id}/", json.dumps(asdict(judgement), sort_keys=True).encode())
    for number, manifest in enumerate(made.manifests[:12]):
        seen = Examination(
            source_id, manifest.SeriesInstanceUID, manifest.version, "d" * 24, (), thumbnail=picture(number)
        )
        key = examination_key(source_id, manifest.SeriesInstanceUID, manifest.version, "d" * 24)
        internal.create(key, seen.to_json())
    series, regions = make_features(made)
    measured, _ = save_measurements(
        research, internal, source_id=source_id, state_digest=made.state().digest, series=series, regions=regions,
        long=regions,
    )  # fmt: skip
    publish_source(
        engine, research, internal, made.entry, quality_key=results, features_series_key=measured.series_key,
        features_regions_key=measured.regions_key, series_quality_key=status_of(internal, made),
    )  # fmt: skip


def status_of(internal: ObjectStore, made: MadeSource) -> str:
    """Every fourth series has a warning."""
    uids = [manifest.SeriesInstanceUID for manifest in made.manifests]
    status = ["warning" if number % 4 == 0 else "passed" for number in range(len(uids))]
    frame = pd.DataFrame({"SeriesInstanceUID": uids, "QualityStatus": status, "QualityFlags": None,
                          "LeftOutBecause": None})  # fmt: skip
    return store_frame(internal, f"quality/{made.entry.id}", frame, name="/series")


def certificate(made: MadeSource) -> Certificate:
    people = len(made.manifests)
    return Certificate(
        source_id=made.entry.id, version="1", state_digest=made.state().digest, verdict_digest="v" * 24, tier=1,
        next_tier=2, requirements=(
            Requirement("stored", Tier.CATALOGUED, "De-identified images are stored", True, f"{people} series", ""),
            Requirement("age", Tier.SEARCHABLE, "Age is stated", False, f"{people - 1} of {people}", "State it."),
        ),
        blocks=False, scores={"completeness": 0.9123, "validity": 1.0}, counts={"patients": people},
        checks=(CheckRun("modality_present", "1", "completeness", "passed", people, people),
                CheckRun("age_plausible", "2", "validity", "warning", people, people - 1)),
        last_study="20150301", figures_as_of="2026-01-01",
    )  # fmt: skip


def picture(number: int) -> str:
    """A round grey shape on black, as a PNG in base64."""
    down, across = np.mgrid[:64, :64]
    grey = ((down - 32) ** 2 + (across - 32) ** 2 < (12 + number) ** 2) * (90 + 10 * number)
    body = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(body, format="PNG")
    return base64.b64encode(body.getvalue()).decode()
