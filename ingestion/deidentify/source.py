"""One source, from its worklist to its committed state: each series is a task, each task's outcome a transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ingestion.accounting.decisions import Quarantine
from ingestion.accounting.erasure import refuse_erased
from ingestion.accounting.inventory import NO_SERIES, Inventory, InventoryObject, Refusal
from ingestion.accounting.ledger import Ledger
from ingestion.accounting.outcomes import InstanceOutcome, SeriesOutcome, Work
from ingestion.accounting.source_state import SourceState, write_state
from ingestion.accounting.states import InstanceState, Reason
from ingestion.accounting.worklist import SeriesWork, Worklist, make_worklist
from ingestion.deidentify import CODE_VERSION
from ingestion.deidentify.conformance_check import STUDY_JUDGE
from ingestion.deidentify.iod_check import IodCheck
from ingestion.deidentify.pixels import parse_decision
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.series import SeriesTask, TaskObject, process_series
from ingestion.fanout import Crashed, Fanout
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms
from ingestion.sources.connector import Connector, SourceObject
from ingestion.sources.inventory import TakenInventory, take_inventory
from ingestion.storage import ObjectStore

_log = logging.getLogger(__name__)
PROGRESS_SECONDS = 5.0
"""A line of progress at most this often: a source of 10,000 series must not write 10,000 lines."""

_REJECTED = Refusal(Reason.REJECTED_BY_OPERATOR, "operator.reject", "a person rejected it")
_CRASHED = Refusal(Reason.CRASHED_READER, "worker.crash", "its series ended the worker process twice")


@dataclass(frozen=True)
class SourceSync:
    """Everything needed to sync one source."""

    source_id: str
    connector: Connector = field(repr=False)
    key: SourceKey
    policy: Policy
    ledger: Ledger
    research: ObjectStore
    internal: ObjectStore
    linkage: SourceKey | None = None
    """The platform's secret for comparing sources; None: nothing of this source is compared with others."""
    iod: IodCheck = IodCheck.INSTALLED

    @property
    def code_version(self) -> str:
        """Of this package and of the linkage secret: a new secret makes the facts of every series anew."""
        return CODE_VERSION if self.linkage is None else f"{CODE_VERSION}/{self.linkage.key_id}"

    @property
    def pseudonyms(self) -> Pseudonyms:
        return Pseudonyms(self.key)

    def take_inventory(self, fanout: Fanout, *, log: Callable[[str], None] = _log.info) -> tuple[Inventory, Worklist]:
        """List the source, read the headers of what is new or changed, commit the inventory, return the worklist.

        Raises:
            KeyInvalidError: the source was processed with another key.
            SourceErasedError: the source was erased.
            SourceGoneError, LedgerError: nothing was concluded, nothing was written.
        """
        with self.ledger.exclusive(self.source_id, log=log):
            refuse_erased(self.internal, self.source_id)
            self.ledger.check_key(self.key)
            before = self.ledger.inventory(self.source_id)
            taken = take_inventory(self.connector, self.pseudonyms, before=before, spread=fanout.map)
            self.ledger.save_inventory(taken.inventory)
            return taken.inventory, self._worklist(taken.inventory)

    def deidentify(self, fanout: Fanout, *, run_id: str, log: Callable[[str], None] = _log.info) -> SourceOutcome:
        """Work through the worklist and write the source's state to the store.

        Raises:
            StoreError, LedgerError, SourceGoneError: what was committed before stays; run again for the rest.
            SourceErasedError: the source was erased.
            JudgeMissingError: ``iod`` is required, and dciodvfy is not there.
        """
        self.iod.check_start()
        with self.ledger.exclusive(self.source_id, log=log):
            refuse_erased(self.internal, self.source_id)
            self.ledger.check_key(self.key)
            if self.linkage is not None:
                self.ledger.check_key(self.linkage)
            return self._deidentify(fanout, run_id=run_id, log=log)

    def _deidentify(self, fanout: Fanout, *, run_id: str, log: Callable[[str], None]) -> SourceOutcome:
        started = time.monotonic()
        listed = self._listed()
        worklist = self._worklist(listed.inventory)
        total = Work()
        progress = _Progress(len(worklist.series), log)
        by_uid = {work.series_uid: work for work in worklist.series}
        try:
            for outcome in self._outcomes(worklist, listed.items, fanout):
                self.ledger.commit_series(
                    self.source_id,
                    outcome,
                    input_digest=by_uid[outcome.series_uid].input_digest,
                    policy_digest=self.policy.digest,
                    code_version=self.code_version,
                )
                total += outcome.work
                progress.step(total)
            if total.iod_unjudged:
                log(f"{total.iod_unjudged} objects were not held against their definition: {self.iod.why_unjudged()}")
            if total.studies_unjudged:
                why = self.iod.why_unjudged(STUDY_JUDGE)
                log(f"{total.studies_unjudged} series were not compared with the others of their study: {why}")
        finally:
            seconds = time.monotonic() - started
            work = replace(total, seconds=seconds)
            self.ledger.record_run(self.source_id, run_id, series_worked=progress.done, work=work)
        state = self.ledger.source_state(self.source_id)
        number, written = write_state(self.internal, state)
        return SourceOutcome(state=state, number=number, state_written=written, worklist=worklist, work=work)

    def _listed(self) -> TakenInventory:
        """The committed inventory beside a fresh listing, which brings the names."""
        known = self.ledger.inventory(self.source_id)
        pseudonyms = self.pseudonyms
        items: dict[str, SourceObject] = {}
        listing = self.connector.listing()
        for item in listing.objects:
            object_hash = pseudonyms.object_name(item.name)
            if object_hash in known and known[object_hash].fingerprint == item.fingerprint:
                items[object_hash] = item
        hidden = frozenset() if listing.complete else frozenset(known.keys() - items.keys())
        hidden -= {object_hash for object_hash in hidden if known[object_hash].refusal is not None}
        return TakenInventory(Inventory(self.source_id, known, {}, unseen=hidden), items)

    def _worklist(self, inventory: Inventory) -> Worklist:
        return make_worklist(
            inventory,
            self.ledger.known_series(self.source_id),
            verdicts=Quarantine(self.ledger.engine).verdicts(self.source_id),
            policy_digest=self.policy.digest,
            code_version=self.code_version,
        )

    def _outcomes(
        self, worklist: Worklist, items: Mapping[str, SourceObject], fanout: Fanout
    ) -> Iterator[SeriesOutcome]:
        readable: list[SeriesTask] = []
        for work in worklist.series:
            if work.series_uid == NO_SERIES or not work.objects:
                yield unread_outcome(work.series_uid, work.objects)
            else:
                readable.append(self._task(work, items))
        for outcome in fanout.run(process_series, readable):
            yield crashed_outcome(outcome.task) if isinstance(outcome, Crashed) else outcome.result

    def _task(self, work: SeriesWork, items: Mapping[str, SourceObject]) -> SeriesTask:
        objects = tuple(
            TaskObject(
                inventory=item,
                source=items.get(item.object_hash),
                refusal=_REJECTED if item.object_hash in work.rejected else work.refused.get(item.object_hash),
                pixels=parse_decision(said) if (said := work.pixels.get(item.object_hash)) else None,
            )
            for item in work.objects
        )
        return SeriesTask(
            series_uid=work.series_uid,
            objects=objects,
            connector=self.connector,
            key=self.key,
            policy=self.policy,
            research=self.research,
            companions=tuple(items.get(item.object_hash) for item in work.companions),
            linkage=self.linkage,
            iod=self.iod,
        )


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """What a sync did and where the source stands now."""

    state: SourceState
    number: int
    state_written: bool
    worklist: Worklist
    work: Work


