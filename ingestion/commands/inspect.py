"""``cie inspect``: what series are there, from headers only. Shows no patient's name or id."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pydicom
import typer
from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.dicom.guard import guarded
from ingestion.dicom.reading import InstanceIds, peek
from ingestion.sources.connector import SourceObject
from ingestion.sources.folder import FolderConnector

_TAGS = ["Modality", "Manufacturer", "ManufacturerModelName", "BodyPartExamined", "Rows", "Columns"]


@dataclass
class _Series:
    ids: InstanceIds
    header: Dataset
    objects: int = 0
    bytes: int = 0
    patients: set[object] = field(default_factory=set)


def register(app: typer.Typer) -> None:
    @app.command()
    def inspect(
        paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Folders or files.")],
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """What series are there, from headers only. Exit code 1 when an object could not be read.

        Example: cie inspect delivery/
        """
        series: dict[str, _Series] = {}
        refused: Counter[str] = Counter()
        for path in paths:
            if not path.exists():
                errors.print(f"{path} does not exist")
                raise typer.Exit(2)
            root = path if path.is_dir() else path.parent
            connector = FolderConnector(root=root)
            listing = connector.listing()
            refused.update(item.reason.value for item in listing.refused if path.is_dir())
            for item in listing.objects:
                if path.is_dir() or item.name.split("!")[0] == path.name:
                    _look(connector, item, series, refused)
        rows = [_row(uid, found) for uid, found in sorted(series.items())]
        if as_json:
            names = [
                "SeriesInstanceUID",
                "Modality",
                "BodyPartExamined",
                "Manufacturer",
                "size",
                "objects",
                "bytes",
                "patients",
            ]
            print_json({"series": [dict(zip(names, row, strict=True)) for row in rows], "refused": dict(refused)})
        else:
            columns = [
                ("SeriesInstanceUID", False), ("Modality", False), ("BodyPart", False), ("Manufacturer", False),
                ("size", False), ("objects", True), ("bytes", True), ("patients", True),
            ]  # fmt: skip
            print_whole(make_table(f"{len(rows)} series", columns, rows))
            for reason, number in sorted(refused.items()):
                console.print(f"{number} × {reason}")
        if set(refused) - {"not_dicom", "media_directory"}:
            raise typer.Exit(1)


def _look(connector: FolderConnector, item: SourceObject, series: dict[str, _Series], refused: Counter[str]) -> None:
    try:
        with connector.open(item) as stream, guarded("inspect"):
            ids = peek(stream, size=item.size)
            stream.seek(0)
            header = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
    except InstanceRefusedError as refusal:
        refused[refusal.reason.value] += 1
        return
    except OSError as error:
        if error.errno is not None:
            raise  # the disk's fault, not the object's
        refused[Reason.TRUNCATED.value] += 1  # pydicom's word for an object that ends within a sequence
        return
    found = series.setdefault(ids.series_uid, _Series(ids=ids, header=header))
    found.objects += 1
    found.bytes += item.size
    found.patients.add(ids.patient)


def _row(uid: str, found: _Series) -> tuple[object, ...]:
    text = {name: str(found.header.get(name, "") or "–") for name in _TAGS}
    size = f"{text['Columns']}×{text['Rows']}"
    return (
        uid, text["Modality"], text["BodyPartExamined"], text["Manufacturer"], size,
        found.objects, found.bytes, len(found.patients),
    )  # fmt: skip
