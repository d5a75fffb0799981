"""De-identification from a folder to a folder: no database, no store, the same code and the same accounting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingestion.accounting.inventory import NO_SERIES, refusals_by_series, study_companions
from ingestion.accounting.manifest import Manifest, is_result_key
from ingestion.accounting.outcomes import SeriesOutcome, Work
from ingestion.accounting.source_state import Counts
from ingestion.accounting.states import InstanceState, SeriesState
from ingestion.deidentify.iod_check import IodCheck
from ingestion.deidentify.leftovers import Leftovers, leftovers
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.series import SeriesTask, TaskObject, process_series
from ingestion.deidentify.source import crashed_outcome, unread_outcome
from ingestion.fanout import Crashed, Fanout
from ingestion.identity.keys import SourceKey, shared_key
from ingestion.identity.pseudonyms import Pseudonyms
from ingestion.sources.folder import FolderConnector
from ingestion.sources.inventory import take_inventory
from ingestion.stopping import StoppedError
from ingestion.storage import ObjectStore


class FolderUseError(ValueError):
    """The two folders cannot be used together; the message says why."""


@dataclass(frozen=True, slots=True)
class FolderOutcome:
    """The accounting of one folder. ``reasons`` counts quarantined objects.

    ``delivered``: all objects that the folder holds. ``stopped``: what broke the run off, so that ``counts`` are those
    of the series that were finished; None: it came to its end. ``left``: what lies in the target and is of no delivered
    object (any more); None: not looked for, since the run was stopped or an object could not be read for now.
    """

    counts: Counts
    series: dict[SeriesState, int]
    reasons: dict[str, int]
    outcomes: tuple[SeriesOutcome, ...]
    work: Work
    names: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names of the objects by their hash: they can hold identities, and are the data holder's alone."""
    delivered: int = 0
    stopped: BaseException | None = None
    left: Leftovers | None = None


def check_folders(source: Path, target: Path) -> None:
    """Raw and de-identified objects must not come to lie in one tree.

    Raises:
        FolderUseError: a folder is missing, or one lies within the other.
    """
    if not source.is_dir():
        raise FolderUseError(f"{source} is not a folder")
    if target.exists() and not target.is_dir():
        raise FolderUseError(f"{target} exists and is not a folder")
    raw, clean = source.resolve(), target.resolve()
    if raw == clean or raw.is_relative_to(clean) or clean.is_relative_to(raw):
        raise FolderUseError("IN and OUT must not contain one another: raw and de-identified files would mix")


def deidentify_folder(
    source: Path,
    *,
    key: SourceKey,
    policy: Policy,
    target: ObjectStore,
    fanout: Fanout,
    progress: Callable[[int, int], None] = lambda done, total: None,
    process: Callable[[SeriesTask], SeriesOutcome] = process_series,
    linkage: SourceKey | None = None,
    iod: IodCheck = IodCheck.INSTALLED,
) -> FolderOutcome:
    """Bring every object below ``source`` to its end; results are written to ``target`` as the pipeline does.

    Args:
        progress: told how many objects are done, of how many; objects come with their series.
        process: what is done with each series; a function of a module, since workers are processes.
        linkage: secret under which the same person, study or number is known again over series.
        iod: whether results are held against their definition by dciodvfy.

    Told to stop (``ingestion.stopping``, Ctrl-C) while series are worked on, it returns what was finished. What was
    being written is whole or not there; the same run again comes to the same end as one that was not stopped.

    Raises:
        StoppedError, KeyboardInterrupt: told to stop before the first series.
        FolderUseError: ``target`` holds results of the source under another key or policy.
        SourceGoneError, StoreError: run again; what is already there is kept.
        JudgeMissingError: ``iod`` is required, and dciodvfy is not there.
    """
    iod.check_start()
    _check_earlier(target, key, policy)
    connector = FolderConnector(root=source)
    taken = take_inventory(connector, Pseudonyms(key), before={}, spread=fanout.map)
    refused = refusals_by_series(taken.inventory.objects.values())
    companions = study_companions(taken.inventory.objects.values())
    outcomes: list[SeriesOutcome] = []
    tasks: list[SeriesTask] = []
    for series_uid, objects in taken.inventory.by_series().items():
        if series_uid == NO_SERIES:
            outcomes.append(unread_outcome(series_uid, objects))
            continue
        members = tuple(
            TaskObject(item, taken.items.get(item.object_hash), refused.get(item.object_hash)) for item in objects
        )
        beside = tuple(taken.items.get(item.object_hash) for item in companions.get(series_uid, ()))
        tasks.append(SeriesTask(series_uid, members, connector, key, policy, target, beside, linkage=linkage, iod=iod))
    done, total = sum(len(outcome.instances) for outcome in outcomes), len(taken.inventory.objects)
    stopped: BaseException | None = None
    try:
        progress(done, total)
        for outcome in fanout.run(process, tasks):
            outcomes.append(crashed_outcome(outcome.task) if isinstance(outcome, Crashed) else outcome.result)
            done += len(outcome.task.objects)
            progress(done, total)
    except (KeyboardInterrupt, StoppedError) as told:
        stopped = told
        fanout.abandon()
    pseudonyms = Pseudonyms(key)
    names = {object_hash: item.name for object_hash, item in taken.items.items()}
    names |= {pseudonyms.object_name(name): name for name in taken.refused_names}
    return replace(
        _summed(outcomes),
        names=names,
        delivered=total,
        stopped=stopped,
        left=None if stopped or _unseen(outcomes) else leftovers(target, key.source_id, outcomes),
    )


