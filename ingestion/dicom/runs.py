"""Runs of elements that a header shares with those before it: the slices of a series differ in a dozen elements.

A run is bytes. Where the same bytes stand again at the top level, every walk over the header may step over them and
take what it found in them before. Nothing is concluded from likeness: a run that differs in one byte is walked over
element by element, as everything is that no run covers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.dicom.elements import Buffer
from ingestion.dicom.encoding import (
    DELIMITERS,
    IMPLICIT_LITTLE,
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED,
    Encoding,
    dictionary_vr,
)
from ingestion.dicom.header import CHARSET, PIXEL_GROUP, Place, end_of_sequence, malformed, truncated

LONGEST = 1 << 16
"""Bytes of the longest element that can be part of a run: longer ones are looked at where they lie."""
FEWEST = 2
"""Elements of a run: one alone is found as fast without."""
MANY_FRAMES = 0x5200
"""The group of the functional groups: sequences of thousands of items, not worth a walk just to find their end."""
PLACES_KEPT = 8
"""Positions for which a run's places are kept: a few values before it vary in length, by two characters or so."""
WORTH = 0.5
"""Share of a header's elements that runs must cover; below, its like hasn't been met yet, and all is begun anew."""
LONGEST_PAUSE = 64
"""Headers that are not learnt from after many in a row that were unlike: a folder of unlike ones costs no more."""


@dataclass(frozen=True, slots=True)
class RunElement:
    """One element; the numbers count from the start of its run. ``length``: as it is encoded, UNDEFINED too."""

    tag: int
    vr: bytes
    start: int
    value: int
    stop: int
    length: int


