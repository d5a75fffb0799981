"""Invented patients and hospitals of each country. Every name is made up and chosen so that it does not occur by
chance in ordinary text or software; a name found in a result is therefore a leak."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

from ingestion.demo.seeds import Seeds

LATIN_1 = ("ISO_IR 100",)


@dataclass(frozen=True, slots=True)
class Culture:
    """Names of one country as (native, ASCII), and how its hospitals write."""

    charset: tuple[str, ...]
    families: tuple[tuple[str, str], ...]
    women: tuple[tuple[str, str], ...]
    men: tuple[tuple[str, str], ...]
    physicians: tuple[str, ...]
    hospitals: tuple[str, ...]
    street: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Person:
    """One patient, as the source's systems know him or her."""

    patient_id: str
    other_id: str
    family: str
    given: str
    ascii_family: str
    ascii_given: str
    charset: tuple[str, ...]
    birth: date
    sex: str
    weight_kg: int
    height_cm: int
    address: str
    phone: str
    email: str

    @property
    def dicom_name(self) -> str:
        """PN: the alphabetic group, and an ideographic one where the name is written so (PS3.5 section 6.2.1)."""
        if self.charset[-1] in ("ISO 2022 IR 87", "GB18030"):
            return f"{self.ascii_family}^{self.ascii_given}={self.family}^{self.given}"
        return f"{self.family}^{self.given}"

    @property
    def plain_text_family(self) -> str:
        """The family name as descriptions hold it: ASCII where a name needs an escape sequence to be written."""
        return self.family if self.charset[0] else self.ascii_family

    def age(self, day: date) -> str:
        """PatientAge (VR AS) in years on a day."""
        years = day.year - self.birth.year - ((day.month, day.day) < (self.birth.month, self.birth.day))
        return f"{years:03d}Y"


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("ø", "o"))
    return "".join(letter for letter in folded if ord(letter) < 128)


def _names(*texts: str) -> tuple[tuple[str, str], ...]:
    """``native`` or ``native/ASCII`` where dropping the accents is not enough."""
    pairs = (text.partition("/") for text in texts)
    return tuple((native, ascii_ or _plain(native)) for native, _, ascii_ in pairs)


