"""Queries for people: files and messages, and what is known of each."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.settings import MeteringSettings


class FileReportRow(NamedTuple):
    """A file for people. `sum`: of its readings by its reader. `messages`: by state and code."""

    id: int
    file: str
    folder: str | None
    channel: str
    sender: str
    size: int
    kept: int | None  # stored bytes of a file that is too large
    sha256: str
    received_at: datetime
    state: str
    format: str
    made_at: datetime | None
    counts: dict[str, int]
    quality: dict[str, int]
    readings: int
    sum: Decimal
    acknowledgement: str | None
    duplicate_of: int | None
    moved_to: str | None
    why: str | None
    messages: dict[str, int]


class FindingRow(NamedTuple):
    """A finding of a file."""

    code: str
    line: int | None
    sentence: str
    severity: str


class MessageRow(NamedTuple):
    """A message for people. `text`: of a set as written; of the others the file has it."""

    id: int
    file: int
    type: str
    line: int
    point: str
    suffix: str
    serial: str
    day: date | None
    begins_at: datetime | None
    ends_at: datetime | None
    key: str
    control: str
    stamp: datetime | None
    readings: int
    quantity: Decimal
    state: str
    code: str | None
    sentence: str | None
    state_since: datetime
    codes: list[str] | None
    keys: dict[str, str] | None
    quantities: dict[str, str] | None
    total: Decimal | None
    text: str | None


class PastState(NamedTuple):
    """A state that a message was in, until when."""

    state: str
    code: str | None
    sentence: str | None
    until: datetime


def files(connection: Connection, ids: Sequence[int]) -> list[FileReportRow]:
    """Files by their ids, in that order."""
    rows = connection.execute(
        """
        select f.id, f.name as file, f.folder, f.channel, f.sender, f.size, f.kept, encode(f.sha256, 'hex') as sha256,
            f.received_at, f.state, f.format, f.made_at, f.counts, f.quality, f.readings,
            coalesce((select sum(quantity) from billing.raw_streams where file = f.id), 0) as sum,
            f.acknowledgement, f.duplicate_of, f.moved_to, f.queue_why as why,
            coalesce((
                select jsonb_object_agg(said, many) from (
                    select concat_ws(' ', state, code) as said, count(*) as many
                    from billing.raw_messages where file = f.id group by 1) as m), '{}') as messages
        from billing.raw_files as f where f.id = any(%s) order by array_position(%s, f.id)""",
        [list(ids), list(ids)],
    )
    return [FileReportRow(**row) for row in rows]


def files_in(connection: Connection, folder: str) -> list[int]:
    """Ids of the files that came in a folder and may still be in it, by name."""
    rows = connection.execute(
        "select id from billing.raw_files where folder = %s and moved_at is null order by name", [folder]
    )
    return [row["id"] for row in rows]


def findings(connection: Connection, file: int) -> list[FindingRow]:
    """What the last reading of a file found, in order."""
    rows = connection.execute(
        """
        select code, line, sentence, severity from billing.raw_findings
        where file = %s and reading = (select max(reading) from billing.raw_findings where file = %s)
        order by number""",
        [file, file],
    )
    return [FindingRow(**row) for row in rows]


def message(connection: Connection, number: int) -> MessageRow | None:
    """A message by its id."""
    row = connection.execute(
        f"select {', '.join(MessageRow._fields)} from billing.raw_messages where id = %s",  # noqa: S608
        [number],
    ).fetchone()
    return MessageRow(**row) if row else None


def past_states(connection: Connection, number: int) -> list[PastState]:
    """The states that a message was in, in order."""
    rows = connection.execute(
        "select state, code, sentence, noted_at as until from billing.message_states where message = %s order by id",
        [number],
    )
    return [PastState(**row) for row in rows]


class MessageCount(NamedTuple):
    """How many messages are in a state, by a code; their readings and the sum of these."""

    type: str
    state: str
    code: str | None
    messages: int
    readings: int
    sum: Decimal


def messages_of(connection: Connection, files_of: Sequence[int]) -> list[MessageCount]:
    """The messages of some files, counted."""
    rows = connection.execute(
        """
        select type, state, code, count(*) as messages, sum(readings) as readings, sum(quantity) as sum
        from billing.raw_messages where file = any(%s) group by 1, 2, 3 order by 1, 2, 3""",
        [list(files_of)],
    )
    return [MessageCount(**row) for row in rows]


class Difference(NamedTuple):
    """A file whose messages do not have what its reader found in it."""

    file: int
    name: str
    readings: int
    sum: Decimal
    readings_of_messages: int
    sum_of_messages: Decimal


def differences(connection: Connection, since: datetime) -> list[Difference]:
    """Files read since a time of which counts or sums differ: by reader, and over all messages, held ones too."""
    rows = connection.execute(
        """
        select f.id as file, f.name, s.readings, s.sum, m.readings as readings_of_messages, m.sum as sum_of_messages
        from billing.raw_files as f
        cross join lateral (
            select coalesce(sum(readings - repeated), 0) as readings, coalesce(sum(quantity - repeated_sum), 0) as sum
            from billing.raw_streams where file = f.id) as s
        cross join lateral (
            select coalesce(sum(readings), 0) as readings, coalesce(sum(quantity), 0) as sum
            from billing.raw_messages where file = f.id) as m
        where f.decided_at >= %s and f.state in ('accepted', 'held')
          and (s.readings, s.sum) is distinct from (m.readings, m.sum)
        order by f.id limit 100""",
        [since],
    )
    return [Difference(**row) for row in rows]


def waiting_files(connection: Connection) -> int:
    """Files that are stored and can be read now."""
    row = connection.execute(
        "select count(*) as many from billing.raw_files "
        "where queue_state in ('waiting', 'claimed') and queue_due <= clock_timestamp()"
    ).fetchone()
    return int(row["many"]) if row else 0


def refused_since(connection: Connection, since: datetime) -> list[str]:
    """Names of files that were refused after a time, with their numbers."""
    rows = connection.execute(
        "select id, name from billing.raw_files where state = 'refused' and decided_at >= %s order by id", [since]
    )
    return [f"{row['name']} ({row['id']})" for row in rows]


def put_aside(connection: Connection) -> list[str]:
    """Names of files that could not be read, with their numbers."""
    rows = connection.execute("select id, name from billing.raw_files where queue_state = 'parked' order by id")
    return [f"{row['name']} ({row['id']})" for row in rows]


def unread_since(connection: Connection, before: datetime) -> int:
    """How many files were stored before a time and still wait to be read."""
    row = connection.execute(
        "select count(*) as many from billing.raw_files "
        "where queue_state in ('waiting', 'claimed') and received_at < %s",
        [before],
    ).fetchone()
    return int(row["many"]) if row else 0


def last_arrivals(connection: Connection) -> dict[str, datetime]:
    """When the last file came in each folder."""
    rows = connection.execute(
        "select folder, max(received_at) as last from billing.raw_files where folder is not null group by folder"
    )
    return {row["folder"]: row["last"] for row in rows}


def silent_folders(connection: Connection, settings: MeteringSettings, now: datetime) -> list[str]:
    """Input folders in which the last file came longer ago than is usual there, by the settings."""
    last = last_arrivals(connection)
    return [
        name
        for name, folder in settings.folders.items()
        if folder.silent_after_hours is not None
        and (came := last.get(name)) is not None
        and came < now - timedelta(hours=folder.silent_after_hours)
    ]


class SentCount(NamedTuple):
    """Interchanges that we made, by partner, type and what the partner said. `said`: A, E, P, R, `waits` for its 997,
    or `none` where none is asked for."""

    partner: str
    type: str
    said: str
    interchanges: int


def sent_counts(connection: Connection) -> list[SentCount]:
    """What was made for partners, by what they said of it."""
    rows = connection.execute(
        """
        select i.partner, i.type, case
                when not i.awaits_997 then 'none'
                when i.acknowledged_at is null or exists (
                    select from billing.interchange_resends as r
                    where r.interchange = i.id and r.noted_at > i.acknowledged_at) then 'waits'
                else i.acknowledgement end as said,
            count(*) as interchanges
        from billing.outbound_interchanges as i group by 1, 2, 3 order by 1, 2, 3"""
    )
    return [SentCount(**row) for row in rows]


class RefusedInterchange(NamedTuple):
    """An interchange that a partner refused. `message`: the 997 that says so."""

    id: int
    name: str
    partner: str
    type: str
    refused_at: datetime
    message: int | None


def refused_interchanges(connection: Connection) -> list[RefusedInterchange]:
    """What partners refused (AK9*R) and was not sent again since, the oldest first."""
    rows = connection.execute(
        """
        select i.id, i.name, i.partner, i.type, i.acknowledged_at as refused_at, i.acknowledged_by as message
        from billing.outbound_interchanges as i
        where i.acknowledgement = 'R' and not exists (
            select from billing.interchange_resends as r
            where r.interchange = i.id and r.noted_at > i.acknowledged_at)
        order by i.acknowledged_at, i.id"""
    )
    return [RefusedInterchange(**row) for row in rows]
