"""Billing's master data as CSV, and its tariffs as JSON: who is billed by what, in which group.

Each utility and each provider has a bill group. Half of the Australian customers are billed in another system (SAP):
its issuer has the agreements with them, so ours has neither account nor agreement of theirs.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from billing_assets.sandbox.samples.utility.chance import draw, pick
from billing_assets.sandbox.samples.utility.clock import read_day
from billing_assets.sandbox.samples.utility.index_prices import write_prices
from billing_assets.sandbox.samples.utility.points import PROVIDERS, UTILITIES, Point
from billing_assets.sandbox.samples.utility.products import (
    CITY,
    GST,
    PRODUCTS,
    SINCE,
    TEXAS_TAXES,
    US_PLACE,
    Product,
    product_of,
)
from billing_assets.sandbox.samples.utility.rates import MONTHS

ISSUERS = {"USD": "RETAILTX", "AUD": "RETAILAU"}
PASSED_ON = (
    ("BAS001", "Customer charge"),
    ("MSC038", "Metering"),
    ("DIS001", "Distribution"),
    ("TRN001", "Transmission"),
)
"""The utilities' charges that are passed on, as an 810 has them."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "bill_groups": (
        "bill_group", "name", "issuer", "currency", "automated", "max_batch", "due_days", "calendar",
        "without_charges", "valid_from",
    ),
    "bill_cycles": ("bill_group", "cycle", "estimate_from", "read_on", "invoice_date", "valid_from", "valid_until"),
    "accounts": (
        "account", "bill_group", "customer_class", "billing_model", "delivery", "tax_codes", "language", "valid_from",
    ),
    "agreements": ("point", "account", "tariff", "valid_from"),
}  # fmt: skip
Row = Sequence[object]


