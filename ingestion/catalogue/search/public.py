"""Answers for everybody: the counts of the settled question as far as they may be shown, and who can't answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ingestion.catalogue.search.engine import RefusedSource, SearchEngine
from ingestion.catalogue.search.fields import FieldKind
from ingestion.catalogue.search.meaning import EntangledError, Meaning
from ingestion.catalogue.search.protection import Counted, CountPolicy, Protection, PublicCounts, strictest
from ingestion.catalogue.search.query import AllOf, AnyOfValues, Between, Node, Words, fields_of, leaves
from ingestion.catalogue.search.settle import Trials, by_rows, prepared, settle
from ingestion.catalogue.search.settle_values import SettledValue, TooManyQuestionsError, ValueSettler
from ingestion.catalogue.search.tallies import Moved, Question, Tallies

MOST_LEFT_OUT = 20
"""Criteria and values of lists that may be left out of a question: of more, its number is not shown. Each moves few
people, most of them nobody: in a collection of CT, that it is CT."""
KEPT_MEANINGS = 20
"""By the sources that can't answer: what they are made of is the same for all questions."""


@dataclass(frozen=True, slots=True)
class PublicValue:
    """One value of a field and what may be shown of its counts."""

    value: str
    counts: PublicCounts


@dataclass(frozen=True, slots=True)
class PublicFacet:
    """The values of one field that anything may be shown of, most people first; ``hidden``: there may be others.

    Always so where the data say what values there are, and of a number where a bin is not shown. How many is not told:
    it would be one more for a value that one person has. Values that nobody has are among them.
    """

    name: str
    values: tuple[PublicValue, ...]
    hidden: bool


@dataclass(frozen=True, slots=True)
class PublicAnswer:
    """What a visitor gets. ``release``: the answer never changes for it; ``policy``: what the total is shown by."""

    release: str
    total: PublicCounts
    facets: tuple[PublicFacet, ...]
    refused: tuple[RefusedSource, ...]
    policy: CountPolicy


