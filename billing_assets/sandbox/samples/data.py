"""Reads the data set into documents and lines; exact to 0.001 GBP, no float anywhere.

The trap: 1,088 invoices of December 2010 are in both sheets of the data. They are taken from the first sheet.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from billing_assets.sandbox.samples.families import services

DATA = Path(__file__).resolve().parent.parent / "data" / "online_retail_II.parquet"
ALL = "all"
FIRST_MONTH, LAST_MONTH = "2009-12", "2011-12"
"""The period that stands for the whole data set."""

_FIRST_SHEET = "2009-2010"
_COLUMNS = [
    "Invoice",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "Price",
    "Customer ID",
    "Country",
    "sheet",
]
_REPETITIVE = ["Description", "StockCode"]  # read as dictionaries: much less memory


class SampleDocument(NamedTuple):
    """One document of the data. `kind` is the sample's letter: I invoice, C credit memo, A adjustment."""

    number: str
    kind: str
    entered_at: datetime  # the earliest timestamp of its lines, local time of the seller
    customer: str | None
    country: str
    total: Decimal  # GBP, signed
    line_count: int

    @property
    def document_date(self) -> date:
        return self.entered_at.date()


@dataclass(frozen=True)
class Sample:
    """Documents in the order of their business time, and their lines.

    `lines` is an Arrow table (rank, line_no, stock_code, description, quantity, price, amount, service), ordered by
    rank and line_no, where rank is the document's position in `documents`. `service` is made of the stock code.
    """

    documents: list[SampleDocument]
    lines: Any


def read_sample(period: str = ALL) -> Sample:
    """Read the documents of one month (`YYYY-MM`, by the document date) or of the whole data set (`all`).

    Raises ValueError for a period in which the data set has no document.
    """
    rows = pq.read_table(DATA, columns=_COLUMNS, read_dictionary=_REPETITIVE, filters=_in_month(period))
    rows = _without_overlap(rows)
    price = rows["Price"].cast(pa.decimal128(12, 3))
    rows = rows.append_column("price", price)
    rows = rows.append_column("amount", pc.multiply(rows["Quantity"].cast(pa.decimal128(10, 0)), price))
    if rows.num_rows == 0:
        raise ValueError(f"The sample has no documents in {period}; it covers {FIRST_MONTH} to {LAST_MONTH}.")
    documents = _documents(rows)
    return Sample(_as_tuples(documents), _lines(rows, documents["Invoice"]))


def _without_overlap(rows: Any) -> Any:
    in_first = pc.equal(rows["sheet"], _FIRST_SHEET)
    first_numbers = pc.unique(rows["Invoice"].filter(in_first))
    again = pc.and_not(pc.is_in(rows["Invoice"], value_set=first_numbers), in_first)
    return rows.filter(pc.invert(again))


def _in_month(period: str) -> Any:
    """The rows of a month; no document of the data goes over midnight, let alone over the end of a month."""
    if period == ALL:
        return None
    first = datetime.fromisoformat(f"{period}-01")
    following = datetime(first.year + first.month // 12, first.month % 12 + 1, 1)  # noqa: DTZ001  (seller's local time)
    return (pc.field("InvoiceDate") >= first) & (pc.field("InvoiceDate") < following)


def _documents(rows: Any) -> Any:
    """One row per invoice number, in the order of business time. A number has one customer and one country."""
    documents = rows.group_by("Invoice").aggregate(
        [
            ("InvoiceDate", "min"),
            ("Customer ID", "min"),
            ("Country", "min"),
            ("amount", "sum"),
            ("StockCode", "count"),
        ]
    )
    return documents.sort_by([("InvoiceDate_min", "ascending"), ("Invoice", "ascending")])


def _as_tuples(documents: Any) -> list[SampleDocument]:
    names = ["Invoice", "InvoiceDate_min", "Customer ID_min", "Country_min", "amount_sum", "StockCode_count"]
    columns = [documents[name].to_pylist() for name in names]
    return [
        # The kind is in the number: six digits are an invoice, C and A stand before the others.
        SampleDocument(number, number[0] if number[0] in "CA" else "I", *rest)
        for number, *rest in zip(*columns, strict=True)
    ]


def _lines(rows: Any, numbers: Any) -> Any:
    """The lines of the documents, in the order in which the data has them, numbered from 1 on each document."""
    ranks = pc.index_in(rows["Invoice"], value_set=numbers.combine_chunks()).to_numpy()
    order = np.argsort(ranks, kind="stable")
    ranks = ranks[order]
    line_no = np.arange(len(ranks)) - np.searchsorted(ranks, ranks) + 1
    lines = rows.take(order)
    return pa.table(
        {
            "rank": ranks,
            "line_no": line_no,
            "stock_code": lines["StockCode"],
            "description": lines["Description"],
            "quantity": lines["Quantity"],
            "price": lines["price"],
            "amount": lines["amount"],
            "service": services(lines["StockCode"]),
        }
    )
