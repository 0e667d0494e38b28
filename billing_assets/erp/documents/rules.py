"""What a document must satisfy before it may be posted: one place for every rule, its code and its sentence.

Rules look at one document and at facts handed to them; they ask no database. A document gets all its findings, not
only the first. `RULES` is the table in docs/reference.md (held equal by a test).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from operator import mul, ne
from typing import NamedTuple

from billing_assets.erp.documents.documents import Document, Kind, Line, SourceStatus, State
from billing_assets.foundation.money import canonical, decimals
from billing_assets.foundation.periods import ClosedMonths

RULES_VERSION = 1
"""Counts the changes of what judges a document, here and in the mapping (`netsuite/mapping.py`): an upgrade with another
one judges every document again. A test says when it must be counted up."""


class Severity(StrEnum):
    """`error` holds the document, `exclude` takes it out of billing by policy, `gone` as if it were not there any more,
    `warning` only flags."""

    ERROR = "error"
    EXCLUDE = "exclude"
    GONE = "gone"
    WARNING = "warning"


class Rule(NamedTuple):
    """A rule as people read about it."""

    severity: Severity
    meaning: str
    remedy: str


class Finding(NamedTuple):
    """One thing found on one document. `path` names the field (`lines[3].item`), `value` what stood there."""

    code: str
    severity: Severity
    path: str
    value: str
    message: str


_E, _X, _G, _W = Severity.ERROR, Severity.EXCLUDE, Severity.GONE, Severity.WARNING
_MAPPING = "Add it to the lookup table in the mapping; the next staging lets the document go on."
_SOURCE = "Correct it in the billing system; the next staging picks it up."

RULES: dict[str, Rule] = {
    "ZERO_TOTAL": Rule(_X, "The document's total is zero: there is nothing to bill.", "Nothing to do."),
    "VOIDED": Rule(_G, "The document was voided in the billing system before it was posted.", "Nothing to do; a void that is taken back brings it back."),
    "CUSTOMER_MISSING": Rule(_E, "The document names no customer.", _SOURCE),
    "CUSTOMER_UNMAPPED": Rule(_E, "The customer is not in the mapping.", _MAPPING),
    "ITEM_UNMAPPED": Rule(_E, "A line's item is missing or not in the mapping.", _MAPPING),
    "BRANCH_UNMAPPED": Rule(_E, "The branch is missing or not in the mapping.", _MAPPING),
    "FIELD_UNMAPPED": Rule(_E, "Another field of the mapping finds no value for this document.", _MAPPING),
    "KIND_UNSUPPORTED": Rule(_E, "Only invoices and credit memos are posted.", "Book it in NetSuite by hand, e.g. as a journal."),
    "STATUS_UNKNOWN": Rule(_E, "The status is neither open, closed nor void.", "Map it in documents.sql."),
    "CURRENCY_UNSUPPORTED": Rule(_E, "The currency is not in the mapping.", "Add it under `currencies` in the mapping."),
    "AMOUNT_PRECISION": Rule(_E, "An amount is finer than the currency's minor unit.", _SOURCE),
    "LINES_MISSING": Rule(_E, "The document has no lines.", _SOURCE),
    "LINES_TOTAL_MISMATCH": Rule(_E, "Lines and tax do not add up to the total.", _SOURCE),
    "LINE_CONTRADICTS": Rule(_E, "A line's amount is more than its quantity times its price, or has the other sign.", "Correct it in the billing system, or in lines.sql: a credit memo has negative quantities and positive prices; a flat charge has the quantity 1 and its amount as the price."),
    "LINE_BELOW_PRICE": Rule(_W, "A line's amount is less than its quantity times its price, as with a discount. NetSuite shows the three as they are.", "Where that is no discount: correct it in the billing system. To show the price that was paid, give amount / quantity as `unit_price` in lines.sql."),
    "SIGN": Rule(_E, "An invoice is below zero, or a credit memo adds.", "Issue it as the other kind of document."),
    "DUPLICATE_NUMBER": Rule(_E, "Another document has the same number.", "Renumber or void one of them in the billing system."),
    "PERIOD_CLOSED": Rule(_E, "The document's date is in a closed period.", "Reopen the month, move the date in the billing system, or let late documents go on (`close.late_documents`)."),
    "TEXT_TOO_LONG": Rule(_E, "A text is longer than NetSuite takes.", _SOURCE),
    "TEXT_UNPRINTABLE": Rule(_E, "A text holds a NUL character, which no ledger takes.", _SOURCE),
    "NUMBER_TOO_LARGE": Rule(_E, "A number is larger or finer than NetSuite is known to take.", _SOURCE),
    "CREDIT_TARGET_UNKNOWN": Rule(_E, "The credit memo names an invoice that is not known.", "Correct the reference, or stage the invoice first."),
    "MAY_BE_IN_NETSUITE": Rule(_E, "NetSuite has a transaction of the same kind, customer, currency and amount under a name that no document has, since a backup was restored.", "`billing restore transactions --all`, then `billing restore match` or `billing restore separate`."),
    "AUDIT_HOLD": Rule(_E, "An auditor holds the document.", "Ask the auditor; an imported `approve` releases it at the next staging."),
    "APPLICATION_NOT_A_CREDIT": Rule(_E, "A document that is no credit memo is applied to invoices.", "Leave it out of applications.sql, or issue it as a credit memo."),
    "APPLICATION_AMOUNT": Rule(_E, "An amount applied to an invoice is not above zero.", "Correct it in the billing system; NULL applies as much as is open."),
    "APPLICATION_REPEATED": Rule(_E, "The credit memo is applied to the same invoice twice.", "Add the amounts up in applications.sql, or correct it in the billing system."),
    "APPLICATION_EXCEEDS_CREDIT": Rule(_E, "The amounts applied add up to more than the credit memo.", _SOURCE),
    "CHANGED_SINCE_STAGING": Rule(_E, "The billing system changed the document after it was staged, before it was sent.", "Nothing to do; the next staging judges it again."),
    "FIELD_UNREADABLE": Rule(_E, "A field cannot be understood at all.", _SOURCE),
    "NUMBER_LIKE_ANOTHER": Rule(_W, "Another document of its kind has the same number but for blanks.", "See that it is no copy; if it is, void one of them in the billing system before both are posted."),
    "DUE_BEFORE_DATE": Rule(_W, "The due date lies before the document's date.", "Check the terms in the billing system."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Policy:
    """What the rules compare with: minor digits per accepted currency, the last closed day of the mapping, if any, and
    the months that finance closed here."""

    minor_digits: dict[str, int]
    closed_through: date | None = None
    closed: ClosedMonths = field(default_factory=ClosedMonths)


MappingCheck = Callable[[Document], Iterable[Finding]]

# NetSuite's limits (specs/netsuite.md §2; text lengths per the field's documented size).
_TEXT_LIMITS = {
    "number": 45,
    "purchase_order": 45,
    "memo": 999,
    "customer": 80,
    "branch": 80,
    "terms": 80,
    "kind": 80,
    "status": 80,
    "currency": 80,
    "applies_to": 80,
}
_DESCRIPTION_LIMIT = 999
_LARGEST_QUANTITY = Decimal(10) ** 10
_MOST_DIGITS = 15  # what a binary double keeps of a decimal; whether NetSuite keeps more is not known
_TOO_MANY_DIGITS = "It is not known that NetSuite keeps more than 15 digits of an amount exactly, so it is not sent."
_FINEST = 15
_FINEST_UNIT = Decimal("1E-15")


def finding(code: str, path: str, value: object, message: str) -> Finding:
    """A finding with the severity of its rule; the value is cut where it is long."""
    text = str(value)
    return Finding(code, RULES[code].severity, path, text if len(text) <= 80 else text[:79] + "…", message)


def validate(document: Document, policy: Policy, check_mapping: MappingCheck) -> list[Finding]:
    """All findings of one document, in the order of its fields.

    A zero total excludes the document whatever else is wrong with it; a void one is gone.
    """
    if document.status == SourceStatus.VOID:
        return [finding("VOIDED", "status", document.status, "Voided in the billing system.")]
    if document.total == 0:
        return [finding("ZERO_TOTAL", "total", document.total, "The total is zero: nothing to bill.")]
    return [
        *_header(document, policy),
        *check_mapping(document),
        *_texts(document),
        *_amounts(document, policy),
        *_applications(document, policy),
    ]


def state_for(status: str, findings: Iterable[Finding]) -> State:
    """The state in which a document rests after validation."""
    if status == SourceStatus.OPEN:
        return State.OPEN
    severities = {found.severity for found in findings}
    if Severity.GONE in severities:
        return State.GONE
    if Severity.EXCLUDE in severities:
        return State.EXCLUDED
    return State.HELD if Severity.ERROR in severities else State.READY


def _header(document: Document, policy: Policy) -> Iterator[Finding]:
    if document.kind not in {Kind.INVOICE, Kind.CREDIT_MEMO}:
        yield finding(
            "KIND_UNSUPPORTED", "kind", document.kind, f"A document of kind {document.kind} cannot be posted."
        )
    if not document.number.strip():
        yield finding("FIELD_UNREADABLE", "number", document.number, "The document has no number.")
    if document.status != SourceStatus.CLOSED:
        yield finding("STATUS_UNKNOWN", "status", document.status, "The status is neither open, closed nor void.")
    if not (document.customer or "").strip():
        yield finding("CUSTOMER_MISSING", "customer", "", "The document names no customer.")
    if document.currency not in policy.minor_digits:
        yield finding("CURRENCY_UNSUPPORTED", "currency", document.currency, "The currency is not in the mapping.")
    if policy.closed_through and document.document_date <= policy.closed_through:
        yield finding(
            "PERIOD_CLOSED",
            "document_date",
            document.document_date,
            f"Periods are closed through {policy.closed_through}.",
        )
    elif policy.closed.closed(document.period):
        closed = "closed for good" if policy.closed.is_hard(document.period) else "closed; it may be reopened"
        yield finding("PERIOD_CLOSED", "document_date", document.document_date, f"{document.period} is {closed}.")
    if document.due_date and document.due_date < document.document_date:
        yield finding("DUE_BEFORE_DATE", "due_date", document.due_date, "The due date lies before the document's date.")


def _texts(document: Document) -> Iterator[Finding]:
    for name, limit in _TEXT_LIMITS.items():
        yield from _text(name, getattr(document, name), limit)
    for name, value in document.extra.items():
        yield from _text(name, value, _DESCRIPTION_LIMIT)
    if _has_odd_text(document.lines):
        for line in document.lines:
            texts = {"description": line.description, "item": line.item, "tax_code": line.tax_code, **line.extra}
            for name, value in texts.items():
                yield from _text(f"lines[{line.line_no}].{name}", value, _DESCRIPTION_LIMIT)


def _has_odd_text(lines: tuple[Line, ...]) -> bool:
    """Whether a line may have a finding in its texts. By column: a million lines pay for every step in Python."""
    if not lines:
        return False
    _, items, descriptions, _, _, _, codes, _, _, extras = zip(*lines, strict=True)
    further = [text for extra in extras if extra for text in extra.values()]
    texts = [text for text in (*items, *descriptions, *codes, *further) if text]
    return "\0" in "".join(texts) or max(map(len, texts), default=0) > _DESCRIPTION_LIMIT


def _text(path: str, value: str | None, limit: int) -> Iterator[Finding]:
    if not value:
        return
    if len(value) > limit:
        yield finding("TEXT_TOO_LONG", path, value, f"{len(value)} characters; NetSuite takes {limit}.")
    if "\0" in value:
        yield finding("TEXT_UNPRINTABLE", path, value.replace("\0", "␀"), "The text holds a NUL character.")


def _amounts(document: Document, policy: Policy) -> Iterator[Finding]:
    if not document.lines:
        yield finding("LINES_MISSING", "lines", "", "The document has no lines.")
    else:
        total = sum([line.amount for line in document.lines], Decimal(0))
        total += sum([line.tax_amount for line in document.lines if line.tax_amount], Decimal(0))
        if total != document.total:
            yield finding(
                "LINES_TOTAL_MISMATCH", "total", document.total, f"The lines and their tax add up to {total}."
            )
    if document.kind == Kind.INVOICE and document.total < 0:
        yield finding("SIGN", "total", document.total, "An invoice is below zero; it should be a credit memo.")
    if document.kind == Kind.CREDIT_MEMO and document.total > 0:
        yield finding("SIGN", "total", document.total, "A credit memo adds; it should be an invoice.")
    digits = policy.minor_digits.get(document.currency)
    yield from _amount("total", document.total, digits)
    if not document.lines:
        return
    # By column, as with the texts.
    _, _, _, quantities, prices, amounts, _, _, taxes, _ = zip(*document.lines, strict=True)
    if _has_odd_number(quantities + prices, amounts + tuple(filter(None, taxes)), digits):
        for line in document.lines:
            yield from _line_amounts(line, digits)
    elif any(map(ne, map(mul, quantities, prices), amounts)):
        for line in document.lines:
            yield from _line_product(line, digits)


def _applications(document: Document, policy: Policy) -> Iterator[Finding]:
    if not document.applications:
        return
    if document.kind != Kind.CREDIT_MEMO:
        yield finding("APPLICATION_NOT_A_CREDIT", "kind", document.kind, "Only a credit memo is applied to invoices.")
    for number, times in Counter(one.applies_to for one in document.applications).items():
        yield from _text("applications", number, _TEXT_LIMITS["applies_to"])
        if times > 1:
            yield finding("APPLICATION_REPEATED", "applications", number, f"The invoice stands {times} times.")
    amounts = [(one.applies_to, one.amount) for one in document.applications if one.amount is not None]
    for number, amount in amounts:
        path = f"applications[{number}].amount"
        if amount <= 0:
            yield finding("APPLICATION_AMOUNT", path, amount, "An amount applied must be above zero.")
        yield from _amount(path, amount, policy.minor_digits.get(document.currency))
    applied = sum((amount for _, amount in amounts), Decimal(0))
    if applied > abs(document.total):
        message = f"{applied} are applied, the credit memo has {abs(document.total)}."
        yield finding("APPLICATION_EXCEEDS_CREDIT", "applications", applied, message)


def _has_odd_number(plain: tuple[Decimal, ...], amounts: tuple[Decimal, ...], digits: int | None) -> bool:
    """Whether a quantity or price (`plain`) or an amount may have a finding."""
    largest = _LARGEST_QUANTITY if digits is None else _largest_amount(digits)
    if max(map(abs, plain)) >= _LARGEST_QUANTITY or max(map(abs, amounts)) >= largest:
        return True  # also because % takes no more digits
    # number % unit is not zero where the number is finer than the unit.
    minor_unit = _FINEST_UNIT if digits is None else Decimal(1).scaleb(-digits)
    return any(map(_FINEST_UNIT.__rmod__, plain)) or any(map(minor_unit.__rmod__, amounts))


def _line_product(line: Line, digits: int | None) -> Iterator[Finding]:
    """What NetSuite makes of a quantity, a rate and an amount that contradict one another is not documented, so no line
    leaves that has no sensible reading. An amount below the product has one: a discount, or a price with its tax.

    Rounding explains half a minor unit of the amount; and half a unit of the last digit of the price for every piece, of a
    measured quantity likewise: 3000 times 0.33 may be 1000.00, where the price is 0.3333. A whole quantity is a count.
    """
    if digits is None:
        return
    product = line.quantity * line.unit_price
    path = f"lines[{line.line_no}].amount"
    said = f"{canonical(line.quantity)} times {canonical(line.unit_price)} is {canonical(product)}"
    if product * line.amount < 0:
        yield finding("LINE_CONTRADICTS", path, line.amount, f"The signs differ: {said}.")
        return
    price_digits, quantity_digits = max(decimals(line.unit_price), digits), decimals(line.quantity)
    rounding = _half(digits) + abs(line.quantity) * _half(price_digits)
    if quantity_digits:
        rounding += abs(line.unit_price) * _half(quantity_digits)
    more = abs(line.amount) - abs(product)
    if more > rounding:
        yield finding("LINE_CONTRADICTS", path, line.amount, f"It is more than rounding explains: {said}.")
    elif -more > rounding:
        yield finding("LINE_BELOW_PRICE", path, line.amount, f"It is less than rounding explains: {said}.")


def _half(digits: int) -> Decimal:
    return Decimal(5).scaleb(-digits - 1)


def _largest_amount(digits: int | None) -> Decimal:
    """The first amount that has too many digits."""
    return Decimal(1).scaleb(_MOST_DIGITS - (digits or 0))


def _line_amounts(line: Line, digits: int | None) -> Iterator[Finding]:
    yield from _amount(f"lines[{line.line_no}].amount", line.amount, digits)
    if line.tax_amount is not None:
        yield from _amount(f"lines[{line.line_no}].tax_amount", line.tax_amount, digits)
    if abs(line.quantity) >= _LARGEST_QUANTITY:
        path = f"lines[{line.line_no}].quantity"
        yield finding("NUMBER_TOO_LARGE", path, line.quantity, "NetSuite takes quantities below 10^10.")
    elif abs(line.unit_price) >= _largest_amount(digits):
        yield finding("NUMBER_TOO_LARGE", f"lines[{line.line_no}].unit_price", line.unit_price, _TOO_MANY_DIGITS)
    else:
        yield from _line_product(line, digits)
    for name, number in (("quantity", line.quantity), ("unit_price", line.unit_price)):
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -_FINEST and decimals(number) > _FINEST:
            message = "It is not known that NetSuite keeps more than 15 decimals."
            yield finding("NUMBER_TOO_LARGE", f"lines[{line.line_no}].{name}", number, message)


def _amount(path: str, amount: Decimal, digits: int | None) -> Iterator[Finding]:
    exponent = amount.as_tuple().exponent
    if digits is not None and isinstance(exponent, int) and exponent < -digits and decimals(amount) > digits:
        yield finding("AMOUNT_PRECISION", path, amount, f"The currency has {digits} decimals.")
    if abs(amount) >= _largest_amount(digits):
        yield finding("NUMBER_TOO_LARGE", path, amount, _TOO_MANY_DIGITS)