CULTURES: dict[str, Culture] = {
    "ES": Culture(
        LATIN_1,
        _names("Zaldumbeitia", "Villarrubén", "Cañamaquera", "Ibarrengoitz", "Peñalosada", "Quintanábal"),
        _names("Eustaquia", "Casildina"), _names("Tiburcio", "Fulgencio"),
        ("Urrozbidea", "Mendizorrota"), ("Hospital Universitario Valdecorral", "Clinica Santa Marquesina"),
        "Calle Almirezuela", "+34 910",
    ),
    "PT": Culture(
        LATIN_1,
        _names("Vasconcelhães", "Albergarinha", "Figueiroçal", "Mouratelha", "Tavaresinho", "Quaresmeira"),
        _names("Felismina", "Deolindra"), _names("Eustásquio", "Baltazarino"),
        ("Sequeirolas", "Lobatelhos"), ("Hospital Distrital Ribeirolinda", "Centro Hospitalar Montalvinho"),
        "Rua Azenhagueira", "+351 219",
    ),
    "IT": Culture(
        LATIN_1,
        _names("Brambilloni", "Castragnolò", "Fiordilatta", "Guastavizza", "Pellegrazzi", "Zambruschini"),
        _names("Ermenegilda", "Fiorenzuola"), _names("Ludovichetto", "Abbondanzio"),
        ("Strozzavolpe", "Malaspinetti"), ("Ospedale Civile Roccabruzza", "Policlinico Valdifiamma"),
        "Via Ghirlandola", "+39 0699",
    ),
    "FR": Culture(
        LATIN_1,
        _names("Beauvergnat", "Quérouaillé", "Dubreuillard", "Châtelermont", "Grandvillers", "Thibaudinot"),
        _names("Ghislainette", "Philibertine"), _names("Fulbertin", "Anthelmeau"),
        ("Roquevaillant", "Mauprévoir"), ("Centre Hospitalier Vauxbrillant", "Hopital Sainte-Gudulette"),
        "Rue Tourneminette", "+33 199",
    ),
    "DE": Culture(
        LATIN_1,
        _names("Überschärmann", "Grünwälderin", "Kratzenstößel", "Hohenfurthner", "Wiesenböckler", "Pfannkuchler"),
        _names("Kunigundula", "Walburgine"), _names("Eckehardt", "Waldefried"),
        ("Schwertfegerling", "Niedermosach"), ("Klinikum Tannenwaldau", "Krankenhaus Oberrauschbach"),
        "Gänseblumgasse", "+49 30990",
    ),
    "AT": Culture(
        LATIN_1,
        _names("Hinterstoißer", "Obermühlbacher", "Zwettlinger", "Kirchschlögl", "Gamsjägerin", "Rautenkranzl"),
        _names("Notburgina", "Rosalindel"), _names("Leopoldus", "Korbinianus"),
        ("Schneeweißl", "Enzersdorfner"), ("Landesklinikum Murauwald", "Kinderspital Sonnblickau"),
        "Kastanienzeile", "+43 1990",
    ),
    "NL": Culture(
        LATIN_1,
        _names("Waterschotten", "Brouwerszoon", "Kuypersveld", "Hoogendijkstra", "Zonneveldink", "Tjaardstraën"),
        _names("Geertruidina", "Wilhelmijntje"), _names("Diederikus", "Gijsbertinus"),
        ("Oudkerkhovens", "Rietveldema"), ("Medisch Centrum Veenlanderhof", "Ziekenhuis Duinrellerberg"),
        "Kersenbongerd", "+31 20990",
    ),
    "LT": Culture(
        ("ISO_IR 192",),
        _names("Žvirblaitukas", "Kazlauskutis", "Petraškėnas", "Šimkūnaitis", "Grigaravičus", "Vaitiekėlis"),
        _names("Gražvydė", "Skaidrutė"), _names("Žydrūnėlis", "Tautginas"),
        ("Ramanauskelis", "Urbonavicelis"), ("Klinika Zaliagirelis", "Ligonine Baltupelis"),
        "Pušyno Takelis", "+370 5990",
    ),
    "GR": Culture(
        ("ISO_IR 126",),
        _names(
            "Καλλιβρατάκης/Kallivratakis", "Θεοδωρουλέας/Theodorouleas", "Μαυροκορδίδης/Mavrokordidis",
            "Ξενοφωντέας/Xenofonteas", "Χατζηβελλής/Chatzivellis", "Ψαραδέλλης/Psaradellis",
        ),
        _names("Πηνελοπίτσα/Pinelopitsa", "Ευανθούλα/Evanthoula"),
        _names("Επαμεινώνδας/Epameinondas", "Αριστομένης/Aristomenis"),
        ("Stavropodis", "Kolokytheas"), ("Geniko Nosokomeio Anemorachis", "Therapeftirio Glaropetra"),
        "Odos Glykofilousis", "+30 21099",
    ),
    "CY": Culture(
        ("ISO_IR 192",),
        _names(
            "Χριστοφορίδας/Christoforidas", "Αντωναρέλλης/Antonarellis", "Κυπριανέας/Kyprianeas",
            "Λαζαρούδης/Lazaroudis", "Παρασκευαΐτης/Paraskevaitis", "Σταυρινάκκης/Stavrinakkis",
        ),
        _names("Κυριακούλλα/Kyriakoulla", "Δεσποινούλλα/Despoinoulla"),
        _names("Νεοκλήδας/Neoklidas", "Σωζομενός/Sozomenos"),
        ("Hadjimitsidis", "Theodosellis"), ("Nosokomeio Agiou Trifonaki", "Iatriko Kentro Petrolevka"),
        "Odos Kyparissonas", "+357 2290",
    ),
    "RS": Culture(
        ("ISO_IR 144",),
        _names(
            "Вукашиновљевић/Vukasinovljevic", "Белопавлићанин/Belopavlicanin", "Крстовграђанин/Krstovgradjanin",
            "Радосављански/Radosavljanski", "Чворковићев/Cvorkovicev", "Шумаричанин/Sumaricanin",
        ),
        _names("Доброславка/Dobroslavka", "Љубинкица/Ljubinkica"),
        _names("Видосавије/Vidosavije", "Братољуб/Bratoljub"),
        ("Zdravkovljanin", "Pantelijevac"), ("Klinicki Centar Zlatobrdo", "Opsta Bolnica Rudopolje"),
        "Ulica Jorgovanska", "+381 1199",
    ),
    "SE": Culture(
        LATIN_1,
        _names("Blåklintström", "Hallonqvister", "Fjällsjöberger", "Smultronlund", "Åkervindeman", "Norrskenstedt"),
        _names("Ragnhildur", "Gunnvorina"), _names("Hjalmarius", "Torgnysson"),
        ("Lingonhielm", "Vattenklöver"), ("Sjukhuset Granliderna", "Lasarettet Tallhojden"),
        "Ekorrstigen", "+46 8990",
    ),
    "PL": Culture(
        ("ISO_IR 101",),
        _names("Brzęczkowiak", "Szczygłowski", "Żółtaszewicz", "Gżegżółkowna", "Trzmielewicz", "Wądołowszczyk"),
        _names("Świętomira", "Zdzisławina"), _names("Bożydarek", "Wszebąd"),
        ("Krzemienieckow", "Jarzebinowski"), ("Szpital Wojewodzki Modrzewiow", "Klinika Sosnogorze"),
        "Ulica Poziomkowska", "+48 2299",
    ),
    "JP": Culture(
        ("", "ISO 2022 IR 87"), _names("勅使河原崎/Teshigawarazaki"), _names("菊乃緒美絵/Kikunoomie"),
        _names("鷹之介郎丸/Takanosukeromaru"), ("Stavropodis",), ("-",), "-", "+81 3990",
    ),
    "CN": Culture(
        ("GB18030",), _names("欧阳鹤龄明/Ouyangheling"), _names("梦瑶诗涵雪/Mengyaoshihan"),
        _names("浩然景行远/Haoranjingxing"), ("Stavropodis",), ("-",), "-", "+86 10990",
    ),
}  # fmt: skip

