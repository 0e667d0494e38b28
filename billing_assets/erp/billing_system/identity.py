"""Which database a source is, as its server says it: the same over its replicas and fail-overs, another for a copy.

As far as each engine lets us: a replica of PostgreSQL has the identifier of its primary (and so has a copy of its
files), a database of an availability group of SQL Server one id on all of its replicas, a group of MySQL one name.
Anything else is another database until a person confirms it. User and password are in none of this.
"""

from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from billing_assets.foundation.database.urls import address
from billing_assets.foundation.source_database.errors import asking

_POSTGRESQL_MAY = "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'execute')"
_POSTGRESQL = "SELECT system_identifier::text, current_database()::text FROM pg_control_system()"
SQL_SERVER = """
    SELECT coalesce(CONVERT(varchar(36), group_database_id),
                    CONVERT(varchar(128), SERVERPROPERTY('ServerName'))
                    + '/' + CONVERT(varchar(36), service_broker_guid)),
           DB_NAME()
    FROM sys.databases WHERE database_id = DB_ID()"""
MYSQL = """
    SHOW VARIABLES
    WHERE Variable_name IN ('group_replication_group_name', 'server_uuid', 'server_uid') AND Value <> ''"""


def identity(conn: Connection) -> str:
    """What the connection's database is, in one line, e.g. `postgresql 7301…/billing`.

    The address of the URL (host and database) where the server does not say more. Raises SourceError where it cannot be
    asked at all.
    """
    engine, url = conn.dialect.name, conn.engine.url
    if engine == "sqlite":
        return f"sqlite {Path(url.database).resolve() if url.database else 'in memory'}"
    with asking(conn, "which database it is"):
        said = _said(conn, engine)
    return f"{engine} {said or address(url)}"


def _said(conn: Connection, engine: str) -> str | None:
    """What the server says: an id of its own and the database's name; None where it says neither."""
    if engine == "postgresql":
        if not conn.execute(text(_POSTGRESQL_MAY)).scalar_one():
            return None
        return "/".join(conn.execute(text(_POSTGRESQL)).one())
    try:
        if engine == "mssql":
            found, name = conn.execute(text(SQL_SERVER)).one()
            return f"{found}/{name}" if found else None
        if engine in {"mysql", "mariadb"}:
            variables: dict[str, str] = dict(conn.execute(text(MYSQL)).tuples().all())
            name = conn.execute(text("SELECT DATABASE()")).scalar_one()
            names = ("group_replication_group_name", "server_uuid", "server_uid")
            found = next((variables[one] for one in names if one in variables), None)
            return f"{found}/{name}" if found else None
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
    return None
