"""People, studies and images compared: each defect is found by its own rule, sound sources by none."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ingestion.storage.folder import FolderStore
from quality_checks.catalogue_of_checks import rules_by_id
from quality_checks.crossing import rules
from quality_checks.crossing.cross import compare, cross_source, crossed_before, near_outcome
from quality_checks.crossing.index import read_others, read_own
from quality_checks.crossing.likeness import ALIKE, picture, structural_similarity
from quality_checks.crossing.near import NEAR_BITS, near_pairs
from quality_checks.examination import Examination, examination_key
from quality_checks.judge import judge
from tests.quality_checks.defects import tabular_crossing as t


@pytest.mark.parametrize(
    ("name", "expected", "found"), t.matrix(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_defect_is_found_by_its_own_rule_alone(name: str, expected: set[str], found: set[str]) -> None:
    assert found == expected


def test_every_rule_has_a_defect() -> None:
    assert {rule.id for rule in rules.RULES} == set().union(*t.DEFECTS.values())


def test_sound_sources_are_silent() -> None:
    assert not t.fired(t.rows(t.HERE), t.rows(t.ELSEWHERE, seed=2))
    assert not t.fired(t.rows(t.HERE), [])
    assert not t.fired([], [])


def test_one_copy_always_stays() -> None:
    """Judged from either side, exactly one of two equal series fails."""
    here, there = t.rows("B"), t.rows("A", seed=2)
    here[0].pixels = there[0].pixels
    for own, others, failing in ((here, there, 1), (there, here, 0)):
        outcome = next(
            one for one in compare(t.state_of(own), t.index_of(own), t.index_of(others)).outcomes
            if one.rule_id == rules.SAME_PIXELS.id
        )  # fmt: skip
        assert len(outcome.failing) == failing
    assert rules_by_id()[rules.SAME_PIXELS.id].excludes


def test_details_hold_no_digest_and_no_other_patient() -> None:
    for defect in t.DEFECTS:
        own, others = t.rows(t.HERE), t.rows(t.ELSEWHERE, seed=2)
        defect(own, others)
        for one in compare(t.state_of(own), t.index_of(own), t.index_of(others)).outcomes:
            for _, detail in one.failing:
                assert not any(word in (detail or "") for word in ("person-", "birth-", "content-", "-P", "-id-"))


def test_a_placeholder_person_links_nobody() -> None:
    own = t.rows(t.HERE, patients=20)
    for row in own:
        t.change(row, people=("the same",), names=("the same",), birth_dates=("the same",))
    assert not t.fired(own, [])


def test_hashes_of_one_study_and_blank_frames_are_not_compared() -> None:
    own = t.rows(t.HERE)
    own[0].hashes = own[1].hashes  # two series of one study
    own[4].hashes = own[8].hashes = (0, 2**64 - 1)
    own[4].pixels = own[8].pixels
    assert not t.fired(own, [])


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_pair_within_the_bound_is_found_and_no_other(data: st.DataObject) -> None:
    """Against all pairs compared one by one."""
    base = data.draw(st.lists(st.integers(1, 2**64 - 2), min_size=2, max_size=6))
    values = []
    for at in range(12):
        flips = data.draw(st.sets(st.integers(0, 63), max_size=NEAR_BITS + 3))
        value = base[at % len(base)]
        for bit in flips:
            value ^= 1 << bit
        values.append(value)
    own = [t.Row(uid=f"{at:03d}", patient="p", study=f"s{at}", hashes=(value,)) for at, value in enumerate(values)]
    usable = [value not in (0, 2**64 - 1) for value in values]
    expected = {
        (a, b): (values[a] ^ values[b]).bit_count()
        for a in range(12) for b in range(a + 1, 12)
        if usable[a] and usable[b] and (values[a] ^ values[b]).bit_count() <= NEAR_BITS
    }  # fmt: skip
    found = {(pair.first, pair.second): pair.bits for pair in near_pairs(t.index_of(own), own=len(own))}
    assert found == expected


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_whether_two_series_look_alike_does_not_depend_on_their_order(data: st.DataObject) -> None:
    """UIDs order the rows, and without a lasting key they are others in each run."""
    few = st.lists(st.sampled_from([3, 5, 9, 2**40, 2**41 + 5, 2**63]), min_size=1, max_size=5)
    own = [t.Row(uid=f"{at}", patient="p", study=f"s{at}", hashes=tuple(data.draw(few))) for at in range(5)]
    found = []
    for order in (own, data.draw(st.permutations(own))):
        index = t.index_of(list(order))
        uids = index["SeriesInstanceUID"]
        pairs = near_pairs(index, own=len(order))
        found.append({(frozenset({uids[pair.first], uids[pair.second]}), pair.bits) for pair in pairs})
    assert found[0] == found[1]


def png(grey: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def test_like_outlines_with_other_content_are_told_apart(tmp_path: Path) -> None:
    chance = np.random.default_rng(5)
    disc = (np.hypot(*np.mgrid[-1:1:96j, -1:1:96j]) < 0.8) * 120
    first = disc + np.kron(chance.integers(0, 90, (12, 12)), np.ones((8, 8)))
    other = disc + np.kron(chance.integers(0, 90, (12, 12)), np.ones((8, 8)))
    copy = np.clip(first * 0.97 + chance.normal(0, 2, first.shape), 0, 255)
    shown = {name: picture(png(np.clip(grey, 0, 255))) for name, grey in (("a", first), ("b", other), ("c", copy))}
    assert structural_similarity(shown["a"], shown["a"]) == pytest.approx(1)
    assert structural_similarity(shown["a"], shown["c"]) > ALIKE > structural_similarity(shown["a"], shown["b"])
    store = FolderStore(tmp_path)
    own = t.rows(t.HERE)[:8]
    own[4].hashes = own[0].hashes
    index = t.index_of(own)
    for at, grey in ((0, first), (4, other)):
        made = Examination(t.HERE, own[at].uid, "v", "r", (), thumbnail=png(np.clip(grey, 0, 255)))
        index.loc[at, "ExaminationKey"] = key = examination_key(t.HERE, own[at].uid, "v", "r")
        store.create(key, made.to_json())
    empty = t.index_of([])
    assert not near_outcome(index, empty, internal=store).failing
    assert len(near_outcome(index, empty, internal=None).failing) == 2


def test_sources_read_each_others_rows_and_verdicts_repeat(sound, tmp_path: Path) -> None:
    internal = FolderStore(tmp_path)
    tables = sound.tables()
    state = sound.state(tables)
    examined = [
        Examination(
            state.source_id, uid, "0" * 24, "r", (), pixel_digest=f"d{at // 19}", frame_hashes=(f"{at + 1:016x}",)
        )
        for at, uid in enumerate(sorted(tables.series["SeriesInstanceUID"]))
    ]
    assert crossed_before(state, internal=internal) is None
    first = cross_source(state, tables, examined, internal=internal)
    assert crossed_before(state, internal=internal).digest == first.digest
    assert len(read_own(internal, state)) == len(tables.series)
    assert read_others(internal, state.source_id).empty
    assert len(read_others(internal, "ANOTHER")) == len(tables.series)
    keys = [stored.key for stored in internal.list()]
    cross_source(state, tables, examined, internal=internal)
    assert [stored.key for stored in internal.list()] == keys
    verdict = judge(tables, state, entry=sound.entry(), crossed=first)
    assert len(verdict.excluded) == 18  # all but one of the nineteen series with the same pixels
    assert {result.rule_id for result in verdict.results} >= {rule.id for rule in rules.RULES}
