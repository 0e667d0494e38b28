"""Reads delivery reports (RFC 3464) out of the sender's mailbox and notes which of our mails came back.

Only Message-ID and status code are taken; addresses stay where they are.
"""

import mailbox
import re
from collections.abc import Iterator
from datetime import datetime
from email import message_from_binary_file, message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, NamedTuple

from billing_assets.reminders import store
from billing_assets.state.database import Connection

_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_OURS = re.compile(r"<reminder-[0-9a-f]{32}@[^<>\s]{1,253}>")


class DeliveryReport(NamedTuple):
    """A mail that was not delivered for good: the Message-ID that it had, and why (`5.1.1`) if the report says."""

    message_id: str
    status: str | None


class Bounces(NamedTuple):
    """What a mailbox held: `noted` are our reminders that came back, with their `message_ids`, `known` reports that
    were noted before, `unknown` those about mails that are not ours."""

    mails: int
    noted: list[dict[str, Any]]
    known: int
    unknown: int
    message_ids: list[str]


def note_bounces(connection: Connection, mails: Iterator[Message], now: datetime) -> Bounces:
    """Notes every failure that the mails report. Reading the same mailbox again changes nothing."""
    count, known, unknown = 0, 0, 0
    noted: dict[str, dict[str, Any]] = {}
    for mail in mails:
        count += 1
        report = delivery_report(mail)
        if report is None:
            continue
        row = store.bounced(connection, report.message_id, report.status, now)
        if row is None:
            unknown += 1
        elif row["is_new"]:
            noted[report.message_id] = row
        else:
            known += report.message_id not in noted
    return Bounces(count, list(noted.values()), known, unknown, list(noted))


def delivery_report(mail: Message) -> DeliveryReport | None:
    """What a mail reports of one of ours, if it is a report that a delivery failed for good."""
    if mail.get_content_type() != "multipart/report":
        return None
    status, failed = None, False
    for part in mail.walk():
        if part.get_content_type() != "message/delivery-status" or not part.is_multipart():
            continue
        for fields in part.get_payload():
            if isinstance(fields, Message) and str(fields.get("Action", "")).strip().lower() == "failed":
                failed = True
                found = _STATUS.match(str(fields.get("Status", "")))
                status = found[1] if found else status
    message_id = _original_id(mail) if failed else None
    return DeliveryReport(message_id, status) if message_id else None


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


def _original_id(report: Message) -> str | None:
    """The Message-ID of the mail that came back: from the copy of it, or of its headers, that the report encloses."""
    for part in report.walk():
        if part is report:
            continue
        enclosed: Message | None = None
        if part.get_content_type() == "text/rfc822-headers":
            content = part.get_payload(decode=True)
            enclosed = BytesHeaderParser().parsebytes(content) if isinstance(content, bytes) else None
        elif part.get_content_type() == "message/rfc822" and part.is_multipart():
            inner = part.get_payload(0)
            enclosed = inner if isinstance(inner, Message) else None
        if enclosed is not None and (found := _OURS.search(str(enclosed.get("Message-ID", "")))):
            return found[0]
    return None
