"""What looking at one series found: the outcome of every imaging check, and figures of the series.

An examination is made once per manifest version and set of rules, where the pixels are read, and stored; the judge,
the report, the search for duplicates and ``cie check`` all read it, and none of them opens the objects again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. ``detail``: numbers and our own words, never a delivered text.

    ``where``: SOPInstanceUID (pseudonym) of the instance, with ``#n`` for its frame n counted from 1; None: the series.
    """

    detail: str
    where: str | None = None


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """The outcome of one rule on one series. ``judged``: instances or frames looked at; 0: the rule does not apply."""

    rule_id: str
    judged: int
    faults: tuple[Fault, ...] = ()
    """At most ``MAX_FAULTS`` are kept; ``failing`` counts all."""
    failing: int = 0

    @property
    def applies(self) -> bool:
        return self.judged > 0

    @property
    def passed(self) -> bool:
        return self.failing == 0


MAX_FAULTS = 10
"""Faults that are kept of one rule in one series: enough to find the pattern."""


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was found in one stored version of one series. Everything in it is free of identities."""

    source_id: str
    SeriesInstanceUID: str
    manifest_version: str
    rules_digest: str
    """Of the imaging rules and their versions, and of the series it was judged against: others, another examination."""
    outcomes: tuple[CheckOutcome, ...]
    pixel_digest: str | None = None
    """SHA-256 over the decoded pixels in spatial order: equal for the same image in other wrapping."""
    frame_hashes: tuple[str, ...] = ()
    """Perceptual hashes (16 hex digits) of a few frames, for the search for near duplicates."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Numbers for the report: frames decoded, seconds are not among them."""
    thumbnail: str | None = None
    """The middle frame as a small PNG in base64, boxes of burned-in text masked; None: ``no_picture`` says why."""
    no_picture: str | None = None

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()

    @staticmethod
    def from_json(body: bytes) -> Examination:
        said = json.loads(body)
        outcomes = tuple(
            CheckOutcome(**{**one, "faults": tuple(Fault(**fault) for fault in one["faults"])})
            for one in said.pop("outcomes")
        )
        return Examination(outcomes=outcomes, frame_hashes=tuple(said.pop("frame_hashes")), **said)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.to_json()).hexdigest()[:24]


def examination_key(source_id: str, series_instance_uid: str, manifest_version: str, rules_digest: str) -> str:
    """In the internal bucket."""
    return f"examinations/{source_id}/{series_instance_uid}/{manifest_version}.{rules_digest}.json"
