"""SQL carries values as bound parameters only; the names that settings give are checked or quoted."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import billing_assets
from billing_assets.erp.billing_system import reader
from billing_assets.erp.billing_system.queries import Queries
from billing_assets.erp.netsuite.mapping_file import MappingError, read_mapping_file
from billing_assets.erp.staging.settings import StagingSettings
from billing_assets.erp.staging.staging import stage
from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.connection import connect, libpq_url
from billing_assets.foundation.shipped import shipped
from billing_assets.foundation.source_database.errors import SourceError
from proving.bad_input import rows
from proving.world import builders

ROOT = Path(billing_assets.__file__).parent
_SQL = ("select ", "insert into ", "update ", "delete from ", "create ", "drop ", "alter ", "truncate ")
INSERTED = {
    # Every name that is put into the text of an SQL statement, and why it may be.
    ("erp/batches/store.py", "may_be_posted"): "our own conditions",
    ("decisions/store.py", "_COLUMNS"): "our own columns",
    ("foundation/journal/restores.py", "_NOTICED_IN"): "our own expression",
    ("posting/attempts.py", "columns"): "a sink's own columns",
    ("posting/attempts.py", "kept"): "a column of our own or nothing",
    ("posting/attempts.py", "facts"): "an assignment of our own or nothing",
    ("posting/attempts.py", "held"): "names of a ledger's tables, constants of a sink",
    ("posting/attempts.py", "ledger"): "names of a ledger's tables, constants of a sink",
    ("posting/backlog.py", "LIVE"): "our own condition",
    ("posting/backlog.py", "backlog"): "names of a ledger's tables and columns, constants of a sink, and its condition",
    ("posting/backlog.py", "ledger"): "names of a ledger's tables, constants of a sink",
    **{("posting/backlog.py", name): "a column of a ledger or nothing" for name in ("added_up", "nothing", "total")},
    ("posting/batch_lock.py", "LIVE"): "our own condition",
    ("posting/batch_lock.py", "held"): "names of a ledger's tables, constants of a sink",
    ("posting/batch_lock.py", "ledger"): "names of a ledger's tables, constants of a sink",
    ("file_exchange/outbox.py", "_FILE"): "our own columns",
    ("file_exchange/outbox.py", "attempts.last_outcome(ledger, 'd.id')"): "our own subquery",
    ("file_exchange/outbox.py", "held"): "names of a ledger's tables, constants of an outbox",
    ("file_exchange/outbox.py", "ledger"): "names of a ledger's tables, constants of an outbox",
    ("metering/import_engine/store.py", "_FILE"): "our own columns",
    ("metering/readings/store.py", "table"): "one of our two tables of readings",
    ("metering/readings/store.py", "_COMMON"): "our own columns",
    ("metering/readings/store.py", "_VERSION[table]"): "our own columns",
    ("metering/validation/store.py", "_FINDINGS"): "our own query",
    ("metering/usage/store.py", "', '.join((f'{name} {kind}' for name, kind in _FACTS.items()))"): "our own columns",
    ("metering/usage/store.py", "_COLUMNS"): "our own columns",
    ("metering/usage/store.py", "_OUTCOME"): "our own columns",
    ("metering/usage/reports.py", "', '.join((name for name in Waiting._fields if name != 'days'))"): "our own columns",
    ("metering/import_engine/reports.py", "MessageRow"): "our own columns",
    ("invoicing/tariffs/reports.py", "_COLUMNS"): "our own columns",
    ("invoicing/adjustments/store.py", "_COLUMNS"): "our own columns",
    ("invoicing/batches/planning_store.py", "UNBILLED"): "our own query",
    ("invoicing/control/daily_reports.py", "UNBILLED"): "our own query",
    ("invoicing/control/kwh_reports.py", "UNBILLED"): "our own query",
    ("invoicing/control/kwh_reports.py", "_UNITS"): "our own query",
    ("invoicing/corrections/reports.py", "_ORIGINAL"): "our own query",
    **{
        ("metering/readings/master_store.py", name): "columns and tables of our own kinds of master data"
        for name in ("columns", "first", "key", "ours", "same_key", "table", "theirs")
    },
    ("metering/outbound/store.py", "may_go(_LEDGER)"): "our own condition",
    ("work_queue/claims.py", "queue"): "names of a queue's table, constants of a room",
    ("work_queue/claims.py", "claim"): "names of a queue's table, constants of a room",
    ("work_queue/claims.py", "change"): "our own assignments",
    ("erp/audit/decision_store.py", "CONTENT"): "our own columns",
    ("erp/audit/store.py", "_AGE_DAYS"): "our own expression",
    ("erp/audit/store.py", "day_of"): "our own expression over a column",
    ("erp/audit/store.py", "CONTENT"): "our own columns",
    ("erp/close/month_tables.py", "columns"): "our own columns",
    ("erp/close/month_tables.py", "name"): "our own temporary tables",
    ("erp/netsuite/content.py", "_LINES_TABLE"): "a constant",
    ("erp/netsuite/content.py", "values"): "internal ids, each made a number",
    ("erp/netsuite/found_transactions.py", "after"): "a number",
    (
        "erp/netsuite/found_transactions.py",
        "which",
    ): "prefixes of external ids, checked to be [A-Z0-9_-] by the mapping, or a constant",
    ("erp/netsuite/found_transactions_store.py", "KEEPS_ITS_NAME"): "our own condition",
    ("erp/netsuite/found_transactions_store.py", "MAY_HAVE_LEFT"): "our own condition",
    ("erp/netsuite/found_transactions_store.py", "columns"): "our own columns",
    ("erp/netsuite/found_transactions_store.py", "places"): "placeholders",
    ("erp/netsuite/month.py", "CREDIT_MEMO"): "a constant",
    ("erp/netsuite/month.py", "INVOICE"): "a constant",
    ("erp/netsuite/month.py", "_COLUMNS"): "our own columns",
    ("erp/netsuite/month.py", "after"): "a number",
    ("erp/netsuite/month.py", "end"): "a date",
    ("erp/netsuite/month.py", "first"): "a date",
    ("erp/netsuite/month.py", "external"): "external ids, each checked to be [A-Z0-9_-] before",
    ("erp/netsuite/month.py", "internal"): "internal ids, each made a number",
    ("erp/netsuite/month.py", "values"): "external ids of the mapping's customers, with their quotes doubled",
    ("foundation/database/connection.py", "kind"): "shared or nothing",
    ("erp/netsuite/store.py", "_DOCUMENT"): "our own columns",
    ("erp/netsuite/store.py", "_CREDITED"): "our own tables and conditions",
    ("erp/netsuite/store.py", "LOOKS_ALIKE"): "our own condition",
    ("erp/netsuite/reports.py", "_LAST_OUTCOME"): "the core's own subquery",
    ("erp/netsuite/reports.py", "may_be_posted"): "our own condition",
    ("erp/netsuite/suiteql.py", "amounts"): "a column of our own or nothing",
    ("erp/netsuite/suiteql.py", "column"): "one of two of our own",
    ("erp/netsuite/suiteql.py", "values"): "ids, each checked to be [A-Z0-9_-] or digits before",
    ("erp/netsuite/open_items.py", "_OPEN"): "our own columns",
    ("erp/netsuite/open_items.py", "_WHERE"): "our own condition",
    ("erp/netsuite/open_items.py", "after"): "a number",
    ("erp/netsuite/open_items.py", "ids"): "internal ids, each made a number",
    ("erp/netsuite/open_items.py", "older"): "a condition of our own on a number, or nothing",
    ("erp/netsuite/open_items.py", "ours"): "prefixes of external ids, checked to be [A-Z0-9_-] by the mapping",
    ("receivables/balances/fee_store.py", "NETSUITE"): "a constant",
    ("receivables/balances/fee_store.py", "_CANDIDATE"): "our own columns",
    ("receivables/balances/fee_store.py", "_FEE"): "our own columns",
    ("receivables/balances/fee_store.py", "_FEES"): "our own tables",
    ("receivables/balances/fee_store.py", "_BALANCES"): "our own tables and conditions",
    ("receivables/balances/fee_store.py", "_DAY"): "our own expression",
    ("receivables/balances/fee_store.py", "day_of"): "our own expression over a column",
    ("receivables/balances/fee_store.py", "later"): "our own condition",
    ("receivables/balances/fee_store.py", "_STAGED"): "our own expression",
    ("receivables/balances/fee_store.py", "_STOPPED"): "our own condition",
    ("receivables/balances/fee_store.py", "_VOIDED"): "our own condition",
    ("receivables/balances/store.py", "_COLUMNS"): "our own columns",
    ("receivables/balances/store.py", "_POSTED"): "our own condition",
    ("receivables/balances/store.py", "assignments"): "our own columns",
    ("receivables/balances/store.py", "buckets"): "sums over numbers of our own",
    ("receivables/balances/store.py", "day_of"): "our own expression over a column",
    ("receivables/balances/store.py", "group"): "our own columns",
    ("receivables/balances/store.py", "name"): "our own temporary tables",
    ("erp/netsuite/id_meanings.py", "columns"): "our own columns",
    ("erp/netsuite/id_meanings.py", "record"): "one of our own record types",
    ("erp/netsuite/id_meanings.py", "where"): "a condition of our own, on internal ids each checked to be digits",
    ("receivables/reminders/journal_store.py", "JOURNALED"): "our own columns",
    ("receivables/reminders/journal_store.py", "KEPT"): "our own columns",
    ("receivables/reminders/journal_store.py", "_VALUES"): "placeholders",
    ("receivables/reminders/store.py", "DECIDED_AT"): "our own subquery",
    ("receivables/reminders/store.py", "JOURNALED"): "our own columns",
    ("receivables/reminders/store.py", "KEPT"): "our own columns",
    ("receivables/reminders/store.py", "_BARRED"): "our own condition",
    ("receivables/reminders/store.py", "_SAME"): "our own condition",
    ("erp/staging/corrections/store.py", "KEEPS_ITS_NAME"): "our own condition",
    ("erp/staging/corrections/store.py", "_LAST_DECISION"): "our own expression",
    ("erp/staging/corrections/store.py", "columns"): "our own columns",
    ("erp/staging/corrections/store.py", "values"): "placeholders",
    ("erp/staging/corrections/store.py", "where"): "our own condition or nothing",
    ("erp/staging/polling.py", "IS_ADOPTED"): "our own condition",
    ("erp/staging/store.py", "KEEPS_ITS_NAME"): "our own condition",
    ("erp/staging/store.py", "MAY_HAVE_LEFT"): "our own condition",
    ("erp/staging/store.py", "_COLUMNS"): "our own columns",
    ("erp/staging/may_be_posted.py", "IS_ADOPTED"): "our own condition",
    ("erp/pack_delivery/store.py", "may_go(_LEDGER)"): "our own condition",
    ("erp/pack_delivery/store.py", "_PACK"): "our own tables and conditions",
    ("erp/staging/store.py", "_LIKE_STAGED"): "our own query",
    ("erp/staging/store.py", "content"): "our own columns",
}


def sql_texts() -> Iterator[tuple[str, int, str]]:
    """Every expression that is put into a text that begins like a statement: file, line and the names in it."""
    for path in sorted(ROOT.rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        if where.startswith("sandbox/"):  # its own SQLite, which a test fills
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) and _is_sql(_literal(node)):
                for value in node.values:
                    if isinstance(value, ast.FormattedValue):
                        names = [one.id for one in ast.walk(value.value) if isinstance(one, ast.Name)]
                        yield where, node.lineno, names[0] if len(names) == 1 else ast.unparse(value.value)
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add) and _is_sql(_constant(node.left)):
                yield where, node.lineno, ast.unparse(node.right)


def _literal(node: ast.JoinedStr) -> str:
    return "".join(_constant(value) for value in node.values)


def _constant(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_sql(text: str) -> bool:
    return " ".join(text.split()).lower().startswith((*_SQL, "with ")) or " from billing." in text


def test_only_names_of_our_own_are_put_into_statements_and_each_is_explained() -> None:
    found = {(where, name) for where, _, name in sql_texts()}
    assert ("erp/netsuite/suiteql.py", "values") in found, "the search finds nothing, so it proves nothing"
    assert found - set(INSERTED) == set(), "bind the value, or say here why it may stand in the statement"
    assert set(INSERTED) - found == set(), "no statement has these any more"


def test_every_exception_from_the_rules_of_security_says_why() -> None:
    """ruff's S rules are bandit's. Statements are explained above; the sandbox's SQLite holds what a test put there."""
    bare = []
    for path in sorted(ROOT.rglob("*.py")):
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            found = re.search(r"# noqa: ((?:[A-Z]+\d+,? ?)*S\d+(?:,? ?[A-Z]+\d+)*)(.*)", text)
            if found and "S608" not in found[1] and not found[2].split():
                bare.append(f"{path.relative_to(ROOT)}:{number}: {found[0]}")
    assert bare == []


