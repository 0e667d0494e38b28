"""Usage and charges in the database: what each waits for, what never changes, and what may be repeated."""

import re
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.usage import store
from billing_assets.metering.usage.facts import Fact
from billing_assets.metering.usage.states import CODES, TRANSITIONS
from billing_assets_tests.rooms.metering.blocks import supply
from billing_assets_tests.rooms.metering.usage.conftest import Arrive
from billing_assets_tests.unit.metering.usage.messages import NOW, POINT, charges, usage


def settle(state: Connection, *points: str, **given: Any) -> dict[int, str]:
    """Settled: state and code of what moved."""
    moved = store.settle(state, points or [POINT], **({"now": NOW} | given))
    return {one.message: " ".join(filter(None, (one.state, one.code))) for one in moved}


def rows(state: Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in state.execute(query.encode())]


def billed(state: Connection, arriving: Arrive) -> tuple[Fact, Fact]:
    """A pair on an invoice."""
    one, bill = arriving(usage("U1"), charges("I1", names="U1"))
    settle(state)
    store.note_billed(state, [one.message, bill.message], "INV-1", now=NOW)
    return one, bill


def test_moves_and_codes_of_the_database_are_those_of_the_code(state: Connection) -> None:
    moves = rows(state, "select old_state, new_state from billing.usage_transitions")
    assert sorted(moves) == sorted((str(one), str(other)) for one, others in TRANSITIONS.items() for other in others)
    codes = rows(state, "select * from billing.usage_codes")
    assert sorted(codes) == sorted((code, *said) for code, said in CODES.items())


def test_usage_waits_for_its_charges_and_both_are_ready_together(state: Connection, arriving: Arrive) -> None:
    (one,) = arriving(usage("U1"))
    assert settle(state) == {one.message: "waiting WAIT_CHARGES"}
    (said,) = rows(state, "select is_ready, waits_for, since from billing.billable_usage")
    assert said == (False, "The charges for this usage have not come, or cannot be billed yet.", one.arrived_at)
    (bill,) = arriving(charges("I1", names="U1"))
    assert settle(state) == {one.message: "ready", bill.message: "ready"}
    query = "select is_ready, kwh, charges_id, charges_total, waits_for from billing.billable_usage"
    assert rows(state, query) == [(True, one.amount, "I1", bill.amount, None)]
    assert rows(state, "select is_ready, total, usage_id from billing.utility_charges") == [(True, bill.amount, "U1")]


def test_what_is_held_says_why_and_names_the_other(state: Connection, arriving: Arrive) -> None:
    _, bill, _ = arriving(usage("U1"), charges("I1", names="U1"), usage("X1", "01", of="U1"))
    assert settle(state)[bill.message] == "held HALF_CANCEL"
    ((waits_for, to_do),) = rows(state, "select waits_for, to_do from billing.utility_charges")
    assert waits_for == (
        "Of usage and charges that belong together only one is cancelled. See usage X1 (waiting, HALF_CANCEL)."
    )
    assert to_do == CODES["HALF_CANCEL"].to_do
    assert rows(state, "select * from billing.billable_usage") == [], "it is cancelled"


def test_a_code_of_a_reader_is_explained_too(state: Connection, arriving: Arrive) -> None:
    arriving(usage("U1", codes=("SUM_CHECK",)))
    settle(state)
    assert rows(state, "select waits_for from billing.billable_usage") == [
        ("SUM_CHECK: its content is implausible; see its findings.",)
    ]


def test_settling_again_writes_nothing(state: Connection, arriving: Arrive) -> None:
    arriving(usage("U1"), charges("I1", names="U1"), usage("U2"), charges("I2"))
    settle(state)
    before = rows(state, "select * from billing.usage_history")
    versions = rows(state, "select xmin::text, * from billing.usage_messages order by message")
    assert settle(state) == {}
    assert rows(state, "select * from billing.usage_history") == before
    assert rows(state, "select xmin::text, * from billing.usage_messages order by message") == versions


