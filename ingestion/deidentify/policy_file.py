"""What a policy's YAML file may say, and what is wrong with it: everything at once, each with the way to mend it."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal

import pydicom.uid
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydicom.uid import UID

from ingestion.deidentify.dictionary import Family, family_of, keyword_of, tag_of, vr_of
from ingestion.deidentify.overrides import Condition, Override, PrivateAttributes
from ingestion.deidentify.profile import OF_PIXELS, TABLE_OPTIONS, Option, rows
from ingestion.deidentify.rules import TextKind, Treatment

IDENTITIES = frozenset({0x00100010, 0x00100020, 0x0020000D, 0x0020000E, 0x00080018, 0x00020003, 0x00080016, 0x00020010})
"""PatientName, PatientID and the UIDs that tie objects together are pseudonyms under every policy; the SOP class and
the transfer syntax are what the object is."""
NEVER_KEPT = frozenset({
    "AccessionNumber", "IssuerOfPatientID", "MedicalRecordLocator", "NameToUse", "OtherPatientIDs",
    "OtherPatientIDsSequence", "PatientAddress", "PatientBirthDate", "PatientBirthTime", "PatientComments",
    "PatientInsurancePlanCodeSequence", "PatientTelecomInformation", "PatientTelephoneNumbers", "PersonAddress",
    "PersonTelecomInformation", "PersonTelephoneNumbers", "ReferringPhysicianAddress",
    "ReferringPhysicianTelephoneNumbers", "ResponsibleOrganization",
})  # fmt: skip
"""Direct identifiers: no policy can keep them as they are."""
DATES_OF_DOCUMENTS = frozenset({0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07})
"""Versions of context groups and templates: dates of the standard's documents, of no patient."""
_NOT_KEPT = frozenset({Family.PERSON, Family.ADDRESS})
_PLAIN = frozenset({Treatment.REMOVE, Treatment.EMPTY})
_ALLOWED: dict[Family, frozenset[Treatment]] = {
    Family.TEXT: _PLAIN | {Treatment.KEEP, Treatment.CLEAN, Treatment.DUMMY, Treatment.IDENTIFIER, Treatment.ACCESSION},
    Family.CODE: _PLAIN | {Treatment.KEEP, Treatment.CLEAN, Treatment.DUMMY},
    Family.NUMBER: _PLAIN | {Treatment.KEEP, Treatment.DUMMY, Treatment.SHIFT_SECONDS},
    Family.DATE: _PLAIN | {Treatment.KEEP, Treatment.SHIFT, Treatment.DUMMY},
    Family.TIME: _PLAIN | {Treatment.KEEP, Treatment.DUMMY},
    Family.UID: _PLAIN | {Treatment.UID, Treatment.KEEP},
    Family.AGE: _PLAIN | {Treatment.AGE, Treatment.DUMMY},
    Family.PERSON: _PLAIN | {Treatment.DUMMY},
    Family.ADDRESS: _PLAIN | {Treatment.DUMMY},
    Family.BINARY: _PLAIN | {Treatment.KEEP, Treatment.DUMMY},
    Family.SEQUENCE: _PLAIN | {Treatment.RECURSE},
    Family.UNKNOWN: frozenset({Treatment.REMOVE}),
}
_OFFSET = re.compile(r"^[0-9A-Fa-f]{2}$")
_GROUP = re.compile(r"^[0-9A-Fa-f]{3}[13579BDFbdf]$")
TagText = Annotated[str, Field(min_length=4, max_length=80)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WhenPart(_Part):
    """``when:`` of an override."""

    sop_class: list[str] = []
    modality: list[str] = []
    manufacturer: list[str] = []

    @field_validator("sop_class")
    @classmethod
    def _sop_classes(cls, names: list[str]) -> list[str]:
        return [_sop_class(name) for name in names]


class PrivatePart(_Part):
    """``private:`` of an override."""

    creator: str = Field(min_length=1, max_length=64)
    group: str | None = None
    elements: list[str] = []

    @field_validator("group")
    @classmethod
    def _group(cls, text: str | None) -> str | None:
        if text is not None and not _GROUP.match(text):
            raise ValueError(f"{text!r} is no private group: write four hexadecimal digits, odd, in quotes: '0019'")
        return text

    @field_validator("elements")
    @classmethod
    def _elements(cls, texts: list[str]) -> list[str]:
        wrong = [text for text in texts if not _OFFSET.match(text)]
        if wrong:
            how = "is no element offset: write its last two digits, in quotes: '0C'"
            raise ValueError("\n".join(f"{text!r} {how}" for text in wrong))
        return texts


class OverridePart(_Part):
    """One entry of ``overrides:``."""

    tags: list[TagText] = []
    private: PrivatePart | None = None
    treatment: Treatment
    text: TextKind | None = None
    why: str = Field(min_length=3, max_length=400)
    when: WhenPart = WhenPart()

    @field_validator("tags")
    @classmethod
    def _known(cls, tags: list[str]) -> list[str]:
        wrong = [f"{text!r} is no keyword and no gggg,eeee{_hint(text)}" for text in tags if tag_of(text) is None]
        if wrong:
            raise ValueError("\n".join(wrong))
        return tags

    @model_validator(mode="after")
    def _fits(self) -> OverridePart:
        if bool(self.tags) == (self.private is not None):
            raise ValueError("give either 'tags' or 'private'")
        if self.treatment in (Treatment.PSEUDONYM,):
            raise ValueError("'pseudonym' is for PatientName and PatientID, and done under every policy: drop it")
        wrong = [problem for text in self.tags if (problem := _misfit(text, self.treatment))]
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    def build(self) -> Override:
        """The exception as the rule book uses it."""
        private = None
        if self.private is not None:
            group = None if self.private.group is None else int(self.private.group, 16)
            offsets = frozenset(int(text, 16) for text in self.private.elements)
            private = PrivateAttributes(self.private.creator.strip(), group, offsets)
        text = self.text
        if text is None and self.treatment is Treatment.CLEAN:
            text = TextKind.DESCRIPTOR
        return Override(
            treatment=self.treatment,
            why=self.why,
            tags=frozenset(tag for tag in map(tag_of, self.tags) if tag is not None),
            private=private,
            text=text,
            when=Condition(
                frozenset(self.when.sop_class), frozenset(self.when.modality), frozenset(self.when.manufacturer)
            ),
        )


class PolicyFile(_Part):
    """The whole file."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    description: str = ""
    profile: Literal["basic"] = "basic"
    options: list[Option] = []
    pixels: Literal["clean", "rules", "quarantine"] = "quarantine"
    faces: Literal["flag", "quarantine", "deface"] = "quarantine"
    dates_in_text: Literal["shift", "remove"] = "remove"
    overrides: list[OverridePart] = []

    @field_validator("options", mode="before")
    @classmethod
    def _options(cls, options: Any) -> Any:
        if not isinstance(options, list):
            raise ValueError("must be a list")
        known = {option.value for option in TABLE_OPTIONS}
        wrong = [f"unknown option {option!r}" for option in options if option not in known]
        if wrong:
            pixels = [option for option in options if option in {one.value for one in OF_PIXELS}]
            hint = "; options of pixels follow from 'pixels' and 'faces'" if pixels else ""
            raise ValueError("\n".join(wrong) + f"; known: {', '.join(sorted(known))}{hint}")
        if {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= {Option(option) for option in options}:
            raise ValueError("retain_full_dates and retain_modified_dates exclude each other: choose one")
        return options

    @field_validator("dates_in_text")
    @classmethod
    def _dates(cls, choice: str, info: ValidationInfo) -> str:
        if choice == "shift" and Option.RETAIN_MODIFIED_DATES not in info.data.get("options", ()):
            raise ValueError("'shift' needs the option retain_modified_dates: add it, or say 'remove'")
        return choice


def problems(error: ValidationError) -> list[str]:
    """One line for each thing that is wrong, with its place in the file: overrides.0.tags is of the first override."""
    found = []
    for one in error.errors():
        place = ".".join(str(part) for part in one["loc"]) or "policy"
        if one["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(one["loc"][-1]), PolicyFile.model_fields, n=1)
            hint = f"; did you mean {near[0]!r}?" if near and len(one["loc"]) == 1 else "; drop it"
            found.append(f"{place}: unknown field {one['loc'][-1]!r}{hint}")
        elif one["type"] == "missing":
            found.append(f"{place}: is missing; add it")
        else:
            # a rule for a list tells of each of its entries, one a line
            found += [f"{place}: {line}" for line in one["msg"].removeprefix("Value error, ").splitlines()]
    return found


def _sop_class(name: str) -> str:
    if re.fullmatch(r"[0-9.]{5,64}", name):
        return name
    uid = getattr(pydicom.uid, name, None)
    if not isinstance(uid, UID):
        raise ValueError(f"{name!r} is no SOP class: give its UID or its keyword, as in CTImageStorage")
    return str(uid)


def _hint(text: str) -> str:
    near = difflib.get_close_matches(text, [row.keyword for row in rows().values()], n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _misfit(text: str, treatment: Treatment) -> str | None:
    tag = tag_of(text)
    if tag is None:
        return None
    vr = vr_of(tag)
    if tag in IDENTITIES:
        return f"{keyword_of(tag)} is treated the same under every policy: drop it"
    if vr is None:
        return f"{text}: the standard has no such attribute, and what is unknown goes: drop it"
    family = family_of(vr)
    if treatment is Treatment.KEEP and family in _NOT_KEPT:
        return f"{keyword_of(tag)} ({vr}) names people or stations and is never kept: remove, empty or dummy"
    if treatment in (Treatment.KEEP, Treatment.RECURSE) and keyword_of(tag) in NEVER_KEPT:
        return f"{keyword_of(tag)} identifies a person and is never kept: drop it"
    if treatment is Treatment.KEEP and family is Family.DATE and tag not in DATES_OF_DOCUMENTS:
        return f"{keyword_of(tag)} ({vr}) is a date: write 'shift', or choose the option retain_full_dates"
    if treatment not in _ALLOWED[family]:
        allowed = ", ".join(sorted(_ALLOWED[family]))
        return f"{keyword_of(tag)} ({vr}) cannot be treated by {treatment.value!r}: choose one of {allowed}"
    return None
