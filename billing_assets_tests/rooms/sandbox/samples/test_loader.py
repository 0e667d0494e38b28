"""The sample in its billing database."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from billing_assets.foundation.database.connection import libpq_url
from billing_assets.sandbox.samples.loader import create_sample_schema, load_customers, load_sample, load_wave

MONTH = "2011-12"  # the shortest: nine days, 1,015 documents


def _ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(libpq_url(url)) as connection:
        return connection.execute(query).fetchall()


def test_a_month_loaded_at_once_is_complete_and_closed_and_loading_again_changes_nothing(database: str) -> None:
    assert load_sample(database, MONTH) == (1_015, 1_015)
    everything = "SELECT * FROM invoices ORDER BY id"
    before = _ask(database, everything)
    assert load_sample(database, MONTH) == (0, 0)
    assert _ask(database, everything) == before
    assert _ask(database, "SELECT count(*), sum(total), count(*) FILTER (WHERE status = 'closed') FROM invoices") == [
        (1_015, Decimal("433686.010"), 1_015)
    ]
    assert _ask(database, "SELECT count(*), sum(amount) FROM invoice_lines") == [(25_526, Decimal("433686.010"))]


def test_waves_add_up_to_the_month_and_running_them_again_changes_nothing(database: str) -> None:
    create_sample_schema(database)
    results = [load_wave(database, MONTH, wave, 4) for wave in (1, 2, 3, 4)]
    assert sum(result.created for result in results) == sum(result.closed for result in results) == 1_015
    assert all(result.created > 100 for result in results)
    assert results[0].closed < results[0].created
    assert [load_wave(database, MONTH, wave, 4) for wave in (1, 2, 3, 4)] == [(0, 0)] * 4
    assert _ask(database, "SELECT count(*), count(DISTINCT number) FROM invoices WHERE status = 'closed'") == [
        (1_015, 1_015)
    ]


def test_a_wave_that_was_left_out_is_caught_up_by_the_next(database: str) -> None:
    create_sample_schema(database)
    load_wave(database, MONTH, 3, 4)
    assert load_wave(database, MONTH, 1, 4) == load_wave(database, MONTH, 2, 4) == (0, 0)
    assert load_wave(database, MONTH, 4, 4).created > 0
    assert _ask(database, "SELECT count(*) FROM invoices WHERE status = 'closed'") == [(1_015,)]


def test_two_loaders_at_once_create_each_document_once(database: str) -> None:
    create_sample_schema(database)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: load_wave(database, MONTH, 1, 1), range(2)))
    assert sorted(results) == [(0, 0), (1_015, 1_015)]


def test_documents_are_created_now_not_at_their_business_time(database: str) -> None:
    """The pipeline finds new documents by created_at: a document of 2011 loaded today was created today."""
    load_sample(database, MONTH)
    assert _ask(database, "SELECT min(created_at) > now() - interval '5 minutes' FROM invoices") == [(True,)]


def test_a_voided_document_stays_void(database: str) -> None:
    create_sample_schema(database)
    load_wave(database, MONTH, 1, 2)
    with psycopg.connect(libpq_url(database)) as connection:
        connection.execute("UPDATE invoices SET status = 'void' WHERE status = 'open'")
    load_wave(database, MONTH, 2, 2)
    assert _ask(database, "SELECT count(*) > 0 FROM invoices WHERE status = 'void'") == [(True,)]
    assert _ask(database, "SELECT count(*) FROM invoices WHERE status = 'open'") == [(0,)]


def test_every_customer_is_created_once_under_a_name_that_says_nothing(database: str) -> None:
    create_sample_schema(database)
    assert load_customers(database) == 5_942
    assert load_customers(database) == 0
    assert _ask(database, "SELECT name, country FROM customers WHERE customer_no = '17850'") == [
        ("Customer 17850", "United Kingdom")
    ]


def test_a_wave_out_of_range_is_refused(database: str) -> None:
    with pytest.raises(ValueError, match="Wave 5"):
        load_wave(database, MONTH, 5, 4)
