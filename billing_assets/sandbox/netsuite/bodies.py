"""A request's body → a record that may be saved, or NetSuite's refusal of it.

Checks property names, required fields, references, text and number limits, the period, the total and what a credit
memo applies to. Limits marked [guess] are not documented; no client should depend on them.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NamedTuple

from billing_assets.sandbox.netsuite import errors
from billing_assets.sandbox.netsuite.references import References
from billing_assets.sandbox.netsuite.store import Line, Record

HEADER_REFERENCES = {
    "entity": "customer",
    "subsidiary": "subsidiary",
    "currency": "currency",
    "terms": "term",
    "postingPeriod": "accountingPeriod",
    "department": "department",
    "class": "classification",
    "location": "location",
}
LINE_REFERENCES = {"department": "department", "class": "classification", "location": "location"}
_HEADER = frozenset(HEADER_REFERENCES) | {
    *("externalId", "tranDate", "dueDate", "exchangeRate", "otherRefNum", "memo", "item"),
    *("taxDetailsOverride", "taxDetails"),
}
_PAYMENT = frozenset(HEADER_REFERENCES) - {"entity", "terms"} | {
    *("externalId", "customer", "payment", "tranDate", "exchangeRate", "memo", "undepFunds", "apply"),
}
HEADER_PROPERTIES = {"invoice": _HEADER, "creditMemo": _HEADER | {"apply"}, "customerPayment": _PAYMENT}
LINE_PROPERTIES = frozenset(LINE_REFERENCES) | {
    *("line", "item", "quantity", "rate", "amount", "description", "taxDetailsReference"),
}
_LINE_PLAIN = frozenset({"item", "quantity", "rate", "amount", "description"})
_TAX = frozenset({"taxDetailsReference", "taxType", "taxCode", "taxRate", "taxAmount", "taxBasis"})
_APPLY = frozenset({"doc", "apply", "amount"})
_SUBLIST = frozenset({"items", "links", "count", "totalResults", "hasMore", "offset"})
_TEXT_LIMITS = {"externalId": 255, "memo": 999, "otherRefNum": 45, "description": 999}  # all [guess]
_LARGEST = Decimal(10) ** 10
_LARGEST_AMOUNT = Decimal(10) ** 14  # [guess] known is a limit of quantities only; an integer of 64 bits holds this
_MOST_DECIMALS = 15


class Account(NamedTuple):
    """What a body is checked against: the lists, the closed months, and how to look an invoice up."""

    references: References
    closed_periods: frozenset[str]
    invoice: Callable[[Mapping[str, Any]], Record | None]
    applied_to: Callable[[int, int], int]


class Parsed(NamedTuple):
    """A checked record and the property names that were dropped."""

    record: Record
    unknown: list[str]


def load(content: bytes) -> dict[str, Any]:
    """The body as JSON; numbers with a point become Decimal. Raises NetSuiteError."""
    try:
        body = json.loads(content, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise errors.invalid_content("Invalid content in the request body. Provide valid JSON.") from error
    if not isinstance(body, dict):
        raise errors.invalid_content("Invalid content in the request body. Provide a JSON object.")
    if b"\\ud" in content or b"\\uD" in content:
        _refuse_half_characters(body)
    return body


def parse(
    record_type: str, body: dict[str, Any], account: Account, *, strict_names: bool, record_id: int = 0
) -> Parsed:
    """Check a whole body. Raises NetSuiteError; `strict_names` refuses an unknown property instead of dropping it."""
    names = Names(account.references, strict=strict_names)
    names.check(body, HEADER_PROPERTIES[record_type], "custbody", "")
    references: dict[str, str] = {}
    for field, list_ in HEADER_REFERENCES.items():
        if body.get(field) is not None:
            references[field] = reference(account.references, list_, body[field], field, field)
    items = sublist(body, "item")
    missing = [
        name for name, there in (("Customer", "entity"), ("Subsidiary", "subsidiary")) if there not in references
    ]
    if missing or not items:
        raise errors.required(*missing, *([] if items else ["Items"]))
    trandate = date_of(body, "tranDate") or datetime.now(UTC).date().isoformat()
    period = posting_period(account, trandate, references.pop("postingPeriod", None))
    entity = references.pop("entity")
    currency = references.pop("currency", None) or default_currency(account.references, entity)
    places = account.references.row("currency", currency).precision
    lines = [_line(line, n, account.references, names, places) for n, line in enumerate(items)]
    fields: dict[str, Any] = {}
    tax_e4 = _tax(body, items, account.references, names, places, fields)
    total_e4 = sum(line.amount_e4 for line in lines) + tax_e4
    if total_e4 < 0:
        raise errors.user_error("The total can not be negative")
    subsidiary = references.pop("subsidiary")
    fields.update(references)
    fields["subTotal"] = total_e4 - tax_e4
    if body.get("exchangeRate") is not None:
        fields["exchangeRate"] = str(number_of(body["exchangeRate"], "exchangeRate", "exchangeRate"))
    fields.update(
        {k: _plain(v) for k, v in body.items() if k.startswith("custbody") and names.knows(k) and v is not None}
    )
    record = Record(
        type=record_type,
        external_id=text_of(body, "externalId", "externalId"),
        entity=entity,
        currency=currency,
        subsidiary=subsidiary,
        total_e4=total_e4,
        trandate=trandate,
        duedate=date_of(body, "dueDate"),
        postingperiod=period,
        memo=text_of(body, "memo", "memo"),
        otherrefnum=text_of(body, "otherRefNum", "otherRefNum"),
        fields=fields,
        lines=lines,
        applications=[],
        id=record_id,
    )
    if record_type == "creditMemo":
        record.applications = applied(body, record, account, names, places)
    return Parsed(record, names.unknown)


def reference(references: References, list_: str, value: object, field: str, path: str) -> str:
    """The internal id behind `{"id": …}` or `{"externalId": …}`. Raises NetSuiteError for an unknown one."""
    if not isinstance(value, dict) or not ({"id", "externalId"} & value.keys()):
        raise errors.invalid_reference(str(value)[:80], field, path)
    if value.get("id") is not None:
        given, found = str(value["id"]), references.find(list_, str(value["id"]))
    else:
        given, found = str(value["externalId"]), references.find_external(list_, str(value["externalId"]))
    if found is None:
        raise errors.invalid_reference(given, field, path)
    return found


def sublist(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The entries of `{"name": {"items": […]}}`; none if it is absent. Raises NetSuiteError for another shape."""
    value = body.get(name)
    if value is None:
        return []
    items = value.get("items", []) if isinstance(value, dict) and value.keys() <= _SUBLIST else None
    if not isinstance(items, list) or not all(isinstance(entry, dict) for entry in items):
        raise errors.invalid_content(f"Invalid value for the sublist {name}: give an object with items.", name)
    return items


