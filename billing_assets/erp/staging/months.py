"""Which months staging compares document by document, whenever their documents were created or posted: its logic and
its SQL (`billing.compared_months`, `billing.full_comparisons`).

The billing system counts and adds up its months in one query; a month in which staging holds something else is
compared. What a comparison could not explain (a document that is held as it cannot be read, say) is noted, so that the
same difference does not have the month compared again. Every night all months are compared that are not closed for
good: then what no total shows is found, too.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString

import sqlalchemy
import structlog
from psycopg.types.json import Jsonb

from billing_assets.erp.billing_system import reader
from billing_assets.erp.billing_system.totals import UNDATED
from billing_assets.erp.staging.polling import Held
from billing_assets.erp.staging.store import CHUNK
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.money import canonical
from billing_assets.foundation.periods import first_day, following
from billing_assets.foundation.source_database.errors import QueryFailed

log = structlog.get_logger(__name__)

_LATEST_AFTER_HOURS = 26
"""A little over a day: where the nightly comparison did not run, the next staging makes up for it."""

_Noted = dict[str, list[Any]]  # documents and total by status, as JSON has it


@dataclass(frozen=True)
class Comparison:
    """What to compare document by document. `dates`: None where there is nothing to compare.

    `counted` is what the billing system counted (None: it cannot), `changed` the months in which that is not what was
    noted. `whole`: all months that are not closed for good are among the dates; those that are end with
    `hard_through`.
    """

    dates: reader.Dates | None
    counted: reader.MonthTallies | None
    changed: frozenset[str]
    whole: bool
    hard_through: str | None


def is_due(connection: Connection, source: str) -> bool:
    """Whether the months that are not closed for good were last compared too long ago."""
    row = connection.execute(
        """
        select from billing.full_comparisons
        where source = %s and compared_at > clock_timestamp() - make_interval(hours => %s)""",
        [source, _LATEST_AFTER_HOURS],
    ).fetchone()
    return row is None


def find(
    connection: Connection,
    source: sqlalchemy.Connection,
    queries: reader.Queries,
    name: str,
    hard_through: str | None,
    *,
    whole: bool,
) -> Comparison:
    """Finds out which months to compare.

    `whole`: all that are not closed for good, and of the others those in which the billing system counts something else
    than when they were last compared. Without it, only those not closed for good are counted.
    """
    is_open = reader.Dates(
        everything=hard_through is None, since=first_day(following(hard_through)) if hard_through else None
    )
    counted = _counted(source, queries, reader.Dates(everything=True) if whole else is_open)
    if counted is None:  # nor can it say which documents are of a month
        return Comparison(reader.Dates(everything=True) if whole else None, None, frozenset(), whole, hard_through)
    noted = _noted(connection, name)
    looked_at = {one for one in {*counted, *noted} if whole or one == UNDATED or one > (hard_through or "")}
    changed = frozenset(one for one in looked_at if _json(counted.get(one, {})) != noted.get(one, ({}, {}))[0])
    held = held_tallies(connection, name, changed)
    differing = {
        one for one in changed if _unexplained(counted.get(one, {}), held.get(one, {})) != noted.get(one, ({}, {}))[1]
    }
    if whole:
        closed = frozenset(one for one in differing - {UNDATED} if one <= (hard_through or ""))
        return Comparison(
            reader.Dates(is_open.since, closed, is_open.everything), counted, changed, whole, hard_through
        )
    dates = reader.Dates(months=frozenset(differing - {UNDATED})) if differing else None
    return Comparison(dates, counted, changed, whole, hard_through)


def posted_long_ago(connection: Connection, source: str, comparison: Comparison, drift_days: int) -> Iterator[Held]:
    """What was posted longer ago than every staging compares, in the months to be compared, in chunks.

    Call inside a transaction. Read from cursors, each in one pass over the index of the months.
    """
    query: LiteralString = """
        select document_id, case when drift is null then source_digest end as mark
        from billing.staged_invoices
        where source = %s and state = 'posted' and posted_at <= now() - make_interval(days => %s) and """
    months = sorted(comparison.dates.months) if comparison.dates else []
    # Two queries: with `or` between them the index would not serve.
    parts: list[tuple[LiteralString, object]] = [("period = any(%s)", months)] if months else []
    if comparison.whole:
        parts.append(("period > %s", comparison.hard_through or ""))
    for condition, value in parts:
        with connection.cursor("posted_long_ago") as cursor:
            with _by_index(connection):
                cursor.execute(query + condition, [source, drift_days, value])
            while rows := cursor.fetchmany(CHUNK):
                yield {row["document_id"]: row["mark"] for row in rows}


def held_of(connection: Connection, source: str, comparison: Comparison) -> Iterator[Held]:
    """All that staging holds of the months to be compared and may compare, by the document date, in chunks.

    Call inside a transaction. Two queries, for two indexes.
    """
    query: LiteralString = """
        select document_id, null::bytea as mark
        from billing.staged_invoices
        where source = %s and state not in ('locked', 'posting') and (state <> 'gone' or status = 'void') and """
    months = sorted(comparison.dates.months) if comparison.dates else []
    parts: list[LiteralString] = [
        "period = any(%s) and posting_date is null",
        "posting_date is not null and to_char(document_date, 'YYYY-MM') = any(%s)",
    ]
    for condition in parts:
        with connection.cursor("held_of") as cursor:
            with _by_index(connection):
                cursor.execute(query + condition, [source, months])
            while rows := cursor.fetchmany(CHUNK):
                yield {row["document_id"]: row["mark"] for row in rows}


def note(connection: Connection, name: str, comparison: Comparison) -> None:
    """Notes what the compared months came to, and what of it staging does not explain; writes only what changed."""
    if comparison.whole:
        connection.execute(
            """
            insert into billing.full_comparisons (source, compared_at) values (%s, clock_timestamp())
            on conflict (source) do update set compared_at = excluded.compared_at""",
            [name],
        )
    if comparison.counted is None or not comparison.changed:
        return
    held = held_tallies(connection, name, comparison.changed)
    rows = [
        [name, one, Jsonb(_json(there)), Jsonb(_unexplained(there, held.get(one, {})))]
        for one in sorted(comparison.changed)
        for there in [comparison.counted.get(one, {})]
    ]
    connection.cursor().executemany(
        """
        insert into billing.compared_months (source, month, tallies, unexplained) values (%s, %s, %s, %s)
        on conflict (source, month) do update
        set tallies = excluded.tallies, unexplained = excluded.unexplained, compared_at = excluded.compared_at""",
        rows,
    )


def _counted(source: sqlalchemy.Connection, queries: reader.Queries, dates: reader.Dates) -> reader.MonthTallies | None:
    try:
        # PostgreSQL would refuse everything after an error
        with source.begin_nested() if source.dialect.name == "postgresql" else nullcontext():
            return reader.tallies(source, queries, dates)
    except QueryFailed as error:  # a date or an amount that is text: its documents are held one by one
        log.warning("months_not_counted", what=error.what)
        return None


def _noted(connection: Connection, source: str) -> dict[str, tuple[_Noted, _Noted]]:
    rows = connection.execute(
        "select month, tallies, unexplained from billing.compared_months where source = %s", [source]
    )
    return {row["month"]: (row["tallies"], row["unexplained"]) for row in rows}


def held_tallies(connection: Connection, source: str, months: Collection[str]) -> reader.MonthTallies:
    """What staging holds of months (by the document date), as it believes the billing system to have it.

    Nothing of `UNDATED`: what cannot be read is held without its date, so the two cannot be compared, and any change
    there has those documents compared. They are few.
    """
    with _by_index(connection):
        rows = connection.execute(
            """
        with wanted as (select unnest(%(months)s::text[]) as month),
        held as (
            select s.period as month, s.state, s.status, s.total, s.drift from billing.staged_invoices as s
            where s.source = %(source)s and s.period = any(%(months)s) and s.posting_date is null
            union all
            select w.month, s.state, s.status, s.total, s.drift from wanted as w join billing.staged_invoices as s
              on s.posting_date is not null and s.document_date >= (w.month || '-01')::date
              and s.document_date < (w.month || '-01')::date + interval '1 month'
            where s.source = %(source)s)
        select month, coalesce(drift ->> 'source_status', status) as status, count(*) as documents,
               coalesce(sum(coalesce((drift ->> 'source_total')::numeric, total)), 0) as total
        from held
        where (state <> 'gone' or status = 'void') and drift ->> 'source_status' is distinct from 'missing'
        group by 1, 2""",
            {"source": source, "months": sorted(one for one in months if one != UNDATED)},
        )
    found: reader.MonthTallies = {}
    for row in rows:
        found.setdefault(row["month"], {})[row["status"]] = reader.Tally(row["documents"], row["total"])
    return found


@contextmanager
def _by_index(connection: Connection) -> Iterator[None]:
    """The plan made in this block reads a month by its index: where a month is a few per cent of all documents, reading
    all of them looks cheaper to the planner, and would be more work with every month that passes."""
    connection.execute("set local enable_seqscan = off")
    yield
    connection.execute("set local enable_seqscan = on")


def _json(tallies: dict[str, reader.Tally]) -> _Noted:
    return {
        status: [one.documents, None if one.total is None else canonical(one.total)] for status, one in tallies.items()
    }


def _unexplained(there: dict[str, reader.Tally], here: dict[str, reader.Tally]) -> _Noted:
    """By how much the two differ, by status; empty where they agree. A sum that is not exact is not compared."""
    nothing = reader.Tally(0, Decimal(0))
    found: _Noted = {}
    for status in {*there, *here}:
        one, other = there.get(status, nothing), here.get(status, nothing)
        documents = one.documents - other.documents
        total = None if one.total is None or other.total is None else canonical(one.total - other.total)
        if documents or total not in {None, "0"}:
            found[status] = [documents, total]
    return found
