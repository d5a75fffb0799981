"""A second look at the result, by code that shares nothing with the rewriter, the text cleaner or pydicom's writer.

It walks the raw object itself, gathers what identifies somebody, and searches every byte of the result but the samples
of its pixels, in every encoding that a header can hold text in. What it does not find, stated plainly: identities in
samples (the pixel cleaner's evidence is for that), values encrypted or compressed inside an attribute, misspelt names,
and single words of a name that are ordinary words (``words.ORDINARY``) standing alone.
"""

from ingestion.deidentify.verification.check import Verifier, verify
from ingestion.deidentify.verification.findings import Expectation, Finding, Kind
from ingestion.deidentify.verification.identities import Identities, identities_in
from ingestion.deidentify.verification.walk import UnreadableError, read_layout

__all__ = [
    "Expectation", "Finding", "Identities", "Kind", "UnreadableError", "Verifier", "identities_in", "read_layout",
    "verify",
]  # fmt: skip
