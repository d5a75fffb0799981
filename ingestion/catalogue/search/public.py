"""Answers for everybody: the counts of the settled question as far as they may be shown, and who can't answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ingestion.catalogue.search.counting import Counts
from ingestion.catalogue.search.engine import RefusedSource, SearchEngine
from ingestion.catalogue.search.fields import FieldKind
from ingestion.catalogue.search.meaning import EntangledError, Meaning
from ingestion.catalogue.search.protection import CountPolicy, Protection, PublicCounts, strictest
from ingestion.catalogue.search.query import AllOf, AnyOfValues, Between, Node
from ingestion.catalogue.search.settle import Trials, by_rows, parts, prepared, settle
from ingestion.catalogue.search.settle_values import SettledValue, TooManyPanelsError, ValueSettler

MOST_LEFT_OUT = 20
"""Criteria and values of lists that may be left out of a question: of more, its number is not shown."""


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

    def _policy(self, query: AllOf, refused: Iterable[RefusedSource]) -> CountPolicy:
        """The strictest of the sources that the question may count people of.

        Which these are is read from the question and from what sources can't answer, never from who matches it: else
        the policy itself would tell whether a source has somebody.
        """
        return strictest(self._policies[one] for one in self._sources(query, refused))

    def _sources(self, query: AllOf, refused: Iterable[RefusedSource]) -> list[str]:
        name = self.engine.index.schema.source
        chosen = set(self._policies) - {one.source_id for one in refused}
        for child in query.children:
            if isinstance(child, AnyOfValues) and child.field == name:
                chosen &= set(child.values)
        return sorted(chosen)

    def answer(self, query: AllOf, *, facets: Sequence[str] | None = None, cross_filtered: bool = True) -> PublicAnswer:
        """The public answer.

        Args:
            facets: names of the fields whose values are wanted; None: all.
            cross_filtered: values of a field are counted without the query's criteria on that field.
        """
        refused = self.engine.refused(query, stated=self._stated)
        # By the question as it was asked: that of the settled one would tell whether a criterion on sources stayed.
        policy = self._policy(query, refused)
        trials = self._trials(policy, refused)
        settled = settle(trials, prepared(self.engine.index, query))
        question = self._question(trials, settled, refused)
        if question is None or parts(query) - parts(settled) > MOST_LEFT_OUT:
            # Another question than the one asked: its numbers are no answer. By how much is left out, not by how many
            # people that moves: a part more would tell whether it holds anybody.
            counts, fields = (
                Counts(0, 0, 0),
                tuple(PublicFacet(name, (), hidden=True) for name in self._counted(facets)),
            )
        else:
            counts = self.engine.total(trials.mask(settled))
            fields = self._facets(query, settled, refused, facets, cross_filtered=cross_filtered)
        return PublicAnswer(
            release=self.engine.index.release,
            total=self._protection.public(counts, policy, question=question or "", each=self._each),
            facets=fields,
            refused=refused,
            policy=policy,
        )

    def _counted(self, facets: Sequence[str] | None) -> list[str]:
        counted = [one.field.name for one in self.engine.index.fields.values() if one.field.counted]
        return [name for name in counted if facets is None or name in facets]

    def _trials(self, policy: CountPolicy, refused: tuple[RefusedSource, ...]) -> Trials:
        return Trials(
            self.engine,
            policy.fewest_moved,
            lambda who: self._protection.bound(policy, who=who),
            self.engine.answering(refused),
        )

    def _facets(
        self, query: AllOf, settled: AllOf, refused: tuple[RefusedSource, ...], facets: Sequence[str] | None, *,
        cross_filtered: bool,
    ) -> tuple[PublicFacet, ...]:  # fmt: skip
        """Fields under the same criteria are settled together."""
        wanted = self._counted(facets)
        groups: dict[tuple[AllOf, AllOf], list[str]] = {}
        for name in wanted:
            others, said = (
                AllOf(tuple(child for child in whole.children if not (cross_filtered and _is_on(child, name))))
                for whole in (settled, query)
            )
            groups.setdefault((others, said), []).append(name)
        found: dict[str, PublicFacet] = {}
        for (others, said), names in groups.items():
            policy = self._policy(said, refused)
            trials = self._trials(policy, refused)
            settler = ValueSettler(trials, others, self._too_few(policy))
            try:
                values = settler.settled(names)
            except TooManyPanelsError:
                found.update({name: PublicFacet(name, (), hidden=True) for name in names})
                continue
            for name in names:
                found[name] = self._facet(name, others, values[name], policy, trials, refused)
        return tuple(found[name] for name in wanted)

    def _too_few(self, policy: CountPolicy) -> Callable[[str, str, int], bool]:
        return lambda name, value, people: people < self._protection.bound(policy, who=f"{name}|{value}|{people}")

    def _facet(
        self, name: str, others: AllOf, settled: Sequence[SettledValue], mixed: CountPolicy, trials: Trials,
        refused: tuple[RefusedSource, ...],
    ) -> PublicFacet:  # fmt: skip
        terms = self.engine.index.fields[name].terms
        of_source = name == self.engine.index.schema.source
        codes = [code for code, one in enumerate(settled) if one.counts.people]
        rules = [self._policies.get(terms[code], mixed) if of_source else mixed for code in codes]
        # what is hidden in any case needs no draw
        questions = [
            self._question(trials, settled[code].question, refused)
            if settled[code].counts.people >= rule.hidden_below
            else ""
            for code, rule in zip(codes, rules, strict=True)
        ]
        exact = [
            Counts(0, 0, 0)
            if question is None or parts(others) - parts(settled[code].question) >= MOST_LEFT_OUT
            else settled[code].counts
            for code, question in zip(codes, questions, strict=True)
        ]
        shown = self._protection.public_facet(exact, rules, questions=[one or "" for one in questions], each=self._each)
        seen = [
            PublicValue(terms[code], counts) for code, counts in zip(codes, shown, strict=True) if not counts.hidden
        ]
        seen.sort(key=lambda one: (-(one.counts.people or 0), one.value))
        # Of terms there may always be one that few have: that there is none would tell of whoever has it alone.
        open_ended = self.engine.index.fields[name].field.kind is not FieldKind.NUMBER
        return PublicFacet(name, tuple(seen), hidden=open_ended or len(seen) < len(terms))

    def _question(self, trials: Trials, settled: AllOf, refused: Sequence[RefusedSource]) -> str | None:
        """What a number is drawn by: what is asked, and the sources that it is about, as they are now.

        By their rows and not the release, else many releases of unchanged data would average out; and by all their
        rows, not only those that match, else a draw that changes would tell that somebody joined or left the group.
        None: the question is too entangled.
        """
        states, left = self.engine.index.states, set(self._policies) - {one.source_id for one in refused}
        meaning = Meaning(self.engine.index.schema, {one: f"{one}:{states[one]}" for one in left})
        try:
            return meaning.digest(by_rows(trials, settled))
        except EntangledError:
            return None


def _is_on(node: Node, field: str) -> bool:
    return isinstance(node, (AnyOfValues, Between)) and node.field == field
