"""The SQL of what waits: items that wait for a batch, and batches that wait for a run."""

from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.posting.batch_lock import LIVE
from billing_assets.posting.ledger import Backlog, Ledger


class BatchWanting(NamedTuple):
    """A batch that has something to do and no live hold. `run_id`: the run that had it last."""

    partition_key: str
    epoch: int
    run_id: str | None


def serialise_planning(connection: Connection, ledger: Ledger) -> None:
    """Waits until no other planner of this ledger is at work; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended('billing planning ' || %s, 0))", [ledger.batches])


def waiting(connection: Connection, backlog: Backlog) -> dict[str, int]:
    """Items that can be batched now, by group, in its order."""
    rows = connection.execute(
        f"""
        select s.{backlog.group} as "group", count(*) as items from {backlog.ledger.items} as s
        where {backlog.plannable} group by 1 order by 1"""
    )
    return {row["group"]: row["items"] for row in rows}


def next_sequence(connection: Connection, backlog: Backlog, group: str) -> int:
    """The number of the next batch of a group."""
    row = connection.execute(
        f"select coalesce(max(sequence), 0) + 1 as next from {backlog.ledger.batches} where {backlog.group} = %s",
        [group],
    ).fetchone()
    return int(row["next"]) if row else 1


def add_batch(
    connection: Connection, backlog: Backlog, partition_key: str, group: str, sequence: int, size: int
) -> int:
    """Makes a batch of up to `size` waiting items of a group, the oldest first. Returns how many it took; without any
    there is no batch."""
    ledger, amount = backlog.ledger, backlog.amount
    total, nothing, added_up = (", total", ", 0", ", total = %(amount)s") if amount else ("", "", "")
    connection.execute(
        f"""
        insert into {ledger.batches} (partition_key, {backlog.group}, sequence, documents{total})
        values (%s, %s, %s, 0{nothing})""",
        [partition_key, group, sequence],
    )
    of_each = f"d.{amount}" if amount else "0"
    (taken,) = connection.execute(
        f"""
        -- materialized: as a plain subquery it may run once for every row that it is joined to, past its limit
        with chosen as materialized (
            select s.id from {ledger.items} as s
            where s.{backlog.group} = %(group)s and {backlog.plannable}
            order by s.id limit %(size)s for update of s skip locked),
        taken as (
            -- so written that no index of the state is looked through for every row: where the statistics were taken
            -- before much became ready, the whole backlog would be, for a thousand items at a time
            update {ledger.items} as d set state = 'batched', batch = %(key)s
            from chosen as c where d.id = c.id and d.state || '' = 'ready'
            returning {of_each} as amount)
        select count(*) as items, coalesce(sum(amount), 0) as amount from taken""",
        {"key": partition_key, "group": group, "size": size},
    ).fetchall()
    if not taken["items"]:
        connection.execute(f"delete from {ledger.batches} where partition_key = %s", [partition_key])
        return 0
    connection.execute(
        f"update {ledger.batches} set documents = %(items)s{added_up} where partition_key = %(key)s",
        {"key": partition_key, **taken},
    )
    return int(taken["items"])


def wanting_a_run(connection: Connection, ledger: Ledger, pause_seconds: float = 0.0) -> list[BatchWanting]:
    """Batches with something to do and no live hold: never run, left by a dead run, or with look-ups that are due.

    One whose run ended in order but left items unsent (the login was refused, say) rests for `pause_seconds`.
    Rejected items alone want no run, nor do differences: nothing changes until a person fixes the cause.
    """
    rows = connection.execute(
        f"""
        select b.partition_key, b.epoch, b.run_id
        from {ledger.batches} as b
        where b.state <> 'posted'
          and (b.locked_until is null or not ({LIVE}))
          -- One look at the index of batches for each. `exists` would become one at all items of all batches; and a
          -- state that is not hidden would be looked for on its own, where the statistics know of few that are in it.
          and ((coalesce((select true from {ledger.items} as d
                          where d.batch = b.partition_key and d.state in ('batched', 'locked', 'posting', 'rejected')
                            and d.state || '' in ('batched', 'locked') limit 1), false)
                and (b.finished_at is null or not b.rests
                     or b.finished_at not between clock_timestamp() - make_interval(secs => %s) and clock_timestamp()))
               -- planned: one that its owner emptied meanwhile is brought to its end by a run, too
               or b.state in ('planned', 'running')
               or (coalesce(b.unknown_due_at <= clock_timestamp() or b.finished_at > clock_timestamp(), true)
                   and coalesce((select true from {ledger.items} as d
                                 where d.batch = b.partition_key
                                   and d.state in ('batched', 'locked', 'posting', 'rejected')
                                   and d.state || '' = 'posting' limit 1),
                                (select true from {ledger.items} as d
                                 where d.batch = b.partition_key and d.state = 'posted'
                                   and d.read_back_at is null limit 1),
                                false)))
        order by b.partition_key""",
        [pause_seconds],
    )
    return [BatchWanting(**row) for row in rows]


def note_request(connection: Connection, ledger: Ledger, partition_key: str) -> int:
    """Counts a request for a run; the count makes its run key unique. Returns it."""
    row = connection.execute(
        f"""
        update {ledger.batches} set requests = requests + 1, requested_at = clock_timestamp()
        where partition_key = %s returning requests""",
        [partition_key],
    ).fetchone()
    return int(row["requests"]) if row else 0
