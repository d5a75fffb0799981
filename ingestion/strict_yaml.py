"""YAML of settings, policies, maps and the registry: PyYAML's safe loader, but a key that is given twice is an error.

YAML 1.2 (3.2.1.3) has it so; PyYAML lets the last one win without a word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

MERGE = "tag:yaml.org,2002:merge"


class YamlFileError(ValueError):
    """The file cannot be used; the message names it, what is wrong, the line where one is known, and the remedy."""


class _TwiceError(ValueError):
    """A key that stands twice in one mapping."""


class _Loader(yaml.SafeLoader):
    """The safe loader that refuses such a key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[Any, int] = {}
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag == MERGE or not isinstance(key_node, yaml.ScalarNode):
                continue  # what is merged in may be overridden; other keys the safe loader refuses itself
            key, line = self.construct_object(key_node), key_node.start_mark.line + 1
            if key in lines:
                raise _TwiceError(f"line {line}: {key} is given twice, first in line {lines[key]}; leave one out")
            lines[key] = line
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return found


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        YamlFileError: no such file, not text, not YAML, or a key that is given twice.
    """
    if not path.exists():
        raise YamlFileError(f"{path} does not exist; give a YAML file")
    if path.is_dir():
        raise YamlFileError(f"{path} is a folder; give a YAML file")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise YamlFileError(f"{path}: not readable ({error.strerror}); check the file") from None
    except UnicodeDecodeError:
        raise YamlFileError(f"{path}: not text in UTF-8; give a YAML file") from None
    return parse_yaml(text, place=str(path))


def parse_yaml(text: str, *, place: str) -> Any:
    """The content of YAML text; ``place`` names it in messages.

    Raises:
        YamlFileError: not YAML, or a key that is given twice.
    """
    try:
        return yaml.load(text, _Loader)  # a safe loader
    except _TwiceError as error:
        raise YamlFileError(f"{place}: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise YamlFileError(f"{place}: not readable as YAML{where}; check the file") from None
    except (ValueError, RecursionError) as error:  # such as a date that there is not
        said = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise YamlFileError(f"{place}: holds a value that cannot be read ({said}); check the file") from None