def test_a_message_that_is_taken_in_twice_is_one(state: Connection, arriving: Arrive) -> None:
    (one,) = arriving(usage("U1"))
    assert store.take_in(state, [one]) == 0
    assert len(rows(state, "select from billing.usage_messages")) == 1


def test_every_state_that_a_message_had_is_kept(state: Connection, arriving: Arrive) -> None:
    (one,) = arriving(usage("U1"))
    settle(state)
    arriving(charges("I1", names="U1"))
    settle(state)
    history = "select message, state from billing.usage_history where subject = 'message' order by id"
    assert [said for message, said in rows(state, history) if message == one.message] == [
        "accepted",
        "waiting",
        "ready",
    ]


def test_what_a_killed_run_did_not_settle_is_settled_by_the_next(state: Connection, arriving: Arrive) -> None:
    here, there = arriving(usage("U1"), usage("U2", point="10032780000000059"))
    assert store.unsettled(state, NOW) == sorted([here.point, there.point])
    moved = store.settle_what_waits(state, now=NOW, chunk=1)
    assert {one.message for one in moved} == {here.message, there.message}
    assert store.unsettled(state, NOW) == []


def test_charges_that_name_usage_of_another_point_are_held_when_that_usage_comes(
    state: Connection, arriving: Arrive
) -> None:
    (bill,) = arriving(charges("I1", names="U1"))
    assert settle(state) == {bill.message: "waiting ORPHAN_CHARGES"}
    (theirs,) = arriving(usage("U1", point="10032780000000059"))
    assert settle(state, theirs.point) == {bill.message: "held PAIR_ESI", theirs.message: "waiting WAIT_CHARGES"}


def test_a_cancel_of_what_is_billed_is_one_credit_and_its_replacement_one_rebill(
    state: Connection, arriving: Arrive
) -> None:
    one, bill = billed(state, arriving)
    candidates = "select kind, message, original, state from billing.usage_candidates order by kind"
    gone, _ = arriving(usage("X1", "01", of="U1", day=9), charges("Y1", "01", of="I1", day=9))
    settle(state, now=gone.arrived_at)
    assert rows(state, candidates) == [("credit", one.message, one.message, "waiting")]
    new, _ = arriving(usage("U2", "05", of="U1", amount=one.amount + 50), charges("I2", "05", names="U2", of="I1"))
    settle(state, now=gone.arrived_at)
    assert rows(state, candidates) == [
        ("credit", one.message, one.message, "due"),
        ("rebill", new.message, one.message, "due"),
        ("restatement", new.message, one.message, "due"),
    ]
    assert rows(state, "select rebills, is_ready from billing.billable_usage") == [(one.message, True)]
    states = dict(rows(state, "select message, state from billing.usage_messages"))
    assert states[one.message] == states[bill.message] == "restated"


def test_a_credit_without_a_replacement_is_due_when_its_days_are_over(state: Connection, arriving: Arrive) -> None:
    billed(state, arriving)
    gone, _ = arriving(usage("X1", "01", of="U1", day=9), charges("Y1", "01", of="I1", day=9))
    settle(state, now=gone.arrived_at)
    assert store.unsettled(state, gone.arrived_at + timedelta(days=9)) == []
    later = gone.arrived_at + timedelta(days=10)
    assert store.unsettled(state, later) == [POINT]
    store.settle_what_waits(state, now=later)
    assert rows(state, "select state from billing.usage_candidates") == [("due",)]
    assert store.unsettled(state, later) == []


def test_a_candidate_that_invoicing_took_stays_what_it_is(state: Connection, arriving: Arrive) -> None:
    one, _ = billed(state, arriving)
    gone, _ = arriving(usage("X1", "01", of="U1", day=9), charges("Y1", "01", of="I1", day=9))
    settle(state, now=gone.arrived_at)
    assert not store.take_candidate(state, "credit", one.message, "CM-1"), "not due"
    settle(state, now=gone.arrived_at + timedelta(days=10))
    assert store.take_candidate(state, "credit", one.message, "CM-1")
    assert not store.take_candidate(state, "credit", one.message, "CM-2"), "taken"
    settle(state, now=gone.arrived_at)
    assert rows(state, "select state, taken_by from billing.usage_candidates") == [("taken", "CM-1")]
    with pytest.raises(psycopg.errors.CheckViolation, match="never changes"):
        state.execute("update billing.usage_candidates set state = 'withdrawn', taken_by = null")


