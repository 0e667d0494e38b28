"""A customer payment's body → a record that may be saved, or NetSuite's refusal of it.

Its names are those of NetSuite's REST record (docs.oracle.com … ns-online-help/article_0224093711.html): `customer`,
`payment` (the amount) and `apply.items[{doc{id}, apply, amount}]`. What is not applied stays with the customer.
"""

from datetime import UTC, datetime
from typing import Any

from billing_assets.sandbox.netsuite import bodies, errors
from billing_assets.sandbox.netsuite.store import Record

_REFERENCES = {
    "customer": "customer",
    **{field: list_ for field, list_ in bodies.HEADER_REFERENCES.items() if field not in {"entity", "terms"}},
}


def parse(body: dict[str, Any], account: bodies.Account, *, strict_names: bool, record_id: int = 0) -> bodies.Parsed:
    """Check a whole body. Raises NetSuiteError; `strict_names` refuses an unknown property instead of dropping it."""
    names = bodies.Names(account.references, strict=strict_names)
    names.check(body, bodies.HEADER_PROPERTIES["customerPayment"], "custbody", "")
    references = {
        field: bodies.reference(account.references, list_, body[field], field, field)
        for field, list_ in _REFERENCES.items()
        if body.get(field) is not None
    }
    amount = bodies.optional_number(body, "payment", "")
    if "customer" not in references or amount is None:
        raise errors.required(
            *([] if "customer" in references else ["Customer"]), *(["Payment Amount"] if amount is None else [])
        )
    if amount < 0:
        raise errors.user_error("The payment amount can not be negative", "payment")
    trandate = bodies.date_of(body, "tranDate") or datetime.now(UTC).date().isoformat()
    period = bodies.posting_period(account, trandate, references.pop("postingPeriod", None))
    customer = references.pop("customer")
    currency = references.pop("currency", None) or bodies.default_currency(account.references, customer)
    places = account.references.row("currency", currency).precision
    subsidiary = references.pop("subsidiary", None)
    fields: dict[str, Any] = dict(references)
    if body.get("exchangeRate") is not None:
        fields["exchangeRate"] = str(bodies.number_of(body["exchangeRate"], "exchangeRate", "exchangeRate"))
    if body.get("undepFunds") is not None:
        fields["undepFunds"] = bool(body["undepFunds"])
    record = Record(
        type="customerPayment",
        external_id=bodies.text_of(body, "externalId", "externalId"),
        entity=customer,
        currency=currency,
        subsidiary=subsidiary or "",
        total_e4=bodies.rounded_e4(amount, places),
        trandate=trandate,
        duedate=None,
        postingperiod=period,
        memo=bodies.text_of(body, "memo", "memo"),
        otherrefnum=None,
        fields=fields,
        lines=[],
        applications=[],
        id=record_id,
    )
    record.applications = bodies.applied(body, record, account, names, places)
    record.subsidiary = subsidiary or _subsidiary(record, account)
    return bodies.Parsed(record, names.unknown)


def _subsidiary(record: Record, account: bodies.Account) -> str:
    """Of the invoice that it pays; NetSuite takes the customer's own, which the sandbox does not know [guess]."""
    for invoice, _ in record.applications:
        found = account.invoice({"id": invoice})
        if found is not None:
            return found.subsidiary
    raise errors.required("Subsidiary")
