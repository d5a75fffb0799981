"""The cases of ``benchmarks.catalogue``, each in a process of its own.

``python -m ingestion.benchmarks.catalogue_tasks CASE PATH…`` prints seconds and peak memory as JSON. Modules that a
case does not need are imported where they are used, since the import is part of opening.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

QUERIES = 30
LOOKUPS = 200
"""Each takes little, and the first few read the table for the first time: of 30, two decide on the percentile."""
SEED = 20261125
FACETS = (
    "collection_id", "Modality", "BodyPartExamined", "Manufacturer", "ManufacturerModelName", "PatientSex", "Age",
    "Year", "license_short_name", "sop_class_name",
)  # fmt: skip
HTTP_SECONDS = 10.0
HTTP_RATE = 100
"""Requests a second, as a busy day has them; three of four repeat an earlier question."""
HTTP_WARM_SECONDS = 3.0
WORDS = ("t2 tse", "axial", "chest with contrast", "flair", "b1000", "no such words here")


def main(arguments: Sequence[str]) -> None:
    """Run one case and print what it found."""
    case, *paths = arguments
    sys.stdout.write(json.dumps(_CASES[case](*map(Path, paths))) + "\n")


def build(parquet: Path, folder: Path) -> dict[str, Any]:
    from ingestion.benchmarks.catalogue import build as make

    used = time.process_time()
    return {**make(parquet, folder), "cpu": time.process_time() - used}


def open_it(folder: Path) -> dict[str, Any]:
    """Import, open and count everything once; the process's own start is not in it."""
    wall, cpu = time.perf_counter(), time.process_time()
    from ingestion.catalogue.search.engine import SearchEngine
    from ingestion.catalogue.search.index import open_index

    total = SearchEngine(open_index(folder)).answer().total
    return _told([time.perf_counter() - wall], [time.process_time() - cpu], note=f"{total.series:,} series")


def panel_cold(folder: Path) -> dict[str, Any]:
    """Without the compiled loop, as right after opening."""
    engine = _engine(folder)
    return _each(engine.answer, _queries(engine), note="without the compiled loop")


def panel_warm(folder: Path) -> dict[str, Any]:
    engine = _engine(folder)
    engine.compile()
    return _each(engine.answer, _warmed(engine.answer, engine), note="exact counts, no answer kept")


def public_cold(folder: Path) -> dict[str, Any]:
    """What a visitor gets, right after opening."""
    search = _public(_engine(folder))
    return _each(search.answer, _queries(search.engine), note="settled, rounded and hidden; without the compiled loop")


def public_warm(folder: Path) -> dict[str, Any]:
    engine = _engine(folder)
    engine.compile()
    search = _public(engine)
    return _each(search.answer, _warmed(search.answer, engine), note="settled, rounded and hidden; no answer kept")


def _public(engine: Any) -> Any:
    from ingestion.catalogue.search.protection import Protection
    from ingestion.catalogue.search.public import PublicSearch

    return PublicSearch(engine, Protection(secret=bytes(32)))


def _warmed(ask: Callable[[Any], Any], engine: Any) -> list[Any]:
    """The queries, after one that is none of them has brought the columns into memory."""
    from ingestion.catalogue.search.query import parse_query

    ask(parse_query({"not": {"field": "Modality", "in": ["XA"]}}, engine.index.schema))
    return _queries(engine)


def text(folder: Path) -> dict[str, Any]:
    from ingestion.catalogue.search.query import parse_query

    engine = _engine(folder)
    schema = engine.index.schema

    def find(words: str) -> Any:
        return engine.answer(parse_query({"text": words}, schema), facets=())

    return _each(find, WORDS, note="words in descriptions; the first loads the texts")


def lookup(folder: Path) -> dict[str, Any]:
    """All columns of a series from its UID."""
    from ingestion.catalogue.search.records import Records

    engine = _engine(folder)
    index = engine.index
    records = Records(index)
    columns = len(records.columns)  # reads the table's directory, once after opening
    chosen = random.Random(SEED).sample(range(index.series), LOOKUPS)
    uids = [index.series_uids[at].decode() for at in chosen]

    def read(uid: str) -> Any:
        row = index.row(uid)
        assert row is not None
        return records.one(row)

    return _each(read, uids, note=f"by SeriesInstanceUID, all {columns} columns; {LOOKUPS} series")


