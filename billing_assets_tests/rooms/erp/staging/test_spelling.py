"""Staging from a billing database whose collation takes several spellings for one, as SQL Server's usual one does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from billing_assets.erp.staging.recheck import Staged, differing
from billing_assets.erp.staging.staging import StagingResult
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.source_database.connection import connect_source, open_source
from billing_assets_tests.rooms.erp.billing_system.collations import ENGINES, QUERIES, Collating, collating
from proving.world.builders import SOURCE, codes, stage_now, staged, states


@pytest.fixture(params=ENGINES)
def there(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Iterator[Collating]:
    with collating(request.param, database, tmp_path) as found:
        yield found


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as connection:
        yield connection


def _stage(state_url: str, there: Collating, **options: Any) -> StagingResult:
    return stage_now(state_url, there.url, queries=QUERIES, **options)


def test_no_document_goes_out_without_lines_that_belong_to_it_by_the_databases_word(
    there: Collating, state_url: str, state: Connection
) -> None:
    there.header("AB-1")
    there.line("AB-1")
    there.header("AB-6", total="10")
    for line_no, key in enumerate(("AB-6", "ab-6", "ab-6"), 1):
        there.line(key, line_no)
    _stage(state_url, there)
    assert states(state) == {"NAB-1": "ready", "NAB-6": "held"}
    assert codes(staged(state, "NAB-6")) == ["FIELD_UNREADABLE"]
    there.execute("UPDATE l SET k = 'AB-6' WHERE n > 1")
    there.execute("UPDATE h SET total = 30 WHERE k = 'AB-6'")
    _stage(state_url, there)
    assert states(state) == {"NAB-1": "ready", "NAB-6": "ready"}
    assert staged(state, "NAB-6")["line_count"] == 3


def test_a_line_that_appears_under_another_spelling_is_seen_before_its_document_is_sent(
    there: Collating, state_url: str, state: Connection
) -> None:
    there.header("AB-1")
    there.line("AB-1")
    _stage(state_url, there)
    row = staged(state, "NAB-1")
    assert row["state"] == "ready"
    there.line("ab-1", 2)
    engine = open_source(there.url)
    with connect_source(engine) as source:
        found = differing(
            source, QUERIES, SOURCE, [Staged("AB-1", bytes(row["content_hash"]), row["source_digest"] or None)]
        )
    engine.dispose()
    assert found.keys() == {"AB-1"}
    _stage(state_url, there)
    assert states(state) == {"NAB-1": "held"}


def test_a_status_and_a_currency_of_another_spelling_are_held_and_explained(
    there: Collating, state_url: str, state: Connection
) -> None:
    for key, status, currency in (("1", "closed", "GBP"), ("2", "Closed", "GBP"), ("3", "closed", "gbp")):
        there.header(key, status, currency)
        there.line(key)
    _stage(state_url, there)
    assert states(state) == {"N1": "ready", "N2": "held", "N3": "held"}
    assert codes(staged(state, "N2")) == ["STATUS_UNKNOWN"]
    assert codes(staged(state, "N3")) == ["CURRENCY_UNSUPPORTED"]
    rows = state.execute("select unexplained from billing.compared_months").fetchall()
    assert [row["unexplained"] for row in rows] == [{}]
    there.execute("UPDATE h SET status = 'closed', cur = 'GBP'")
    _stage(state_url, there)
    assert set(states(state).values()) == {"ready"}