class Names:
    """Collects property names that the record does not have."""

    def __init__(self, references: References, *, strict: bool) -> None:
        self._references = references
        self._strict = strict
        self.unknown: list[str] = []

    def knows(self, custom_field: str) -> bool:
        return self._references.find("customField", custom_field) is not None

    def check(self, given: Mapping[str, Any], known: frozenset[str], custom: str | None, path: str) -> None:
        if given.keys() <= known:
            return
        for name in given.keys() - known:
            if custom is not None and name.startswith(f"{custom}_") and self.knows(name):
                continue
            self.unknown.append(path + name)
            if self._strict:
                raise errors.invalid_content(f"Unknown property name {name} in the request body.", path + name)


def _line(line: dict[str, Any], n: int, references: References, names: Names, places: int) -> Line:
    path = f"item.items[{n}]."
    if line.get("item") is None:
        raise errors.required("Item")
    item = reference(references, "item", line["item"], "item", path + "item")
    quantity = optional_number(line, "quantity", path)
    rate = optional_number(line, "rate", path)
    amount = optional_number(line, "amount", path)
    if quantity is not None and abs(quantity) >= _LARGEST:
        raise errors.invalid_reference(str(quantity), "quantity", path + "quantity")
    if amount is None:
        if rate is None:
            raise errors.required("Amount")
        amount = rate if quantity is None else quantity * rate
    extra: dict[str, Any] = {}
    if not line.keys() <= _LINE_PLAIN:
        names.check(line, LINE_PROPERTIES, "custcol", path)
        for field, list_ in LINE_REFERENCES.items():
            if line.get(field) is not None:
                extra[field] = reference(references, list_, line[field], field, path + field)
        if line.get("taxDetailsReference") is not None:
            extra["taxDetailsReference"] = str(line["taxDetailsReference"])
        extra.update({k: _plain(v) for k, v in line.items() if k.startswith("custcol") and names.knows(k)})
    return Line(
        item,
        None if quantity is None else str(quantity),
        None if rate is None else str(rate),
        rounded_e4(amount, places),
        text_of(line, "description", path + "description"),
        json.dumps(extra, separators=(",", ":")) if extra else None,
    )


