"""The pictures of a report: a montage of thumbnails with badges, and a small sheet of them for the Dagster UI.

The thumbnails come from the examinations: made of de-identified objects, found boxes of burned-in text black, none of
photographs and screens. Nothing is read here.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from PIL import Image, ImageDraw

from quality_checks.examination import Examination
from quality_checks.model import QualityVerdict
from quality_checks.report_findings import SeriesFindings, by_series, known_modality

MOST = 48
"""Pictures of a montage: a page of them; a source's patterns are seen by then."""
SHEET = (8, 2)
"""Columns and rows of the sheet for the UI."""
TILE = 64
"""Pixels of a picture's side there."""
SHEET_BYTES = 24_000
"""A sheet in the event log costs this much for every run: the quality is lowered until it fits."""
_FRAME = {"error": (200, 55, 45), "warning": (209, 143, 0), "passed": (95, 146, 125)}


@dataclass(frozen=True, slots=True)
class Picture:
    """One series. ``png``: base64, None where ``note`` says why there is none.

    ``status``: passed, warning or error (left out of the release).
    """

    uid: str
    modality: str
    frames: int
    status: str
    findings: int
    """Burned-in text was found and blanked."""
    png: str | None
    note: str = ""

    @property
    def in_words(self) -> str:
        """What the badges say, for those who hear the page."""
        said = [f"{self.modality}, {self.frames} {'frame' if self.frames == 1 else 'frames'}"]
        if self.findings:
            said.append(f"{self.findings} {'finding' if self.findings == 1 else 'findings'}")
        if self.status == "error":
            said.append("left out of the release")
        if self.note:
            said.append(f"no picture: {self.note}")
        return ", ".join(said)


def pictures(
    verdict: QualityVerdict, series: pd.DataFrame, examinations: Iterable[Examination], *, most: int = MOST
) -> tuple[Picture, ...]:
    """At most ``most`` pictures: series left out, then those with warnings, then others, evenly over the modalities."""
    seen = {one.SeriesInstanceUID: one for one in examinations if one.thumbnail or one.no_picture}
    if series.empty or not seen:
        return ()
    troubled = {one.uid: one for one in by_series(verdict, series)}
    columns = ["SeriesInstanceUID", "Modality", "NumberOfFrames"]
    shown = series.reindex(columns=columns)
    made = [
        _picture(seen[str(uid)], known_modality(modality), frames, troubled.get(str(uid)))
        for uid, modality, frames in shown.itertuples(index=False)
        if str(uid) in seen
    ]
    # Of each modality one after the other, so that a source of 10,000 CT and one MR series shows the MR.
    turn: dict[tuple[str, str], int] = {}
    ranked = []
    for one in sorted(made, key=lambda one: (-one.findings, one.uid)):
        number = turn[one.status, one.modality] = turn.get((one.status, one.modality), 0) + 1
        passed = one.status == "passed"
        ranked.append(
            # what passes and has no picture comes last
            (
                ("error", "warning", "passed").index(one.status),
                passed and not one.png,
                number,
                one.modality,
                one.uid,
                one,
            )
        )
    # Room for some that pass, so that the bad can be told from the good.
    ranked.sort(key=lambda row: row[:5])
    bad = [row[5] for row in ranked if row[0] < 2]
    good = [row[5] for row in ranked if row[0] == 2]
    return (*bad[: max(most - len(good), most * 3 // 4)], *good)[:most]


def contact_sheet(shown: Sequence[Picture]) -> bytes | None:
    """A small JPEG of the first pictures, each framed in the colour of its status; None without any."""
    columns, rows = SHEET
    chosen = [(one, one.png) for one in shown if one.png][: columns * rows]
    if not chosen:
        return None
    columns = min(columns, len(chosen))
    rows = -(-len(chosen) // columns)
    sheet = Image.new("RGB", (columns * TILE, rows * TILE), (30, 34, 32))
    draw = ImageDraw.Draw(sheet)
    for number, (one, png) in enumerate(chosen):
        left, top = number % columns * TILE, number // columns * TILE
        picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("L")
        picture.thumbnail((TILE - 6, TILE - 6))
        sheet.paste(picture, (left + (TILE - picture.width) // 2, top + (TILE - picture.height) // 2))
        draw.rectangle((left, top, left + TILE - 1, top + TILE - 1), outline=_FRAME[one.status], width=2)
    for quality in (80, 60, 40, 20):
        body = io.BytesIO()
        sheet.save(body, format="JPEG", quality=quality, optimize=True)
        if body.tell() <= SHEET_BYTES:
            break
    return body.getvalue()


def _picture(found: Examination, modality: str, frames: Any, troubled: SeriesFindings | None) -> Picture:
    status = "passed" if troubled is None else "error" if troubled.left_out else "warning"
    return Picture(
        uid=found.SeriesInstanceUID,
        modality=modality,
        frames=0 if pd.isna(frames) else int(frames),
        status=status,
        findings=0 if troubled is None else len(troubled.findings),
        png=found.thumbnail,
        note="" if found.thumbnail else found.no_picture or "",
    )
