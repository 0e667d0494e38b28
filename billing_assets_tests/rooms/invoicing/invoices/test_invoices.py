"""From a validated batch to issued invoices, on a real database: each day billed once, numbers without a gap."""

import json
import threading
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.batches import reports as batch_reports
from billing_assets.invoicing.batches import reviewing
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.states import Batch
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.invoices import releasing, reports
from billing_assets.invoicing.invoices.drafting import Bounds
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import DUE, Processed, begin, finish, process, step
from billing_assets.invoicing.invoices.releasing import ReleaseError
from billing_assets.invoicing.invoices.states import TRANSITIONS
from billing_assets.metering.usage import store as usage_store
from billing_assets.work_queue import claims
from billing_assets.work_queue.claims import StaleClaimError
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, JUNE, customers, load, metered, point_of
from billing_assets_tests.rooms.metering.usage.arriving import arrive
from billing_assets_tests.unit.metering.usage.messages import charges, usage

GROUP = Wanted(Selection.BILL_GROUP, CUT_OFF, ("G1",))


def pending(state: Connection, wanted: Wanted = GROUP) -> int:
    """A batch that may be invoiced."""
    ((batch, _, _),) = lock(state, wanted, "Mara", "Month end")
    validate(state, batch, today=CUT_OFF)
    reviewing.proceed(state, batch, "Mara", "Looked at")
    return batch


def invoiced(state: Connection, url: str, batch: int, **given: Any) -> Processed:
    done = process(url, state, given.pop("rate", rate_case), "one", batch, today=CUT_OFF, **given)
    assert done is not None
    return done


def billed(state: Connection, url: str, wanted: Wanted = GROUP) -> tuple[int, tuple[str, ...]]:
    """All the way: the batch, and the numbers of its invoices."""
    batch = pending(state, wanted)
    invoiced(state, url, batch)
    releasing.check_quality(state, batch, CUT_OFF)
    return batch, releasing.issue(state, batch, CUT_OFF).numbers


def counts(state: Connection, batch: int) -> dict[str, int]:
    (one,) = batch_reports.batches(state, batch)
    found = one._asdict()
    outcomes = {name: found[name] for name in ("open", "invoiced", "failed", "taken_out", "released", "discarded")}
    assert sum(outcomes.values()) == one.selected
    return {name: many for name, many in outcomes.items() if many}


def failures(state: Connection, batch: int) -> list[str]:
    return [f"{one['code']}: {one['why']}" for one in batch_reports.failed(state, batch)]


def usage_states(state: Connection) -> list[str]:
    rows = state.execute("select kind || ' ' || state as said from billing.usage_messages order by message").fetchall()
    return [row["said"] for row in rows]


def test_the_moves_in_the_database_are_those_of_the_code(state: Connection) -> None:
    rows = state.execute(
        "select old_state, new_state from billing.invoicing_transitions where subject = 'invoice'"
    ).fetchall()
    ours = {(str(old), str(new)) for old, targets in TRANSITIONS.items() for new in targets}
    assert {tuple(row.values()) for row in rows} == ours


def test_a_batch_is_invoiced_checked_and_issued(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, 1, 2)
    metered(state, 1, amount=1000)
    metered(state, 2, amount=400)
    batch = pending(state)
    assert invoiced(state, state_url, batch) == Processed(batch, Batch.COMPLETED, 2, 0, None)
    assert counts(state, batch) == {"invoiced": 2}
    assert [one["number"] for one in reports.invoices(state, batch)] == [None, None], "a draft has no number"
    assert releasing.check_quality(state, batch, CUT_OFF).approved == 2
    assert releasing.issue(state, batch, CUT_OFF).numbers == ("ACME2600000001", "ACME2600000002")
    first, second = reports.invoices(state, batch)
    assert [str(first[name]) for name in ("net", "tax", "total", "due_date")] == [
        "250.00",
        "25.00",
        "275.00",
        "2026-08-26",
    ]
    assert str(second["total"]) == "110.00"
    assert set(usage_states(state)) == {"usage billed", "charges billed"}