@dataclass
class _Progress:
    total: int
    log: Callable[[str], None]
    done: int = 0
    _next: float = 0.0

    def step(self, work: Work) -> None:
        self.done += 1
        now = time.monotonic()
        if now >= self._next or self.done == self.total:
            self._next = now + PROGRESS_SECONDS
            self.log(
                f"{self.done} of {self.total} series, {work.objects_read} objects read, "
                f"{work.objects_written} written, {work.bytes_written / 1e6:.1f} MB"
            )


def unread_outcome(series_uid: str, objects: tuple[InventoryObject, ...]) -> SeriesOutcome:
    """Objects that the inventory refused are accounted for as they are; a withdrawn series leaves the accounting."""
    outcomes = [_refused(item.object_hash, item.fingerprint, item.refusal) for item in objects]
    return SeriesOutcome(series_uid, tuple(outcomes), None, Work())


def crashed_outcome(task: SeriesTask) -> SeriesOutcome:
    """All objects of a series whose processing ended its worker twice."""
    outcomes = (
        _refused(
            item.inventory.object_hash, item.inventory.fingerprint, item.inventory.refusal or item.refusal or _CRASHED
        )
        for item in task.objects
    )
    return SeriesOutcome(task.series_uid, tuple(outcomes), None, Work())


def _refused(object_hash: str, fingerprint: str, refusal: Refusal | None) -> InstanceOutcome:
    if refusal is None:
        raise ValueError(f"object {object_hash} is in no series and has no reason for it")
    return InstanceOutcome(object_hash, fingerprint, InstanceState.QUARANTINED, refusal=refusal)
