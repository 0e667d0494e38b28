"""From any consumption row one step to what the market sent: original text, file, findings, and the other versions."""

import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine import reports, store
from billing_assets.metering.import_engine.errors import NoSuchFileError
from billing_assets.metering.import_engine.messages import FileReport
from billing_assets.metering.import_engine.opening import LIMITS, Limits, open_content
from billing_assets.metering.import_engine.raw_bytes import opened, pieces
from billing_assets.metering.import_engine.reports import FileReportRow, FindingRow, MessageRow, PastState
from billing_assets.metering.readings.reports import VersionRow, versions_of_day, versions_of_read
from billing_assets.metering.usage.contents import KINDS
from billing_assets.metering.usage.reports import related

_MOST_LINES = 200
_LONGEST_LINE = 4000
_OWN_RECORDS = {"NEM12": (b"400,", b"500,"), "NEM13": (b"550,",)}
"""Records that belong to the one before them."""


class RawView(NamedTuple):
    """A message and all that belongs to it. `text`: as written. `versions`: of the same reading, this one too.
    `pairing`: of usage and charges their pair, what cancels and replaces what, and each state so far."""

    message: MessageRow
    past: list[PastState]
    file: FileReportRow
    findings: list[FindingRow]
    text: str
    versions: list[VersionRow]
    pairing: dict[str, Any] | None = None


def raw_view(connection: Connection, number: int, limits: Limits = LIMITS) -> RawView:
    """What is known of a message. Raises NoSuchFileError."""
    message = reports.message(connection, number)
    if message is None:
        raise NoSuchFileError(f"There is no message {number}. `billing metering status` has what there is.")
    (file,) = reports.files(connection, [message.file])
    lines = message.text.splitlines() if message.text else original_lines(connection, message, file.format, limits)
    last = message.line + max(len(lines), 1)
    found = [
        one
        for one in reports.findings(connection, message.file)
        if one.line is None or (message.line <= one.line < last and message.text is None)
    ]
    return RawView(
        message,
        reports.past_states(connection, number),
        file,
        found,
        message.text or "\n".join(lines),
        _versions(connection, message),
        related(connection, number) if message.type in KINDS else None,
    )


def _versions(connection: Connection, message: MessageRow) -> list[VersionRow]:
    if message.type == "interval" and message.day is not None:
        return versions_of_day(connection, message.point, message.suffix, message.day)
    if message.type == "register":
        return versions_of_read(connection, message.point, message.suffix, message.begins_at, message.ends_at)
    return []


def original_lines(connection: Connection, message: MessageRow, format_name: str, limits: Limits) -> list[str]:
    """The lines of a file that a message was read from; of NEM12 the 200 record that names its stream, too."""
    raw = store.file_of(connection, message.file)
    if raw is None:
        raise NoSuchFileError(f"There is no file {message.file}.")
    with opened(connection, raw) as source:
        content = open_content(source, FileReport(), limits)
        if content is None:
            return []
        found = _lines(io.BufferedReader(content, 262_144), message.line, _goes_on(format_name))
    return [line.decode("utf-8", "replace").rstrip("\r\n")[:_LONGEST_LINE] for line in found]


def _goes_on(format_name: str) -> Callable[[bytes], bool]:
    if own := _OWN_RECORDS.get(format_name):
        return lambda line: line.startswith(own)
    if "ESPI" in format_name.upper() or "GREEN" in format_name.upper():
        return lambda line: b"IntervalBlock" not in line
    return lambda _: False


def _lines(lines: Iterator[bytes], first: int, goes_on: Callable[[bytes], bool]) -> list[bytes]:
    stream: bytes | None = None
    found: list[bytes] = []
    for number, line in enumerate(lines, 1):
        if number < first:
            stream = line if line.startswith(b"200,") else stream
        elif not found:
            found = [stream, line] if stream and line.startswith(b"300,") else [line]
        elif goes_on(line) and len(found) < _MOST_LINES:
            found.append(line)
        else:
            break
    return found


def bytes_of(connection: Connection, file: int) -> Iterator[bytes]:
    """A file's bytes as they came. Raises NoSuchFileError."""
    if store.file_of(connection, file) is None:
        raise NoSuchFileError(f"There is no file {file}.")
    return pieces(connection, file)


def as_object(view: RawView) -> dict[str, Any]:
    """For `--json`: all of it."""
    return {
        "message": view.message._asdict(),
        "past_states": [one._asdict() for one in view.past],
        "file": view.file._asdict(),
        "findings": [one._asdict() for one in view.findings],
        "text": view.text,
        "versions": [one._asdict() for one in view.versions],
        "pairing": view.pairing,
    }


def as_markdown(view: RawView) -> str:
    """For people, as Dagster shows it."""
    message, file = view.message, view.file
    lines = [
        f"**{message.type} {message.id}**: {message.point} {message.suffix} {message.day or message.key}, "
        f"{message.state}{f' ({message.code})' if message.code else ''}",
        "",
        *([message.sentence, ""] if message.sentence else []),
        f"File {file.id} `{file.file}` of {file.sender or 'unknown sender'}, {file.received_at:%Y-%m-%d %H:%M} UTC, "
        f"{file.state}, acknowledgement {file.acknowledgement or 'none'}, line {message.line}",
        "",
        "```",
        view.text,
        "```",
        *(f"- {one.code} {one.sentence}" for one in view.findings),
        *(
            f"- version {one.version}: {one.quality} {one.quantity} {one.unit}, {one.state}, message {one.message}"
            for one in view.versions
        ),
        *(f"- {line}" for line in pairing_lines(view)),
    ]
    return "\n".join(lines)


def pairing_lines(view: RawView) -> list[str]:
    """The pair of usage or charges, and what cancels or replaces what."""
    found = view.pairing or {}
    pairs = [f"{one['state']}, message {one['message']} (by {one['found_by']})" for one in found.get("pairs") or ()]
    return pairs + [
        f"message {one['message']}: {one['id']}, purpose {one['purpose']}, {one['state']}"
        for one in found.get("relatives") or ()
    ]
