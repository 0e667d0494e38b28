"""What can go wrong between us and a database of the customer. Messages never carry a password."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError

from billing_assets.foundation.database.urls import address, has_unquoted, without_secrets
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.phrases import ask_the_doctor

NAMES_OPTION = "source_names"
"""The execution option of an engine that says how messages name its database."""

_NO_ODBC_DRIVER = frozenset({"IM002", "IM003", "IM004"})
_STATES = {"Timeout expired": "HYT00", "Connection timeout expired": "HYT01"}
"""SQLSTATEs as mssql-python words them; it keeps no codes, neither these nor those of the server."""
_NETWORK = {
    "0x2AF9": "its host is unknown to this machine's name server",
    "0x2749": "nothing accepts connections at that host and port",
    "0x274D": "nothing accepts connections at that host and port",
    "0x274C": "host or port did not answer in time",
}
"""What Microsoft's drivers show as a code only, when they cannot connect."""
_CODE = re.compile(r"Error code (0x[0-9A-F]+)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class SourceNames(NamedTuple):
    """How messages name a database: in sentences, its section of the settings, and the queries that it needs."""

    called: str
    section: str
    needs: str

    def variable(self, name: str) -> str:
        """The environment variable of one of its settings."""
        return f"BILLING_{self.section.upper()}__{name.upper()}"


BILLING_DATABASE = SourceNames("the billing database", "source", "documents.sql and lines.sql")
"""The one that closed invoices come from; errors that name no other are of it."""


class SourceError(BillingError):
    """A database of the customer cannot be read; the message says what to do."""

    system = BILLING_DATABASE.called
    to_do = ask_the_doctor(BILLING_DATABASE.called)


class SourceUrlInvalid(SourceError):  # noqa: N818  (an error by its base class)
    """The URL is not one that SQLAlchemy understands."""

    def __init__(self, problem: str, names: SourceNames = BILLING_DATABASE) -> None:
        self.problem = problem
        super().__init__(
            f"{names.variable('url')} is no database URL: {problem}. "
            "Write e.g. postgresql+psycopg://user:password@host/database or mssql+pyodbc://user:password@dsn."
        )


def source_url(url: str, names: SourceNames = BILLING_DATABASE) -> URL:
    """The URL of a database. Raises SourceUrlInvalid, without any part of it."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SourceUrlInvalid(_without_url(error), names) from None
    except ValueError:  # SQLAlchemy's text has what it took for the port, which may be half a password
        raise SourceUrlInvalid("what follows the host's colon is no port", names) from None
    if has_unquoted(url, parsed):
        raise SourceUrlInvalid("user or password has a special character; write %40 for @, %3F for ?, %2F for /", names)
    return parsed


def _without_url(error: Exception) -> str:
    """SQLAlchemy's text without the URL in it: that may hold a password."""
    return str(error).split("from given URL string")[0].split(" from string")[0]


_TO_INSTALL = {
    "pyodbc": "Install the extra billing-assets[mssql] and the ODBC driver manager (Debian: apt install unixodbc), "
    "and Microsoft's ODBC driver for SQL Server",
    "mssqlpython": "Install the extra billing-assets[mssqlpython] and the system's libraries that it needs (Debian: "
    "apt install libltdl7 libkrb5-3 libgssapi-krb5-2)",
}


class DriverMissing(SourceError):  # noqa: N818
    """The database driver that the URL asks for cannot be loaded."""

    def __init__(self, driver: str, problem: str, names: SourceNames = BILLING_DATABASE) -> None:
        self.driver = driver
        self.problem = problem
        remedy = _TO_INSTALL.get(driver, f"Install the Python package {driver} beside billing-assets")
        super().__init__(f"The driver {driver} for {names.called} cannot be loaded: {problem}. {remedy}.")


class CannotConnect(SourceError):  # noqa: N818
    """No connection to the database."""

    retryable = True

    def __init__(self, url: URL, problem: str, names: SourceNames = BILLING_DATABASE) -> None:
        self.address = f"{url.drivername} {address(url)}"
        self.problem = without_secrets(problem, url)
        super().__init__(
            f"Cannot connect to {names.called} {self.address}: {self.problem} "
            f"Check that it runs and that host, database, user and password in {names.variable('url')} are right."
        )


class OdbcDriverMissing(SourceError):  # noqa: N818
    """The ODBC driver or data source that the URL names is not registered on this machine."""

    def __init__(self, url: URL, problem: str, names: SourceNames = BILLING_DATABASE) -> None:
        self.problem = without_secrets(problem, url)
        super().__init__(
            f"The ODBC driver or data source that {names.variable('url')} names is not on this machine: {self.problem} "
            "`odbcinst -q -d` lists the drivers that are; Microsoft's is the package msodbcsql18, and its name belongs "
            "into the URL: ?driver=ODBC+Driver+18+for+SQL+Server."
        )


class QueriesMissing(SourceError):  # noqa: N818
    """An extraction query's file is not there or cannot be read."""

    def __init__(self, path: str, problem: str, names: SourceNames = BILLING_DATABASE) -> None:
        self.path = path
        self.problem = problem
        super().__init__(
            f"Cannot read the extraction query {path}: {problem}. "
            f"{names.variable('queries')} must name a folder with {names.needs} (see sql/source/README.md)."
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
            "write CAST(NULL AS ...) AS name where the source has no such value."
        )


class QueryFailed(SourceError):  # noqa: N818
    """The database refused an extraction query."""

    def __init__(self, what: str, problem: str, names: SourceNames = BILLING_DATABASE) -> None:
        self.what = what
        self.problem = problem
        super().__init__(f"{_capital(names.called)} refused {what}: {problem}")


class KeysNotComparable(QueryFailed):
    """The database cannot compare the keys of two queries, so it cannot say to which document a row belongs."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(
            f"to compare the document_id of documents.sql with that of {file}",
            f"{problem}. So a row that spells its key in another way would be lost. Give document_id one type and one "
            f"collation in both queries, e.g. by selecting the header's own key in {file}.",
        )
        self.problem = problem


class ValueRefused(QueryFailed):
    """The engine or its driver failed at a value: a cast in the query, or a number or date that Python cannot hold.

    `problem` may name the value; the message, which goes to logs and events, does not.
    """

    def __init__(self, what: str, problem: str, names: SourceNames = BILLING_DATABASE) -> None:
        super().__init__(what, _QUOTED.sub("'***'", problem), names)
        self.problem = problem


class SourceBusy(SourceError):  # noqa: N818
    """What is to be read is locked by somebody else in the database."""

    retryable = True

    def __init__(self, what: str, problem: str, names: SourceNames = BILLING_DATABASE) -> None:
        self.what = what
        self.problem = problem
        super().__init__(
            f"A transaction in {names.called} has locked what {what} reads, and did not end within "
            f"{names.variable('lock_seconds')}: {problem} It is tried again. If it stays so, end that transaction, or "
            f"let "
            "the database keep row versions, so that readers wait for no writer (docs/integrator.md)."
        )


class SourceSlow(SourceError):  # noqa: N818
    """A query took longer than it may."""

    retryable = True

    def __init__(self, what: str, problem: str, names: SourceNames = BILLING_DATABASE) -> None:
        self.what = what
        self.problem = problem
        super().__init__(
            f"{_capital(names.called)} did not answer {what} within {names.variable('statement_seconds')}: {problem} "
            "Look at the query's plan and the indexes that it needs (sql/source/README.md), or allow it more."
        )


@contextmanager
def asking(conn: Connection, what: str) -> Iterator[None]:
    """Turn an error of the driver into QueryFailed, which names `what`, or CannotConnect if the connection is gone."""
    try:
        yield
    except DBAPIError as error:
        # Without the driver's own error behind it: that may have the value, or a part of the URL.
        raise failure(error, conn.engine.url, what, names_of(conn.engine)) from None
    except (UnicodeError, OverflowError) as error:  # drivers raise these bare: half a surrogate pair, the year 0
        raise ValueRefused(
            what, f"{type(error).__name__}: the driver cannot read a value", names_of(conn.engine)
        ) from error


def names_of(engine: Engine) -> SourceNames:
    """How messages name the database of an engine that `open_source` opened."""
    found: SourceNames = engine.get_execution_options().get(NAMES_OPTION, BILLING_DATABASE)
    return found


def failure(error: DBAPIError, url: URL, what: str, names: SourceNames = BILLING_DATABASE) -> SourceError:
    """What a driver's error comes to while the database was asked for `what`."""
    state, said = _state(error), without_secrets(short(error), url)
    if state == "55P03" or "(1222)" in said or "Lock request time out period exceeded" in said:
        return SourceBusy(what, said, names)
    if state in {"57014", "HYT00", "HYT01"} and "timeout" in said.lower().replace(" ", ""):
        return SourceSlow(what, said, names)
    if error.connection_invalidated:
        return CannotConnect(url, said, names)
    if "ODBC SQL type" in said:  # -150 is a sql_variant
        said += " Its driver cannot read the type of a column: CAST a sql_variant, say, to nvarchar in the query."
    return (ValueRefused if isinstance(error, DataError) else QueryFailed)(what, said, names)


def not_connected(error: DBAPIError, url: URL, names: SourceNames = BILLING_DATABASE) -> SourceError:
    """What a driver's error comes to while it connected."""
    said = short(error)
    if _state(error) in _NO_ODBC_DRIVER or "Can't open lib" in said:
        return OdbcDriverMissing(url, said, names)
    if url.get_driver_name() == "mssqlpython" and "Failed to load the driver" in said:
        return DriverMissing("mssqlpython", "a shared library is not on this machine", names)
    cause = next((_NETWORK[one] for one in _CODE.findall(said) if one in _NETWORK), None)
    return CannotConnect(url, f"{said} That is: {cause}." if cause else said, names)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _state(error: DBAPIError) -> str | None:
    """The SQLSTATE: psycopg has it as an attribute, ODBC as the first argument, mssql-python in words."""
    if (worded := _STATES.get(getattr(error.orig, "driver_error", ""))) is not None:
        return worded
    state = getattr(error.orig, "sqlstate", None) or next(iter(getattr(error.orig, "args", ())), None)
    return state if isinstance(state, str) else None


def short(error: DBAPIError) -> str:
    """What the driver says, in one line and without the statement and its parameters."""
    return " ".join(str(error.orig).split())
