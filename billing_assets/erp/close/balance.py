"""The sums of a month as columns that add up, for each currency and kind.

    billing + moved = posted + nothing to bill + kept back + decided + not posted
    posted + differs = NetSuite

Both hold for documents and for totals, whatever differs, drifted or moved between months: a property test holds them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from billing_assets.erp.close.causes import CAUSES, Sort
from billing_assets.erp.close.sums import NOTHING, Sum
from billing_assets.erp.documents.documents import Kind, State

_NOT_IN_NETSUITE = {
    Sort.KEPT_BACK: "kept_back",
    Sort.EXPLAINED: "nothing_to_bill",
    Sort.DECIDED: "decided",
    Sort.UNPOSTED: "not_posted",
    Sort.UNKNOWN: "not_posted",
}
"""In which column a document is that is not the same everywhere, but does not differ."""


class Balance(NamedTuple):
    """What a month has of one currency and kind. Credit memos are negative.

    `moved`: late documents from earlier months less those that go with a later one, and our own credit memos for voids.
    `nothing_to_bill`: zero, or voided. `kept_back`: held, or waiting for an invoice. `decided`: a person answers for
    the difference.
    `not_posted`: open, ready, in flight, rejected, or not staged. `posted`: what NetSuite should have of it.
    `differs`: what NetSuite has more than that; a document with another total counts only with its total.
    """

    currency: str
    kind: str
    billing: Sum
    moved: Sum
    nothing_to_bill: Sum
    kept_back: Sum
    decided: Sum
    not_posted: Sum
    posted: Sum
    netsuite: Sum
    differs: Sum


def balances(sums: Iterable[Mapping[str, Any]]) -> Iterator[Balance]:
    """The sums of a comparison (`comparison.sums`) by currency and kind, invoices first."""
    found: dict[tuple[str, str], dict[str, Sum]] = defaultdict(lambda: defaultdict(lambda: NOTHING))
    for one in sums:
        columns = found[(one["currency"], one["kind"])]
        came = one["moved_documents"] * (-1 if one["moved_where"] == "moved_out" else 1)
        there = Sum(one["netsuite_documents"], one["netsuite"])
        expected = Sum(one["billing_documents"] + came, one["billing"] + one["moved"])
        parts = {
            "billing": Sum(one["billing_documents"], one["billing"]),
            "moved": Sum(came, one["moved"]),
            "netsuite": there,
            **_parts(one, expected, there),
        }
        for name, part in parts.items():
            columns[name] = columns[name].plus(*part)
    for currency, kind in sorted(found, key=lambda key: (key[0], key[1] != Kind.INVOICE, key[1])):
        yield Balance(currency, kind, *(found[(currency, kind)][name] for name in Balance._fields[2:]))


def _parts(one: Mapping[str, Any], expected: Sum, there: Sum) -> dict[str, Sum]:
    """Where documents belong of which NetSuite should have `expected`, and has `there`."""
    less = Sum(expected.documents - there.documents, expected.total - there.total)
    if one["cause"] and (column := _NOT_IN_NETSUITE.get(CAUSES[one["cause"]].sort)):
        return {column: less, "posted": there}
    if one["state"] != State.POSTED and not there.documents:
        return {"not_posted": expected}
    return {"posted": expected, "differs": Sum(-less.documents, -less.total)}
