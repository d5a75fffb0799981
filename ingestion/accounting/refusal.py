"""The one way to say that an object is quarantined."""

from __future__ import annotations

from ingestion.accounting.states import Reason


class InstanceRefusedError(Exception):
    """This object cannot go on. ``rule`` names what fired (``dicom.truncated``); ``detail`` never holds identities.

    Anything else that goes wrong (store, database, source gone) is not the object's fault and is another exception.
    """

    def __init__(self, reason: Reason, *, rule: str, detail: str) -> None:
        super().__init__(reason, rule, detail)
        self.reason = reason
        self.rule = rule
        self.detail = detail

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.reason, self.rule, self.detail)

    def __str__(self) -> str:
        return f"{self.reason.value} [{self.rule}]: {self.detail}"


def _rebuild(reason: Reason, rule: str, detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(reason, rule=rule, detail=detail)
