"""Customers whose usage may be billed: master data, an approved tariff, and messages of the market."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.accounts.loading import LoadedAccounts, load_accounts
from billing_assets.invoicing.tariffs import store as tariffs
from billing_assets.metering.usage import store as usage_store
from billing_assets_tests.rooms.metering.usage.arriving import arrive
from billing_assets_tests.unit.metering.usage.messages import charges, usage

JUNE = (date(2026, 6, 3), date(2026, 7, 2))
JULY = (date(2026, 7, 2), date(2026, 8, 3))
CUT_OFF = date(2026, 8, 10)
PRICE = Decimal("0.25")

GROUPS = "bill_group,issuer,currency,automated,max_batch,ceiling,valid_from\n"
ACCOUNTS = "account,bill_group,billing_model,tax_codes,valid_from\n"
AGREEMENTS = "point,account,tariff,valid_from\n"


def point_of(number: int) -> str:
    """The service point of an account's number."""
    return f"1003278{number:010}"


def load(state: Connection, folder: Path, **files: str) -> LoadedAccounts:
    """Loads files by the names of their kinds."""
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return load_accounts(state, folder)


def customers(
    state: Connection,
    folder: Path,
    *numbers: int,
    group: str = "G1",
    automated: bool = False,
    max_batch: int = 200,
    ceiling: str = "",
    model: str = "supplier_consolidated",
) -> None:
    """Customers of a group, each with a service point and an approved tariff, since 2026."""
    approved_tariff(state)
    for number in numbers:
        point = point_of(number)
        state.execute(
            "insert into billing.service_points (point, valid_from, zone) values (%s, '2026-06-03', 'America/Chicago')",
            [point],
        )
        state.execute(
            "insert into billing.supply_periods (point, account, valid_from) values (%s, %s, '2026-06-03')",
            [point, f"A{number}"],
        )
    load(
        state,
        folder,
        bill_groups=GROUPS + f"{group},ACME,USD,{automated},{max_batch},{ceiling},2026-01-01\n",
        accounts=ACCOUNTS + "".join(f"A{one},{group},{model},TX,2026-01-01\n" for one in numbers),
        agreements=AGREEMENTS + "".join(f"{point_of(one)},A{one},FLAT,2026-01-01\n" for one in numbers),
    )


def approved_tariff(state: Connection, code: str = "FLAT", *, includes_tax: bool = False) -> None:
    """A price a kWh and sales tax, on top of it or inside."""
    charge = {"code": "energy", "kind": "usage", "versions": [{"valid_from": "2026-01-01", "price": str(PRICE)}]}
    tax = {
        "code": "sales",
        "kind": "tax",
        "applies_to": {"groups": ["energy"]},
        "versions": [{"valid_from": "2026-01-01", "rate": "0.10"}],
    }
    content = {"code": code, "currency": "USD", "prices_include_tax": includes_tax, "charges": [charge, tax]}
    file = tariffs.FileOf("made.json", "json", b"f" * 32)
    loaded = tariffs.load(state, content, code.encode().ljust(32), [], file, "Mara", "New")
    if loaded.is_new:
        tariffs.approve(state, code, loaded.number, "Ben", "Compared with the contract")


def metered(
    state: Connection,
    number: int,
    period: tuple[date, date] = JUNE,
    amount: int = 1000,
    *,
    paired: bool = True,
    content: Mapping[str, Any] | None = None,
    charged: Mapping[str, Any] | None = None,
    **given: Any,
) -> int:
    """Usage of a customer with its charges, ready to be billed. The number of the usage's message. `content`,
    `charged`: what their reader made of usage and charges."""
    name = f"U{number}-{period[0]}-{given.pop('version', 1)}"
    facts = [replace_point(usage(name, period=period, amount=Decimal(amount), **given), number)]
    if paired:
        facts.append(replace_point(charges(f"I{name}", names=name, period=period), number))
    arrived = arrive(state, facts, {name: content or {}, f"I{name}": charged or {}})
    with state.transaction():
        usage_store.settle(state, [point_of(number)])
    return arrived[0].message


def replace_point(fact: Any, number: int) -> Any:
    """The same fact of another service point."""
    return fact._replace(point=point_of(number))