def billed_in_sap(seed: int, points: Sequence[Point]) -> set[int]:
    """Numbers of the points that another system bills: half of those in Australia, in the order of their draw."""
    australia = [one.number for one in points if not is_texan(one)]
    return set(sorted(australia, key=lambda number: draw(seed, "sap", number))[: len(australia) // 2])


def is_texan(point: Point) -> bool:
    """Whether it is in Texas."""
    return point.pool.startswith("Texas")


def group_of(point: Point) -> str:
    """Its bill group."""
    if is_texan(point):
        return f"TX-{UTILITIES[point.sender].name.split()[0]}"
    return f"AU-{PROVIDERS[point.sender].name.removesuffix('MDP')}"


def places_of(seed: int, point: Point) -> tuple[str, ...]:
    """Places whose taxes apply: two of three in Texas are in a city."""
    if not is_texan(point):
        return ("AU",)
    return (US_PLACE, CITY) if pick(0, 2, seed, "city", point.number) else (US_PLACE,)


def write_billing_data(folder: Path, seed: int, points: Iterable[Point]) -> None:
    """One file for each table and each tariff, with what is known of these points."""
    known = list(points)
    tariffs = folder / "tariffs"
    tariffs.mkdir(parents=True, exist_ok=True)
    for product in PRODUCTS.values():
        text = json.dumps(tariff(product), indent=2) + "\n"
        (tariffs / f"{product.code}.json").write_text(text, encoding="utf-8")
    write_prices(folder / "prices", seed)
    groups = {group_of(one): one for one in sorted(known, key=lambda one: one.number, reverse=True)}
    rows: dict[str, list[Row]] = {
        "bill_groups": [_group(name, one) for name, one in sorted(groups.items())],
        "bill_cycles": [_cycle(name, month) for name in sorted(groups) for month in range(len(MONTHS))],
        "accounts": [_account(seed, one) for one in known],
        "agreements": [(one.name, one.account, product_of(one).code, SINCE) for one in known],
    }
    for name, columns in COLUMNS.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows[name])


def _group(name: str, point: Point) -> Row:
    currency = product_of(point).currency
    regions = {"AU-EAST": "AU-NSW", "AU-SOUTH": "AU-SA", "AU-NORTH": "AU-QLD"}
    return (
        name, name.replace("-", " ").title(), ISSUERS[currency], currency, "no", 200, 16, regions.get(name, "US-TX"),
        "yes" if currency == "AUD" else "no", SINCE,
    )  # fmt: skip


def _cycle(group: str, month: int) -> Row:
    first, last = read_day(month + 1, 1), read_day(month + 1, 20)
    day = last + timedelta(days=7)
    return group, f"{MONTHS[month]:%Y-%m}", last, first, day, first, day + timedelta(days=1)


def _account(seed: int, point: Point) -> Row:
    places = " ".join(places_of(seed, point))
    delivery = ("paper", "email", "both")[pick(0, 2, seed, "delivery", point.number)]
    return (
        point.account, group_of(point), point.klass, "supplier_consolidated", delivery, places, "en", SINCE,
    )  # fmt: skip


# --- tariffs --------------------------------------------------------------------------------------------------------


def _price(ten_thousandths: int) -> str:
    return f"{Decimal(ten_thousandths).scaleb(-4):f}"


def _charge(code: str, kind: str, text: str, product: Product, parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    taxed = {} if product.is_texan else {"tax_category": "GST"}
    common = {"code": code, "kind": kind, "bill_text": text}
    return common | taxed | fields | {"versions": [{"valid_from": f"{SINCE}"} | parts]}


def tariff(product: Product) -> dict[str, Any]:
    """A product as a tariff in our JSON."""
    charges = list(_energy(product))
    if product.month:
        parts = {"price": f"{Decimal(product.month).scaleb(-2):f}", "period": "P1M"}
        charges.append(_charge("base", "fixed_period", "Base charge", product, parts))
    if product.day:
        charges.append(_charge("supply", "fixed_daily", "Daily charge", product, {"price": _price(product.day)}))
    if product.least:
        parts = {"amount": f"{Decimal(product.least).scaleb(-2):f}"}
        charges.append(_charge("least", "minimum", "Minimum", product, parts, applies_to={"codes": ["energy"]}))
    if product.fed_in:
        parts = {"price": _price(product.fed_in)}
        charges.append(_charge("feed_in", "feed_in", "Solar feed-in", product, parts, tax_category="zero-rated"))
    charges += _texan(product) if product.is_texan else [_gst()]
    return {"code": product.code, "name": product.name, "currency": product.currency, "charges": charges}


def _energy(product: Product) -> Iterable[dict[str, Any]]:
    if product.series:
        parts = {"series": product.series, "adder": f"{Decimal(product.adder).scaleb(-2):f}"}
        yield _charge("energy", "index", "Energy at hub prices", product, parts)
    elif product.windows:
        windows = [
            {
                "name": one.name, "days": one.days.split(), "from": f"{one.begin:02}:00", "to": f"{one.end:02}:00",
                "price": _price(one.price),
            }
            | ({"register": one.register} if one.register else {})
            for one in product.windows
        ]  # fmt: skip
        yield _charge("energy", "tou", "Energy", product, {"windows": windows})
    elif len(product.steps) == 1:
        yield _charge("energy", "usage", "Energy", product, {"price": _price(product.steps[0].price)})
    else:
        blocks = [
            ({"up_to": f"{one.up_to}"} if one.up_to else {}) | {"price": _price(one.price)} for one in product.steps
        ]
        rule = {"period": "P1M"} if product.scaled else {"period": "bill"}
        yield _charge("energy", "usage", "Energy", product, {"blocks": blocks, "block_rule": rule})
    if product.controlled:
        parts = {"price": _price(product.controlled)}
        yield _charge("controlled", "usage", "Controlled load", product, parts, channels=["controlled_load"])


def _texan(product: Product) -> Iterable[dict[str, Any]]:
    codes = [{"code": code, "bill_text": text} for code, text in PASSED_ON]
    yield _charge("delivery", "passthrough", "Delivery", product, {"codes": codes})
    groups = ["energy", "fixed", "passthrough"]
    for number, one in enumerate(TEXAS_TAXES, 901):
        applies: dict[str, Any] = {"groups": groups}
        if one.on_taxes:
            applies["taxes"] = [other.code for other in TEXAS_TAXES if other.code != one.code]
        rate = f"{Decimal(one.rate.numerator) / Decimal(one.rate.denominator):f}"
        parts: dict[str, Any] = {"rate": rate, "jurisdiction": US_PLACE, "place_codes": [one.place]}
        parts |= {"method": "gross_up"} if one.on_receipts else {}
        parts |= {"customer_classes": [one.of_class]} if one.of_class else {}
        yield _charge(one.code, "tax", one.name, product, parts, applies_to=applies, sequence=number)


def _gst() -> dict[str, Any]:
    parts = {"valid_from": f"{SINCE}", "rate": f"{Decimal(GST.numerator) / Decimal(GST.denominator):f}"}
    applies = {"tax_categories": ["GST"]}
    return {
        "code": "gst", "kind": "tax", "bill_text": "GST", "applies_to": applies,
        "versions": [parts | {"jurisdiction": "AU"}],
    }  # fmt: skip
