"""From a document to NetSuite's fields. A document that cannot be mapped whole is held; a line is never skipped."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter, itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from billing_assets.erp.documents.documents import Document, Kind, Line
from billing_assets.erp.documents.external_id import external_id
from billing_assets.erp.documents.validation_rules import Finding, Policy, finding
from billing_assets.erp.netsuite.client import RecordType
from billing_assets.erp.netsuite.mapping_file import (
    NEVER_SENT,
    FieldSource,
    MappingFile,
    Table,
    is_document_column,
    is_line_column,
    read_mapping_file,
    table_key,
)
from billing_assets.foundation.money import canonical

RECORD_TYPES: dict[Kind, RecordType] = {Kind.INVOICE: "invoice", Kind.CREDIT_MEMO: "creditMemo"}
TRANSACTION_TYPES = {Kind.INVOICE: "CustInvc", Kind.CREDIT_MEMO: "CustCred"}
_NOTHING_APPLIED: Mapping[str, Decimal] = MappingProxyType({})
_CODES = {"customer": "CUSTOMER_UNMAPPED", "item": "ITEM_UNMAPPED", "branch": "BRANCH_UNMAPPED"}


@dataclass(frozen=True, slots=True)
class Field:
    """One NetSuite field, ready to be filled. `read` takes the column's value from a document and a line.

    `place` is the column's position on `Line`, if it is one of its own; `answers` collects what the table answered,
    ready to send, so that the next document's lines are checked and filled at once. `key` is the table's key column.
    """

    name: str
    source: FieldSource
    table: Table | None
    ignore_case: bool
    read: Callable[[Document, Line | None], object | None]
    place: int | None
    answers: dict[object, object]
    key: str = ""

    @property
    def column(self) -> str:
        """The column that feeds the field, directly or through a table."""
        return self.source.by or self.source.column or ""

    def value(self, document: Document, line: Line | None) -> object | None:
        """The value to send, or None where there is none."""
        if self.source.constant is not None:
            return self._ready(self.source.constant)
        found = self.read(document, line)
        if self.table is None or found is None:
            return self._ready(found)
        answer = self.answers.get(found)
        if answer is None and (answer := self._ready(self.value_of_key(found))) is not None:
            self.answers[found] = answer
        return answer

    def _ready(self, value: object | None) -> object | None:
        reference = self.source.reference
        return value if value is None or reference is None else {reference: _text(value)}

    def value_of_key(self, key: object) -> str | None:
        """What the field refers to for a value of its column, e.g. a customer number."""
        if self.table is None:
            return _text(key)
        row = self._row(key)
        return (row[self.source.take or ""] or None) if row else None

    def values(self, document: Document) -> list[object | None]:
        """The value of every line of the document."""
        if self.table is not None and self.place is not None and self.surely_filled(document.lines):
            return [self.answers[line[self.place]] for line in document.lines]
        return [self.value(document, line) for line in document.lines]

    def surely_filled(self, lines: tuple[Line, ...]) -> bool:
        """Whether every line gives a value. False means: look closer."""
        if self.place is None:
            return False
        cells = map(itemgetter(self.place), lines)
        return self.answers.keys() >= {*cells} if self.table is not None else set(map(type, cells)) <= {int, Decimal}

    def _row(self, key: object | None) -> dict[str, str] | None:
        if key is None or self.table is None:
            return None
        return self.table.get(table_key(_text(key), ignore_case=self.ignore_case))

    def missing(self, document: Document, line: Line | None) -> Finding | None:
        """Why the field has no value for this document, or None."""
        if self.value(document, line) is not None:
            return None
        column, key = self.column, self.read(document, line)
        if column == "customer" and not str(key or "").strip():
            return None  # CUSTOMER_MISSING says it already
        path = f"lines[{line.line_no}].{column}" if line and column in Line._fields else column
        # Fields that miss the same thing say the same, so that one cause is one finding.
        if key is None or self.table is None:
            what = "It is empty, and the mapping needs it."
        elif self._row(key) is None:
            what = f"Table {self.source.lookup!r} of the mapping does not have it."
        else:
            what = f"Table {self.source.lookup!r} of the mapping has no {self.source.take!r} for it."
        return finding(_CODES.get(column, "FIELD_UNMAPPED"), path, "" if key is None else key, what)


@dataclass(frozen=True)
class NetSuiteMapping:
    """The mapping of one NetSuite account, built by `load_mapping`. `digest` changes with the file or a table."""

    file: MappingFile
    digest: bytes
    body: dict[Kind, tuple[Field, ...]]
    line: dict[Kind, tuple[Field, ...]]
    tax: tuple[Field, ...]

    @property
    def policy(self) -> Policy:
        """What the validation rules compare with."""
        digits = {code: currency.minor_digits for code, currency in self.file.currencies.items()}
        return Policy(digits, self.file.closed_through)

    def external_id(self, kind: str, number: str) -> str:
        """The document's external id; a kind that is never posted gets one too, so that every row has its key."""
        adjustment, other = NEVER_SENT
        prefixes = self.file.external_id.by_kind()
        return external_id(prefixes.get(kind, adjustment) if kind in {*Kind} else other, number)

    def check(self, document: Document) -> Iterator[Finding]:
        """A finding for every field of the mapping that this document leaves empty."""
        if document.kind not in RECORD_TYPES:
            return
        yield from dict.fromkeys(self._gaps(document, Kind(document.kind)))

    def _gaps(self, document: Document, kind: Kind) -> Iterator[Finding]:
        for field in _needed(self.body[kind]):
            if field.read(document, None) not in field.answers and (found := field.missing(document, None)):
                yield found
        fields = [field for field in _needed(self.line[kind]) if not field.surely_filled(document.lines)]
        tax = _needed(self.tax)
        if not fields and not any(line.tax_amount for line in document.lines):
            return
        for line in document.lines:
            for field in (*fields, *tax) if line.tax_amount else fields:
                if found := field.missing(document, line):
                    yield found
            if line.tax_amount and not self.tax:
                message = "The line carries tax, but the mapping has no `tax` section."
                yield finding("FIELD_UNMAPPED", f"lines[{line.line_no}].tax_amount", line.tax_amount, message)

    def payload(self, document: Document, external_id: str, apply: Mapping[str, Decimal] = _NOTHING_APPLIED) -> bytes:
        """The exact request body for a valid document, under the external id that it was staged with.

        `apply`: what of it settles each invoice, by NetSuite's id.
        NetSuite takes a credit memo's amounts as positive numbers, so its signs are turned.
        """
        kind = Kind(document.kind)
        sign = -1 if kind is Kind.CREDIT_MEMO else 1
        body: dict[str, Any] = {
            "externalId": external_id,
            "currency": {"id": self.file.currencies[document.currency].id},
        }
        _fill(body, self.body[kind], document, None)
        if document.posting_date is not None:  # late: its own month is closed
            body["tranDate"] = document.posting_date.isoformat()
        body["item"] = {"items": self._items(kind, document, sign)}
        if any(line.tax_amount for line in document.lines):
            body["taxDetailsOverride"] = True
            body["taxDetails"] = {"items": [*self._tax_details(document, sign)]}
        if apply:
            body["apply"] = {
                "items": [
                    {"doc": {"id": invoice}, "apply": True, "amount": _number(amount)}
                    for invoice, amount in apply.items()
                ]
            }
        return orjson.dumps(body)

    def _items(self, kind: Kind, document: Document, sign: int) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = [
            {
                "quantity": _number(line.quantity * sign),
                "rate": _number(line.unit_price),
                "amount": _number(line.amount * sign),
            }
            for line in document.lines
        ]
        for field in self.line[kind]:
            for item, value in zip(items, field.values(document), strict=True):
                if value is not None:
                    item[field.name] = _sendable(value)
        for item, line in zip(items, document.lines, strict=True):
            if line.tax_amount:
                item["taxDetailsReference"] = str(line.line_no)
        return items

    def _tax_details(self, document: Document, sign: int) -> Iterator[dict[str, Any]]:
        for line in document.lines:
            if line.tax_amount:
                detail: dict[str, Any] = {"taxDetailsReference": str(line.line_no)}
                _fill(detail, self.tax, document, line)
                detail["taxRate"] = _number(line.tax_rate or Decimal(0))
                detail["taxAmount"] = _number(line.tax_amount * sign)
                detail["taxBasis"] = _number(line.amount * sign)
                yield detail

    def customer_field(self, kind: Kind) -> Field:
        """The field that names the customer of a transaction."""
        return next(field for field in self.body[kind] if field.name == "entity")