def _tax(
    body: dict[str, Any],
    items: list[dict[str, Any]],
    references: References,
    names: Names,
    places: int,
    fields: dict[str, Any],
) -> int:
    """Σ tax in ten-thousandths. The sandbox computes none: without an override there is no tax."""
    details = sublist(body, "taxDetails")
    if body.get("taxDetailsOverride") is not None:
        fields["taxDetailsOverride"] = bool(body["taxDetailsOverride"])
    if not details:
        return 0
    if body.get("taxDetailsOverride") is not True:
        raise errors.invalid_content("taxDetails can only be set with taxDetailsOverride true.", "taxDetails")
    known = {str(line["taxDetailsReference"]) for line in items if line.get("taxDetailsReference") is not None}
    total = 0
    kept = []
    for n, detail in enumerate(details):
        path = f"taxDetails.items[{n}]."
        names.check(detail, _TAX, None, path)
        if str(detail.get("taxDetailsReference")) not in known:
            raise errors.invalid_reference(
                str(detail.get("taxDetailsReference")), "taxDetailsReference", path + "taxDetailsReference"
            )
        entry: dict[str, Any] = {"taxDetailsReference": str(detail["taxDetailsReference"])}
        for field in ("taxType", "taxCode"):
            if detail.get(field) is None:
                raise errors.required("Tax Type" if field == "taxType" else "Tax Code")
            entry[field] = reference(references, field, detail[field], field, path + field)
        for field in ("taxRate", "taxBasis", "taxAmount"):
            number = optional_number(detail, field, path)
            if number is not None:
                entry[field] = str(number)
        amount = optional_number(detail, "taxAmount", path)
        if amount is None:
            raise errors.required("Tax Amount")
        total += rounded_e4(amount, places)
        kept.append(entry)
    fields["taxDetails"] = kept
    return total


def applied(body: dict[str, Any], record: Record, account: Account, names: Names, places: int) -> list[tuple[int, int]]:
    """(invoice id, amount) of what a credit memo or payment applies to, all checked against what remains open."""
    left = record.total_e4
    applications: dict[int, int] = {}
    for n, entry in enumerate(sublist(body, "apply")):
        path = f"apply.items[{n}]."
        names.check(entry, _APPLY, None, path)
        doc = entry.get("doc")
        invoice = account.invoice(doc) if isinstance(doc, dict) else None
        given = doc.get("id", doc.get("externalId")) if isinstance(doc, dict) else doc
        if (
            invoice is None
            or (invoice.entity, invoice.currency) != (record.entity, record.currency)
            or invoice.id in applications
        ):
            raise errors.invalid_reference(str(given), "doc", path + "doc")
        if entry.get("apply") is not True:
            continue
        remaining = invoice.total_e4 - account.applied_to(invoice.id, record.id)
        if not remaining:  # [guess] one that is paid is none of those that may be chosen
            raise errors.invalid_reference(str(given), "doc", path + "doc")
        amount = optional_number(entry, "amount", path)
        amount_e4 = min(remaining, left) if amount is None else rounded_e4(amount, places)
        if amount_e4 > remaining or amount_e4 > left or amount_e4 < 0:
            detail = "The amount applied may not exceed what remains open on the invoice, or unapplied here."
            raise errors.user_error(detail, path + "amount")
        left -= amount_e4
        if amount_e4:
            applications[invoice.id] = amount_e4
    return list(applications.items())


