"""From a request to a validated batch, on a real database: who is in it, what holds it, what a person decides."""

import threading
from datetime import date
from pathlib import Path

import psycopg
import pytest

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.accounts.store import hold
from billing_assets.invoicing.batches import planning_store, reports, reviewing
from billing_assets.invoicing.batches.selections import Selection, SelectionError, Wanted
from billing_assets.invoicing.batches.states import BATCH_TRANSITIONS, MEMBER_TRANSITIONS, Batch
from billing_assets.invoicing.batches.store import BatchStateError
from billing_assets.invoicing.batches.validating import lock, plan_next, validate
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, JUNE, customers, load, metered, point_of

GROUP = Wanted(Selection.BILL_GROUP, CUT_OFF, ("G1",))


def of(*accounts: str) -> Wanted:
    return Wanted(Selection.CUSTOMER, CUT_OFF, accounts)


def locked(state: Connection, wanted: Wanted = GROUP) -> list[int]:
    return [one.batch for one in lock(state, wanted, "Mara", "Month end")]


def found(state: Connection, batch: int) -> list[str]:
    return [f"{one.severity} {one.code}" for one in reports.findings(state, batch)]


def members(state: Connection, batch: int) -> list[tuple[int, str, str]]:
    rows = state.execute(
        "select id, account, state from billing.batch_members where batch = %s order by id", [batch]
    ).fetchall()
    return [(row["id"], row["account"], row["state"]) for row in rows]


def test_the_moves_in_the_database_are_those_of_the_code(state: Connection) -> None:
    rows = state.execute("select subject, old_state, new_state from billing.invoicing_transitions").fetchall()
    kept = {tuple(row.values()) for row in rows}
    for subject, moves in (("batch", BATCH_TRANSITIONS), ("member", MEMBER_TRANSITIONS)):
        ours = {(subject, str(old), str(new)) for old, targets in moves.items() for new in targets}
        assert ours == {one for one in kept if one[0] == subject}


def test_total_and_billable_customers_are_known_before_anything_is_locked(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1, 2, 3)
    metered(state, 1)
    metered(state, 2, paired=False)
    (one,) = planning_store.groups(state, CUT_OFF)
    assert (one.bill_group, one.customers, one.billable, one.waiting, one.in_batches) == ("G1", 3, 1, 1, 0)
    locked(state)
    (one,) = planning_store.groups(state, CUT_OFF)
    assert (one.billable, one.in_batches) == (0, 1)


def test_what_another_issuer_bills_is_never_ours_while_it_does(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1, 2)
    metered(state, 1)
    metered(state, 1, period=JULY)
    metered(state, 2)
    points = f"point,issuer,valid_from,valid_until\n{point_of(1)},SAP,2026-01-01,{JULY[0]}\n"
    load(state, tmp_path, billed_elsewhere=points)
    assert len(locked(state)) == 1
    assert [one[1] for one in members(state, 1)] == ["A1", "A2"]
    (ours,) = state.execute("select period_start from billing.batch_members where account = 'A1'")
    assert ours["period_start"] == JULY[0]


def test_a_batch_has_one_group_and_no_more_members_than_it_may(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1, 2, 3, max_batch=2)
    customers(state, tmp_path, 4, group="G2")
    for number in (1, 2, 3, 4):
        metered(state, number)
    both = Wanted(Selection.BILL_GROUP, CUT_OFF, ("G1", "G2"))
    assert [(one.bill_group, one.members) for one in lock(state, both, "Mara", "Now")] == [
        ("G1", 2),
        ("G1", 1),
        ("G2", 1),
    ]
    assert locked(state, both) == [], "what is in a batch is in no other"


