"""What is remembered while the objects of one patient are rewritten: what an element with these bytes became here.

``here`` is a scope: a path of sequences, a character set, an encoding. Within one, the same bytes become the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ingestion.deidentify.rules import RuleBook
from ingestion.deidentify.values import ValueRewriter
from ingestion.dicom.charset import Charset
from ingestion.dicom.encoding import Encoding
from ingestion.dicom.runs import Run

Part = bytes | memoryview
MAX_KEY = 1 << 14
"""Bytes of the longest element that is remembered: longer ones hardly come twice."""
MEMO_BYTES = 48 << 20
"""Bytes of keys and values after which all is forgotten: some ten thousand headers' worth of what differs."""
MAX_SCOPES = 2_000
"""Kinds of place (path, character set, encoding) that are kept apart: real objects have some dozens."""
# What an element became: its bytes, the index of its treatment, and of a sequence the counts of what is in it.
Done = tuple[Part, int, tuple[int, ...] | None]


@dataclass(frozen=True, slots=True)
class RunDone:
    """What a run became. ``counts``: how many elements by the index of their treatment. ``blocks``: the creators that
    private elements in it stand under, by block, None where there is none; ``used``: those of which something stays.
    """

    out: bytes = field(repr=False)
    counts: tuple[tuple[int, int], ...]
    blocks: tuple[tuple[int, str | None], ...]
    used: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Scope:
    """A kind of place: elements with the same bytes in the same scope become the same."""

    book: RuleBook = field(repr=False)
    path: tuple[int, ...]
    encoding: Encoding
    charset: Charset
    memo: dict[bytes, Done] = field(default_factory=dict, repr=False)
    private: dict[str, dict[bytes, Done]] = field(default_factory=dict, repr=False)
    creators: dict[bytes, str | None] = field(default_factory=dict, repr=False)
    runs: dict[Run, RunDone] = field(default_factory=dict, repr=False)


@dataclass(slots=True, eq=False)
class Block:
    """A private block of one data set. ``parts[place]``: its creator, which goes when nothing of the block stays."""

    creator: str
    memo: dict[bytes, Done]
    parts: list[Part]
    place: int
    used: bool = False


@dataclass(slots=True)
class ScopeMemo:
    """All scopes of one patient, bounded in number and bytes."""

    values: ValueRewriter
    held: int = 0
    scopes: dict[tuple[int, tuple[int, ...], Encoding, Charset], Scope] = field(default_factory=dict, repr=False)

    def scope(self, book: RuleBook, path: tuple[int, ...], encoding: Encoding, charset: Charset) -> Scope:
        key = (id(book), path, encoding, charset)  # a scope holds its book, so that the id stays its own
        found = self.scopes.get(key)
        if found is None:
            if len(self.scopes) >= MAX_SCOPES:
                self.scopes.clear()
            found = self.scopes[key] = Scope(book, path, encoding, charset)
        return found

    def keep_bounded(self) -> None:
        """Forget all when it has grown too large. Between instances only: an open scope must stay."""
        if self.held > MEMO_BYTES:
            self.scopes.clear()
            self.held = 0
