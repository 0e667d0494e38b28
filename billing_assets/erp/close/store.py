"""The SQL of the month close: what our tables say of a billing month, who closed it, and its packs."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection


class Closing(NamedTuple):
    """Something that was done to a month: closed soft or hard, or reopened."""

    period: str
    action: str
    acted_by: str
    why: str
    acted_at: datetime
    figures: bytes
    taken_from_journal_at: datetime | None = None


class Moving(NamedTuple):
    """What of a month is on its way: documents, the states in which they are, and batches that a run holds."""

    documents: int
    states: list[str]
    batches: list[str]


class MonthFigures(NamedTuple):
    """What a month came to in one currency. Days are from creation in the billing system until NetSuite had it."""

    period: str
    currency: str
    documents_posted: int
    total_posted: Decimal
    total_held: Decimal
    days_to_post_median: float | None
    days_to_post_p95: float | None


class Pack(NamedTuple):
    """The workbook (xlsx) and the statement (PDF) of a comparison."""

    period: str
    figures: bytes
    compared_at: datetime
    workbook: bytes
    statement: bytes


def months_that_moved(connection: Connection, hours: float) -> list[str]:
    """The billing months in which a document was staged again, changed its state or drifted within so many hours."""
    rows = connection.execute(
        """
        with since as (select clock_timestamp() - make_interval(hours => 1) * %s::float as moment)
        -- what is posted or on its way there moved with its batch
        select period from billing.locked_batches, since where greatest(planned_at, leased_at, finished_at) > moment
        union
        select period from billing.staged_invoices, since
        where state in ('open', 'held', 'excluded', 'ready', 'batched', 'rejected') and period is not null
          and greatest(state_since, staged_at) > moment
        union
        select period from billing.staged_invoices, since
        where state = 'gone' and period is not null and greatest(state_since, staged_at) > moment
        union
        select period from billing.staged_invoices, since
        where drifted_at > moment
        order by 1""",
        [hours],
    )
    return [row["period"] for row in rows]


def findings(connection: Connection, period: str | None = None) -> list[dict[str, Any]]:
    """How many documents have each finding, and what they add up to, in one month or in all."""
    return connection.execute(
        """
        select f ->> 'code' as code, d.state, d.currency, count(distinct d.id) as documents,
               coalesce(sum(d.total), 0) as total
        from billing.staged_invoices as d, jsonb_array_elements(d.findings) as f
        where %(period)s::text is null or d.period = %(period)s
        group by 1, 2, 3 order by 1, 2, 3""",
        {"period": period},
    ).fetchall()


def closed_state(connection: Connection, period: str) -> str | None:
    """`soft`, `hard`, or None for a month that is open."""
    row = connection.execute("select state from billing.closed_months where period = %s", [period]).fetchone()
    return str(row["state"]) if row else None


def set_closed(connection: Connection, period: str, state: str) -> None:
    """Notes that a month is closed now."""
    connection.execute(
        """
        insert into billing.closed_months (period, state) values (%s, %s)
        on conflict (period) do update set state = excluded.state, since = clock_timestamp()""",
        [period, state],
    )


def set_open(connection: Connection, period: str) -> None:
    """Notes that a month is open again. One that is closed hard raises psycopg.errors.CheckViolation."""
    connection.execute("delete from billing.closed_months where period = %s", [period])


_CLOSING = """
    select c.period, c.action, d.decided_by as acted_by, d.why, d.decided_at as acted_at, c.figures,
           c.taken_from_journal_at
    from billing.month_closings as c join billing.decisions as d on d.id = c.decision_id"""


def note(connection: Connection, period: str, action: str, by: str, why: str, figures: bytes) -> Closing:
    """Writes down for good what was done to a month."""
    decided = record(connection, Subject.MONTH, period, action, by, why)
    connection.execute(
        "insert into billing.month_closings (period, action, figures, decision_id) values (%s, %s, %s, %s)",
        [period, action, figures, decided.id],
    )
    return Closing(period, action, decided.decided_by, decided.why, decided.decided_at, figures)


def take_in(connection: Connection, one: Closing) -> bool:
    """Writes down again, as the journal has it, what was done to a month; False where that is written down already.
    Call in a transaction."""
    known = connection.execute(
        f"{_CLOSING} where (c.period, c.action, d.decided_at) = (%s, %s, %s)", [one.period, one.action, one.acted_at]
    ).fetchone()
    if known is not None:
        return False
    decided = record(
        connection, Subject.MONTH, one.period, one.action, one.acted_by, one.why, at=one.acted_at, where="the journal"
    )
    connection.execute(
        """
        insert into billing.month_closings (period, action, figures, taken_from_journal_at, decision_id)
        values (%s, %s, %s, clock_timestamp(), %s)""",
        [one.period, one.action, one.figures, decided.id],
    )
    return True


def closings(connection: Connection, period: str | None = None) -> list[Closing]:
    """What was done to a month, or to all of them, in its order."""
    rows = connection.execute(
        f"{_CLOSING} where %(period)s::text is null or c.period = %(period)s order by c.id", {"period": period}
    )
    return [Closing(**row) for row in rows]


def last_figures(connection: Connection, period: str) -> bytes:
    """The digest of the comparison on which a month was last closed."""
    row = connection.execute(
        "select figures from billing.month_closings where period = %s order by id desc limit 1", [period]
    ).fetchone()
    return bytes(row["figures"]) if row else b""


def open_before(connection: Connection, period: str) -> str | None:
    """The first month before this one that has documents and is not closed hard."""
    row = connection.execute(
        """
        select min(period) as period from billing.document_totals
        where period < %(period)s and state <> 'gone'
          and period > coalesce((select max(period) from billing.closed_months where state = 'hard'), '')""",
        {"period": period},
    ).fetchone()
    return row["period"] if row else None


def moving(connection: Connection, period: str) -> Moving:
    """What of a month waits for a batch or is in one, and which of its batches a run holds."""
    rows = connection.execute(
        """
        select state, count(*) as n from billing.staged_invoices
        where period = %s and state in ('ready', 'batched', 'locked', 'posting')
          and not (state = 'ready' and id in (select id from billing.kept_back_credits)) group by 1 order by 1""",
        [period],
    ).fetchall()
    batches = connection.execute(
        "select partition_key from billing.locked_batches where period = %s and state = 'running' order by 1", [period]
    ).fetchall()
    return Moving(
        sum(row["n"] for row in rows), [row["state"] for row in rows], [row["partition_key"] for row in batches]
    )


def moved_since(connection: Connection, period: str, moment: datetime) -> bool:
    """Whether a document of a month changed with us since a moment."""
    row = connection.execute(
        """
        select exists (
            select from billing.staged_invoices
            where period = %s
              and greatest(state_since, staged_at, posted_at, read_back_at, drifted_at) >= %s) as moved""",
        [period, moment],
    ).fetchone()
    return bool(row and row["moved"])


def serialise_packs(connection: Connection, period: str) -> None:
    """Waits until no other process keeps or clears packs of a month; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended('close packs ' || %s, 0))", [period])