class PublicSearch:
    """Answers queries on one release by the count policies of its sources."""

    def __init__(
        self, engine: SearchEngine, protection: Protection, policies: Mapping[str, CountPolicy] | None = None
    ) -> None:
        """``policies``: by source id; a source without one has the default."""
        self.engine = engine
        self._protection = protection
        index = engine.index
        source = index.fields[index.schema.source]
        self._policies = {term: (policies or {}).get(term, CountPolicy()) for term in source.terms if term}
        self._meanings: dict[frozenset[int], Meaning] = {}
        self._each = protection.per_person(people=index.people, studies=index.studies, series=index.series)
        self._stated = protection.states(
            index.stating,
            np.asarray(source.totals[2]),
            [f"{term}:{index.states.get(term, '')}" for term in source.terms],
        )

    @property
    def policies(self) -> Mapping[str, CountPolicy]:
        """The count policy of every source, by id."""
        return dict(self._policies)

    def _policy(self, query: AllOf) -> CountPolicy:
        """The strictest of the sources that the question may count people of.

        Which these are is read from the question, never from who matches it nor from who can't answer: else the policy
        itself would tell whether a source has somebody.
        """
        name = self.engine.index.schema.source
        chosen = set(self._policies)
        for child in query.children:
            if isinstance(child, AnyOfValues) and child.field == name:
                chosen &= set(child.values)
        return strictest(self._policies[one] for one in sorted(chosen))

    def answer(self, query: AllOf, *, facets: Sequence[str] | None = None, cross_filtered: bool = True) -> PublicAnswer:
        """The public answer.

        Args:
            facets: names of the fields whose values are wanted; None: all.
            cross_filtered: values of a field are counted without the query's criteria on that field.
        """
        # By the question as it was asked: that of the settled one would tell whether a criterion on sources stayed.
        policy = self._policy(query)
        asked = prepared(self.engine.index, query)
        wanted = self._counted(facets)
        tallies = Tallies(self.engine, Question(asked, self._refused(query)), wanted)
        settled: dict[Moved, AllOf] = {}
        counted: dict[Moved, Counted | None] = {}
        for what in Moved:
            trials = self._trials(tallies, policy, what)
            settled[what] = settle(trials, asked)
            answered = trials.readmitted(settled[what], self._answering(settled[what]))
            drawn = None if _is_far(query, settled[what]) else self._drawn(tallies, settled[what], answered)
            counted[what] = None if drawn is None else Counted(tallies.total(answered), drawn)
        people = counted[Moved.PEOPLE]
        if people is None:
            # Another question than the one asked: its numbers are no answer. By how much is left out, not by how many
            # people that moves: a part more would tell whether it holds anybody.
            fields = tuple(PublicFacet(name, (), hidden=True) for name in wanted)
        else:
            fields = self._facets(query, settled, tallies, cross_filtered=cross_filtered)
        return PublicAnswer(
            release=self.engine.index.release,
            total=self._protection.public(people, policy, images=counted[Moved.SERIES], each=self._each),
            facets=fields,
            refused=self.engine.refused(query, stated=self._stated),
            policy=policy,
        )

    def _counted(self, facets: Sequence[str] | None) -> list[str]:
        counted = [one.field.name for one in self.engine.index.fields.values() if one.field.counted]
        return [name for name in counted if facets is None or name in facets]

    def _trials(self, tallies: Tallies, policy: CountPolicy, what: Moved) -> Trials:
        refused = tallies.asked.refused
        return Trials(tallies, refused, policy.fewest_moved, what, lambda who: self._protection.bound(policy, who=who))

    def _refused(self, query: AllOf) -> frozenset[int]:
        """Codes of the sources that can't answer."""
        return self._refused_of(frozenset(fields_of(query)))

    @lru_cache(maxsize=KEPT_MEANINGS)  # noqa: B019 - as long as the index is open
    def _refused_of(self, fields: frozenset[str]) -> frozenset[int]:
        asked = AllOf(tuple(AnyOfValues(name, ()) for name in sorted(fields)))
        code_of = self.engine.index.fields[self.engine.index.schema.source].code_of
        return frozenset(code_of[one.source_id] for one in self.engine.refused(asked, stated=self._stated))

    def _answering(self, query: AllOf) -> set[int]:
        """Codes of the others."""
        sources = self.engine.index.fields[self.engine.index.schema.source].terms
        return set(range(len(sources))) - self._refused(query)

    def _facets(
        self, query: AllOf, settled: Mapping[Moved, AllOf], tallies: Tallies, *, cross_filtered: bool
    ) -> tuple[PublicFacet, ...]:
        """Fields under the same criteria are settled together."""
        groups: dict[tuple[AllOf, AllOf, AllOf], list[str]] = {}
        for name in tallies.names:
            of_people, of_series, said = (
                AllOf(tuple(child for child in whole.children if not (cross_filtered and _is_on(child, name))))
                for whole in (settled[Moved.PEOPLE], settled[Moved.SERIES], query)
            )
            groups.setdefault((of_people, of_series, said), []).append(name)
        found: dict[str, PublicFacet] = {}
        for (of_people, of_series, said), names in groups.items():
            policy, panel = self._policy(said), tallies.panel(names)
            try:
                settlers = [
                    ValueSettler(self._trials(tallies, policy, what), panel, others, self._answering)
                    for what, others in ((Moved.PEOPLE, of_people), (Moved.SERIES, of_series))
                ]
                many = settlers[0].many()
                people = settlers[0].settled(many)
                images = settlers[1].settled(many if of_series == of_people else settlers[1].many())
            except TooManyQuestionsError:
                found.update({name: PublicFacet(name, (), hidden=True) for name in names})
                continue
            for name in names:
                values = list(zip(people[name], images[name], strict=True))
                found[name] = self._facet(name, values, said, policy, tallies)
        return tuple(found[name] for name in tallies.names)

    def _facet(
        self, name: str, settled: Sequence[tuple[SettledValue, SettledValue]], said: AllOf, mixed: CountPolicy,
        tallies: Tallies,
    ) -> PublicFacet:  # fmt: skip
        terms = self.engine.index.fields[name].terms
        of_source = name == self.engine.index.schema.source
        seen = []
        for term, (people, images) in zip(terms, settled, strict=True):
            policy = self._policies.get(term, mixed) if of_source else mixed
            if people.counts.people < policy.hidden_below:  # needs no draw
                continue
            of_people = self._of_value(tallies, said, people)
            of_series = of_people if images == people else self._of_value(tallies, said, images)
            counts = self._protection.public(of_people, policy, images=of_series, each=self._each)
            if not counts.hidden:
                seen.append(PublicValue(term, counts))
        seen.sort(key=lambda one: (-(one.counts.people or 0), one.value))
        # Of terms there may always be one that few have: that there is none would tell of whoever has it alone.
        open_ended = self.engine.index.fields[name].field.kind is not FieldKind.NUMBER
        return PublicFacet(name, tuple(seen), hidden=open_ended or len(seen) < len(terms))

    def _of_value(self, tallies: Tallies, said: AllOf, value: SettledValue) -> Counted | None:
        drawn = None if _is_far(said, value.others.query) else self._drawn(tallies, value.query, value.others)
        return None if drawn is None else Counted(value.counts, drawn)

    def _drawn(self, tallies: Tallies, query: AllOf, answered: Question) -> str | None:
        """What a number is drawn by: what is asked, and the sources that it is about, as they are now.

        By their rows and not the release, else many releases of unchanged data would average out; and by all their
        rows, not only those that match, else a draw that changes would tell that somebody joined or left the group.
        None: the question is too entangled.
        """
        meaning = self._meaning(answered.refused)
        try:
            return meaning.digest(by_rows(tallies.evaluator, query))
        except EntangledError:
            return None

    def _meaning(self, refused: frozenset[int]) -> Meaning:
        if refused not in self._meanings:
            if len(self._meanings) == KEPT_MEANINGS:
                self._meanings.clear()
            terms = self.engine.index.fields[self.engine.index.schema.source].terms
            states, away = self.engine.index.states, {terms[code] for code in refused}
            about = {one: f"{one}:{states[one]}" for one in self._policies if one not in away}
            self._meanings[refused] = Meaning(self.engine.index.schema, about)
        return self._meanings[refused]


def _is_far(asked: AllOf, settled: AllOf) -> bool:
    """Whether so much was left out that the numbers are those of another question."""
    return _size(asked) - _size(settled) > MOST_LEFT_OUT


def _size(query: AllOf) -> int:
    """How many criteria a question has; each word, and each value of a list, is one."""
    found = 0
    for leaf in leaves(query):
        match leaf:
            case AnyOfValues(_, several) | Words(several):
                found += len(several)
            case _:
                found += 1
    return found


def _is_on(node: Node, field: str) -> bool:
    return isinstance(node, (AnyOfValues, Between)) and node.field == field
