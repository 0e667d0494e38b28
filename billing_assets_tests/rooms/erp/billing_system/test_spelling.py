"""Keys and texts that are one to the billing database and several to us: no row of a document is ever left out.

SQL Server's usual collation takes `AB-6` and `ab-6` for one; SQLite and PostgreSQL can be made to.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from billing_assets.erp.billing_system import reader
from billing_assets.erp.billing_system.queries import Queries
from billing_assets.erp.billing_system.receivables import open_receivables, sums
from billing_assets.erp.billing_system.spelling import check_keys
from billing_assets.foundation.source_database.errors import KeysNotComparable
from billing_assets_tests.rooms.erp.billing_system.collations import ENGINES, QUERIES, Collating, collating


@pytest.fixture(params=ENGINES)
def there(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Iterator[Collating]:
    with collating(request.param, database, tmp_path) as found:
        yield found


@pytest.fixture
def source(there: Collating) -> Iterator[Connection]:
    engine = reader.open_source(there.url)
    with reader.connect_source(engine) as connection:
        yield connection
    engine.dispose()


def _read(source: Connection, queries: Queries = QUERIES) -> tuple[dict[str, int], dict[str, tuple[str, str]]]:
    """The lines of each document that is understood, and of each other the field and its value."""
    ids = [one for chunk in reader.new_document_ids(source, queries, None) for one in chunk]
    documents, bad = reader.read_documents(source, queries, "billing", ids)
    return (
        {one.document_id: len(one.lines) for one in documents},
        {one.document_id: (one.field, one.value_repr) for one in bad},
    )


def test_lines_under_another_spelling_of_the_key_hold_their_document(there: Collating, source: Connection) -> None:
    there.header("AB-1")
    there.line("AB-1")
    there.header("AB-2")
    there.line("ab-2")
    there.header("ab-3", total="0")
    there.line("AB-3", 1, "5")
    there.line("AB-3", 2, "-5")
    there.header("AB-6", total="30")
    there.line("AB-6", 1)
    there.line("ab-6", 2)
    there.line("ab-6", 3)
    there.line("nowhere")
    understood, bad = _read(source)
    assert understood == {"AB-1": 1}
    field = "lines[?].document_id"
    assert bad == {"AB-2": (field, "'ab-2'"), "ab-3": (field, "'AB-3'"), "AB-6": (field, "'ab-6'")}
    assert reader.orphan_lines(source, QUERIES) == [("nowhere", 1)]


def test_the_problem_says_what_to_do(there: Collating, source: Connection) -> None:
    there.header("AB-2")
    there.line("ab-2")
    _, (bad,) = reader.read_documents(source, QUERIES, "billing", ["AB-2"])
    assert bad.number == "NAB-2"
    assert "the billing database takes the two for one" in bad.message
    assert "Select the header's own key in lines.sql" in bad.message


def test_char_keys_of_different_lengths_hold_their_document(database: str) -> None:
    with collating("postgresql", database, Path()) as there:
        for table, length in (("h", 10), ("l", 12)):
            there.execute(f"ALTER TABLE {table} ALTER k TYPE char({length}) USING k::text::char({length})")
        there.header("C1")
        there.line("C1")
        engine = reader.open_source(there.url)
        with reader.connect_source(engine) as source:
            key = "C1".ljust(10)
            assert _read(source) == ({}, {key: ("lines[?].document_id", repr("C1".ljust(12)))})
        engine.dispose()


def test_an_application_under_another_spelling_holds_its_credit_memo(there: Collating, source: Connection) -> None:
    there.header("C-1", total="-10")
    there.line("C-1", amount="-10")
    there.application("C-1", "N1", "4")
    there.application("c-1", "N2", "6")
    assert _read(source) == ({}, {"C-1": ("applications[?].document_id", "'c-1'")})


def test_two_headers_that_the_database_takes_for_one_keep_the_lines_of_their_own_spelling(
    there: Collating, source: Connection
) -> None:
    for key, lines in (("AB-7", 2), ("ab-7", 1)):
        there.header(key, total=str(10 * lines))
        for line_no in range(lines):
            there.line(key, line_no)
    there.header("Q-1")
    there.header("q-1")
    there.line("Q-1")
    there.line("q-1")
    assert _read(source) == ({"AB-7": 2, "ab-7": 1, "Q-1": 1, "q-1": 1}, {})
    there.execute("UPDATE l SET k = 'Ab-7' WHERE k = 'AB-7' AND n = 1")
    source.rollback()
    understood, bad = _read(source)
    assert understood == {"Q-1": 1, "q-1": 1}
    assert bad.keys() == {"AB-7", "ab-7"}


def test_lines_whose_key_only_the_headers_collation_finds_are_no_missing_lines(tmp_path: Path) -> None:
    with collating("sqlite", "", tmp_path, lines_alike=False) as there:
        there.header("AB-1")
        there.line("ab-1")
        there.header("AB-2")  # without any lines
        engine = reader.open_source(there.url)
        with reader.connect_source(engine) as source:
            assert _read(source) == ({"AB-2": 0}, {"AB-1": ("lines[?].document_id", "'ab-1'")})
        engine.dispose()


def test_a_row_that_only_the_headers_collation_finds_is_not_lost_beside_others(tmp_path: Path) -> None:
    """Asked for by the document's key, a table with a collation of its own shows some of the rows only."""
    with collating("sqlite", "", tmp_path, lines_alike=False) as there:
        for key in ("AB-1", "AB-2", "AB-3"):
            there.header(key, total="-10")
            there.line(key, amount="-10")
        there.line("ab-1", 2, "0")
        there.execute("CREATE TABLE b (k text, number text, amount money)")
        there.execute("INSERT INTO b VALUES ('AB-2', 'N1', '4'), ('ab-2', 'N2', '6'), ('ab-3', 'N2', '6')")
        queries = replace(QUERIES, applications=(QUERIES.applications or "").replace("FROM a", "FROM b AS a"))
        found = {
            "AB-1": ("lines[?].document_id", "'ab-1'"),
            "AB-2": ("applications[?].document_id", "'ab-2'"),
            "AB-3": ("applications[?].document_id", "'ab-3'"),
        }
        engine = reader.open_source(there.url)
        with reader.connect_source(engine) as source:
            assert _read(source, queries) == ({}, found)
            documents, bad = reader.read_in_two_queries(source, queries, "billing", [*found])
            assert (documents, {one.document_id for one in bad}) == ([], {*found})
        engine.dispose()


