"""One series, from raw objects to stored ones: the unit of work, of retry and of progress.

Each object is read once (twice where several share an instance UID), de-identified, verified by other code, stored
under a key made of its digest, and accounted for. Nothing is committed here: a killed worker leaves objects that the
next run finds in place.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial

from pydicom.dataset import Dataset

from ingestion.accounting.facts import SeriesFacts
from ingestion.accounting.inventory import InventoryObject, Refusal, shared_instance_uids
from ingestion.accounting.manifest import Manifest, ManifestInstance, instance_key
from ingestion.accounting.outcomes import InstanceOutcome, SeriesOutcome, Work
from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import InstanceState, Reason
from ingestion.deidentify import CODE_VERSION
from ingestion.deidentify.cleared import tags_to_clear
from ingestion.deidentify.defacing import SeriesFace, assess_faces
from ingestion.deidentify.expectation import expectation_of
from ingestion.deidentify.faces import OnFace, may_show_face
from ingestion.deidentify.instance import DeidentifiedInstance, InstanceDeidentifier
from ingestion.deidentify.iod_check import RULE, IodCheck, IodJudge
from ingestion.deidentify.pixels import PixelDecision
from ingestion.deidentify.policy import FaceChoice, Policy
from ingestion.deidentify.series_facts import FactGatherer
from ingestion.deidentify.series_text import SeriesText
from ingestion.deidentify.study_check import judge_study
from ingestion.deidentify.study_identities import StudyIdentities, gather_identities
from ingestion.deidentify.verification import Verifier
from ingestion.dicom.guard import guarded
from ingestion.dicom.quiet import silence_readers
from ingestion.dicom.reading import InstanceIds, ReadLimits, parse
from ingestion.dicom.summary import INSTANCE_KEYWORDS, SERIES_KEYWORDS, summarise
from ingestion.identity.keys import SourceKey
from ingestion.identity.linkage import Linkage
from ingestion.identity.pseudonyms import Pseudonyms
from ingestion.sources.connector import Connector, SourceObject
from ingestion.storage import ObjectStore

DICOM_CONTENT_TYPE = "application/dicom"  # RFC 3240
_BESIDE = {
    Reason.IDENTITY_RESIDUE: Refusal(
        Reason.IDENTITY_RESIDUE,
        "verify.series",
        "another instance of its series failed the check after de-identification",
    ),
    Reason.IOD_INTRODUCED: Refusal(
        Reason.IOD_INTRODUCED, RULE, "another instance of its series would have errors that it has not as delivered"
    ),
}
"""What is found in one instance, and holds back all of its series."""
DAMAGED = frozenset({Reason.EMPTY_FILE, Reason.TRUNCATED, Reason.MALFORMED, Reason.PIXELS_UNREADABLE})
"""Of a copy that is not whole: it says nothing of what its instance is."""
_ON_FACE = {
    FaceChoice.FLAG: OnFace.KEEP, FaceChoice.QUARANTINE: OnFace.QUARANTINE, FaceChoice.DEFACE: OnFace.DEFACE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TaskObject:
    """One object of the series, with its name (in memory only) and what already refuses it."""

    inventory: InventoryObject
    source: SourceObject | None = field(repr=False)
    refusal: Refusal | None = None
    pixels: PixelDecision | None = None
    """What a person decided about its pixels."""


@dataclass(frozen=True, slots=True)
class SeriesTask:
    """All that a worker needs; it reads from the source and writes to the store itself."""

    series_uid: str
    objects: tuple[TaskObject, ...]
    connector: Connector = field(repr=False)
    key: SourceKey
    policy: Policy = field(repr=False)
    research: ObjectStore
    companions: tuple[SourceObject | None, ...] = field(default=(), repr=False)
    """The objects of all other series of the study, read for the identities in their headers; None: one is gone."""
    limits: ReadLimits = field(default_factory=ReadLimits)
    linkage: SourceKey | None = None
    """The platform's linkage secret, where there is one."""
    iod: IodCheck = IodCheck.INSTALLED
    """Whether results are held against their definition."""


@dataclass(slots=True)
class _Stored:
    """What is gathered for the manifest while the series goes through."""

    instances: list[ManifestInstance] = field(default_factory=list)
    header: dict[str, object] = field(default_factory=dict)
    varying: set[str] = field(default_factory=set)
    withheld: tuple[str, ...] = ()
    patient: str = ""
    study: str = ""

    def add(self, done: DeidentifiedInstance, instance: ManifestInstance) -> None:
        own = summarise(done.dataset, SERIES_KEYWORDS) | {"TransferSyntaxUID": done.new_ids.transfer_syntax_uid}
        if not self.instances:
            self.header, self.patient, self.study = own, done.new_ids.patient.patient_id, done.new_ids.study_uid
            self.withheld = done.withheld
        else:
            self.varying |= {k for k in own.keys() | self.header.keys() if own.get(k) != self.header.get(k)}
        self.instances.append(instance)