@pytest.mark.parametrize(
    ("calendar", "due"), [("", date(2026, 9, 7)), ("US", date(2026, 9, 8)), ("US-TX", date(2026, 9, 8))]
)
def test_the_due_date_is_a_business_day_by_the_group_as_it_is_at_the_cut_off(
    state: Connection, state_url: str, tmp_path: Path, calendar: str, due: date
) -> None:
    customers(state, tmp_path, 1)
    group = "G1,ACME,USD,{},{},{},{}\n"
    groups = "bill_group,issuer,currency,due_days,calendar,valid_from,valid_until\n"
    groups += group.format(5, "", "2026-01-01", CUT_OFF) + group.format(28, calendar, CUT_OFF, "2026-12-01")
    load(state, tmp_path, bill_groups=groups + group.format(60, "", "2026-12-01", ""))
    metered(state, 1)
    batch, numbers = billed(state, state_url)
    assert numbers == ("ACME2600000001",)
    (invoice,) = reports.invoices(state, batch)
    assert invoice["due_date"] == due.isoformat()


def test_issuing_again_does_nothing_and_the_next_batch_goes_on_with_the_next_number(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    batch, numbers = billed(state, state_url)
    assert numbers == ("ACME2600000001",)
    assert releasing.issue(state, batch, CUT_OFF).numbers == ()
    assert process(state_url, state, rate_case, "one", batch, today=CUT_OFF) is None, "nor is it invoiced again"
    metered(state, 1, period=JULY, amount=1100)
    assert billed(state, state_url)[1] == ("ACME2600000002",)


def test_numbers_that_were_taken_in_a_transaction_that_failed_are_not_lost(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    batch = pending(state)
    invoiced(state, state_url, batch)
    releasing.check_quality(state, batch, CUT_OFF)
    with state.transaction(force_rollback=True):
        assert releasing.issue(state, batch, CUT_OFF).numbers == ("ACME2600000001",)
    assert releasing.issue(state, batch, CUT_OFF).numbers == ("ACME2600000001",)


def test_batches_that_are_issued_side_by_side_leave_no_number_out(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    batches = []
    for group in ("G1", "G2", "G3"):
        numbers = [10 * int(group[1]) + one for one in range(3)]
        customers(state, tmp_path, *numbers, group=group)
        for one in numbers:
            metered(state, one)
        batches.append(pending(state, Wanted(Selection.BILL_GROUP, CUT_OFF, (group,))))
        invoiced(state, state_url, batches[-1])
        releasing.check_quality(state, batches[-1], CUT_OFF)
    start = threading.Barrier(3)

    def one_of(batch: int) -> None:
        with connect(state_url) as connection:
            start.wait()
            releasing.issue(connection, batch, CUT_OFF)

    together([partial(one_of, batch) for batch in batches])
    rows = state.execute("select sequence from billing.utility_invoices order by sequence").fetchall()
    assert [row["sequence"] for row in rows] == list(range(1, 10))


def together(each: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=one) for one in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_range_without_numbers_issues_nothing(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, 1, 2)
    metered(state, 1)
    metered(state, 2)
    state.execute("insert into billing.number_ranges (issuer, year, last) values ('ACME', 2026, 1)")
    batch = pending(state)
    invoiced(state, state_url, batch)
    releasing.check_quality(state, batch, CUT_OFF)
    with pytest.raises(ReleaseError, match="No numbers are left in ACME 2026"):
        releasing.issue(state, batch, CUT_OFF)
    assert {one["state"] for one in reports.invoices(state, batch)} == {"approved"}


@pytest.mark.parametrize(
    ("period", "message"),
    [
        ((JUNE[0], JUNE[1]), "867/1"),
        ((date(2026, 7, 1), date(2026, 7, 31)), "867/77"),
        ((date(2026, 5, 1), date(2026, 6, 4)), "867/77"),
    ],
    ids=["the same usage", "its last day", "its first day"],
)
def test_a_day_of_a_service_point_is_on_one_live_invoice_whoever_writes(
    state: Connection, state_url: str, tmp_path: Path, period: tuple[date, date], message: str
) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    billed(state, state_url)
    with pytest.raises((psycopg.errors.ExclusionViolation, psycopg.errors.UniqueViolation)):
        state.execute(
            """
            insert into billing.invoiced_usage (invoice, version, stream, days, kwh)
            select invoice, %s || '+', stream, daterange(%s, %s), 1 from billing.invoiced_usage""",
            [message, *period],
        )


def test_the_day_after_and_another_service_point_may_be_billed(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1, 2)
    for number in (1, 2):
        metered(state, number)
    assert len(billed(state, state_url)[1]) == 2
    for number in (1, 2):
        metered(state, number, period=JULY)
    assert len(billed(state, state_url)[1]) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "update billing.utility_invoices set total = total + 1, net = net + 1",
        "update billing.utility_invoices set number = 'ACME2600000009'",
        "update billing.utility_invoices set due_date = due_date + 1",
        "update billing.utility_invoices set state = 'discarded'",
        "update billing.utility_invoices set state = 'drafted'",
        "delete from billing.utility_invoices",
        "update billing.utility_invoice_lines set amount = 0",
        "delete from billing.utility_invoice_lines",
        "update billing.utility_invoice_taxes set amount = 0",
        "update billing.invoiced_usage set is_live = false",
        "update billing.invoiced_usage set kwh = 0",
        "update billing.number_ranges set next = 1",
    ],
)
def test_what_is_issued_never_changes(state: Connection, state_url: str, tmp_path: Path, statement: str) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    billed(state, state_url)
    with pytest.raises(psycopg.errors.CheckViolation):
        state.execute(statement)


def test_what_is_issued_rates_again_to_the_same_bytes(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1, amount=1234)
    billed(state, state_url)
    (row,) = state.execute("select rated::text as text from billing.utility_invoices").fetchall()
    kept = json.loads(row["text"])
    assert json.dumps(rate_case(kept["case"])) == json.dumps(kept["answer"])


def test_a_header_that_is_not_its_lines_is_refused(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    batch = pending(state)

    def wrong(case: dict[str, Any]) -> dict[str, Any]:
        return rate_case(case) | {"net": "1.00", "total": "26.00"}

    with capture_logs() as logs:
        assert invoiced(state, state_url, batch, rate=wrong).failed == 1
    assert failures(state, batch) == ["INTERNAL: CheckViolation; the account is parked."]
    (parked,) = [one for one in logs if one["event"] == "member parked"]
    assert (parked["fault"], "drafting.py" in parked["where"][0]) == ("CheckViolation", True)
    assert "26.00" not in str(parked), "no customer's amounts in a log"
    assert reports.invoices(state, batch) == []


def test_an_account_never_waits_for_its_neighbour(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, 1, 2, 3)
    for number in (1, 2, 3):
        metered(state, number, amount=1000 * number)
    batch = pending(state)

    def partly(case: dict[str, Any]) -> dict[str, Any]:
        if case["usage"]["registers"][0]["quantity"] != "2000":
            return rate_case(case)
        finding = {"code": "PRICE_MISSING", "severity": "error", "sentence": "3 prices are missing."}
        return {"lines": None, "taxes": None, "net": None, "tax": None, "total": None, "findings": [finding]}

    assert invoiced(state, state_url, batch, rate=partly) == Processed(batch, Batch.ERROR_OCCURRED, 2, 1, None)
    assert failures(state, batch) == ["RATING_ERROR: PRICE_MISSING: 3 prices are missing."]
    assert counts(state, batch) == {"invoiced": 2, "failed": 1}
    assert len(lock(state, GROUP, "Mara", "Again")) == 1, "what failed may be billed again, and nothing else"


def test_usage_that_the_utility_cancels_after_validation_is_not_invoiced(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    batch = pending(state)
    cancelled(state, 1)
    done = invoiced(state, state_url, batch)
    assert failures(state, batch) == ["CHANGED_UNDERWAY: Usage changed between validation and invoicing."]
    assert done.retried is not None
    validate(state, done.retried, today=CUT_OFF)
    assert "USAGE_CANCELLED" in [one.code for one in batch_reports.findings(state, done.retried)]


def cancelled(state: Connection, number: int) -> None:
    """The utility cancels usage and charges of June."""
    name = f"U{number}-{JUNE[0]}-1"
    facts = [
        usage(f"C{name}", "01", of=name, period=JUNE, point=point_of(number), day=9),
        charges(f"CI{name}", "01", of=f"I{name}", period=JUNE, point=point_of(number), day=9),
    ]
    arrive(state, facts)
    with state.transaction():
        usage_store.settle(state, [point_of(number)])


def test_a_draft_whose_usage_is_cancelled_before_it_is_issued_is_discarded(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1, 2)
    metered(state, 1)
    metered(state, 2)
    batch = pending(state)
    invoiced(state, state_url, batch)
    releasing.check_quality(state, batch, CUT_OFF)
    cancelled(state, 1)
    done = releasing.issue(state, batch, CUT_OFF)
    assert (done.numbers, done.stale) == (("ACME2600000001",), 1)
    assert counts(state, batch) == {"invoiced": 1, "discarded": 1}


def test_a_draft_that_is_discarded_frees_its_usage_and_has_no_number(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    batch = pending(state)
    invoiced(state, state_url, batch)
    (draft,) = reports.invoices(state, batch)
    releasing.discard(state, draft["invoice"], "Mara", "Wrong price")
    assert counts(state, batch) == {"discarded": 1}
    assert billed(state, state_url)[1] == ("ACME2600000001",)
    with pytest.raises(ReleaseError, match="is discarded; this needs drafted or qa_hold or approved"):
        releasing.discard(state, draft["invoice"], "Mara", "Again")


def test_a_total_above_the_ceiling_of_its_group_waits_for_a_person(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1, 2, ceiling="200")
    metered(state, 1, amount=1000)
    metered(state, 2, amount=100)
    batch = pending(state)
    invoiced(state, state_url, batch)
    assert releasing.check_quality(state, batch, CUT_OFF) == releasing.Checked(batch, approved=1, held=1)
    done = releasing.issue(state, batch, CUT_OFF)
    assert (len(done.numbers), done.held) == (1, 1)
    (held,) = (one for one in reports.invoices(state, batch) if one["state"] == "qa_hold")
    releasing.approve(state, held["invoice"], "Ben", "A factory")
    assert releasing.issue(state, batch, CUT_OFF).numbers == ("ACME2600000002",)


def test_no_account_gets_more_documents_a_day_than_the_bound(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    state.execute("alter table billing.utility_invoices alter column rated_at set default '2026-08-10T12:00Z'")
    for _ in range(2):
        batch = pending(state)
        invoiced(state, state_url, batch, bounds=Bounds(2))
        releasing.discard(state, reports.invoices(state, batch)[0]["invoice"], "Mara", "Again")
    batch = pending(state)
    invoiced(state, state_url, batch, bounds=Bounds(2))
    assert failures(state, batch) == ["BOUND_EXCEEDED: More than 2 documents for the account today."]


def test_an_agreement_that_covers_only_part_of_the_period_bills_nothing(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    batch = pending(state)
    state.execute("update billing.agreements set replaced_at = now()")
    state.execute(
        "insert into billing.agreements (point, account, tariff, valid_from) values (%s, 'A1', 'FLAT', '2026-06-20')",
        [point_of(1)],
    )
    invoiced(state, state_url, batch)
    assert failures(state, batch) == ["CONSUMPTION_NOT_ALL_BILLED: The rate covers only part of the period."]


def test_a_worker_that_lost_the_batch_writes_nothing_and_the_next_one_ends_it(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1, 2)
    metered(state, 1)
    metered(state, 2)
    batch = pending(state)
    old = claims.claim(state, DUE, "old", 0.0)
    assert old is not None
    begin(state, old)
    assert step(state, old, rate_case, CUT_OFF, lease=0.0) is not None
    new = claims.claim(state, DUE, "new", 60.0)
    assert new is not None
    with pytest.raises(StaleClaimError):
        step(state, old, rate_case, CUT_OFF)
    with pytest.raises(StaleClaimError):
        finish(state, old)
    assert counts(state, batch) == {"invoiced": 1, "open": 1}
    begin(state, new)
    while step(state, new, rate_case, CUT_OFF) is not None:
        pass
    assert finish(state, new) == Processed(batch, Batch.COMPLETED, 2, 0, None)
    assert len(reports.invoices(state, batch)) == 2


def test_two_workers_never_have_one_batch(state: Connection, state_url: str, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    batch = pending(state)
    assert claims.claim(state, DUE, "old", 60.0) is not None
    assert process(state_url, state, rate_case, "new", batch, today=CUT_OFF) is None


def test_a_batch_is_issued_when_it_is_invoiced_and_not_before(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1)
    metered(state, 1)
    batch = pending(state)
    with pytest.raises(ReleaseError, match="is Pending: it is issued when it is invoiced"):
        releasing.issue(state, batch, CUT_OFF)
