"""What can go wrong between us and the billing database. Messages never carry a password."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DataError, DBAPIError

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class SourceError(Exception):
    """The billing database cannot be read; the message says what to do."""


class SourceUrlInvalid(SourceError):  # noqa: N818  (an error by its base class)
    """The URL is not one that SQLAlchemy understands."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"BILLING_SOURCE__URL is no database URL: {problem}. "
            "Write e.g. postgresql+psycopg://user:password@host/database or mssql+pyodbc://user:password@dsn."
        )


class DriverMissing(SourceError):  # noqa: N818
    """The database driver that the URL asks for cannot be loaded."""

    def __init__(self, driver: str, problem: str) -> None:
        self.driver = driver
        self.problem = problem
        remedy = (
            "Install the extra billing-assets[mssql] and the ODBC driver manager (Debian: apt install unixodbc), "
            "and Microsoft's ODBC driver for SQL Server"
            if driver == "pyodbc"
            else f"Install the Python package {driver} beside billing-assets"
        )
        super().__init__(f"The driver {driver} for the billing database cannot be loaded: {problem}. {remedy}.")


class CannotConnect(SourceError):  # noqa: N818
    """No connection to the billing database."""

    def __init__(self, url: URL, problem: str) -> None:
        self.address = url.render_as_string(hide_password=True)
        self.problem = problem
        super().__init__(
            f"Cannot connect to the billing database {self.address}: {problem} "
            "Check that it runs and that host, database, user and password in BILLING_SOURCE__URL are right."
        )


class QueriesMissing(SourceError):  # noqa: N818
    """An extraction query's file is not there or cannot be read."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(
            f"Cannot read the extraction query {path}: {problem}. "
            "BILLING_SOURCE__QUERIES must name a folder with documents.sql and lines.sql (see sql/source/README.md)."
        )


class ColumnsWrong(SourceError):  # noqa: N818
    """An extraction query does not keep the contract of columns; `missing` and `repeated` name every one."""

    def __init__(self, missing: dict[str, list[str]], repeated: dict[str, list[str]]) -> None:
        self.missing = missing
        self.repeated = repeated
        parts = [f"{file} lacks the column {', '.join(names)}" for file, names in missing.items() if names]
        parts += [f"{file} has twice the column {', '.join(names)}" for file, names in repeated.items() if names]
        super().__init__(
            f"{'; '.join(parts)}. Give each column of the contract (sql/source/README.md) once; "
            "write CAST(NULL AS ...) AS name where the billing system has no such value."
        )


class QueryFailed(SourceError):  # noqa: N818
    """The billing database refused an extraction query."""

    def __init__(self, what: str, problem: str) -> None:
        self.what = what
        self.problem = problem
        super().__init__(f"The billing database refused {what}: {problem}")


class KeysNotComparable(QueryFailed):
    """Rows belong to a document by another spelling of its key, and the database cannot say to which."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(
            f"to compare the document_id of documents.sql with that of {file}",
            f"{problem}. Keys are spelled there in another way than in documents.sql, so rows would be lost. Give "
            f"document_id one type and one collation in both queries, e.g. by selecting the header's key in {file}.",
        )
        self.problem = problem


class ValueRefused(QueryFailed):
    """The engine or its driver failed at a value: a cast in the query, or a number or date that Python cannot hold.

    `problem` may name the value; the message, which goes to logs and events, does not.
    """

    def __init__(self, what: str, problem: str) -> None:
        super().__init__(what, _QUOTED.sub("'***'", problem))
        self.problem = problem


@contextmanager
def asking(conn: Connection, what: str) -> Iterator[None]:
    """Turn an error of the driver into QueryFailed, which names `what`, or CannotConnect if the connection is gone."""
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated:
            raise CannotConnect(conn.engine.url, short(error)) from error
        refusal = ValueRefused if isinstance(error, DataError) else QueryFailed
        # Without the driver's own error behind it: that has the statement's parameters and the value.
        raise refusal(what, short(error)) from (None if refusal is ValueRefused else error)
    except (UnicodeError, OverflowError) as error:  # drivers raise these bare: half a surrogate pair, the year 0
        raise ValueRefused(what, f"{type(error).__name__}: the driver cannot read a value") from error


def short(error: DBAPIError) -> str:
    """What the driver says, in one line and without the statement and its parameters."""
    return " ".join(str(error.orig).split())
