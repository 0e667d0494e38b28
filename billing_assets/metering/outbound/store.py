"""The SQL of interchanges on their way to their partners' folders. The interchanges are the import engine's."""

from datetime import datetime
from typing import NamedTuple

from billing_assets.file_exchange import outbox
from billing_assets.file_exchange.outbox import FileReport, Outbox, may_go
from billing_assets.foundation.database.connection import Connection
from billing_assets.posting.ledger import Ledger

_LEDGER = Ledger(
    items="billing.outbound_files",
    batches="billing.outbound_batches",
    attempts="billing.outbound_attempts",
    outcomes="billing.outbound_outcomes",
    remote_id="remote_path",
    remote_number="remote_sha256",
    keeps_bodies=False,  # they are in billing.outbound_interchanges, and stay there
)


class Batch(NamedTuple):
    """Interchanges of one partner that are sent together."""

    partition_key: str
    partner: str


def lock_planning(connection: Connection) -> None:
    """Has other processes that write or plan interchanges of ours wait for the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended('billing outbound', 0))")


def is_answered(connection: Connection, decision: int) -> bool:
    """Whether there is an interchange that says what was decided."""
    found = connection.execute("select from billing.outbound_interchanges where decision = %s limit 1", [decision])
    return found.fetchone() is not None


def plan(connection: Connection) -> int:
    """Puts interchanges that are in no batch yet into one batch per partner; how many. Two at once plan each once."""
    with connection.transaction():
        lock_planning(connection)
        return connection.execute(
            """
            with waiting as (
                select * from billing.interchange_sendings as s
                where not exists (
                    select from billing.outbound_files as f
                    where (f.interchange, f.resend) = (s.interchange, s.resend))),
            made as (
                insert into billing.outbound_batches (partition_key, partner, planned_at)
                select distinct on (partner) concat_ws(
                    '-', partner, lpad(control::text, 9, '0'), 'again-' || nullif(resend, 0)), partner, now()
                from waiting order by partner, control, resend
                returning partition_key, partner)
            insert into billing.outbound_files (batch, interchange, external_id, sha256, size, resend)
            select made.partition_key, w.interchange, w.name, w.sha256, w.size, w.resend
            from waiting as w join made using (partner) order by w.partner, w.control, w.resend"""
        ).rowcount


def batches_to_deliver(connection: Connection, pause_seconds: float) -> list[Batch]:
    """Batches that a run can deliver now, the oldest first."""
    rows = connection.execute(
        f"""
        select b.partition_key, b.partner from billing.outbound_batches as b
        where {may_go(_LEDGER)} order by b.planned_at, b.partition_key""",  # noqa: S608
        [pause_seconds],
    )
    return [Batch(**row) for row in rows]


def partner_of(connection: Connection, batch: str) -> str | None:
    """Whose batch it is; None where there is none."""
    row = connection.execute(
        "select partner from billing.outbound_batches where partition_key = %s", [batch]
    ).fetchone()
    return row["partner"] if row else None


def files(connection: Connection, batch: str) -> list[FileReport]:
    """The files of a batch, and where they are."""
    return outbox.files(connection, _LEDGER, batch)


def waiting(connection: Connection) -> dict[str, int]:
    """Interchanges by partner that are not in its folder, in a batch or not."""
    rows = connection.execute(
        """
        select s.partner, count(*) as number from billing.interchange_sendings as s
        left join billing.outbound_files as f on (f.interchange, f.resend) = (s.interchange, s.resend)
        where f.state is distinct from 'posted' group by s.partner"""
    )
    return {row["partner"]: row["number"] for row in rows}


def left_behind(connection: Connection, before: datetime) -> list[str]:
    """Batches whose last run ended before a time and left something."""
    rows = connection.execute(
        "select partition_key from billing.outbound_batches where state = 'attention' and finished_at <= %s order by 1",
        [before],
    )
    return [row["partition_key"] for row in rows]


def unanswered(connection: Connection, before: datetime) -> list[str]:
    """Interchanges whose last sending was delivered before a time and whose 997 has not come since, by name."""
    rows = connection.execute(
        """
        select s.name from billing.outbound_interchanges as i
        join billing.interchange_sendings as s on s.interchange = i.id
        join billing.outbound_files as f on (f.interchange, f.resend) = (s.interchange, s.resend)
        where i.awaits_997 and f.state = 'posted' and f.posted_at <= %s
            and (i.acknowledged_at is null or s.resend > 0 and i.acknowledged_at < s.noted_at)
            and not exists (
                select from billing.interchange_resends as r where r.interchange = i.id and r.number > s.resend)
        order by i.id""",
        [before],
    )
    return [row["name"] for row in rows]


def refused(connection: Connection, since: datetime) -> list[str]:
    """Interchanges whose 997 refused them since a time and that were not sent again since, by name."""
    rows = connection.execute(
        """
        select name from billing.outbound_interchanges as i
        where acknowledgement = 'R' and acknowledged_at >= %s and not exists (
            select from billing.interchange_resends as r
            where r.interchange = i.id and r.noted_at > i.acknowledged_at)
        order by id""",
        [since],
    )
    return [row["name"] for row in rows]


class Sending(NamedTuple):
    """The last sending of an interchange. `name`: of its file."""

    name: str
    delivered: bool


def last_sending(connection: Connection, interchange: int) -> Sending | None:
    """The last sending of an interchange; None where there is no such interchange."""
    row = connection.execute(
        """
        select s.name, coalesce(f.state = 'posted', false) as delivered from billing.interchange_sendings as s
        left join billing.outbound_files as f on (f.interchange, f.resend) = (s.interchange, s.resend)
        where s.interchange = %s order by s.resend desc limit 1""",
        [interchange],
    ).fetchone()
    return Sending(**row) if row else None


def content(connection: Connection, file: int) -> bytes:
    """What is in a file."""
    (row,) = connection.execute(
        """ select i.content from billing.outbound_files as f join billing.outbound_interchanges as i on i.id =
        f.interchange where f.id = %s""",
        [file],
    ).fetchall()
    return bytes(row["content"])


INTERCHANGES = Outbox(_LEDGER, content, "billing metering send {batch}", "outbound")
"""Interchanges that we made, a batch for each partner and planning."""
