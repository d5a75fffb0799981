"""The SQL console: DuckDB in the reader's browser over the public tables, and those tables as Parquet."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ingestion.catalogue.search.protection import PublicCounts
from ingestion.catalogue.search.public import PublicAnswer
from ingestion.catalogue.search.query import EVERYTHING
from portal.site import exports
from portal.site.asking import Asker
from portal.site.cohort import counts_bytes
from portal.site.console_files import SERVED, installed
from portal.site.rendering import Pages, security_headers
from portal.site.shelf import Shelf

TABLES = ("collection", "counts")
PARQUET = "application/vnd.apache.parquet"
POLICY = {
    # WebAssembly is compiled from files of this host; the worker and its requests stay here too
    "script_src": "'self' 'wasm-unsafe-eval'",
    "worker_src": "'self'",
    "connect_src": "'self'",
}
_TYPES = {".js": "text/javascript; charset=utf-8", ".cjs": "text/javascript; charset=utf-8",
          ".wasm": "application/wasm"}  # fmt: skip
_FIRST = (
    "SELECT CancerType, count(*) AS collections, sum(people) AS people\n"
    "FROM collection\nGROUP BY ALL\nORDER BY people DESC"
)
_SECOND = "SELECT value, people, studies, series\nFROM counts\nWHERE field = 'Modality'\nORDER BY people DESC"


class Console:
    """The page at ``/console``, its files, and ``/public``. ``folder``: where ``console_files`` put them."""

    def __init__(self, asker: Asker, pages: Pages, shelf: Shelf | None, folder: Path | None) -> None:
        self._asker, self._pages, self._shelf, self._folder = asker, pages, shelf, folder

    def page(self, request: Request) -> Response:
        return self._pages.respond(
            request,
            "console.html.j2",
            security=POLICY,
            ready=self._folder is not None and installed(self._folder),
            tables=TABLES if self._shelf is not None else TABLES[1:],
            examples=[_FIRST, _SECOND] if self._shelf is not None else [_SECOND],
        )

    def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if self._folder is None or name not in SERVED or not installed(self._folder):
            raise HTTPException(404, "no such file")
        path = self._folder / name
        # a worker has the policy of its own file
        headers = {**security_headers(**POLICY), "Cache-Control": "no-cache"}
        return FileResponse(path, headers=headers, media_type=_TYPES[path.suffix])

    def table(self, request: Request) -> Response:
        name = request.path_params["name"]
        known = TABLES if self._shelf is not None else TABLES[1:]
        if self._shelf is not None and name in exports.OF_RELEASE:
            return self._document(request, self._shelf, name)
        if name.removesuffix(".parquet") not in known or not name.endswith(".parquet"):
            raise HTTPException(404, f"public tables are {', '.join(f'{one}.parquet' for one in known)}")
        answer = self._asker.ask(request, EVERYTHING)
        if name == "counts.parquet":
            body = counts_bytes(answer, csv_file=False)
        else:
            assert self._shelf is not None
            body = collections_bytes(self._shelf, by_source(answer), release=answer.release)
        return Response(body, headers={**security_headers(), "Content-Type": PARQUET})

    def _document(self, request: Request, shelf: Shelf, name: str) -> Response:
        """What describes the release to machines; beside the table that it describes."""
        answer = self._asker.ask(request, EVERYTHING)
        table = collections_bytes(shelf, by_source(answer), release=answer.release)
        found = next(one for one in shelf.releases() if one.version == answer.release)
        body = exports.of_release(shelf.view(found), name, table=table)
        return Response(body, headers={**security_headers(), "Content-Type": exports.OF_RELEASE[name]})


def by_source(answer: PublicAnswer) -> dict[str, PublicCounts]:
    """The counts of each collection that may be shown."""
    return {one.value: one.counts for facet in answer.facets if facet.name == "source_id" for one in facet.values}


def collections_bytes(shelf: Shelf, counts: dict[str, Any], *, release: str) -> bytes:
    """The collections of a release with public counts. Whatever else tells of the people of a few is left out.

    Raises:
        HTTPException: 404, there is no such release.
    """
    found = next((one for one in shelf.releases() if one.version == release), None)
    if found is None:
        raise HTTPException(404, "there is no such release")
    rows = []
    for source_id in sorted(shelf.rows(found)):
        entry = shelf.entries.get(source_id)
        if entry is None:
            continue
        known = counts.get(source_id)
        rows.append(
            {
                "source_id": source_id,
                "Project": entry.project,
                "CancerType": entry.cancer_type.value,
                "CancerCode": entry.cancer_code.value,
                "HolderCountries": ",".join(entry.holder_countries),
                "ModalitiesDeclared": ",".join(entry.modalities),
                "AccessMode": entry.agreement.access_mode.value,
                "DataUse": ",".join(entry.agreement.data_use),
                "Policy": entry.policy,
                **{name: getattr(known, name, None) for name in exports.COUNTED},
            }
        )
    schema = pa.schema(
        [pa.field(name, pa.int64() if name in exports.COUNTED else pa.string()) for name in exports.COLUMNS]
    )
    sink = io.BytesIO()
    parquet.write_table(
        pa.Table.from_pylist(rows, schema=schema.with_metadata({"release": release})), sink, compression="zstd"
    )
    return sink.getvalue()
