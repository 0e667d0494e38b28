"""A stored record → the JSON that NetSuite shows, and → the body that would create it."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

from billing_assets.sandbox.netsuite.bodies import HEADER_REFERENCES, LINE_REFERENCES
from billing_assets.sandbox.netsuite.context import Sandbox
from billing_assets.sandbox.netsuite.store import Record

_REFERENCES = {**HEADER_REFERENCES, "customer": "customer"}
_SUBLISTS = {
    "invoice": ("item", "taxDetails"),
    "creditMemo": ("item", "taxDetails", "apply"),
    "customerPayment": ("apply",),
}


def show(sandbox: Sandbox, record: Record, base: str, *, expand: bool) -> dict[str, Any]:
    """The record as a GET answers it: null fields left out, sublists as links unless `expand`."""
    url = f"{base}/services/rest/record/v1/{record.type}/{record.id}"
    shown: dict[str, Any] = {
        "links": _self(url),
        "id": str(record.id),
        "tranId": record.tranid,
        "externalId": record.external_id,
        "tranDate": record.trandate,
        "dueDate": record.duedate,
        "memo": record.memo,
        "otherRefNum": record.otherrefnum,
        "total": _amount(record.total_e4),
        **_amounts(record),
        **_settled(sandbox, record),
    }
    own = {
        _entity(record): record.entity,
        "subsidiary": record.subsidiary,
        "currency": record.currency,
        "postingPeriod": record.postingperiod,
    }
    for field, value in {**record.fields, **own}.items():
        if field in _REFERENCES:
            shown[field] = _reference(sandbox, _REFERENCES[field], str(value), base)
        elif field == "exchangeRate":
            shown[field] = _number(value)
        elif field not in {"subTotal", "taxDetails"}:
            shown[field] = value
    for name in _SUBLISTS[record.type]:
        items = _sublist(sandbox, record, name, base) if expand else None
        shown[name] = {"links": _self(f"{url}/{name}")}
        if items is not None:
            shown[name] |= {"items": items, "totalResults": len(items)}
    return {name: value for name, value in shown.items() if value is not None}


def body_of(record: Record) -> dict[str, Any]:
    """The body that would create this record again, references by internal id."""
    body: dict[str, Any] = {
        "externalId": record.external_id,
        _entity(record): {"id": record.entity},
        "subsidiary": {"id": record.subsidiary},
        "currency": {"id": record.currency},
        "tranDate": record.trandate,
        "memo": record.memo,
    }
    if record.type == "customerPayment":
        body["payment"] = Decimal(record.total_e4).scaleb(-4)
    else:
        body |= {"dueDate": record.duedate, "otherRefNum": record.otherrefnum}
        body["item"] = {"items": [_line_body(record, n) for n in range(len(record.lines))]}
    for field, value in record.fields.items():
        if field in HEADER_REFERENCES:
            body[field] = {"id": value}
        elif field == "taxDetails":
            refs = ("taxType", "taxCode")
            body[field] = {"items": [{k: {"id": v} if k in refs else v for k, v in e.items()} for e in value]}
        elif field != "subTotal":
            body[field] = value
    if record.applications:
        applied = [
            {"doc": {"id": str(invoice)}, "apply": True, "amount": Decimal(amount).scaleb(-4)}
            for invoice, amount in record.applications
        ]
        body["apply"] = {"items": applied}
    return body


def reference_record(sandbox: Sandbox, list_: str, internal_id: str, base: str, path: str) -> dict[str, Any]:
    """A customer, item, … as a GET answers it."""
    row = sandbox.references.row(list_, internal_id)
    shown: dict[str, Any] = {
        "links": _self(f"{base}/services/rest/record/v1/{path}/{row.id}"),
        "id": row.id,
        "externalId": row.external_id,
        "name": row.name,
        **{name: value.isoformat() for name, value in (("startDate", row.start), ("endDate", row.end)) if value},
    }
    if list_ == "accountingPeriod" and isinstance(row.start, date):
        shown["closed"] = row.closed or f"{row.start:%Y-%m}" in sandbox.switches.closed_periods
    return {name: value for name, value in shown.items() if value is not None}


def _entity(record: Record) -> str:
    return "customer" if record.type == "customerPayment" else "entity"


def _amounts(record: Record) -> dict[str, Any]:
    if record.type == "customerPayment":
        return {"payment": _amount(record.total_e4)}
    subtotal = record.fields["subTotal"]
    return {"subtotal": _amount(subtotal), "taxTotal": _amount(record.total_e4 - subtotal)}


def _settled(sandbox: Sandbox, record: Record) -> dict[str, Any]:
    """Status and what remains open."""
    if record.type == "invoice":
        left = record.total_e4 - sandbox.store.applied_to(record.id)
        amounts, done = {"amountRemaining": _amount(left)}, "Paid In Full"
    else:
        left = record.total_e4 - sum(amount for _, amount in record.applications)
        amounts, done = {"applied": _amount(record.total_e4 - left), "unapplied": _amount(left)}, "Fully Applied"
    name, code = ("Open", "A") if left > 0 else (done, "B")
    if record.type == "customerPayment":
        name, code = ("Not Deposited", "B") if record.fields.get("undepFunds") else ("Deposited", "C")
    if record.voided:
        name, code = "Voided", "V"
    forms = {"object": {"id": name, "refName": name}, "enum": {"id": code, "refName": name}, "string": name}
    return {**amounts, "status": forms[sandbox.switches.status_format]}


def _sublist(sandbox: Sandbox, record: Record, name: str, base: str) -> list[dict[str, Any]]:
    if name == "apply":
        return [
            {"doc": {"id": str(invoice)}, "apply": True, "amount": _amount(amount)}
            for invoice, amount in record.applications
        ]
    if name == "taxDetails":
        numbers = ("taxRate", "taxBasis", "taxAmount")
        return [{k: _number(v) if k in numbers else v for k, v in e.items()} for e in record.fields.get(name, [])]
    return [_line(sandbox, record, n, base) for n in range(len(record.lines))]


def _line(sandbox: Sandbox, record: Record, n: int, base: str) -> dict[str, Any]:
    shown = _line_body(record, n)
    for field in ("quantity", "rate", "amount"):
        if shown.get(field) is not None:
            shown[field] = _number(shown[field])
    for field, list_ in {"item": "item", **LINE_REFERENCES}.items():
        if field in shown:
            shown[field] = _reference(sandbox, list_, shown[field]["id"], base)
    return {name: value for name, value in shown.items() if value is not None}


def _line_body(record: Record, n: int) -> dict[str, Any]:
    line = record.lines[n]
    extra: dict[str, Any] = json.loads(line.extra) if line.extra else {}
    return {
        "line": n + 1,
        "item": {"id": line.item},
        "quantity": line.quantity,
        "rate": line.rate,
        "amount": Decimal(line.amount_e4).scaleb(-4),
        "description": line.description,
        **{name: {"id": value} if name in LINE_REFERENCES else value for name, value in extra.items()},
    }


def _reference(sandbox: Sandbox, list_: str, internal_id: str, base: str) -> dict[str, Any]:
    return {
        "links": _self(f"{base}/services/rest/record/v1/{list_}/{internal_id}"),
        "id": internal_id,
        "refName": sandbox.references.row(list_, internal_id).name,
    }


def _self(url: str) -> list[dict[str, str]]:
    return [{"rel": "self", "href": url}]


def _amount(amount_e4: int) -> float:
    return _number(Decimal(amount_e4).scaleb(-4))


def _number(value: Decimal | str) -> float:
    return float(value)
