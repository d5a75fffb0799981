"""One shape of all refusals that a worker gives back: a reason from an enum, and a detail without identities."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Any, Generic, TypeVar

ReasonT = TypeVar("ReasonT", bound=StrEnum)


class RefusedError(Exception, Generic[ReasonT]):
    """``detail`` holds numbers and DICOM keywords, never identities. It survives the way between processes."""

    def __init__(self, reason: ReasonT, *, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}"

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), detail=self.detail), (self.reason,)
