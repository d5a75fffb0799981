"""What a source delivers before a pixel is made: its patients, their studies, the series of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta

from ingestion.demo.headers import fit
from ingestion.demo.model import Hospital, SeriesPlan, Study
from ingestion.demo.people import CULTURES, Person, make_person
from ingestion.demo.seeds import Seeds
from ingestion.demo.vendors import UID_ROOTS, make_station

FIRST_DAY = date(2019, 3, 1)
LAST_FIRST_DAY = 1700
"""Days after ``FIRST_DAY`` of the latest first study: with the follow-up all lie before July 2024."""
OBJECTS_WANTED = 34
"""Images of a source at scale 1, without dirt: 36 sources then hold about 2,000 objects."""
FEWEST_PATIENTS, MOST_PATIENTS = 2, 8

BODY_PARTS: dict[str, tuple[str, ...]] = {
    "prostate": ("PROSTATE", "PELVIS"), "rectum": ("PELVIS", "RECTUM"), "lung": ("CHEST", "THORAX", "LUNG"),
    "breast": ("BREAST",), "colon": ("ABDOMEN", "COLON"), "liver": ("ABDOMEN", "LIVER"),
    "neuroblastoma": ("ABDOMEN",), "glioma": ("BRAIN", "HEAD"), "glioblastoma": ("BRAIN", "HEAD"),
}  # fmt: skip
MR_KINDS: dict[str, tuple[str, ...]] = {
    "prostate": ("T2", "DWI"), "rectum": ("T2", "DWI"), "breast": ("T2", "DCE"), "liver": ("T2", "DWI"),
    "glioma": ("T1", "T2"), "glioblastoma": ("T1", "T2"),
}  # fmt: skip
DESCRIPTIONS: dict[str, tuple[str, ...]] = {
    "CT": ("Abd/Thx venous 5.0", "CT 5mm soft", "Helical contrast"), "T1": ("t1_se_tra", "Ax T1", "T1W_SE"),
    "T2": ("t2_tse_tra", "Ax T2 FSE", "T2W_TSE"), "DWI": ("ep2d_diff_b0_800", "Ax DWI", "DWI 2b"),
    "DCE": ("dyn_3d_vibe", "Ax LAVA dyn", "THRIVE dyn"), "PT": ("PET WB AC", "WB FDG corrected"),
    "MG": ("Screening 4 views", "Mammo bilateral"), "CR": ("PA and lateral",), "DX": ("PA and lateral",),
    "NM": ("MIBG whole body",), "US": ("B-mode", "Liver sweep"), "OT": ("Dose report",), "DOC": ("Referral",),
    "SR": ("Findings",), "ES": ("Endoscopy",),
}  # fmt: skip
SIZES = {"CT": 96, "PT": 64, "MR": 80, "MG": 128, "CR": 128, "DX": 128, "NM": 64}
SLICES = {"CT": 7, "PT": 6, "T1": 6, "T2": 6, "DWI": 3, "DCE": 3}
IMAGES = {"CT": 8, "PT": 7, "T1": 7, "T2": 7, "DWI": 6, "DCE": 9, "MG": 4, "CR": 2, "DX": 2, "NM": 1, "US": 3}
"""Objects of one series of a kind, with its segmentation: for counting only."""
DIRT_MODALITIES = ("MR", "CT", "MG", "PT")


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient with the studies to make."""

    person: Person
    studies: tuple[Study, ...]


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """Everything that is decided before anything is drawn."""

    source_id: str
    cancer: str
    modalities: tuple[str, ...]
    hospitals: tuple[Hospital, ...]
    patients: tuple[Patient, ...]
    seeds: Seeds

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """(modality, kind) of the series of a first study."""
        return tuple(kinds_of(self.modalities, self.cancer))

    @property
    def dirt_kind(self) -> tuple[str, str]:
        """(modality, kind) of the series that carry dirt: slices where the source has them."""
        for modality in DIRT_MODALITIES:
            if modality in self.modalities:
                return modality, "T1" if modality == "MR" else modality
        return "CT", "CT"

    def hospital(self, patient: Patient) -> Hospital:
        """The patient's hospital, in letters that the patient's files can write."""
        found = self.hospitals[self.patients.index(patient) % len(self.hospitals)]
        return replace(found, **{part.name: fit(getattr(found, part.name), patient.person) for part in fields(found)})

    def series(self, patient: Patient, study: Study, modality: str, kind: str, number: int) -> SeriesPlan:
        """The plan of one series; UIDs follow from the study and the number."""
        seeds = self.seeds
        station = make_station(seeds, modality, self.patients.index(patient) % 2)
        description = seeds.pick(DESCRIPTIONS[kind], "description", study.uid, number)
        if seeds.between(0, 3, "named", study.uid, number) == 0:
            description = f"{description} {patient.person.plain_text_family}"[:64]
        return SeriesPlan(
            study=study,
            station=station,
            hospital=self.hospital(patient),
            modality=modality,
            kind=kind,
            number=number,
            uid=seeds.uid(station.uid_root, "series", study.uid, number),
            frame_of_reference=seeds.uid(station.uid_root, "frame of reference", study.uid, modality),
            description=description,
            body_part="BREAST" if modality == "MG" else seeds.pick(BODY_PARTS[self.cancer], "part", modality),
            cancer=self.cancer,
            size=SIZES.get(modality, 64),
            slices=SLICES.get(kind, 1),
        )

    def dirty(self, number: int, *, name: str, patient: int = 0, images: int = 3) -> SeriesPlan:
        """A small series for dirt, in the last study of a patient; numbers from 900 keep clear of the others."""
        chosen = self.patients[patient % len(self.patients)]
        plan = self.series(chosen, chosen.studies[-1], *self.dirt_kind, number)
        small = plan if plan.modality == "MG" else replace(plan, size=48, slices=images)
        return replace(small, uid=self.seeds.uid(plan.station.uid_root, "series", name, plan.study.uid))


