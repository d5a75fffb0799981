"""The ledger on a real PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from ingestion.accounting.database import LedgerError, engine_of
from ingestion.accounting.decisions import NotQuarantinedError, Quarantine, Verb
from ingestion.accounting.inventory import NO_SERIES, Inventory, InventoryObject, Refusal, compare
from ingestion.accounting.ledger import Ledger
from ingestion.accounting.outcomes import InstanceOutcome, SeriesOutcome, Work
from ingestion.accounting.reconcile import reconcile
from ingestion.accounting.source_state import write_state
from ingestion.accounting.states import InstanceState, Reason
from ingestion.catalogue.migrate import upgrade
from ingestion.identity.keys import KeyInvalidError, SourceKey
from ingestion.storage.folder import FolderStore

pytestmark = pytest.mark.stack
TRUNCATED = Refusal(Reason.TRUNCATED, "dicom.length", "ends early")


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[Ledger]:
    upgrade(postgres_url)
    engine = engine_of(postgres_url)
    yield Ledger(engine)
    engine.dispose()


def item(
    name: str, series: str = "1.2.3", *, fingerprint: str = "f1", refusal: Refusal | None = None
) -> InventoryObject:
    return InventoryObject(name, fingerprint, 10, series, "1.2", name, "p", refusal)


def save(ledger: Ledger, *objects: InventoryObject, complete: bool = True) -> Inventory:
    before = ledger.inventory("S")
    now = {each.object_hash: each for each in objects}
    inventory = Inventory("S", now, compare(before, now, complete=complete))
    ledger.save_inventory(inventory)
    return inventory


def outcome(*instances: InstanceOutcome, series: str = "1.2.3", manifest: str | None = "m") -> SeriesOutcome:
    return SeriesOutcome(series, instances, manifest, Work(objects_written=len(instances)))


def accepted(name: str, fingerprint: str = "f1") -> InstanceOutcome:
    return InstanceOutcome(
        name, fingerprint, InstanceState.ACCEPTED, store_key=f"dicom/S/1.2.3/{name}", sha256="0" * 64, size=3
    )


def quarantined(name: str, refusal: Refusal = TRUNCATED) -> InstanceOutcome:
    return InstanceOutcome(name, "f1", InstanceState.QUARANTINED, refusal=refusal)


def commit(ledger: Ledger, done: SeriesOutcome) -> None:
    ledger.commit_series("S", done, input_digest="d", policy_digest="p", code_version="c")


def test_an_inventory_comes_back_as_it_was_saved(ledger: Ledger) -> None:
    objects = item("a"), item("b", NO_SERIES, refusal=TRUNCATED)
    save(ledger, *objects)
    assert ledger.inventory("S") == {each.object_hash: each for each in objects}
    save(ledger, item("a", fingerprint="f2"))
    assert ledger.inventory("S") == {"a": item("a", fingerprint="f2")}
    assert ledger.delivered("S") == 1


def test_what_was_withdrawn_can_come_back(ledger: Ledger) -> None:
    save(ledger, item("a"))
    save(ledger)
    assert ledger.inventory("S") == {}
    save(ledger, item("a"))
    assert ledger.inventory("S") == {"a": item("a")}


def test_committing_twice_changes_nothing(ledger: Ledger) -> None:
    save(ledger, item("a"), item("b"))
    done = outcome(accepted("a"), quarantined("b"))
    commit(ledger, done)
    state = ledger.source_state("S")
    commit(ledger, done)
    assert ledger.source_state("S") == state
    assert (state.counts.delivered, state.counts.accepted, state.counts.quarantined) == (2, 1, 1)
    assert state.reasons == {"truncated": 1}
    assert ledger.unaccounted("S") == 0


def test_an_object_that_moves_to_another_series_is_counted_once(ledger: Ledger) -> None:
    save(ledger, item("a"), item("b"))
    commit(ledger, outcome(accepted("a"), accepted("b")))
    save(ledger, item("a"), item("b", "9.9"))
    commit(ledger, outcome(accepted("b"), series="9.9"))
    assert ledger.source_state("S").counts.delivered == 2


def test_a_passing_fault_leaves_no_input_digest(ledger: Ledger) -> None:
    commit(ledger, outcome(quarantined("a", Refusal(Reason.UNREADABLE_OBJECT, "source.read", "")), manifest=None))
    assert ledger.known_series("S")["1.2.3"].input_digest is None


def test_another_key_is_refused(ledger: Ledger) -> None:
    ledger.check_key(SourceKey("S", b"a" * 32))
    ledger.check_key(SourceKey("S", b"a" * 32))
    with pytest.raises(KeyInvalidError, match="nothing was processed"):
        ledger.check_key(SourceKey("S", b"b" * 32))


def test_a_key_that_another_source_has_is_refused_and_not_recorded(ledger: Ledger) -> None:
    ledger.check_key(SourceKey("S", b"a" * 32))
    for _ in range(2):
        with pytest.raises(KeyInvalidError, match="source T has the same key as S: "):
            ledger.check_key(SourceKey("T", b"a" * 32))
    ledger.check_key(SourceKey("T", b"b" * 32))
    ledger.check_key(SourceKey("S", b"a" * 32))


def test_a_database_that_is_gone_is_one_clear_error(ledger: Ledger) -> None:
    engine = engine_of("postgresql+psycopg2://nobody:hidden@127.0.0.1:9/none")
    with pytest.raises(LedgerError) as caught:
        Ledger(engine).delivered("S")
    assert "hidden" not in str(caught.value)


def test_two_syncs_of_one_source_wait_for_each_other(ledger: Ledger) -> None:
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        entered.wait()
        with ledger.exclusive("S", log=lambda text: order.append("waits")):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with ledger.exclusive("S", log=lambda text: None):
        entered.set()
        time.sleep(1.0)
        order.append("first")
    thread.join()
    assert order == ["waits", "first", "second"]


def test_decisions_are_kept_for_the_bytes_they_were_made_about(ledger: Ledger) -> None:
    commit(ledger, outcome(quarantined("a"), manifest=None))
    quarantine = Quarantine(ledger.engine)
    quarantine.decide(source_id="S", object_hash="a", verb=Verb.REJECT, note="seen")
    assert quarantine.verdicts("S") == {"a": {"f1": "reject"}}
    quarantine.decide(source_id="S", object_hash="a", verb=Verb.RELEASE, note="")
    assert quarantine.verdicts("S") == {"a": {"f1": "release:2"}}
    assert [row["verb"] for row in quarantine.rows(source_id="S")] == ["release"]
    with pytest.raises(NotQuarantinedError):
        quarantine.decide(source_id="S", object_hash="b", verb=Verb.REJECT, note="")


def test_reconciling_notices_whatever_goes_missing(ledger: Ledger, tmp_path) -> None:
    research, internal = FolderStore(tmp_path / "r"), FolderStore(tmp_path / "i")
    save(ledger, item("a"), item("b"))

    def problems() -> str:
        return " ".join(reconcile("S", ledger=ledger, research=research, internal=internal).problems)

    assert "never synced" in problems()
    commit(ledger, outcome(quarantined("a"), quarantined("b"), manifest=None))
    write_state(internal, ledger.source_state("S"))
    assert problems() == ""
    commit(ledger, outcome(accepted("a"), quarantined("b"), manifest=None))
    assert "not in the store" in problems()
    research.create("dicom/S/1.2.3/a", b"four")
    assert "another size" in problems()
    with ledger.engine.begin() as connection:
        connection.execute(text("DELETE FROM cie.instance WHERE object_hash = 'b'"))
    assert "accounts for 1" in problems()
