"""A de-identification policy: the profile options that apply. YAML, validated, known by its content digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import yaml

from ingestion.deidentify.profile import EDITION, TABLE, Option, read_text

WORDS = "clinical_words.txt"


class PolicyError(ValueError):
    """A policy that is not there or says something unknown; the message names the file and all that is wrong."""


@dataclass(frozen=True, slots=True)
class Policy:
    """``digest`` covers the options, the profile's table and the words that may stay in free text."""

    name: str
    options: frozenset[Option]
    digest: str
    words: frozenset[str] = field(repr=False)


def load_policy(name: str) -> Policy:
    """A shipped policy by its name, or one of your own by the path of its YAML file.

    Raises:
        PolicyError: no such policy, or its content is wrong.
    """
    shipped = resources.files("ingestion.deidentify").joinpath("policies", f"{Path(name).name}.yaml")
    own = Path(name)
    if own.suffix in (".yaml", ".yml"):
        if not own.is_file():
            raise PolicyError(f"policy file {own} does not exist")
        body = own.read_text(encoding="utf-8")
    elif shipped.is_file() and own.name == name:
        body = shipped.read_text(encoding="utf-8")
    else:
        raise PolicyError(f"no policy {name!r}: give platform-default, strict-basic or the path of a .yaml file")
    return _policy(body, place=name)


def _policy(body: str, *, place: str) -> Policy:
    try:
        content = yaml.safe_load(body)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise PolicyError(f"{place}: not YAML" + (f", line {mark.line + 1}" if mark else "")) from None
    if not isinstance(content, dict):
        raise PolicyError(f"{place}: a policy is a mapping with 'name' and 'options'")
    options = content.get("options", [])
    wrong = [f"unknown field {field!r}" for field in content if field not in ("name", "options")]
    if not isinstance(content.get("name"), str) or not content.get("name"):
        wrong.append("'name' must be a text")
    if not isinstance(options, list):
        wrong.append("'options' must be a list")
        options = []
    known = {option.value for option in Option}
    wrong += [f"unknown option {option!r}; known: {', '.join(sorted(known))}" for option in options
              if option not in known]  # fmt: skip
    if wrong:
        raise PolicyError(f"{place}: " + "; ".join(wrong))
    chosen = frozenset(Option(option) for option in options)
    words = read_text(WORDS)
    parts = [EDITION, *sorted(chosen), *read_text(TABLE), *words]
    return Policy(
        name=content["name"],
        options=chosen,
        digest=hashlib.sha256("\n".join(parts).encode()).hexdigest(),
        words=frozenset(word for line in words for word in line.split()),
    )
