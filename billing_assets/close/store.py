"""The SQL of the month close: what our tables say of a billing month."""

from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.state.database import Connection


class StagedTotal(NamedTuple):
    """Documents of a month with the same branch, currency, kind and state."""

    branch: str | None
    currency: str | None
    kind: str
    state: str
    documents: int
    total: Decimal


class Posted(NamedTuple):
    """A posted document of a month, as we hold it. `total` is signed."""

    external_id: str
    kind: str
    number: str
    branch: str | None
    currency: str
    total: Decimal
    netsuite_id: str
    difference: str | None
    drift: dict[str, Any] | None


def staged_totals(connection: Connection, period: str) -> list[StagedTotal]:
    """Counts and totals of a month by branch, currency, kind and state."""
    rows = connection.execute(
        """
        select branch, currency, kind, state, count(*) as documents, coalesce(sum(total), 0) as total
        from billing.staged_invoices where period = %s group by 1, 2, 3, 4 order by 1, 2, 3, 4""",
        [period],
    )
    return [StagedTotal(**row) for row in rows]


def posted(connection: Connection, period: str) -> list[Posted]:
    """Every posted document of a month."""
    rows = connection.execute(
        """
        select external_id, kind, number, branch, currency, total, netsuite_id, difference, drift
        from billing.staged_invoices where period = %s and state = 'posted' order by id""",
        [period],
    )
    return [Posted(**row) for row in rows]


def months_that_moved(connection: Connection, hours: float) -> list[str]:
    """The billing months in which a document was staged anew or changed its state within so many hours."""
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