def plan_source(
    source_id: str, cancer: str, modalities: tuple[str, ...], countries: tuple[str, ...], *, seeds: Seeds, scale: float
) -> SourcePlan:
    """Patients and studies of a source; unknown countries are written as Spanish ones, unknown cancers as liver."""
    known = tuple(country for country in countries if country in CULTURES) or ("ES",)
    if cancer not in BODY_PARTS:
        cancer = "liver"
    load = sum(IMAGES.get(kind, 1) for _, kind in kinds_of(modalities, cancer))
    count = min(MOST_PATIENTS, max(FEWEST_PATIENTS, round(OBJECTS_WANTED / max(load, 1))))
    count = max(FEWEST_PATIENTS, round(count * scale))
    patients = tuple(_patient(index, known, cancer, modalities, seeds) for index in range(count))
    hospitals = tuple(_hospital(country, seeds) for country in known)
    return SourcePlan(source_id, cancer, modalities, hospitals, patients, seeds)


def kinds_of(modalities: tuple[str, ...], cancer: str) -> Iterator[tuple[str, str]]:
    """(modality, kind) of each series of a study with these modalities."""
    for modality in modalities:
        if modality == "MR":
            for kind in MR_KINDS.get(cancer, ("T2",)):
                yield modality, kind
        elif modality in DESCRIPTIONS:
            yield modality, modality


def _patient(index: int, countries: tuple[str, ...], cancer: str, modalities: tuple[str, ...], seeds: Seeds) -> Patient:
    visiting = (None, "JP", None, "CN")[seeds.number("visitor") % 4] if index == 1 else None
    country = countries[index % len(countries)]
    person = make_person(seeds, index=index, country=country, cancer=cancer, visiting=visiting)
    first = FIRST_DAY + timedelta(days=seeds.between(0, LAST_FIRST_DAY, "first day", index))
    days = [first]
    if index % 3 == 0:
        days.append(first + timedelta(days=seeds.between(35, 200, "interval", index)))
    root = UID_ROOTS[make_station(seeds, modalities[0] if modalities else "CT", index % 2).vendor]
    studies = tuple(
        Study(
            person=person,
            uid=seeds.uid(root, "study", index, number),
            day=day,
            time=f"{seeds.between(9, 17, 'hour', index, number):02d}{seeds.between(10, 59, 'minute', index, number)}00",
            accession=f"AC{seeds.digits(10, 'accession', index, number)}",
            study_id=f"ST{seeds.digits(8, 'study id', index, number)}",
            number=number,
        )
        for number, day in enumerate(days, start=1)
    )
    return Patient(person, studies)


def _hospital(country: str, seeds: Seeds) -> Hospital:
    culture = CULTURES[country]
    return Hospital(
        name=seeds.pick(culture.hospitals, "hospital", country),
        address=f"{culture.street} {seeds.between(200, 899, 'hospital', country)}",
        department="Radiology",
        referring=f"{culture.physicians[0]}^{seeds.pick(culture.women, 'doctor', country)[1]}",
        performing=culture.physicians[1],
        operator=f"{culture.physicians[1]}^{seeds.pick(culture.men, 'operator', country)[1]}",
    )
