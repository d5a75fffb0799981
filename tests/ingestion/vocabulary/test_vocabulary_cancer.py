from ingestion.settings import REGISTRY_FILE
from ingestion.sources.registry import load_registry
from ingestion.vocabulary.body_part import body_parts
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.terms import Scheme


def test_nine_cancers_have_distinct_codes_in_both_schemes() -> None:
    assert len(CancerType) == 9
    assert len({cancer.code.value for cancer in CancerType}) == 9
    assert len({cancer.eucaim_code.value for cancer in CancerType}) == 9
    for cancer in CancerType:
        assert cancer.code.scheme is Scheme.SNOMED_CT
        assert cancer.code.value.isdecimal()
        assert _verhoeff(cancer.code.value), f"{cancer}: not a SNOMED CT identifier"


def test_body_parts_of_cancers_are_known_labels() -> None:
    for cancer in CancerType:
        assert cancer.body_parts
        assert set(cancer.body_parts) <= body_parts().keys()


def test_body_part_codes_are_snomed_ct_identifiers() -> None:
    for part in body_parts().values():
        assert _verhoeff(part.code.value), part.label


def test_uri_names_the_concept() -> None:
    assert CancerType.PROSTATE.code.uri == "http://snomed.info/id/399068003"
    assert CancerType.PROSTATE.eucaim_code.uri == "https://cancerimage.eu/ontology/EUCAIM#CLIN1000075"


def test_registry_loads_with_the_vocabulary() -> None:
    registry = load_registry(REGISTRY_FILE)
    assert len(registry.sources) == 36
    assert {entry.cancer_type for entry in registry.sources} == set(CancerType)


def _verhoeff(identifier: str) -> bool:
    """Whether the check digit of a SNOMED CT identifier is right (dihedral group D5)."""
    turn = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)

    def times(a: int, b: int) -> int:
        if a < 5:
            return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
        return 5 + (a - b) % 5 if b < 5 else (a - b) % 5

    total = 0
    for place, digit in enumerate(reversed(identifier)):
        turned = int(digit)
        for _ in range(place % 8):
            turned = turn[turned]
        total = times(total, turned)
    return total == 0
