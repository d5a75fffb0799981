"""Which UIDs the standard gave out (PS3.6 annex A): they name classes, syntaxes and lists, never an object."""

from __future__ import annotations

import re

from pydicom.uid import UID_dictionary

ROOT = "1.2.840.10008."
_CONTEXT_GROUP = re.compile(r"1\.2\.840\.10008\.6\.1\.[1-9]\d{0,3}", re.ASCII)
"""Context groups are numbered on with every edition."""


def is_standard_uid(text: str) -> bool:
    """Whether ``text`` is one of them. The root alone says nothing: anybody can write a number of birth behind it."""
    return text in UID_dictionary or (text.startswith(ROOT) and _CONTEXT_GROUP.fullmatch(text) is not None)