def test_of_two_messages_for_a_period_the_one_that_may_be_billed_is_in_the_batch(
    state: Connection, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    first = metered(state, 1)
    second = metered(state, 1, version=2, amount=1200)
    rows = state.execute(
        "select message, state from billing.usage_messages where kind = 'usage' order by message"
    ).fetchall()
    assert [tuple(row.values()) for row in rows] == [(first, "ready"), (second, "held")]
    locked(state, of("A1"))
    (member,) = state.execute("select usage from billing.batch_members").fetchall()
    assert member["usage"] == first


@pytest.mark.parametrize(
    ("wanted", "accounts"),
    [
        (of("A2"), ["A2"]),
        (GROUP, ["A1", "A2"]),
        (Wanted(Selection.TRANSACTION_DATE_867, CUT_OFF, (), date(2026, 7, 4), date(2026, 7, 4)), ["A1"]),
        (Wanted(Selection.CONSUMPTION_TO, CUT_OFF, (), date(2026, 8, 1), date(2026, 8, 5)), ["A2"]),
        (Wanted(Selection.PRODUCTION_CYCLE, CUT_OFF, ("C8",)), ["A1", "A2"]),
        (Wanted(Selection.PRODUCTION_CYCLE, CUT_OFF, ("C9",)), []),
        (Wanted(Selection.BILL_GROUP, date(2026, 7, 31), ("G1",)), ["A1"]),
    ],
    ids=["customer", "group", "867 date", "consumption", "cycle", "closed cycle", "cut-off"],
)
def test_each_selection_takes_what_it_names(
    state: Connection, tmp_path: Path, wanted: Wanted, accounts: list[str]
) -> None:
    customers(state, tmp_path, 1, 2)
    metered(state, 1, day=4)
    metered(state, 2, period=JULY, day=6)
    state.execute(
        """
        insert into billing.bill_cycles
            (bill_group, cycle, valid_from, valid_until, estimate_from, read_on, invoice_date)
        values ('G1', 'C8', '2026-08-05', '2026-08-15', '2026-08-12', '2026-08-03', '2026-08-12'),
            ('G1', 'C9', '2026-09-05', '2026-09-15', '2026-09-12', '2026-09-03', '2026-09-12')"""
    )
    assert [account for batch in locked(state, wanted) for _, account, _ in members(state, batch)] == accounts


def test_a_selection_without_its_parameters_is_refused() -> None:
    with pytest.raises(SelectionError, match="needs a first and a last day"):
        Wanted(Selection.CONSUMPTION_TO, CUT_OFF)
    with pytest.raises(SelectionError, match="needs names"):
        Wanted(Selection.CUSTOMER, CUT_OFF)


def test_a_request_is_queued_once_and_planned_once(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    first, is_new = planning_store.request(state, GROUP)
    assert is_new
    assert planning_store.request(state, GROUP) == (first, False)
    planned = plan_next(state)
    assert planned is not None
    assert [one.members for one in planned] == [1]
    assert plan_next(state) is None


def test_what_was_not_billable_the_first_time_is_locked_when_it_is_asked_for_again(
    state: Connection, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    assert locked(state) == []
    metered(state, 1)
    assert len(locked(state)) == 1


def test_two_who_lock_at_once_never_have_the_same_member(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, *range(1, 9))
    for number in range(1, 9):
        metered(state, number)
    start = threading.Barrier(3)

    def take() -> None:
        with connect(state_url) as connection:
            start.wait()
            lock(connection, GROUP, "Mara", "Month end")

    threads = [threading.Thread(target=take) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    locked(state)
    rows = state.execute("select account from billing.batch_members where state = 'selected'").fetchall()
    assert sorted(row["account"] for row in rows) == [f"A{number}" for number in range(1, 9)]


def test_a_good_member_is_clear_and_a_manual_batch_waits_for_a_person(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    (batch,) = locked(state)
    assert validate(state, batch, today=CUT_OFF).state is Batch.IN_REVIEW
    assert found(state, batch) == ["warning BILL_DEADLINE"]
    reviewing.proceed(state, batch, "Mara", "Looked at")
    (status,) = reports.batches(state, batch)
    assert (status.words, status.selected, status.open) == ("Pending", 1, 1)


def test_an_automated_group_goes_on_by_itself_unless_an_error_is_open(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1, 2, automated=True, max_batch=1)
    metered(state, 1)
    metered(state, 2)
    hold(state, "A2", date(2026, 9, 1), "Mara", "Complaint 7")
    planning_store.request(state, GROUP)
    good, bad = (one.batch for one in plan_next(state) or ())
    assert validate(state, good, today=CUT_OFF).state is Batch.PENDING
    assert validate(state, bad, today=CUT_OFF).state is Batch.IN_REVIEW
    assert reports.findings(state, bad)[0].sentence == (
        "The account is on billing hold: Complaint 7, by Mara, until 2026-09-01."
    )


def test_a_warning_holds_an_automated_group_that_is_strict(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1, automated=True)
    state.execute(
        """
        with old as (update billing.bill_groups set replaced_at = now() returning *)
        insert into billing.bill_groups (bill_group, valid_from, issuer, currency, automated, strict)
        select bill_group, valid_from, issuer, currency, true, true from old"""
    )
    metered(state, 1)
    planning_store.request(state, GROUP)
    (batch,) = [one.batch for one in plan_next(state) or ()]
    assert validate(state, batch, today=CUT_OFF).state is Batch.IN_REVIEW


def test_what_cannot_be_billed_says_why_when_a_clerk_asks_for_the_customer(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1, paired=False)
    assert locked(state) == [], "no one waits for it"
    (batch,) = locked(state, of("A1"))
    assert validate(state, batch, today=date(2026, 7, 8)).held == 1
    assert found(state, batch) == ["error TDSP_MISSING", "warning USAGE_ORPHAN_AGED"]


def test_what_is_fixed_at_its_source_is_gone_when_it_is_validated_again(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    hold(state, "A1", date(2026, 9, 1), "Mara", "Complaint 7")
    (batch,) = locked(state)
    assert validate(state, batch, today=CUT_OFF).held == 1
    state.execute("update billing.account_holds set until = '2026-08-01'")
    assert reviewing.fix(state, batch, today=CUT_OFF).held == 0
    gone = {one.code: one.state for one in reports.findings(state, batch, everything=True)}
    assert gone == {"ACCOUNT_HOLD": "gone", "BILL_DEADLINE": "open"}


def test_a_waiver_has_a_name_and_holds_until_what_it_is_for_changes(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1, period=JULY)
    (batch,) = locked(state)
    validate(state, batch, today=CUT_OFF)
    ((member, _, held),) = members(state, batch)
    assert (held, found(state, batch)[:1]) == ("held", ["error PERIOD_GAP"])
    with pytest.raises(BatchStateError, match="have errors: fix, waive or take them out"):
        reviewing.proceed(state, batch, "Mara", "Now")
    assert reviewing.waive(state, member, "PERIOD_GAP", "Mara", "Another supplier until then")
    validate(state, batch, today=CUT_OFF)
    assert members(state, batch) == [(member, "A1", "clear")]
    row = state.execute("select decided_by, decision from billing.decisions order by id desc limit 1").fetchone()
    assert row == {"decided_by": "Mara", "decision": "waive PERIOD_GAP"}
    state.execute(
        "insert into billing.supply_periods (point, account, valid_from) select point, account, '2026-05-01' "
        "from billing.supply_periods"
    )
    state.execute("update billing.supply_periods set replaced_at = now() where valid_from = '2026-06-03'")
    assert validate(state, batch, today=CUT_OFF).held == 1, "the gap is a longer one now"


def test_a_finding_that_must_not_be_waived_is_not(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    (batch,) = locked(state)
    with pytest.raises(BatchStateError, match="ACCOUNT_HOLD cannot be waived"):
        reviewing.waive(state, members(state, batch)[0][0], "ACCOUNT_HOLD", "Mara", "No")


def test_who_is_taken_out_stays_unbilled_until_a_person_asks_for_the_customer(
    state: Connection, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1, 2)
    metered(state, 1)
    metered(state, 2)
    (batch,) = locked(state)
    validate(state, batch, today=CUT_OFF)
    first, second = members(state, batch)
    reviewing.take_out(state, first[0], "Mara", "Disputed")
    (status,) = reports.batches(state, batch)
    assert (status.selected, status.open, status.taken_out, status.state) == (2, 1, 1, "in_review")
    reviewing.take_out(state, second[0], "Mara", "Disputed")
    (status,) = reports.batches(state, batch)
    assert (status.open, status.taken_out, status.state) == (0, 2, "empty"), "a batch of no invoices is not completed"
    assert locked(state, Wanted(Selection.BILL_GROUP, date(2026, 8, 11), ("G1",))) == []
    assert len(locked(state, of("A1"))) == 1


def test_what_is_unlocked_may_be_billed_by_another(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    (batch,) = locked(state)
    assert reviewing.unlock(state, batch, "Mara", "Wrong cut-off") == 1
    with pytest.raises(BatchStateError, match="is Released and cannot be unlocked"):
        reviewing.unlock(state, batch, "Mara", "Again")
    assert len(locked(state)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "update billing.invoice_batches set state = 'completed'",
        "update billing.batch_members set state = 'invoiced'",
        "delete from billing.batch_members",
        "delete from billing.invoice_findings",
    ],
)
def test_a_state_is_reached_on_its_drawn_path_alone(state: Connection, tmp_path: Path, statement: str) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    locked(state)
    with pytest.raises(psycopg.errors.CheckViolation):
        state.execute(statement)


def test_usage_that_ends_after_today_is_held(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1, period=(JUNE[0], date(CUT_OFF.year + 1, 1, 1)))
    (batch,) = locked(state, Wanted(Selection.BILL_GROUP, date(9999, 1, 1), ("G1",)))
    validate(state, batch, today=CUT_OFF)
    assert "error PERIOD_FUTURE" in found(state, batch)
