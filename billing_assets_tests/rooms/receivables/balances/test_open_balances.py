"""Reading what is open: nothing missed, to the cent, and whose it is."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from billing_assets.erp.billing_system import receivables
from billing_assets.erp.netsuite import open_items
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import NetSuiteError
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets.foundation.source_database.errors import QueriesMissing, SourceError
from billing_assets.receivables.balances import open_balances, store
from billing_assets.receivables.balances.open_balances import Reading, read_from_billing_system, read_from_netsuite
from billing_assets.receivables.balances.store import OpenTotal
from proving.world.builders import credit_memo, document, line
from proving.world.rig import Rig, stage_rows

OTHER_ENTITY = "1002"  # of customer 12347
STRANGER = "1099"


def pay(rig: Rig, number: str, amount: str, *, invoice: str | None = None, entity: str = "1001") -> None:
    """A customer pays in NetSuite, for an invoice or on account."""
    doc = [{"doc": {"externalId": f"INV-{invoice}"}, "apply": True}] if invoice else []
    body = {
        "externalId": f"PAY-{number}",
        "customer": {"id": entity},
        "subsidiary": {"id": "1"},
        "currency": {"externalId": "GBP"},
        "tranDate": "2010-12-20",
        "payment": amount,
        "apply": {"items": doc},
    }
    rig.account.control.post("payments", {"payments": [body]})


def read(rig: Rig) -> Reading:
    client = NetSuiteClient(rig.settings.of(NetSuiteSettings))
    try:
        return read_from_netsuite(rig.state, client, ["INV-"], "run-1")
    finally:
        client.close()


def kept(state: Connection) -> dict[str, tuple[str, str, str, Decimal, Decimal]]:
    """What is open by number: kind, customer, branch, total, open amount."""
    rows = state.execute("select * from billing.open_receivables")
    return {r["number"]: (r["kind"], r["customer"], r["branch"], r["total"], r["open_amount"]) for r in rows}


Page = Sequence[open_items.OpenItem | open_items.UnreadableItem]


def readable(page: Page) -> list[open_items.OpenItem]:
    return [one for one in page if isinstance(one, open_items.OpenItem)]


@pytest.fixture
def posted(rig: Rig) -> Rig:
    """Three invoices of two customers and a credit memo in NetSuite."""
    documents = [
        document("500001", line(amount="10.00")),
        document("500002", line(amount="20.05"), customer="12347", branch="France"),
        document("500003", line(amount="30.00"), posting_date=date(2010, 11, 30)),  # it came late
        credit_memo("C500004", "-4.00"),
    ]
    assert rig.post(rig.planned(documents)).sent == 4
    return rig


def test_what_is_open_comes_with_our_customer_and_branch_and_equals_netsuite_s_sum(posted: Rig) -> None:
    pay(posted, "1", "10.00", invoice="500001")
    pay(posted, "2", "5.04", invoice="500002", entity=OTHER_ENTITY)
    pay(posted, "3", "7.50", entity=OTHER_ENTITY)
    reading = read(posted)
    assert reading.differences == []
    assert kept(posted.state) == {
        "500002": ("invoice", "12347", "France", Decimal("20.05"), Decimal("15.01")),
        "500003": ("invoice", "12346", "United Kingdom", Decimal(30), Decimal(30)),
        "C500004": ("credit_memo", "12346", "United Kingdom", Decimal(-4), Decimal(-4)),
        "PYMT0000003": ("payment", "12347", "France", Decimal("-7.5"), Decimal("-7.5")),
    }
    assert reading.totals == [
        OpenTotal("ours", "credit_memo", "GBP", 1, Decimal(-4)),
        OpenTotal("ours", "invoice", "GBP", 2, Decimal("45.01")),
        OpenTotal("ours", "payment", "GBP", 1, Decimal("-7.5")),
    ]
    days = posted.state.execute("select document_date, due_date from billing.open_receivables where kind = 'invoice'")
    expected = {"document_date": date(2010, 11, 5), "due_date": date(2010, 12, 5)}
    assert days.fetchall() == [expected, expected], "the bill's date, also where it was posted under another one"


def test_an_item_that_cannot_be_read_is_named_and_spares_the_others(posted: Rig) -> None:
    posted.account.switch(suiteql_exponents=["INV-500002"])
    reading = read(posted)
    assert kept(posted.state).keys() == {"500001", "500003", "C500004"}
    named, sums = reading.differences
    assert named.startswith("INV-500002 (internal id ")
    assert named.endswith("is not among the balances: NetSuite answered '2.00E+1' where a total belongs")
    assert sums == "invoice GBP: 2 items over 40 were read, netsuite counts 3 over 60.05"


def test_a_sum_that_cannot_be_read_proves_nothing_and_loses_nothing(
    posted: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = open_items.open_sums
    unread = lambda client: [one._replace(open_amount=None) for one in sums(client)]  # noqa: E731
    monkeypatch.setattr(open_items, "open_sums", unread)
    reading = read(posted)
    assert len(kept(posted.state)) == 4
    assert reading.differences == [
        f"{kind} GBP: the sum that netsuite answers cannot be read; that nothing was missed is not proven"
        for kind in ("credit_memo", "invoice")
    ]


def test_what_we_did_not_bill_is_counted_apart_and_not_taken_for_ours(
    posted: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand: dict[str, Any] = {
        "subsidiary": {"id": "1"},
        "currency": {"externalId": "GBP"},
        "tranDate": "2010-11-20",
        "item": {"items": [{"item": {"id": "101"}, "amount": 3}]},
    }
    for n, entity in enumerate(["1001", OTHER_ENTITY, OTHER_ENTITY]):
        posted.account.created({**by_hand, "entity": {"id": entity}, "externalId": f"INV-99999{n}"})
    posted.account.created({**by_hand, "entity": {"id": STRANGER}})
    pay(posted, "6", "20.05", invoice="500002", entity=OTHER_ENTITY)
    pay(posted, "7", "1.00")
    pay(posted, "8", "3.00", entity=OTHER_ENTITY)
    pay(posted, "9", "2.00", entity=STRANGER)
    monkeypatch.setattr(open_balances, "PAGE_ROWS", 2)
    monkeypatch.setattr(open_items, "query_page", partial(_page, rows=2))
    monkeypatch.setattr(open_items, "PAGE_ROWS", 2)
    reading = read(posted)
    assert reading.differences == []
    assert [one for one in reading.totals if one.whose == "elsewhere"] == [
        OpenTotal("elsewhere", "invoice", "GBP", 4, Decimal(12)),
        OpenTotal("elsewhere", "payment", "GBP", 1, Decimal(-2)),
    ]
    ours = {number: found[:3] for number, found in kept(posted.state).items() if found[0] == "payment"}
    assert ours == {
        "PYMT0000002": ("payment", "12346", "United Kingdom"),
        "PYMT0000003": ("payment", "12347", "France"),
    }, "whatever else has our prefix, and though nothing of ours is open"
    assert set(kept(posted.state)) - ours.keys() == {"500001", "500003", "C500004"}


def test_a_payment_of_two_customers_on_one_of_netsuite_goes_to_the_one_who_owes_most(
    posted: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = open_items.open_items

    def on_one(client: NetSuiteClient) -> Iterator[Page]:
        yield from ([one._replace(entity="1001") for one in readable(page)] for page in pages(client))

    monkeypatch.setattr(open_items, "open_items", on_one)
    pay(posted, "1", "1.00")
    read(posted)
    assert kept(posted.state)["PYMT0000001"][1:3] == ("12346", "United Kingdom"), "40.00 are open against 20.05"
    pay(posted, "2", "30.00", invoice="500003")
    read(posted)
    assert kept(posted.state)["PYMT0000001"][1:3] == ("12347", "France")


def test_a_voided_invoice_is_not_open(posted: Rig) -> None:
    assert posted.account.void("invoice", "eid:INV-500001").ok
    assert read(posted).differences == []
    assert "500001" not in kept(posted.state)


def test_a_second_reading_replaces_the_first_and_both_are_noted(posted: Rig) -> None:
    read(posted)
    pay(posted, "1", "10.00", invoice="500001")
    read(posted)
    assert set(kept(posted.state)) == {"500002", "500003", "C500004"}
    runs = posted.state.execute("select counts from billing.receivables_runs order by id").fetchall()
    assert [row["counts"][1] for row in runs] == [
        {"whose": "ours", "kind": "invoice", "currency": "GBP", "items": 3, "open_amount": "60.05"},
        {"whose": "ours", "kind": "invoice", "currency": "GBP", "items": 2, "open_amount": "50.05"},
    ]


def test_everything_is_read_again_when_a_payment_arrives_meanwhile(
    posted: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = open_items.open_items
    arrivals = iter([lambda: pay(posted, "1", "4.00", invoice="500001")])

    def meanwhile(client: NetSuiteClient) -> Iterator[Page]:
        yield from pages(client)
        next(arrivals, lambda: None)()

    monkeypatch.setattr(open_items, "open_items", meanwhile)
    assert read(posted).differences == []
    assert kept(posted.state)["500001"][4] == 6


def test_rows_that_are_not_what_the_sum_says_are_a_difference(posted: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = open_items.open_items

    def one_missing(client: NetSuiteClient) -> Iterator[Page]:
        for page in pages(client):
            yield [one for one in readable(page) if one.external_id != "INV-500001"]

    monkeypatch.setattr(open_items, "open_items", one_missing)
    (difference,) = read(posted).differences
    assert difference == "invoice GBP: 2 items over 50.05 were read, netsuite counts 3 over 60.05"


def test_more_than_a_page_is_read_whole(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_items, "PAGE_ROWS", 4)
    monkeypatch.setattr(open_items, "query_page", partial(_page, rows=4))
    assert rig.post(rig.planned([document(str(500_000 + n), line(amount=f"{n + 1}.00")) for n in range(9)])).sent == 9
    assert read(rig).differences == []
    assert len(kept(rig.state)) == 9


def _page(client: NetSuiteClient, sql: str, rows: int, **_: bool) -> list[dict[str, str]]:
    page = client.suiteql_page(sql, limit=rows, offset=0)
    return [{name: value for name, value in row.items() if name != "links"} for row in page["items"]]


def test_what_was_kept_stays_while_netsuite_cannot_be_asked(posted: Rig) -> None:
    read(posted)
    posted.account.switch(faults=[{"fault": "refuse_permission", "operations": ["suiteql"]}])
    with pytest.raises(NetSuiteError):
        read(posted)
    assert len(kept(posted.state)) == 4


# From the billing system

QUERY = """
SELECT id AS document_id, kind, number, customer, branch, currency, day AS document_date, due AS due_date, total,
    open_amount
