"""With a column `version` in documents.sql staging again reads what has another version, and no line of anything else;
a version that is wrong hides nothing for longer than a night."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from billing_assets.erp.billing_system import reader
from billing_assets.erp.billing_system.marks import is_digest
from billing_assets.erp.billing_system.queries import Queries
from billing_assets.erp.staging import polling
from billing_assets.erp.staging.recheck import Staged, differing
from billing_assets.erp.staging.staging import StagingResult
from billing_assets.erp.staging.store import CHANGEABLE_STATES
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets_tests.rooms.erp.billing_system.collations import QUERIES, collating
from billing_assets_tests.rooms.erp.staging.conftest import Bench, with_versions
from proving.world.builders import (
    SOURCE,
    add_lines,
    apply_credit,
    change_document,
    change_line,
    delete_document,
    insert_document,
    shipped_sample_queries,
    stage_now,
    staged,
    states,
)

LINES = [("10002", "1", "6.00", "6.00"), ("10080", "1", "4.00", "4.00")]


@pytest.fixture
def queries(bench: Bench) -> Queries:
    return with_versions(bench.source)


def stage(bench: Bench, queries: Queries, **options: Any) -> tuple[StagingResult, list[str]]:
    """A staging, and the ids of the documents whose lines it read."""
    with lines_read() as read:
        result = bench.stage(queries=queries, **options)
    return result, sorted(read)


@contextmanager
def lines_read() -> Iterator[list[str]]:
    """Ids of documents, one for each time that their lines are read, on whatever engine."""
    found: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        whole, table, condition = statement.rpartition(") AS lines")
        if table and "ORDER BY" in condition and "hashtext" not in whole:
            values = parameters.values() if isinstance(parameters, dict) else parameters
            found.extend(one for value in values for one in str(value).strip("{}").replace('"', "").split(","))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


CHANGES: dict[str, Callable[[Any, str], None]] = {
    "header": lambda source, one: change_document(source, one, memo="new"),
    "line": lambda source, one: change_line(source, one, description="Another thing"),
    "line added": lambda source, one: add_lines(source, one, [("10002", "0", "0", "0")], first=3),
    "first line deleted": lambda source, one: delete_line(source, one, 1),
    "last line deleted": lambda source, one: delete_line(source, one, 2),
    "application": lambda source, one: apply_credit(source, one, "1", "2"),
}


def delete_line(source: Any, document_id: str, line_no: int) -> None:
    source.execute("delete from invoice_lines where invoice_id = %s and line_no = %s", [document_id, line_no])


def test_nothing_is_read_again_while_the_versions_stay(bench: Bench, queries: Queries) -> None:
    ids = [insert_document(bench.source, str(number), lines=LINES) for number in range(3)]
    assert stage(bench, queries)[1] == ids
    before = bench.versions()
    result, read = stage(bench, queries)
    assert (read, result.counts["read"], bench.versions()) == ([], 3, before)


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_has_another_version_is_read(change: str, bench: Bench, queries: Queries) -> None:
    ids = [insert_document(bench.source, str(number), lines=LINES, kind="credit_memo") for number in range(3)]
    stage(bench, queries)
    CHANGES[change](bench.source, ids[1])
    result, read = stage(bench, queries)
    assert (read, result.counts["changed"]) == ([ids[1]], 1)


def test_another_version_alone_is_no_change_and_is_read_once(bench: Bench, queries: Queries) -> None:
    ids = [insert_document(bench.source, str(number)) for number in range(2)]
    stage(bench, queries)
    bench.advance("1", "posted")
    rows = bench.state.execute("select staged_at from billing.staged_invoices order by id").fetchall()
    for one in ids:
        change_document(bench.source, one, memo=None)
    result, read = stage(bench, queries)
    assert (read, result.counts["changed"], result.counts["drifted"]) == (ids, 0, 0)
    assert bench.state.execute("select staged_at from billing.staged_invoices order by id").fetchall() == rows
    assert bench.row("0")["extra"] == {"contract": None}, "a version is no further column"
    assert stage(bench, queries)[1] == []


def test_a_document_of_unknown_version_is_read_each_time(bench: Bench, queries: Queries) -> None:
    ids = [insert_document(bench.source, str(number)) for number in range(2)]
    known = f"CASE WHEN i.id <> {ids[0]} THEN concat_ws("
    text = queries.documents.replace("concat_ws(", known, 1).replace(") AS version", ") END AS version")
    unknown = replace(queries, documents=text)
    stage(bench, unknown)
    assert stage(bench, unknown)[1] == [ids[0]]


def test_a_header_that_a_join_begins_to_repeat_is_held_though_its_version_stays(bench: Bench, queries: Queries) -> None:
    bench.source.execute("create table tags (invoice_id bigint, tag text)")
    joined = replace(queries, documents=f"{queries.documents} LEFT JOIN tags AS t ON t.invoice_id = i.id")
    once = insert_document(bench.source, "1")
    stage(bench, joined)
    bench.source.execute("insert into tags values (%(id)s, 'a'), (%(id)s, 'b')", {"id": once})
    stage(bench, joined)
    assert (bench.states(), bench.codes("1")) == ({"1": "held"}, ["FIELD_UNREADABLE"])
    engine = open_source(bench.source_url)
    with connect_source(engine) as source:  # whether or not the month's totals show it
        assert reader.marks(source, joined, [once], reader.marking(source, joined)) == {}
    engine.dispose()


def test_other_queries_read_everything_once(bench: Bench, queries: Queries) -> None:
    """From digests to versions and back, too; and the same version says nothing of another column's text."""
    one = insert_document(bench.source, "1")
    plain = shipped_sample_queries()
    shouted = replace(queries, lines=queries.lines.replace("l.description", "upper(l.description) AS description"))
    for these in (plain, queries, shouted, plain):
        assert stage(bench, these)[1] == [one]
        assert stage(bench, these)[1] == []
        assert is_digest(bench.row("1")["source_digest"]) == (these is plain)
    stage(bench, shouted)
    assert bench.row("1")["lines"][0][2] == "A THING"


