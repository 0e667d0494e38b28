"""What arrived: the billing database compared with what the sandbox holds, document by document, line by line.

Nothing of the product takes part but the sample's tables of NetSuite ids: a mistake of it cannot hide itself here.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from billing_assets.sandbox.samples.tables import netsuite_references
from proving.world.account import Account
from proving.world.builders import BillingSystem

_TYPES = {"I": ("invoice", "INV-"), "C": ("creditMemo", "CM-")}


class Count(NamedTuple):
    """`lost` and `doubled` are documents (anything in NetSuite beyond one each is doubled), `cents_off` is the sum of
    all differences of totals, `unequal` counts documents with a header field or a line that differs, `sent_twice`
    POSTs of a document that NetSuite had already and refused: nothing but its uniqueness stood between."""

    documents: int
    lost: int
    doubled: int
    cents_off: int
    unequal: int
    sent_twice: int

    @property
    def whole(self) -> bool:
        """Whether everything is there once, equal in all that we compare."""
        return not any(self[1:])


@cache
def _ids(name: str, key: str) -> dict[str, str]:
    return {row[key]: row["id"] for row in netsuite_references()[name]}


def expected(source: BillingSystem) -> dict[str, dict[str, Any]]:
    """What NetSuite should hold of everything closed in the billing system, by external id."""
    found: dict[str, dict[str, Any]] = {}
    rows = source.execute(
        """
        select i.number, i.kind, i.document_date, i.customer_no, i.currency, i.total,
               array_agg(array[l.stock_code, l.quantity::text, l.price::text, l.amount::text] order by l.line_no)
        from invoices as i join invoice_lines as l on l.invoice_id = i.id
        where i.status = 'closed' group by i.id"""
    )
    for number, kind, date, customer, currency, total, lines in rows:
        sign = -1 if kind == "C" else 1
        record_type, prefix = _TYPES[kind]
        found[prefix + number] = {
            "type": record_type,
            "tranDate": date.isoformat(),
            "entity": _ids("customer", "externalId")[customer],
            "currency": currency,
            "total": sign * total,
            "lines": [
                (_ids("item", "name")[code], sign * Decimal(quantity), Decimal(price), sign * Decimal(amount))
                for code, quantity, price, amount in lines
            ],
        }
    return found


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": record["type"],
        "tranDate": record["tranDate"],
        "entity": str(record["entity"]),
        "currency": record["currency"],
        "total": abs(Decimal(record["total"])),
        "lines": [
            (str(line["item"]), *(abs(Decimal(str(line[name]))) for name in ("quantity", "rate", "amount")))
            for line in record["lines"]["items"]
        ],
    }


def count(source: BillingSystem, account: Account) -> Count:
    """Compares. Raises nothing for what it finds."""
    return compare(expected(source), account)


def compare(
    should: Mapping[str, Mapping[str, Any]],
    account: Account,
    *,
    prefixes: Mapping[str, str] = MappingProxyType({}),
    answered: Collection[str] = (),
) -> Count:
    """The same with what NetSuite should hold, by external id under today's shipped prefixes.

    `prefixes`: other ones that a document may have there, and the shipped one that each stands for. `answered`: what a
    person changed in NetSuite and answers for; it must be there once, whatever it holds.
    """
    records = account.records()
    names = [_named(record["externalId"], prefixes) for record in records]
    copies = Counter(names)
    is_ = {name: _shown(record) for name, record in zip(names, records, strict=True)}
    both = should.keys() & is_.keys()
    compared = both - {*answered}
    summary = account.admin("summary")
    return Count(
        documents=len(should),
        lost=len(should.keys() - is_.keys()),
        doubled=sum(copies.values()) - len(both),
        cents_off=int(sum(abs(should[one]["total"] - is_[one]["total"]) for one in compared) * 100),
        unequal=sum(should[one] != is_[one] for one in compared),
        sent_twice=summary["posts"]["refused_duplicate"],
    )


def _named(external_id: str, prefixes: Mapping[str, str]) -> str:
    for other, shipped in prefixes.items():
        if external_id.startswith(other):
            return shipped + external_id.removeprefix(other)
    return external_id
