"""What a mail says about one of ours that was not delivered: RFC 3464, RFC 6533, and the forms that servers made up.

A report names our mail by its Message-ID, in the copy that it encloses or in itself. That a delivery failed for good is
told by the report's fields, or, where there are none, by the words that `flufl.bounce` knows.
"""

import logging
import re
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from email.parser import HeaderParser
from email.utils import parseaddr
from enum import Enum, auto
from typing import NamedTuple

from flufl.bounce import all_failures

_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_STATUS_IN_TEXT = re.compile(r"(?<![\d.])(5\.\d{1,3}\.\d{1,3})(?![\d.])")
_OURS = re.compile(r"<reminder-[0-9a-f]{32}@[^<>\s]{1,253}>")
_ID = re.compile(r"<[^<>\s]{1,998}>")
_ID_IN_TEXT = re.compile(r"^[> \t]*Message-ID:[ \t]*(<[^<>\s]{1,998}>)", re.IGNORECASE | re.MULTILINE)
_FIELDS = ("message/delivery-status", "message/global-delivery-status")
_ENCLOSED = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
_NAMED_IN_FIELDS = ("X-Original-Message-ID", "Original-Message-ID", "Message-ID")
_NAMED_IN_HEAD = ("X-Original-Message-ID", "Original-Message-ID", "In-Reply-To", "References")
_OTHER_REPORTS = ("disposition-notification", "feedback-report")  # read receipts, complaints
_DAEMONS = ("mailer-daemon", "mailerdaemon", "postmaster", "mdaemon")
_READ = 200_000
"""Characters of a text that are looked at: a report says early what it is about."""

_log = logging.getLogger("flufl.bounce")  # it would log what it stumbles over, addresses and all
_log.addHandler(logging.NullHandler())
_log.propagate = False


class DeliveryReport(NamedTuple):
    """A mail that was not delivered for good: the Message-ID that it had, and why (`5.1.1`) if the report says."""

    message_id: str
    status: str | None


class Unclear(Enum):
    """Why a mail that looks like a delivery report says nothing of ours."""

    NAMES_NONE = auto()  # a delivery failed, and none of our mails is named
    NOT_READ = auto()  # its form is not known


def delivery_report(mail: Message) -> DeliveryReport | None:
    """What a mail reports of one of ours, if it is a report that a delivery failed for good."""
    found = read(mail)
    return found if isinstance(found, DeliveryReport) else None


def read(mail: Message) -> DeliveryReport | Unclear | None:
    """The same, or why nothing can be said; None for a mail that is no report of a failure: an answer, a delay."""
    if not _from_a_machine(mail):
        return None
    fields = list(_fields(mail))
    actions = [_action(one) for one in fields]
    if any(action.startswith(("fail", "error")) for action in actions):
        failed = [one for one, action in zip(fields, actions, strict=True) if action.startswith(("fail", "error"))]
        status = next((found[1] for one in failed if (found := _STATUS.match(str(one.get("Status", ""))))), None)
    elif any(actions):
        return None  # delayed, relayed, delivered, expanded
    else:
        late, gone = _by_its_words(mail)
        if not gone:
            return Unclear.NOT_READ if not late and _looks_like_a_report(mail) else None
        status = next((found[1] for text in _texts(mail) if (found := _STATUS_IN_TEXT.search(text))), None)
    message_id = _original_id(mail, fields)
    return DeliveryReport(message_id, status) if message_id else Unclear.NAMES_NONE


def _from_a_machine(mail: Message) -> bool:
    """A person who answers may quote a report word by word."""
    return (
        mail.get_content_type() == "multipart/report"
        or str(mail.get("Return-Path", "")).strip() == "<>"
        or str(mail.get("Auto-Submitted", "no")).strip().lower().startswith("auto-")
        or "X-Failed-Recipients" in mail
        or _from_a_daemon(mail)
    )


def _from_a_daemon(mail: Message) -> bool:
    return parseaddr(str(mail.get("From", "")))[1].partition("@")[0].lower() in _DAEMONS


def _looks_like_a_report(mail: Message) -> bool:
    """Not an absence note, nor another kind of report."""
    if mail.get_content_type() == "multipart/report":
        return str(mail.get_param("report-type", "")).lower() not in _OTHER_REPORTS
    return _from_a_daemon(mail) or "X-Failed-Recipients" in mail


def _fields(mail: Message) -> Iterator[Message]:
    """The groups of fields of the report's status parts."""
    for part in mail.walk():
        if part.get_content_type() not in _FIELDS or not part.is_multipart():
            continue
        groups = [one for one in part.get_payload() if isinstance(one, Message)]
        if part.get_content_type() == _FIELDS[0]:
            yield from groups
            continue
        for group in groups:  # Python takes the first group for the head of a mail, and the others for its text
            head, text = _opened(part, group)
            yield head
            for more in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
                yield HeaderParser().parsestr(more.lstrip())


def _opened(part: Message, inner: Message) -> tuple[Message, str]:
    """Head and text of what a part encloses; RFC 6533 lets it be encoded, which Python does not undo."""
    content = inner.get_payload()
    text = content if isinstance(content, str) else ""
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() != "base64":
        return inner, text
    packed = Message()
    packed["Content-Transfer-Encoding"] = "base64"
    packed.set_payload(text)
    unpacked = packed.get_payload(decode=True)
    inner = message_from_string(unpacked.decode("utf-8", "replace") if isinstance(unpacked, bytes) else "")
    content = inner.get_payload()
    return inner, content if isinstance(content, str) else ""


def _action(fields: Message) -> str:
    """`failed`; some servers add a comment, or write `error`."""
    return str(fields.get("Action", "")).strip().lower()


def _by_its_words(mail: Message) -> tuple[bool, bool]:
    """Whether it speaks of a delivery that is late, or that failed for good."""
    try:
        late, gone = all_failures(mail)
    except (AttributeError, LookupError, TypeError, ValueError):  # of a mail that is broken
        return False, False
    return bool(late), bool(gone)


def _original_id(report: Message, fields: list[Message]) -> str | None:
    """The Message-ID of ours that a report is about; None where it is about another mail, or does not say.

    From the copy that it encloses, or the headers of one; else from its fields, its head, or a copy in its text. The
    first that names a mail decides: an answer to one of ours refers to it, and may come back, too.
    """
    enclosed = (part for part in report.walk() if part is not report and part.get_content_type() in _ENCLOSED)
    named = (
        *(str(_enclosed(part).get("Message-ID", "")) for part in enclosed),
        *(str(one.get(name, "")) for one in fields for name in _NAMED_IN_FIELDS),
        *(str(report.get(name, "")) for name in _NAMED_IN_HEAD),
        *(found[1] for text in _texts(report) if (found := _ID_IN_TEXT.search(text))),
    )
    ids = (several[-1] for text in named if (several := _ID.findall(text)))
    first = next(ids, "")
    return first if _OURS.fullmatch(first) else None


def _enclosed(part: Message) -> Message:
    """The mail that came back, or its headers."""
    if part.is_multipart():
        inner = part.get_payload(0)
        return _opened(part, inner)[0] if isinstance(inner, Message) else Message()
    content = part.get_payload(decode=True)
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
    return HeaderParser().parsestr(text.lstrip())


def _texts(mail: Message) -> Iterator[str]:
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                yield content[:_READ].decode("utf-8", "replace")
