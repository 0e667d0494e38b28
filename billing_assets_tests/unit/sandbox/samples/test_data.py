"""The data set as documents: complete, once each, exact."""

from collections import Counter
from decimal import Decimal

import pytest

from billing_assets.sandbox.samples.data import Sample, read_sample


@pytest.fixture(scope="module")
def whole() -> Sample:
    return read_sample()


def test_every_document_is_there_once_though_1088_invoices_stand_in_both_sheets(whole: Sample) -> None:
    numbers = [document.number for document in whole.documents]
    assert len(numbers) == len(set(numbers)) == 53_628
    assert whole.lines.num_rows == 1_044_848
    assert sum(document.total for document in whole.documents) == Decimal("18909762.118")


def test_an_invoice_of_both_sheets_has_its_lines_once(whole: Sample) -> None:
    """536365, of 1 December 2010, has seven lines in each of the two sheets."""
    rank, document = next((i, d) for i, d in enumerate(whole.documents) if d.number == "536365")
    assert (document.line_count, document.total) == (7, Decimal("139.120"))
    assert whole.lines["rank"].to_pylist().count(rank) == 7


def test_the_number_says_the_kind(whole: Sample) -> None:
    kinds = Counter(document.kind for document in whole.documents)
    assert kinds == {"I": 45_330, "C": 8_292, "A": 6}
    assert all(document.number.isdigit() == (document.kind == "I") for document in whole.documents)


def test_a_documents_total_is_the_sum_of_its_lines_to_a_tenth_of_a_penny(whole: Sample) -> None:
    """Prices have up to three decimals; 18 lines are finer than a penny."""
    totals = [Decimal(0)] * len(whole.documents)
    columns = [whole.lines[name].to_pylist() for name in ("rank", "quantity", "price")]
    for rank, quantity, price in zip(*columns, strict=True):
        totals[rank] += quantity * price
    assert totals == [document.total for document in whole.documents]
    assert sum(total % Decimal("0.01") != 0 for total in totals) == 18


def test_lines_keep_their_order_and_are_numbered_from_one(whole: Sample) -> None:
    rank = next(i for i, document in enumerate(whole.documents) if document.number == "573585")
    start = whole.lines["rank"].to_pylist().index(rank)
    lines = whole.lines.slice(start, 1114).to_pylist()
    assert {line["rank"] for line in lines} == {rank}
    assert [line["line_no"] for line in lines] == list(range(1, 1115))
    assert [line["stock_code"] for line in lines[:3]] == ["11001", "15036", "15039"]


def test_a_month_is_the_documents_dated_in_it() -> None:
    month = read_sample("2010-11")
    assert len(month.documents) == 3_669
    assert sum(document.total for document in month.documents) == Decimal("1422654.642")
    assert {f"{document.document_date:%Y-%m}" for document in month.documents} == {"2010-11"}


def test_the_months_together_are_the_whole(whole: Sample) -> None:
    """A month is read by the timestamps of its rows; no document is cut in two by it."""
    periods = ("2010-11", "2010-12", "2011-01")  # around the overlap of the sheets
    parts = [document for period in periods for document in read_sample(period).documents]
    assert parts == [d for d in whole.documents if d.document_date.strftime("%Y-%m") in periods]


def test_a_month_without_documents_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="1999-01"):
        read_sample("1999-01")