def http(folder: Path) -> dict[str, Any]:
    """The API on the loopback at a fixed rate, each request timed from when it was due."""
    import subprocess
    import threading
    import urllib.request

    import psutil

    server = subprocess.Popen(
        [sys.executable, "-m", "portal", "--index", str(folder), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        rng = random.Random(SEED)
        lows = range(0, 90, 5)
        fresh = [f"Modality={one}&Age.from={low}&facets=none" for one in ("CT", "MR", "PT", "MG") for low in lows]
        asked = [
            rng.choice(fresh[:20]) if at % 4 else fresh[(at // 4) % len(fresh)]
            for at in range(int(HTTP_RATE * HTTP_SECONDS))
        ]
        waited: list[float] = []
        failed: list[str] = []
        # sustained load, not the first seconds: those are what the cases of opening and of the cold panel show
        with urllib.request.urlopen(f"{address}/api/v1/fields", timeout=60) as response:
            response.read()
        time.sleep(HTTP_WARM_SECONDS)
        before = psutil.Process(server.pid).cpu_times()
        begun = time.perf_counter() + 0.5

        def client(first: int, step: int) -> None:
            for at in range(first, len(asked), step):
                due = begun + at / HTTP_RATE
                time.sleep(max(due - time.perf_counter(), 0))
                try:
                    with urllib.request.urlopen(f"{address}/api/v1/search?{asked[at]}", timeout=10) as response:
                        response.read()
                except OSError as error:
                    failed.append(type(error).__name__)
                waited.append(time.perf_counter() - due)

        threads = [threading.Thread(target=client, args=(first, 8)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - begun
        used = psutil.Process(server.pid).cpu_times()
        spent = used.user + used.system - before.user - before.system
        peak = psutil.Process(server.pid).memory_info().rss / 1024**2
    finally:
        server.terminate()
        server.wait()
    note = f"{len(waited) / took:.0f} requests a second over {took:.0f} s, {len(failed)} failed; CPU of the server"
    return {**_told(waited, [spent / len(waited)], note=note), "peak_mb": peak, "rate": len(waited) / took}


def duckdb(parquet: Path) -> dict[str, Any]:
    """Plain DuckDB over the same Parquet: the same ten fields, one grouped query each, for every query's criteria."""
    import duckdb as engine

    from ingestion.benchmarks.catalogue import IDC_SELECT

    connection = engine.connect()
    connection.execute(f"create view series as select {IDC_SELECT} from read_parquet('{parquet}')")
    answers = []
    for name in ("Modality", "BodyPartExamined", "Manufacturer", "PatientSex", "collection_id"):
        rows = connection.execute(f'select "{name}" from series group by 1 order by count(*) desc limit 8').fetchall()
        answers.append((name, [row[0] for row in rows if row[0]]))

    def ask(criteria: list[tuple[str, list[str]]]) -> None:
        for facet in FACETS:
            wheres = [f'"{name}" in ({_quoted(values)})' for name, values in criteria if name != facet]
            where = " and ".join(wheres) or "true"
            bins = f"floor({facet} / 5)" if facet == "Age" else f'"{facet}"'
            connection.execute(
                f"select {bins}, count(distinct PatientID), count(distinct StudyInstanceUID), count(*) "
                f"from series where {where} group by 1"
            ).fetchall()

    return _each(ask, _drawn(dict(answers))[:10], note="ten grouped queries a panel, ten panels")


def _drawn(top: dict[str, list[str]]) -> list[list[tuple[str, list[str]]]]:
    rng = random.Random(SEED)
    drawn = []
    for _ in range(QUERIES):
        names = rng.sample(sorted(top), rng.randint(1, 4))
        drawn.append([(name, rng.sample(top[name], rng.randint(1, 3))) for name in names])
    return drawn


def _queries(engine: Any) -> list[Any]:
    from ingestion.catalogue.search.query import parse_query

    top = {}
    for name in ("Modality", "BodyPartExamined", "Manufacturer", "PatientSex", "collection_id"):
        field = engine.index.fields[name]
        order = sorted(range(1, len(field.terms)), key=lambda code: -int(field.totals[0][code]))
        top[name] = [field.terms[code] for code in order[:8]]
    schema = engine.index.schema
    return [
        parse_query({"all": [{"field": name, "in": values} for name, values in criteria]}, schema)
        for criteria in _drawn(top)
    ]


def _engine(folder: Path) -> Any:
    from ingestion.catalogue.search.engine import SearchEngine
    from ingestion.catalogue.search.index import open_index

    return SearchEngine(open_index(folder))


def _each(ask: Callable[[Any], Any], asked: Iterable[Any], *, note: str) -> dict[str, Any]:
    walls, cpus = [], []
    for question in asked:
        wall, cpu = time.perf_counter(), time.process_time()
        ask(question)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return _told(walls, cpus, note=note)


def _told(walls: Sequence[float], cpus: Sequence[float], *, note: str) -> dict[str, Any]:
    peak = _peak_mb()
    return {"wall": list(walls), "cpu": list(cpus), "peak_mb": peak, "note": note, "median": statistics.median(walls)}


def _peak_mb() -> float:
    """Peak memory of this process. Linux tells of a child no less than its parent had, except here."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _quoted(values: Iterable[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


_CASES: dict[str, Callable[..., dict[str, Any]]] = {
    "build": build, "open": open_it, "panel_cold": panel_cold, "panel_warm": panel_warm, "public_cold": public_cold,
    "public_warm": public_warm,
    "text": text, "lookup": lookup, "http": http, "duckdb": duckdb,
}  # fmt: skip

if __name__ == "__main__":
    main(sys.argv[1:])