def test_a_line_whose_text_the_database_takes_for_the_headers_number_is_not_lost(tmp_path: Path) -> None:
    """SQL Server and MySQL take '01' for 1, too."""
    with collating("sqlite", "", tmp_path, lines_alike=False) as there:
        there.execute("DROP TABLE h")
        there.execute("CREATE TABLE h (k integer, number, status, created_at moment, d day, cur, total money)")
        for key in ("1", "2"):
            there.header(key)
            there.line(key)
        there.line("01", 2, "0")
        engine = reader.open_source(there.url)
        with reader.connect_source(engine) as source:
            assert _read(source) == ({"2": 1}, {"1": ("lines[?].document_id", "'01'")})
        engine.dispose()


def test_a_blank_padded_key_loses_no_line_whose_key_is_text(database: str) -> None:
    with collating("postgresql", database, Path(), lines_alike=False) as there:
        there.execute("ALTER TABLE h ALTER k TYPE char(6)")
        for key in ("AB", "CD"):
            there.header(key)
        there.line("CD    ")
        there.line("AB    ")
        there.line("AB", 2, "0")
        engine = reader.open_source(there.url)
        with reader.connect_source(engine) as source:
            _, bad = _read(source)
            assert bad["AB    "] == ("lines[?].document_id", "'AB'")
            source.rollback()
            assert reader.marking(source, QUERIES) == reader.Marking.NONE, "a digest would not see such a line"
        engine.dispose()


