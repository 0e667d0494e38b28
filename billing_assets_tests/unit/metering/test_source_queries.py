"""The shipped queries of a metering system, on both engines, and the statements that are made of them."""

from datetime import UTC, datetime

import pytest
import sqlfluff
from sqlalchemy.dialects import mssql, postgresql
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import Select

from billing_assets.foundation.shipped import shipped
from billing_assets.foundation.source_database.query_text import fault_of
from billing_assets.metering.extraction.sql_reader import changed
from billing_assets.metering.import_engine.extracts.contract import RESOURCES

SINCE = datetime(2026, 7, 1, 8, 26, tzinfo=UTC)
DIALECTS = {"mssql": mssql.dialect(), "postgresql": postgresql.dialect()}  # type: ignore[no-untyped-call]


def query(engine: str, name: str) -> str:
    return shipped(f"sql/source/{engine}/{name}.sql").read_text(encoding="utf-8")


def spelled(statement: "Select[object]", engine: str) -> str:
    try:
        return str(statement.compile(dialect=DIALECTS[engine], compile_kwargs={"literal_binds": True}))
    except CompileError:
        return str(statement.compile(dialect=DIALECTS[engine]))


@pytest.mark.parametrize("engine", DIALECTS)
@pytest.mark.parametrize("name", RESOURCES)
def test_the_shipped_queries_can_be_wrapped_and_have_every_column(engine: str, name: str) -> None:
    text = query(engine, name)
    assert fault_of(f"{name}.sql", text, engine) is None
    selected = text.split("\nFROM ")[0].partition("SELECT")[2]
    columns = [line.strip().rstrip(",").split(" AS ")[-1].split(".")[-1] for line in selected.strip().splitlines()]
    assert sorted(columns) == sorted(RESOURCES[name].fields)


@pytest.mark.parametrize("name", RESOURCES)
def test_what_asks_for_changes_is_t_sql(name: str) -> None:
    resource, text = RESOURCES[name], query("mssql", name)
    for since, beginning in ((None, None), (SINCE, None), (None, SINCE)):
        sqlfluff.parse(spelled(changed(text, resource, "mssql", since, beginning), "mssql"), dialect="tsql")


def test_sql_server_compares_times_in_utc_without_a_zone() -> None:
    statement = changed(query("mssql", "devices"), RESOURCES["devices"], "mssql", SINCE)
    assert statement.compile(dialect=DIALECTS["mssql"]).params["since"] == datetime(2026, 7, 1, 8, 26)  # noqa: DTZ001
