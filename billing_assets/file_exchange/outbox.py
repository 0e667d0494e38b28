"""The files of a room on their way to a folder, each once under its name: what the room lends, and the SQL over it.

Beside the columns that `posting/ledger.py` lists, its items have `sha256` and `size`, and its batches `destination`,
the folder that files of the batch were sent to last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.posting import attempts
from billing_assets.posting.attempts import OpenAttempt
from billing_assets.posting.batch_lock import LIVE, Lock
from billing_assets.posting.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Outbox:
    """What a room lends. `content`: what is in a file, by its id. `command`: delivers a batch again; `{batch}` in it is
    the batch. `settings`: the section that names the folder."""

    ledger: Ledger
    content: Callable[[Connection, int], bytes]
    command: str
    settings: str

    def again(self, batch: str) -> str:
        """The command that delivers a batch again."""
        return f"`{self.command.format(batch=batch)}`"


@dataclass(frozen=True, slots=True)
class OutFile:
    """A file on its way. `external_id`: its name."""

    id: int
    external_id: str
    batch: str
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


def _file(row: dict[str, Any]) -> OutFile:
    return OutFile(row["id"], row["external_id"], row["batch"], row["sha256"])


def may_go(ledger: Ledger) -> str:
    """SQL: whether a run can deliver something of a batch `b` now: nothing of it was sent, or what is left does not
    wait for a person, and the last run ended longer ago than the pause (a parameter, in seconds)."""
    return f"""
        (b.state = 'planned'
         or b.state = 'running' and not coalesce({LIVE}, false)
         or b.state = 'attention'
            and coalesce(b.unknown_due_at, '-infinity') < clock_timestamp()
            and b.finished_at < clock_timestamp() - make_interval(secs => %s)
            and exists (
                select from {ledger.items} as d
                where d.batch = b.partition_key
                  and (d.state in ('batched', 'locked', 'posting')
                       or d.state = 'posted' and d.read_back_at is null)))"""


def files(connection: Connection, ledger: Ledger, batch: str) -> list[FileReport]:
    """The files of a batch, and where they are."""
    rows = connection.execute(
        f"""
        select d.external_id, d.size, encode(d.sha256, 'hex'), d.state, d.{ledger.remote_id}, d.posted_at,
               d.read_back_at, coalesce(d.difference, case when d.state <> 'posted' then o.detail end)
        from {ledger.items} as d left join lateral {attempts.last_outcome(ledger, "d.id")} as o on true
        where d.batch = %s order by d.id""",
        [batch],
    )
    return [FileReport(*row.values()) for row in rows]


def open_elsewhere(connection: Connection, ledger: Ledger, batch: str, destination: str) -> str | None:
    """The other folder in which a file of the batch must be looked up before anything else happens to it."""
    row = connection.execute(
        f"""
        select b.destination from {ledger.batches} as b
        where b.partition_key = %s and b.destination <> %s and exists (
            select from {ledger.items} as d
            where d.batch = b.partition_key
              and (d.state in ('posting', 'differs') or d.state = 'posted' and d.read_back_at is null))""",
        [batch, destination],
    ).fetchone()
    return row["destination"] if row else None


def set_destination(connection: Connection, ledger: Ledger, batch: str, destination: str) -> None:
    """Notes where the next files of the batch go."""
    connection.execute(f"update {ledger.batches} set destination = %s where partition_key = %s", [destination, batch])


def next_to_send(connection: Connection, held: Lock, limit: int, after: int) -> list[OutFile]:
    """Files that the run holds and has not sent."""
    return attempts.next_to_send(connection, held, _FILE, _file, limit, after)


def open_attempts(connection: Connection, held: Lock, absence_counts_after: float) -> list[OpenAttempt[OutFile]]:
    """Files whose upload has no known end, and those that differ where they are."""
    return attempts.open_attempts(connection, held, _FILE, _file, absence_counts_after)


def unread(connection: Connection, held: Lock) -> Sequence[OutFile]:
    """Delivered files that were not read back, or differed when they were."""
    rows = connection.execute(
        f"""
        select {_FILE} from {held.ledger.items} as d
        where d.batch = %s and d.state = 'posted' and (d.read_back_at is null or d.difference is not null)
        order by d.id""",
        [held.partition_key],
    )
    return [_file(row) for row in rows]
