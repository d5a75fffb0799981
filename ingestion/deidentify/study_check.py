"""Whether de-identification made files of one study contradict each other: judged within the run, before a series is
stored.

dcentvfy (dicom3tools) sees one header of each series and outline (``study_identities.Outline``), without pixels, from
memory: all as delivered, and all as rewritten. What it says of the latter and not of the former came about here. Each
series is worked on alone, and sees the objects of its whole study; what is found is remembered by the process, so that
the further series of a study cost nothing.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.conformance_check import STUDY_JUDGE, judged_in_memory
from ingestion.deidentify.declaration import DECLARED, PIXEL_STATES
from ingestion.deidentify.instance import DeidentifiedInstance, InstanceDeidentifier
from ingestion.deidentify.iod_check import SHOWN, IodCheck, as_file, can_judge_studies
from ingestion.deidentify.study_identities import Outline, read_to_pixels
from ingestion.dicom.guard import guarded
from ingestion.sources.connector import Connector, SourceObject

RULE = "study.introduced"
MOST_FILES = 200
"""Headers of a study that are compared: each costs some milliseconds and an open file in memory."""
REMEMBERED = 512
"""Studies whose answer a process remembers."""
OWN_WORD = frozenset(keyword_for_tag(tag) for tag in DECLARED | PIXEL_STATES)
"""What each object states of its own de-identification, the earlier one it came with and that of its pixels included:
that objects of one patient state different things is true, and no contradiction."""
_ENTITIES = {
    "Patient": "patient", "Study": "study", "Series": "series", "FrameOfReference": "frame of reference",
    "Equipment": "equipment", "Instance": "instance",
}  # fmt: skip
_FILE = re.compile(r"file <([^<>]+)>(?: versus <([^<>]+)>)?")
_DIFFERS = re.compile(r"^Error - [^<>]* - Element=<(\w+)> IE=<(\w+)> for (.*)$")
_REUSED = re.compile(r"^Error - Different (\w+) for same (\w+) - (.*)$")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """``what``: without any value. ``files``: numbers of the files that are named, or of all where none is."""

    what: str
    files: frozenset[int]


@dataclass(slots=True)
class StudyAnswer:
    """What came about in a study, by series as delivered. ``judged``: the series that were compared."""

    known: bool = False
    named: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    judged: frozenset[str] = field(default=frozenset(), repr=False)
    calls: int = 0

    def check_series(self, series_uid: str) -> bool:
        """Whether the series was compared.

        Raises:
            InstanceRefusedError: IOD_INTRODUCED: it is part of a contradiction that came about.
        """
        found = self.named.get(series_uid, ())
        if found:
            detail = "; ".join(found[:SHOWN]) + (f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
            raise InstanceRefusedError(Reason.IOD_INTRODUCED, rule=RULE, detail=detail)
        return series_uid in self.judged


@lru_cache(maxsize=REMEMBERED)
def _remembered(key: tuple[object, ...]) -> StudyAnswer:
    """Empty at first; the same one for the same study under the same key and policy."""
    return StudyAnswer()


def judge_study(
    outlines: Iterable[tuple[Outline, SourceObject]],
    *,
    check: IodCheck,
    connector: Connector,
    deidentifier: InstanceDeidentifier,
) -> StudyAnswer:
    """Compare the files of a study, before and after; nothing where ``check`` is off or the tool is not there.

    Args:
        outlines: one object of each series and outline, of all series of the study.
        deidentifier: knows the identities of the study.

    Raises:
        JudgeMissingError: the check is required, and the tool is not there.
        SourceGoneError: the source went away.
    """
    check.check_start()
    if check is IodCheck.OFF or not can_judge_studies():
        return StudyAnswer(known=True)
    chosen = representatives(outlines)
    if len(chosen) < 2:  # there is nothing that it could contradict
        return StudyAnswer(known=True, judged=frozenset(outline.series_uid for outline, _ in chosen))
    pseudonyms = deidentifier.pseudonyms
    key = (connector, pseudonyms.key.source_id, pseudonyms.key.key_id, deidentifier.policy.digest, tuple(chosen))
    answer = _remembered((*key, frozenset(deidentifier.known)))
    if not answer.known:
        _judge(answer, [item for _, item in chosen], connector=connector, deidentifier=deidentifier)
    return answer


def representatives(outlines: Iterable[tuple[Outline, SourceObject]]) -> list[tuple[Outline, SourceObject]]:
    """Which objects are compared, in the order in which every series of the study sees them.

    dcentvfy compares each file with the last: that is one of the most frequent kind, which it is most likely to know.
    Of a study with too many, each series keeps its first.
    """
    found = list(outlines)
    kinds = Counter(outline.sop_class for outline, _ in found)
    found.sort(key=lambda one: (kinds[one[0].sop_class], one[0].sop_class, one[0].series_uid, one[1].name))
    if len(found) > MOST_FILES:
        seen: Counter[str] = Counter()
        places: dict[int, int] = {}
        for number, (outline, _) in enumerate(found):
            places[number] = seen[outline.series_uid]
            seen[outline.series_uid] += 1
        kept = sorted(places, key=lambda number: (places[number], number))[:MOST_FILES]
        found = [found[number] for number in sorted(kept)]
    return found


def _judge(
    answer: StudyAnswer, items: Sequence[SourceObject], *, connector: Connector, deidentifier: InstanceDeidentifier
) -> None:
    """Fill in what is found; the same whichever series asks first."""
    by_header = InstanceDeidentifier(
        deidentifier.policy, deidentifier.pseudonyms, deidentifier.known, look_at_pixels=False
    )
    rewritten: list[DeidentifiedInstance] = []
    for item in items:
        try:
            with connector.open(item) as stream, guarded("study"):
                rewritten.append(by_header.deidentify(read_to_pixels(stream, size=item.size)))
        except InstanceRefusedError:
            continue  # met again, and recorded, when the object's own turn comes
    series = [done.ids.series_uid for done in rewritten]
    answer.judged = frozenset(series)
    if len(rewritten) > 1:
        try:
            came_about = _introduced(answer, rewritten)
        except TimeoutError:
            _log.warning("dcentvfy took too long: the files of a study were not compared with each other")
            answer.judged, came_about = frozenset(), []
        for one in came_about:
            for uid in {series[number] for number in one.files}:
                answer.named[uid] = tuple(sorted({*answer.named.get(uid, ()), one.what}))
    answer.known = True


def _introduced(answer: StudyAnswer, rewritten: Sequence[DeidentifiedInstance]) -> list[Contradiction]:
    answer.calls += 1
    after = contradictions([_written(done) for done in rewritten])
    if not after:
        return []
    answer.calls += 1
    return sorted(after - contradictions([_delivered(done) for done in rewritten]), key=lambda one: one.what)


def _delivered(done: DeidentifiedInstance) -> tuple[bytes | memoryview, ...]:
    header = done.raw_header
    start = min(place[1] for place in header.places.values())
    return as_file(done.ids, memoryview(header.buffer)[start:])


def _written(done: DeidentifiedInstance) -> tuple[bytes | memoryview, ...]:
    return as_file(done.new_ids, done.rewritten.header)


def contradictions(
    files: Sequence[Sequence[bytes | memoryview]],
    *,
    ask: Callable[..., tuple[tuple[str, ...], list[str], bool]] = judged_in_memory,
) -> frozenset[Contradiction]:
    """What dcentvfy calls an error among the headers of a study; its own words, which quote values, stay here.

    Raises:
        JudgeMissingError, TimeoutError: as ``judged_in_memory``.
    """
    names, lines, failed = ask(STUDY_JUDGE, files)
    numbers = {name: number for number, name in enumerate(names)}
    everything = frozenset(numbers.values())
    found = {Contradiction(f"{STUDY_JUDGE} itself failed", everything)} if failed else set()
    for line in lines:
        what = _what(line)
        if what is not None:
            named = {numbers[name] for pair in _FILE.findall(line) for name in pair if name in numbers}
            found.add(Contradiction(what, frozenset(named) or everything))
    return frozenset(found)


def _what(line: str) -> str | None:
    """A line without its values; None where it is no error, or tells of what each object states of itself."""
    if not line.startswith(("Error - ", "Abort - ")):
        return None
    differs, reused = _DIFFERS.match(line), _REUSED.match(line)
    if differs is not None and tag_for_keyword(differs[1]) is not None:
        entity = _ENTITIES.get(differs[2], "study")
        return None if differs[1] in OWN_WORD else f"{differs[1]} differs between files of one {entity}"
    if reused is not None and all(tag_for_keyword(name) is not None for name in reused.groups()[:2]):
        return f"one {reused[2]} with several {reused[1]}"
    if line.startswith("Error - Duplicate SOPInstanceUID"):
        return "one SOPInstanceUID in several files"
    return "a header that cannot be read beside the others of its study"
