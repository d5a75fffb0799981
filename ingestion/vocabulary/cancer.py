"""The nine cancers of the platform, with their codes.

SNOMED CT concepts are disorders of the International Edition; EUCAIM's codes are those its hyper-ontology gives the
same nine (class ``CLIN…``), so that a collection's condition can be named in both.
"""

from __future__ import annotations

from enum import StrEnum

from ingestion.vocabulary.terms import CodedTerm, Scheme


class CancerType(StrEnum):
    """The cancer that a source is about."""

    BREAST = "breast"
    COLON = "colon"
    LUNG = "lung"
    PROSTATE = "prostate"
    RECTUM = "rectum"
    LIVER = "liver"
    GLIOMA = "glioma"
    NEUROBLASTOMA = "neuroblastoma"
    GLIOBLASTOMA = "glioblastoma"

    @property
    def code(self) -> CodedTerm:
        """The SNOMED CT disorder."""
        value, meaning = _SNOMED_CT[self]
        return CodedTerm(Scheme.SNOMED_CT, value, meaning)

    @property
    def eucaim_code(self) -> CodedTerm:
        """The class of EUCAIM's hyper-ontology."""
        return CodedTerm(Scheme.EUCAIM, _EUCAIM[self], self.code.meaning)

    @property
    def body_parts(self) -> tuple[str, ...]:
        """Normalised body parts (``ingestion.vocabulary.body_part``) that images of this cancer plausibly show.

        Wide on purpose: staging looks for metastases far from the primary tumour.
        """
        return _BODY_PARTS[self]

    @property
    def organ(self) -> str:
        """The normalised body part that it mostly begins in: what can be said of a source without looking at it."""
        return _BODY_PARTS[self][0]


_SNOMED_CT = {
    CancerType.BREAST: ("254837009", "Malignant neoplasm of breast"),
    CancerType.COLON: ("363406005", "Malignant neoplasm of colon"),
    CancerType.LUNG: ("363358000", "Malignant neoplasm of lung"),
    CancerType.PROSTATE: ("399068003", "Malignant neoplasm of prostate"),
    CancerType.RECTUM: ("363351006", "Malignant neoplasm of rectum"),
    CancerType.LIVER: ("93870000", "Malignant neoplasm of liver"),
    CancerType.GLIOMA: ("393564001", "Glioma"),
    CancerType.NEUROBLASTOMA: ("432328008", "Neuroblastoma"),
    CancerType.GLIOBLASTOMA: ("393563007", "Glioblastoma"),
}
_EUCAIM = {
    CancerType.BREAST: "CLIN1000060",
    CancerType.COLON: "CLIN1000057",
    CancerType.LUNG: "CLIN1000065",
    CancerType.PROSTATE: "CLIN1000075",
    CancerType.RECTUM: "CLIN1000077",
    CancerType.LIVER: "CLIN1000071",
    CancerType.GLIOMA: "CLIN1007995",
    CancerType.NEUROBLASTOMA: "CLIN1000066",
    CancerType.GLIOBLASTOMA: "CLIN1000067",
}
_TRUNK = ("Chest, Abdomen and Pelvis", "Chest and Abdomen", "Abdomen and Pelvis", "Chest", "Abdomen", "Pelvis")
_EVERYWHERE = ("Whole body", "Spine", "Bone")
_BODY_PARTS = {
    CancerType.BREAST: ("Breast", "Axilla", "Liver", "Brain", "Head", *_TRUNK, *_EVERYWHERE),
    CancerType.COLON: ("Colon", "Rectum", "Liver", "Large intestine", *_TRUNK, *_EVERYWHERE),
    CancerType.LUNG: ("Lung", "Mediastinum", "Brain", "Head", "Liver", *_TRUNK, *_EVERYWHERE),
    CancerType.PROSTATE: ("Prostate", "Bladder", *_TRUNK, *_EVERYWHERE),
    CancerType.RECTUM: ("Rectum", "Colon", "Liver", "Large intestine", *_TRUNK, *_EVERYWHERE),
    CancerType.LIVER: ("Liver", *_TRUNK, *_EVERYWHERE),
    CancerType.GLIOMA: ("Brain", "Head", "Head and Neck", "Spine", "Brain stem"),
    CancerType.NEUROBLASTOMA: (
        "Adrenal gland", "Kidney", "Neck", "Head", "Brain", "Retroperitoneum", "Liver", *_TRUNK, *_EVERYWHERE,
    ),
    CancerType.GLIOBLASTOMA: ("Brain", "Head", "Head and Neck", "Spine", "Brain stem"),
}  # fmt: skip