@pytest.mark.parametrize("length", [20, 60, 10_000])
def test_versions_that_differ_at_their_end_only_are_two_versions(bench: Bench, queries: Queries, length: int) -> None:
    long = f"rpad('', {length}, 'x') || concat_ws("
    queries = replace(queries, documents=queries.documents.replace("concat_ws(", long, 1))
    ids = [insert_document(bench.source, str(number)) for number in range(2)]
    stage(bench, queries)
    change_document(bench.source, ids[1], memo="new")
    assert stage(bench, queries)[1] == [ids[1]]
    assert stage(bench, queries)[1] == []


def test_ids_with_quotes_and_backslashes_have_versions_of_their_own(bench: Bench, queries: Queries) -> None:
    odd = """CASE {} WHEN 1 THEN 'a","b' WHEN 2 THEN 'a' WHEN 3 THEN E'\\\\' WHEN 4 THEN '{{}}' ELSE 'NULL' END"""
    documents, lines = queries.documents.replace("i.id AS", odd.format("i.id") + " AS"), queries.lines
    lines = lines.replace("l.invoice_id AS", odd.format("l.invoice_id") + " AS")
    queries = replace(queries, documents=documents, lines=lines, applications=None)
    for number in range(1, 6):
        insert_document(bench.source, str(number), id=number)
    assert len(stage(bench, queries)[1]) >= 5
    assert set(bench.states().values()) == {"ready"}
    assert stage(bench, queries)[1] == []
    for number in range(1, 6):
        change_document(bench.source, str(number), memo="new")
        assert stage(bench, queries)[0].counts["changed"] == 1


def test_what_is_looked_at_each_time_is_read_from_its_index_alone(bench: Bench) -> None:
    """A document's row is wide: reading all of them took longer than their versions."""
    given = {"source": SOURCE, "after": 0, "states": CHANGEABLE_STATES, "judged_under": b"", "chunk": 10_000}
    bench.state.execute("set enable_seqscan = off; set enable_bitmapscan = off; set enable_indexscan = off")
    rows = bench.state.execute("explain " + polling.CHANGEABLE, given).fetchall()
    assert "Index Only Scan using staged_invoices_polled" in str(rows)


def wrong() -> Queries:
    """Versions that never change, whatever happens."""
    plain = shipped_sample_queries()
    return replace(plain, documents=plain.documents.replace("i.total\n", "i.total, 1 AS version\n"))


@pytest.mark.parametrize("posted", [False, True])
def test_what_a_wrong_version_hides_is_found_at_night(bench: Bench, posted: bool) -> None:
    queries = wrong()
    one = insert_document(bench.source, "1", lines=LINES)
    stage(bench, queries)
    if posted:
        bench.advance("1", "posted")
    change_line(bench.source, one, description="Another thing")
    result, read = stage(bench, queries)
    assert (read, result.counts["changed"], result.counts["drifted"]) == ([], 0, 0)
    result, read = stage(bench, queries, whole=True)
    assert set(read) == {one}
    assert result.counts["drifted" if posted else "changed"] == 1