def load_mapping(path: Path) -> NetSuiteMapping:
    """Reads and checks the mapping file and its tables. Raises MappingError naming file, key and value."""
    file, tables = read_mapping_file(path)
    content = orjson.dumps([file.model_dump(mode="json"), tables])
    return NetSuiteMapping(
        file,
        hashlib.sha256(content).digest(),
        {kind: _fields(file, file.body, tables, kind, on_line=False) for kind in RECORD_TYPES},
        {kind: _fields(file, file.line, tables, kind, on_line=True) for kind in RECORD_TYPES},
        _fields(file, {"taxType": file.tax.type, "taxCode": file.tax.code}, tables, None, on_line=True)
        if file.tax
        else (),
    )


def _fields(
    file: MappingFile, sources: dict[str, FieldSource], tables: dict[str, Table], kind: Kind | None, *, on_line: bool
) -> tuple[Field, ...]:
    return tuple(
        Field(
            name,
            source,
            tables[source.lookup] if source.lookup else None,
            bool(source.lookup and file.tables[source.lookup].ignore_case),
            _reader(source.by or source.column or "", on_line=on_line),
            _place(source.by or source.column or "") if on_line else None,
            {},
            file.tables[source.lookup].key if source.lookup else "",
        )
        for name, source in sources.items()
        if kind is None or kind in source.kinds
    )


def _needed(fields: tuple[Field, ...]) -> list[Field]:
    return [field for field in fields if not field.source.optional and field.source.constant is None]


def _fill(target: dict[str, Any], fields: tuple[Field, ...], document: Document, line: Line | None) -> None:
    for field in fields:
        value = field.value(document, line)
        if value is not None:
            target[field.name] = _sendable(value)


def _sendable(value: object) -> object:
    return _number(value) if isinstance(value, Decimal) else value


def _reader(name: str, *, on_line: bool) -> Callable[[Document, Line | None], object | None]:
    """How a column is read: from the line, from the document, or from what the queries have beyond the contract."""
    if on_line and (place := _place(name)) is not None:
        return lambda _, line: _present(line[place]) if line else None
    if is_document_column(name):
        read = attrgetter(name)
        return lambda document, _: _present(read(document))
    return lambda document, line: _present(
        line.extra[name] if line and name in line.extra else document.extra.get(name)
    )


def _place(name: str) -> int | None:
    return Line._fields.index(name) if is_line_column(name) else None


def _present(value: object) -> object | None:
    if isinstance(value, str):
        return value if value.strip() else None
    return value.isoformat() if isinstance(value, date) else value


def _text(value: object) -> str:
    # Staged numbers come back without trailing zeros: only the canonical text is the same before and after.
    return canonical(value) if isinstance(value, Decimal) else str(value)


@lru_cache(maxsize=2**15)
def _number(number: Decimal) -> orjson.Fragment:
    """An exact JSON number: a float would round."""
    return orjson.Fragment(canonical(number).encode())
