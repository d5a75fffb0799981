"""One instance: raw bytes in, de-identified bytes out, or a refusal with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pydicom.dataset import Dataset

from ingestion.deidentify.identity_scan import IdentityScan, Text, collect_identities
from ingestion.deidentify.pixels import refuse_what_may_show_identities
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.rules import Treatment
from ingestion.deidentify.study import RawObject, Rewritten, StudyRewriter, open_object
from ingestion.deidentify.today import TableRules, WordCleaner, WordCollector, declaration_of, names_people
from ingestion.dicom.elements import Buffer
from ingestion.dicom.header import ValueMemo, read_header
from ingestion.dicom.reading import InstanceIds
from ingestion.dicom.summary import INSTANCE_KEYWORDS, SERIES_KEYWORDS
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

SUMMARY_KEYWORDS = tuple(dict.fromkeys((*SERIES_KEYWORDS, *INSTANCE_KEYWORDS)))
REFUSAL_KEYWORDS = ("BurnedInAnnotation", "ImageType", "ConversionType", "PhotometricInterpretation", "Modality")
"""What the decision to refuse an object for its pixels looks at."""
MAX_REWRITERS = 32
"""Sets of identities whose rewriters are kept: the instances of a series share one, or a few."""
MAX_JUDGED = 1024


@dataclass(frozen=True)
class DeidentifiedInstance:
    """``rewritten``: the result as byte ranges. ``identities``: the words of the raw header that name someone."""

    rewritten: Rewritten = field(repr=False)
    identities: frozenset[str] = field(repr=False)
    values: ValueMemo = field(repr=False)

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
        """The attributes that a manifest tells, of the result, decoded from its header; no pixels, no sequences."""
        header = read_header(self.rewritten.header, 0, self.rewritten.encoding)
        return header.dataset(SUMMARY_KEYWORDS, memo=self.values)


@dataclass(slots=True)
class InstanceDeidentifier:
    """De-identifies the instances of a source under one policy; quick where they are alike, as those of a series are.

    Each instance is judged by the identities in its own header and by ``known``, so that its result depends on
    nothing that came before it. ``known``: what the caller knows of the whole study.
    """

    policy: Policy
    pseudonyms: Pseudonyms
    known: frozenset[str] = field(default=frozenset(), repr=False)
    _scan: IdentityScan = field(default_factory=lambda: IdentityScan(names_people), repr=False)
    _rules: TableRules = field(init=False, repr=False)
    _rewriters: dict[tuple[PatientIdentity, frozenset[Text]], tuple[StudyRewriter, frozenset[str]]] = field(
        default_factory=dict, repr=False
    )
    _judged: set[tuple[object, ...]] = field(default_factory=set, repr=False)
    _values: ValueMemo = field(default_factory=ValueMemo, repr=False)

    def __post_init__(self) -> None:
        self._rules = TableRules(self.policy)

    def deidentify(self, raw: Buffer) -> DeidentifiedInstance:
        """PS3.15 annex E for one instance.

        Raises:
            InstanceRefusedError: unreadable, unsupported, or of a kind whose identities cannot be removed with
                certainty.
        """
        opened = open_object(raw)
        self._refuse(opened)
        texts = self._scan.texts(opened.buffer, opened.start, opened.encoding)
        rewriter, identities = self._rewriter(opened.ids.patient, texts)
        return DeidentifiedInstance(rewriter.rewrite(opened), identities, self._values)

    def _refuse(self, opened: RawObject) -> None:
        header = opened.header
        said = tuple(header.element(tag) for tag in _REFUSAL_TAGS)
        key = (opened.ids.sop_class_uid, header.encoding, header.charset, said)
        if key in self._judged:
            return
        asked = header.dataset(REFUSAL_KEYWORDS, memo=ValueMemo())
        refuse_what_may_show_identities(asked, opened.ids.sop_class_uid)
        if len(self._judged) >= MAX_JUDGED:
            self._judged.clear()
        self._judged.add(key)

    def _rewriter(self, patient: PatientIdentity, texts: frozenset[Text]) -> tuple[StudyRewriter, frozenset[str]]:
        key = (patient, texts)
        if key not in self._rewriters:
            if len(self._rewriters) >= MAX_REWRITERS:
                self._rewriters.clear()
            collector = WordCollector(set(self.known))
            collect_identities(texts, collector)
            identities = collector.freeze()
            rewriter = StudyRewriter(
                rulebook_for=lambda _sop_class, _modality, _manufacturer: self._rules,
                pseudonyms=self.pseudonyms,
                patient=patient,
                cleaner=WordCleaner(self.policy.words, identities),
                declaration=declaration_of(self.policy),
            )
            self._rewriters[key] = rewriter, identities
        return self._rewriters[key]


_REFUSAL_TAGS = (0x00280301, 0x00080008, 0x00080064, 0x00280004, 0x00080060)
"""The tags of ``REFUSAL_KEYWORDS``."""


def deidentify_instance(raw: Buffer, *, policy: Policy, pseudonyms: Pseudonyms) -> DeidentifiedInstance:
    """One instance alone; for several, an ``InstanceDeidentifier`` is quicker and gives the same results.

    Raises:
        InstanceRefusedError: as ``InstanceDeidentifier.deidentify``.
    """
    return InstanceDeidentifier(policy, pseudonyms).deidentify(raw)
