"""What the inventory alone decides: changes, refusals of whole series, digests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingestion.accounting.inventory import (
    InventoryObject,
    Refusal,
    compare,
    input_digest,
    refusals_by_series,
    shared_instance_uids,
    study_companions,
)
from ingestion.accounting.states import ObjectChange, Reason


def item(
    name: str, *, series: str = "s1", study: str = "t1", sop: str | None = None, patient: str = "p1"
) -> InventoryObject:
    return InventoryObject(
        object_hash=name,
        fingerprint="f",
        size=1,
        series_uid=series,
        study_uid=study,
        sop_uid=sop or name,
        patient=patient,
    )


def test_a_series_of_two_patients_is_refused_whole() -> None:
    refused = refusals_by_series([item("a"), item("b", patient="p2"), item("c", series="s2")])
    assert {name: refusal.reason for name, refusal in refused.items()} == {
        "a": Reason.MIXED_PATIENTS,
        "b": Reason.MIXED_PATIENTS,
    }


def test_a_series_in_two_studies_is_refused_whole() -> None:
    refused = refusals_by_series([item("a"), item("b", study="t2")])
    assert {refusal.reason for refusal in refused.values()} == {Reason.MIXED_STUDIES}
    assert len(refused) == 2


def test_an_instance_uid_in_two_series_is_refused_in_both() -> None:
    refused = refusals_by_series([item("a", sop="x"), item("b", sop="x", series="s2"), item("c")])
    assert set(refused) == {"a", "b"}
    assert {refusal.reason for refusal in refused.values()} == {Reason.SOP_INSTANCE_CONFLICT}


def test_shared_instance_uids_are_those_that_occur_twice() -> None:
    assert shared_instance_uids([item("a", sop="x"), item("b", sop="x"), item("c")]) == {"x"}


def test_absence_from_an_incomplete_listing_is_no_withdrawal() -> None:
    before = {"a": item("a"), "b": item("b")}
    assert compare(before, {"a": item("a")}, complete=False) == {"a": ObjectChange.UNCHANGED}
    assert compare(before, {"a": item("a")}, complete=True)["b"] is ObjectChange.WITHDRAWN


def test_a_passing_fault_is_looked_at_again() -> None:
    faulty = InventoryObject("a", "f", 1, refusal=Refusal(Reason.UNREADABLE_OBJECT, "source.read", ""))
    assert compare({"a": faulty}, {"a": faulty}, complete=True)["a"] is ObjectChange.CHANGED


names = st.text("abcdef0123456789", min_size=1, max_size=6)
inventories = st.dictionaries(names, st.sampled_from(["1", "2", "3"]), max_size=12)


@given(before=inventories, now=inventories)
def test_every_object_has_exactly_one_change(before: dict[str, str], now: dict[str, str]) -> None:
    def taken(found: dict[str, str]) -> dict[str, InventoryObject]:
        return {name: InventoryObject(name, fingerprint, 1) for name, fingerprint in found.items()}

    changes = compare(taken(before), taken(now), complete=True)
    assert set(changes) == before.keys() | now.keys()
    for name, change in changes.items():
        expected = {
            (True, False): ObjectChange.WITHDRAWN,
            (False, True): ObjectChange.NEW,
        }.get((name in before, name in now))
        if expected is None:
            expected = ObjectChange.UNCHANGED if before[name] == now[name] else ObjectChange.CHANGED
        assert change is expected


@given(found=inventories, order=st.randoms())
def test_the_input_digest_depends_on_content_not_order(found: dict[str, str], order: object) -> None:
    items = [InventoryObject(name, fingerprint, 1) for name, fingerprint in found.items()]
    digest = input_digest(items, {}, {})
    shuffled = list(items)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert input_digest(shuffled, {}, {}) == digest
    for changed in items:
        others = [other for other in items if other is not changed]
        assert input_digest(others, {}, {}) != digest
        assert input_digest(items, {}, {changed.object_hash: "reject"}) != digest


def test_the_companions_of_a_series_are_the_objects_of_the_other_series_of_its_study() -> None:
    def one(name: str, series: str, study: str = "1.2", patient: str = "p") -> InventoryObject:
        return InventoryObject(name, "f", 10, series, study, name, patient)

    objects = [one("c", "s1"), one("a", "s1"), one("b", "s2"), one("d", "s3", study="1.3"), one("e", "s4", patient="q")]
    found = study_companions(objects)
    assert {series: [item.object_hash for item in beside] for series, beside in found.items()} == {
        "s1": ["b"], "s2": ["a", "c"], "s3": [], "s4": [],
    }  # fmt: skip
    alone = input_digest(objects[:2], {}, {})
    assert input_digest(objects[:2], {}, {}, found["s1"]) != alone
    assert input_digest(objects[:2], {}, {}, found["s3"]) == alone
