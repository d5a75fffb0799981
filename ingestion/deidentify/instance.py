"""One instance: raw bytes in, de-identified bytes out, or a refusal with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.deidentify.cleared import ClearedRules
from ingestion.deidentify.declaration import Declaration, MethodCode
from ingestion.deidentify.defacing import SeriesFace
from ingestion.deidentify.identity_scan import IdentityScan, Text, collect_identities
from ingestion.deidentify.pixel_work import PixelWorker
from ingestion.deidentify.pixels import PixelDecision
from ingestion.deidentify.pixels.screening import Screened
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.profile import EDITION, Option
from ingestion.deidentify.rulebook import compile_policy
from ingestion.deidentify.rules import RuleBook, Treatment
from ingestion.deidentify.series_facts import RawFacts, raw_facts
from ingestion.deidentify.structured import (
    ContentRules,
    Structure,
    clean_structure,
    identities_in_content,
    structure_of,
)
from ingestion.deidentify.study import RawObject, Rewritten, StudyRewriter, open_object, shared_runs
from ingestion.deidentify.text import IdentityCollector, StudyCleaner
from ingestion.dicom.elements import Buffer
from ingestion.dicom.header import Header, ValueMemo, read_header
from ingestion.dicom.nested import nested_values
from ingestion.dicom.reading import InstanceIds
from ingestion.dicom.runs import SharedRuns
from ingestion.dicom.summary import INSTANCE_KEYWORDS, SERIES_KEYWORDS, summarise
from ingestion.dicom.trailing import told_apart
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

SUMMARY_KEYWORDS = tuple(dict.fromkeys((*SERIES_KEYWORDS, *INSTANCE_KEYWORDS)))
_Key = tuple[PatientIdentity, frozenset[Text], frozenset[int]]
MAX_REWRITERS = 32
"""Sets of identities whose rewriters are kept: the instances of a series share one."""


@dataclass(frozen=True)
class DeidentifiedInstance:
    """``rewritten``: the result as byte ranges. ``pixels``: evidence for the manifest, None where none was due."""

    rewritten: Rewritten = field(repr=False)
    pixels: dict[str, Any] | None
    values: ValueMemo = field(repr=False)
    raw: RawFacts = field(repr=False)
    raw_header: Header = field(repr=False)

    @property
    def ids(self) -> InstanceIds:
        """The raw identifiers."""
        return self.rewritten.ids

    @property
    def new_ids(self) -> InstanceIds:
        """Those of the result."""
        return self.rewritten.new_ids

    @property
    def pixel_offset(self) -> int | None:
        """Where the pixels start in the result."""
        return self.rewritten.pixel_offset

    @property
    def treated(self) -> Mapping[Treatment, int]:
        """How many elements had which treatment."""
        return self.rewritten.treated

    @cached_property
    def body(self) -> bytes:
        """The result in one piece."""
        return self.rewritten.body()

    @cached_property
    def dataset(self) -> Dataset:
        """The attributes that a manifest tells, of the result, decoded from its header; no pixels."""
        return _told(read_header(self.rewritten.header, 0, self.rewritten.encoding), self.values)

    @property
    def withheld(self) -> tuple[str, ...]:
        """Keywords of a manifest's header that had a value as delivered and have none in the result."""
        raw = summarise(_told(self.raw_header, ValueMemo()), SERIES_KEYWORDS)
        return tuple(sorted(raw.keys() - summarise(self.dataset, SERIES_KEYWORDS).keys()))


def _told(header: Header, memo: ValueMemo) -> Dataset:
    """The attributes that a manifest tells."""
    dataset = header.dataset(SUMMARY_KEYWORDS, memo=memo)
    for element in nested_values(header):
        if element.tag not in dataset:
            dataset.add(element)
    return dataset


