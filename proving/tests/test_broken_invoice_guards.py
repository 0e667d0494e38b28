"""The test of the test: without any one guard of invoices something goes wrong, and the invariants see it."""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.batches import store as batches
from billing_assets.invoicing.invoices import releasing, store
from billing_assets.work_queue import claims
from billing_assets.work_queue.claims import Claim
from proving.invoicing.life import Life
from proving.invoicing.lives import World, open_world
from proving.invoicing.points import DRAFTING, ISSUING


@pytest.fixture(scope="module")
def world(server_url: str) -> Iterator[World]:
    with open_world(server_url) as opened:
        yield opened


def pending(world: World) -> Life:
    """Two customers whose batch may be invoiced."""
    life = Life(world)
    for number in (1, 2):
        life.arrive(number, 0, 1000)
    life.lock(group="G1")
    for batch in life.ids("invoice_batches", "pending_validation"):
        life.validate(batch)
        life.proceed(batch)
    return life


def drafted(world: World) -> tuple[Life, int]:
    """Their drafts, checked, and the batch."""
    life = pending(world)
    life.claim()
    while life.workers:
        life.step(life.workers[0])
    (batch,) = life.ids("invoice_batches", "completed")
    life.release(batch, "check")
    life.check()
    return life, batch


def issued(world: World) -> tuple[Life, int]:
    """The same, issued."""
    life, batch = drafted(world)
    life.release(batch, "issue")
    life.check()
    return life, batch


def any_worker(connection: Connection, claim: Claim, change: str, values: dict[str, object]) -> None:
    """A write of the queue that does not carry the epoch."""
    connection.execute(
        f"update {claim.queue.table} set {change} where {claim.queue.key} = %(item)s".encode(),  # noqa: S608
        {"item": claim.item, **values},
    )


@pytest.mark.parametrize("completes", [False, True])
def test_a_write_that_does_not_carry_the_epoch_is_seen(world: World, completes: bool) -> None:
    life = pending(world)
    life.claim()
    life.pass_time()
    life.claim()
    (late,) = life.late()
    with patch.object(claims, "_write", any_worker), pytest.raises(AssertionError, match="that lost its batch"):
        life.finish_late(late) if completes else life.step(late)
    for worker in life.workers:
        worker.die()


def test_numbers_that_are_taken_in_a_transaction_of_their_own_are_seen(world: World) -> None:
    life, batch = drafted(world)
    take = store.take_numbers

    def by_itself(_: Connection, *given: Any) -> int | None:
        with connect(world.url) as connection:
            return take(connection, *given)

    with patch.object(store, "take_numbers", by_itself):
        life.release(batch, "issue", ISSUING["the numbers are written and not committed"])
    with pytest.raises(AssertionError, match="the next number follows the last one"):
        life.check()


def test_numbers_that_are_given_one_by_one_outside_the_release_are_seen(world: World) -> None:
    life, batch = drafted(world)
    issue = store.issue

    def by_itself(_: Connection, each: Any) -> None:
        with connect(world.url) as connection:
            connection.execute("set lock_timeout = '2s'")
            issue(connection, each)

    with patch.object(store, "issue", by_itself), pytest.raises(Exception, match="lock timeout"):
        life.release(batch, "issue")  # the drafts are locked for the transaction that issues them


def test_a_draft_that_is_not_one_transaction_with_its_member_is_seen(world: World) -> None:
    life = pending(world)
    end = batches.end_member

    def by_itself(_: Connection, *given: Any) -> None:
        with connect(world.url) as connection:
            connection.execute("set lock_timeout = '2s'")
            end(connection, *given)

    life.claim()
    with patch.object(batches, "end_member", by_itself), pytest.raises(Exception, match="lock timeout"):
        life.step(life.workers[0], DRAFTING["a member is committed"])
    for worker in life.workers:
        worker.die()


WITHOUT_CONSTRAINTS = """
    alter table billing.invoiced_usage drop constraint day_on_one_invoice;
    drop index billing.invoiced_usage_version"""
WITH_CONSTRAINTS = """
    alter table billing.invoiced_usage add constraint day_on_one_invoice
        exclude using gist (int8range(stream, stream, '[]') with &&, days with &&) where (is_live);
    create unique index invoiced_usage_version on billing.invoiced_usage (version) where is_live"""
SECOND = """
    insert into billing.invoiced_usage (invoice, version, message, stream, days, kwh)
    select (select max(id) from billing.utility_invoices), 'again', null, stream, days, kwh
    from billing.invoiced_usage order by invoice limit 1"""


def test_a_day_on_two_invoices_is_seen_and_it_is_the_constraint_that_refuses_it(world: World) -> None:
    life, _ = issued(world)
    with pytest.raises(Exception, match="day_on_one_invoice"):
        life.state.execute(SECOND)
    life.state.execute(WITHOUT_CONSTRAINTS.encode())
    try:
        life.state.execute(SECOND)
        with pytest.raises(AssertionError, match="a day of a service point is on one live invoice"):
            life.check()
    finally:
        world.reset()
        life.state.execute(WITH_CONSTRAINTS.encode())


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ("update billing.utility_invoices set due_date = due_date + 1", "was issued and changed"),
        ("update billing.utility_invoices set sequence = sequence + 10", "numbers are given without a gap"),
        ("update billing.utility_invoice_lines set amount = amount + 1", "lines and taxes are the header"),
        ("update billing.utility_invoices set state = 'cancelled'", "an invoice is cancelled by one document"),
        ("update billing.invoiced_usage set is_live = false", "is live as long as the invoice"),
        ("delete from billing.utility_invoice_taxes", "lines and taxes are the header"),
        ("update billing.batch_members set state = 'failed', code = 'X', why = 'X'", "a member is invoiced when"),
        ("update billing.usage_messages set state = 'ready'", "usage and charges are billed when"),
        ("update billing.invoice_batches set selected = selected + 1", "the members of a batch are its outcomes"),
    ],
)
def test_what_a_trigger_refuses_is_seen_where_the_trigger_is_not(world: World, change: str, seen: str) -> None:
    life, _ = issued(world)
    life.state.execute("set session_replication_role = replica")
    try:
        life.state.execute(change.encode())
    finally:
        life.state.execute("set session_replication_role = origin")
    with pytest.raises(AssertionError, match=seen):
        life.check()


@pytest.mark.parametrize(
    ("module", "name", "verb", "seen"),
    [
        (releasing, "note_all_billed", "issue", "usage and charges are billed when"),
        (store, "free", "discard", "is live as long as the invoice"),
        (batches, "end_member", "discard", "a member is invoiced when"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_step_that_is_left_out_is_seen(world: World, module: Any, name: str, verb: str, seen: str) -> None:
    life, batch = drafted(world)
    do: dict[str, Callable[[], None]] = {
        "issue": lambda: life.release(batch, "issue"),
        "discard": lambda: life.decide_draft(life.ids("utility_invoices", "approved")[0], "discard"),
    }
    with patch.object(module, name, lambda *_, **__: None):
        do[verb]()
    with pytest.raises(AssertionError, match=seen):
        life.check()