HOSTILE = ["x'; drop table billing.staged_invoices; --", 'x"; drop schema billing cascade; --', "%s", "$1", "\\'", "{}"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_of_the_source_is_a_name_like_any_other(name: str, state_url: str, database: str) -> None:
    builders.create_billing_system(database)
    with builders.open_for_writing(database) as source:
        builders.insert_document(source, "500001")
    engine = reader.open_source(database)
    with connect(state_url) as state, reader.connect_source(engine) as source_connection:
        queries = builders.shipped_sample_queries()
        stage(state, source_connection, queries, name, builders.validation(), StagingSettings(), "run")
        stage(state, source_connection, queries, name, builders.validation(), StagingSettings(), "run")
        found = state.execute("select source, state from billing.staged_invoices").fetchall()
    engine.dispose()
    assert found == [{"source": name, "state": "ready"}]


@pytest.mark.parametrize("document_id", [*HOSTILE, '","', "},{", 'a"b\\c', "NULL", ""])
def test_a_hostile_document_id_is_asked_for_as_it_is(document_id: str, database: str) -> None:
    case = rows.one_odd({"document_id": document_id}, {})
    engine = reader.open_source(database)
    with reader.connect_source(engine) as source:
        documents, bad = reader.read_documents(source, Queries(*case[:2]), "billing", [document_id])
    engine.dispose()
    assert [one.document_id for one in documents] == [document_id]
    assert bad == []


@pytest.mark.parametrize(
    "hostile",
    [
        "select 1; drop table precious",
        "select 1) as d; drop table precious; --",
        "with gone as (delete from precious returning *) select * from gone",
        "select * from precious for update",
        "select set_config('default_transaction_read_only', 'off', false); delete from precious",
    ],
)
def test_a_hostile_query_file_changes_nothing_in_the_billing_database(hostile: str, database: str) -> None:
    with psycopg.connect(libpq_url(database), autocommit=True) as connection:
        connection.execute("create table precious (document_id text)")
        connection.execute("insert into precious values ('1')")
        engine = reader.open_source(database)
        with pytest.raises(SourceError), reader.connect_source(engine) as source:
            reader.read_documents(source, Queries(hostile, hostile), "billing", ["1"])
        engine.dispose()
        assert connection.execute("select count(*) from precious").fetchone() == (1,)


def test_a_hostile_name_of_a_database_is_quoted(server_url: str) -> None:
    name = 'x"; drop database postgres; --'
    embedded.create_database(server_url, name)
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        found = connection.execute("select count(*) from pg_database where datname = %s", [name]).fetchone()
        assert found == (1,)
        connection.execute(psycopg.sql.SQL("drop database {}").format(psycopg.sql.Identifier(name)))


@pytest.mark.parametrize("prefix", ["INV-'; drop", "x' OR '1'='1", "inv-", "INV ", "%", ""])
def test_a_hostile_prefix_of_external_ids_never_reaches_a_query(prefix: str, tmp_path: Path) -> None:
    text = shipped("config/mapping.yaml").read_text(encoding="utf-8")
    folder = shipped("config")
    for name in ("customers", "items", "branches"):
        text = text.replace(f"sample/{name}.csv", str(folder / "sample" / f"{name}.csv"))
    path = tmp_path / "mapping.yaml"
    path.write_text(text.replace("{invoice: INV-,", f'{{invoice: "{prefix}",'), encoding="utf-8")
    with pytest.raises(MappingError):
        read_mapping_file(path)
