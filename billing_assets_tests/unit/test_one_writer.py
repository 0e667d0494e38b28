"""One writer per table: another room asks the owner by a verb (`erp/staging/verbs.py`), it never writes."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import billing_assets

ROOT = Path(billing_assets.__file__).parent
_AREAS = {"foundation", "erp", "receivables", "metering", "sap_isu", "invoicing", "delivery", "events", "operations"}
_WRITE = re.compile(
    r"\b(?:insert\s+into|update|delete\s+from|merge\s+into|truncate(?:\s+table)?|copy)\s+(?:only\s+)?"
    r"(billing\.\w+|\{[^}]*\})",
    re.IGNORECASE,
)
_VIEWS = {"billing.found_here": "billing.found_transactions"}
BY_NAME = {
    # Files that write to a table whose name is put in, and why that is no other room's.
    "posting/attempts.py": "the tables that a sink's ledger lends to the posting core",
    "posting/backlog.py": "the tables that a sink's ledger lends to the posting core",
    "posting/batch_lock.py": "the tables that a sink's ledger lends to the posting core",
    "erp/close/month_tables.py": "its own temporary tables",
    "metering/readings/master_store.py": "the tables of master data, by the names of their kinds",
    "file_exchange/outbox.py": "the tables that a room lends for its outbox",
    "work_queue/claims.py": "the columns `queue_…` of the table that a room lends it",
}


def writes() -> Iterator[tuple[str, str]]:
    """Every write in the SQL of the code: file, and the table or the expression that names it."""
    for path in sorted(ROOT.rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        if where.startswith("sandbox/"):  # a system of its own, with its own database
            continue
        for text in _texts(ast.parse(path.read_text(encoding="utf-8"))):
            for found in _WRITE.finditer(text):
                yield where, _VIEWS.get(found[1], found[1])


def _texts(tree: ast.AST) -> Iterator[str]:
    """Texts and f-strings, expressions in braces; not docstrings, which are no SQL."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(map(_part, node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _part(one: ast.expr) -> str:
    return f"{{{ast.unparse(one.value)}}}" if isinstance(one, ast.FormattedValue) else str(ast.literal_eval(one))


def room_of(where: str) -> str:
    area, *rest = where.split("/")
    return f"{area}/{rest[0]}" if area in _AREAS and len(rest) > 1 else area


def test_each_table_is_written_by_one_room() -> None:
    writers = defaultdict(set)
    for where, table in writes():
        if table.startswith("billing."):
            writers[table].add(room_of(where))
    assert "erp/staging" in writers["billing.staged_invoices"], "the search finds nothing, so it proves nothing"
    assert {table: rooms for table, rooms in writers.items() if len(rooms) > 1} == {}, "call a verb of the owner"


def test_a_table_whose_name_is_put_in_is_written_by_a_core_alone_or_is_temporary() -> None:
    found = {where for where, table in writes() if not table.startswith("billing.")}
    assert found - set(BY_NAME) == set(), "name the table, or say here whose it is"
    assert set(BY_NAME) - found == set(), "no such write any more"


def test_the_last_outcome_of_an_item_is_spelled_in_the_posting_core_only() -> None:
    spelled = {
        path.relative_to(ROOT).parts[0]
        for path in ROOT.rglob("*.py")
        for text in _texts(ast.parse(path.read_text(encoding="utf-8")))
        if re.search(r"(posting_outcomes|\.outcomes\})[^;]*?\bid desc limit 1", text)
    }
    assert spelled == {"posting"}, "join `last_outcome` of posting/attempts.py laterally"
