"""From stored objects to a release and back on S3 buckets that settings alone choose, with a real PostgreSQL."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_sources import World, make_entry, make_registry, make_source
from s3_servers import SERVERS, Endpoint, endpoint, new_bucket
from sqlalchemy import Engine

from ingestion.accounting.inventory import Inventory, InventoryObject, compare
from ingestion.accounting.ledger import Ledger
from ingestion.accounting.manifest import Manifest, ManifestInstance, instance_key
from ingestion.accounting.outcomes import InstanceOutcome, SeriesOutcome, Work
from ingestion.accounting.reconcile import reconcile
from ingestion.accounting.source_state import write_state
from ingestion.accounting.states import InstanceState
from ingestion.catalogue import tables
from ingestion.catalogue.rebuild import rebuild
from ingestion.catalogue.release import build_release
from ingestion.catalogue.release_manifest import list_releases
from ingestion.catalogue.writer import read
from ingestion.settings import Settings
from ingestion.storage.open import Stores, open_stores

pytestmark = pytest.mark.stack
SOURCE, SERIES = "TEST-LUNG-01", "2.25.1"


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with endpoint(request.param, tmp_path_factory.mktemp("s3")) as made:
        yield made


@pytest.fixture
def buckets(server: Endpoint, tmp_path: Path) -> Stores:
    return open_stores(
        Settings(
            data_dir=tmp_path, s3_endpoint=server.url, s3_access_key=server.access, s3_secret_key=server.secret,
            bucket_research=new_bucket(server), bucket_internal=new_bucket(server),
        )
    )  # fmt: skip


def test_the_accounting_adds_up_and_notices_what_is_gone(engine: Engine, server: Endpoint, buckets: Stores) -> None:
    ledger = Ledger(engine)
    bodies = [bytes([number]) * 500_000 for number in range(4)]
    instances = []
    for number, body in enumerate(bodies):
        digest = hashlib.sha256(body).hexdigest()
        key = instance_key(SOURCE, SERIES, f"{SERIES}.{number}", digest)
        assert buckets.research.create(key, body, content_type="application/dicom")
        instances.append(ManifestInstance(f"{SERIES}.{number}", "1.2", key, digest, len(body), None))
    manifest = Manifest(SOURCE, "p", "2.25.2", SERIES, "policy", "d", "c", "k", {}, (), tuple(instances))
    assert buckets.research.create(manifest.key, manifest.to_json(), content_type="application/json")

    names = [item.SOPInstanceUID for item in instances]
    now = {name: InventoryObject(name, "f", 1, SERIES, "1.2", name, "p", None) for name in names}
    ledger.save_inventory(Inventory(SOURCE, now, compare({}, now, complete=True)))
    accepted = tuple(
        InstanceOutcome(
            item.SOPInstanceUID, "f", InstanceState.ACCEPTED, store_key=item.key, sha256=item.sha256, size=item.size
        )
        for item in instances
    )
    done = SeriesOutcome(SERIES, accepted, manifest.version, Work(objects_written=len(accepted)))
    ledger.commit_series(SOURCE, done, input_digest="d", policy_digest="p", code_version="c")
    write_state(buckets.internal, ledger.source_state(SOURCE))

    found = reconcile(SOURCE, ledger=ledger, research=buckets.research, internal=buckets.internal)
    assert (found.problems, found.stored, found.in_manifests) == ((), len(bodies), len(bodies))
    emptied = server.store(new_bucket(server))
    emptied.create(manifest.key, manifest.to_json(), content_type="application/json")
    short = reconcile(SOURCE, ledger=ledger, research=emptied, internal=buckets.internal)
    assert short.problems == ("4 accepted objects are not in the store",)


def test_a_release_is_built_and_the_catalogue_rebuilt_from_the_buckets(engine: Engine, buckets: Stores) -> None:
    registry = make_registry(make_entry(SOURCE))
    World(engine, buckets.research, buckets.internal).publish(make_source(SOURCE))
    day = dt.date(2026, 11, 24)
    release = build_release(engine, buckets.research, buckets.internal, registry, today=day)
    assert list_releases(buckets.research)
    again = build_release(engine, buckets.research, buckets.internal, registry, today=day)
    assert (again.version, again.objects_written) == (release.version, 0)
    before = read(engine, tables.series)
    rebuild(engine, buckets.research, buckets.internal, registry)
    assert read(engine, tables.series).equals(before)
    assert len(before)
