"""The canonical content of a document: one text for the same facts, whatever engine they were read from."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import time
from decimal import Decimal
from typing import Any

import orjson

from billing_assets.erp.documents.documents import CONTRACT, SERVICE, Application, Document, Line
from billing_assets.foundation.money import canonical

_EARLIER = re.compile(r"\A(?:0x(?:[0-9A-F]{2})*|(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{6})?)\Z")


def lines_json(lines: tuple[Line, ...]) -> bytes:
    """The lines as a JSON array of arrays in the order of `Line`, numbers as canonical text."""
    return orjson.dumps(
        [
            (
                line_no,
                item,
                description,
                canonical(quantity),
                canonical(unit_price),
                canonical(amount),
                tax_code,
                None if tax_rate is None else canonical(tax_rate),
                None if tax_amount is None else canonical(tax_amount),
                extra or None,
            )
            for line_no, item, description, quantity, unit_price, amount, tax_code, tax_rate, tax_amount, extra in lines
        ],
        option=orjson.OPT_SORT_KEYS,
    )


def parse_lines(rows: list[list[Any]]) -> tuple[Line, ...]:
    """The inverse of `lines_json`, from the already parsed JSON."""
    return tuple(
        Line(
            row[0],
            row[1],
            row[2],
            Decimal(row[3]),
            Decimal(row[4]),
            Decimal(row[5]),
            row[6],
            None if row[7] is None else Decimal(row[7]),
            None if row[8] is None else Decimal(row[8]),
            row[9] or {},
        )
        for row in rows
    )


def applications_json(applications: Iterable[Application]) -> bytes:
    """Applications as a JSON array of pairs: number, and amount as canonical text or null."""
    return orjson.dumps([(number, None if amount is None else canonical(amount)) for number, amount in applications])


def parse_applications(pairs: Iterable[Sequence[str | None]]) -> tuple[Application, ...]:
    """The inverse of `applications_json`, from the already parsed JSON."""
    return tuple(Application(number or "", None if amount is None else Decimal(amount)) for number, amount in pairs)


def document_of(row: Mapping[str, Any]) -> Document:
    """The document of a row of `staged_invoices` that has all of its columns; what it is applied to is as staged."""
    names = (name for name in Document.__dataclass_fields__ if name not in {"lines", "applications"})
    lines, applications = parse_lines(row["lines"]), parse_applications(row["applications"] or ())
    return Document(**{name: row[name] for name in names}, lines=lines, applications=applications)


def content_hash(document: Document, lines: bytes) -> bytes:
    """SHA-256 over everything the source says of a document, status, lines and applications included (32 bytes)."""
    header = orjson.dumps(
        [
            document.kind,
            document.number,
            document.status,
            document.document_date,
            document.due_date,
            document.customer,
            document.branch,
            document.currency,
            document.terms,
            document.purchase_order,
            document.memo,
            document.applies_to,
            canonical(document.total),
            document.extra,
        ],
        option=orjson.OPT_SORT_KEYS,
    )
    # Without applications the hash is what it was before there were any.
    applications = applications_json(document.applications) if document.applications else b""
    return hashlib.sha256(header + lines + applications).digest()


def only_named(document: Document, posted: bytes) -> bool:
    """Whether a posted document differs from the content with this hash only in that contract and services have names,
    or in how an earlier version wrote a time of day or bytes in a further column.

    The queries got these columns, or they were filled in, after it was posted: that is no change of what was billed.
    """
    for names in ({CONTRACT, SERVICE}, {CONTRACT}, {SERVICE}):
        lines = tuple(line._replace(extra=_without(line.extra, names - {CONTRACT})) for line in document.lines)
        before = replace(document, extra=_without(document.extra, names - {SERVICE}), lines=lines)
        if content_hash(before, lines_json(lines)) == posted:
            return True
    lines = tuple(line._replace(extra=_as_earlier(line.extra)) for line in document.lines)
    return content_hash(replace(document, extra=_as_earlier(document.extra), lines=lines), lines_json(lines)) == posted


def _as_earlier(extra: dict[str, str | None]) -> dict[str, str | None]:
    """Further columns as earlier versions wrote them: a time of day and bytes as Python shows them."""
    return {name: text and _EARLIER.sub(_shown, text) for name, text in extra.items()}


def _shown(found: re.Match[str]) -> str:
    text = found[0]
    return repr(bytes.fromhex(text[2:])) if text.startswith("0x") else repr(time.fromisoformat(text))


def _without(extra: dict[str, str | None], names: set[str]) -> dict[str, str | None]:
    return {name: text for name, text in extra.items() if name not in names}
