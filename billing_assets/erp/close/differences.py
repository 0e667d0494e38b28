"""A document that is not the same everywhere, in words."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.erp.close.causes import CAUSES, Sort
from billing_assets.erp.close.comparison import UNREADABLE


class Difference(NamedTuple):
    """A document that is not the same everywhere. Amounts are signed; None where one of the two does not have it."""

    cause: str
    kind: str
    number: str
    branch: str
    currency: str
    billing: Decimal | None
    netsuite: Decimal | None
    netsuite_id: str | None
    what: str

    @property
    def sort(self) -> Sort:
        """What it means for the close."""
        return CAUSES[self.cause].sort


def describe(row: Mapping[str, Any]) -> Difference:
    """A row of the comparison (`close/comparison.py`) that has a cause."""
    return Difference(
        row["cause"],
        row["kind"] or "",
        row["number"] or "",
        row["branch"] or "",
        row["currency"] or "",
        row["billing"] + row["moved"] if row["in_billing"] or row["moved_where"] else None,
        row["netsuite"] if row["in_netsuite"] and row["detail"] != UNREADABLE else None,
        row["netsuite_id"],
        _SAYS.get(row["cause"], _meaning)(row),
    )


def _meaning(row: Mapping[str, Any]) -> str:
    return CAUSES[row["cause"]].meaning


def _reason(row: Mapping[str, Any]) -> str:
    return ": ".join(str(part) for part in (row["reason"], row["detail"]) if part) or _meaning(row)


def _with_state(row: Mapping[str, Any]) -> str:
    return f"{_meaning(row)} It is {row['state']}."


def _changed(row: Mapping[str, Any]) -> str:
    there = (row["drift"] or {}).get("source_total")
    now = row["billing"] if row["in_billing"] else Decimal(there or row["staged"])
    if row["unreadable"]:
        now = "no total that can be read"
    return f"Posted with {row['staged']}, the billing system has {'other contents' if now == row['staged'] else now}."


def _accepted(row: Mapping[str, Any]) -> str:
    gone = (row["drift"] or {}).get("source_status") == "missing" and not row["in_billing"]
    said = CAUSES["DELETED_AFTER_POSTING"].meaning if gone else _changed(row)
    return f"{said} {row['decided_by']} accepted it."


def _staged_otherwise(row: Mapping[str, Any]) -> str:
    if row["state"] == "gone":
        return "The billing system has it again, after it was gone."
    there = row["billing"] if row["in_billing"] else "nothing in this month"
    return f"The billing system has {there} ({row['source_status']}), staging {row['staged']}, as {row['state']}."


def _not_in_billing(row: Mapping[str, Any]) -> str:
    if row["state"] == "posted":
        return f"NetSuite has {row['their_external_id']} once more, as internal id {row['netsuite_id']}: not by us."
    if row["state"]:
        return f"NetSuite has {row['their_external_id']}, which is {row['state']} with us."
    return f"NetSuite has {row['their_external_id']} (internal id {row['netsuite_id']}), which we never posted."


def _deleted(row: Mapping[str, Any]) -> str:
    other = str(row["detail"] or "")
    if not other.startswith("internal id "):
        return _meaning(row)
    return f"{_meaning(row)} Its {other} there: somebody else's, or its external id and more of it were changed."


def _other_currency(row: Mapping[str, Any]) -> str:
    said = f"NetSuite has {row['their_symbol']} instead of {row['currency']}."
    if row["their_currency"] == row["expected_currency"]:
        return f"{said} The mapping gives {row['currency']} its id, {row['expected_currency']}."
    return said


def _amount(row: Mapping[str, Any]) -> str:
    there = UNREADABLE if row["detail"] == UNREADABLE else abs(row["netsuite"])
    return f"NetSuite has {there} instead of {abs(row['staged'])}."


_SAYS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "VOID_DECLINED": lambda row: f"{row['decided_by']} declined a credit memo for it.",
    "ACCEPTED": _accepted,
    "WAITS_FOR_INVOICE": lambda row: f"It waits for invoice {row['detail']}",
    "DELETED_IN_NETSUITE": _deleted,
    "READ_BACK_DIFFERS": lambda row: f"NetSuite has {row['detail']}.",
    "DIFFERS": lambda row: row["detail"] or _meaning(row),
    "NETSUITE_ONLY": lambda row: f"NetSuite has {row['their_external_id']}; {row['decided_by']} answers for it.",
    "DIFFERENCE_ACCEPTED": lambda row: f"{_meaning(row)[:-1]}: {row['decided_by']}.",
    "UNMAPPED": lambda row: (
        f"The mapping does not know its {'currency' if row['expected_entity'] else 'customer'} any more."
    ),
    "HELD": _reason,
    "EXCLUDED": _reason,
    "REJECTED": _reason,
    "UNKNOWN": _reason,
    "NOT_CLOSED": _with_state,
    "ON_ITS_WAY": _with_state,
    "MOVED_LATER": lambda row: f"It goes with {row['posting_date']:%Y-%m}.",
    "CHANGED_AFTER_POSTING": _changed,
    "STAGED_OTHERWISE": _staged_otherwise,
    "NOT_IN_BILLING": _not_in_billing,
    "AMOUNT_DIFFERS": _amount,
    "CUSTOMER_DIFFERS": lambda row: f"NetSuite has customer {row['entity']} instead of {row['expected_entity']}.",
    "CURRENCY_DIFFERS": _other_currency,
    "MEANS_ANOTHER": lambda row: f"In the mapping, {row['meaning']}.",
    "TYPE_DIFFERS": lambda row: f"NetSuite has a {row['type']}.",
    "ID_DIFFERS": lambda row: f"NetSuite has it as {row['their_id']}; it was posted under another internal id.",
    "EXTERNAL_ID_DIFFERS": lambda row: (
        f"NetSuite has it under {row['their_external_id'] or 'none'} instead of {row['external_id']}."
    ),
    "DATED_ELSEWHERE": lambda row: f"NetSuite dates it {row['tran_date']}; it was posted in {row['period']}.",
}