def posting_period(account: Account, day: str, given: str | None) -> str:
    """The id of the period that a transaction of this day goes to. Raises NetSuiteError if it takes none."""
    period = account.references.period_of(day) if given is None else account.references.period(given)
    if period is None or period.closed or period.month in account.closed_periods:
        raise errors.user_error(f"No valid, open, posting period for date {day}.")
    if not period.start <= day <= period.end:
        detail = "The transaction date does not fall between the start date and the end date of the posting period."
        raise errors.user_error(detail)
    return period.id


def default_currency(references: References, entity: str) -> str:
    """The customer's currency, else the account's first one [guess]."""
    currency = references.row("customer", entity).currency
    found = references.find("currency", currency or "1")
    if found is None:
        raise errors.required("Currency")
    return found


def rounded_e4(amount: Decimal, places: int) -> int:
    """An amount in ten-thousandths, rounded to the currency's minor unit. Raises NetSuiteError if it is too large."""
    if abs(amount) >= _LARGEST_AMOUNT:
        raise errors.invalid_reference(str(amount), "amount", "amount")
    return int(amount.quantize(_QUANTUM[places], ROUND_HALF_UP).scaleb(4))


_QUANTUM = [Decimal(1).scaleb(-places) for places in range(5)]


def optional_number(given: Mapping[str, Any], field: str, path: str) -> Decimal | None:
    """A field that may be left out, as an exact number. Raises NetSuiteError."""
    value = given.get(field)
    return None if value is None else number_of(value, field, path + field)


def number_of(value: object, field: str, path: str) -> Decimal:
    """A value as an exact number. Raises NetSuiteError."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise errors.invalid_reference(str(value)[:80], field, path)
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise errors.invalid_reference(str(value)[:80], field, path) from error
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_MOST_DECIMALS or number.adjusted() > 30:
        raise errors.invalid_reference(str(value)[:80], field, path)
    return number


def text_of(given: Mapping[str, Any], field: str, path: str) -> str | None:
    """A text within the field's limit; empty is None. Raises NetSuiteError."""
    value = given.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise errors.invalid_reference(str(value)[:80], field, path)
    if len(value) > _TEXT_LIMITS[field]:
        detail = (
            f"The field {field} contained more than the maximum number ( {_TEXT_LIMITS[field]} ) of characters allowed."
        )
        raise errors.user_error(detail, path)
    return value


def date_of(body: Mapping[str, Any], field: str) -> str | None:
    """A date as YYYY-MM-DD. Raises NetSuiteError."""
    value = body.get(field)
    if value is None:
        return None
    try:
        # fromisoformat() alone would also take 20101101 and 2010-W44-1
        return date.fromisoformat(value if len(value) == len("2010-11-01") else "").isoformat()
    except (TypeError, ValueError) as error:
        raise errors.invalid_reference(str(value)[:80], field, field) from error


def _plain(value: Any) -> Any:
    """A custom field's value as JSON can hold it."""
    return json.loads(json.dumps(value, default=float))


def _refuse_half_characters(body: dict[str, Any]) -> None:
    """Half of a surrogate pair is no text; nothing could store it."""
    try:
        json.dumps(body, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise errors.invalid_content("Invalid content in the request body. Provide valid Unicode.") from error


def _no_constant(name: str) -> float:
    raise ValueError(name)
