"""Queries for people: files and messages, and what is known of each."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection


class FileReportRow(NamedTuple):
    """A file for people. `sum`: of its readings by its reader. `messages`: by state and code."""

    id: int
    file: str
    folder: str | None
    channel: str
    sender: str
    size: int
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
        select f.id, f.name as file, f.folder, f.channel, f.sender, f.size, encode(f.sha256, 'hex') as sha256,
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


def counts(connection: Connection) -> dict[str, Any]:
    """How many files there are by state, and messages by state and code."""
    by_state = connection.execute("select state, count(*) as many from billing.raw_files group by 1 order by 1")
    found = {row["state"]: row["many"] for row in by_state}
    by_code = connection.execute(
        "select state, code, count(*) as many, sum(readings) as readings, sum(quantity) as sum "
        "from billing.raw_messages group by 1, 2 order by 1, 2"
    )
    return {"files": found, "messages": [dict(row) for row in by_code]}
