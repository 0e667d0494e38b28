"""Microsoft's own driver for Python: what it loads, and how it words what it cannot reach. No server is needed."""

import os
import shutil
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path
from socket import socket

import mssql_python
import mssql_python_odbc
import pytest
from sqlalchemy.exc import DBAPIError

from billing_assets.erp.billing_system import reader
from billing_assets.foundation.source_database import connection
from billing_assets.foundation.source_database.connection import with_read_only_intent
from billing_assets.foundation.source_database.errors import (
    CannotConnect,
    QueryFailed,
    SourceBusy,
    SourceSlow,
    SourceUrlInvalid,
    failure,
)

_DRIVER = "[Microsoft][ODBC Driver 18 for SQL Server]"
_MSSQL_PYTHON = "mssql+mssqlpython://reader:s3cret@{}/billing"
needs_libraries = pytest.mark.skipif(
    not (find_library("ltdl") and find_library("gssapi_krb5")), reason="the libraries of mssql-python are not here"
)


@needs_libraries
@pytest.mark.parametrize(
    ("where", "cause"),
    [
        ("127.0.0.1:{closed}", "nothing accepts connections at that host and port"),
        ("nowhere.invalid", "its host is unknown"),
    ],
)
def test_microsofts_driver_loads_and_says_why_it_reaches_no_server(
    where: str, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_CONNECT_SECONDS", 1)  # it tries again until then
    with socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and nothing listens
        engine = reader.open_source(_MSSQL_PYTHON.format(where.format(closed=closed.getsockname()[1])))
        with pytest.raises(CannotConnect, match=cause) as caught, reader.connect_source(engine):
            pass
    assert "TCP Provider" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_an_option_that_microsofts_driver_does_not_know_is_a_fault_of_the_url() -> None:
    engine = reader.open_source(_MSSQL_PYTHON.format("127.0.0.1") + "?flavour=s3cret-too")
    with pytest.raises(SourceUrlInvalid, match="'flavour' is not recognized") as caught, reader.connect_source(engine):
        pass
    assert "s3cret" not in str(caught.value)


@needs_libraries
def test_a_shared_library_that_microsofts_driver_lacks_is_no_wrong_host(tmp_path: Path) -> None:
    """In a process of its own: what is loaded stays loaded."""
    shipped = Path(mssql_python_odbc.__file__).parent
    lacking = "libmsodbcsql*" if find_library("odbcinst") else "libodbcinst*"  # the system's would do
    shutil.copytree(shipped, tmp_path / shipped.name, ignore=shutil.ignore_patterns(lacking))
    script = (
        "from billing_assets.erp.billing_system import reader\n"
        f"engine = reader.open_source({_MSSQL_PYTHON.format('127.0.0.1:1')!r})\n"
        "try:\n with reader.connect_source(engine): pass\nexcept reader.SourceError as error: print(repr(error))"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    environment = os.environ | {"PYTHONPATH": path}
    said = subprocess.run(
        [sys.executable, "-c", script], env=environment, check=True, capture_output=True
    ).stdout.decode()
    assert said.startswith("DriverMissing")
    assert "billing-assets[mssqlpython]" in said
    assert "apt install libltdl7 libkrb5-3" in said


def test_microsofts_driver_reads_only_waits_so_long_and_gives_a_uniqueidentifier_as_what_it_is() -> None:
    engine = reader.open_source(_MSSQL_PYTHON.format("db.example"))
    (said,), options = engine.dialect.create_connect_args(engine.url)
    assert "ApplicationIntent=ReadOnly" in said
    assert options == {}
    assert mssql_python.native_uuid is True
    assert with_read_only_intent(engine.url) == engine.url


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (
            (
                "ProgrammingError",
                "Syntax error or access violation",
                "[SQL Server]Lock request time out period exceeded.",
            ),
            SourceBusy,
        ),
        (("OperationalError", "Timeout expired", "Query timeout expired"), SourceSlow),
        (("OperationalError", "Communication link failure", "TCP Provider: Error code 0x68"), CannotConnect),
        (("ProgrammingError", "Base table or view not found", "[SQL Server]Invalid object"), QueryFailed),
    ],
)
def test_what_microsofts_driver_says_is_told_apart_by_its_words(
    made: tuple[str, str, str], kind: type[Exception]
) -> None:
    engine = reader.open_source(_MSSQL_PYTHON.format("db.example"))
    name, driver_error, said = made
    error = getattr(mssql_python, name)(driver_error, f"{_DRIVER}{said}")
    lost = engine.dialect.is_disconnect(error, None, None)
    assert type(failure(DBAPIError("", {}, error, connection_invalidated=lost), engine.url, "documents.sql")) is kind