@dataclass(slots=True)
class InstanceDeidentifier:
    """De-identifies the instances of a source under one policy; quick where they are alike, as those of a series are.

    ``known``: the identifying texts of all headers of the study. An instance that names someone beyond them is judged
    by them and its own, so that its result depends on nothing that came before it.
    """

    policy: Policy
    pseudonyms: Pseudonyms
    known: frozenset[Text] = field(default=frozenset(), repr=False)
    shared: SharedRuns | None = field(default_factory=shared_runs, repr=False)
    """What the headers so far have in common. None walks over each element by element: the same results, slower."""
    look_at_pixels: bool = True
    """False leaves the pixels to the caller: only to measure what the header alone costs."""
    _scan: IdentityScan = field(default_factory=lambda: IdentityScan(IdentityCollector.wants), repr=False)
    _pixels: PixelWorker = field(init=False, repr=False)
    _declaration: Declaration = field(init=False, repr=False)
    _rewriters: dict[tuple[PatientIdentity, frozenset[Text], frozenset[int]], StudyRewriter] = field(
        default_factory=dict, repr=False
    )
    _values: ValueMemo = field(default_factory=ValueMemo, repr=False)

    def __post_init__(self) -> None:
        self._pixels = PixelWorker(self.policy)
        self._declaration = declaration_of(self.policy)

    @property
    def pixels(self) -> PixelWorker:
        """What looks at the pixels."""
        return self._pixels

    def texts(self, opened: RawObject) -> frozenset[Text]:
        """What in this header says who someone is."""
        found = self._scan.texts(opened.buffer, opened.start, opened.encoding, opened.runs)
        return found | identities_in_content(opened)

    def deidentify(
        self,
        raw: Buffer,
        *,
        face: SeriesFace | None = None,
        decision: PixelDecision | None = None,
        cleared: frozenset[int] = frozenset(),
        screened: Screened | None = None,
    ) -> DeidentifiedInstance:
        """PS3.15 annex E for one instance. ``face``: of its series. ``decision``: a person's, about its pixels.
        ``cleared``: elements to empty besides, at a second try. ``screened``: what was seen of its pixels already.

        Raises:
            InstanceRefusedError: unreadable, unsupported, or of a kind whose identities cannot be removed with
                certainty.
        """
        try:
            return self._deidentified(raw, face=face, decision=decision, cleared=cleared, screened=screened)
        except InstanceRefusedError as refused:
            raise told_apart(refused, raw) from None

    def _deidentified(
        self,
        raw: Buffer,
        *,
        face: SeriesFace | None,
        decision: PixelDecision | None,
        cleared: frozenset[int],
        screened: Screened | None,
    ) -> DeidentifiedInstance:
        opened = open_object(raw, self.shared)
        rewriter = self._rewriter(opened.ids.patient, self.texts(opened), cleared)
        facts = raw_facts(opened.header, opened.ids)
        structure = structure_of(opened.ids.sop_class_uid, self.policy.options)
        if structure is not None:
            ready = clean_structure(
                opened,
                structure,
                book=rewriter.book_of(opened),
                cleaner=rewriter.cleaner,
                pseudonyms=self.pseudonyms,
            )
            return DeidentifiedInstance(rewriter.rewrite(ready), None, self._values, facts, opened.header)
        if not self.look_at_pixels:
            return DeidentifiedInstance(rewriter.rewrite(opened), None, self._values, facts, opened.header)
        pixels = self._pixels.run(opened, face=face, decision=decision, screened=screened)
        said = self._declaration
        if pixels.codes or pixels.states:
            said = said.with_pixels(pixels.codes, pixels.states)
        rewritten = rewriter.rewrite(pixels.opened, declaration=said)
        return DeidentifiedInstance(rewritten, pixels.to_json(), self._values, facts, opened.header)

    def _rewriter(self, patient: PatientIdentity, texts: frozenset[Text], cleared: frozenset[int]) -> StudyRewriter:
        key = (patient, texts - self.known, cleared)
        found = self._rewriters.get(key)
        if found is None:
            if len(self._rewriters) >= MAX_REWRITERS:
                self._rewriters.clear()
            found = self._rewriters[key] = self._new_rewriter(patient, self.known | texts, cleared)
        return found

    def _new_rewriter(self, patient: PatientIdentity, texts: frozenset[Text], cleared: frozenset[int]) -> StudyRewriter:
        collector = IdentityCollector()
        collect_identities(texts, collector)
        cleaner = StudyCleaner(
            collector.freeze(),
            shift_days=shift_of(self.policy, self.pseudonyms, patient),
            dates_in_text=self.policy.dates_in_text.value,
        )
        return StudyRewriter(
            rulebook_for=self._book if not cleared else lambda *kind: ClearedRules(self._book(*kind), cleared),
            pseudonyms=self.pseudonyms,
            patient=patient,
            cleaner=cleaner,
            declaration=self._declaration,
        )

    def _book(self, sop_class_uid: str, modality: str, manufacturer: str) -> RuleBook:
        book = compile_policy(self.policy, sop_class_uid=sop_class_uid, modality=modality, manufacturer=manufacturer)
        report = structure_of(sop_class_uid, self.policy.options) is Structure.REPORT
        return ContentRules(book) if report else book


def shift_of(policy: Policy, pseudonyms: Pseudonyms, patient: PatientIdentity) -> int | None:
    """The days by which dates of ``patient`` move; None where the policy removes dates."""
    if Option.RETAIN_FULL_DATES in policy.options:
        return 0
    return pseudonyms.shift_days(patient) if Option.RETAIN_MODIFIED_DATES in policy.options else None


def declaration_of(policy: Policy) -> Declaration:
    """What a result says of its de-identification under ``policy`` (PS3.15 section E.1.1, PS3.16 CID 7050)."""
    longitudinal = "REMOVED"
    if Option.RETAIN_FULL_DATES in policy.options:
        longitudinal = "UNMODIFIED"
    elif Option.RETAIN_MODIFIED_DATES in policy.options:
        longitudinal = "MODIFIED"
    return Declaration(
        methods=(f"PS3.15 {EDITION} Annex E", f"{policy.name} {policy.digest[:12]}"),
        codes=tuple(MethodCode(*code) for code in policy.method_codes),
        longitudinal=longitudinal,
    )


def deidentify_instance(raw: Buffer, *, policy: Policy, pseudonyms: Pseudonyms) -> DeidentifiedInstance:
    """One instance alone; for several, an ``InstanceDeidentifier`` is quicker and gives the same results.

    Raises:
        InstanceRefusedError: as ``InstanceDeidentifier.deidentify``.
    """
    return InstanceDeidentifier(policy, pseudonyms).deidentify(raw)