FROM open_items;
"""


@pytest.fixture
def billing(database: str) -> Iterator[sqlalchemy.Connection]:
    """A billing system with its own open items; what a test writes is there at once."""
    engine = sqlalchemy.create_engine(database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "create table open_items (id text, kind text, number text, customer text, branch text, currency text, "
            "day date, due date, total numeric, open_amount numeric)"
        )
        connection.exec_driver_sql(
            "insert into open_items values "
            "('1', 'invoice', '500001', '12346', 'USA', 'GBP', '2010-11-05', '2010-12-05', 10, 7.25), "
            "('2', 'payment', 'P-7', '12346', null, 'GBP', '2010-12-01', null, -5, -5)"
        )
        yield connection
    engine.dispose()


def from_billing(state: Connection, database: str) -> Reading:
    engine = open_source(database)
    try:
        with connect_source(engine) as source:
            return read_from_billing_system(state, source, QUERY, "billing", "run-1")
    finally:
        engine.dispose()


def test_balances_can_come_from_the_billing_system(posted: Rig, database: str, billing: sqlalchemy.Connection) -> None:
    read(posted)
    billing.exec_driver_sql("update open_items set id = 'id-500001' where id = '1'")
    twice = [document("9", document_id=document_id) for document_id in ("id-9", "id-nine")]
    stage_rows(posted.state, [document("500001", document_id="id-again"), document("500007"), *twice], "held")
    for number, document_id in (("500001", "id-again"), ("500007", "id-500007"), ("9", "id-9"), ("9", "id-nine")):
        billing.exec_driver_sql(
            "insert into open_items select %s, kind, %s, customer, branch, currency, day, due, total, open_amount "
            "from open_items where id = 'id-500001'",
            (document_id, number),
        )
    reading = from_billing(posted.state, database)
    assert reading.differences == []
    assert kept(posted.state) == {
        "500001": ("invoice", "12346", "USA", Decimal(10), Decimal("7.25")),
        "500007": ("invoice", "12346", "USA", Decimal(10), Decimal("7.25")),
        "9": ("invoice", "12346", "USA", Decimal(10), Decimal("7.25")),
        "P-7": ("payment", "12346", "", Decimal(-5), Decimal(-5)),
    }, "nothing of NetSuite's balances is left beside them"
    known = posted.state.execute(
        "select transaction_id, external_id from billing.open_receivables where kind <> 'payment'"
    )
    assert {row["transaction_id"]: row["external_id"] for row in known} == {
        "id-500001": "INV-500001",
        "id-again": None,
        "id-500007": "INV-500007",
        "id-9": None,
        "id-nine": None,
    }, "of several with one number only the posted one is known by it"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("open_amount = null", "open_amount of document 1 is NULL"),
        ("kind = 'refund'", "kind of document 1 is none of invoice, credit_memo, payment"),
        ("open_amount = -1", "wrong sign"),
        ("customer = null", "customer of document 1 is NULL"),
    ],
)
def test_a_value_that_cannot_be_taken_ends_the_reading_and_leaves_what_was_kept(
    state: Connection, database: str, billing: sqlalchemy.Connection, change: str, says: str
) -> None:
    from_billing(state, database)
    billing.exec_driver_sql(f"update open_items set {change} where id = '1'")  # noqa: S608
    with pytest.raises(SourceError, match=says):
        from_billing(state, database)
    assert len(kept(state)) == 2
    assert len(store.totals(state)) == 2


def test_a_missing_query_is_named(tmp_path: Path) -> None:
    with pytest.raises(QueriesMissing, match=r"receivables\.sql"):
        receivables.load_receivables_query(tmp_path)
