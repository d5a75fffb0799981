"""The images of one source: series by series, placed as the source's habit is, with their expected ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from pydicom.dataset import Dataset

from ingestion.accounting.states import Reason
from ingestion.demo.annotations import make_segmentation, make_structure_set
from ingestion.demo.answer_key import Expected, ObjectKind
from ingestion.demo.captures import LETTERING, burned_lines, make_capture, make_document, make_ultrasound
from ingestion.demo.encode import encode, pick_syntax
from ingestion.demo.headers import series_base
from ingestion.demo.layout import Layout
from ingestion.demo.model import SHORTEST_PLANTED, Ledger, Series, SeriesPlan, put
from ingestion.demo.outbox import ACCEPTED, End, Item, Outbox
from ingestion.demo.plan import Patient, SourcePlan
from ingestion.demo.projections import make_mammogram, make_planar, make_radiograph
from ingestion.demo.reports import make_report, make_video
from ingestion.demo.volumes import make_volume

VOLUMES = frozenset({"CT", "T1", "T2", "DWI", "DCE", "PT"})
BURNED_IN = End.quarantined(Reason.BURNED_IN_ANNOTATION)
DOCUMENT = End.quarantined(Reason.UNCLEANABLE_CONTENT)
ENDS: dict[str, End] = {
    **{kind: End(Expected.CLEANED, (Reason.BURNED_IN_ANNOTATION,), rows) for kind, rows in LETTERING.items()},
    "ES": BURNED_IN, "DOC": DOCUMENT,
}  # fmt: skip
"""Kinds of series that are cleaned, or held back whole."""
KIND_OF = {"SEG": ObjectKind.SEG, "RTSTRUCT": ObjectKind.RTSTRUCT}
EXTRAS: tuple[tuple[str, int], ...] = (("DOC", 81), ("SR", 82), ("ES", 83))
"""(kind, series number) of what every third source brings besides."""


class Fault(StrEnum):
    """What is wrong with all images of a source that the quality rules must stop."""

    IMPOSSIBLE_AGES = "impossible_ages"
    NO_BODY_PART = "no_body_part"


@dataclass(slots=True)
class Delivery:
    """One source while its images are made."""

    plan: SourcePlan
    layout: Layout
    ledger: Ledger
    outbox: Outbox
    fault: Fault | None = None

    def add_images(self) -> None:
        """All patients: their first study in full, of a follow-up the first series only."""
        for patient in self.plan.patients:
            for study in patient.studies:
                kinds = self.plan.kinds if study.number == 1 else self.plan.kinds[:1]
                for number, (modality, kind) in enumerate(kinds, start=1):
                    plan = self.plan.series(patient, study, modality, kind, number)
                    made = self.make(plan)
                    self.place(made)
                    if study.number == 1:
                        for drawn in self._drawings(patient, made):
                            self.place(drawn)
        self._add_extras()

    def make(self, plan: SeriesPlan) -> Series:
        """The series of a plan, in the transfer syntax that its scanner writes."""
        base = series_base(plan, self.plan.seeds, self.ledger)
        spoil(base, self.fault)
        made = self._of_kind(plan, base)
        if made.syntax == Series(plan, []).syntax:
            made = replace(made, syntax=pick_syntax(self.plan.seeds, modality=plan.modality, uid=plan.uid))
        return made

    def place(self, series: Series) -> list[Item]:
        """Write a series into the delivery."""
        end = ENDS.get(series.plan.kind, ACCEPTED)
        kind = KIND_OF.get(series.plan.kind, ObjectKind.IMAGE)
        items = []
        for number, dataset in enumerate(series.instances, start=1):
            place = self.layout.place(series.plan, number=number, sop_uid=dataset.SOPInstanceUID)
            body = encode(dataset, series.plan.station, syntax=series.syntax)
            items.append(self.outbox.add(Item(place, body, kind, end, series_uid=series.plan.uid)))
        if series.plan.kind in ("US", "OT"):
            for line in burned_lines(series.plan):
                if len(line) >= SHORTEST_PLANTED:
                    self.ledger.plant(line, "burned_in", f"pixels of series {series.plan.number}")
        return items

    def _of_kind(self, plan: SeriesPlan, base: Dataset) -> Series:
        seeds = self.plan.seeds
        if plan.kind in VOLUMES:
            return make_volume(plan, base, seeds)
        if plan.kind == "MG":
            return make_mammogram(plan, base, seeds)
        if plan.kind in ("CR", "DX"):
            return make_radiograph(plan, base, seeds)
        if plan.kind == "SR":
            return make_report(plan, base, seeds, self.ledger)
        makers = {
            "NM": make_planar, "US": make_ultrasound, "OT": make_capture, "DOC": make_document, "ES": make_video,
        }  # fmt: skip
        return makers[plan.kind](plan, base, seeds)

    def _drawings(self, patient: Patient, made: Series) -> Iterator[Series]:
        """A segmentation of every patient's first volume, a structure set of every other patient's CT."""
        index = self.plan.patients.index(patient)
        volumes = [kind for _, kind in self.plan.kinds if kind in ("CT", "T1", "T2", "PT")]
        seeds = self.plan.seeds
        drawn = []
        if volumes and made.plan.kind == volumes[0]:
            drawn.append(make_segmentation(made, segments=1 + index % 2, seeds=seeds, ledger=self.ledger))
        if made.plan.kind == "CT" and index % 2 == 0:
            drawn.append(make_structure_set(made, seeds=seeds, ledger=self.ledger))
        for series in drawn:
            for dataset in series.instances:
                spoil(dataset, self.fault)
            yield series

    def _add_extras(self) -> None:
        """A screenshot in every source; a letter, a report and a film in every third."""
        patient = self.plan.patients[0]
        wanted = [("OT", 80)]
        chance = self.plan.seeds.number("extras") % 3
        wanted += [extra for number, extra in enumerate(EXTRAS) if number == chance]
        for kind, number in wanted:
            self.place(self.make(self.plan.series(patient, patient.studies[0], kind, kind, number)))


def spoil(dataset: Dataset, fault: Fault | None) -> None:
    """Make the header wrong in the way of ``fault``, in place."""
    if fault is Fault.IMPOSSIBLE_AGES:
        put(dataset, PatientAge="965Y")
    elif fault is Fault.NO_BODY_PART and "BodyPartExamined" in dataset:
        del dataset.BodyPartExamined
