"""The status as data: the keys that other programs read, exact totals, credit memos below zero."""

import json
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.money import amount
from billing_assets.foundation.settings import make_settings
from billing_assets.operations.status import show_status, status
from proving.world.builders import credit_memo, document, line
from proving.world.rig import stage_rows


def test_status_of_an_empty_database_has_all_keys(state_url: str) -> None:
    with connect(state_url) as connection:
        assert status(connection, make_settings()) == {
            "documents": [],
            "findings": {},
            "batches": {},
            "credits_waiting": 0,
            "credit_memos_proposed": 0,
            "watermark": None,
            "lanes": {"limit": 15, "in_use": 0},
        }


def test_an_area_that_is_off_has_no_status(state_url: str) -> None:
    off = make_settings(areas="metering")
    with connect(state_url) as connection:
        found = status(connection, off)
    assert "documents" not in found
    console = Console(file=StringIO(), width=120)
    show_status(console, off, found, "Documents")


def test_totals_are_exact_decimal_texts_and_credit_memos_negative(state_url: str) -> None:
    with connect(state_url) as connection:
        stage_rows(
            connection,
            [document("1", line(amount="0.1")), document("2", line(amount="0.2")), credit_memo("C3", "-12345678.05")],
        )
        stage_rows(
            connection, [document("9", line(amount="5"), document_date=document().document_date.replace(year=2012))]
        )
        found = status(connection, make_settings(), "2010-11")
        everything = status(connection, make_settings())
    found = json.loads(json.dumps(found))
    assert [set(row) for row in found["documents"]] == [{"state", "kind", "currency", "count", "total"}] * 2
    assert [(row["kind"], row["count"], row["total"]) for row in found["documents"]] == [
        ("credit_memo", 1, "-12345678.05"),
        ("invoice", 2, "0.3"),
    ]
    assert sum(row["count"] for row in everything["documents"]) == 4


@pytest.mark.parametrize(
    ("total", "shown"),
    [("0", "0.00"), ("-1234567.5", "-1,234,567.50"), ("0.001", "0.001"), ("1E+3", "1,000.00"), ("2.500", "2.50")],
)
def test_amounts_are_shown_with_every_digit(total: str, shown: str) -> None:
    assert amount(total) == shown
    assert Decimal(shown.replace(",", "")) == Decimal(total)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_amount_is_ever_cut_off(width: int) -> None:
    text = StringIO()
    console = Console(file=text, width=width, soft_wrap=True)
    table = simple_table("Close", ["Month", "A", "B", "C", "D"], right=range(1, 5))
    table.add_row("2010-11", *["-1,503,866.78"] * 4)
    console.print(table)
    assert "…" not in text.getvalue()
    found = {
        "documents": [
            {"state": "posted", "kind": "credit_memo", "currency": "GBP", "count": 9, "total": "-123456789012.345"}
        ],
        "findings": {"ZERO_TOTAL": 3},
        "batches": {"posted": 1},
        "credits_waiting": 0,
        "credit_memos_proposed": 0,
        "watermark": None,
        "lanes": {"limit": 15, "in_use": 0},
    }
    show_status(console, make_settings(), found, "Documents")
    assert "…" not in text.getvalue()
    if width >= 80:
        assert "-123,456,789,012.345" in text.getvalue()
