"""Exceptions of a policy: for attributes, or private attributes of a creator, in objects of some kind."""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.deidentify.rules import TextKind, Treatment


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """What a policy can tell objects apart by. ``manufacturer`` as the header has it."""

    sop_class_uid: str
    modality: str
    manufacturer: str


@dataclass(frozen=True, slots=True)
class Condition:
    """The objects that an exception is for; an empty set is no condition."""

    sop_classes: frozenset[str] = frozenset()
    modalities: frozenset[str] = frozenset()
    manufacturers: frozenset[str] = frozenset()

    def holds(self, kind: ObjectKind) -> bool:
        """Manufacturers are compared by their beginning, in any case: SIEMENS, Siemens Healthineers."""
        maker = kind.manufacturer.strip().casefold()
        return (
            (not self.sop_classes or kind.sop_class_uid in self.sop_classes)
            and (not self.modalities or kind.modality in self.modalities)
            and (not self.manufacturers or any(maker.startswith(name.casefold()) for name in self.manufacturers))
        )

    @property
    def weight(self) -> int:
        """How many conditions: the most specific exception wins."""
        return bool(self.sop_classes) + bool(self.modalities) + bool(self.manufacturers)


@dataclass(frozen=True, slots=True)
class PrivateAttributes:
    """Private attributes of one creator; without ``group`` all groups, without ``offsets`` the whole block."""

    creator: str
    group: int | None = None
    offsets: frozenset[int] = frozenset()

    def covers(self, creator: str, group: int, offset: int) -> bool:
        return (
            creator == self.creator
            and self.group in (None, group)
            and (not self.offsets or offset in self.offsets)
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Override:
    """One exception: ``tags`` or ``private``, what to do, and why."""

    treatment: Treatment
    why: str
    tags: frozenset[int] = frozenset()
    private: PrivateAttributes | None = None
    text: TextKind | None = None
    when: Condition = Condition()
