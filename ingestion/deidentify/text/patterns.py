"""What identifies people by its shape alone, whoever they are: addresses, numbers, titles before names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingestion.deidentify.rules import TextKind
from ingestion.deidentify.text.folding import fold, word_set
from ingestion.deidentify.text.vocabulary import Vocabulary

OLDEST_TOLD = 89
"""Years; above it ages are one group (45 CFR 164.514(b)(2)(i)(C); PS3.15 asks for no less)."""
OLDEST_POSSIBLE = 130
LONGEST_NUMBER = {TextKind.DESCRIPTOR: 4, TextKind.TECHNICAL: 5}
"""Digits in a row that are no number of a person. People's numbers start at five digits in small practices; a device
writes counts of up to five."""
HARMLESS_NUMBERS = frozenset({"10000", "16384", "32767", "32768", "65535", "65536"})
"""Bounds of integer types and round doses, met in texts of devices and people alike."""
SMALL_NUMBER = 3
"""Digits that a number with zeros before it may have (I00010): as many as any number that stays."""
_WORD = r"[^\W\d_][^\W\d_'’.-]*(?:['’-][^\W\d_]+)*"
_MAIL = re.compile(r"[\w.+%-]+@[\w-]{2,}(?:\.[\w-]+)*")
_WEB = re.compile(r"(?:https?|ftp|s3|file)://\S+|(?<!\w)www\.\S+|(?<!\w)[A-Za-z]:\\\S+|\\\\\w+\\\S+", re.IGNORECASE)
_UID = re.compile(r"(?<![\d.])[012](?:\.\d+){4,}(?![\d.])")
SHORTEST_UID = 16
"""Characters from which a row of numbers and points is an object's UID rather than a version."""
_PHONE = re.compile(
    r"""(?<![\w.])(?:
      \+\d{1,3}[\d ()/.-]{5,}\d
      | \(?0\d{1,5}\)?[ /-]{1,2}\d{2,}(?:[ -]?\d{2,})*
      | \(?\d{3}\)?[ .-]{1,2}\d{3}[ .-]\d{4}
      | \d{3}-\d{2}-\d{4}
      | \d{2}(?:[ .]\d{2}){4}
    )(?![\w])""",
    re.VERBOSE,
)
_CALLED = re.compile(
    r"(?<![^\W_])(?:tel|telefon|telephone|téléphone|phone|fon|fax|handy|mobile|mobil|pager|beeper|gsm|ext)"
    r"(?:\s*(?:no|nr|num)\b)?\.?\s*[:#.]?\s*(?P<gone>\+?\d[\d ()/.-]*)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"(?<![^\W_])(?:"
    r"(?:mrn|pid|patid|patient\s*id|pat\.?\s*-?id|accession|ssn|nhs|nip|nir|dni|bsn|cpr|pesel|svnr|kvnr|"
    r"amka|nif|personnummer)"
    r"(?:\s*(?:no|nr|num|number|nummer)\b)?\.?\s*[:#=]*"
    r"|(?:acc|case|fall|id)(?:\s*(?:no|nr|num|number|nummer)\b\.?\s*[:#=]*|\.?\s*[:#=]+))"
    r"\s*(?P<gone>[\w/-]*\d[\w/-]*)",
    re.IGNORECASE,
)
_TITLES = word_set(
    "dr drs dra prof professor herr herrn frau fräulein mrs miss madame mme mlle monsieur signor signora sig dott "
    "señor señora senor sra mevrouw dhr mevr pani doc mudr lek mr ms m sr pan hr fr pr ing mgr"
)
_ROLES = word_set(
    "patient patientin patiente patienten pat paziente paciente pacjent pacjentka name surname nachname vorname "
    "nom nome nombre cognome ref referred referring req requested ordered performed read reported reviewed "
    "dictated signed approved verified interpreted scanned done seen referrer operator technologist technician "
    "tech radiologist physician mtra mta rta überweiser einweiser befunder untersucher arzt ärztin médecin medico "
    "médico lekarz nurse schwester attending resident"
)
_NUMBER_WORDS = word_set(
    "tel telefon telephone téléphone phone fon fax handy mobile mobil pager beeper gsm ext mrn pid patid patient "
    "pat accession acc case fall fallnummer ssn nhs nip nir dni bsn cpr pesel svnr kvnr amka nif personnummer id"
)
"""Words without which the patterns of the same kind find nothing: most texts hold none, and need not be searched."""
_STREETS = (
    "strasse", "straße", "str", "gasse", "platz", "allee", "weg", "straat", "laan", "gatan", "vägen", "vej", "gade",
    "street", "road", "avenue", "lane", "drive", "close", "court", "square", "boulevard", "rd", "ave", "ln", "blvd",
    "rue", "av", "bd", "via", "viale", "piazza", "calle", "avenida", "plaza", "rua", "ulica", "ul", "aleja", "al",
    "place", "chemin", "allée", "st", "c", "dr",
)  # fmt: skip
_LETTER_RUNS = re.compile(r"[^\W\d_]+")
_RECORD = re.compile(r"(?<![^\W_])[A-Z]{1,5}[-/]?\d{3,}[-/]\d{2,}(?![^\W_])|(?<![^\W_])[A-Z]{1,5}-?\d{6,}(?!\d)")
_ITALIAN_CODE = re.compile(r"(?<![^\W_])[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z](?![^\W_])", re.IGNORECASE)
_STREET = re.compile(
    r"""(?<![^\W_])(?:
      [^\W\d_]+(?:stra(?:ß|ss)e|str\.|gasse|platz|allee|weg|straat|laan|gatan|vägen|vej|gade)\s*\d+\s?[a-z]?(?![^\W_])
      | (?<![\d.])\d{1,5}\s+(?P<called>(?:[A-Z][^\W\d_][\w'’]*\s+){1,3})
        (?:street|road|avenue|lane|drive|close|court|square|boulevard|st|rd|ave|dr|ln|blvd)\b\.?
      | (?:rue|avenue|av\.|boulevard|bd|via|viale|piazza|calle|c/|avenida|plaza|rua|ulica|ul\.|aleja|al\.)\s+
        (?:(?:de|du|des|la|le|del|della|d')\s*)*(?:[A-Z][\w'’]+\.?\s*){1,3},?\s*(?:n[°º.]\s*)?\d+
      | \d{1,4}\s?(?:bis|ter)?,?\s+(?:rue|avenue|boulevard|place|chemin|allée)\s+
        (?:(?:de|du|des|la|le)\s+)*(?:[A-Z][\w'’]+\s*){1,3}
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_ZIP_AND_TOWN = re.compile(
    r"(?<!\w)(?:[A-Z]{1,2}-)?\d{4,5}\s+[A-ZÄÖÜ][a-zäöüß]{3,}(?:[ -][A-ZÄÖÜ][a-zäöüß]{2,})*(?!\w)"
)
_AGE = re.compile(
    r"(?<![\d.])(?P<age>0?9\d|1[0-3]\d)(?P<unit>(?:\s*-?\s*(?:"
    r"years?(?:[\s-]*old)?|yrs?|y\.?\s?/?o|jahren?|jähriger?|jährige|ans|"
    r"anni|años|anos|lat|jaar|år|roků|let|éves|ετών|yo)|y|Y|J)(?![^\W_]))",
    re.IGNORECASE,
)
_AGE_BEFORE = re.compile(
    r"(?<![^\W_])(?:age|aged|alter|âge|edad|età|wiek|leeftijd)\s*[:=]?\s*(?P<age>0?9\d|1[0-3]\d)(?!\d)", re.IGNORECASE
)
_STRONG = re.compile(
    r"(?<![^\W_])(?:dr|drs|dra|prof(?:essor)?|herrn?|frau|fräulein|mrs|miss|madame|mme|mlle|monsieur|signora?|"
    r"sig(?:\.ra)?|dott(?:\.ssa)?|señora?|sra|mevrouw|dhr|mevr|pani|doc|mudr|lek)(?P<dot>\.?)"
    rf"(?:[\s_^]*(?:dr|med|prof|h\.?c|habil|mult)\.(?=[\s_^]))*(?:[\s_^]+|(?<=\.))(?P<name>{_WORD})",
    re.IGNORECASE,
)
_WEAK = re.compile(rf"(?<![^\W_])(?:mr|ms|m|sr|pan|hr|fr|pr|ing|mgr)\.[\s_]*(?P<name>{_WORD})", re.IGNORECASE)
_ROLE = re.compile(
    r"(?<![^\W_])(?:patient(?:in|e|en)?|pat|paziente|paciente|pacjent(?:ka)?|name|surname|nachname|vorname|nom|nome|nombre|"
    r"cognome|(?:ref(?:erred|erring)?|req(?:uested)?|ordered|performed|read|reported|reviewed|dictated|signed|approved|"
    r"verified|interpreted|scanned|done|seen)\.?\s*(?:by|dr|phys|physician)|referrer|operator|technologist|technician|tech|"
    r"radiologist|physician|mtra|mta|rta|überweiser|einweiser|befunder|untersucher|arzt|ärztin|médecin|medico|médico|lekarz|nurse|schwester|attending|"
    r"resident)"
    rf"(?P<mark>\s*[:=]\s*|\.?\s+)(?P<name>{_WORD})",
    re.IGNORECASE,
)
_FOR_SOMEONE = re.compile(
    r"(?<![^\W_])(?i:for|from|by|to|für|von|pour|per|para|voor|dla)\s+"
    r"(?P<name>[A-ZÀ-ÞŁŚŻŹĆŠČŽ][\w'’-]+\.?(?:\s+[A-ZÀ-ÞŁŚŻŹĆŠČŽ][\w'’-]+)+)"
)
_ADDRESSED = re.compile(rf"(?<![^\W_])(?:Mr|Ms|Hr|Fr|Sr|Pan)[\s_]+(?P<name>{_WORD})")
"""As a person writes it before a name; MR and mr are the modality."""
_INITIALS = re.compile(r"(?<![^\W_])[A-Z]\.(?:[ -]?[A-Z]\.){0,2}[ -]?[A-Z](?:\.|(?![^\W_]))")
_BORN = re.compile(
    r"(?<![^\W_])(?:born|geb|geboren|née?|d\.?o\.?b|nat[oa]|nacid[oa]|nascid[oa]|født|född|geboren|narozen[aý]?|urodzon[ay])"
    r"\.?\s*[:=]?\s*(?:in\s|im\s|en\s|el\s|il\s|le\s)?\s*(?P<gone>\d{2}(?:\d\d)?)(?![^\W_])",
    re.IGNORECASE,
)
_NEXT = re.compile(rf"(?:[\s,^_]+|\.\s*)(?P<name>{_WORD}\.?)")
_CARETS = re.compile(rf"(?<![^\W_]){_WORD}\^{_WORD}(?:\^{_WORD})*")
_DIGITS = re.compile(r"(?<!\d)\d{5,}")
_ESCAPES = re.compile(
    r"(?:%[0-9A-Fa-f]{2}){3,}|(?:=[0-9A-Fa-f]{2}){3,}|(?:&#\d{1,6};|&#[xX][0-9A-Fa-f]{1,5};){2,}"
    r"|(?:\\[uU][0-9A-Fa-f]{4}|\\[xX][0-9A-Fa-f]{2}){2,}"
)
"""Letters in the escapes of addresses, mails, pages and programs: what they spell is no word of a description."""
_SPACED = re.compile(r"(?<![^\W_])[^\W\d_](?:[ .·_-]{1,2}[^\W\d_]){4,}(?![^\W_])")
"""A word with its letters apart."""
_DIRECTIONS = frozenset("RLAPHFSI")
"""Right, left, anterior, posterior, head, feet, superior, inferior: listed beside each other, they spell no word."""
_HAS_DIGIT = re.compile(r"\d")
_THREE_DIGITS = re.compile(r"\d{3}")
_YEAR = re.compile(
    r"(?<!\w)(?<!\d\.)(?<!\b[Tt][REIre] )(?<!\b[Tt][REI]=)(?:19\d\d|20(?:0[1-9]|[1-4]\d))(?![\w.]?\d)(?!\w)"
    r"(?!\s?(?:mm|ms|msec|hz|px|x|s/mm|mgy|mas|hu|bq|ml)\b)"
)
_STOP = word_set(
    "of the and to in on with without for by is was has had not no are be or at as und der die das et de la"
)

Span = tuple[int, int]


def patterns_in(text: str, *, kind: TextKind, vocabulary: Vocabulary) -> Iterator[Span]:
    """Everything in ``text`` that must go for its shape."""
    words = frozenset(_LETTER_RUNS.findall(text.lower()))
    if "@" in text:
        yield from _whole(_MAIL, text)
    if "//" in text or "\\" in text or "www" in words:
        yield from _whole(_WEB, text)
    if _HAS_DIGIT.search(text):
        yield from _whole(_ESCAPES, text)
        yield from _numbers(text, kind, words, vocabulary)
    if kind is TextKind.DESCRIPTOR:
        yield from (match.span() for match in _SPACED.finditer(text) if not _is_known_spaced(match, vocabulary))
    yield from _named(text, kind, vocabulary, words)


def old_ages_in(text: str) -> Iterator[tuple[int, int, str]]:
    """Ages above 89, as ``90`` with as many digits."""
    for pattern in (_AGE, _AGE_BEFORE):
        for match in pattern.finditer(text):
            age = match.group("age")
            if OLDEST_TOLD < int(age) < OLDEST_POSSIBLE:
                start, end = match.span("age")
                yield start, end, ("090" if len(age) == 3 else "90")


def _whole(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    return (match.span() for match in pattern.finditer(text))


def _numbers(text: str, kind: TextKind, words: frozenset[str], vocabulary: Vocabulary) -> Iterator[Span]:
    if text.count(".") >= 4:
        yield from (match.span() for match in _UID.finditer(text) if len(match.group()) >= SHORTEST_UID)
    yield from _whole(_PHONE, text)
    if not words.isdisjoint(_NUMBER_WORDS):
        yield from (match.span("gone") for match in _CALLED.finditer(text))
        yield from (match.span("gone") for match in _NUMBERED.finditer(text))
    if _THREE_DIGITS.search(text):
        yield from (match.span() for match in _RECORD.finditer(text) if not _sizes(match.group(), vocabulary))
        yield from _whole(_ITALIAN_CODE, text)
    if any(word.endswith(_STREETS) for word in words):
        yield from (match.span() for match in _STREET.finditer(text) if not _says_words(match, vocabulary))
    if kind is TextKind.DESCRIPTOR:
        for match in _ZIP_AND_TOWN.finditer(text):
            if not all(fold(word) in vocabulary.words for word in _LETTER_RUNS.findall(match.group()) if len(word) > 2):
                yield match.span()
        yield from _whole(_YEAR, text)
        yield from (match.span("gone") for match in _BORN.finditer(text))
    for match in _DIGITS.finditer(text):
        start, end = match.span()
        fraction = start > 1 and text[start - 1] == "." and text[start - 2].isdigit()
        if end - start <= LONGEST_NUMBER[kind] or match.group() in HARMLESS_NUMBERS:
            continue
        if len(match.group().lstrip("0")) <= SMALL_NUMBER:
            continue
        if fraction and text[max(0, start - 20) : start].rstrip(".").rstrip("0123456789")[-1:] != ".":
            continue
        yield start, end


def _says_words(street: re.Match[str], vocabulary: Vocabulary) -> bool:
    """What looks like a street of words that are all known: 3 Axial Recon St, the last one soft tissue."""
    called = street.group("called")
    return called is not None and all(vocabulary.plain(fold(word)) for word in called.split())


def _is_known_spaced(match: re.Match[str], vocabulary: Vocabulary) -> bool:
    word = "".join(filter(str.isalpha, match.group()))
    return fold(word) in vocabulary.words or _DIRECTIONS.issuperset(word)


def _sizes(record: str, vocabulary: Vocabulary) -> bool:
    """What looks like a record's number and is a protocol's: CT/512/512, AX-256-256."""
    letters, *numbers = re.findall(r"[^\W\d_]+|\d+", record)
    return fold(letters) in vocabulary.words and all(len(number) <= 3 for number in numbers)


def _named(text: str, kind: TextKind, vocabulary: Vocabulary, words: frozenset[str]) -> Iterator[Span]:
    if not words.isdisjoint(_TITLES):
        for match in _STRONG.finditer(text):
            # DR is a modality as well: without a point and all in capitals, a known word behind it is no name.
            strict = bool(match.group("dot")) or not match.group().split()[0].isupper()
            for _, end in _names_from(text, match.span("name"), vocabulary, homographs_go=strict):
                yield match.start(), end
        for match in _WEAK.finditer(text):
            for _, end in _names_from(text, match.span("name"), vocabulary, homographs_go=True):
                yield match.start(), end
        for match in _ADDRESSED.finditer(text):
            if match.group("name")[0].isupper():
                for _, end in _names_from(text, match.span("name"), vocabulary, homographs_go=True):
                    yield match.start(), end
    if kind is TextKind.DESCRIPTOR and "." in text:
        for match in _INITIALS.finditer(text):
            if fold("".join(filter(str.isalpha, match.group()))) not in vocabulary.words:
                yield match.span()
    if not words.isdisjoint(_ROLES):
        for match in _ROLE.finditer(text):
            yield from _names_from(text, match.span("name"), vocabulary, homographs_go=":" in match.group("mark"))
    if kind is TextKind.TECHNICAL:
        for match in _FOR_SOMEONE.finditer(text):
            if all(fold(word) not in vocabulary.words for word in re.findall(_WORD, match.group("name"))):
                yield match.span("name")
        if "^" in text:
            for match in _CARETS.finditer(text):
                if not any(vocabulary.plain(fold(word)) for word in re.findall(_WORD, match.group())):
                    yield match.span()


def _names_from(text: str, span: Span, vocabulary: Vocabulary, *, homographs_go: bool) -> Iterator[Span]:
    """The word at ``span`` if it can be a name, and those behind it that can be."""
    word = fold(text[span[0] : span[1]])
    if word in _STOP or vocabulary.plain(word):
        return
    if word in vocabulary.homographs and not (homographs_go and text[span[0]].isupper()):
        return
    end = span[1]
    for _ in range(3):
        following = _NEXT.match(text, end)
        if following is None:
            break
        name = following.group("name").rstrip(".")
        if fold(name) in vocabulary.words or not (name[:1].isupper() or text.islower()):
            break
        end = following.end("name")
    yield span[0], end
