"""What a policy promises of its results, in the verifier's words."""

from __future__ import annotations

from ingestion.deidentify.instance import shift_of
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.profile import Option
from ingestion.deidentify.verification import Expectation, Kind
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

_KEPT: dict[Option, frozenset[Kind]] = {
    Option.RETAIN_DEVICE_IDENTITY: frozenset({Kind.DEVICE}),
    Option.RETAIN_INSTITUTION_IDENTITY: frozenset({Kind.PLACE}),
    Option.RETAIN_FULL_DATES: frozenset({Kind.DATE}),
    Option.RETAIN_UIDS: frozenset({Kind.UID}),
}
"""The kinds of identity that an option keeps on purpose."""


def expectation_of(policy: Policy, pseudonyms: Pseudonyms, patient: PatientIdentity) -> Expectation:
    """What the result of an object of ``patient`` must be like."""
    full = Option.RETAIN_FULL_DATES in policy.options
    private = Option.RETAIN_SAFE_PRIVATE in policy.options or any(one.private for one in policy.overrides)
    return Expectation(
        patient_id=pseudonyms.patient(patient),
        shift_days=None if full else shift_of(policy, pseudonyms, patient),
        kept=frozenset().union(*(_KEPT[option] for option in policy.options if option in _KEPT)),
        private=private,
    )
