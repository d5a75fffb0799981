"""Everything that stands for an identity, derived by HMAC-SHA256 under the source's key: same input, same output.

Each kind of identifier has its own prefix in the hashed message, so that equal strings of different kinds (an
accession number that equals a patient id) have unrelated pseudonyms.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass

from ingestion.identity.keys import SourceKey

SHIFT_DAYS_MIN = 366
SHIFT_DAYS_MAX = 1830
"""Every date of a patient moves back by one number of days from this range: at least a year, so that the year never
shows the true one with certainty, and at most five, so that the era of the technology stays recognisable."""


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """Who a patient is within a source. Values are compared as DICOM compares them: padding does not count."""

    patient_id: str
    issuer: str = ""

    def message(self) -> str:
        return f"{self.issuer.strip()}\x1f{self.patient_id.strip()}"


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """All pseudonyms of one source."""

    key: SourceKey

    def patient(self, patient: PatientIdentity) -> str:
        """PatientID of the result, unique over sources: ``<source>-<20 characters>`` (100 bits of the HMAC; VR LO)."""
        code = base64.b32encode(self._digest("patient", patient.message())).decode()[:20]
        return f"{self.key.source_id}-{code}"

    def uid(self, uid: str) -> str:
        """A UID under the root 2.25 (PS3.5 section B.2): 128 bits of the HMAC as a decimal number."""
        return f"2.25.{int.from_bytes(self._digest('uid', uid.strip())[:16], 'big')}"

    def accession(self, number: str, issuer: str = "") -> str:
        """An accession number of 16 characters (VR SH)."""
        return base64.b32encode(self._digest("accession", f"{issuer.strip()}\x1f{number.strip()}")).decode()[:16]

    def identifier(self, kind: str, value: str) -> str:
        """Any other identifier (device serial, study id, …) as 16 characters (VR SH)."""
        return base64.b32encode(self._digest(f"id/{kind}", value.strip())).decode()[:16]

    def shift_days(self, patient: PatientIdentity) -> int:
        """Days (negative) to add to every date of this patient."""
        span = SHIFT_DAYS_MAX - SHIFT_DAYS_MIN + 1
        return -(SHIFT_DAYS_MIN + int.from_bytes(self._digest("shift", patient.message())[:8], "big") % span)

    def object_name(self, name: str) -> str:
        """What the platform keeps of a source object's name (it can hold identities): 32 hex digits."""
        return self._digest("object", name).hex()[:32]

    def content(self, sha256: bytes) -> str:
        """What the platform keeps of the digest of raw bytes: keyed, so that it recognises no file elsewhere."""
        return self._digest("content", sha256.hex()).hex()[:32]

    def _digest(self, kind: str, message: str) -> bytes:
        told = f"cie/{kind}\x1e{message}".encode("utf-8", "surrogateescape")
        return hmac.digest(self.key.secret, told, "sha256")
