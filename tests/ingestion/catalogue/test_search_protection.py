"""How single numbers are hidden, rounded and blurred."""

from __future__ import annotations

import numpy as np
import pytest

from ingestion.catalogue.search.counting import Counts
from ingestion.catalogue.search.protection import Counted, CountPolicy, PerPerson, Protection, PublicCounts, strictest

SECRET = bytes(range(32))
DEFAULT = CountPolicy()
FIVE_TIMES_AS_COARSE = [(studies, series) for studies in (50, 100) for series in (200, 250)]


def protection() -> Protection:
    return Protection(secret=SECRET)


def shown_of(
    exact: Counts, policy: CountPolicy = DEFAULT, *, question: str, each: PerPerson | None = None,
    by: Protection | None = None,
) -> PublicCounts:  # fmt: skip
    """Where studies and series are counted under the question of the people."""
    counted = Counted(exact, question)
    return (by or protection()).public(counted, policy, images=counted, each=each or PerPerson())


def test_small_groups_are_hidden_and_nobody_looks_like_few() -> None:
    for people in range(10):
        shown = shown_of(Counts(people, people, people), DEFAULT, question=f"q{people}")
        assert shown.hidden and shown.below == 15


def test_shown_numbers_are_multiples_near_the_truth_and_not_biased() -> None:
    shown = [shown_of(Counts(57, 60, 90), DEFAULT, question=str(number)).people for number in range(4000)]
    assert set(shown) == {50, 60}
    assert np.mean([value for value in shown if value is not None]) == pytest.approx(57, abs=0.3)


def test_studies_and_series_are_rounded_by_what_one_person_brings() -> None:
    """A dozen series of one person move a number rounded to 10 for certain."""
    each = PerPerson(studies=2, series=20)
    with_and_without = [
        {
            shown_of(Counts(57 + more, 90 + more, 700 + 12 * more), DEFAULT, question=f"{number}", each=each)
            for number in range(400)
        }
        for more in (0, 1)
    ]
    series = [{one.series for one in shown} for shown in with_and_without]
    assert series[0] == series[1] == {600, 800}


def test_a_group_has_no_fewer_studies_than_people_nor_series_than_studies() -> None:
    each = PerPerson(studies=5, series=50)
    for number in range(400):
        shown = shown_of(Counts(29, 31, 33), DEFAULT, question=str(number), each=each)
        if not shown.hidden:
            assert (shown.series or 0) >= (shown.studies or 0) >= (shown.people or 0) > 0


@pytest.mark.parametrize(("mean", "step"), [(0.0, {1, 2}), (1.01, {2}), (4.9, {5, 10}), (13.0, {20}), (51, {100})])
def test_the_steps_are_those_of_ordinary_axes(mean: float, step: set[int]) -> None:
    """An edge between steps lies where nobody knows: else one person's study more would move all of them."""
    seen = {
        Protection(secret=bytes([number]) * 32).per_person(people=100, studies=0, series=round(mean * 100)).series
        for number in range(30)
    }
    assert seen <= step


def test_the_same_set_gives_the_same_number_however_it_is_asked_for() -> None:
    exact = Counts(123, 130, 300)
    assert len({shown_of(exact, DEFAULT, question="one") for _ in range(200)}) == 1
    others = (Protection(secret=bytes([number]) * 32) for number in range(12))
    assert len({shown_of(exact, question="one", by=one) for one in others}) > 1


def test_noise_is_that_of_the_source_and_does_not_average_out() -> None:
    noisy = CountPolicy(hidden_below=1, rounded_to=1, noise=1 / 0.28)
    one_set = {shown_of(Counts(500, 500, 500), noisy, question="one").people for _ in range(100)}
    assert len(one_set) == 1
    many = [shown_of(Counts(500, 500, 500), noisy, question=str(number)).people or 0 for number in range(4000)]
    assert np.mean(many) == pytest.approx(500, abs=0.5)
    # the variance of a Laplace distribution is twice its scale squared
    assert np.std(many) == pytest.approx(np.sqrt(2) / 0.28, rel=0.15)


def test_no_number_is_finer_than_the_bound() -> None:
    """Else a hidden number is the total less the rest."""
    for policy in (CountPolicy(rounded_to=1), CountPolicy(hidden_below=30), CountPolicy(hidden_below=1_000)):
        shown = [shown_of(Counts(3_333, 3_333, 3_333), policy, question=str(number)).people for number in range(200)]
        assert {one % policy.hidden_below for one in shown if one is not None} == {0}


def test_studies_and_series_may_answer_a_question_of_their_own() -> None:
    people, few = Counts(60, 70, 3_000), Counts(8, 8, 8)
    draw = protection()
    own = draw.public(Counted(people, "all"), DEFAULT, images=Counted(Counts(75, 75, 225), "of them"))
    assert own.people == shown_of(people, question="all").people and (own.studies, own.series) in FIVE_TIMES_AS_COARSE
    for images in (None, Counted(few, "few have any"), Counted(Counts(49, 60, 700), "of them")):
        shown = draw.public(Counted(people, "all"), DEFAULT, images=images)
        assert (shown.people, shown.studies, shown.series, shown.hidden) == (60, None, None, False)


@pytest.mark.parametrize("small", range(10))
def test_the_complement_does_not_pin_down_a_hidden_value(small: int) -> None:
    """Total minus the shown values leaves a span of at least ten people for the hidden one, by default."""
    total = shown_of(Counts(80 + small, 1, 1), DEFAULT, question="total").people
    other = shown_of(Counts(80, 1, 1), DEFAULT, question="other").people
    assert total is not None and other is not None
    lowest, highest = total - 9 - (other + 9), total + 9 - (other - 9)
    assert highest - lowest >= 36 and lowest <= small <= highest


def test_the_strictest_policy_rules_over_mixed_sources() -> None:
    policies = [CountPolicy(5, 1, 0.0), CountPolicy(20, 10, 2.0)]
    assert strictest(policies) == CountPolicy(20, 10, 2.0)
    assert strictest([]) == CountPolicy()


@pytest.mark.parametrize("wrong", [{"hidden_below": 0}, {"rounded_to": 0}, {"noise": -1.0}, {"noise": float("inf")}])
def test_a_policy_that_protects_nobody_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="count policy"):
        CountPolicy(**wrong)  # type: ignore[arg-type]


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Protection(secret=b"short")
