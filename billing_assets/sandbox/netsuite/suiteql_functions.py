"""Oracle's functions that SQLite lacks, registered on the connections that SuiteQL reads with."""

import sqlite3
from datetime import datetime

_DATE_FORMATS = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "MM/DD/YYYY": "%m/%d/%Y",
    "DD/MM/YYYY": "%d/%m/%Y",
    "YYYY-MM-DD HH24:MI:SS": "%Y-%m-%d %H:%M:%S",
}


def register(connection: sqlite3.Connection) -> None:
    """Make TO_DATE and TO_CHAR known, and LIKE case-sensitive."""
    connection.create_function("to_date", 2, to_date, deterministic=True)
    connection.create_function("to_char", 2, to_char, deterministic=True)
    connection.execute("PRAGMA case_sensitive_like = ON")


def to_date(text: str | None, form: str) -> str | None:
    """Oracle's TO_DATE for the formats that people use; dates are kept as YYYY-MM-DD."""
    if text is None:
        return None
    parsed = datetime.strptime(text, _DATE_FORMATS[form.upper()])  # noqa: DTZ007  (a calendar date)
    return parsed.isoformat(" ") if "HH24" in form.upper() else parsed.date().isoformat()


def to_char(text: str | None, form: str) -> str | None:
    """Oracle's TO_CHAR of a date or timestamp."""
    if text is None:
        return None
    return datetime.fromisoformat(str(text)).strftime(_DATE_FORMATS[form.upper()])
