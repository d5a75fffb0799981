"""Texts of a study, cleaned: what names someone goes, what does not stays byte for byte."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import tag_for_keyword

from ingestion.deidentify.rules import Cleaner, TextKind
from ingestion.deidentify.text import DatesInText, IdentityCollector, KnownIdentities, StudyCleaner, load_vocabulary
from ingestion.deidentify.text.folding import fold

NAMES = Path(__file__).with_name("common_names.txt")
ALL_NAMES = [name for line in NAMES.read_text(encoding="utf-8").splitlines() if line[0] != "#" for name in line.split()]
HEADERS = (
    ("PatientName", "PN", "Davidson^Douglas^Anders"),
    ("PatientID", "LO", "6505936988"),
    ("OtherPatientIDs", "LO", "PL-4471-99\\00034512"),
    ("PatientBirthDate", "DA", "19610312"),
    ("PatientTelephoneNumbers", "SH", "+49 6221 567890"),
    ("PatientAddress", "LO", "Rosenweg 7, 69117 Heidelberg"),
    ("ReferringPhysicianName", "PN", "Müller^Jörg"),
    ("OperatorsName", "PN", "Ng^Wei\\Szczepańska^Ewa"),
    ("PhysiciansOfRecord", "PN", "Παπαδόπουλος^Νίκος"),
    ("InstitutionName", "LO", "Universitätsklinikum Mannheim"),
    ("StationName", "SH", "MRC25182"),
    ("DeviceSerialNumber", "LO", "SN-77120"),
)
WORDS = (
    "CT", "Abdomen", "THORAX", "t2_tse_tra_p2_320", "B31f", "AX", "T1", "FS", "POST", "nativ", "COLOSCANNER", "EAU",
    "3.0", "Leber", "foie", "fegato", "hígado", "wątroba", "lever", "kontrast", "arteriell", "0.75mm", "C+", "DWI",
    "b800", "Br40d", "FC18", "LAVA", "mDIXON", "for", "with", "scan", "lesion", "segmentation", "FMPSPGR", "512",
)  # fmt: skip
NEEDED = {
    "hu", "ma", "le", "do", "an", "head", "long", "short", "sharp", "post", "hand", "foot", "day", "stone", "per",
    "max", "ray", "art", "pat", "bravo",
}  # fmt: skip
JOINTS = (" ", "_", "/", " - ", ", ", ": ")


def _known(*headers: tuple[str, str, str]) -> KnownIdentities:
    collector = IdentityCollector()
    for keyword, vr, text in headers:
        tag = tag_for_keyword(keyword)
        assert tag is not None
        collector.add(tag, vr, text)
    return collector.freeze()


STUDY = _known(*HEADERS)
CLEANER = StudyCleaner(STUDY, shift_days=-1000)
REMOVING = StudyCleaner(STUDY, shift_days=None, dates_in_text=DatesInText.REMOVE)
STRANGER = StudyCleaner(KnownIdentities(), shift_days=-1000)


def _descriptor(text: str, cleaner: StudyCleaner = CLEANER) -> str:
    return cleaner.clean(text, kind=TextKind.DESCRIPTOR)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("XR CHEST AP PORTABLE for Douglas Davidson", "XR CHEST AP PORTABLE for"),
        ("FMPSPGR/SPECIAL for 6505936988", "FMPSPGR/SPECIAL for"),
        ("p4 20190619", "p4 20160922"),
        ("DAVIDSON_MR_Abd", "MR_Abd"),
        ("CTDavidsonAbd", "CTAbd"),
        ("ddavidson liver", "liver"),
        ("Dr. Mueller: CT", "Dr.: CT"),
        ("D A V I D S O N ct", "ct"),
        ("Szczepanska MG", "MG"),
        ("Papadopoulos CT", "CT"),
        ("seen by ng, wei", "seen by"),
        ("MR (Davidson) Abd", "MR Abd"),
        ("tel 06221/567890 MR", "tel MR"),
        ("id PL447199", "id"),
        ("CT 34512", "CT"),
        ("born 12-Mar-61", "born"),
        ("12/03/1961 CT", "CT"),
        ("MRC25182 T1", "T1"),
        ("PET Mannheim", "PET"),
        ("UNIVERSITAETSKLINIKUM MANNHEIM CT", "CT"),
    ],
)
@pytest.mark.parametrize("kind", list(TextKind))
def test_what_is_known_of_the_study_goes_and_the_rest_stays(text: str, left: str, kind: TextKind) -> None:
    assert CLEANER.clean(text, kind=kind) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("HUBER MR Abd", "MR Abd"),
        ("Schmidt_Abdomen", "Abdomen"),
        ("Frau Klein CT Becken", "CT Becken"),
        ("Dr Head CT", "CT"),
        ("DR HEAD", "DR HEAD"),
        ("J. Smith CT", "CT"),
        ("CT 李小龙", "CT"),
        ("age 93 years", "age 90 years"),
        ("089Y CT", "089Y CT"),
        ("write to jo@example.org now", "write to now"),
        ("see https://example.org/p/1 for CT", "see for CT"),
        ("MRN: A123; CT", "MRN:; CT"),
        ("CT 1234567", "CT"),
        ("CT March 2019", "CT"),
        ("CT 2019", "CT"),
        ("1.2.840.113619.2.55.3.123456 CT", "CT"),
        ("CT 03/04/2019", "CT"),
        ("CT 13/04/2019", "CT 17/07/2016"),
        ("CT 5. Mai 2019", "CT 8. August 2016"),
        ("CT MAY 5, 2019", "CT AUGUST 8, 2016"),
        ("CT 2019-06-19T10:11", "CT 2016-09-22T10:11"),
    ],
)
def test_what_could_be_someone_goes(text: str, left: str) -> None:
    assert _descriptor(text, STRANGER) == left


@pytest.mark.parametrize(
    "text",
    [
        "t2_tse_tra_p2_320", "ABD C+ 3.0 B31f", "AX T1 FS POST", "Thorax nativ", "COLOSCANNER EAU", "TDM THORAX / ABD",
        " CT  Abd ", "Thorax^1HEAD_NECK_PETCT", "b0-500-1000", "SE - TI 2500", "*tseR2d1_17", "WB 3D CTAC (Range)",
        "CT, HEAD/BRAIN WO CONTRAST", "RM DE CRANIO", "PUNCTIE BORST LINKS", "Axial EPI-FMRI (Interleaved I to S)",
        "L3-S1^L1-L4", "5/5mm Plain", "ep2d_diff_b50_400_800_TRACEW", "PET  7S 6IT 6 POST",
        "XR C Spine Comp Min 4 Views",
    ],
)  # fmt: skip
def test_harmless_descriptions_stay_as_they_are(text: str) -> None:
    assert _descriptor(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "syngo MR E11",
        "27\\LX\\MR Software release:DV26.0_R02_1810.b",
        "5.3.0.3",
        "SIEMENS Huber custom",
        "H31s",
        "000000",
    ],
)
def test_a_device_text_stays_whole(text: str) -> None:
    assert CLEANER.clean(text, kind=TextKind.TECHNICAL) == text


def test_no_common_name_survives_alone() -> None:
    """The homographs are needed for anatomy, side, units and words of protocols, and are known as names as well."""
    survivors = {
        fold(name)
        for name in ALL_NAMES
        for form in (name, name.upper(), name.lower(), f"{name} CT", f"CT_{name}")
        if fold(name) in fold(_descriptor(form, STRANGER))
    }
    assert len(ALL_NAMES) > 800
    assert survivors == NEEDED
    assert survivors <= load_vocabulary().homographs


@pytest.mark.parametrize("name", ["Head^Max", "Stone^Ray", "Le^An", "Hand^Art"])
def test_a_homograph_goes_where_it_is_a_name_of_the_study(name: str) -> None:
    cleaner = StudyCleaner(_known(("PatientName", "PN", name)), shift_days=None)
    for word in name.split("^"):
        for kind in TextKind:
            assert cleaner.clean(f"CT {word} T1", kind=kind) == "CT T1"
            assert cleaner.clean(f"CT_{word.upper()}", kind=kind) == "CT"


def test_a_name_within_a_word_of_the_vocabulary_is_not_there() -> None:
    cleaner = StudyCleaner(_known(("PatientName", "PN", "Rost^Kern")), shift_days=None)
    assert _descriptor("PROSTATE kernel", cleaner) == "PROSTATE kernel"
    assert not cleaner.finds_identity("PROSTATE kernel")
    assert cleaner.finds_identity("prost ROST")


def test_what_stands_for_no_one_takes_nothing_away() -> None:
    known = _known(
        ("PatientName", "PN", "Anonymous^Patient"),
        ("PatientName", "PN", "PROSTATE-01-0001"),
        ("PatientID", "LO", "1"),
        ("OperatorsName", "PN", "CT"),
        ("StationName", "SH", "CT1"),
        ("RequestedProcedureID", "SH", "CT ABDOMEN"),
        ("InstitutionalDepartmentName", "LO", "Thorax MR"),
    )
    cleaner = StudyCleaner(known, shift_days=None)
    for text in ("CT patient 1", "PROSTATE T2", "CT 1 of 2", "CT ABDOMEN", "Thorax MR"):
        assert _descriptor(text, cleaner) == text
    assert _descriptor("PROSTATE-01-0001 CT1 T2", cleaner) == "T2"


def test_a_place_named_by_a_word_that_is_a_name_too_goes() -> None:
    cleaner = StudyCleaner(_known(("InstitutionName", "LO", "Hammer Hospital")), shift_days=None)
    for kind in TextKind:
        assert cleaner.clean("CT Hammer liver", kind=kind) == "CT liver"
        assert cleaner.clean("CT hospital liver", kind=kind) == "CT hospital liver"


def test_nothing_is_shown() -> None:
    shown = repr(STUDY) + repr(CLEANER) + str(STUDY) + repr(next(iter(STUDY.needles)))
    assert not any(part.lower() in shown.lower() for part in ("davidson", "6505", "douglas", "mannheim"))
    assert hash(STUDY) == hash(_known(*HEADERS))
    cleaner: Cleaner = CLEANER
    assert cleaner.finds_identity("Douglas")


ENCODED = ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "cp1252", "cp850")


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("name", ["Davidson", "MÜLLER", "douglas", "6505936988", "19610312"])
def test_identities_in_binary_values(name: str, encoding: str) -> None:
    noise = bytes((17 * place * place + 131) % 256 for place in range(4000))
    assert not CLEANER.finds_identity_bytes(noise)
    assert CLEANER.finds_identity_bytes(noise + name.encode(encoding) + b"\0\1\2" + noise)


def test_other_scripts_in_binary_values() -> None:
    noise = bytes((17 * place * place + 131) % 256 for place in range(400))
    for encoding in ("utf-8", "iso8859-7", "cp1253"):
        assert CLEANER.finds_identity_bytes(noise + "ΠΑΠΑΔΌΠΟΥΛΟΣ".lower().encode(encoding) + noise)
    assert CLEANER.finds_identity_bytes(noise + "Szczepańska".encode("iso8859-2") + noise)


IDENTITIES = (
    "Davidson", "Douglas", "Müller", "Jörg", "Mueller", "Szczepańska", "Szczepanska", "6505936988", "PL-4471-99",
    "PL447199", "34512", "Heidelberg", "Mannheim", "MRC25182", "567890", "Ng", "Wei", "Davidson, Douglas",
    "Douglas Davidson", "DDavidson", "12.03.1961", "12. March 1961", "1961-03-12", "61/03/12", "Papadopoulos",
)  # fmt: skip
CASES = (str, str.upper, str.lower, str.title)


@given(
    before=st.lists(st.sampled_from(WORDS), max_size=4),
    after=st.lists(st.sampled_from(WORDS), max_size=4),
    identity=st.sampled_from(IDENTITIES),
    case=st.sampled_from(CASES),
    joint=st.sampled_from(JOINTS),
    kind=st.sampled_from(list(TextKind)),
)
@settings(max_examples=400, deadline=None)
def test_a_planted_identity_never_survives(before, after, identity, case, joint, kind) -> None:
    text = joint.join([*before, case(identity), *after])
    assert CLEANER.finds_identity(text) or identity == "567890"
    left = REMOVING.clean(text, kind=kind)
    plain = fold("".join(character for character in left if character.isalnum()))
    target = "".join(character for character in fold(identity) if character.isalnum())
    words = set(fold(left).replace("_", " ").replace("/", " ").split())
    assert target not in words
    assert len(target) <= 3 or target not in plain
    assert not CLEANER.finds_identity(left)
    for word in (*before, *after):
        assert word in left
    assert REMOVING.clean(left, kind=kind) == left


UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ø": "oe", "å": "aa"})
WRITTEN = {
    "family": lambda family, given: family,
    "given": lambda family, given: given,
    "given family": lambda family, given: f"{given} {family}",
    "family, given": lambda family, given: f"{family}, {given}",
    "family_given": lambda family, given: f"{family}_{given}",
    "initial": lambda family, given: f"{given[0]}. {family}",
    "umlauts": lambda family, given: family.translate(UMLAUTS),
    "no accents": lambda family, given: fold(f"{given} {family}"),
    "joined": lambda family, given: f"{family}{given}",
    "account": lambda family, given: f"{given[0].lower()}{family.lower()}",
}


@given(
    family=st.sampled_from(ALL_NAMES),
    given_name=st.sampled_from(ALL_NAMES),
    written=st.sampled_from(sorted(WRITTEN)),
    case=st.sampled_from(CASES),
    words=st.lists(st.sampled_from(WORDS), max_size=3),
    joint=st.sampled_from(JOINTS),
)
@settings(max_examples=400, deadline=None)
def test_any_name_of_a_study_goes_from_the_text_of_devices_too(family, given_name, written, case, words, joint) -> None:
    cleaner = StudyCleaner(_known(("PatientName", "PN", f"{family}^{given_name}")), shift_days=None)
    planted = case(WRITTEN[written](family, given_name))
    text = joint.join([*words, planted])
    assert cleaner.finds_identity(text)
    left = cleaner.clean(text, kind=TextKind.TECHNICAL)
    assert not cleaner.finds_identity(left)
    assert not set(re.split(r"[\W_]+", fold(left))) & ({fold(family), fold(given_name)} - set(map(fold, words)))
    assert cleaner.clean(left, kind=TextKind.TECHNICAL) == left


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), st.sampled_from(JOINTS), st.sampled_from(list(TextKind))
)
@settings(max_examples=300, deadline=None)
def test_harmless_text_survives_whole(words, joint, kind) -> None:
    text = joint.join(words)
    assert CLEANER.clean(text, kind=kind) == text


@given(st.text(max_size=60), st.sampled_from(list(TextKind)))
@settings(max_examples=400, deadline=None)
def test_cleaning_twice_is_cleaning_once(text, kind) -> None:
    left = REMOVING.clean(text, kind=kind)
    assert REMOVING.clean(left, kind=kind) == left
    assert not CLEANER.finds_identity(left)


@given(st.text(alphabet="Davidsonouglas MRCT_.-/0123456789", max_size=40), st.sampled_from(list(TextKind)))
@settings(max_examples=400, deadline=None)
def test_cleaning_twice_is_cleaning_once_near_the_names(text, kind) -> None:
    left = REMOVING.clean(text, kind=kind)
    assert REMOVING.clean(left, kind=kind) == left
    assert not REMOVING.finds_identity(left)


def test_every_standard_word_is_one_of_the_dictionaries() -> None:
    from pydicom._dicom_dict import DicomDictionary
    from pydicom.sr._concepts_dict import concepts

    from ingestion.deidentify.profile import read_text

    meanings = [meaning for scheme in concepts.values() for codes in scheme.values() for meaning, *_ in codes.values()]
    known = fold(" ".join([*meanings, *(row[2] for row in DicomDictionary.values())]))
    missing = [word for line in read_text("standard_words.txt") for word in line.split() if word not in known]
    assert missing == []
