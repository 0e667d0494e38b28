"""The SQL of what runs are asked for: bill windows that are open, and batches that no run has."""

from collections.abc import Collection
from datetime import date
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection


class RunWanted(NamedTuple):
    """A run to ask for. `run_key` is new for every request, so that no request is taken for an earlier one."""

    batch: int
    run_key: str


def open_windows(connection: Connection, day: date) -> list[str]:
    """Automated bill groups of which a window is open on a day."""
    rows = connection.execute(
        """
        select distinct g.bill_group from billing.bill_groups as g
        join billing.bill_cycles as y on y.bill_group = g.bill_group and y.replaced_at is null
            and y.valid_from <= %(day)s and (y.valid_until is null or y.valid_until > %(day)s)
        where g.automated and g.replaced_at is null and g.valid_from <= %(day)s
          and (g.valid_until is null or g.valid_until > %(day)s)
        order by g.bill_group""",
        {"day": day},
    )
    return [row["bill_group"] for row in rows]


def runs_wanted(
    connection: Connection, at_work: Collection[int], windows: Collection[str], night: date, pause_seconds: float
) -> list[RunWanted]:
    """Batches with something to do that no run has, noted as asked for; one that was asked for lately rests first.

    To do: validation; invoicing, where no worker's lease lives; and of automated groups whose window is open, what
    was in review before this night: it is validated again, as what keeps it may be there by now. What commands did
    without a run is asked for once, to be seen. At most a hundred.
    """
    rows = connection.execute(
        """
        with wanted as (
            select b.id from billing.invoice_batches as b
            where b.id <> all(%(at_work)s)
              and (b.asked_at is null or b.asked_at <= clock_timestamp() - make_interval(secs => %(pause)s))
              and (b.state in ('pending_validation', 'validating')
                or (b.state in ('pending', 'processing') and b.queue_state in ('waiting', 'claimed')
                    and b.queue_due <= clock_timestamp())
                or (b.state = 'in_review' and b.is_automatic and b.bill_group = any(%(windows)s)
                    and (b.asked_on is null or b.asked_on < %(night)s))
                or (b.state in ('in_review', 'completed', 'error_occurred') and b.asked_at is null and exists (
                    select from billing.invoice_requests as q
                    where q.id = b.request and not q.parameters ? 'correction')))
            order by b.id limit 100 for update skip locked)
        update billing.invoice_batches as b set asked_for = b.asked_for + 1, asked_at = clock_timestamp(),
            asked_on = %(night)s
        from wanted where b.id = wanted.id
        returning b.id, b.queue_epoch, b.asked_for""",
        {"at_work": list(at_work), "windows": list(windows), "night": night, "pause": pause_seconds},
    ).fetchall()
    return [
        RunWanted(row["id"], f"invoicing/{row['id']}/{row['queue_epoch']}/{row['asked_for']}")
        for row in sorted(rows, key=lambda row: int(row["id"]))
    ]
