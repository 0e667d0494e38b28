"""The columns of a month add up, whatever is in it, and one verdict says what they come to."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from billing_assets.erp.close import comparison
from billing_assets.erp.close.balance import Balance, balances
from billing_assets.erp.close.causes import CAUSES, Sort
from billing_assets.erp.close.reconciliation import CauseTotal, MonthClose, summed
from billing_assets.erp.close.sums import NOTHING, Sum, add
from billing_assets.erp.close.terminal import show_closes
from billing_assets.erp.close.verdict import last_words, verdict
from billing_assets.erp.documents.documents import State
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets_tests.rooms.erp.close.test_comparison import KEYS, MONTH, SAME, Planted, amount, plant, planted

BETWEEN = ("nothing_to_bill", "kept_back", "decided", "not_posted", "posted")
MOVES = {"moved_in", "moved_out", "corrections"}
HELD = SAME._replace(state=State.HELD, in_netsuite=None)
REJECTED = SAME._replace(state=State.REJECTED, in_netsuite=None)


def compared(connection: Connection, documents: list[Planted]) -> MonthClose:
    plant(connection, documents)
    comparison.compare(connection, ["billing"], MONTH, KEYS, datetime.now(UTC))
    sums = comparison.sums(connection)
    return MonthClose(MONTH, datetime.now(UTC), *summed(sums), (), (), (*balances(sums),), b"")


def of(close: MonthClose, *names: str) -> Sum:
    return add(getattr(one, name) for one in close.balances for name in names)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(planted, max_size=25))
def test_the_columns_add_up_whatever_is_held_drifted_moved_or_different(
    state_url: str, documents: list[Planted]
) -> None:
    with connect(state_url) as connection:
        close = compared(connection, documents)
        rows = connection.execute("select kind, cause, state, in_netsuite, effect from month_documents").fetchall()
    for one in close.balances:
        assert add([one.billing, one.moved]) == add(getattr(one, name) for name in BETWEEN)
        assert add([one.posted, one.differs]) == one.netsuite
        # Nothing that differs is hidden in another column, and nothing that is explained shows as a difference.
        wrong = [
            row["effect"]
            for row in rows
            if row["kind"] == one.kind
            and (not row["cause"] or CAUSES[row["cause"]].sort in {Sort.DIFFERS, Sort.DRIFT})
            and (row["state"] == State.POSTED or row["in_netsuite"])
        ]
        assert one.differs.total == sum(wrong)
    billed = [amount(one, one.billed) for one in documents if one.billed is not None]
    there = [amount(one, one.in_netsuite) for one in documents if one.in_netsuite is not None]
    assert of(close, "billing") == (len(billed), sum(billed))
    assert of(close, "netsuite") == (len(there), sum(there))
    moved = [Sum(one.documents, one.total) for one in close.steps if one.what in MOVES]
    assert of(close, "moved") == add(moved)


@pytest.mark.parametrize(
    ("one", "column"),
    [
        (SAME, "posted"),
        (HELD, "kept_back"),
        (SAME._replace(state=State.EXCLUDED, in_netsuite=None), "nothing_to_bill"),
        (SAME._replace(decided="accepted", drift="closed"), "posted"),
        (SAME._replace(state=State.OPEN, in_netsuite=None), "not_posted"),
        (SAME._replace(state=State.READY, in_netsuite=None), "not_posted"),
        (SAME._replace(state=State.POSTING, in_netsuite=None), "not_posted"),
        (REJECTED, "not_posted"),
        (SAME._replace(state=None, in_netsuite=None), "not_posted"),
    ],
)
def test_a_document_is_in_the_column_that_says_where_it_is(state_url: str, one: Planted, column: str) -> None:
    with connect(state_url) as connection:
        (found,) = compared(connection, [one]).balances
    counted = [name for name in BETWEEN if getattr(found, name) != (0, 0)]
    assert counted == [column]
    assert found.differs == NOTHING


def test_a_cent_too_much_in_netsuite_is_what_differs(state_url: str) -> None:
    with connect(state_url) as connection:
        close = compared(connection, [SAME, SAME._replace(in_netsuite=2)])
    assert of(close, "differs") == (0, Decimal("0.01"))
    assert of(close, "posted") == (2, Decimal("0.02"))


def test_of_two_that_differ_one_that_netsuite_has_no_more_is_not_posted(state_url: str) -> None:
    """Each is where it belongs, however many have the same cause."""
    there = SAME._replace(state=State.DIFFERS)
    with connect(state_url) as connection:
        close = compared(connection, [there, there._replace(in_netsuite=None)])
    assert of(close, "not_posted") == of(close, "posted") == (1, Decimal("0.01"))
    assert of(close, "differs") == NOTHING


# The verdict


@pytest.mark.parametrize(
    ("documents", "done", "words"),
    [
        ([SAME], True, "agrees to the cent"),
        ([SAME, HELD], True, "agrees to the cent; 1 document is kept back"),
        ([REJECTED] * 3, False, "is not complete: 3 documents are not posted (3 rejected)"),
        ([SAME, SAME._replace(in_netsuite=2)], False, "does not agree: 1 document is not the same (1 amount differs)"),
        (
            [SAME._replace(in_netsuite=2), REJECTED],
            False,
            "does not agree: 1 document is not the same (1 amount differs), 1 document is not posted (1 rejected)",
        ),
    ],
)
def test_one_verdict_says_what_differs_and_what_is_left(
    state_url: str, documents: list[Planted], done: bool, words: str
) -> None:
    with connect(state_url) as connection:
        close = compared(connection, documents)
    assert verdict(close) == (MONTH, done, words)
    last = last_words([close])
    assert last.done == done == close.complete
    assert done == last.words.startswith("Reconciled to the cent.")
    assert done or words in last.words


def test_the_last_words_are_the_worst_months_and_say_how_many_more() -> None:
    good = MonthClose("2010-01", datetime.now(UTC), (), (), (), (), (), (), (), b"")
    bad = [
        replace(good, period=f"2010-{month:02d}", causes=(CauseTotal("REJECTED", None, "GBP", month, Decimal(1)),))
        for month in range(2, 8)
    ]
    assert last_words([good, good]).words == "Reconciled to the cent."
    said = last_words([good, *bad])
    assert not said.done
    assert said.words.startswith("Not complete: 2010-02 is not complete: 2 documents are not posted (2 rejected); ")
    assert said.words.endswith("; and 3 more months.")
    drifted = replace(good, causes=(CauseTotal("CHANGED_AFTER_POSTING", None, "GBP", 1, Decimal(1)),))
    assert last_words([*bad, drifted]).words.startswith("Not reconciled: ")
    assert not last_words([]).done, "nothing compared is not agreement"


# What people see


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_shows_what_is_not_posted_and_no_number_is_cut_off(width: int) -> None:
    big = Sum(1_234_567, Decimal("-123456789012.345"))
    zero = Sum(0, Decimal(0))
    rows = [
        Balance("GBP", kind, big, zero, zero, big, zero, big, big, big, zero) for kind in ("invoice", "credit_memo")
    ]
    causes = (CauseTotal("REJECTED", "INVALID_CONTENT", "GBP", 525, Decimal(1)),)
    close = MonthClose(MONTH, datetime.now(UTC), (), (), (), causes, (), (), (*rows,), b"")
    text = StringIO()
    show_closes(Console(file=text, width=width, soft_wrap=True), [close])
    said = text.getvalue()
    (line,) = [line for line in said.splitlines() if "not posted" in line]
    assert line.split()[3:] == ["1,234,567", "-123,456,789,012.345"] * 2
    assert len(line) <= 80
    assert "moved" not in said, "a line without anything is left out"
    assert "525 rejected" in said
    assert CAUSES["REJECTED"].to_do in said