def process_series(task: SeriesTask) -> SeriesOutcome:
    """Bring one series through.

    Raises:
        StoreError: the store refused; nothing is lost, run again.
        SourceGoneError: the source went away; likewise.
    """
    started = time.monotonic()
    silence_readers()  # here too: a worker of a cluster was started by someone else
    worker = _SeriesWorker(task)
    outcomes = worker.outcomes()
    manifest = worker.manifest()
    version = None
    written = worker.work
    if manifest is not None:
        version = manifest.version
        written += Work(studies_judged=worker.compared, studies_unjudged=not worker.compared)
        body = manifest.to_json()
        if task.research.create(manifest.key, body, content_type="application/json"):
            written += Work(objects_written=1, bytes_written=len(body))
    return SeriesOutcome(
        series_uid=task.series_uid,
        instances=outcomes,
        manifest_version=version,
        facts=worker.facts.facts() if manifest is not None else SeriesFacts(),
        work=written + Work(seconds=time.monotonic() - started),
    )


class _SeriesWorker:
    def __init__(self, task: SeriesTask) -> None:
        self.task = task
        self.pseudonyms = Pseudonyms(task.key)
        self.deidentifier = InstanceDeidentifier(task.policy, self.pseudonyms)
        self.verifier = Verifier()
        self.face: SeriesFace | None = None
        self.text = SeriesText(self.deidentifier.pixels)
        self.work = Work()
        self.iod = IodJudge(task.iod)
        self.compared = False
        self.facts = FactGatherer(Linkage(task.linkage) if task.linkage else None)
        self._stored = _Stored()
        self._first: dict[str, InstanceOutcome] = {}  # by content hash: what the first of equal objects became

    def outcomes(self) -> tuple[InstanceOutcome, ...]:
        # By name, so that of equal objects the same one is kept whatever order the source lists them in.
        ordered = sorted(self.task.objects, key=lambda item: item.source.name if item.source else "")
        conflicts = self._conflicts(ordered)
        sound = [item for item in ordered if item.source is not None and not (item.inventory.refusal or item.refusal)]
        held_back = None
        try:
            known = self._look_at_study([item.source for item in sound if item.source is not None])
            alone = [item for item in sound if item.inventory.object_hash not in conflicts]
            self._look_for_face(alone)
            self._look_ahead(alone)
            self._compare_study(known)
        except InstanceRefusedError as refused:
            held_back = Refusal(refused.reason, refused.rule, refused.detail)
        found = [self._outcome(item, conflicts, held_back) for item in ordered]
        reasons = {outcome.refusal.reason for outcome in found if outcome.refusal is not None}
        for reason, refusal in _BESIDE.items():
            if reason in reasons:
                found = self._all_held_back(found, refusal)
        return tuple(sorted(found, key=lambda outcome: outcome.object_hash))

    def _all_held_back(self, found: list[InstanceOutcome], refusal: Refusal) -> list[InstanceOutcome]:
        """A rule is missing for this kind of series: what passed is not trusted either, and no manifest names it."""
        self._stored = _Stored()
        return [
            outcome
            if outcome.refusal is not None
            else InstanceOutcome(
                object_hash=outcome.object_hash,
                fingerprint=outcome.fingerprint,
                state=InstanceState.QUARANTINED,
                refusal=refusal,
                content_hash=outcome.content_hash,
                sop_uid=outcome.sop_uid,
            )
            for outcome in found
        ]

    def _look_at_study(self, own: list[SourceObject]) -> StudyIdentities:
        """Gather what identifies someone in the study; all that follows is judged by it."""
        known = gather_identities(self.task.connector, own, self.task.companions)
        self.deidentifier = InstanceDeidentifier(self.task.policy, self.pseudonyms, known.texts)
        self.verifier = Verifier(study=known.raw)
        return known

    def _compare_study(self, known: StudyIdentities) -> None:
        """Hold the series back if it takes part in a contradiction within its study that comes about here."""
        uid = self.pseudonyms.uid
        own = {outline.series_uid for outline, _ in known.outlines if uid(outline.series_uid) == self.task.series_uid}
        answer = judge_study(
            known.outlines, check=self.task.iod, connector=self.task.connector, deidentifier=self.deidentifier
        )
        self.compared = bool(own) and all([answer.check_series(raw) for raw in sorted(own)])

    def _look_for_face(self, items: list[TaskObject]) -> None:
        """A face is seen in the series as a whole: only that of a head is held in memory at once."""
        datasets: list[Dataset] = []
        for item in items:
            try:
                with guarded("faces"):
                    datasets.append(parse(self._read(item)))
            except InstanceRefusedError:
                continue  # met again, and recorded, when the object's own turn comes
            if not may_show_face(datasets[0]):
                return
        if datasets:
            with guarded("faces"):
                self.face = assess_faces(datasets, on_face=_ON_FACE[self.task.policy.faces])

    def _look_ahead(self, items: list[TaskObject]) -> None:
        """Before the first object is stored: lettering is looked for in all images, and each shape of header is held
        against its definition. One that shows some, or that would break, holds back all."""
        text, broken = SeriesText(self.deidentifier.pixels), None
        by_header = replace(self.deidentifier, look_at_pixels=False)
        for item in items:
            try:
                raw = self._read(item)
                if item.pixels is None:  # else a person looked
                    with guarded("pixels"):
                        text.add(item.inventory.object_hash, raw)
                if broken is None:
                    self.iod.look_ahead(raw, by_header, refused_anyway=partial(self._is_refused, item, raw))
            except InstanceRefusedError as refused:
                # any other is met again, and recorded, when the object's own turn comes
                broken = refused if refused.reason is Reason.IOD_INTRODUCED else broken
        if not any(item.pixels is not None and item.pixels.clean for item in items):
            text.judge()
        self.text = text
        if broken is not None:
            raise broken

    def _is_refused(self, item: TaskObject, raw: bytes) -> bool:
        """Whether the object cannot be de-identified: a document, say, whose header alone can."""
        try:
            with guarded("deidentify"):
                self.deidentifier.deidentify(raw, face=self.face, decision=item.pixels)
        except InstanceRefusedError:
            return True
        return False

    def manifest(self) -> Manifest | None:
        """The manifest of what was stored; None when nothing was."""
        if not self._stored.instances:
            return None
        return Manifest(
            source_id=self.task.key.source_id,
            PatientID=self._stored.patient,
            StudyInstanceUID=self._stored.study,
            SeriesInstanceUID=self.task.series_uid,
            policy=self.task.policy.name,
            policy_digest=self.task.policy.digest,
            code_version=CODE_VERSION,
            key_id=self.task.key.key_id,
            header=self._stored.header  # type: ignore[arg-type]
            | {"DeidentificationMethodCodes": [code for code, _ in self.task.policy.method_codes]},
            varying=tuple(sorted(self._stored.varying)),
            instances=tuple(sorted(self._stored.instances, key=lambda item: item.SOPInstanceUID)),
            face=None if self.face is None else self.face.to_json(),
            withheld=self._stored.withheld,
        )

    def _conflicts(self, objects: list[TaskObject]) -> frozenset[str]:
        """The sound objects whose UID stands for different bytes. A damaged copy is no second opinion: it is held back
        for its damage, and its sound original goes on. Only objects that share a UID are read for this."""
        shared = shared_instance_uids(item.inventory for item in objects if item.refusal is None)
        digests: dict[str, dict[str, list[TaskObject]]] = defaultdict(lambda: defaultdict(list))
        for item in objects:
            if item.refusal is None and item.inventory.sop_uid in shared:
                try:
                    digest = hashlib.sha256(self._read(item)).hexdigest()
                except InstanceRefusedError:
                    continue  # met again, and recorded, when the object's own turn comes
                digests[item.inventory.sop_uid][digest].append(item)
        conflicting: set[str] = set()
        for copies in digests.values():
            sound = [items for items in copies.values() if len(copies) == 1 or not self._is_damaged(items[0])]
            if len(sound) > 1:
                conflicting |= {item.inventory.object_hash for items in sound for item in items}
        return frozenset(conflicting)

    def _is_damaged(self, item: TaskObject) -> bool:
        by_header = replace(self.deidentifier, look_at_pixels=False)
        try:
            raw = self._read(item)
            with guarded("deidentify"):
                by_header.deidentify(raw)
        except InstanceRefusedError as refused:
            return refused.reason in DAMAGED
        return False

    def _outcome(self, item: TaskObject, conflicts: frozenset[str], held_back: Refusal | None) -> InstanceOutcome:
        known = item.inventory
        refusal = known.refusal or item.refusal or held_back
        content_hash = None
        try:
            if refusal is not None:
                return self._quarantined(item, refusal, None)
            raw = self._read(item)
            digest = hashlib.sha256(raw).digest()
            content_hash = self.pseudonyms.content(digest)
            if known.object_hash in conflicts:
                detail = "several objects of this series carry its UID with other bytes"
                raise InstanceRefusedError(Reason.SOP_INSTANCE_CONFLICT, rule="instance.uid", detail=detail)
            first = self._first.get(content_hash)
            outcome = self._equal(item, first, content_hash) if first else self._fresh(item, raw, digest, content_hash)
        except InstanceRefusedError as refused:
            refusal = Refusal(refused.reason, refused.rule, refused.detail)
            outcome = self._quarantined(item, refusal, content_hash)
        if content_hash is not None:
            self._first.setdefault(content_hash, outcome)
        return outcome

    def _read(self, item: TaskObject) -> bytes:
        if item.source is None:
            raise InstanceRefusedError(
                Reason.CHANGED_WHILE_READING, rule="source.gone", detail="no longer listed by the source"
            )
        raw = self.task.connector.read(item.source, limit=self.task.limits.max_instance_bytes)
        self.work += Work(objects_read=1, bytes_read=len(raw))
        return raw

    def _equal(self, item: TaskObject, first: InstanceOutcome, content_hash: str) -> InstanceOutcome:
        """A further object with the bytes of ``first``: a duplicate, unless ``first`` itself was refused."""
        if first.refusal is not None:
            return self._quarantined(item, first.refusal, content_hash)
        return InstanceOutcome(
            object_hash=item.inventory.object_hash,
            fingerprint=item.inventory.fingerprint,
            state=InstanceState.DUPLICATE,
            content_hash=content_hash,
            sop_uid=first.sop_uid,
        )

    def _fresh(self, item: TaskObject, raw: bytes, digest: bytes, content_hash: str) -> InstanceOutcome:
        name = item.inventory.object_hash
        screened = None if item.pixels is not None else self.text.screened(name, raw)
        with guarded("deidentify"):
            done = self.deidentifier.deidentify(raw, face=self.face, decision=item.pixels, screened=screened)
        if screened is not None:
            self.text.refuse_beside(name)
        self._same_identity(item.inventory, done.ids)
        with guarded("verify"):
            expected = expectation_of(self.task.policy, self.pseudonyms, done.ids.patient)
            findings = self.verifier.verify(raw, done.body, expected=expected)
        cleared = tags_to_clear(findings)
        if cleared:
            with guarded("deidentify"):
                done = self.deidentifier.deidentify(
                    raw, face=self.face, decision=item.pixels, cleared=cleared, screened=screened
                )
            with guarded("verify"):
                findings = self.verifier.verify(raw, done.body, expected=expected)
        if findings:
            rules = ", ".join(sorted({finding.rule for finding in findings}))
            raise InstanceRefusedError(Reason.IDENTITY_RESIDUE, rule=findings[0].rule, detail=f"failed: {rules}")
        judged = self.iod.check_object(done)
        sha256 = hashlib.sha256(done.body).hexdigest()
        sop_uid = done.new_ids.sop_instance_uid
        key = instance_key(self.task.key.source_id, self.task.series_uid, sop_uid, sha256)
        if self.task.research.create(key, done.body, content_type=DICOM_CONTENT_TYPE):
            self.work += Work(objects_written=1, bytes_written=len(done.body))
        self.work += Work(iod_judged=judged, iod_unjudged=not judged)
        self.facts.add(done.raw, sha256=digest, written=None if item.source is None else item.source.written)
        self._stored.add(
            done,
            ManifestInstance(
                SOPInstanceUID=sop_uid,
                SOPClassUID=done.new_ids.sop_class_uid,
                key=key,
                sha256=sha256,
                size=len(done.body),
                pixel_offset=done.pixel_offset,
                attributes=summarise(done.dataset, INSTANCE_KEYWORDS),
                pixels=done.pixels,
            ),
        )
        return InstanceOutcome(
            object_hash=item.inventory.object_hash,
            fingerprint=item.inventory.fingerprint,
            state=InstanceState.ACCEPTED,
            content_hash=content_hash,
            sop_uid=sop_uid,
            store_key=key,
            sha256=sha256,
            size=len(done.body),
        )

    def _same_identity(self, known: InventoryObject, ids: InstanceIds) -> None:
        """What was read must be what the inventory grouped, or it would be filed under another series or patient."""
        found = (
            self.pseudonyms.uid(ids.series_uid),
            self.pseudonyms.uid(ids.study_uid),
            self.pseudonyms.uid(ids.sop_instance_uid),
            self.pseudonyms.patient(ids.patient),
        )
        if found != (known.series_uid, known.study_uid, known.sop_uid, known.patient):
            raise InstanceRefusedError(
                Reason.CHANGED_WHILE_READING, rule="instance.identity", detail="its ids differ from the inventory's"
            )

    def _quarantined(self, item: TaskObject, refusal: Refusal, content_hash: str | None) -> InstanceOutcome:
        return InstanceOutcome(
            object_hash=item.inventory.object_hash,
            fingerprint=item.inventory.fingerprint,
            state=InstanceState.QUARANTINED,
            refusal=refusal,
            content_hash=content_hash,
            sop_uid=item.inventory.sop_uid or None,
        )
