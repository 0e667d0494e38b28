"""The SQL of close packs on their way to their folder: which go, what is in them, what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.posting import attempts
from billing_assets.posting.attempts import OpenAttempt
from billing_assets.posting.ledger import Ledger
from billing_assets.posting.locks import LIVE, Lock

PACKS = Ledger(
    items="billing.close_pack_files",
    batches="billing.close_pack_deliveries",
    attempts="billing.close_pack_attempts",
    outcomes="billing.close_pack_outcomes",
    remote_id="remote_path",
    remote_number="remote_sha256",
    keeps_bodies=False,  # they are in billing.close_packs, and stay there
)


@dataclass(frozen=True, slots=True)
class PackFile:
    """A file of a pack on its way. `external_id`: its name."""

    id: int
    external_id: str
    period: str
    sha256: bytes

    @property
    def label(self) -> str:
        """Its name."""
        return self.external_id


class FileReport(NamedTuple):
    """A file for people. `said`: what differs, or the last that was noted about it where it is not delivered."""

    name: str
    size: int
    sha256: str
    state: str
    where: str | None
    delivered_at: datetime | None
    read_back_at: datetime | None
    said: str | None

    @property
    def is_done(self) -> bool:
        """Whether it is in the folder as it was sent: read back by its hash."""
        return self.state == "posted" and self.read_back_at is not None and self.said is None


_FILE = "d.id, d.external_id, d.batch, d.sha256"

_PACK = """
    (select distinct on (period) period, figures from billing.month_closings
     where action = 'hard_close' order by period, id desc) as m
    join billing.close_packs as p on (p.period, p.figures) = (m.period, m.figures)"""
"""The packs on which months were closed for good."""


def _file(row: dict[str, Any]) -> PackFile:
    return PackFile(row["id"], row["external_id"], row["batch"], row["sha256"])


def register(connection: Connection, period: str) -> bool:
    """Notes the files of the pack on which a month was closed for good; again, it notes nothing. Whether there are
    any."""
    with connection.transaction():
        connection.execute(
            f"""
            insert into billing.close_pack_deliveries (partition_key)
            select m.period from {_PACK} where m.period = %s on conflict do nothing""",  # noqa: S608
            [period],
        )
        connection.execute(
            f"""
            insert into billing.close_pack_files (batch, pack, part, external_id, sha256, size)
            select m.period, p.id, f.part, 'month-close-' || m.period || f.ending, sha256(f.content), length(f.content)
            from {_PACK}
            cross join lateral (
                values ('workbook', '.xlsx', p.workbook), ('statement', '.pdf', p.statement)
            ) as f (part, ending, content)
            where m.period = %s on conflict (external_id) do nothing""",  # noqa: S608
            [period],
        )
    return bool(files(connection, period))


def months_to_deliver(connection: Connection, pause_seconds: float) -> list[str]:
    """Months closed for good whose pack a run can deliver now, the oldest first: nothing of it was sent, or what is
    left does not wait for a person, and the last run ended longer ago than the pause."""
    rows = connection.execute(
        f"""
        select m.period from {_PACK}
        left join billing.close_pack_deliveries as b on b.partition_key = m.period
        where b.partition_key is null or b.state = 'planned'
           or b.state = 'running' and not coalesce({LIVE}, false)
           or b.state = 'attention'
              and coalesce(b.unknown_due_at, '-infinity') < clock_timestamp()
              and b.finished_at < clock_timestamp() - make_interval(secs => %s)
              and exists (
                  select from billing.close_pack_files as d
                  where d.batch = b.partition_key
                    and (d.state in ('batched', 'locked', 'posting')
                         or d.state = 'posted' and d.read_back_at is null))
        order by 1""",  # noqa: S608
        [pause_seconds],
    )
    return [row["period"] for row in rows]


def files(connection: Connection, period: str) -> list[FileReport]:
    """The files of a month's pack, and where they are."""
    rows = connection.execute(
        """
        select d.external_id, d.size, encode(d.sha256, 'hex'), d.state, d.remote_path, d.posted_at, d.read_back_at,
               coalesce(d.difference, case when d.state <> 'posted' then o.detail end)
        from billing.close_pack_files as d
        left join lateral (
            select o.detail from billing.close_pack_attempts as a
            join billing.close_pack_outcomes as o on o.attempt = a.id
            where a.document = d.id order by o.id desc limit 1) as o on true
        where d.batch = %s order by d.id""",
        [period],
    )
    return [FileReport(*row.values()) for row in rows]


def content(connection: Connection, file: int) -> bytes:
    """What is in a file."""
    (row,) = connection.execute(
        """
        select case d.part when 'workbook' then p.workbook else p.statement end as content
        from billing.close_pack_files as d join billing.close_packs as p on p.id = d.pack where d.id = %s""",
        [file],
    ).fetchall()
    return bytes(row["content"])


def open_elsewhere(connection: Connection, period: str, destination: str) -> str | None:
    """The other folder in which a file of the month must be looked up before anything else happens to it."""
    row = connection.execute(
        """
        select b.destination from billing.close_pack_deliveries as b
        where b.partition_key = %s and b.destination <> %s and exists (
            select from billing.close_pack_files as d
            where d.batch = b.partition_key
              and (d.state in ('posting', 'differs') or d.state = 'posted' and d.read_back_at is null))""",
        [period, destination],
    ).fetchone()
    return row["destination"] if row else None


def set_destination(connection: Connection, period: str, destination: str) -> None:
    """Notes where the next files of the month go."""
    connection.execute(
        "update billing.close_pack_deliveries set destination = %s where partition_key = %s", [destination, period]
    )


def next_to_send(connection: Connection, held: Lock, limit: int, after: int) -> list[PackFile]:
    """Files that the run holds and has not sent."""
    return attempts.next_to_send(connection, held, _FILE, _file, limit, after)


def open_attempts(connection: Connection, held: Lock, absence_counts_after: float) -> list[OpenAttempt[PackFile]]:
    """Files whose upload has no known end, and those that differ where they are."""
    return attempts.open_attempts(connection, held, _FILE, _file, absence_counts_after)


def unread(connection: Connection, held: Lock) -> Sequence[PackFile]:
    """Delivered files that were not read back, or differed when they were."""
    rows = connection.execute(
        f"""
        select {_FILE} from billing.close_pack_files as d
        where d.batch = %s and d.state = 'posted' and (d.read_back_at is null or d.difference is not null)
        order by d.id""",  # noqa: S608
        [held.partition_key],
    )
    return [_file(row) for row in rows]
