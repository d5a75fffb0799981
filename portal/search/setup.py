"""The search service and nodes, by the settings."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from starlette.applications import Starlette

from ingestion.catalogue.exports.record_level import FileDamagedError, RecordTables, TableMissingError
from ingestion.catalogue.federation.fan_out import NodeAddress
from ingestion.catalogue.release_manifest import list_releases, read_release
from ingestion.catalogue.search.index import SearchIndex, open_index
from ingestion.catalogue.search.records import Objects, Records
from ingestion.catalogue.search.release_index import ReleaseDamagedError, open_release
from ingestion.identity.keys import KeyMissingError, create_key, load_key
from ingestion.settings import Settings, SettingsError
from ingestion.sources.registry import SourceEntry
from ingestion.storage import ObjectStore
from ingestion.storage.open import Stores, open_stores
from portal.search.access import Access, OpenAccess
from portal.search.journal import Journal
from portal.search.limits import Limits
from portal.search.node_app import build_node
from portal.search.policies import pinned
from portal.search.service import SearchService
from portal.search.turns import Turns

PUBLIC_COUNTS = "PUBLIC-COUNTS"
"""Name of the secret that public counts are rounded by: ``CIE_KEY_PUBLIC_COUNTS``, or a file in the keys folder, made
when there is none. Another secret rounds otherwise, and answers by two tell more than by one: keep it as the others."""

JOURNALS = "audit"
"""Folder of the journals, under the data folder."""
COMMONS_ADDRESS = "series_aws_url"
"""Column of the Commons' index: the public bucket and folder of a series."""


def counts_secret(settings: Settings) -> bytes:
    """The secret of the public counts."""
    try:
        return load_key(PUBLIC_COUNTS, keys_dir=settings.keys_root).secret
    except KeyMissingError:
        create_key(PUBLIC_COUNTS, keys_dir=settings.keys_root)
        return load_key(PUBLIC_COUNTS, keys_dir=settings.keys_root).secret


def service_of(
    settings: Settings, stores: Stores, entries: tuple[SourceEntry, ...], *, secret: bytes,
    sources: frozenset[str] | None = None,
) -> SearchService:  # fmt: skip
    """What answers from the newest release; ``sources``: ids of those it holds, None: all."""
    folder = settings.data_dir / "search"

    def newest() -> str | None:
        releases = list_releases(stores.research)
        return releases[-1].version if releases else None

    def opened(version: str) -> SearchIndex:
        return open_release(
            stores.research, read_release(stores.research, version), folder, sources=sources, internal=stores.internal
        )

    return SearchService(newest, opened, secret=secret, policies=pinned(folder, entries))


def other_releases(
    settings: Settings, stores: Stores, entries: tuple[SourceEntry, ...], *, turns: Turns
) -> Callable[[str], SearchService]:
    """The search of any release by its version, each by its own pinned rules; the last few stay open."""
    folder = settings.data_dir / "search"

    @lru_cache(maxsize=3)
    def of(version: str) -> SearchService:
        release = read_release(stores.research, version)
        return SearchService(
            lambda: version,
            lambda _: open_release(stores.research, release, folder, internal=stores.internal),
            secret=counts_secret(settings),
            policies=pinned(folder, entries),
            turns=turns,
        )

    return of


def portal_limits(settings: Settings, *, secret: bytes) -> Limits:
    """Rate and budget of the portal's visitors, recorded."""
    journal = Journal(settings.data_dir / JOURNALS, "portal")
    return Limits(secret=secret, now=lambda: dt.datetime.now(dt.UTC), journal=journal)


def node_addresses(settings: Settings) -> tuple[NodeAddress, ...]:
    """The nodes that the search asks too.

    Raises:
        SettingsError: one is written wrongly, or two have one name.
    """
    try:
        nodes = tuple(map(NodeAddress.parse, settings.nodes))
    except ValueError as error:
        raise SettingsError(f"CIE_NODES: {error}") from None
    if len({node.name for node in nodes}) < len(nodes):
        raise SettingsError("CIE_NODES: two nodes have one name")
    return nodes


def grants_file(settings: Settings) -> Path:
    """Where granted access to records is kept: beside the keys, digests only."""
    return settings.keys_root / "access.json"


def record_access(settings: Settings, research: ObjectStore) -> tuple[Access, Objects]:
    """Who may see records, and what names the objects of a series."""
    access = Access(grants_file(settings), today=dt.date.today)
    return access, released_objects(research, bucket=settings.bucket_research)


def released_objects(research: ObjectStore, *, bucket: str) -> Objects:
    """The objects of a source's series as a release names them.

    Nothing is ever deleted: the folder of a series holds those of earlier releases too, and what was held back since.
    Asked for, it raises ``ReleaseDamagedError`` where the release's table of instances is missing or was changed.
    """

    def of(version: str, source_id: str) -> Mapping[str, Sequence[str]]:
        try:
            rows = RecordTables.of(research, version).read(
                "instance_manifest", source_id, ("SeriesInstanceUID", "SOPInstanceUID", "Key")
            )
        except (TableMissingError, FileDamagedError) as error:
            raise ReleaseDamagedError(str(error)) from None
        found: dict[str, list[str]] = {}
        for row in rows.sort_values(["SeriesInstanceUID", "SOPInstanceUID"]).itertuples(index=False):
            found.setdefault(str(row.SeriesInstanceUID), []).append(f"s3://{bucket}/{row.Key}")
        return found

    return of


def open_records(index: SearchIndex) -> tuple[Access, str] | None:
    """Of an index that says itself where each series' objects are, as that of the Imaging Data Commons: for all."""
    return (OpenAccess(), f"{{{COMMONS_ADDRESS}}}") if COMMONS_ADDRESS in Records(index).columns else None


def node_of_release(
    settings: Settings, entries: tuple[SourceEntry, ...], *, sources: frozenset[str] | None, provider: str
) -> Starlette:
    """A node over the newest release, or over some of its sources."""
    secret = counts_secret(settings)
    if sources is not None:
        # a secret of its own: equal questions to two nodes, or to a node and the platform, have no draw in common
        secret = hashlib.blake2b(",".join(sorted(sources)).encode(), key=secret[:64], digest_size=32).digest()
    service = service_of(settings, open_stores(settings), entries, secret=secret, sources=sources)
    name = "node-" + hashlib.sha256(provider.encode()).hexdigest()[:8]
    journal = Journal(settings.data_dir / JOURNALS, name)
    return build_node(service, secret=secret, provider=provider, entries=entries, journal=journal)


def node_of_index(folder: Path, *, provider: str, secret: bytes) -> Starlette:
    """A node over one index, without a store."""
    index = open_index(folder)
    service = SearchService(lambda: index.release, lambda version: index, secret=secret)
    return build_node(service, secret=secret, provider=provider)
