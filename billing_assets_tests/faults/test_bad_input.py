"""Bad input, in quantity: no row of a source and no answer of NetSuite stops a run, loses a document or misleads it."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from billing_assets_tests.builders import codes
from billing_assets_tests.conftest import _database
from billing_assets_tests.faults.bad_input import rows
from billing_assets_tests.faults.bad_input.rows import Case, Row
from billing_assets_tests.faults.bad_input.staging_inputs import Staging, staging

in_quantity = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


@pytest.fixture(scope="module")
def world(server_url: str, _migrated: str) -> Iterator[Staging]:
    """Our database and one to read from, for all rows of this module."""
    with (
        _database(server_url, template=_migrated) as state_url,
        _database(server_url, template="template0") as source_url,
        staging(state_url, source_url) as found,
    ):
        yield found


@given(case=rows.cases)
@in_quantity
def test_no_row_of_the_source_stops_a_staging_or_is_dropped(world: Staging, case: Case) -> None:
    assert world.faults(case) == []


def test_a_join_that_repeats_every_header_is_held_document_by_document(world: Staging) -> None:
    """More than a thousand documents: the copies come in different chunks."""
    assert world.faults(rows.repeated_headers(1_200)) == []
    held = world.state.execute("select count(*) as n, min(state) as state from billing.staged_invoices").fetchone()
    assert held == {"n": 1_200, "state": "held"}


def test_a_document_of_ten_thousand_lines_is_ready(world: Staging) -> None:
    assert world.faults(rows.large_document(10_000)) == []


@pytest.mark.parametrize(
    ("header", "line", "code", "path"),
    [
        ({"document_id": None}, {}, "FIELD_UNREADABLE", "document_id"),
        ({"document_id": "x" * 501}, {}, "FIELD_UNREADABLE", "document_id"),
        ({"number": " "}, {}, "FIELD_UNREADABLE", "number"),
        ({"number": rows.noise(100_000)}, {}, "TEXT_TOO_LONG", "number"),
        ({"kind": rows.noise(5_000)}, {}, "KIND_UNSUPPORTED", "kind"),
        ({"total": "Infinity"}, {}, "FIELD_UNREADABLE", "total"),
        ({"total": "1" + "0" * 20_000}, {}, "NUMBER_TOO_LARGE", "total"),
        ({"document_date": "infinity"}, {}, "FIELD_UNREADABLE", "documents.sql"),
        ({"created_at": "294276-01-01"}, {}, "FIELD_UNREADABLE", "documents.sql"),
        ({}, {"line_no": "1e20"}, "FIELD_UNREADABLE", "lines[?].line_no"),
        ({}, {"quantity": "NaN"}, "FIELD_UNREADABLE", "lines[1].quantity"),
    ],
)
def test_one_odd_value_holds_its_document_and_no_other(
    world: Staging, header: Row, line: Row, code: str, path: str
) -> None:
    case = rows.one_odd(header, line)
    assert world.faults(case) == []
    held = world.state.execute("select * from billing.staged_invoices where state = 'held'").fetchall()
    assert len(held) == 1
    assert code in codes(held[0])
    assert path in {found["path"] for found in held[0]["findings"]}


def test_a_document_that_gets_its_id_at_last_goes_on_and_its_stand_in_is_gone(world: Staging) -> None:
    world.clear()
    world.stage(rows.one_odd({"document_id": None, "total": "10.00"}, {}))
    world.stage(rows.one_odd({}, {}))
    found = world.state.execute("select number, state from billing.staged_invoices order by 1, 2").fetchall()
    assert [tuple(row.values()) for row in found] == [("G0", "ready"), ("G1", "gone"), ("G1", "ready")]


def test_an_early_year_has_a_month_of_its_own(world: Staging) -> None:
    world.clear()
    world.stage(rows.one_odd({"document_date": "0999-12-31"}, {}))
    row = world.state.execute("select period from billing.staged_invoices where number = 'G1'").fetchone()
    assert row == {"period": "0999-12"}
