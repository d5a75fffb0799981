"""Search indexes of made people, for tests of the API and of nodes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.protection import CountPolicy
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA
from portal.search.access import Access
from portal.search.api import build_api
from portal.search.limits import Limits
from portal.search.service import SearchService

SECRET = bytes(range(32))
HOSTILE = "<script>alert(1)</script>' onmouseover='x"
TODAY = dt.date(2026, 11, 25)
"""On which grants of the tests end."""
HELD = {"LUNG-01": 900, "COLON-01": 700, "LUNG-02": 12}
NOON = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


def make_rows(sources: Mapping[str, int], *, seed: int = 7) -> pd.DataFrame:
    """One or two series for each of so many people a source; sources named COLON-… state no field strength."""
    rng = np.random.default_rng(seed)
    people = [(source, number) for source, many in sources.items() for number in range(many)]
    frame = pd.DataFrame({field.name: [None] * len(people) for field in RELEASE_SCHEMA.fields})
    frame["source_id"] = [source for source, _ in people]
    frame["PatientID"] = [f"{source}-p{number}" for source, number in people]
    frame["StudyInstanceUID"] = [f"1.2.{at}" for at in range(len(people))]
    frame["SeriesInstanceUID"] = [f"1.2.{at}.1" for at in range(len(people))]
    frame["CancerType"] = ["colon" if source.startswith("COLON") else "lung" for source, _ in people]
    frame["Modality"] = rng.choice(["CT", "MR"], len(people))
    frame["PatientSex"] = rng.choice(["F", "M"], len(people))
    frame["BodyPart"] = rng.choice(["Chest", "Lung", "Abdomen"], len(people))
    frame["ManufacturerName"] = rng.choice(["Siemens", "Philips"], len(people))
    frame["ManufacturerModelName"] = rng.choice([HOSTILE, "Plain"], len(people))
    frame["AgeAtStudy"] = rng.integers(30, 90, len(people)).astype(float)
    frame["HolderCountries"] = rng.choice(["NL,PT", "FR"], len(people))
    frame["SeriesDescription"] = rng.choice(["T2 TSE", HOSTILE], len(people))
    frame["MagneticFieldStrength"] = np.where(frame["source_id"].str.startswith("COLON"), np.nan, 1.5)
    second = frame[frame.index % 3 == 0].copy()
    second["SeriesInstanceUID"] = [f"{uid}.2" for uid in second["StudyInstanceUID"]]
    return pd.concat([frame, second], ignore_index=True)


def make_index(folder: Path, frame: pd.DataFrame, *, release: str = "2026.11.1") -> SearchIndex:
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / "series.parquet")
    return build_index([folder / "series.parquet"], folder / "index", schema=RELEASE_SCHEMA, release=release)


def make_service(index: SearchIndex, policies: Mapping[str, CountPolicy] | None = None) -> SearchService:
    return SearchService(
        lambda: index.release, lambda version: index, secret=SECRET, policies=lambda index: policies or {}
    )


def make_limits(**how: Any) -> Limits:
    return Limits(**{"secret": SECRET, "now": lambda: NOON, "rate": 1e6, "burst": 100_000, "budget": 100_000, **how})


def client_of(
    index: SearchIndex, *, grants: Path | None = None, policies: dict[str, CountPolicy] | None = None, **limits: Any
) -> TestClient:
    access = Access(grants, today=lambda: TODAY)
    address = "s3://research/dicom/{source_id}/{SeriesInstanceUID}/*"
    api = build_api(make_service(index, policies), make_limits(**limits), records=(access, address))
    return TestClient(Starlette(routes=[Mount("/api/v1", api)]), raise_server_exceptions=False)
