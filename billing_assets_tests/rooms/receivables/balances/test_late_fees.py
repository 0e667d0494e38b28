"""Late fees: proposed once per invoice whatever is rerun, decided by a person, exported, never posted."""

import csv
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.calendar.business_days import Days, Zones
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.shipped import shipped
from billing_assets.receivables.balances import fee_store
from billing_assets.receivables.balances.late_fee_rules import LateFeeError, LateFeeRules, load_rules
from billing_assets.receivables.balances.late_fees import Decided, Proposed, approve, as_charges, decline, propose
from billing_assets_tests.rooms.receivables.balances.balances import READ_AT, read, receivable
from proving.world.builders import document, line
from proving.world.rig import Rig, stage_rows

SHIPPED = load_rules(shipped("config/late_fees.yaml"))
RULES = LateFeeRules(rules=tuple(rule.model_copy(update={"not_penalised_items": ()}) for rule in SHIPPED.rules))
DIGITS = {"GBP": 2}
AS_OF = date(2011, 1, 15)


def proposed(state: Connection, as_of: date = AS_OF, rules: LateFeeRules = RULES) -> Proposed:
    return propose(state, rules, Days(as_of), DIGITS, Zones())


def approved(state: Connection, numbers: Sequence[str] | None, now: datetime = READ_AT) -> Decided:
    return approve(state, numbers, "anna", "", now, timedelta(hours=26), Zones())


def fees(state: Connection) -> dict[str, tuple[str, Decimal, Decimal]]:
    """State, penalised balance and fee by number."""
    return {one.number: (one.state, one.penalised_balance, one.fee) for one in fee_store.fees(state)}


def stop(state: Connection, number: str | None, **changes: Any) -> None:
    values = {"starts_on": date(2011, 1, 1), "ends_on": None, "reason": "dispute", "customer": "12346"} | changes
    decided = record(state, Subject.STOP, "customer", "stopped", "clerk", "").id
    state.execute(
        "insert into billing.collection_stops (customer, number, reason, starts_on, ends_on, decision_id) "
        "values (%(customer)s, %(number)s, %(reason)s, %(starts_on)s, %(ends_on)s, %(decided)s)",
        values | {"number": number, "decided": decided},
    )


def test_a_delinquent_invoice_gets_one_proposal_and_a_rerun_changes_nothing(state: Connection) -> None:
    read(
        state,
        [
            receivable("1", "100.10"),
            receivable("2", due_date=AS_OF),
            receivable("3", branch="France"),
            receivable("C4", "-50.00", kind="credit_memo", customer="12347"),
        ],
    )
    assert proposed(state) == Proposed(new=1, changed=0, withdrawn=0, waiting=1)
    assert proposed(state) == Proposed(new=0, changed=0, withdrawn=0, waiting=1)
    assert proposed(state, AS_OF + timedelta(days=20)).new == 1, "the second one is late now"
    assert fees(state) == {
        "1": ("proposed", Decimal("100.10"), Decimal("5.00")),
        "2": ("proposed", Decimal("100.00"), Decimal("5.00")),
    }


def test_an_invoice_is_not_late_on_the_day_by_which_it_is_to_be_paid(state: Connection) -> None:
    read(state, [receivable(document_date=date(2010, 12, 20), due_date=date(2010, 12, 24))])
    assert proposed(state, date(2011, 1, 5)).new == 0, "16 days after issue"
    assert proposed(state, date(2011, 1, 6)).new == 1


def test_what_is_disputed_or_on_a_plan_gets_none(state: Connection) -> None:
    numbers = ["1", "2", "3", "4"]
    read(state, [receivable(number, customer="A" if number == "4" else "12346") for number in numbers])
    stop(state, "1")
    stop(state, "2", ends_on=date(2011, 1, 14))
    stop(state, "3", starts_on=date(2011, 1, 16))
    stop(state, None, customer="A", reason="payment_plan", ends_on=AS_OF)
    assert proposed(state).new == 2
    assert set(fees(state)) == {"2", "3"}
    assert fee_store.stopped(state, Days(AS_OF)) == 2


def test_undecided_proposals_follow_the_balances(state: Connection) -> None:
    read(state, [receivable("1"), receivable("2")])
    proposed(state)
    read(state, [receivable("1", open_amount="60.00")])
    assert proposed(state) == Proposed(new=0, changed=1, withdrawn=1, waiting=1)
    assert fees(state) == {"1": ("proposed", Decimal(60), Decimal(3))}
    assert proposed(state, date(2010, 12, 1)).withdrawn == 0, "an earlier day says nothing about a later one"


