"""What the retailer's NetSuite knows: customers, items of the charges, subsidiaries; and the mapping to them."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from billing_assets.sandbox.samples.utility.billing_data import ISSUERS, tariff
from billing_assets.sandbox.samples.utility.points import Point
from billing_assets.sandbox.samples.utility.products import PRODUCTS

_FIRST_CUSTOMER, _FIRST_ITEM = 10_000, 100
_FIELDS = ("custbody_billing_number", "custcol_billing_line")

_MAPPING = """\
external_id: {invoice: INV-, credit_memo: CM-}
closed_through:
currencies:
  USD: {id: "2", minor_digits: 2}
  AUD: {id: "5", minor_digits: 2}
tables:
  customers: {file: customers.csv, key: customer}
  items: {file: items.csv, key: code}
  branches: {file: branches.csv, key: branch}
body:
  entity: {lookup: customers, by: customer, take: netsuite_id, reference: id}
  subsidiary: {lookup: branches, by: branch, take: subsidiary, reference: id}
  tranDate: {column: document_date}
  dueDate: {column: due_date, kinds: [invoice], optional: true}
  memo: {column: memo, optional: true}
  custbody_billing_number: {column: number}
line:
  item: {lookup: items, by: item, take: netsuite_id, reference: id}
  description: {column: description, optional: true}
  custcol_billing_line: {column: line_no}
"""


def write_netsuite_data(folder: Path, points: Iterable[Point]) -> None:
    """The mapping with its lookup tables, and `references.json`: what the account has of them."""
    folder.mkdir(parents=True, exist_ok=True)
    customers = [(one.account, f"{_FIRST_CUSTOMER + one.number}") for one in points]
    codes = dict.fromkeys(charge["code"] for one in PRODUCTS.values() for charge in tariff(one)["charges"])
    items = [(code, f"{_FIRST_ITEM + place}") for place, code in enumerate(codes)]
    branches = [(issuer, f"{place}") for place, issuer in enumerate(ISSUERS.values(), 1)]
    (folder / "mapping.yaml").write_text(_MAPPING, encoding="utf-8")
    _write(folder / "customers.csv", ("customer", "netsuite_id"), customers)
    _write(folder / "items.csv", ("code", "netsuite_id"), items)
    _write(folder / "branches.csv", ("branch", "subsidiary"), branches)
    references = {
        "customer": [{"id": id_, "externalId": account, "name": account} for account, id_ in customers],
        "item": [{"id": id_, "name": code} for code, id_ in items],
        "subsidiary": [{"id": id_, "name": issuer} for issuer, id_ in branches],
        "customField": [{"id": name, "name": name} for name in _FIELDS],
    }
    (folder / "references.json").write_text(json.dumps(references) + "\n", encoding="utf-8")


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
