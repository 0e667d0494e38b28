"""SQL Server without a server: the shipped T-SQL and every statement that we make of it parse, and cast nothing."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlfluff
from sqlalchemy import String, Unicode
from sqlalchemy.dialects import mssql
from sqlalchemy.sql.compiler import SQLCompiler

from billing_assets.erp.billing_system import contract, queries, spelling, totals
from billing_assets.erp.documents.documents import CONTRACT, SERVICE
from billing_assets.foundation.shipped import shipped
from billing_assets.foundation.source_database.connection import SNAPSHOT_ALLOWED

DIALECT = mssql.dialect()  # type: ignore[no-untyped-call]
QUERIES = queries.load_queries(shipped("sql/source/mssql"))
VERSIONED = replace(QUERIES, documents=QUERIES.documents.replace("--+", ""))
"""With the lines that ship commented out."""
SINCE = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
STATEMENTS = {
    "headers": queries.headers_by_id(QUERIES, DIALECT, ["1", "2"]),
    "lines": queries.lines_by_id(QUERIES, DIALECT, ["1", "2"]),
    "new ids": queries.ids_created_since(QUERIES, DIALECT, SINCE),
    "all ids": queries.ids_created_since(QUERIES, DIALECT, None),
    "columns": queries.no_rows(queries.documents_table(QUERIES)),
    "months": totals.months_query(QUERIES),
    "month totals": totals.month_totals_query(QUERIES, DIALECT, "2010-11"),
    "orphan lines": totals.orphan_lines_query(QUERIES, DIALECT, 10),
    "recent": totals.recent_query(QUERIES, DIALECT, SINCE),
    "open": totals.open_query(QUERIES, DIALECT),
    "tallies": totals.tallies_query(QUERIES, DIALECT, queries.Dates(months=frozenset({"2010-11"}))),
    "versions": queries.versions_by_id(VERSIONED, DIALECT, ["1", "2"]),
    "headers with versions": queries.headers_by_id(VERSIONED, DIALECT, ["1", "2"]),
    "keys that are one": spelling.pairs(queries.documents_table(QUERIES), queries.lines_table(QUERIES)),
}


def _compiled(statement: queries.Statement) -> SQLCompiler:
    return statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})


@pytest.mark.parametrize("file", sorted(shipped("sql/source/mssql").glob("*.sql")), ids=lambda file: file.name)
def test_the_shipped_files_are_t_sql(file: Path) -> None:
    sqlfluff.parse(file.read_text(), dialect="tsql")


def test_both_engines_ship_the_same_files() -> None:
    names = [
        {file.name for file in shipped(f"sql/source/{engine}").glob("*.sql")} for engine in ("mssql", "postgresql")
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_is_t_sql(name: str) -> None:
    literal = STATEMENTS[name].compile(dialect=DIALECT, compile_kwargs={"literal_binds": True})
    sqlfluff.parse(str(literal), dialect="tsql")


@pytest.mark.parametrize("engine", ["postgresql", "mssql"])
def test_both_engines_give_the_columns_of_the_contract(engine: str) -> None:
    shipped_queries = queries.load_queries(shipped(f"sql/source/{engine}"))
    for sql, columns, further in (
        (shipped_queries.documents, contract.DOCUMENT_COLUMNS, [CONTRACT]),
        (shipped_queries.lines, contract.LINE_COLUMNS, [SERVICE]),
        (shipped_queries.services or "", contract.SERVICE_COLUMNS, []),
    ):
        body = re.sub(r" *--.*\n", "", sql).split("SELECT", 1)[1].rsplit("FROM", 1)[0]
        names = [part.rstrip(" ,\n").split()[-1].split(".")[-1] for part in body.split(",\n")]
        assert sorted(names) == sorted([*(column.name for column in columns), *further])


def test_ids_travel_as_varchar_so_that_the_keys_index_serves() -> None:
    """A varchar column compared with an nvarchar parameter is converted row by row; beyond ASCII it must be."""
    plain = _compiled(STATEMENTS["headers"])
    assert plain.params == {"ids_1": "1", "ids_2": "2"}
    assert "document_id IN (" in str(plain)
    assert type(queries.text_type(DIALECT, ["1", "A-2"])) is String
    assert type(queries.text_type(DIALECT, ["1", "Ä2"])) is Unicode


def test_a_thousand_ids_stay_under_sql_servers_limit_of_parameters() -> None:
    statement = queries.lines_by_id(QUERIES, DIALECT, [str(number) for number in range(1000)])
    assert len(_compiled(statement).params) == 1000


def test_the_moment_is_a_parameter_in_utc_without_a_zone_and_the_column_is_not_cast() -> None:
    statement = _compiled(STATEMENTS["new ids"])
    assert statement.params == {"since": datetime(2010, 12, 1, 8, 26)}  # noqa: DTZ001
    assert "documents.created_at >= " in str(statement)


def test_only_so_many_orphans_are_asked_for() -> None:
    assert "TOP 10" in str(STATEMENTS["orphan lines"].compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))


def test_groups_are_of_the_same_characters_and_bytes_whatever_the_collation() -> None:
    """To a binary collation, too, `closed` and `closed ` are equal."""
    assert "CAST(CAST(documents.status AS NVARCHAR(200)) AS VARBINARY(400))" in str(_compiled(STATEMENTS["tallies"]))


def test_the_sensors_index_on_the_status_serves() -> None:
    assert "documents.status = " in str(_compiled(STATEMENTS["open"]))


def test_what_a_connection_asks_first_is_t_sql() -> None:
    sqlfluff.parse(SNAPSHOT_ALLOWED, dialect="tsql")
