"""Checks that look at the objects of a series themselves: integrity, geometry, pixels, annotations."""

from __future__ import annotations

import hashlib
import json

from quality_checks.imaging import annotation_rules, conformance, content, geometry_rules, integrity, modality, readable
from quality_checks.model import Rule

RULES: tuple[Rule, ...] = (
    *integrity.RULES,
    *geometry_rules.RULES,
    *readable.RULES,
    *content.RULES,
    *modality.RULES,
    *annotation_rules.RULES,
    *conformance.RULES,
)
"""Every imaging rule, in the order in which it is shown."""


def rules_digest() -> str:
    """Digest (16 hex digits) of the imaging rules: ids and versions."""
    said = json.dumps(sorted((rule.id, rule.version) for rule in RULES))
    return hashlib.sha256(said.encode()).hexdigest()[:16]
