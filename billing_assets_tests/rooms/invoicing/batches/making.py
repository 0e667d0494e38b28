"""Accounts that are made for one validation each: what they are, what they were billed, and what came since."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.accounts.store import hold
from billing_assets.invoicing.batches import reviewing
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.invoices import releasing
from billing_assets.invoicing.invoices.drafting import Bounds
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.processing import process
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, JULY, JUNE, approved_tariff, load, metered, point_of

APRIL = (date(2026, 4, 2), date(2026, 5, 2))
MAY = (date(2026, 5, 2), JUNE[0])
EVER = date(2030, 1, 1)
NEW = datetime(2026, 8, 9, tzinfo=UTC)
"""When usage came that no deadline runs for yet."""

_GROUP = {"issuer": "ACME", "currency": "USD", "max_batch": 10000}
_ACCOUNT = {"bill_group": "G1", "billing_model": "supplier_consolidated", "tax_codes": "TX", "delivery": "paper"}


def meter(name: str = "M1", begin: str = "100", end: str = "1100", **row: Any) -> dict[str, Any]:
    """A meter of an 867 that was read twice."""
    read = {"unit": "KH", "time_of_use": "51", "quantity": "1000", "begin_read": begin, "end_read": end}
    return {"type": "PL", "meter": name, "rows": [read | {"multiplier": "1", "rolled_over": False} | row]}


def said(*loops: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """What an 867 says besides its quantity."""
    return {"report_type": "DD", "references": {}, "loops": list(loops)} | given


@dataclass
class Making:
    """Customers by number, with what was and is to be billed to them. Numbers are service points and accounts too."""

    state: Connection
    url: str
    folder: Path
    groups: dict[str, dict[str, Any]] = field(default_factory=lambda: {"G1": {}})
    accounts: dict[int, dict[str, Any]] = field(default_factory=dict)
    agreements: dict[int, dict[str, Any]] = field(default_factory=dict)
    billed: list[Callable[[], object]] = field(default_factory=list)
    came: list[Callable[[], object]] = field(default_factory=list)
    locked: list[Callable[[], object]] = field(default_factory=list)
    drafted: list[Callable[[], object]] = field(default_factory=list)
    moved: dict[int, tuple[int, str, str]] = field(default_factory=dict)

    def customer(
        self,
        number: int,
        *before: tuple[date, date],
        since: date | None = None,
        until: date | None = None,
        tariff: str = "FLAT",
        agreed_until: str = "",
        agreement: Mapping[str, Any] | None = None,
        account_of: int | None = None,
        **account: Any,
    ) -> None:
        """A customer, supplied since the first of the periods that were billed before, by default since July; with
        `account_of` a service point more of that customer."""
        first = since or min([period[0] for period in before], default=JULY[0])
        self.state.execute(
            "insert into billing.service_points (point, valid_from, zone) values (%s, %s, 'America/Chicago')",
            [point_of(number), first],
        )
        self.state.execute(
            "insert into billing.supply_periods (point, account, valid_from, valid_until) values (%s, %s, %s, %s)",
            [point_of(number), f"A{account_of or number}", first, until],
        )
        if account_of is None:
            self.accounts[number] = _ACCOUNT | account
        self.agreements[number] = {
            "account": f"A{account_of or number}",
            "tariff": tariff,
            "valid_until": agreed_until,
            **(agreement or {}),
        }
        for period in before:
            self.was(number, period)

    def was(self, number: int, period: tuple[date, date] = JUNE, **given: Any) -> None:
        """Usage that is billed before anything else comes."""
        self.billed.append(lambda: metered(self.state, number, period, **given))

    def comes(self, number: int, period: tuple[date, date] = JULY, **given: Any) -> None:
        """Usage that comes then, and is to be billed."""
        self.came.append(lambda: metered(self.state, number, period, **({"arrived_at": NEW} | given)))

    def moves_in(self, number: int, point: int, day: date, tariff: str = "FLAT") -> None:
        """A customer has a service point from then on: another's, or their own by another tariff."""
        if number != point:
            self.state.execute(
                "insert into billing.supply_periods (point, account, valid_from) values (%s, %s, %s)",
                [point_of(point), f"A{number}", day],
            )
        self.moved[point] = number, f"{day}", tariff

    def on_hold(self, number: int, until: date) -> None:
        """A person keeps the account from being billed."""
        self.came.append(lambda: hold(self.state, f"A{number}", until, "Mara", "Complaint 7"))

    def make(self) -> list[int]:
        """Writes it all, bills what was, and validates the rest: the numbers of these batches."""
        for tariff in ("FLAT", "OTHER"):
            approved_tariff(self.state, tariff)
        load(
            self.state,
            self.folder,
            bill_groups=_table("bill_group", {name: _GROUP | one for name, one in self.groups.items()}),
            accounts=_table("account", {f"A{n}": one for n, one in self.accounts.items()}),
            agreements=_table("point", {point_of(n): one for n, one in self.agreements.items()}),
        )
        for point, (number, day, tariff) in self.moved.items():
            load(
                self.state,
                self.folder,
                agreements=f"point,account,tariff,valid_from\n{point_of(point)},A{number},{tariff},{day}\n",
            )
        for step in self.billed:
            step()
        self._bill()
        for step in self.came:
            step()
        names = tuple(f"A{number}" for number in self.accounts)
        batches = [one.batch for one in lock(self.state, Wanted(Selection.CUSTOMER, EVER, names), "Mara", "All")]
        for step in self.locked:
            step()
        for batch in batches:
            validate(self.state, batch, today=CUT_OFF)
        return batches

    def _bill(self) -> None:
        for planned in lock(self.state, Wanted(Selection.BILL_GROUP, CUT_OFF, tuple(self.groups)), "Mara", "Before"):
            assert validate(self.state, planned.batch, today=CUT_OFF).held == 0
            reviewing.proceed(self.state, planned.batch, "Mara", "Before")
            process(self.url, self.state, rate_case, "one", planned.batch, bounds=Bounds(100), today=CUT_OFF)
            releasing.check_quality(self.state, planned.batch, CUT_OFF)
            releasing.issue(self.state, planned.batch, CUT_OFF)


