"""What a policy does, written for a data protection officer: no knowledge of DICOM needed, and every figure counted
from the tables that the rewriter itself uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ingestion.deidentify.by_vr import beyond
from ingestion.deidentify.dictionary import keyword_of, vr_of
from ingestion.deidentify.explain import MEANING
from ingestion.deidentify.overrides import Override
from ingestion.deidentify.policy import FaceChoice, PixelChoice, Policy
from ingestion.deidentify.profile import EDITION, METHOD_CODES, TABLE_OPTIONS, Option, group_rows, rows
from ingestion.deidentify.rulebook import compile_policy
from ingestion.deidentify.rules import Treatment
from ingestion.deidentify.safe_private import safe_blocks, safe_private

CT = "1.2.840.10008.5.1.4.1.1.2"
"""The commonest kind of object; what differs in others is only whether an attribute goes or stays empty."""
GROUPS = (
    ("The patient", ("0010", "0038"), "who the patient is, where they live, their history, their stay in hospital"),
    ("The study and who did it", ("0008", "0032"), "hospital, physicians, dates, descriptions, references"),
    ("The trial", ("0012",), "sponsor, site, subject numbers"),
    ("The device and the acquisition", ("0014", "0016", "0018"), "serial numbers, protocol, times, place"),
    ("Numbers, positions and the image", ("0020", "0028"), "identifiers of series and frames of reference, comments"),
    ("Orders, procedures, reports", ("0040", "4008", "0074", "0044"), "requests, performers, report content"),
    ("Radiotherapy", ("3002", "3004", "3006", "3008", "300A", "300C", "300E", "3010"), "plans, structures, doses"),
)
PIXELS = {
    PixelChoice.CLEAN: "Text that is burned into an image is found and blanked, exactly its boxes and nothing else. "
    "What stays uncertain is held back for a person to decide.",
    PixelChoice.RULES: "Burned-in text is blanked where rules say that it stands: outside the regions of an ultrasound "
    "image, on known screens. Any other text holds the image back for a person to decide.",
    PixelChoice.QUARANTINE: "An image that may show text is held back for a person to decide; none is changed.",
}
FACES = {
    FaceChoice.FLAG: "A series from which a face could be reconstructed is marked as such and kept.",
    FaceChoice.QUARANTINE: "A series from which a face could be reconstructed is held back for a person to decide.",
    FaceChoice.DEFACE: "The face is removed from a series that shows one; where it cannot be located with certainty, "
    "the series is held back.",
}
LIMITS = (
    "Pseudonymised data remain personal data (GDPR recital 26): who holds the source's key can link them to people.",
    "A text is cleaned by what is known of this patient's study, by patterns and by a vocabulary. A nickname that is "
    "also a clinical word cannot be told from one.",
    "Shifted dates keep their intervals. Who knows two dates of a person's care can recognise their distance.",
    "Rare combinations of sex, age, device and disease can single a person out; `cie risk` measures that.",
    "Image content itself (an implant, a rare anomaly) can identify. No profile of the standard removes it.",
    "Private attributes are judged by public lists of what makers put there. A maker can change that; kept texts, "
    "dates and UIDs are treated nevertheless, and bytes that nobody can read are always removed.",
)


def conformance_report(policy: Policy) -> str:
    """The report in Markdown."""
    return "\n".join(_lines(policy)).rstrip() + "\n"


def _lines(policy: Policy) -> Iterator[str]:
    yield f"# De-identification under the policy `{policy.name}`"
    yield ""
    if policy.description:
        yield " ".join(policy.description.split())
        yield ""
    yield f"Policy version (SHA-256 over the policy, all tables and word lists): `{policy.digest}`. Every delivered"
    yield "series' manifest names it."
    yield ""
    yield "## Profile and options"
    yield ""
    yield f"DICOM PS3.15 Annex E, Table E.1-1, edition {EDITION}: {_count(EDITION)} attributes and rules for groups of"
    yield f"attributes; {_count() - _count(EDITION)} more attributes that later editions added."
    yield ""
    yield "| Chosen | Code (CID 7050) | Profile or option |"
    yield "|---|---|---|"
    yield f"| yes | {METHOD_CODES[None][0]} | {METHOD_CODES[None][1]} |"
    for option in TABLE_OPTIONS:
        code, name = METHOD_CODES[option]
        yield f"| {'yes' if option in policy.options else 'no'} | {code} | {name} |"
    clean = "no" if policy.pixels is PixelChoice.QUARANTINE else "where text was blanked"
    yield f"| {clean} | {METHOD_CODES[Option.CLEAN_PIXEL_DATA][0]} | {METHOD_CODES[Option.CLEAN_PIXEL_DATA][1]} |"
    face = "where a face was removed" if policy.faces is FaceChoice.DEFACE else "no"
    code, name = METHOD_CODES[Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES]
    yield f"| {face} | {code} | {name} |"
    yield ""
    yield from _identity(policy)
    yield from _groups(policy)
    yield from _exceptions(policy)
    yield from _private(policy)
    yield "## Pictures"
    yield ""
    yield f"- Burned-in text: {PIXELS[policy.pixels]}"
    yield f"- Faces: {FACES[policy.faces]}"
    yield "- Overlays, curves and preview pictures in the header are removed."
    yield ""
    yield "## Limits"
    yield ""
    yield from (f"- {limit}" for limit in LIMITS)
    yield ""
    yield from _every_attribute(policy)


def _identity(policy: Policy) -> Iterator[str]:
    yield "## Who is who"
    yield ""
    yield "- Patient's name and number become one pseudonym, made with a secret key of the source (HMAC-SHA256). It"
    yield "  cannot be computed without the key; the same patient always gets the same one."
    kept = (
        "stay as they are" if Option.RETAIN_UIDS in policy.options else "become keyed ones, the same in every reference"
    )
    yield f"- UIDs of studies, series and objects {kept}."
    if Option.RETAIN_FULL_DATES in policy.options:
        yield "- Dates stay as they are."
    elif Option.RETAIN_MODIFIED_DATES in policy.options:
        yield "- Dates move by one secret number of days for each patient; intervals stay exact, times of day stay."
    else:
        yield "- Dates and times are removed or emptied."
    yield f"- A date within a text that stays: {policy.dates_in_text.value}."
    yield "- Every value that stays is searched for what the study's headers say of the patient, of physicians and of"
    yield "  the institution; where one is found, the value is cleaned or removed."
    yield ""


def _groups(policy: Policy) -> Iterator[str]:
    yield "## What happens to each group of attributes"
    yield ""
    yield "Counted over the attributes that the standard or our own list calls identifying, in a CT image."
    yield ""
    yield "| Group | What it says | Removed or emptied | Replaced | Shifted | Cleaned | Kept |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for name, groups, says in (*GROUPS, ("All others", (), "media, presentation, signatures, …")):
        count = Counter(_bucket(policy, tag) for tag in _listed() if _in(tag, groups))
        cells = " | ".join(str(count[bucket]) for bucket in ("removed", "replaced", "shifted", "cleaned", "kept"))
        yield f"| {name} | {says} | {cells} |"
    yield ""
    yield "Attributes that no list names are judged by their kind: numbers and codes stay, texts are cleaned, UIDs are"
    yield "replaced, dates are treated as above; names of persons, addresses, bytes and what is unknown go."
    yield ""


def _exceptions(policy: Policy) -> Iterator[str]:
    yield "## Exceptions of this policy"
    yield ""
    if not policy.overrides:
        yield "None."
    for one in policy.overrides:
        what = _private_name(one) if one.private is not None else ", ".join(keyword_of(tag) for tag in sorted(one.tags))
        yield f"- **{one.treatment.value}**{_when(one)}: {what}. Why: {one.why}."
    yield ""


def _private(policy: Policy) -> Iterator[str]:
    yield "## Private attributes of makers"
    yield ""
    if Option.RETAIN_SAFE_PRIVATE not in policy.options:
        yield "All are removed, but for exceptions named above."
    else:
        book = compile_policy(policy, sop_class_uid=CT)
        done = Counter(
            book.private(one.creator, one.group, one.offset, one.vrs[0] if one.vrs else "UN").treatment
            for one in safe_private().values()
        )
        gone, unread = done[Treatment.REMOVE], sum(not one.vrs for one in safe_private().values())
        creators = len({creator for creator, _ in safe_blocks()})
        treated = done[Treatment.CLEAN], done[Treatment.UID], done[Treatment.SHIFT] + done[Treatment.SHIFT_SECONDS]
        yield f"Of {len(safe_private()):,} attributes of {creators} creators that public lists call safe,"
        yield f"{done[Treatment.KEEP]:,} numbers stay as they are, {treated[0]} texts are cleaned, {treated[1]} UIDs"
        yield f"replaced, {treated[2]} dates shifted, {done[Treatment.RECURSE]} sequences treated item by item, and"
        yield f"{gone} removed after all, {unread} of those because no list says how to read them"
        yield "(they stay where the file itself says it). All others are removed, with blocks whose"
        yield "creator is unknown. Sources: PS3.15 section E.3.10 and the private tag knowledge base of The"
        yield "Cancer Imaging Archive."
    yield ""


def _every_attribute(policy: Policy) -> Iterator[str]:
    book = compile_policy(policy, sop_class_uid=CT)
    yield "## Every attribute, one by one"
    yield ""
    yield "At the top level of a CT image. `cie policy explain` tells it for any other object."
    yield ""
    yield "| Tag | Attribute | Table E.1-1 | Treatment |"
    yield "|---|---|---|---|"
    for tag in _listed():
        row = rows().get(tag)
        code = row.basic.code if row is not None else "not in it"
        rule = book.rule(tag, (vr_of(tag) or "UN").split(" or ", maxsplit=1)[0])
        yield f"| {tag >> 16:04X},{tag & 0xFFFF:04X} | {keyword_of(tag)} | {code} | {rule.treatment.value} |"
    for name, row in group_rows().items():
        if name != "private":
            yield f"| {name} | {row.keyword} | {row.basic.code} | remove |"
    yield ""
    yield "Treatments: " + "; ".join(f"*{word}*: {meaning}" for word, meaning in sorted(MEANING.items())) + "."


def _listed() -> list[int]:
    return sorted(rows().keys() | beyond().keys())


def _in(tag: int, groups: tuple[str, ...]) -> bool:
    named = {group for _, names, _ in GROUPS for group in names}
    group = f"{tag >> 16:04X}"
    return group in groups if groups else group not in named


def _bucket(policy: Policy, tag: int) -> str:
    rule = compile_policy(policy, sop_class_uid=CT).rule(tag, (vr_of(tag) or "UN").split(" or ", maxsplit=1)[0])
    return {
        "remove": "removed",
        "empty": "removed",
        "shift": "shifted",
        "shift_seconds": "shifted",
        "clean": "cleaned",
        "recurse": "cleaned",
        "keep": "kept",
        "age": "kept",
    }.get(rule.treatment.value, "replaced")


def _count(edition: str | None = None) -> int:
    return sum(edition in (None, row.edition) for row in (*rows().values(), *group_rows().values()))


def _private_name(one: Override) -> str:
    if one.private is None:
        return ""
    group = "all groups" if one.private.group is None else f"group {one.private.group:04X}"
    offsets = ", ".join(f"xx{offset:02X}" for offset in sorted(one.private.offsets)) or "the whole block"
    return f"private attributes of `{one.private.creator}`, {group}, {offsets}"


def _when(one: Override) -> str:
    parts = [*sorted(one.when.sop_classes), *sorted(one.when.modalities), *sorted(one.when.manufacturers)]
    return f" (only {', '.join(parts)})" if parts else ""
