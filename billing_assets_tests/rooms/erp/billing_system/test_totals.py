"""Sums of the billing system, for the reconciliation and for the sensor."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from billing_assets.erp.billing_system import reader
from billing_assets.sandbox.samples.loader import load_sample
from billing_assets_tests.rooms.erp.billing_system.conftest import Execute, insert


def test_a_months_totals_are_grouped_by_branch_currency_kind_and_status(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    insert(billing, "1", total="10.005", country="France")
    insert(billing, "2", total="20.10", country="France", document_date="2010-11-01")
    insert(billing, "3", total="5", country="France", status="open")
    insert(billing, "C4", total="-7", country="France", kind="C")
    insert(billing, "5", total="9", currency="EUR", country=None)
    insert(billing, "6", total="1", document_date="2010-12-01")
    insert(billing, "7", total="1", document_date="2010-10-31")
    totals = reader.month_totals(source, queries, "2010-11")
    assert sorted(totals, key=repr) == sorted(
        [
            reader.MonthTotal("France", "GBP", "invoice", "closed", 2, Decimal("30.105")),
            reader.MonthTotal("France", "GBP", "invoice", "open", 1, Decimal(5)),
            reader.MonthTotal("France", "GBP", "credit_memo", "closed", 1, Decimal(-7)),
            reader.MonthTotal(None, "EUR", "invoice", "closed", 1, Decimal(9)),
        ],
        key=repr,
    )
    assert reader.months(source, queries) == ["2010-10", "2010-11", "2010-12"]


def test_december_ends_with_the_year(source: Connection, queries: reader.Queries, billing: Execute) -> None:
    insert(billing, "1", document_date="2010-12-31")
    insert(billing, "2", document_date="2011-01-01")
    assert [total.count for total in reader.month_totals(source, queries, "2010-12")] == [1]


def test_the_samples_month_adds_up_at_the_source(database: str, source: Connection, queries: reader.Queries) -> None:
    load_sample(database, "2011-12")
    totals = reader.month_totals(source, queries, "2011-12")
    assert (sum(one.count for one in totals), sum(one.total for one in totals)) == (1_015, Decimal("433686.010"))


@pytest.mark.parametrize("since", [None, datetime(2010, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)])
def test_the_fingerprint_changes_when_a_document_closes_however_old_it_is(
    source: Connection, queries: reader.Queries, billing: Execute, since: datetime | None
) -> None:
    insert(billing, "1", status="open")
    insert(billing, "2", status="open")
    before = reader.fingerprint(source, queries, since)
    source.rollback()
    assert reader.fingerprint(source, queries, since) == before
    billing("UPDATE invoices SET status = 'closed' WHERE number = '1'")
    source.rollback()
    assert reader.fingerprint(source, queries, since) != before


def test_the_fingerprint_changes_when_a_closed_document_appears(
    source: Connection, queries: reader.Queries, billing: Execute
) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    insert(billing, "1")
    before = reader.fingerprint(source, queries, since)
    insert(billing, "2")
    source.rollback()
    assert reader.fingerprint(source, queries, since) != before


def test_the_fingerprint_of_an_empty_source_is_a_fingerprint_too(source: Connection, queries: reader.Queries) -> None:
    assert reader.fingerprint(source, queries, None) == "0/0/0/-"