def _table(key: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """A CSV file of master data, by key; valid since 2024 where a row says no other day."""
    names = sorted({name for row in rows.values() for name in row} - {"valid_from"})
    text = StringIO()
    written = csv.DictWriter(text, [key, "valid_from", *names])
    written.writeheader()
    for name, row in rows.items():
        written.writerow({key: name, "valid_from": "2024-01-01", **row})
    return text.getvalue()


def intervals(
    state: Connection, message: int, number: int, kwh: Decimal, missing: int = 0, *, replaced: bool = False
) -> None:
    """Hours of July that came with an 867 and add up to so many kWh; the first of them are missing.

    `replaced`: only its first day is its own; the others came with another message of the point, and are the same.
    """
    (other,) = state.execute(
        "select max(message) as message from billing.usage_messages where point = %s", [point_of(number)]
    ).fetchall()
    stream = state.execute(
        "insert into billing.streams (point, suffix, register) values (%s, 'KH', 'M1') returning id", [point_of(number)]
    ).fetchone()
    assert stream is not None
    state.execute(
        "select billing.open_reading_month('interval_readings', d) from unnest(%s::date[]) as d", [list(JULY)]
    )
    days = (JULY[1] - JULY[0]).days
    values = [0] * (24 * days)
    values[-1] = int(kwh * 1000)
    for day in range(days):
        hours = values[24 * day + (missing if day == 0 else 0) : 24 * (day + 1)]
        state.execute(
            """
            insert into billing.interval_readings (stream, day, message, starts_at, length_seconds, values, decimals,
                unit, quality, content_hash, state)
            values (%(stream)s, %(first)s::date + %(day)s, %(message)s, (%(first)s::date + %(day)s)::timestamp
                    at time zone 'America/Chicago' + make_interval(hours => %(skip)s), 3600,
                %(values)s, 3, 'kWh', 'A', '\\x00', 'current')""",
            {
                "stream": stream["id"],
                "first": JULY[0],
                "day": day,
                "message": other["message"] if replaced and day else message,
                "skip": missing if day == 0 else 0,
                "values": hours,
            },
        )