CHILDHOOD_CANCERS = frozenset({"neuroblastoma", "glioma"})
"""Glioma here is DIPG, a tumour of children."""
SEX_OF_CANCER = {"prostate": "M", "breast": "F"}
YOUNGEST_BIRTH = date(2006, 1, 1)
YOUNGEST_SPAN_DAYS = 2900
"""Children of the demo are born from 2006 to the end of 2013: before 2014, so that no shifted study date (2014 at
the earliest) can equal a birth date."""


def make_person(
    seeds: Seeds, *, index: int, country: str, cancer: str, birth: date | None = None, visiting: str | None = None
) -> Person:
    """The patient with this number in a source; ``visiting`` gives another country's name and writing."""
    culture, home = CULTURES[visiting or country], CULTURES[country]
    sex = SEX_OF_CANCER.get(cancer, "FM"[(index + seeds.number("sex")) % 2])
    offset = seeds.number("family")
    family, ascii_family = culture.families[(index + offset) % len(culture.families)]
    if index >= len(culture.families):
        second, second_ascii = culture.families[(index * 5 + 1 + offset) % len(culture.families)]
        family, ascii_family = f"{family}-{second}", f"{ascii_family}-{second_ascii}"
    given, ascii_given = seeds.pick(culture.women if sex == "F" else culture.men, "given", index)
    if birth is None:
        birth = (
            YOUNGEST_BIRTH + timedelta(days=seeds.between(0, YOUNGEST_SPAN_DAYS, "birth", index))
            if cancer in CHILDHOOD_CANCERS
            else date(1938, 1, 1) + timedelta(days=seeds.between(0, 14000, "birth", index))
        )
    child = cancer in CHILDHOOD_CANCERS
    return Person(
        patient_id=f"{ascii_family[:2].upper()}{seeds.digits(4, 'pid', index)}-{seeds.digits(4, 'pid2', index)}",
        other_id=f"{country}{seeds.digits(9, 'national id', index)}",
        family=family,
        given=given,
        ascii_family=ascii_family,
        ascii_given=ascii_given,
        charset=culture.charset if visiting else home.charset,
        birth=birth,
        sex=sex,
        weight_kg=seeds.between(22, 48, "kg", index) if child else seeds.between(52, 98, "kg", index),
        height_cm=seeds.between(115, 155, "cm", index) if child else seeds.between(152, 190, "cm", index),
        address=f"{_plain(home.street)} {seeds.between(11, 199, 'house', index)}",
        phone=f"{culture.prefix} {seeds.digits(6, 'phone', index)}",
        email=f"{ascii_given}.{ascii_family}@post-{country.lower()}.example".lower(),
    )
