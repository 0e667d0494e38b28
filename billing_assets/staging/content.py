"""The canonical content of a document: one text for the same facts, whatever engine they were read from."""

import hashlib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from billing_assets.domain.documents import CONTRACT, SERVICE, Document, Line
from billing_assets.domain.money import canonical


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


def content_hash(document: Document, lines: bytes) -> bytes:
    """SHA-256 over everything the source says of a document, status and lines included (32 bytes)."""
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
    return hashlib.sha256(header + lines).digest()


def only_named(document: Document, posted: bytes) -> bool:
    """Whether a posted document differs from the content with this hash only in that contract and services have names.

    The queries got these columns, or they were filled in, after it was posted: that is no change of what was billed.
    """
    for names in ({CONTRACT, SERVICE}, {CONTRACT}, {SERVICE}):
        lines = tuple(line._replace(extra=_without(line.extra, names - {CONTRACT})) for line in document.lines)
        before = replace(document, extra=_without(document.extra, names - {SERVICE}), lines=lines)
        if content_hash(before, lines_json(lines)) == posted:
            return True
    return False


def _without(extra: dict[str, str | None], names: set[str]) -> dict[str, str | None]:
    return {name: text for name, text in extra.items() if name not in names}