def test_only_what_is_ready_is_billed(state: Connection, arriving: Arrive) -> None:
    (one,) = arriving(usage("U1"))
    settle(state)
    with pytest.raises(psycopg.errors.CheckViolation, match="may not go from waiting to billed"):
        store.note_billed(state, [one.message], "INV-1")
    assert rows(state, "select from billing.usage_billed") == []


def test_what_is_billed_stays_billed_whatever_comes(state: Connection, arriving: Arrive) -> None:
    one, bill = billed(state, arriving)
    (older,) = arriving(usage("U0", day=1))
    assert settle(state) == {older.message: "held DUP_PERIOD"}
    assert store.note_billed(state, [one.message, bill.message], "INV-1", now=NOW) == []


@pytest.mark.parametrize(
    "statement",
    [
        "update billing.usage_messages set amount = 7",
        "update billing.usage_messages set period_end = '2026-07-03'",
        "update billing.usage_messages set state = 'rejected' where state = 'billed'",
        "update billing.usage_messages set state = 'ready' where state = 'billed'",
        "update billing.usage_messages set state = 'held' where state = 'billed'",
        "delete from billing.usage_messages",
        "delete from billing.usage_pairs",
        "delete from billing.usage_candidates",
        "update billing.usage_history set state = 'ready'",
        "delete from billing.usage_history",
        "update billing.usage_billed set invoice = 'INV-2'",
        "delete from billing.usage_decisions",
    ],
)
def test_the_database_refuses_what_would_rewrite_history(state: Connection, arriving: Arrive, statement: str) -> None:
    billed(state, arriving)
    with pytest.raises(psycopg.errors.CheckViolation):
        state.execute(statement.encode())


def test_a_pair_that_ends_is_kept_as_ended(state: Connection, arriving: Arrive) -> None:
    arriving(usage("U1"), charges("I1"))
    settle(state)
    arriving(charges("I2", names="U1", day=3))
    settle(state)
    pairs = rows(
        state,
        "select i.id, p.found_by, p.state from billing.usage_pairs as p "
        "join billing.usage_messages as i on i.message = p.charges order by i.id",
    )
    assert pairs == [("I1", "period", "ended"), ("I2", "reference", "paired")]


def test_the_sentences_are_words_for_people() -> None:
    for code in CODES.values():
        assert re.fullmatch(r"[A-Z][^_]*[.]", code.meaning)
        assert re.fullmatch(r"[A-Z][^_]*[.]", code.to_do)


def test_what_came_for_an_unknown_point_is_held_and_freed_once_master_data_has_it(
    state: Connection, arriving: Arrive
) -> None:
    one, bill = arriving(usage("U1", point="10032780000000067"), charges("I1", names="U1", point="10032780000000067"))
    settle(state, one.point)
    assert [row[0] for row in rows(state, "select codes[1] from billing.usage_messages")] == ["NO_SERVICE_POINT"] * 2
    assert store.unsettled(state, NOW) == []
    late, early = (date(2026, 7, 2), None), (date(2020, 1, 1), date(2026, 6, 3))
    for since, until in (late, early):
        state.execute(
            "insert into billing.service_points (point, valid_from, valid_until) values (%s, %s, %s)",
            [one.point, since, until],
        )
        assert store.unsettled(state, NOW) == [], "supplied before or after its period"
    supply(state, one.point, since=date(2026, 6, 20))
    moved = store.settle_what_waits(state, now=NOW)
    assert {(found.message, found.state) for found in moved} == {(one.message, "ready"), (bill.message, "ready")}
