"""The bills of the utility sample against those that its ledger computed on its own, to the cent."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from billing_assets.operations.utility_billing_store import Bill, Unbilled
from billing_assets.operations.utility_ledger import Difference, Ledger, Month

BILLED, GAP = "billed", "gap"
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

    @classmethod
    def of(cls, bills: Iterable[Bill], unbilled: Iterable[Unbilled]) -> "FoundBills":
        """By point and first day. A day of a point is on one bill, so a key has one."""
        return cls(
            {(one.point, f"{one.begins}"): one for one in bills},
            {(one.point, f"{one.begins}"): one for one in unbilled},
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
        elif row["state"] == GAP and (open_one is None or not _GAP_CODES & set(open_one.codes.split())):
            yield Difference(what, "held PERIOD_GAP", open_one.codes if open_one else "not in a batch")
    for key in sorted(found.bills.keys() - expected):
        bill = found.bills[key]
        yield Difference(f"{bill.account} {bill.begins}", "no bill", f"{bill.number}: {bill.total}")


def _said(tariff: str, amounts: Iterable[Decimal]) -> str:
    kwh, net, tax, total = amounts
    return f"{kwh} kWh by {tariff}: {net} and tax {tax}, {total}"


def places(ledger: Ledger, found: FoundBills, months: dict[tuple[str, str, str], Month]) -> list[Place]:
    """By group and month what was billed, and where the rest is: taken out of a batch, or held or waiting before."""
    sums: defaultdict[tuple[str, str, str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 5)
    for row in ledger.bills:
        key = row["point"], row["begin"]
        bill, open_one = found.bills.get(key), found.unbilled.get(key)
        month = months.get((row["point"], "", row["month"]))
        amounts = [Decimal(0)] * 4
        if bill is not None:
            state, why, amounts = BILLED, "", [bill.kwh, bill.net, bill.tax, bill.total]
        elif open_one is not None:
            state, why = open_one.state.replace("_", " "), open_one.codes
            amounts[0] = month.kwh if month is not None else Decimal(0)
        else:
            state, why = (month.state, " ".join(sorted(month.codes))) if month is not None else ("no usage", "")
        place = sums[row["bill_group"], row["month"], state, why]
        sums[row["bill_group"], row["month"], state, why] = [
            have + more for have, more in zip(place, [Decimal(1), *amounts], strict=True)
        ]
    return [Place(*key, int(many), *amounts) for key, (many, *amounts) in sorted(sums.items())]
