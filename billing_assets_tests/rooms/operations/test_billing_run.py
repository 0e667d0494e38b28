"""A supervised run on a real system without the daemon: what it waits for, what it stages itself, and when it ends."""

from collections.abc import Sequence
from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console

from billing_assets.erp.close.comparing import compared
from billing_assets.erp.close.reconciliation import MonthClose
from billing_assets.erp.close.store import pack, set_closed
from billing_assets.erp.close.terminal import show_closes
from billing_assets.erp.close.verdict import verdict
from billing_assets.operations import movement_store
from billing_assets.operations.billing_run import Look, Progress, close_period, wait
from billing_assets.operations.run_progress import Group, Memory, Step, What, next_step
from proving.world.builders import (
    apply_credit,
    change_document,
    delete_document,
    insert_document,
    staged,
    void_document,
)
from proving.world.system import PERIOD, System


def look(system: System) -> Look:
    return Look(system.state, system.runtime, system.instance, PERIOD)


def moving(system: System) -> dict[What, tuple[str, ...]]:
    """What is waited for, with its numbers."""
    return {one.what: one.numbers for one in look(system).facts().moving}


def bill(system: System) -> None:
    assert system.stage().success
    for key in system.planned():
        assert system.post(key).success


def waited(system: System) -> str:
    """Waits to the end, as `billing run` does, and returns what it said."""
    text = StringIO()
    console = Console(file=text, width=200)
    wait(look(system), [], Progress(console), Memory(movement_store.now(system.state)))
    return text.getvalue()


def closed(system: System) -> MonthClose:
    with system.runtime.state() as connection:
        return compared(system.runtime, connection, PERIOD)


def shown(close: MonthClose) -> str:
    text = StringIO()
    show_closes(Console(file=text, width=200), [close])
    return " ".join(text.getvalue().split())


