"""Whether files come in as they should: for alerts and checks."""

from datetime import datetime
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection


class FileName(NamedTuple):
    """A file, and why."""

    id: int
    name: str
    why: str | None


class LastFile(NamedTuple):
    """The last file of a folder and sender. `folder`: by its name in the settings."""

    folder: str
    sender: str
    last: datetime
    hours_ago: float


def parked(connection: Connection) -> list[FileName]:
    """Files that could not be read."""
    rows = connection.execute(
        "select id, name, queue_why as why from billing.raw_files where queue_state = 'parked' order by id"
    )
    return [FileName(**row) for row in rows]


def refused(connection: Connection, since: datetime) -> list[FileName]:
    """Files refused since a time, with the first sentence that says why."""
    rows = connection.execute(
        """
        select f.id, f.name, (
            select sentence from billing.raw_findings as n
            where n.file = f.id and n.severity = 'refuse' order by n.reading desc, n.number limit 1) as why
        from billing.raw_files as f where f.state = 'refused' and f.decided_at >= %s order by f.id""",
        [since],
    )
    return [FileName(**row) for row in rows]


def last_files(connection: Connection, now: datetime) -> list[LastFile]:
    """When each sender's last file came, the longest ago first."""
    rows = connection.execute(
        """
        select folder, sender, max(received_at) as last,
               round(extract(epoch from %s - max(received_at)) / 3600, 1)::float as hours_ago
        from billing.raw_files where folder is not null and channel <> 'command' group by 1, 2 order by 3""",
        [now],
    )
    return [LastFile(**row) for row in rows]
