"""Whether a document is still what was staged of it, asked in one query or in two, with the same answer."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from billing_assets.erp.billing_system import reader
from billing_assets.erp.staging.recheck import Staged, differing
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets_tests.rooms.erp.staging.conftest import Bench
from proving.world.builders import (
    SOURCE,
    add_lines,
    apply_credit,
    change_document,
    change_line,
    delete_document,
    insert_document,
    shipped_sample_queries,
)

QUERIES = shipped_sample_queries()
TWO = [("10002", "1", "6.00", "6.00"), ("10080", "1", "4.00", "4.00")]


@pytest.fixture
def source(bench: Bench) -> Iterator[Connection]:
    """Our side of the billing system; `rollback()` lets it see what happened since."""
    engine = open_source(bench.source_url)
    with connect_source(engine) as connection:
        yield connection
    engine.dispose()


def unlike(bench: Bench, source: Connection, *, with_digests: bool, queries: reader.Queries = QUERIES) -> set[str]:
    """Ids of what is not as it was staged."""
    source.rollback()
    rows = bench.state.execute("select document_id, content_hash, source_digest from billing.staged_invoices")
    staged = [
        Staged(row["document_id"], row["content_hash"], row["source_digest"] if with_digests else None) for row in rows
    ]
    assert not with_digests or all(one.source_digest for one in staged)
    return set(differing(source, queries, SOURCE, staged))


_CHANGE = st.sampled_from(
    ["status", "number", "memo", "strip", "add", "line", "delete", "apply", "unapply", "reapply", "nothing"]
)


@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 3), _CHANGE), max_size=4, unique_by=lambda one: one[0]))
def test_digests_and_content_say_the_same_of_what_changed(
    changes: list[tuple[int, str]], bench: Bench, source: Connection
) -> None:
    source.rollback()
    bench.source.execute("truncate invoices, invoice_lines, credit_applications")
    bench.state.execute("set session_replication_role = replica")
    bench.state.execute("truncate billing.staged_invoices, billing.watermarks cascade")
    ids = [insert_document(bench.source, str(number), lines=TWO) for number in range(3)]
    ids.append(insert_document(bench.source, "C1", kind="credit_memo"))
    for number in ("0", "1"):
        apply_credit(bench.source, ids[3], number, "2")
    bench.stage()
    assert unlike(bench, source, with_digests=True) == unlike(bench, source, with_digests=False) == set()
    changed = {ids[place] for place, change in changes if play(bench, ids[place], change)}
    assert unlike(bench, source, with_digests=True) == changed
    assert unlike(bench, source, with_digests=False) == changed


def play(bench: Bench, document_id: str, change: str) -> bool:
    """One thing that happens to a document; whether anything is another now."""
    match change:
        case "status":
            change_document(bench.source, document_id, status="open")
        case "number":
            change_document(bench.source, document_id, number="other")
        case "memo":
            change_document(bench.source, document_id, memo="other")
        case "add":
            add_lines(bench.source, document_id, [("10002", "1", "1", "1")], first=7)
        case "line":
            change_line(bench.source, document_id, quantity=7)
        case "delete":
            delete_document(bench.source, document_id)
        case "apply":
            apply_credit(bench.source, document_id, "2", None)
        case "strip":
            return changes_rows(bench, "delete from invoice_lines where line_no = 1 and invoice_id = %s", document_id)
        case "unapply":
            return changes_rows(bench, "delete from credit_applications where credit_id = %s", document_id)
        case "reapply":
            again = "update credit_applications set amount = 3 where invoice_number = '1' and credit_id = %s"
            return changes_rows(bench, again, document_id)
        case "nothing":
            return False
    return True


def changes_rows(bench: Bench, statement: Any, document_id: str) -> bool:
    return bench.source.execute(statement, [document_id]).rowcount > 0


def test_what_is_deleted_is_said_to_be_gone_and_what_changed_to_be_changed(bench: Bench, source: Connection) -> None:
    gone, changed = insert_document(bench.source, "1"), insert_document(bench.source, "2")
    delete_document(bench.source, gone)
    change_document(bench.source, changed, memo="changed")
    found = differing(source, QUERIES, SOURCE, [Staged(gone, b"1", b"1"), Staged(changed, b"2", b"2")])
    assert "does not have it any more" in found[gone].message
    assert "changed it after it was staged" in found[changed].message
    assert all("It was not sent" in one.message for one in found.values())


@pytest.mark.parametrize("with_digests", [True, False])
def test_where_the_billing_system_fails_at_a_value_nothing_of_the_batch_counts_as_compared(
    bench: Bench, source: Connection, with_digests: bool
) -> None:
    bench.stage()
    ids = [insert_document(bench.source, str(number)) for number in range(3)]
    bench.stage()
    strict = replace(
        QUERIES, documents=QUERIES.documents.replace("i.memo,", "i.memo, CAST(i.memo AS integer) AS code,")
    )
    change_document(bench.source, ids[1], memo="no number")
    assert unlike(bench, source, with_digests=with_digests, queries=strict) == set(ids)


def test_without_a_file_of_applications_two_queries_read_the_same(bench: Bench, source: Connection) -> None:
    for number in range(3):
        insert_document(bench.source, str(number), lines=TWO)
    bench.stage()
    without = replace(QUERIES, applications=None)
    assert unlike(bench, source, with_digests=False, queries=without) == set()


def test_a_header_that_a_join_repeats_is_not_taken_for_one_that_is_applied_twice(
    bench: Bench, source: Connection
) -> None:
    once, twice = insert_document(bench.source, "1"), insert_document(bench.source, "2")
    bench.stage()
    bench.source.execute("create table tags (invoice_id bigint, tag text)")
    bench.source.execute("insert into tags values (%s, 'a'), (%s, 'a'), (%s, 'b')", [once, twice, twice])
    joined = replace(QUERIES, documents=f"{QUERIES.documents} JOIN tags AS t ON t.invoice_id = i.id")
    assert unlike(bench, source, with_digests=False, queries=joined) == {twice}
