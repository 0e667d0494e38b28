"""SQL Server itself, where TEST_MSSQL_URL names one, by the URL of a login that may read. No table is needed."""

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from billing_assets.erp.billing_system import reader
from billing_assets.foundation.source_database.connection import SNAPSHOT_ALLOWED
from billing_assets.foundation.source_database.errors import QueryFailed

URL = os.environ.get("TEST_MSSQL_URL", "")
pytestmark = pytest.mark.skipif(not URL, reason="TEST_MSSQL_URL names no SQL Server")

KEY = "6F9619FF-8B86-D011-B42D-00C04FC964FF"
_HEADER = """
SELECT h.k AS document_id, 'N' + h.number AS number, 'invoice' AS kind, h.status, SYSUTCDATETIME() AS created_at,
    CAST('2010-11-05' AS date) AS document_date, CAST(NULL AS date) AS due_date, '12346' AS customer, 'X' AS branch,
    'GBP' AS currency, 'NET30' AS terms, CAST(NULL AS nvarchar(20)) AS purchase_order,
    CAST(NULL AS nvarchar(20)) AS memo, CAST(NULL AS nvarchar(20)) AS applies_to, CAST(10 AS money) AS total{}
FROM (VALUES {}) AS h (k, number, status)"""
_LINE = """
SELECT l.k AS document_id, l.n AS line_no, '10002' AS item, CAST(NULL AS nvarchar(20)) AS description,
    CAST(1 AS decimal(9, 2)) AS quantity, CAST(10 AS money) AS unit_price, CAST(10 AS money) AS amount,
    CAST(NULL AS nvarchar(20)) AS tax_code, CAST(NULL AS decimal(9, 4)) AS tax_rate,
    CAST(NULL AS decimal(19, 4)) AS tax_amount
FROM (VALUES {}) AS l (k, n);
-- the end; of it"""


def queries(headers: str, lines: str, further: str = "") -> reader.Queries:
    return reader.Queries(_HEADER.format(further, headers), _LINE.format(lines))


@pytest.fixture
def source() -> Iterator[Connection]:
    engine = reader.open_source(URL)
    with reader.connect_source(engine) as connection:
        yield connection
    engine.dispose()


def test_lines_under_another_spelling_hold_their_document(source: Connection) -> None:
    found = queries(
        "('AB-1', '1', 'closed'), ('AB-6', '6', 'closed'), ('C1', '7', 'closed')",
        "('AB-1', 1), ('AB-6', 1), ('ab-6', 2), ('C1  ', 1)",
    )
    reader.check_columns(source, found)
    documents, bad = reader.read_documents(source, found, "billing", ["AB-1", "AB-6", "C1"])
    assert [one.document_id for one in documents] == ["AB-1"]
    assert {one.document_id: one.value_repr for one in bad} == {"AB-6": "'ab-6'", "C1": "'C1  '"}


def test_statuses_of_other_characters_are_groups_of_their_own(source: Connection) -> None:
    found = queries("('1', '1', 'closed'), ('2', '2', 'Closed'), ('3', '3', 'closed ')", "('1', 1)")
    (month,) = reader.tallies(source, found, reader.Dates(everything=True)).values()
    assert {status: one.documents for status, one in month.items()} == {"closed": 1, "Closed": 1, "closed ": 1}
    assert reader.fingerprint(source, found, None).startswith("3/1/0/")


def test_a_uniqueidentifier_is_spelled_in_small_letters_and_found_by_them(source: Connection) -> None:
    key = f"CAST('{KEY}' AS uniqueidentifier)"
    further = ", CAST('10:11:12.5' AS time) AS taken, CAST(0x0A1F AS varbinary(4)) AS packed"
    found = queries(f"({key}, '1', 'closed')", f"({key}, 1)", further)
    assert [one for ids in reader.new_document_ids(source, found, None) for one in ids] == [KEY.lower()]
    (document,), bad = reader.read_documents(source, found, "billing", [KEY.lower()])
    assert (document.document_id, len(document.lines), bad) == (KEY.lower(), 1, [])
    assert document.extra == {"taken": "10:11:12.500000", "packed": "0x0A1F"}


def test_a_type_that_the_driver_cannot_read_is_to_be_cast(source: Connection) -> None:
    found = queries("('1', '1', 'closed')", "('1', 1)", ", CAST(1 AS sql_variant) AS odd")
    with pytest.raises(QueryFailed, match="CAST"):
        reader.read_documents(source, found, "billing", ["1"])


def test_no_statement_waits_for_a_lock_without_end(source: Connection) -> None:
    assert source.scalar(text("SELECT @@LOCK_TIMEOUT")) == 30_000


def test_one_moment_is_read_where_the_database_keeps_row_versions(source: Connection) -> None:
    mine = text("SELECT transaction_isolation_level FROM sys.dm_exec_sessions WHERE session_id = @@SPID")
    assert (source.scalar(mine) == 5) is (source.scalar(text(SNAPSHOT_ALLOWED)) == 1), "5: snapshot"
