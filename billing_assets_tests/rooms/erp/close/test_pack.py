"""The close pack as finance gets it: the workbook, the statement, and the links that lead to them."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import openpyxl
import pypdfium2
import pytest
import requests
import uvicorn

from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.close import store
from billing_assets.erp.close.files import application
from billing_assets.erp.close.pack import make_pack
from billing_assets.erp.close.reconciliation import Billing, MonthClose, close_month
from billing_assets.erp.close.store import Pack
from billing_assets.erp.netsuite.resource import NetSuite
from proving.world.builders import insert_document
from proving.world.system import PERIOD, System, metadata, unknown_transaction
from proving.world.waiting import until


def bill(system: System) -> None:
    assert system.stage().success
    for key in system.planned():
        assert system.post(key).success


def month(system: System) -> None:
    """Two invoices and a credit memo in NetSuite, one of them off by a cent there, two held, one not closed."""
    insert_document(system.source, "500001")
    insert_document(system.source, "500002", country="France", lines=[("10002", "2", "0.07", "0.14")])
    insert_document(system.source, "C500003", kind="credit_memo")
    insert_document(system.source, "500004", customer_no=None)
    insert_document(system.source, "=2+5", customer_no=None, lines=[("10002", "1", "0.005", "0.005")])
    insert_document(system.source, "500006", status="open")
    bill(system)
    lines = {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": 10.01}]}
    system.change_in_netsuite("invoice/eid:INV-500001", {"item": lines})


def pack(system: System, *, anew: bool = False) -> tuple[MonthClose, Pack]:
    found = system.runtime
    with found.state() as connection, found.of(BillingSystem).connection() as source:
        close = close_month(
            connection,
            [Billing("billing", source, found.of(BillingSystem).queries)],
            found.of(NetSuite).client,
            found.of(NetSuite).mapping,
            PERIOD,
        )
        if anew:
            connection.execute("delete from billing.close_packs")
        return close, make_pack(connection, close)


def sheets(content: bytes) -> dict[str, list[tuple[Any, ...]]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {sheet.title: [tuple(cell.value for cell in row) for row in sheet.iter_rows()] for sheet in book}


def text(content: bytes) -> list[str]:
    """The text of each page."""
    document = pypdfium2.PdfDocument(content)
    try:
        return [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()


def test_the_workbook_names_every_document_with_its_cause(system: System) -> None:
    month(system)
    book = sheets(pack(system)[1].workbook)
    assert [*book] == [
        "Summary",
        "By branch",
        "By state",
        "Differences",
        "Held and rejected",
        "Posting log",
        "Control totals",
    ]
    assert [row[:7] for row in book["By state"][1:]] == [
        ("France", "Invoice", "GBP", "Posted", 1, 0.14, None),
        ("United Kingdom", "Credit memo", "GBP", "Posted", 1, -10, None),
        ("United Kingdom", "Invoice", "GBP", "Open", 1, 10, None),
        ("United Kingdom", "Invoice", "GBP", "Held", 2, 10.005, None),
        ("United Kingdom", "Invoice", "GBP", "Posted", 1, 10, None),
    ]
    differences = [(row[0], row[2], row[5], row[6], row[8]) for row in book["Differences"][1:]]
    assert differences == [
        ("Amount differs", "500001", 10, 10.01, "NetSuite has 10.01 instead of 10.000."),
        ("Not closed", "500006", 10, None, "Still open in the billing system. It is open."),
    ]
    assert [(row[0], row[2], row[5]) for row in book["Held and rejected"][1:]] == [
        ("Held", "500004", 10),
        ("Held", "=2+5", 0.005),
    ]
    assert [(row[0], row[4], row[5]) for row in book["Posting log"][1:]] == [
        ("500001", 10, 10.01),
        ("500002", 0.14, 0.14),
        ("C500003", -10, -10),
    ]
    exact = {(row[0], row[1]): (row[3], row[4]) for row in book["Control totals"][1:]}
    assert exact[("Billing system", "Invoice")] == (5, "30.145"), "as text, to the last digit"
    assert exact[("NetSuite", "Credit memo")] == (1, "-10.00")


def test_no_text_of_a_document_becomes_a_formula_in_the_workbook(system: System) -> None:
    month(system)
    book = openpyxl.load_workbook(io.BytesIO(pack(system)[1].workbook))
    cell = next(cell for row in book["Held and rejected"].iter_rows() for cell in row if cell.value == "=2+5")
    assert (cell.data_type, cell.quotePrefix) == ("s", True)


def test_the_statement_has_the_verdict_the_way_from_billing_to_netsuite_and_room_to_sign(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    month(system)
    pages = text(pack(system)[1].statement)
    assert 2 <= len(pages) <= 4
    whole = " ".join(pages)
    for words in ("November 2010", "Does not agree", "Amount differs", "500001", "Approved by", "CUSTOMER_MISSING"):
        assert words in whole, words
    monkeypatch.setattr("billing_assets.erp.close.statement._CAUSES", 1)
    monkeypatch.setattr("billing_assets.erp.close.reconciliation._LISTED", 1)
    close, made = pack(system, anew=True)
    assert [one.number for one in close.differences] == ["500001", "500004"], "the largest that is held is named, too"
    left_out = "And 3 more: 3 documents, GBP 20.005. The workbook's summary has them all."
    assert left_out in " ".join(" ".join(text(made.statement)).split())


def test_the_same_comparison_makes_the_same_bytes(system: System) -> None:
    month(system)
    close, first = pack(system)
    with system.runtime.state() as connection:
        connection.execute("delete from billing.close_packs")
    _, again = pack(system)
    assert again.figures == first.figures == close.figures
    assert again.compared_at != first.compared_at
    with system.runtime.state() as connection, system.runtime.of(BillingSystem).connection() as source:
        found = system.runtime
        third = close_month(
            connection,
            [Billing("billing", source, found.of(BillingSystem).queries)],
            found.of(NetSuite).client,
            found.of(NetSuite).mapping,
            PERIOD,
        )
        connection.execute("delete from billing.close_packs")
        at_the_time = MonthClose(**(third.__dict__ | {"compared_at": first.compared_at}))
        remade = make_pack(connection, at_the_time)
    assert (remade.workbook, remade.statement) == (first.workbook, first.statement)


def test_whatever_a_pack_shows_makes_another_pack_when_it_changes(system: System) -> None:
    insert_document(system.source, "500001")
    bill(system)
    first = pack(system)[1]
    system.state.execute("update billing.staged_invoices set transaction_number = 'INV-9'")  # as a late read-back does
    second = pack(system)[1]
    assert sheets(second.workbook)["Posting log"][1][6] == "INV-9"
    unknown_transaction(system.account, "SOMEBODY-1")
    third = pack(system)[1]
    assert len({first.figures, second.figures, third.figures}) == 3


def test_the_pack_of_a_month_is_that_of_its_last_comparison_although_it_was_made_earlier(system: System) -> None:
    insert_document(system.source, "500001")
    bill(system)
    config = {"ops": {"close_softly": {"config": {"by": "A. Clerk", "why": "Done."}}}}
    assert system.run("soft_close_month", PERIOD, config=config).success
    first = pack(system)[1]
    for rate, same in ((10.01, False), (10, True)):
        lines = {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": rate}]}
        system.change_in_netsuite("invoice/eid:INV-500001", {"item": lines})
        made = pack(system)[1]
        assert (made == first) is same
        assert store.pack(system.state, PERIOD) == made


def test_a_pack_stays_until_something_changes_and_for_good_once_the_month_was_closed_on_it(system: System) -> None:
    insert_document(system.source, "500001")
    bill(system)
    _, first = pack(system)
    _, again = pack(system)
    assert again == first, "what was signed is what is shown"
    insert_document(system.source, "500002")
    bill(system)
    _, second = pack(system)
    assert second.figures != first.figures
    assert store.pack(system.state, PERIOD, first.figures) is None, "nobody closed on it"
    config = {"ops": {"close_softly": {"config": {"by": "A. Clerk", "why": "Done."}}}}
    assert system.run("soft_close_month", PERIOD, config=config).success
    insert_document(system.source, "500003")
    assert system.stage().success
    pack(system)
    assert store.pack(system.state, PERIOD, second.figures) == second


@pytest.mark.parametrize(("total", "shown"), [("0.07", 0.07), ("1234567.89", 1234567.89), ("-0.005", -0.005)])
def test_amounts_are_shown_with_all_their_digits(total: str, shown: float, system: System) -> None:
    insert_document(system.source, "500001", customer_no=None, lines=[("10002", "1", total.lstrip("-"), total)])
    assert system.stage().success
    _, made = pack(system)
    book = openpyxl.load_workbook(io.BytesIO(made.workbook))
    cell = book["Held and rejected"]["F2"]
    assert cell.value == shown
    decimals = max(2, -Decimal(total).normalize().as_tuple().exponent)  # type: ignore[operator]
    assert cell.number_format.partition(";")[0].partition(".")[2].count("0") == 2
    assert len(cell.number_format.partition(";")[0].partition(".")[2]) >= decimals


@contextmanager
def served(url: str) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(application(url), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


def test_the_links_of_the_metadata_lead_to_the_files(system: System) -> None:
    month(system)
    shown = metadata(system.run("close_month", PERIOD), "month_close")
    made = store.pack(system.state, PERIOD)
    assert made is not None
    assert made.compared_at < datetime.now(UTC)
    with served(system.runtime.database_url) as address:
        for name, content, kind in (
            ("close_pack_statement", made.statement, "application/pdf"),
            ("close_pack_workbook", made.workbook, "application/vnd.openxmlformats"),
        ):
            path = shown[name].removeprefix("http://127.0.0.1:3010")
            answer = requests.get(address + path, timeout=20)
            assert (answer.status_code, answer.content) == (200, content)
            assert answer.headers["Content-Type"].startswith(kind)
        for wrong in ("/close/2010-11/ffff/a.pdf", "/close/2010-11/ffff/a.exe", "/", f"{path}/../x"):
            assert requests.get(address + wrong, timeout=20).status_code == 404
        for foreign in (
            "<script>",
            "2010-11\u202e",
            "2010-11\n",
        ):  # nothing of an address comes back as somebody's text
            answer = requests.get(f"{address}/close/{quote(foreign)}/ffff/a.pdf", timeout=20)
            assert answer.status_code == 404
            assert "no such file." in answer.text
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert requests.post(address + path, timeout=20).status_code == 405