def test_what_is_staged_while_it_looks_is_waited_for(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Staging committed between the two questions of a look: the run closed a month of which nothing was posted."""
    insert_document(system.source, "500001")
    asked = Look._to_stage

    def staged_meanwhile(self: Look, periods: Sequence[str]) -> Group | None:
        assert system.stage().success
        return asked(self, periods)

    monkeypatch.setattr(Look, "_to_stage", staged_meanwhile)
    facts = look(system).facts()
    assert [one.what for one in facts.moving] == [What.READY]
    assert next_step(facts, Memory(facts.at).after(facts)) is Step.WAIT


@pytest.mark.parametrize(
    ("drift", "cause"),
    [
        (void_document, "1 voided after posting"),
        (delete_document, "1 deleted after posting"),
        (lambda source, one: change_document(source, one, total="12.00"), "1 changed after posting"),
        (lambda source, one: change_document(source, one, document_date="2010-10-05"), "1 deleted after posting"),
    ],
)
def test_a_run_ends_after_drift_and_says_what_differs(system: System, drift: object, cause: str) -> None:
    """One posted invoice was voided, deleted or changed at the source: the next run waited for ever."""
    insert_document(system.source, "500001")
    insert_document(system.source, "500002")
    bill(system)
    drift(system.source, staged(system.state, "500001")["document_id"])  # type: ignore[operator]
    assert moving(system) == {}, "staging does not change what is posted"
    assert "Nothing has moved" not in waited(system)
    close = closed(system)
    assert not verdict(close).done
    assert cause in verdict(close).words
    assert f"{cause} (500001)" in shown(close)


def test_what_was_posted_in_another_month_is_drift_too(system: System) -> None:
    insert_document(system.source, "500001", document_date="2010-10-05")
    bill(system)
    change_document(system.source, staged(system.state, "500001")["document_id"], document_date="2010-11-05")
    assert moving(system) == {}


def test_what_is_rejected_held_or_open_is_an_end_and_no_agreement(system: System) -> None:
    """525 of 525 rejected, and the run said that the month agrees to the cent."""
    insert_document(system.source, "500001")
    insert_document(system.source, "500002", customer_no=None)
    insert_document(system.source, "500003", status="open")
    assert system.stage().success
    assert moving(system) == {What.READY: ("500001",)}
    system.refuse("INV-500001")
    (key,) = system.planned()
    assert moving(system) == {What.BATCHED: ("500001",)}
    system.post(key)
    assert moving(system) == {}
    waited(system)
    close = closed(system)
    assert verdict(close).words == "is not complete: 2 documents are not posted (1 rejected, 1 not closed)"
    said = shown(close)
    assert "1 rejected (500001). NetSuite refused it." in said
    assert "`billing requeue`" in said
    assert "1 held (500002)" in said
    assert "- not posted 2 20.00" in said


def test_an_unknown_outcome_is_named_with_its_batch_and_when_it_is_looked_up(system: System) -> None:
    insert_document(system.source, "500001")
    assert system.stage().success
    (key,) = system.planned()
    system.account.switch(faults=[{"fault": "drop_without_commit"}])
    system.post(key)
    (group,) = look(system).facts().moving
    assert (group.what, group.numbers, group.batches) == (What.UNKNOWN, ("500001",), (key,))
    assert group.until is not None
    assert look(system).facts().dues == {key: group.until}


def test_what_the_sensor_does_not_see_is_staged_by_the_run_itself(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corrected amount changes no count: the run did not wait for it, and the close called it different."""
    monkeypatch.setattr("billing_assets.operations.run_progress.SENSOR_LATE", timedelta(0))
    insert_document(system.source, "500001", status="open")
    assert system.stage().success
    one = staged(system.state, "500001")["document_id"]
    change_document(system.source, one, total="12.00")
    assert moving(system) == {What.TO_STAGE: ("500001",)}
    said = waited(system)
    assert "1 not staged as billing shows them (500001): staging now" in said
    assert staged(system.state, "500001")["total"] == 12
    assert moving(system) == {}


def test_what_a_staging_leaves_as_it_was_is_no_longer_waited_for_and_told(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staging that cannot work, here for a broken source of lines: the run ends, and the close names the document."""
    monkeypatch.setattr("billing_assets.operations.run_progress.SENSOR_LATE", timedelta(0))
    insert_document(system.source, "500001")
    system.source.execute("alter table invoice_lines rename to elsewhere")
    said = waited(system)
    assert said.count("staging now") == 1
    assert moving(system) == {What.TO_STAGE: ("500001",)}
    close = closed(system)
    assert "1 not staged" in verdict(close).words
    assert "Run the job `stage_invoices`" in shown(close)


def test_a_credit_memo_is_waited_for_only_while_its_invoice_is_on_its_way(system: System) -> None:
    insert_document(system.source, "500001")
    insert_document(system.source, "500002", customer_no=None)
    for number, invoice in (("C1", "500001"), ("C2", "500002")):
        apply_credit(system.source, insert_document(system.source, number, kind="credit_memo"), invoice)
    assert system.stage().success
    assert moving(system) == {What.READY: ("500001", "C1")}
    for _ in range(2):
        for key in system.planned():
            assert system.post(key).success
    assert moving(system) == {}
    assert system.states()["C2"] == "ready", "it waits for a person to see to its invoice"


def test_a_closed_month_is_not_waited_for_nor_a_credit_memo_for_an_invoice_in_one(system: System) -> None:
    insert_document(system.source, "500001", document_date="2010-10-05")
    insert_document(system.source, "500002")
    apply_credit(system.source, insert_document(system.source, "C1", kind="credit_memo"), "500001")
    assert system.stage().success
    assert moving(system) == {What.READY: ("500002", "C1")}
    set_closed(system.state, "2010-10", "soft")
    assert moving(system) == {What.READY: ("500002",)}
    set_closed(system.state, PERIOD, "soft")
    assert moving(system) == {}
    facts = look(system).facts()
    assert next_step(facts, Memory(facts.at).after(facts)) is Step.DONE


def test_a_late_document_that_goes_with_a_later_month_is_staged_all_the_same(system: System) -> None:
    """It is in another month with us than in the billing system, so that counts by month never agree."""
    insert_document(system.source, "500001")
    bill(system)
    set_closed(system.state, PERIOD, "soft")
    insert_document(system.source, "500002")
    assert system.stage().success
    system.state.execute(
        "update billing.staged_invoices set state = 'ready', period = '2010-12', posting_date = '2010-12-01', "
        "findings = '[]' where number = '500002'"
    )
    assert moving(system) == {}


def test_batches_of_other_months_are_not_waited_for(system: System) -> None:
    insert_document(system.source, "500001", document_date="2010-12-05")
    assert system.stage().success
    assert system.planned()
    assert look(system).facts().unfinished == ()
    assert moving(system) == {}


def test_a_supervised_run_compares_a_month_once_and_says_what_the_pack_has(system: System) -> None:
    """It compared every month twice: in the run that the web UI shows, and again for what it said itself."""
    insert_document(system.source, "500001")
    bill(system)
    before = queries(system)
    assert system.run("close_month", PERIOD).success
    once = queries(system) - before
    text = StringIO()
    close = close_period(look(system), Progress(Console(file=text, width=200)), PERIOD)
    assert once > 0
    assert queries(system) == before + 2 * once
    assert "agrees to the cent" in text.getvalue()
    kept = pack(system.state, PERIOD)
    assert kept is not None
    assert (kept.figures, close.period) == (close.figures, PERIOD)


def queries(system: System) -> int:
    """How many requests NetSuite got, but for logins."""
    found = system.account.admin("requests")["operations"]
    return sum(count for what, count in found.items() if "token" not in what)
