"""A metering system's database as a source: the integrator's queries, filtered by what changed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime, Engine, and_, bindparam, exists, false, or_, select, text
from sqlalchemy.sql import Select
from sqlalchemy.sql.selectable import Subquery

from billing_assets.foundation.source_database import values
from billing_assets.foundation.source_database.connection import connect_source, source_now
from billing_assets.foundation.source_database.errors import ColumnsWrong, SourceNames, asking
from billing_assets.foundation.source_database.queries import derived_table, read_query
from billing_assets.metering.extraction.extracting import Reading
from billing_assets.metering.extraction.store import Mark
from billing_assets.metering.import_engine.extracts.contract import Resource

NAMES = SourceNames(
    "the metering database",
    "metering_source",
    "meter_readings.sql, consumption.sql, tariffs.sql, devices.sql and service_points.sql, or those that are read",
)
_ROWS = 5_000


class SqlReader:
    """Reads a database. `window`: how far back a source that tells no changes is compared."""

    def __init__(self, engine: Engine, queries: Path, window: timedelta) -> None:
        self._engine, self._queries, self._window = engine, queries, window

    def read(self, resource: Resource, since: datetime | None, mark: Mark) -> Reading:
        """What changed at or after a time, in whole pieces. Raises SourceError, when it is read."""
        return Reading(self._rows(resource, since, mark))

    def check(self, resource: Resource) -> datetime:
        """Runs a query for no row; the database's time. Raises SourceError."""
        with connect_source(self._engine) as conn:
            _check_columns(conn, self._query(resource), resource)
            return source_now(conn)

    def has(self, resource: Resource) -> bool:
        """Whether there is a query for a resource."""
        return (self._queries / _file(resource)).exists()

    def _query(self, resource: Resource) -> str:
        return read_query(self._queries / _file(resource), NAMES)

    def _rows(self, resource: Resource, since: datetime | None, mark: Mark) -> Iterator[Mapping[str, Any]]:
        sql = self._query(resource)
        with connect_source(self._engine) as conn:
            _check_columns(conn, sql, resource)
            beginning = None
            if since is None and mark.extracted_at is not None and resource.window is not None:
                beginning = source_now(conn) - self._window
            statement = changed(sql, resource, conn.dialect.name, since, beginning)
            with (
                asking(conn, _file(resource)),
                conn.execute(statement, execution_options={"yield_per": _ROWS}) as result,
            ):
                for rows in result.partitions():
                    yield from (_plain(resource, row) for row in rows)


def changed(
    sql: str, resource: Resource, engine: str, since: datetime | None = None, beginning: datetime | None = None
) -> Select[Any]:
    """The statement for all rows of the pieces of which one changed at or after a time, or, of a source that tells no
    changes, that lie after a beginning."""
    names = list(resource.fields)
    table = derived_table(sql, "found", names)
    statement = select(*(table.c[name] for name in names))
    if since is not None:
        at = bindparam("since", _at(since, engine), type_=DateTime(timezone=engine != "mssql"))
        if not resource.record:  # each row is a piece of its own
            return statement.where(or_(table.c.updated_at >= at, table.c.updated_at.is_(None)))
        other = derived_table(sql, "changed", names)
        same = [other.c[name] == table.c[name] for name in resource.group]
        is_changed = or_(other.c.updated_at >= at, other.c.updated_at.is_(None))
        return statement.where(exists(select(1).select_from(other).where(and_(*same, is_changed))))
    if beginning is not None and resource.window is not None:
        return statement.where(table.c[resource.window] >= _from(resource, beginning, engine))
    return statement


def _from(resource: Resource, beginning: datetime, engine: str) -> Any:
    """A beginning by the column of the window: of whole days where the pieces are days."""
    if resource.window == "day":
        return bindparam("beginning", beginning.date())
    return bindparam("beginning", _at(beginning, engine), type_=DateTime(timezone=engine != "mssql"))


def _at(moment: datetime, engine: str) -> datetime:
    """A time as the engine compares it: SQL Server's datetime2 has no zone, and is UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None) if engine == "mssql" else moment


def _check_columns(conn: Connection, sql: str, resource: Resource) -> None:
    with asking(conn, _file(resource)):
        keys = conn.execute(no_rows(derived_table(sql, "found", list(resource.fields)))).keys()
    found = [str(key).lower() for key in keys]
    missing = [name for name in resource.fields if name not in found]
    repeated = sorted({name for name in found if found.count(name) > 1})
    if missing or repeated:
        raise ColumnsWrong({_file(resource): missing}, {_file(resource): repeated})


def no_rows(table: Subquery) -> Select[Any]:
    """A query for no row at all: it shows its columns."""
    return select(text("*")).select_from(table).where(false())


def _plain(resource: Resource, row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(resource.fields, map(_value, row), strict=True))


def _value(value: Any) -> Any:
    """A value as the contract has it: times in UTC, ids as texts; others as they are, and refused if they are not
    exact."""
    if isinstance(value, datetime):
        return values.moment(value)
    if value is None or isinstance(value, str | int | float | date):
        return value
    try:
        return values.text(value)
    except values.Unreadable:
        return value


def _file(resource: Resource) -> str:
    return f"{resource.name}.sql"
