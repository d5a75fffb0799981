"""Answers for everybody: the counts of the settled question as far as they may be shown, and who can't answer it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingestion.catalogue.search.engine import Facet, RefusedSource, SearchEngine
from ingestion.catalogue.search.protection import CountPolicy, PerPerson, Protection, PublicCounts, strictest
from ingestion.catalogue.search.query import AllOf, AnyOfValues, Between, Node, digest, digests_with
from ingestion.catalogue.search.settle import settle


@dataclass(frozen=True, slots=True)
class PublicValue:
    """One value of a field and what may be shown of its counts."""

    value: str
    counts: PublicCounts


@dataclass(frozen=True, slots=True)
class PublicFacet:
    """The values of one field that anything may be shown of, most people first; ``hidden``: how many others there are.

    Values of the field that nobody has are among the hidden ones: that nobody has them is not told either.
    """

    name: str
    values: tuple[PublicValue, ...]
    hidden: int


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
        self._each = PerPerson.of(people=index.people, studies=index.studies, series=index.series)
        source = engine.index.fields[engine.index.schema.source]
        self._policies = {term: (policies or {}).get(term, CountPolicy()) for term in source.terms if term}

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

    def _state(self, query: AllOf, refused: Sequence[RefusedSource]) -> str:
        """What the draws for a question hang on beside its words: the sources that it is about, as they are now.

        Their rows and not the release, else many releases of unchanged data would average out; and all their rows, not
        only those that match, else a draw that changes would tell that somebody joined or left the group.
        """
        states = self.engine.index.states
        about = ",".join(f"{one}:{states[one]}" for one in self._sources(query, refused))
        return f"{about}|{','.join(one.source_id for one in refused)}"

    def answer(self, query: AllOf, *, facets: Sequence[str] | None = None, cross_filtered: bool = True) -> PublicAnswer:
        """The public answer.

        Args:
            facets: names of the fields whose values are wanted; None: all.
            cross_filtered: values of a field are counted without the query's criteria on that field.
        """
        refused = self.engine.refused(query)
        among = self.engine.answering(refused)
        # By the question as it was asked: that of the settled one would tell whether a criterion on sources stayed.
        policy = self._policy(query, refused)
        settled = settle(
            self.engine,
            query,
            fewest=policy.fewest_moved,
            bound_of=lambda simpler: self._protection.bound(
                policy, question=_question(digest(simpler), self._state(simpler, refused))
            ),
            among=among,
        )
        exact = self.engine.answer(settled, facets=facets, refused=refused, cross_filtered=cross_filtered)
        question = _question(digest(settled), self._state(settled, refused))
        total = self._protection.public(exact.total, policy, question=question, each=self._each)
        return PublicAnswer(
            release=self.engine.index.release,
            total=total,
            facets=tuple(
                self._facet(facet, query, settled, refused, cross_filtered=cross_filtered) for facet in exact.facets
            ),
            refused=refused,
            policy=policy,
        )

    def _facet(
        self, facet: Facet, asked: AllOf, settled: AllOf, refused: tuple[RefusedSource, ...], *, cross_filtered: bool

    ) -> PublicFacet:  # fmt: skip
        asked_others, others = (
            tuple(child for child in query.children if not (cross_filtered and _is_on(child, facet.name)))
            for query in (asked, settled)
        )
        mixed = self._policy(AllOf(asked_others), refused)
        of_source = facet.name == self.engine.index.schema.source
        codes = [code for code in range(len(facet.terms)) if facet.counts.people[code]]
        values = [AnyOfValues(facet.name, (facet.terms[code],)) for code in codes]
        state = self._state(AllOf(others), refused)
        shown = self._protection.public_facet(
            [facet.counts.at(code) for code in codes],
            [self._policies.get(facet.terms[code], mixed) if of_source else mixed for code in codes],
            each=self._each,
            questions=[
                _question(written, self._state(AllOf((*others, value)), refused) if of_source else state)
                for value, written in zip(values, digests_with(AllOf(others), values), strict=True)
            ],
        )
        seen = [
            PublicValue(facet.terms[code], counts)
            for code, counts in zip(codes, shown, strict=True)
            if not counts.hidden
        ]
        seen.sort(key=lambda one: (-(one.counts.people or 0), one.value))
        return PublicFacet(facet.name, tuple(seen), hidden=len(facet.terms) - len(seen))


def _is_on(node: Node, field: str) -> bool:
    return isinstance(node, (AnyOfValues, Between)) and node.field == field


def _question(settled: str, state: str) -> str:
    return hashlib.sha256(f"{settled}|{state}".encode()).hexdigest()[:32]
