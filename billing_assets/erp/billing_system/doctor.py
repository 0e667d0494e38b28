"""The billing system, as `billing doctor` sees it: its queries, their columns, and what is in the first rows."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from sqlalchemy import Connection

from billing_assets.erp.billing_system.contract import VERSION
from billing_assets.erp.billing_system.marks import Marking, marking
from billing_assets.erp.billing_system.queries import (
    DOCUMENTS_FILE,
    Queries,
    all_columns,
    check_columns,
    column_names,
    tables,
)
from billing_assets.erp.billing_system.resource import BillingSystem, BillingSystems
from billing_assets.erp.billing_system.spelling import check_keys
from billing_assets.foundation.doctor import Checked, Unproven, Unwell, looked
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.source_database.connection import source_now
from billing_assets.foundation.source_database.errors import asking
from billing_assets.foundation.source_database.query_text import fault_of
from billing_assets.foundation.source_database.values import Unreadable

_FIRST_ROWS = 200
_AGAIN = {
    Marking.VERSIONS: "staging again reads what has another version",
    Marking.DIGESTS: "staging again reads what has another digest",
    Marking.NONE: f"staging again reads all that may change (a column {VERSION} in {DOCUMENTS_FILE} would spare it)",
}


def examine(runtime: Runtime) -> Iterator[Checked]:
    """Looks at the billing system and at what it sends."""
    systems = [*runtime.of(BillingSystems)]
    for system in systems:
        which = f" {system.name}" if len(systems) > 1 else ""
        yield looked(f"Billing system{which}", partial(look_at_billing_system, system), runtime)
        yield looked(f"Billing system{which}'s rows", partial(look_at_first_rows, system), runtime)


def look_at_billing_system(system: BillingSystem, _: Runtime) -> str:
    """Whether the queries are such that the pipeline can wrap them, have every column, and can be read."""
    queries = system.queries
    engine = system.engine.dialect.name
    faults = [fault for file, text in _texts(queries) if (fault := fault_of(file, text, engine))]
    if faults:
        raise Unwell(" ".join(faults))
    with system.connection(unbound=True) as source:  # also where one looks before one moves
        check_columns(source, queries)
        now = source_now(source)
        check_keys(source, queries)
        again = _AGAIN[marking(source, queries)]
    return f"{engine} answers with every column of the contract; its clock says {now:%Y-%m-%d %H:%M:%S} UTC; {again}"


def look_at_first_rows(system: BillingSystem, _: Runtime) -> str:
    """Whether amounts are exact and dates are dates. A column of another type holds every document."""
    faults: list[str] = []
    empty: list[str] = []
    with system.connection(unbound=True) as source:  # also where one looks before one moves
        for file, table, contract in tables(system.queries):
            with asking(source, file):
                result = source.execute(all_columns(table).limit(_FIRST_ROWS))
                names, rows = column_names(result.keys()), result.all()
            if not rows:
                empty.append(file)
            place = {name: names.index(name) for name in names}
            for column in contract:
                values = (row[place[column.name]] for row in rows if column.name in place)
                if wrong := next(_of_wrong_type(column.convert, values), None):
                    faults.append(f"{file}: {column.name} {wrong}")
    if faults:
        raise Unwell(f"{'; '.join(faults)}. Every document would be held with FIELD_UNREADABLE.")
    if DOCUMENTS_FILE in empty:
        raise Unproven(f"{DOCUMENTS_FILE} has no rows yet: the types of its columns show with the first documents")
    return f"amounts are exact and dates are dates in the first {_FIRST_ROWS} rows of each query"


def _of_wrong_type(convert: Callable[[Any], Any], values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if not isinstance(value, float | str):  # a NULL or the like is the fault of one document
            continue
        try:
            convert(value)
        except Unreadable as error:
            yield str(error)


def columns(source: Connection, queries: Queries) -> dict[str, set[str]]:
    """The columns of each query by its file, without the version: it is no part of the document."""
    found = {}
    for file, table, _ in tables(queries):
        with asking(source, file):
            found[file] = set(column_names(source.execute(all_columns(table).limit(0)).keys()))
    found[DOCUMENTS_FILE].discard(VERSION)
    return found


def _texts(queries: Queries) -> Iterator[tuple[str, str]]:
    for file, text in queries.files().items():
        if text is not None:
            yield file, text
