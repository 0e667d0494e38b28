"""What the database has of the utility sample against what its ledger says must come out."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.operations import utility_store
from billing_assets.operations.utility_store import FileState, Sum, UsagePeriod

_VERDICTS = {"accept": "accepted", "hold": "held", "refuse": "refused", "duplicate": "duplicate"}
_OUTCOMES = {"ready": "current", "billed": "current", "restated": "superseded"}
BILLABLE, HELD, WAITING, CANCELLED, MISSING = "billable", "held", "waiting", "cancelled", "missing"

_DAY = timedelta(days=1)

Row = dict[str, str]


class Month(NamedTuple):
    """A point's stream in a month as the database has it."""

    state: str
    codes: frozenset[str]
    kwh: Decimal = Decimal(0)
    charges: Decimal = Decimal(0)


class Difference(NamedTuple):
    """Where the database and the ledger differ."""

    what: str
    expected: str
    found: str


@dataclass
class Ledger:
    """The ledger of a world."""

    folder: Path
    files: list[Row] = field(default_factory=list)
    months: list[Row] = field(default_factory=list)
    totals: list[Row] = field(default_factory=list)
    bills: list[Row] = field(default_factory=list)

    @classmethod
    def of(cls, world: Path) -> "Ledger":
        """Reads it."""
        return cls(world, *(_rows(world / "ledger" / f"{name}.csv") for name in ("files", "months", "totals", "bills")))

    @property
    def read_points(self) -> list[str]:
        """Points whose meters are read once a month."""
        return sorted({row["point"] for row in self.months if row["suffix"].isdigit()})


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def file_differences(ledger: Ledger, found: Iterable[FileState]) -> Iterator[Difference]:
    """Files whose state, refusal or sums are not as written."""
    states = {one.name: one for one in found}
    for row in ledger.files:
        one = states.get(row["name"])
        if one is None:
            yield Difference(row["name"], row["verdict"], "it did not come")
            continue
        expected = _VERDICTS[row["verdict"]]
        is_named = row["verdict"] != "refuse" or not row["code"] or row["code"] in one.codes
        if one.state != expected or not is_named:
            yield Difference(row["name"], f"{expected} {row['code']}", f"{one.state} {' '.join(one.codes)}")
        elif one.state in {"accepted", "held"} and row["format"] != "X12":
            written = (int(row["readings"]), Decimal(row["kwh"]), Decimal(row["kvarh"]))
            if written != (one.readings, one.kwh, one.kvarh):
                yield Difference(row["name"], str(written), f"{one.readings}, {one.kwh}, {one.kvarh}")


class Balance(NamedTuple):
    """What the files of a market have in a unit: all of it, what is in broken or doubled ones, and the rest by what
    became of it, as written and as the database has it."""

    market: str
    unit: str
    sent: Decimal
    not_taken: Decimal
    written: dict[str, Decimal]
    found: dict[str, Decimal]

    @property
    def total(self) -> Decimal:
        """What was not taken and what the database has: to be what was sent."""
        return self.not_taken + sum(self.found.values(), Decimal(0))


def balances(ledger: Ledger, sums: Iterable[Sum]) -> list[Balance]:
    """The balance of each market and unit."""
    found: defaultdict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
    for one in sums:
        outcome = "cancel" if one.is_cancel and one.state == "ready" else _OUTCOMES.get(one.state, one.state)
        of_unit = found[one.market, one.unit]
        of_unit[outcome] = of_unit.get(outcome, Decimal(0)) + one.quantity
    written: defaultdict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
    for row in ledger.totals:
        written[row["market"], row["unit"]][row["outcome"]] = Decimal(row["quantity"])
    return [
        Balance(
            *key,
            of_unit.pop("sent"),
            of_unit.pop("refused", Decimal(0)) + of_unit.pop("doubled", Decimal(0)),
            of_unit,
            found[key],
        )
        for key, of_unit in sorted(written.items())
    ]


def sum_differences(balances: Iterable[Balance], counted: dict[str, Decimal]) -> Iterator[Difference]:
    """Sums by what became of each message, and the sums of the tables of readings themselves."""
    for one in balances:
        for outcome in sorted({*one.written, *one.found}):
            expected, found = (of.get(outcome, Decimal(0)) for of in (one.written, one.found))
            if expected != found:
                yield Difference(f"{one.market} {one.unit} {outcome}", f"{expected:,}", f"{found:,}")
        if one.market == "Australia" and counted.get(one.unit, Decimal(0)) != one.written["current"]:
            what = f"{one.unit} of the readings that count"
            yield Difference(what, f"{one.written['current']:,}", f"{counted.get(one.unit, 0):,}")


