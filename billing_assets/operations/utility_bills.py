"""The bills of the utility sample against those that its ledger computed on its own, to the cent."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from billing_assets.operations.utility_billing_store import Bill, Unbilled
from billing_assets.operations.utility_ledger import BILLABLE, Difference, Ledger, Month, Row

BILLED, GAP, ELSEWHERE = "billed", "gap", "elsewhere"
_NOT_CONSUMED = {"B", "Q", "K"}
"""First letters of the suffixes of streams that are generation or reactive energy."""
_GAP_CODES = {"PERIOD_GAP"}
"""What holds a month whose predecessor is not billed."""

Key = tuple[str, str]


class Place(NamedTuple):
    """Where months of a group are. `why`: codes; amounts are of the currency."""

    bill_group: str
    month: str
    state: str
    why: str
    bills: int
    kwh: Decimal
    net: Decimal
    tax: Decimal
    total: Decimal


@dataclass(frozen=True)
class FoundBills:
    """What the database has of bills, by point and first day."""

    bills: dict[Key, Bill] = field(default_factory=dict)
    unbilled: dict[Key, Unbilled] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, bills: Iterable[Bill], unbilled: Iterable[Unbilled], elsewhere: set[str]) -> "FoundBills":
        """By point and first day. A day of a point is on one bill, so a key has one."""
        return cls(
            {(one.point, f"{one.begins}"): one for one in bills},
            {(one.point, f"{one.begins}"): one for one in unbilled},
            elsewhere,
        )


def bill_differences(ledger: Ledger, found: FoundBills) -> Iterator[Difference]:
    """Bills that are missing, too many or not to the cent, and months that are not held as they should be."""
    expected: set[Key] = set()
    for row in ledger.bills:
        key = row["point"], row["begin"]
        what = f"{row['account']} {row['month']}"
        bill, open_one = found.bills.get(key), found.unbilled.get(key)
        if row["state"] == BILLED:
            expected.add(key)
            wanted = tuple(Decimal(row[name]) for name in ("kwh", "net", "tax", "total"))
            if bill is None:
                why = f"{open_one.state} {open_one.codes}" if open_one else "no bill"
                yield Difference(what, f"{wanted[-1]} {row['currency']}", why)
                continue
            if wanted != (bill.kwh, bill.net, bill.tax, bill.total) or row["tariff"] != bill.tariff:
                said = _said(row["tariff"], wanted), _said(bill.tariff, (bill.kwh, bill.net, bill.tax, bill.total))
                yield Difference(what, *said)
            elif (bill.account, bill.bill_group, f"{bill.ends}") != (row["account"], row["bill_group"], row["end"]):
                yield Difference(
                    what, f"{row['bill_group']} until {row['end']}", f"{bill.bill_group} until {bill.ends}"
                )
        elif row["state"] == ELSEWHERE and row["point"] not in found.elsewhere:
            yield Difference(what, "no account of ours", "billing has it")
        elif row["state"] == GAP and (open_one is None or not _GAP_CODES & set(open_one.codes.split())):
            yield Difference(what, "held PERIOD_GAP", open_one.codes if open_one else "not in a batch")
    for key in sorted(found.bills.keys() - expected):
        bill = found.bills[key]
        yield Difference(f"{bill.account} {bill.begins}", "no bill", f"{bill.number}: {bill.total}")


def _said(tariff: str, amounts: Iterable[Decimal]) -> str:
    kwh, net, tax, total = amounts
    return f"{kwh} kWh by {tariff}: {net} and tax {tax}, {total}"


def places(ledger: Ledger, found: FoundBills, months: dict[tuple[str, str, str], Month]) -> list[Place]:
    """By group and month what was billed, and where the rest is: taken out of a batch, in another system, billable and
    in no batch, or held or waiting before. kWh are those that may be billed, without what was fed in."""
    streams: defaultdict[Key, list[tuple[str, Month]]] = defaultdict(list)
    for (point, suffix, name), month in months.items():
        streams[point, name].append((suffix, month))
    sums: defaultdict[tuple[str, str, str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 5)
    for row in ledger.bills:
        bill = found.bills.get((row["point"], row["begin"]))
        if bill is not None:
            state, why, amounts = BILLED, "", [bill.kwh, bill.net, bill.tax, bill.total]
        else:
            state, why, kwh = _place(row, found, streams[row["point"], row["month"]])
            amounts = [kwh, *[Decimal(0)] * 3]
        key = row["bill_group"], row["month"], state, why
        sums[key] = [have + more for have, more in zip(sums[key], [Decimal(1), *amounts], strict=True)]
    return [Place(*key, int(many), *amounts) for key, (many, *amounts) in sorted(sums.items())]


def _place(row: Row, found: FoundBills, streams: list[tuple[str, Month]]) -> tuple[str, str, Decimal]:
    """State, codes and kWh of a month without a bill."""
    state = next((month.state for _, month in streams if month.state != BILLABLE), BILLABLE if streams else "no usage")
    codes = " ".join(sorted({code for _, month in streams if month.state != BILLABLE for code in month.codes}))
    # Of Texas the usage counts, whether intervals came with it or not.
    used = [month.kwh for suffix, month in streams if not suffix] or [
        month.kwh for suffix, month in streams if suffix[0] not in _NOT_CONSUMED
    ]
    kwh = sum(used, Decimal(0)) if state == BILLABLE else Decimal(0)
    open_one = found.unbilled.get((row["point"], row["begin"]))
    if open_one is not None:
        return open_one.state.replace("_", " "), open_one.codes, kwh
    if row["point"] in found.elsewhere:
        return ELSEWHERE, codes or "no account here", kwh
    return state, codes or (row["why"] or "in no batch" if state == BILLABLE else ""), kwh


def explained(ledger: Ledger, each: Iterable[Place]) -> Iterator[tuple[str, str, Decimal, Decimal]]:
    """Of each market and state the billable kWh, beside all that the ledger has in the market."""
    billable: defaultdict[str, Decimal] = defaultdict(Decimal)
    whole = {(row["point"], row["month"]) for row in ledger.months if row["state"] != BILLABLE}
    for row in ledger.months:
        if (row["point"], row["month"]) not in whole and row["suffix"][:1] not in _NOT_CONSUMED:
            billable[row["market"]] += Decimal(row["kwh"])
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for one in each:
        sums["Texas" if one.bill_group.startswith("TX") else "Australia", one.state] += one.kwh
    for (market, state), kwh in sorted(sums.items()):
        if kwh:
            yield market, state, kwh, billable[market]


def place_differences(ledger: Ledger, each: Iterable[Place]) -> Iterator[Difference]:
    """Markets of which the places are not all that may be billed: every kWh is in one of them."""
    wholes: dict[str, Decimal] = {}
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for market, _, kwh, whole in explained(ledger, each):
        wholes[market] = whole
        found[market] += kwh
    for market, whole in wholes.items():
        if found[market] != whole:
            yield Difference(f"billable kWh of {market}", f"{whole}", f"{found[market]} in all places")