def _unseen(outcomes: list[SeriesOutcome]) -> bool:
    """Whether something could not be read for now: its earlier results are not those of a withdrawn object."""
    return any(outcome.retry for outcome in outcomes)


def _check_earlier(target: ObjectStore, key: SourceKey, policy: Policy) -> None:
    """Results of two keys in one folder would show one person as two; of two policies, what the stricter takes out
    would lie there still; of two sources under one key, equal numbers of both would be one person.

    Raises:
        FolderUseError: results of this source under another key or policy, or of another under this key, lie in the
            target.
    """
    looked_at: set[str] = set()
    for stored in target.list("manifests/"):
        if not is_result_key(stored.key):
            continue  # somebody's file, told with the leftovers
        source_id = stored.key.split("/")[1]
        if source_id != key.source_id and source_id in looked_at:
            continue  # all of a source have one key
        looked_at.add(source_id)
        try:
            known = Manifest.from_json(target.read(stored.key))
        except (ValueError, KeyError, TypeError) as error:
            raise FolderUseError(
                f"OUT holds a manifest that cannot be read ({type(error).__name__}): {stored.key}. Delete that file "
                "and run again, or use another folder."
            ) from None
        if source_id != key.source_id:
            if known.key_id == key.key_id:
                raise FolderUseError(f"OUT holds results of {source_id}: {shared_key(key.source_id, [source_id])}")
            continue
        if known.key_id != key.key_id:
            raise FolderUseError(
                f"OUT holds results of {key.source_id} under key {known.key_id}, and this is key {key.key_id}: its "
                "people would get second pseudonyms. Use the first key, or another folder."
            )
        if known.policy_digest != policy.digest:
            raise FolderUseError(
                f"OUT holds results under the policy {known.policy} {known.policy_digest[:12]}, and this is "
                f"{policy.name} {policy.digest[:12]}: both would lie side by side. Use another folder, or empty OUT."
            )


def _summed(outcomes: list[SeriesOutcome]) -> FolderOutcome:
    items = [item for outcome in outcomes for item in outcome.instances]
    states = Counter(item.state for item in items)
    return FolderOutcome(
        counts=Counts(
            delivered=len(items),
            accepted=states[InstanceState.ACCEPTED],
            duplicate=states[InstanceState.DUPLICATE],
            quarantined=states[InstanceState.QUARANTINED],
        ),
        series=dict(Counter(outcome.state for outcome in outcomes if outcome.series_uid != NO_SERIES)),
        reasons=dict(sorted(Counter(item.refusal.reason.value for item in items if item.refusal).items())),
        outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.series_uid)),
        work=sum((outcome.work for outcome in outcomes), Work()),
    )
