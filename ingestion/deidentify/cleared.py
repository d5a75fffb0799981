"""A second try for an object in which the verifier found something: the elements it names are emptied.

The two know different words on purpose. Where the cleaner takes a word for an ordinary one and the verifier for a name,
the text goes, and the image stays; what the verifier then still finds quarantines the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ingestion.deidentify.rules import Rule, RuleBook, Treatment
from ingestion.deidentify.verification import Finding

IDENTITY_RULES = frozenset({"verify.identity", "verify.date", "verify.unchanged"})
"""Findings that lie in the text of one element. A UID that is left is a fault of the rewriter, and no text."""
_LAST_TAG = re.compile(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)$")
_EMPTIED = Rule(Treatment.EMPTY, "the second look found an identity in it")
_DUMMIED = Rule(Treatment.DUMMY, "the second look found an identity in it, and it must have a value")
_REMOVED = Rule(Treatment.REMOVE, "the second look found an identity in it")


def tags_to_clear(findings: Iterable[Finding]) -> frozenset[int]:
    """The elements that a second try empties; none where a finding lies elsewhere."""
    tags: set[int] = set()
    for finding in findings:
        match = _LAST_TAG.search(finding.tag or "") if finding.rule in IDENTITY_RULES else None
        if match is None:
            return frozenset()
        tags.add(int(match.group(1) + match.group(2), 16))
    return frozenset(tags)


@dataclass(frozen=True)
class ClearedRules:
    """``RuleBook`` that empties some elements and asks another about the rest."""

    book: RuleBook = field(repr=False)
    tags: frozenset[int]

    def rule(self, tag: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        """As the other book, but for the cleared elements, wherever they stand."""
        rule = self.book.rule(tag, vr, path=path)
        if tag not in self.tags:
            return rule
        return _DUMMIED if rule.fallback is Treatment.DUMMY else _EMPTIED

    def private(self, creator: str, group: int, element: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        """Likewise; by group and offset, whatever the block."""
        cleared = any(tag >> 16 == group and tag & 0xFF == element for tag in self.tags)
        return _REMOVED if cleared else self.book.private(creator, group, element, vr, path=path)