def keep_pack(connection: Connection, pack: Pack) -> None:
    """Keeps a pack as the month's last one, instead of others on which it was not closed."""
    with connection.transaction():
        serialise_packs(connection, pack.period)
        connection.execute(
            """
            insert into billing.close_packs (period, figures, compared_at, workbook, statement)
            values (%s, %s, %s, %s, %s)
            on conflict (period, figures) do update set last_compared_at = excluded.last_compared_at""",
            [*pack],
        )
        connection.execute(
            """
            delete from billing.close_packs as p
            where p.period = %s and p.figures <> %s
              and not exists (
                  select from billing.month_closings as c where (c.period, c.figures) = (p.period, p.figures))""",
            [pack.period, pack.figures],
        )


def note_figures(connection: Connection, figures: Sequence[MonthFigures]) -> None:
    """Keeps what a comparison found, instead of what the month's earlier one did."""
    for one in figures:
        connection.execute(
            """
            insert into billing.month_figures
                (period, currency, documents_posted, total_posted, total_held, days_to_post_median, days_to_post_p95,
                 compared_at)
            values (%s, %s, %s, %s, %s, %s, %s, clock_timestamp())
            on conflict (period, currency) do update set
                (documents_posted, total_posted, total_held, days_to_post_median, days_to_post_p95, compared_at)
                = (excluded.documents_posted, excluded.total_posted, excluded.total_held,
                   excluded.days_to_post_median, excluded.days_to_post_p95, excluded.compared_at)""",
            [*one],
        )


def figures_until(connection: Connection, period: str, currency: str, months: int) -> list[MonthFigures]:
    """The figures of a month and of those before it, the oldest first."""
    rows = connection.execute(
        """
        select period, currency, documents_posted, total_posted, total_held, days_to_post_median, days_to_post_p95
        from billing.month_figures where currency = %s and period <= %s order by period desc limit %s""",
        [currency, period, months],
    ).fetchall()
    return [MonthFigures(**row) for row in reversed(rows)]


def pack_by_digest(connection: Connection, period: str, digest: str) -> Pack | None:
    """The pack of a month whose digest (hexadecimal) begins so."""
    row = connection.execute(
        """
        select period, figures, compared_at, workbook, statement from billing.close_packs
        where period = %s and starts_with(encode(figures, 'hex'), %s) order by last_compared_at desc limit 1""",
        [period, digest],
    ).fetchone()
    return Pack(**row) if row else None


def pack(connection: Connection, period: str, figures: bytes | None = None) -> Pack | None:
    """The pack of a month's last comparison, or the one with these figures."""
    row = connection.execute(
        """
        select period, figures, compared_at, workbook, statement from billing.close_packs
        where period = %(period)s and (%(figures)s::bytea is null or figures = %(figures)s)
        order by last_compared_at desc limit 1""",
        {"period": period, "figures": figures},
    ).fetchone()
    return Pack(**row) if row else None
