"""Buckets: each invoice in the right one, and all of them exactly what is open."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets.foundation.calendar.business_days import Days
from billing_assets.foundation.database.connection import Connection
from billing_assets.receivables.balances import store
from billing_assets.receivables.balances.aging import AMOUNTS, BRANCH, CURRENCY, CUSTOMER, Aged, age, faults, largest
from billing_assets.receivables.balances.store import Receivable
from billing_assets_tests.rooms.receivables.balances.balances import read, receivable

AS_OF = date(2011, 3, 1)


def test_an_invoice_stands_in_the_bucket_of_its_days_past_due(state: Connection) -> None:
    buckets = {
        "current": (-40, 0),
        "days_1_30": (1, 30),
        "days_31_60": (31, 60),
        "days_61_90": (61, 90),
        "over_90": (91, 5000),
    }
    days = [day for both in buckets.values() for day in both]
    read(state, [receivable(str(day), customer=str(day), due_date=AS_OF - timedelta(days=day)) for day in days])
    found = {int(one.customer): one for one in age(state, Days(AS_OF))}
    for bucket, both in buckets.items():
        for day in both:
            one = found[day]
            assert [name for name in AMOUNTS if getattr(one, name)] == [bucket, "total"], day
            assert (getattr(one, bucket), one.overdue) == (Decimal(100), Decimal(0 if bucket == "current" else 100))


def test_credits_and_payments_stand_apart_however_old_they_are(state: Connection) -> None:
    read(
        state,
        [
            receivable("1", "50.00"),
            receivable("C2", "-20.00", kind="credit_memo", due_date=date(2009, 1, 1)),
            receivable("P3", "-70.00", kind="payment"),
        ],
    )
    (one,) = age(state, Days(AS_OF))
    assert [one.days_61_90, one.credit_memos, one.payments, one.total] == list(map(Decimal, (50, -20, -70, -40)))


def test_groups_are_by_customer_branch_or_currency_and_the_largest_debtors_come_first(state: Connection) -> None:
    rows = [
        receivable("1", "10.00", customer="A", branch="USA"),
        receivable("2", "20.00", customer="B", branch="USA"),
        receivable("3", "5.00", customer="A", branch="France", currency="EUR"),
        receivable("4", "99.00", customer="C", due_date=AS_OF),
    ]
    read(state, rows)
    assert [(one.customer, one.branch, one.total) for one in age(state, Days(AS_OF), CUSTOMER)] == [
        ("A", "France", Decimal(5)),
        ("A", "USA", Decimal(10)),
        ("B", "USA", Decimal(20)),
        ("C", "USA", Decimal(99)),
    ]
    assert [(one.branch, one.currency, one.total) for one in age(state, Days(AS_OF), BRANCH)] == [
        ("France", "EUR", Decimal(5)),
        ("USA", "GBP", Decimal(129)),
    ]
    assert [(one.currency, one.total) for one in age(state, Days(AS_OF), CURRENCY)] == [
        ("EUR", Decimal(5)),
        ("GBP", Decimal(129)),
    ]
    assert [one.customer for one in largest(age(state, Days(AS_OF), CUSTOMER), 2)] == ["B", "A"]


amounts = st.decimals(min_value="0.001", max_value="9999999.999", places=3)
rows = st.builds(
    lambda kind, amount, customer, branch, currency, due: receivable(
        kind=kind,
        customer=customer,
        branch=branch,
        currency=currency,
        due_date=due,
        total=amount if kind == "invoice" else -amount,
        open_amount=amount if kind == "invoice" else -amount,
    ),
    st.sampled_from(["invoice", "credit_memo", "payment"]),
    amounts,
    st.sampled_from(["A", "B", "C"]),
    st.sampled_from(["", "USA", "France"]),
    st.sampled_from(["GBP", "EUR", "JPY"]),
    st.dates(date(2009, 1, 1), date(2012, 1, 1)),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(rows, max_size=25), as_of=st.dates(date(2009, 6, 1), date(2012, 6, 1)))
def test_buckets_add_up_to_receivables_exactly_whatever_is_open(
    state: Connection, drawn: list[Receivable], as_of: date
) -> None:
    numbered = [one._replace(transaction_id=str(n)) for n, one in enumerate(drawn)]
    read(state, numbered)
    aged = list(age(state, Days(as_of)))
    assert faults(aged, store.open_per_currency(state)) == []
    expected: Counter[tuple[str, str, str, str]] = Counter()
    for one in numbered:
        expected[one.customer, one.branch, one.currency, _column(one, as_of)] += one.open_amount  # type: ignore[assignment]
    found = {
        (one.customer, one.branch, one.currency, name): getattr(one, name)
        for one in aged
        for name in AMOUNTS[:-1]
        if getattr(one, name)
    }
    assert found == {key: value for key, value in expected.items() if value}
    for by in (BRANCH, CURRENCY):
        assert sum(one.total for one in age(state, Days(as_of), by)) == sum(one.open_amount for one in numbered)


def _column(one: Receivable, as_of: date) -> str:
    """The bucket as a person would say it."""
    if one.kind != "invoice":
        return f"{one.kind}s"
    days = (as_of - one.due_date).days
    if days <= 0:
        return "current"
    return "days_1_30" if days <= 30 else "days_31_60" if days <= 60 else "days_61_90" if days <= 90 else "over_90"


def test_a_cent_that_is_missing_is_named() -> None:
    zero = Decimal(0)
    one = Aged("A", "USA", "GBP", Decimal(1), zero, zero, zero, zero, zero, zero, Decimal("1.01"), 1)
    assert faults([one], {"GBP": Decimal("1.01")}) == [
        "A USA GBP: the parts are 1, not 1.01",
        "GBP: the buckets add up to 1, receivables are 1.01",
    ]
