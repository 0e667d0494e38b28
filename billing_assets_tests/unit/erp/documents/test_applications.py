"""How credit memos are shared out: never more than a credit has, never more than an invoice has open, to the cent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_assets.erp.documents.applications import shares
from billing_assets.erp.documents.documents import Application
from proving.world.builders import applied


@pytest.mark.parametrize(
    ("credit", "asked", "still_open", "settled"),
    [
        ("10", applied("1", None), {"1": "10"}, {"1": "10"}),
        ("10", applied("1", None), {"1": "7.50"}, {"1": "7.50"}),
        ("10", applied("1", None), {"1": "0"}, {}),
        ("10", applied("1", None), {}, {}),
        ("10", applied("1", "4"), {"1": "10"}, {"1": "4"}),
        ("10", applied("1", "4"), {"1": "3.99"}, {"1": "3.99"}),
        ("10", applied("1", None, "2", None), {"1": "7", "2": "7"}, {"1": "7", "2": "3"}),
        ("10", applied("1", None, "2", "4"), {"1": "10", "2": "4"}, {"1": "6", "2": "4"}),
        ("10", applied("1", None, "2", "4"), {"1": "10", "2": "1"}, {"1": "9", "2": "1"}),
        ("10", applied("1", "6", "2", "4"), {"1": "5", "2": "10"}, {"1": "5", "2": "4"}),
        ("10", applied("1", None), {"1": "-2"}, {}),
    ],
)
def test_a_credit_memo_settles_what_is_named_and_open_and_no_more(
    credit: str, asked: tuple[Application, ...], still_open: dict[str, str], settled: dict[str, str]
) -> None:
    open_by_number = {number: Decimal(amount) for number, amount in still_open.items()}
    assert shares(Decimal(credit), asked, open_by_number) == {one: Decimal(amount) for one, amount in settled.items()}


cents = st.integers(0, 10**9).map(lambda n: Decimal(n).scaleb(-2))
numbers = st.lists(st.sampled_from("ABCDE"), unique=True)


@st.composite
def credit_memos(draw: st.DrawFn) -> tuple[Decimal, tuple[Application, ...]]:
    """A credit and a valid application of it: each invoice once, named amounts above zero and not over the credit."""
    credit = draw(cents)
    left, found = credit, []
    for number in draw(numbers):
        amount = draw(st.none() | st.integers(1, 10**9).map(lambda n: Decimal(n).scaleb(-2)))
        if amount is not None:
            if amount > left:
                continue
            left -= amount
        found.append(Application(number, amount))
    return credit, tuple(found)


@given(st.lists(credit_memos(), max_size=6), st.dictionaries(st.sampled_from("ABCDE"), cents))
def test_no_split_over_any_invoices_applies_too_much_and_each_adds_up_to_the_cent(
    memos: list[tuple[Decimal, tuple[Application, ...]]], opening: dict[str, Decimal]
) -> None:
    still_open = dict(opening)
    for credit, asked in memos:
        settled = shares(credit, asked, still_open)
        wanted = dict(asked)
        assert all(amount > 0 and amount == round(amount, 2) for amount in settled.values())
        for number, amount in settled.items():
            assert amount <= still_open[number]
            assert amount <= (wanted[number] or credit)
            still_open[number] -= amount
        left = credit - sum(settled.values(), Decimal(0))
        assert left >= 0
        # What is left over finds no room: each amount that is named is settled, or nothing more is open.
        for number, named in wanted.items():
            room = still_open.get(number, Decimal(0))
            assert room == 0 or (left == 0 if named is None else settled.get(number) == named)
