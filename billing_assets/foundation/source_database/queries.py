"""Queries of an integrator: where they are, and how one is wrapped."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import column, text
from sqlalchemy.sql.selectable import Subquery

from billing_assets.foundation.shipped import shipped
from billing_assets.foundation.source_database.errors import (
    BILLING_DATABASE,
    QueriesMissing,
    SourceNames,
    source_url,
)
from billing_assets.foundation.source_database.query_text import without_end


def shipped_queries(url: str, names: SourceNames = BILLING_DATABASE) -> Path:
    """Folder of the queries that ship for the engine of a SQLAlchemy URL. Raises QueriesMissing if there are none,
    and SourceUrlInvalid."""
    engine = source_url(url, names).get_backend_name()
    try:
        return shipped(f"sql/source/{engine}")
    except FileNotFoundError as error:
        raise QueriesMissing(f"sql/source/{engine}", "no queries ship for this engine", names) from error


def read_query(path: Path, names: SourceNames = BILLING_DATABASE) -> str:
    """The text of a query. Raises QueriesMissing, which names the file."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise QueriesMissing(str(path), str(error), names) from error


def derived_table(sql: str, name: str, columns: Sequence[str]) -> Subquery:
    """A query of the integrator's as a derived table with these columns."""
    # text() would take a colon for a parameter; the line feed ends a comment on the file's last line.
    body = without_end(sql).strip().replace(":", "\\:") + "\n"
    return text(body).columns(*(column(one) for one in columns)).subquery(name)
