"""The SQL of what can go wrong with batches."""

from datetime import datetime
from typing import NamedTuple

from billing_assets.foundation.alerts import Money, sum_money
from billing_assets.foundation.database.connection import Connection


class StaleLock(NamedTuple):
    """A batch whose lease ended with documents locked: `locked` were not begun, of `posting` the outcome is unknown."""

    batch: str
    run_id: str | None
    lease_ended: datetime
    locked: int
    posting: int
    money: Money


_STALE_LOCKS = """
select b.partition_key, b.run_id, coalesce(b.locked_until, b.planned_at) as lease_ended, d.state,
    coalesce(d.currency, 'no currency') as currency, count(*) as documents, sum(d.total) as total
from billing.locked_batches as b
join billing.staged_invoices as d on d.batch = b.partition_key and d.state in ('locked', 'posting')
where b.state <> 'posted' and coalesce(b.locked_until, b.planned_at) < %s
group by 1, 2, 3, 4, 5
order by 3, 1
"""


def stale_locks(connection: Connection, ended_before: datetime) -> list[StaleLock]:
    """Batches with locked documents whose lease ended before the given time, oldest first."""
    rows = connection.execute(_STALE_LOCKS, (ended_before,)).fetchall()
    locks: dict[str, StaleLock] = {}
    for row in rows:
        empty = StaleLock(row["partition_key"], row["run_id"], row["lease_ended"], 0, 0, ())
        lock = locks.get(row["partition_key"], empty)
        posting = row["documents"] if row["state"] == "posting" else 0
        locks[lock.batch] = lock._replace(
            locked=lock.locked + row["documents"] - posting,
            posting=lock.posting + posting,
            money=sum_money([*lock.money, (row["currency"], row["total"])]),
        )
    return list(locks.values())
