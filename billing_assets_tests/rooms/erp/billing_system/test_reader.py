"""Documents as they come out of a real billing database."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import Connection

from billing_assets.erp.billing_system import reader
from billing_assets.erp.documents.documents import Document, Line
from billing_assets.foundation.database.connection import libpq_url
from billing_assets.foundation.source_database.errors import ColumnsWrong, QueryFailed
from billing_assets.sandbox.samples.data import read_sample
from billing_assets.sandbox.samples.loader import load_sample
from billing_assets_tests.rooms.erp.billing_system.conftest import Execute, add_line, insert
from billing_assets_tests.rooms.foundation.database.test_database import ODD, set_for_database
from proving.world.servers import pgbouncer, pgbouncer_program

SESSION = {
    "transaction_isolation": "repeatable read",
    "transaction_read_only": "on",
    "datestyle": "ISO, DMY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "search_path": "nowhere, public",
    "statement_timeout": "15min",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "0",
}
"""What our session there works with; DMY and search_path are its own."""


def _all(source: Connection, queries: reader.Queries) -> tuple[list[Document], list[reader.BadDocument]]:
    ids = [one for chunk in reader.new_document_ids(source, queries, None) for one in chunk]
    return reader.read_documents(source, queries, "billing", ids)


def test_a_document_is_read_as_the_billing_system_has_it(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    document_id = insert(
        billing,
        "C536379",
        lines=0,
        kind="C",
        total="-27.5",
        created_at="2010-12-01 10:41:00+01",
        due_date="2010-12-30",
        customer_no="14527",
        country="United Kingdom",
        terms="NET30",
        po_number="PO 7",
        memo="returned",
        applies_to="536365",
        contract_no="14527-41",
    )
    discount = {"quantity": -1, "price": "27.500", "amount": "-27.5", "stock_code": "D", "description": None}
    add_line(billing, document_id, 1, **discount, service="OTHER")
    documents, bad = reader.read_documents(source, queries, "billing", [document_id])
    price = Decimal("27.5")
    line = Line(1, "D", None, Decimal(-1), price, -price, None, None, None, {"service": "OTHER"})
    assert bad == []
    assert documents == [
        Document(
            source="billing",
            document_id=document_id,
            kind="credit_memo",
            number="C536379",
            status="closed",
            created_at=datetime(2010, 12, 1, 9, 41, tzinfo=UTC),
            document_date=date(2010, 11, 30),
            due_date=date(2010, 12, 30),
            customer="14527",
            branch="United Kingdom",
            currency="GBP",
            terms="NET30",
            purchase_order="PO 7",
            memo="returned",
            applies_to="536365",
            total=Decimal("-27.5"),
            extra={"contract": "14527-41"},
            lines=(line,),
        )
    ]
    assert isinstance(documents[0].lines[0], Line)


def test_a_whole_month_comes_out_to_the_last_line(database: str, source: Connection, queries: reader.Queries) -> None:
    """2011-12 has the quantities of +-80,995 (581483, C581484): bought, and returned twelve minutes later."""
    load_sample(database, "2011-12")
    documents, bad = _all(source, queries)
    expected = read_sample("2011-12")
    assert bad == []
    assert sorted((d.number, d.total, len(d.lines)) for d in documents) == sorted(
        (d.number, d.total, d.line_count) for d in expected.documents
    )
    assert sorted(
        (line.item, line.description, line.quantity, line.unit_price, line.amount)
        for document in documents
        for line in document.lines
        if line.description
    ) == sorted(
        (line["stock_code"], line["description"], line["quantity"], line["price"], line["amount"])
        for line in expected.lines.to_pylist()
        if line["description"]
    )
    by_number = {document.number: document for document in documents}
    assert by_number["581483"].lines[0].quantity == 80_995
    assert by_number["C581484"].lines[0].quantity == -80_995


def test_an_invoice_of_1114_lines_keeps_their_order(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    document_id = insert(billing, "573585", lines=0)
    for line_no in range(1114, 0, -37):  # put in backwards
        add_line(billing, document_id, line_no)
    rest = "INSERT INTO invoice_lines SELECT %s, n, 'S' || n, '', 1, 1, 1 FROM generate_series(1, 1114) n"
    billing(f"{rest} ON CONFLICT DO NOTHING", int(document_id))
    documents, _ = reader.read_documents(source, queries, "billing", [document_id])
    assert [line.line_no for line in documents[0].lines] == list(range(1, 1115))


@pytest.mark.parametrize(
    "text", ["<>&\"'", '£ 7" LETTER', "%s :since {} \\", "🧾 naïve \U0001d518", "  blanks kept  ", "tab\tfeed\n", ""]
)
def test_text_is_kept_as_it_is(source: Connection, queries: reader.Queries, billing: Execute, text: str) -> None:
    document_id = insert(billing, lines=0, memo=text, customer_no=text)
    add_line(billing, document_id, 1, description=text, stock_code=text)
    (document,), _ = reader.read_documents(source, queries, "billing", [document_id])
    assert (document.memo, document.customer) == (text, text)
    assert (document.lines[0].description, document.lines[0].item) == (text, text)


def test_a_header_without_lines_is_a_document_without_lines(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    document_id = insert(billing, lines=0)
    (document,), bad = reader.read_documents(source, queries, "billing", [document_id])
    assert (document.lines, bad) == ((), [])


def test_lines_without_a_header_are_listed_with_their_count(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    insert(billing, lines=3)
    for line_no in (1, 2):
        add_line(billing, "4711", line_no)
    add_line(billing, "4712", 1)
    assert reader.orphan_lines(source, queries, limit=10) == [("4711", 2), ("4712", 1)]
    assert reader.orphan_lines(source, queries, limit=1) == [("4711", 2)]


def test_an_id_that_is_gone_is_in_neither_list(source: Connection, queries: reader.Queries, billing: Execute) -> None:
    document_id = insert(billing)
    documents, bad = reader.read_documents(source, queries, "billing", [document_id, "999999"])
    assert ([d.document_id for d in documents], bad) == ([document_id], [])
    assert reader.read_documents(source, queries, "billing", []) == ([], [])


@pytest.mark.parametrize(
    ("column", "value", "field", "shown"),
    [
        ("total", "NaN", "total", "Decimal('NaN')"),
        ("total", None, "total", "None"),
        ("document_date", None, "document_date", "None"),
        ("number", None, "number", "None"),
        ("currency", None, "currency", "None"),
        ("created_at", None, "created_at", "None"),
        ("document_date", "infinity", "documents.sql", ""),  # Python has no such date: the driver fails
    ],
)
def test_a_value_that_cannot_be_understood_sets_that_document_apart_and_no_other(
    source: Connection,
    queries: reader.Queries,
    billing: Execute,
    column: str,
    value: str | None,
    field: str,
    shown: str,
) -> None:
    billing(f"ALTER TABLE invoices ALTER {column} DROP NOT NULL")
    good = [insert(billing, f"53636{digit}") for digit in range(5)]
    bad_id = insert(billing, "X1")
    billing(f"UPDATE invoices SET {column} = %s WHERE id = %s", value, int(bad_id))  # noqa: S608
    documents, bad = _all(source, queries)
    assert sorted(document.document_id for document in documents) == sorted(good)
    assert [(one.document_id, one.field, one.value_repr) for one in bad] == [(bad_id, field, shown)]
    assert bad[0].message


@pytest.mark.parametrize("column", ["quantity", "price", "amount"])
@pytest.mark.parametrize("value", [None, "NaN"])
def test_a_line_that_cannot_be_understood_names_its_line(
    source: Connection, queries: reader.Queries, billing: Execute, column: str, value: str | None
) -> None:
    billing(f"ALTER TABLE invoice_lines ALTER {column} DROP NOT NULL")
    document_id = insert(billing, "X1", lines=2, kind="C", status="open")
    add_line(billing, document_id, 7, **{column: value})
    good = insert(billing, "536366")
    (document,), (bad,) = _all(source, queries)
    assert document.document_id == good
    name = "unit_price" if column == "price" else column
    assert (bad.document_id, bad.field) == (document_id, f"lines[7].{name}")
    assert (bad.number, bad.kind, bad.status) == ("X1", "credit_memo", "open")


def test_a_cast_in_the_query_that_fails_for_one_document_sets_only_that_one_apart(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    good = [insert(billing, f"53636{digit}", memo="7") for digit in range(4)]
    bad_id = insert(billing, "X1", memo="seven")
    casting = dataclasses.replace(
        queries, documents=queries.documents.replace("i.total\n", "CAST(i.memo AS numeric) AS total\n")
    )
    documents, bad = reader.read_documents(source, casting, "billing", [*good, bad_id])
    assert sorted(document.document_id for document in documents) == sorted(good)
    assert [one.document_id for one in bad] == [bad_id]
    assert "seven" in bad[0].message


def test_a_join_that_repeats_a_header_is_noticed_instead_of_billed_twice(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    good, bad_id = insert(billing, "536365"), insert(billing, "536366")
    billing(
        "CREATE TABLE contacts AS SELECT * FROM (VALUES (%s), (%s), (%s)) AS c (id)",
        int(good),
        int(bad_id),
        int(bad_id),
    )
    joining = dataclasses.replace(queries, documents=queries.documents + " JOIN contacts AS c ON c.id = i.id")
    (document,), (bad,) = reader.read_documents(source, joining, "billing", [good, bad_id])
    assert document.document_id == good
    assert (bad.document_id, bad.field) == (bad_id, "document_id")


def test_line_numbers_that_repeat_are_refused_since_their_order_would_change(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    document_id = insert(billing, lines=3)
    flat = dataclasses.replace(queries, lines=queries.lines.replace("l.line_no,", "1 AS line_no,"))
    documents, (bad,) = reader.read_documents(source, flat, "billing", [document_id])
    assert documents == []
    assert (bad.field, bad.value_repr) == ("lines[1].line_no", "1")


def test_further_columns_are_carried_as_text(source: Connection, queries: reader.Queries, billing: Execute) -> None:
    document_id = insert(billing)
    further = reader.Queries(
        queries.documents.replace(
            "i.total\n", "i.total, 7 AS cost_centre, NULL AS note, DATE '2010-11-01' AS served\n"
        ),
        queries.lines.replace("l.amount,", "l.amount, 1.50::numeric AS weight, true AS promo,"),
    )
    reader.check_columns(source, further)
    (document,), _ = reader.read_documents(source, further, "billing", [document_id])
    assert document.extra == {"contract": None, "cost_centre": "7", "note": None, "served": "2010-11-01"}
    assert document.lines[0].extra == {"weight": "1.50", "promo": "true", "service": None}


@pytest.mark.parametrize("key_type", ["integer", "bigint", "numeric(18)", "text", "varchar(20)", "uuid"])
def test_a_key_of_any_type_finds_its_documents_through_the_index(
    source: Connection, billing: Execute, queries: reader.Queries, key_type: str
) -> None:
    make = "lpad(n::text, 32, '0')::uuid" if key_type == "uuid" else f"n::{key_type}"
    billing(f"CREATE TABLE h AS SELECT {make} AS id FROM generate_series(1, 20000) n")  # noqa: S608
    billing("CREATE UNIQUE INDEX h_key ON h (id)")
    billing("ANALYZE h")
    keyed = dataclasses.replace(
        queries,
        documents=(
            "SELECT h.id AS document_id, 'N' || h.id AS number, 'invoice' AS kind, 'open' AS status,"
            " now() AS created_at, DATE '2010-11-01' AS document_date, NULL::date AS due_date, NULL AS customer,"
            " NULL AS branch, 'GBP' AS currency, NULL AS terms, NULL AS purchase_order, NULL AS memo,"
            " NULL AS applies_to, 1.0 AS total FROM h"
        ),
        lines=queries.lines.replace("l.invoice_id AS document_id", f"NULL::{key_type} AS document_id"),
        applications=None,
    )
    ids = [one for chunk in reader.new_document_ids(source, keyed, None) for one in chunk]
    assert len(ids) == 20_000
    before = billing("SELECT coalesce(idx_scan, 0) FROM pg_stat_user_indexes WHERE indexrelname = 'h_key'")
    source.rollback()
    documents, bad = reader.read_documents(source, keyed, "billing", ids[:3])
    assert ([document.document_id for document in documents], bad) == (sorted(ids[:3]), [])
    source.exec_driver_sql("SELECT pg_stat_force_next_flush()")
    source.rollback()
    source.exec_driver_sql("SELECT 1")
    after = billing("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'h_key'")
    assert after > before


def test_new_documents_are_those_created_at_or_after_a_moment(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    moment = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    insert(billing, "536364", created_at=moment - timedelta(microseconds=1))
    at = insert(billing, "536365", created_at=moment)
    after = insert(billing, "536366", created_at=moment + timedelta(days=1))
    assert sorted(next(reader.new_document_ids(source, queries, moment))) == sorted([at, after])
    assert list(reader.new_document_ids(source, queries, moment + timedelta(days=2))) == []


def test_a_document_without_a_creation_time_is_found_too(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    billing("ALTER TABLE invoices ALTER created_at DROP NOT NULL")
    insert(billing, "536364", created_at="2010-12-01")
    without = insert(billing, "536365", created_at=None)
    assert list(reader.new_document_ids(source, queries, datetime(2011, 1, 1, tzinfo=UTC))) == [[without]]


def test_a_creation_time_without_a_zone_is_utc_whatever_the_servers_zone(
    database: str, queries: reader.Queries, billing: Execute
) -> None:
    billing("ALTER TABLE invoices ALTER created_at TYPE timestamp")
    billing(
        "ALTER ROLE CURRENT_USER IN DATABASE %s SET timezone = 'Asia/Tokyo'".replace("%s", database.rsplit("/", 1)[1])
    )
    moment = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    document_id = insert(billing, created_at=moment.replace(tzinfo=None))
    engine = reader.open_source(database)
    with reader.connect_source(engine) as source:
        assert list(reader.new_document_ids(source, queries, moment)) == [[document_id]]
        assert list(reader.new_document_ids(source, queries, moment + timedelta(seconds=1))) == []
        (document,), _ = reader.read_documents(source, queries, "billing", [document_id])
    engine.dispose()
    assert document.created_at == moment


def test_ids_come_in_thousands_and_documents_can_be_read_between_them(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    billing(
        "INSERT INTO invoices (number, kind, document_date, total)"
        " SELECT n, 'I', '2010-11-01', 0 FROM generate_series(1, 2500) n"
    )
    sizes, read = [], 0
    for ids in reader.new_document_ids(source, queries, None):
        sizes.append(len(ids))
        read += len(reader.read_documents(source, queries, "billing", ids)[0])
    assert (sizes, read) == ([1000, 1000, 500], 2500)


def test_documents_are_read_whatever_role_and_database_say_of_a_session(
    database: str, billing: Execute, queries: reader.Queries
) -> None:
    set_for_database(database, **(ODD | {"search_path": "nowhere, public"}))
    document_id = insert(billing, "536365", document_date="2010-11-05")
    interval = queries.documents.replace("i.memo", "interval '1 day 2 hours'::text AS memo")
    further = dataclasses.replace(queries, documents=interval)
    engine = reader.open_source(database)
    with reader.connect_source(engine) as source:
        shown = _session(source)
        (document,), bad = reader.read_documents(source, further, "billing", [document_id])
        now = reader.source_now(source)
    engine.dispose()
    assert (document.memo, document.document_date, bad) == ("1 day 02:00:00", date(2010, 11, 5), [])
    assert abs(document.created_at - now) < timedelta(minutes=5)
    assert shown == SESSION


@pytest.mark.skipif(pgbouncer_program() is None, reason="needs pgbouncer, which CI installs")
def test_what_our_session_works_with_is_left_behind_in_no_connection_that_others_share(
    database: str, billing: Execute, queries: reader.Queries
) -> None:
    """The billing system writes through the same pool."""
    document_id = insert(billing)
    with pgbouncer(database, "transaction", default_pool_size="1") as pooled:
        engine = reader.open_source(pooled)
        with reader.connect_source(engine) as source:
            for _ in range(8):
                ((_, bad), shown) = reader.read_documents(source, queries, "billing", [document_id]), _session(source)
                source.rollback()
        engine.dispose()
        with psycopg.connect(libpq_url(pooled)) as other:
            other.execute("UPDATE invoices SET memo = 'written'")
            (left,) = other.execute("SELECT current_setting('lock_timeout')").fetchone() or ()
    assert (bad, shown["transaction_read_only"], left) == ([], "on", "0")


def _session(source: Connection) -> dict[str, str]:
    return {name: source.exec_driver_sql(f"SHOW {name}").scalar_one() for name in SESSION}


def test_one_transaction_sees_one_moment(source: Connection, queries: reader.Queries, billing: Execute) -> None:
    first = insert(billing, "536365")
    now = reader.source_now(source)
    second = insert(billing, "536366")
    assert list(reader.new_document_ids(source, queries, None)) == [[first]]
    source.rollback()
    assert [sorted(ids) for ids in reader.new_document_ids(source, queries, now)] == [[second]]


def test_the_billing_system_is_only_read(source: Connection, billing: Execute) -> None:
    insert(billing)
    for statement in ("UPDATE invoices SET status = 'void'", "DELETE FROM invoice_lines", "CREATE TABLE t (a int)"):
        with pytest.raises(Exception, match="read-only transaction") as refused:
            source.exec_driver_sql(statement)
        assert isinstance(refused.value.__cause__, psycopg.errors.ReadOnlySqlTransaction)
        source.rollback()
    assert billing("SELECT status FROM invoices") == [("closed",)]


def test_a_missing_column_is_named_with_its_file_whether_checked_or_read(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    document_id = insert(billing)
    lacking = reader.Queries(
        queries.documents.replace("i.currency,", "").replace("i.terms,", ""), queries.lines.replace("l.amount,", "")
    )
    with pytest.raises(ColumnsWrong) as caught:
        reader.check_columns(source, lacking)
    assert caught.value.missing == {"documents.sql": ["currency", "terms"], "lines.sql": ["amount"]}
    assert "documents.sql lacks the column currency, terms; lines.sql lacks the column amount" in str(caught.value)
    with pytest.raises(ColumnsWrong, match="currency"):
        reader.read_documents(source, lacking, "billing", [document_id])


def test_a_column_given_twice_is_named(source: Connection, queries: reader.Queries) -> None:
    doubled = dataclasses.replace(queries, lines=queries.lines.replace("l.amount,", "l.amount, l.price AS amount,"))
    with pytest.raises(ColumnsWrong, match=r"lines\.sql has twice the column amount"):
        reader.check_columns(source, doubled)


def test_a_query_that_the_database_refuses_is_named_with_the_databases_words(
    source: Connection, queries: reader.Queries
) -> None:
    wrong = dataclasses.replace(queries, lines=queries.lines.replace("invoice_lines", "no_such_table"))
    with pytest.raises(QueryFailed, match=r'lines\.sql: relation "no_such_table" does not exist'):
        reader.check_columns(source, wrong)


def test_a_query_file_may_end_in_a_comment_or_a_semicolon_and_hold_colons_and_percents(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    document_id = insert(billing)
    decorated = reader.Queries(
        queries.documents.replace("i.memo", "'12:30 :x 5%'::text AS memo").rstrip() + ";\n\n",
        queries.lines.rstrip() + " -- end",
    )
    reader.check_columns(source, decorated)
    (document,), _ = reader.read_documents(source, decorated, "billing", [document_id])
    assert document.memo == "12:30 :x 5%"
