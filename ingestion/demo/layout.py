"""How hospitals name what they deliver: nested or flat, with patients' names, without extensions, in archives."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from ingestion.demo.model import Ledger, SeriesPlan
from ingestion.demo.outbox import Place
from ingestion.demo.seeds import Seeds


class Style(StrEnum):
    """The habit of one source."""

    NESTED = "nested"  # Family_Given/day_modality/series/IM0001.dcm
    FLAT = "flat"  # all in one folder, names with the family name
    MEDIA = "media"  # DICOM/PA000000/ST000000/SE000000/IM000000 and a DICOMDIR
    BY_UID = "by_uid"  # patient id, accession number, instance UID, no extension
    ZIPPED = "zipped"  # one archive per study, named after the patient


@dataclass(slots=True)
class Layout:
    """Names the files of one source and notes the identities in the names."""

    style: Style
    seeds: Seeds
    ledger: Ledger
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def of(cls, seeds: Seeds, ledger: Ledger) -> Layout:
        return cls(seeds.pick(tuple(Style), "layout"), seeds, ledger)

    def place(self, plan: SeriesPlan, *, number: int, sop_uid: str) -> Place:
        """Where instance ``number`` of a series lies. The first patient's follow-up comes as an archive everywhere."""
        if self.style is Style.ZIPPED or plan.study.number > 1:
            return self._zipped(plan, number)
        return {
            Style.NESTED: self._nested,
            Style.FLAT: self._flat,
            Style.MEDIA: self._media,
            Style.BY_UID: self._by_uid,
        }[self.style](plan, number, sop_uid)

    def _nested(self, plan: SeriesPlan, number: int, sop_uid: str) -> Place:
        person = plan.study.person
        family, given = self._path(person.family, "family_name"), self._path(person.given, "given_name")
        folder = f"{family}_{given}/{plan.study.day:%Y%m%d}_{plan.modality}/{plan.number:03d}_{plain(plan.description)}"
        return Place(f"{folder}/IM{number:04d}.dcm")

    def _flat(self, plan: SeriesPlan, number: int, sop_uid: str) -> Place:
        person = plan.study.person
        family = self._path(person.ascii_family, "family_name")
        patient_id = self._path(person.patient_id, "patient_id")
        day = plan.study.day.strftime("%Y.%m.%d")
        return Place(f"{family.upper()}.{patient_id}.{plan.modality}.{plan.number:04d}.{number:04d}.{day}.IMA")

    def _media(self, plan: SeriesPlan, number: int, sop_uid: str) -> Place:
        patient = self._count("PA", plan.study.person.patient_id)
        study = self._count("ST", plan.study.uid)
        series = self._count("SE", plan.uid)
        return Place(f"DICOM/PA{patient:06d}/ST{study:06d}/SE{series:06d}/IM{number:06d}")

    def _by_uid(self, plan: SeriesPlan, number: int, sop_uid: str) -> Place:
        patient_id = self._path(plan.study.person.patient_id, "patient_id")
        accession = self._path(plan.study.accession, "accession")
        return Place(f"export/{patient_id}/{accession}/{sop_uid}")

    def _zipped(self, plan: SeriesPlan, number: int) -> Place:
        family = self._path(plan.study.person.ascii_family, "family_name")
        archive = f"{family}_{plan.study.day:%Y%m%d}.zip"
        return Place(f"{plan.modality}/{plan.number:03d}/{number:05d}.dcm", archive)

    def _path(self, text: str, kind: str) -> str:
        return self.ledger.plant(text, kind, "path")

    def _count(self, prefix: str, name: str) -> int:
        taken = sum(1 for known, _ in self._numbers if known == prefix)
        return self._numbers.setdefault((prefix, name), taken)


def plain(text: str) -> str:
    """``text`` as a part of a path: anything that a file system may mind becomes an underscore."""
    return re.sub(r"[^\w.+-]+", "_", text)
