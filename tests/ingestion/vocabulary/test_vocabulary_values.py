import pytest

from ingestion.vocabulary.age import age_at_study, age_in_years, parse_date
from ingestion.vocabulary.manufacturer import normalise_manufacturer
from ingestion.vocabulary.modality import modalities, normalise_modality
from ingestion.vocabulary.sex import Sex, normalise_sex


@pytest.mark.parametrize(
    "delivered",
    [
        "GE MEDICAL SYSTEMS", "GE Medical Systems", "G.E. Medical Systems", "GE Healthcare", "GEMS", "GE", "GEHC",
        "GENESIS_SIGNA", "General Electric", "GE Vingmed Ultrasound", "ge healthcare ", "GE MEDICAL SYSTEMS, LUNAR",
        "GE-Healthcare",
    ],
)  # fmt: skip
def test_thirteen_spellings_of_general_electric_are_one(delivered: str) -> None:
    assert normalise_manufacturer(delivered) == "General Electric"


@pytest.mark.parametrize(
    ("delivered", "name"),
    [
        ("SIEMENS", "Siemens"),
        ("Siemens HealthCare GmbH", "Siemens"),
        ("Philips Medical Systems, Inc.", "Philips"),
        ("TOSHIBA_MEC", "Toshiba"),
        ("CANON_MEC", "Canon"),
        ("FUJI PHOTO FILM Co., ltd.", "Fujifilm"),
        ("HOLOGIC, Inc.", "Hologic"),
        ("UIH", "United Imaging"),
        ("IMS s.r.l.", "I.M.S."),
        ("Agfa-Gevaert AG", "Agfa"),
    ],
)
def test_makers(delivered: str, name: str) -> None:
    assert normalise_manufacturer(delivered) == name


@pytest.mark.parametrize(
    "delivered", [None, "", "Merge Healthcare", "Premier", "Acme Products", "Gerät", "Manufacturer"]
)
def test_no_maker_is_guessed(delivered: str | None) -> None:
    assert normalise_manufacturer(delivered) is None


@pytest.mark.parametrize(
    ("delivered", "value"), [("MR", "MR"), ("mr ", "MR"), ("MRI", "MR"), ("PET/CT", "PT"), ("DR", "DX"), ("SEG", "SEG")]
)
def test_modalities(delivered: str, value: str) -> None:
    found = normalise_modality(delivered)
    assert found is not None
    assert found.value == value


@pytest.mark.parametrize("delivered", [None, "", "XYZ", "CT MR"])
def test_unknown_modality_is_none(delivered: str | None) -> None:
    assert normalise_modality(delivered) is None


def test_every_defined_modality_is_its_own_spelling() -> None:
    for value in modalities():
        found = normalise_modality(value)
        assert found is not None
        assert found.value == value


@pytest.mark.parametrize(
    ("delivered", "sex"),
    [("M", Sex.MALE), ("f", Sex.FEMALE), ("männlich", Sex.MALE), ("Femme", Sex.FEMALE), ("O", Sex.OTHER)],
)
def test_sex(delivered: str, sex: Sex) -> None:
    assert normalise_sex(delivered) is sex


@pytest.mark.parametrize("delivered", [None, "", "U", "Unkown", "0", "1", "ÄÐ"])
def test_unknown_sex_is_none(delivered: str | None) -> None:
    assert normalise_sex(delivered) is None


@pytest.mark.parametrize(
    ("delivered", "years"),
    [("063Y", 63.0), ("75Y", 75.0), ("018M", 1.5), ("026W", 0.5), ("000Y", 0.0), ("010D", 0.03), (" 090y ", 90.0)],
)
def test_age_string(delivered: str, years: float) -> None:
    assert age_in_years(delivered) == years


@pytest.mark.parametrize("delivered", [None, "", "63", "9.0", "965Y", "Y", "0063Y", "-10Y"])
def test_no_age_is_guessed(delivered: str | None) -> None:
    assert age_in_years(delivered) is None


def test_age_at_study_prefers_the_given_age() -> None:
    assert age_at_study(patient_age="063Y", birth_date="20000101", study_date="20200101") == 63.0


def test_age_at_study_from_dates() -> None:
    assert age_at_study(patient_age=None, birth_date="19600615", study_date="20200615") == 60.0
    assert age_at_study(patient_age="??", birth_date="1960.06.15", study_date="20200615") == 60.0


@pytest.mark.parametrize(
    ("born", "seen"),
    [
        (None, "20200101"),
        ("20200101", None),
        ("20200102", "20200101"),
        ("20201301", "20210101"),
        ("18000101", "20200101"),
    ],
)
def test_dates_that_give_no_age(born: str | None, seen: str | None) -> None:
    assert age_at_study(patient_age=None, birth_date=born, study_date=seen) is None


def test_parse_date_refuses_what_is_no_day() -> None:
    assert parse_date("20230229") is None
    assert parse_date("2024-02-29") is not None