@dataclass
class _Calendar:
    """The months of the ledger: which one a point's stream has on a day, and by its own month beyond them."""

    days: dict[tuple[str, str], list[tuple[str, str, str]]]

    @classmethod
    def of(cls, ledger: Ledger) -> "_Calendar":
        found: defaultdict[tuple[str, str], list[tuple[str, str, str]]] = defaultdict(list)
        for row in ledger.months:
            found[row["point"], row["suffix"]].append((row["begin"], row["end"], row["month"]))
        return cls(found)

    def month(self, point: str, suffix: str, day: date) -> str:
        said = f"{day}"
        for begin, end, month in self.days.get((point, suffix), ()):
            if begin <= said < end:
                return month
        return said[:7]


def months(connection: Connection, ledger: Ledger) -> dict[tuple[str, str, str], Month]:
    """Every point, stream and month as the database has it. A period belongs to the month that has its last day: one
    that begins early, or with a meter in its middle, is still of that month."""
    calendar = _Calendar.of(ledger)
    found: dict[tuple[str, str, str], Month] = {}
    held: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for message in utility_store.held_messages(connection):
        held[message.point, message.suffix, calendar.month(message.point, message.suffix, message.day)].add(
            message.code
        )
    for one in utility_store.stream_periods(connection):
        key = (one.point, one.suffix, calendar.month(one.point, one.suffix, one.ends - _DAY))
        before = found.get(key, Month(BILLABLE, frozenset()))
        state = HELD if HELD in {one.state, before.state} else BILLABLE
        codes = before.codes | frozenset(one.rules)
        found[key] = Month(state, codes, before.kwh + (one.quantity or 0))
    for key, codes_of in held.items():
        known = found.get(key)
        if known is None or known.state == HELD:
            found[key] = Month(HELD, (known.codes if known else frozenset()) | codes_of)
    by_month: defaultdict[tuple[str, str, str], list[UsagePeriod]] = defaultdict(list)
    for period in utility_store.usage_periods(connection):
        by_month[period.point, "", calendar.month(period.point, "", period.ends - _DAY)].append(period)
    return found | {key: _usage_month(periods) for key, periods in by_month.items()}


def _usage_month(periods: list[UsagePeriod]) -> Month:
    ready = [one for one in periods if one.kind == "usage" and one.state == "ready"]
    if ready:
        charges = sum((one.charges or Decimal(0) for one in ready), Decimal(0))
        return Month(BILLABLE, frozenset(), sum((one.amount for one in ready), Decimal(0)), charges)
    of_usage = [one for one in periods if one.kind == "usage"] or periods
    open_ones = [one for one in of_usage if one.state in {HELD, WAITING}]
    state = HELD if any(one.state == HELD for one in open_ones) else WAITING
    return Month(state if open_ones else CANCELLED, frozenset(code for one in open_ones for code in one.codes))


def month_differences(ledger: Ledger, found: dict[tuple[str, str, str], Month]) -> Iterator[Difference]:
    """Months that are not as the ledger says: the state, the kWh and cents, or none of its codes."""
    nothing = Month(MISSING, frozenset())
    for row in ledger.months:
        one = found.get((row["point"], row["suffix"], row["month"]), nothing)
        if row["state"] == CANCELLED and one is nothing:
            continue
        codes = set(row["codes"].split())
        is_same = one.state == row["state"] and (row["state"] != BILLABLE or one.kwh == Decimal(row["kwh"]))
        is_same = is_same and (not codes or bool(codes & one.codes))
        if is_same and row["state"] == BILLABLE and row["market"] == "Texas":
            is_same = one.charges * 100 == int(row["charges"])
        if not is_same:
            what = f"{row['point']} {row['suffix']} {row['month']}".replace("  ", " ")
            said = row["kwh"] if row["state"] == BILLABLE else row["codes"]
            yield Difference(
                what,
                f"{row['state']} {said} ({row['fault'] or 'no fault'})",
                f"{one.state} {one.kwh} {' '.join(sorted(one.codes))}",
            )


def by_state(ledger: Ledger, found: dict[tuple[str, str, str], Month]) -> list[tuple[str, str, str, int, Decimal]]:
    """Market, state and code, months and kWh, for people."""
    counts: Counter[tuple[str, str, str]] = Counter()
    kwh: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in ledger.months:
        one = found.get((row["point"], row["suffix"], row["month"]), Month(CANCELLED, frozenset()))
        key = (row["market"], one.state, " ".join(sorted(one.codes)) if one.state != BILLABLE else "")
        counts[key] += 1
        kwh[key] += one.kwh
    return [(*key, number, kwh[key]) for key, number in sorted(counts.items())]
