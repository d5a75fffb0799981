"""A de-identification policy: which options of the profile apply, with which exceptions. YAML, validated, known by its
content digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from ingestion.deidentify.overrides import Override
from ingestion.deidentify.policy_file import PolicyFile, problems
from ingestion.deidentify.profile import METHOD_CODES, PACKAGE, Option, read_text
from ingestion.strict_yaml import YamlFileError, parse_yaml

WORDS = "clinical_words.txt"


class PolicyError(ValueError):
    """A policy that is not there or says something unknown; the message names the file and, one a line, all that is
    wrong."""


class PixelChoice(StrEnum):
    """What happens to an image that shows text which may identify."""

    CLEAN = "clean"  # blank what rules and the detector find; goes on once nothing more is seen, else quarantined
    RULES = "rules"  # blank what rules cover; any text beside it is for a person
    QUARANTINE = "quarantine"  # whole kinds of object, unlooked at


class FaceChoice(StrEnum):
    """What happens to a series from which a face can be recognised."""

    FLAG = "flag"
    QUARANTINE = "quarantine"
    DEFACE = "deface"


class DatesInText(StrEnum):
    """What happens to a date within a text that stays."""

    SHIFT = "shift"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Policy:
    """``digest`` covers what the policy says and all tables and word lists that de-identification uses."""

    name: str
    options: frozenset[Option]
    digest: str
    words: frozenset[str] = field(repr=False)
    description: str = ""
    pixels: PixelChoice = PixelChoice.QUARANTINE
    faces: FaceChoice = FaceChoice.QUARANTINE
    dates_in_text: DatesInText = DatesInText.REMOVE
    overrides: tuple[Override, ...] = ()

    @property
    def method_codes(self) -> tuple[tuple[str, str], ...]:
        """CID 7050 codes of the profile and the options of the header; those of pixels are declared where done."""
        chosen = sorted((METHOD_CODES[option] for option in self.options), key=lambda code: code[0])
        return (METHOD_CODES[None], *chosen)


def shipped_policies() -> tuple[str, ...]:
    """Names of the policies that come with the product."""
    folder = resources.files(PACKAGE).joinpath("policies")
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")))


def load_policy(name: str) -> Policy:
    """A shipped policy by its name, or one of your own by the path of its YAML file.

    Raises:
        PolicyError: no such policy, or its content is wrong.
    """
    own = Path(name)
    if own.suffix in (".yaml", ".yml"):
        if not own.is_file():
            raise PolicyError(f"policy file {own} does not exist")
        try:
            body = own.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PolicyError(f"policy file {own} cannot be read as UTF-8 text: {type(error).__name__}") from None
    elif name in shipped_policies():
        body = resources.files(PACKAGE).joinpath("policies", f"{name}.yaml").read_text(encoding="utf-8")
    else:
        raise PolicyError(f"no policy {name!r}: give {', '.join(shipped_policies())} or the path of a .yaml file")
    return _policy(body, place=name)


def _policy(body: str, *, place: str) -> Policy:
    try:
        content = parse_yaml(body, place=place)
    except YamlFileError as error:
        raise PolicyError(str(error)) from None
    if not isinstance(content, dict):
        raise PolicyError(f"{place}: a policy is a mapping with 'name' and 'options'")
    try:
        file = PolicyFile.model_validate(content)
    except ValidationError as error:
        raise PolicyError("\n  ".join((f"{place}:", *problems(error)))) from None
    said = json.dumps(
        file.model_dump(mode="json", exclude={"description"}) | {"options": sorted(file.options)}, sort_keys=True
    )
    return Policy(
        name=file.name,
        options=frozenset(file.options),
        digest=hashlib.sha256(f"{said}\n{tables_digest()}".encode()).hexdigest(),
        words=frozenset(word for line in read_text(WORDS) for word in line.split()),
        description=file.description.strip(),
        pixels=PixelChoice(file.pixels),
        faces=FaceChoice(file.faces),
        dates_in_text=DatesInText(file.dates_in_text),
        overrides=tuple(part.build() for part in file.overrides),
    )


@cache
def tables_digest() -> str:
    """SHA-256 over every table and word list of de-identification, by name and content."""
    digest = hashlib.sha256()
    for file in sorted(resources.files(PACKAGE).joinpath("tables").iterdir(), key=lambda file: file.name):
        if file.is_file():
            digest.update(f"{file.name}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
