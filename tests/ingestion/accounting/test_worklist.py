"""A sync costs what changed: which series need work, and why."""

from __future__ import annotations

import pytest

from ingestion.accounting.inventory import NO_SERIES, Inventory, InventoryObject, Refusal
from ingestion.accounting.ledger import KnownSeries
from ingestion.accounting.states import Reason
from ingestion.accounting.worklist import Worklist, WorkReason, make_worklist


def inventory(*objects: InventoryObject, unseen: frozenset[str] = frozenset()) -> Inventory:
    return Inventory("S", {item.object_hash: item for item in objects}, {}, unseen)


def item(name: str, series: str = "s1", fingerprint: str = "f") -> InventoryObject:
    return InventoryObject(name, fingerprint, 1, series_uid=series, study_uid="t", sop_uid=name, patient="p")


def work(found: Inventory, known: dict[str, KnownSeries], **verdicts: dict[str, str]) -> Worklist:
    return make_worklist(found, known, verdicts=verdicts, policy_digest="policy", code_version="code")


def known_after(found: Inventory) -> dict[str, KnownSeries]:
    return {each.series_uid: KnownSeries(each.input_digest, "policy", "code") for each in work(found, {}).series}


def test_a_first_sync_works_on_everything_and_a_second_on_nothing() -> None:
    found = inventory(item("a"), item("b"), item("c", "s2"))
    first = work(found, {})
    assert {each.series_uid: each.reason for each in first.series} == {"s1": WorkReason.NEW, "s2": WorkReason.NEW}
    again = work(found, known_after(found))
    assert (again.series, again.unchanged) == ((), 2)


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (KnownSeries("other", "policy", "code"), WorkReason.CHANGED),
        (KnownSeries(None, "policy", "code"), WorkReason.RETRY),
    ],
)
def test_why_a_known_series_is_worked_on_again(known: KnownSeries, reason: WorkReason) -> None:
    assert [each.reason for each in work(inventory(item("a")), {"s1": known}).series] == [reason]


def test_a_changed_policy_or_code_reaches_every_readable_series() -> None:
    unreadable = InventoryObject("x", "f", 1, NO_SERIES, refusal=Refusal(Reason.NOT_DICOM, "r", "d"))
    found = inventory(item("a"), unreadable)
    for changed, reason in (("policy_digest", WorkReason.POLICY), ("code_version", WorkReason.CODE)):
        arguments = {"policy_digest": "policy", "code_version": "code", changed: "new"}
        again = make_worklist(found, known_after(found), verdicts={}, **arguments)
        assert [(each.series_uid, each.reason) for each in again.series] == [("s1", reason)]


def test_a_series_whose_objects_are_gone_is_withdrawn() -> None:
    known = known_after(inventory(item("a")))
    assert [each.reason for each in work(inventory(), known).series] == [WorkReason.WITHDRAWN]


def test_a_series_that_could_not_be_seen_is_left_alone() -> None:
    found = inventory(item("a"), item("b"), unseen=frozenset({"b"}))
    worklist = work(found, {"s1": KnownSeries("other", "policy", "code")})
    assert (worklist.series, worklist.unseen) == ((), 1)


def test_a_decision_puts_its_series_on_the_worklist() -> None:
    found = inventory(item("a"))
    worklist = work(found, known_after(found), a={"f": "reject"})
    assert [each.rejected for each in worklist.series] == [frozenset({"a"})]


def test_a_decision_lapses_when_the_bytes_change() -> None:
    found = inventory(item("a"))
    assert work(found, known_after(found), a={"other bytes": "reject"}).series == ()
