"""The sample's contracts and their services: made of the data by a rule, as the data has none. The same in every run.

*Contract:* one per customer and branch, numbered `<customer>-<place of the branch in the alphabet>`; a document without
a customer has none. *Service:* a family of stock codes (`families.py`). A contract has each service that it was ever
charged for:

- `one_time` if that was in one month only; `monthly` if it was in six months at least and in three of four months from
  the first to the last; else `usage`.
- It starts with the first month and ends with the last one; it has no end if that is September 2011 or later.
- So that an audit has something to find: one in fifty is not in the contract at all, and one in fifty of those that
  were charged for more than a month starts a month late.
"""

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from typing import Any, NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq

from billing_assets.sandbox.samples.data import DATA
from billing_assets.sandbox.samples.families import CARRIAGE, OTHER, services

_RUNNING_FROM = 2011 * 12 + 8  # September 2011, in months since year 0
_LEAST_MONTHS = 6
_LEAST_SHARE = 0.75
_ONE_IN = 50


class SampleService(NamedTuple):
    """A service of a contract of the sample."""

    contract: str
    customer: str
    country: str
    service: str
    description: str
    starts_on: date
    ends_on: date | None
    charged: str


def contract_number(customer: str | None, country: str) -> str | None:
    """The contract of a customer's documents in a branch; none without a customer."""
    return None if customer is None else f"{customer}-{_branch_numbers()[country]:02d}"


def contract_services() -> list[SampleService]:
    """Every service of every contract, in the order of the contracts."""
    found = [_service(*key, months) for key, months in _months()]
    return sorted(one for one in found if one is not None)


@cache
def _branch_numbers() -> dict[str, int]:
    countries = pc.unique(pq.read_table(DATA, columns=["Country"])["Country"]).to_pylist()
    return {country: place for place, country in enumerate(sorted(countries), start=1)}


def _months() -> Iterator[tuple[tuple[str, str, str], list[int]]]:
    """Customer, country and service, and the months (counted from year 0) in which it was charged, in order."""
    rows = pq.read_table(DATA, columns=["Customer ID", "Country", "StockCode", "InvoiceDate"])
    rows = rows.filter(pc.is_valid(rows["Customer ID"]))
    year, month = pc.year(rows["InvoiceDate"]), pc.month(rows["InvoiceDate"])
    rows = rows.append_column("month", pc.add(pc.multiply(year, 12), pc.subtract(month, 1)))
    rows = rows.append_column("service", services(rows["StockCode"]))
    grouped: Any = rows.group_by(["Customer ID", "Country", "service"]).aggregate([("month", "distinct")])
    names = ("Customer ID", "Country", "service", "month_distinct")
    for customer, country, service, months in zip(*(grouped[name].to_pylist() for name in names), strict=True):
        yield (customer, country, service), sorted(months)


def _service(customer: str, country: str, service: str, months: list[int]) -> SampleService | None:
    contract = contract_number(customer, country) or ""
    chance = int.from_bytes(hashlib.sha256(f"{contract}/{service}".encode()).digest()[:4])
    if chance % _ONE_IN == 0:
        return None
    first, last = months[0], months[-1]
    charged = "usage"
    if len(months) == 1:
        charged = "one_time"
    elif len(months) >= _LEAST_MONTHS and len(months) >= _LEAST_SHARE * (last - first + 1):
        charged = "monthly"
    late = chance % _ONE_IN == 1 and last > first
    return SampleService(
        contract,
        customer,
        country,
        service,
        _description(service),
        _first_day(first + late),
        None if last >= _RUNNING_FROM else _first_day(last + 1) - timedelta(days=1),
        charged,
    )


def _description(service: str) -> str:
    return {CARRIAGE: "Postage and carriage", OTHER: "Manual entries, discounts, fees"}.get(
        service, f"Goods whose stock code begins with {service[1:]}"
    )


def _first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)