def test_a_decided_fee_never_comes_again_and_never_changes(state: Connection) -> None:
    read(state, [receivable("1"), receivable("2")])
    proposed(state)
    assert [one.number for one in approved(state, ["1"]).fees] == ["1"]
    assert [one.number for one in decline(state, ["2"], "anna", "goodwill").fees] == ["2"]
    read(state, [receivable("1", "500.00"), receivable("2", "500.00")])
    assert proposed(state) == Proposed(0, 0, 0, 0)
    assert fees(state) == {
        "1": ("approved", Decimal(100), Decimal(5)),
        "2": ("declined", Decimal(100), Decimal(5)),
    }
    (declined,) = fee_store.fees(state, "declined")
    assert (declined.decided_by, declined.why) == ("anna", "goodwill")
    for forbidden in ("update billing.late_fees set fee = 6", "delete from billing.late_fees"):
        with pytest.raises(psycopg.errors.CheckViolation, match="never changes"):
            state.execute(forbidden)


def test_the_same_invoice_read_from_another_system_is_the_same_balance(state: Connection) -> None:
    read(state, [receivable("1")])
    proposed(state)
    approved(state, None)
    read(state, [receivable("1", source="billing", transaction_id="id-1")])
    assert proposed(state).new == 0
    read(state, [receivable("1", external_id=None)])
    assert proposed(state).new == 0, "also while another document has its number"


def test_an_invoice_that_has_another_ones_internal_id_by_now_gets_its_own_fee(state: Connection) -> None:
    read(state, [receivable("1", transaction_id="7")])
    proposed(state)
    approved(state, None)
    read(state, [receivable("2", transaction_id="7")])
    assert proposed(state).new == 1


def test_a_fee_is_approved_on_the_balances_that_it_was_proposed_on(state: Connection) -> None:
    read(state, [receivable(number) for number in "1234"])
    proposed(state)
    read(state, [receivable("2", open_amount="60.00"), receivable("3"), receivable("4")])
    with pytest.raises(LateFeeError, match="Balances were read since"):
        approved(state, ["1"])
    proposed(state)
    stop(state, "3")
    with pytest.raises(LateFeeError, match="Balances were read 2011-03-01 04:15 UTC: a payment may have come since"):
        approved(state, ["2"], READ_AT + timedelta(hours=27))
    decided = approved(state, ["1", "2", "3", "4", "5"])
    assert [(one.number, one.fee) for one in decided.fees] == [("2", Decimal(3)), ("4", Decimal(5))]
    assert decided.refused == {
        "1": "there is no undecided proposal on it",
        "3": "a stop is in force",
        "5": "there is no undecided proposal on it",
    }


def test_a_fee_of_a_later_day_is_not_approved_on_an_earlier_one(state: Connection) -> None:
    read(state, [receivable("1", due_date=AS_OF)])
    proposed(state, AS_OF + timedelta(days=20))
    read(state, [receivable("1", open_amount="1.00", due_date=AS_OF)])
    proposed(state, AS_OF)
    assert approved(state, ["1"]).refused == {"1": "proposed for a later day: propose again"}


def test_what_a_customer_paid_on_account_counts_as_paid_the_oldest_invoice_first(state: Connection) -> None:
    rows = [
        receivable("1", due_date=date(2010, 12, 3)),
        receivable("2", due_date=date(2010, 12, 2)),
        receivable("3", customer="12347"),
        receivable("P4", "-120.00", kind="payment"),
        receivable("C5", "-10.00", kind="credit_memo"),
        receivable("P6", "-500.00", kind="payment", currency="EUR", customer="12347"),
    ]
    read(state, rows)
    proposed(state)
    assert {number: balance for number, (_, balance, _) in fees(state).items()} == {"1": Decimal(70), "3": Decimal(100)}
    read(state, [*rows, receivable("P7", "-70.00", kind="payment")])
    assert proposed(state).withdrawn == 1
    assert set(fees(state)) == {"3"}


def test_approved_fees_are_exported_once_as_charges_and_again_under_the_same_reference(state: Connection) -> None:
    read(state, [receivable("1", "123.45"), receivable("2")])
    proposed(state)
    assert fee_store.to_export(state, again=False) == [], "nothing is charged unasked"
    approved(state, ["1"])
    first = fee_store.to_export(state, again=False)
    fee_store.note_exported(state, [one.id for one in first])
    assert fee_store.to_export(state, again=False) == []
    (row,) = csv.DictReader(as_charges(fee_store.to_export(state, again=True), RULES).splitlines())
    assert row == {
        "reference": "LATE-FEE-INV-1",
        "customer": "12346",
        "branch": "USA",
        "invoice": "1",
        "amount": "6.17",
        "currency": "GBP",
        "rule": "16 TAC §25.480",
        "text": "Late payment penalty (one-time, 5.0%)",
    }
    hostile = [one._replace(customer="=1;+2", branch="＝A1") for one in first]  # noqa: RUF001
    assert '"\'=1;\'+2","\'＝A1"' in as_charges(hostile, RULES), "no formula, whatever separates"  # noqa: RUF001