@dataclass(slots=True, eq=False)
class Run:
    """Elements in a row, all of one side of every tag that stands apart. Compared by identity."""

    data: bytes = field(repr=False)
    elements: tuple[RunElement, ...] = field(repr=False)
    size: int = field(init=False)
    first: int = field(init=False)
    last: int = field(init=False)
    last_group: int = field(init=False)
    _places: dict[int, dict[int, Place]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.size = len(self.data)
        self.first, self.last = self.elements[0].tag, self.elements[-1].tag
        self.last_group = self.last >> 16

    def places_at(self, position: int) -> dict[int, Place]:
        """Where its elements are when it starts at ``position``."""
        found = self._places.get(position)
        if found is None:
            if len(self._places) >= PLACES_KEPT:
                self._places.clear()
            found = self._places[position] = {
                item.tag: (item.vr, position + item.start, position + item.value, position + item.stop)
                for item in self.elements
            }
        return found


Runs = Mapping[int, Run]
"""Runs by their position in one buffer."""
NO_RUNS: Runs = {}


@dataclass(frozen=True, slots=True)
class Outline:
    """One header: ``runs`` in it, and the ``places`` of the elements before ``SharedRuns.bound``; None where they are
    not known yet."""

    runs: Runs
    places: dict[int, Place] | None


NO_OUTLINE = Outline(NO_RUNS, None)


@dataclass(slots=True)
class SharedRuns:
    """What the headers of a folder or series have in common, learnt from them as they come.

    ``apart``: tags that are never part of a run, and that no run spans; nor does one span ``bound``, the first tag of
    a later part of the header. ``alike`` counts headers in which all runs were met, ``odd`` all others: what is unlike
    in them, or all of it, is walked over element by element.
    """

    apart: frozenset[int]
    bound: int
    alike: int = 0
    odd: int = 0
    _edges: list[int] = field(init=False, repr=False)
    _runs: list[Run] = field(default_factory=list, repr=False)
    _encoding: Encoding | None = field(default=None, repr=False)
    _pause: int = 0
    _unlike: int = 0

    def __post_init__(self) -> None:
        self.apart |= {CHARSET}  # it says how the elements after it are read
        self._edges = sorted({*self.apart, self.bound})

    def find(self, buffer: Buffer, start: int, encoding: Encoding) -> Outline:
        """The runs of the data set from ``start``.

        There are none in a header that is broken, or whose tags are not in ascending order, or that has sequences of
        many frames whose end is not told. Nothing is raised: what is wrong with it is for the walks to say.
        """
        outline = self._met(buffer, start, encoding) if encoding is self._encoding else NO_OUTLINE
        if len(outline.runs) == len(self._runs) > 0:
            self.alike, self._unlike = self.alike + 1, 0
            return outline
        self.odd += 1
        if self._pause:
            self._pause -= 1
        else:
            self._learn(buffer, start, encoding)
        return outline

    def _met(self, buffer: Buffer, start: int, encoding: Encoding) -> Outline:
        runs: dict[int, Run] = {}
        places: dict[int, Place] = {}
        position, end, before, bound = start, len(buffer), -1, self.bound
        waiting = iter(self._runs)
        run = next(waiting, None)
        try:
            while True:
                if run is not None and buffer[position : position + run.size] == run.data:
                    if run.first <= before:
                        return NO_OUTLINE
                    runs[position] = run
                    if run.last < bound:
                        places.update(run.places_at(position))
                    before, position = run.last, position + run.size
                    run = next(waiting, None)
                    continue
                element = _element(buffer, position, end, encoding)
                if element is None:
                    return Outline(runs, places)
                tag, vr, value, stop, _ = element
                if tag <= before:
                    return NO_OUTLINE
                if tag < bound:
                    places[tag] = (vr, position, value, stop)
                before, position = tag, stop
                while run is not None and run.first <= tag:
                    run = next(waiting, None)
        except InstanceRefusedError:
            return NO_OUTLINE

    def _learn(self, buffer: Buffer, start: int, encoding: Encoding) -> None:
        """What of the runs is in this header too; where that is too little, all of this header."""
        try:
            elements = list(_elements(buffer, start, encoding))
        except InstanceRefusedError:
            return
        if any(later[0] <= earlier[0] for earlier, later in pairwise(elements)):
            return
        fitting = [element for element in elements if self._may_be_shared(element)]
        known = self._known() if encoding is self._encoding else {}
        shared = []
        for element in fitting:
            tag, _, start_, _, stop, _ = element
            number, data = known.get(tag, (0, None))
            if data == buffer[start_:stop]:
                shared.append((element, (self._place(tag), number)))
        if len(shared) < WORTH * len(fitting):
            self._unlike += 1
            self._pause = min(LONGEST_PAUSE, 2 ** (self._unlike - 1) - 1)
            shared = [(element, (self._place(element[0]), 0)) for element in fitting]
        self._encoding = encoding
        self._runs = list(_grouped(buffer, shared))

    def _known(self) -> dict[int, tuple[int, bytes]]:
        """The elements of all runs: the number of the run, and the bytes."""
        return {
            item.tag: (number, run.data[item.start : item.stop])
            for number, run in enumerate(self._runs)
            for item in run.elements
        }

    def _place(self, tag: int) -> int:
        return bisect_right(self._edges, tag)

    def _may_be_shared(self, element: _Parsed) -> bool:
        tag, _, start, _, stop, _ = element
        creator = tag >> 16 & 1 and 0x0F < tag & 0xFFFF < 0x100  # it opens a block for what follows
        return not creator and tag not in self.apart and stop - start <= LONGEST


# Tag, VR, where the element starts, where its value starts, where it stops, its length as encoded.
_Parsed = tuple[int, bytes, int, int, int, int]


def _element(buffer: Buffer, position: int, end: int, encoding: Encoding) -> tuple[int, bytes, int, int, int] | None:
    """Tag, VR, start of the value, where the element stops, and its length as encoded; None where the header ends.

    Raises:
        InstanceRefusedError: the header is broken here, or goes on with the sequences of many frames.
    """
    if position == end:
        return None
    if end - position < 12:
        raise truncated("the data ends within an element's head, or with an empty element")
    if encoding.implicit:
        group, number, length = encoding.head.unpack_from(buffer, position)
        vr, value = b"", position + 8
    else:
        group, number, vr, length = encoding.head.unpack_from(buffer, position)
        value = position + 8
        if vr in LONG_VRS:
            value, length = position + 12, encoding.u32.unpack_from(buffer, position + 8)[0]
        elif vr not in SHORT_VRS:
            raise malformed("dicom.vr", "an element has no value representation of the standard's")
    if group == DELIMITERS:
        raise malformed("dicom.sequence", "an item or a delimiter outside a sequence")
    if group >= PIXEL_GROUP:  # pixels, their tables and padding: no walk looks for texts in them
        return None
    tag = group << 16 | number
    if length == UNDEFINED:
        vr = dictionary_vr(tag).encode() if encoding.implicit else vr
        if vr not in (b"SQ", b"UN") or group >= MANY_FRAMES:
            raise malformed("dicom.length", "an element that is no sequence has no length, or many frames follow")
        stop = end_of_sequence(buffer, value, IMPLICIT_LITTLE if vr == b"UN" else encoding, depth=1)
    else:
        stop = value + length
    if stop > end:
        raise truncated("an element's value passes the end of the file")
    return tag, vr, value, stop, length


def _elements(buffer: Buffer, position: int, encoding: Encoding) -> Iterator[_Parsed]:
    end = len(buffer)
    while (element := _element(buffer, position, end, encoding)) is not None:
        tag, vr, value, stop, length = element
        yield tag, vr, position, value, stop, length
        position = stop


def _grouped(buffer: Buffer, shared: Iterable[tuple[_Parsed, tuple[int, int]]]) -> Iterator[Run]:
    """Neighbours of one kind as runs. The kind has the number of the run that they were part of: what was once apart
    stays apart, so that what comes and goes between two elements is met once only."""
    row: list[_Parsed] = []
    kind = None
    for element, own in shared:
        if row and (own != kind or row[-1][4] != element[2]):
            yield from _run(buffer, row)
            row = []
        row.append(element)
        kind = own
    yield from _run(buffer, row)


def _run(buffer: Buffer, row: list[_Parsed]) -> Iterator[Run]:
    if len(row) >= FEWEST:
        origin = row[0][2]
        yield Run(
            buffer[origin : row[-1][4]],
            tuple(
                RunElement(tag, vr, start - origin, value - origin, stop - origin, length)
                for tag, vr, start, value, stop, length in row
            ),
        )
