"""Reads delivery reports out of the sender's mailbox and notes which of our mails came back.

Only Message-ID and status code are taken; addresses stay where they are.
"""

import mailbox
from collections.abc import Iterator
from datetime import datetime
from email import message_from_binary_file, message_from_bytes
from email.message import Message
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.outside_text import on_one_line
from billing_assets.receivables.reminders import store
from billing_assets.receivables.reminders.delivery_reports import Unclear, delivery_report, read

__all__ = ["Bounces", "Strange", "delivery_report", "note_bounces", "read_mailbox", "read_stream"]

_SHOWN = 120


class Strange(NamedTuple):
    """A mail that looks like a delivery report and says nothing of ours: why, and how to find it in the mailbox."""

    why: Unclear
    date: str
    message_id: str


class Bounces(NamedTuple):
    """What a mailbox held: `noted` are our reminders that came back, with their `message_ids`, `known` reports that
    were noted before, `unknown` those about mails that this database does not have, `strange` those that a person must
    read."""

    mails: int
    noted: list[dict[str, Any]]
    known: int
    unknown: int
    message_ids: list[str]
    strange: list[Strange]


def note_bounces(connection: Connection, mails: Iterator[Message], now: datetime) -> Bounces:
    """Notes every failure that the mails report. Reading the same mailbox is safe to repeat."""
    count, known, unknown = 0, 0, 0
    noted: dict[str, dict[str, Any]] = {}
    strange: list[Strange] = []
    for mail in mails:
        count += 1
        report = read(mail)
        if isinstance(report, Unclear):
            found = (on_one_line(str(mail.get(name, "")))[:_SHOWN] for name in ("Date", "Message-ID"))
            strange.append(Strange(report, *found))
            continue
        if report is None:
            continue
        row = store.bounced(connection, report.message_id, report.status, now)
        if row is None:
            unknown += 1
        elif row["is_new"]:
            noted[report.message_id] = row
        else:
            known += report.message_id not in noted
    return Bounces(count, list(noted.values()), known, unknown, list(noted), strange)


def read_mailbox(path: Path) -> Iterator[Message]:
    """The mails of an mbox file, a Maildir, or a file with one mail. Raises OSError."""
    if path.is_dir():
        maildir = mailbox.Maildir(path, factory=None, create=False)
        for key in maildir.iterkeys():
            yield maildir[key]
        return
    with path.open("rb") as file:
        is_mbox = file.read(5) == b"From "
        file.seek(0)
        if not is_mbox:
            yield message_from_binary_file(file)
            return
    yield from mailbox.mbox(path, create=False)


def read_stream(stream: IO[bytes]) -> Iterator[Message]:
    """The same from a stream: one mail, as a mail server pipes it, or an mbox."""
    content = stream.read()
    if not content.startswith(b"From "):
        yield message_from_bytes(content)
        return
    with TemporaryDirectory(prefix="billing-") as folder:
        path = Path(folder) / "mbox"
        path.touch(mode=0o600)
        path.write_bytes(content)
        yield from read_mailbox(path)
