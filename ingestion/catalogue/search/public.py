"""Answers for everybody: the counts of the settled question as far as they may be shown, and who can't answer it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingestion.catalogue.search.engine import Facet, RefusedSource, SearchEngine
from ingestion.catalogue.search.protection import CountPolicy, Protection, PublicCounts, strictest
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
        name = self.engine.index.schema.source
        chosen = set(self._policies) - {one.source_id for one in refused}
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
        refused = self.engine.refused(query)
        among = self.engine.answering(refused)
        settled = settle(self.engine, query, fewest=self._policy(query, refused).fewest_moved, among=among)
        policy = self._policy(settled, refused)
        exact = self.engine.answer(settled, facets=facets, refused=refused, cross_filtered=cross_filtered)
        left_out = ",".join(one.source_id for one in refused)
        total = self._protection.public(exact.total, policy, question=_question(digest(settled), left_out))
        return PublicAnswer(
            release=self.engine.index.release,
            total=total,
            facets=tuple(
                self._facet(facet, settled, refused, left_out, cross_filtered=cross_filtered) for facet in exact.facets
            ),
            refused=refused,
            policy=policy,
        )

    def _facet(
        self, facet: Facet, settled: AllOf, refused: tuple[RefusedSource, ...], left_out: str, *, cross_filtered: bool
    ) -> PublicFacet:
        others = tuple(child for child in settled.children if not (cross_filtered and _is_on(child, facet.name)))
        mixed = self._policy(AllOf(others), refused)
        of_source = facet.name == self.engine.index.schema.source
        codes = [code for code in range(len(facet.terms)) if facet.counts.people[code]]
        shown = self._protection.public_facet(
            [facet.counts.at(code) for code in codes],
            [self._policies.get(facet.terms[code], mixed) if of_source else mixed for code in codes],
            questions=[
                _question(one, left_out)
                for one in digests_with(
                    AllOf(others), (AnyOfValues(facet.name, (facet.terms[code],)) for code in codes)
                )
            ],
        )
        values = [
            PublicValue(facet.terms[code], counts)
            for code, counts in zip(codes, shown, strict=True)
            if not counts.hidden
        ]
        values.sort(key=lambda one: (-(one.counts.people or 0), one.value))
        return PublicFacet(facet.name, tuple(values), hidden=len(facet.terms) - len(values))


def _is_on(node: Node, field: str) -> bool:
    return isinstance(node, (AnyOfValues, Between)) and node.field == field


def _question(settled: str, left_out: str) -> str:
    return hashlib.sha256(f"{settled}|{left_out}".encode()).hexdigest()[:32]
