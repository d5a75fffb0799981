"""What became of a series and of each of its objects: made by a worker, committed by the run in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingestion.accounting.facts import SeriesFacts
from ingestion.accounting.inventory import Refusal
from ingestion.accounting.states import InstanceState, SeriesState


@dataclass(frozen=True, slots=True)
class InstanceOutcome:
    """Where one object ended. The fields of the stored object are None unless it was accepted."""

    object_hash: str
    fingerprint: str
    state: InstanceState
    refusal: Refusal | None = None
    content_hash: str | None = None
    sop_uid: str | None = None
    store_key: str | None = None
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What processing cost: bytes and objects read from the source, objects and bytes newly written, seconds.

    ``iod_judged``, ``iod_unjudged``: accepted objects that were held against their definition, and that were not.
    ``studies_judged``, ``studies_unjudged``: series with an accepted object that were compared with the other series of
    their study, and that were not.
    """

    objects_read: int = 0
    bytes_read: int = 0
    objects_written: int = 0
    bytes_written: int = 0
    seconds: float = 0.0
    iod_judged: int = 0
    iod_unjudged: int = 0
    studies_judged: int = 0
    studies_unjudged: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            objects_read=self.objects_read + other.objects_read,
            bytes_read=self.bytes_read + other.bytes_read,
            objects_written=self.objects_written + other.objects_written,
            bytes_written=self.bytes_written + other.bytes_written,
            seconds=self.seconds + other.seconds,
            iod_judged=self.iod_judged + other.iod_judged,
            iod_unjudged=self.iod_unjudged + other.iod_unjudged,
            studies_judged=self.studies_judged + other.studies_judged,
            studies_unjudged=self.studies_unjudged + other.studies_unjudged,
        )


@dataclass(frozen=True, slots=True)
class SeriesOutcome:
    """Where one series ended. ``retry``: a passing fault was met, so the next sync works on it again."""

    series_uid: str
    instances: tuple[InstanceOutcome, ...]
    manifest_version: str | None
    work: Work
    facts: SeriesFacts = field(default_factory=SeriesFacts)

    @property
    def state(self) -> SeriesState:
        return series_state_of(self.instances)

    @property
    def bytes_stored(self) -> int:
        return sum(item.size or 0 for item in self.instances if item.state is InstanceState.ACCEPTED)

    @property
    def retry(self) -> bool:
        return any(
            item.refusal is not None and item.refusal.reason.group.value == "transient" for item in self.instances
        )


def series_state_of(instances: tuple[InstanceOutcome, ...]) -> SeriesState:
    """Complete: nothing quarantined. Quarantined: nothing accepted. Partial: something of both."""
    states = {item.state for item in instances}
    if InstanceState.ACCEPTED not in states:
        return SeriesState.QUARANTINED
    return SeriesState.PARTIAL if InstanceState.QUARANTINED in states else SeriesState.COMPLETE