def test_keys_that_the_database_cannot_compare_are_told_by_the_doctor_and_stop_no_document_without_lines(
    database: str,
) -> None:
    with collating("postgresql", database, Path(), lines_alike=False) as there:
        there.execute("ALTER TABLE l ALTER k TYPE integer USING 7")
        there.header("1")
        engine = reader.open_source(there.url)
        with reader.connect_source(engine) as source:
            assert _read(source) == ({"1": 0}, {})
            with pytest.raises(KeysNotComparable, match=r"lines\.sql: .* one type and one collation"):
                check_keys(source, QUERIES)
        engine.dispose()


def test_groups_are_of_the_same_characters(there: Collating, source: Connection) -> None:
    there.header("1", "closed", "GBP")
    there.header("2", "Closed", "gbp", total="5")
    there.header("3", "closed", "GBP", total="2")
    there.header("4", "CLOSED ", "GBP", total="1")
    totals = reader.month_totals(source, QUERIES, "2010-11")
    assert sorted((one.status, one.currency, one.count, one.total) for one in totals) == [
        ("CLOSED ", "GBP", 1, Decimal(1)),
        ("Closed", "gbp", 1, Decimal(5)),
        ("closed", "GBP", 2, Decimal(12)),
    ]
    (month,) = reader.tallies(source, QUERIES, reader.Dates(everything=True)).values()
    assert {status: one.documents for status, one in month.items()} == {"CLOSED ": 1, "Closed": 1, "closed": 2}


@pytest.mark.parametrize(("before", "after"), [("Closed", "closed"), ("Open", "open"), ("open", "Open")])
def test_a_correction_of_a_status_to_another_spelling_is_noticed(
    there: Collating, source: Connection, before: str, after: str
) -> None:
    there.header("1", before)
    seen = reader.fingerprint(source, QUERIES, None)
    source.rollback()
    there.execute("UPDATE h SET status = ?", after)
    assert reader.fingerprint(source, QUERIES, None) != seen


def test_a_row_under_another_spelling_changes_the_digest_of_its_document(database: str) -> None:
    with collating("postgresql", database, Path()) as there:
        there.header("AB-1")
        there.line("AB-1")
        there.header("AB-2")
        there.line("AB-2")
        engine = reader.open_source(there.url)
        with reader.connect_source(engine) as source:
            before = reader.digests(source, QUERIES, ["AB-1", "AB-2"])
            source.rollback()
            there.line("ab-1", 2)
            after = reader.digests(source, QUERIES, ["AB-1", "AB-2"])
            source.rollback()
            there.execute("UPDATE l SET a = 11 WHERE k = 'AB-1'")  # both: the collation takes them for one
            later = reader.digests(source, QUERIES, ["AB-1", "AB-2"])
        engine.dispose()
    assert len({before["AB-1"], after["AB-1"], later["AB-1"]}) == 3
    assert before["AB-2"] == after["AB-2"] == later["AB-2"]


def test_open_balances_are_added_up_by_the_same_characters_as_they_are_read(
    there: Collating, source: Connection
) -> None:
    """Else what was read never adds up to what the database says."""
    for key, currency in (("1", "GBP"), ("2", "gbp"), ("3", "GBP")):
        there.header(key, currency=currency)
    query = (
        "SELECT k AS document_id, 'invoice' AS kind, number, 'C' AS customer, NULL AS branch, cur AS currency,"
        " d AS document_date, d AS due_date, total, total AS open_amount FROM h"
    )
    read = Counter(one.currency for rows in open_receivables(source, query) for one in rows)
    assert {currency: rows for _, currency, rows, _ in sums(source, query)} == read == {"GBP": 2, "gbp": 1}