def test_lines_that_never_bear_a_fee_are_taken_off_wherever_balances_come_from(rig: Rig) -> None:
    lines = [line(1, "80.00", item="10002"), line(2, "20.00", item="10080")]
    rig.post(rig.planned([document("500001", lines=tuple(lines), branch="USA")]))
    spared = RULES.rules[0].model_copy(update={"not_penalised_items": ("10080",)})
    stage_rows(rig.state, [document("500002", lines=tuple(lines))], "held")
    in_billing: dict[str, Any] = {"source": "billing", "external_id": None}
    rows = [receivable(number, transaction_id=f"id-{number}", **in_billing) for number in ("500001", "500002", "7")]
    for balances in (rows, [receivable("500001"), receivable("7")]):
        read(rig.state, balances)
        proposed(rig.state, rules=LateFeeRules(rules=(spared,)))
        known = {one.number for one in balances} - {"7"}  # of which nobody knows the lines
        assert fees(rig.state) == dict.fromkeys(known, ("proposed", Decimal(80), Decimal(4)))


def test_an_invoice_that_was_voided_bears_no_fee_though_it_is_open_until_its_credit_memo_is_posted(rig: Rig) -> None:
    numbers = ["1", "2", "3", "4"]
    rig.post(rig.planned([document(number, branch="USA") for number in numbers]))
    read(rig.state, [receivable(number) for number in numbers])
    declined = record(rig.state, Subject.VOID, "invoice 3", "declined", "anna", "why").id
    rig.state.execute(
        "insert into billing.proposed_credit_memos (document, total, decision, decision_id) "
        "select id, -total, decision, decision_id from billing.staged_invoices "
        "join (values ('2', null, null), ('3', 'declined', %s::bigint)) as v (number, decision, decision_id) "
        "using (number)",
        [declined],
    )
    assert proposed(rig.state).new == 3
    assert set(fees(rig.state)) == {"1", "3", "4"}
    void = """update billing.staged_invoices set drift = '{"source_status": "void"}' where number = '1'"""
    rig.state.execute(void)
    decided = approved(rig.state, None)
    assert [one.number for one in decided.fees] == ["3", "4"]
    assert decided.refused == {"1": "it was voided in the billing system"}
    assert proposed(rig.state).withdrawn == 1


def test_balances_that_are_older_than_the_day_are_not_used(state: Connection) -> None:
    with pytest.raises(LateFeeError, match="read never"):
        proposed(state)
    read(state, [receivable()], READ_AT)
    with pytest.raises(LateFeeError, match="read 2011-03-01 04:15 UTC"):
        proposed(state, READ_AT.date() + timedelta(days=1))
    assert proposed(state, READ_AT.date()).new == 1


def test_a_currency_without_a_known_minor_unit_is_named(state: Connection) -> None:
    read(state, [receivable(currency="XTS")])
    with pytest.raises(LateFeeError, match="XTS"):
        proposed(state)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    balances=st.lists(st.decimals("0.01", "9999.99", places=2), min_size=1, max_size=8),
    steps=st.lists(
        st.tuples(st.sampled_from(["propose", "approve", "decline", "pay"]), st.integers(0, 7), st.integers(0, 60)),
        max_size=12,
    ),
)
def test_no_balance_is_penalised_twice_whatever_is_rerun_in_whatever_order(
    state: Connection, balances: list[Decimal], steps: list[tuple[str, int, int]]
) -> None:
    state.execute("alter table billing.late_fees disable trigger user")
    state.execute("delete from billing.late_fees")
    state.execute("alter table billing.late_fees enable trigger user")
    left = {str(n): balance for n, balance in enumerate(balances)}
    charged: list[str] = []
    decided: dict[str, Decimal] = {}
    for what, n, days in [("propose", 0, 30), *steps, ("propose", 0, 60)]:
        number = str(n % len(balances))
        rows = [receivable(key, total=value, open_amount=value) for key, value in left.items()]
        read(state, rows, datetime(2011, 3, 1, tzinfo=UTC))
        if what == "propose":
            proposed(state, date(2010, 12, 1) + timedelta(days=days))
        elif what == "approve":
            proposed(state, date(2010, 12, 1) + timedelta(days=days))
            charged += [one.number for one in approved(state, [number]).fees]
        elif what == "decline":
            decline(state, [number], "a", "b")
        else:
            left.pop(number, None)
        for one in fee_store.fees(state):
            assert one.fee <= one.penalised_balance * 5 / 100 <= balances[int(one.number)]
            if one.state != "proposed":
                assert decided.setdefault(one.number, one.fee) == one.fee
    assert len(charged) == len(set(charged))
    charges = fee_store.fees(state, "approved")
    assert sorted(one.number for one in charges) == sorted(charged)
    total = sum((Decimal(row["amount"]) for row in csv.DictReader(as_charges(charges, RULES).splitlines())), Decimal(0))
    assert total == sum((one.fee for one in charges), Decimal(0))