@pytest.mark.parametrize("posted", [False, True])
def test_what_a_wrong_version_hides_of_a_months_totals_is_found_at_once(bench: Bench, posted: bool) -> None:
    queries = wrong()
    one = insert_document(bench.source, "1", lines=LINES)
    other = insert_document(bench.source, "2", document_date="2009-12-31")
    stage(bench, queries)
    if posted:
        bench.advance("1", "posted")
    change_document(bench.source, one, total=Decimal(11), document_date="2010-12-01")
    result, read = stage(bench, queries)
    assert (set(read), result.compared) == ({one}, ("2010-11", "2010-12"))
    assert result.counts["drifted" if posted else "changed"] == 1
    assert other not in read
    assert stage(bench, queries)[1] == ([one] if posted else []), "what drifted is read each time"


def test_a_version_is_not_believed_before_a_document_is_sent(bench: Bench) -> None:
    queries = wrong()
    ids = [insert_document(bench.source, str(number), lines=LINES) for number in range(3)]
    stage(bench, queries)
    change_line(bench.source, ids[1], description="Another thing")
    delete_document(bench.source, ids[2])
    rows = bench.state.execute("select document_id, content_hash, source_digest from billing.staged_invoices")
    held = [Staged(row["document_id"], row["content_hash"], row["source_digest"]) for row in rows]
    assert len(held) == 3
    engine = open_source(bench.source_url)
    with connect_source(engine) as source:
        found = differing(source, queries, SOURCE, held)
    engine.dispose()
    assert found.keys() == {ids[1], ids[2]}


def test_what_changes_between_version_and_content_is_read_again(bench: Bench, queries: Queries) -> None:
    """As on an engine without a snapshot: the version is asked for first."""
    one = insert_document(bench.source, "1")
    read_documents = reader.read_documents

    def later(conn: Any, these: Queries, name: str, ids: list[str]) -> Any:
        if ids:
            change_document(bench.source, one, memo="between")
            conn.rollback()  # lets this connection see it
        return read_documents(conn, these, name, ids)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "read_documents", later)
        bench.stage(queries=queries)
    assert bench.row("1")["memo"] == "between"
    assert stage(bench, queries)[1] == [one]
    assert stage(bench, queries)[1] == []


def test_a_version_that_cannot_be_computed_holds_its_document_and_no_other(bench: Bench) -> None:
    plain = shipped_sample_queries()
    queries = replace(plain, documents=plain.documents.replace("i.total\n", "i.total, 1 / (i.id - 2) AS version\n"))
    for number in range(3):
        insert_document(bench.source, f"N{number}", id=number)
    stage(bench, queries)
    assert bench.states() == {"N0": "ready", "N1": "ready", "2": "held"}


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as connection:
        yield connection


def test_sqlite_is_read_again_by_its_versions_only(tmp_path: Path, state_url: str, state: Connection) -> None:
    with collating("sqlite", "", tmp_path) as there:
        queries = replace(QUERIES, documents=QUERIES.documents.replace("h.total FROM", "h.total, h.v AS VERSION FROM"))
        versions = {"AB-1": b"\0\1", "ab-1": b"\0\1", "C": 7, "D": None, "E": "😀"}
        for key in versions:
            there.header(key)
            there.line(key)
        there.execute("ALTER TABLE h ADD COLUMN v")
        for key, version in versions.items():
            there.execute("UPDATE h SET v = ? WHERE k = ? COLLATE BINARY", version, key)

        def again() -> list[str]:
            with lines_read() as read:
                stage_now(state_url, there.url, queries=queries)
            return sorted(set(read))

        assert again() == sorted(versions)
        assert again() == ["D"]
        there.execute("UPDATE h SET v = '7' WHERE k = 'C'")
        assert again() == ["C", "D"], "the number 7 is not the text 7"
        there.execute("UPDATE l SET a = 11, p = 11 WHERE k = 'ab-1' COLLATE BINARY")
        assert again() == ["D"], "its version is what it was"
        there.execute("UPDATE h SET v = x'0002' WHERE k = 'ab-1' COLLATE BINARY")
        assert again() == ["D", "ab-1"]
        assert staged(state, "Nab-1")["lines"][0][5] == "11"
        assert states(state)["NAB-1"] == "ready"
