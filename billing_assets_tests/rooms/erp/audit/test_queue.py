"""The audit of a month on a real billing system and a real database: what comes into the queue, and why."""

import dataclasses
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing_assets.erp.audit import queue, store
from billing_assets.foundation.calendar.business_days import Days
from billing_assets_tests.rooms.erp.audit.conftest import CONTRACT, NOVEMBER, TODAY, Office
from proving.world.builders import (
    SOURCE,
    change_line,
    close_document,
    insert_document,
    shipped_sample_queries,
    void_document,
)

BEFORE = ["2010-05", "2010-06", "2010-07", "2010-08", "2010-09", "2010-10"]
HEAT = {"service": "HEAT", "charged": "monthly"}
WATER = {"service": "WATER", "charged": "usage"}


def test_open_documents_are_in_the_queue_with_their_services_and_closed_ones_only_if_asked(office: Office) -> None:
    office.contract(HEAT, WATER)
    office.charge("1", WATER="2.50", HEAT="7.50")
    close_document(office.bench.source, office.charge("2", HEAT="1"))
    office.charge("3", "2010-10", HEAT="10")
    assert office.audit().entries == 1
    (row,) = office.queue()
    assert (row["number"], row["contract"], row["customer"], row["branch"]) == (
        "1",
        CONTRACT,
        "12346",
        "United Kingdom",
    )
    assert (row["services"], row["total"], row["findings"], row["decision"]) == (
        ["HEAT", "WATER"],
        Decimal(10),
        [],
        None,
    )
    assert row["age_days"] > 5000
    assert office.audit(closed=True).entries == 2
    assert office.audit().entries == 1, "made anew, not added to"


def test_charges_are_compared_with_the_contract_and_with_the_months_before(office: Office) -> None:
    office.contract(
        HEAT | {"expected_amount": "10"},
        WATER,
        {"service": "ROOM", "charged": "monthly", "starts_on": "2010-01-01", "ends_on": "2010-10-31"},
        {"service": "SETUP", "charged": "one_time"},
        {"service": "PHONE", "charged": "monthly"},
    )
    for place, month in enumerate(BEFORE):
        office.charge(f"10{place}", month, WATER="10", LIFT="5", SETUP="1")
    office.charge("1", HEAT="10.01")
    office.charge("2", HEAT="5", ROOM="3", SETUP="1")
    office.charge("3", WATER="20", GARDEN="4")
    assert office.audit(percent=50).services == 5
    assert office.found() == {
        # What is missing is said once, on the contract's first document.
        "1": ["SERVICE_MISSING PHONE", "CHARGE_STOPPED LIFT", "AMOUNT_UNUSUAL HEAT"],
        "2": ["SERVICE_OUTSIDE_DATES ROOM", "ONE_TIME_AGAIN SETUP", "AMOUNT_UNUSUAL HEAT"],
        "3": ["SERVICE_NOT_IN_CONTRACT GARDEN", "AMOUNT_UNUSUAL WATER"],
    }
    messages = {one["service"]: one["message"] for row in office.queue() for one in row["findings"]}
    assert messages["HEAT"] == "HEAT: GBP 15.01 in the month; the contract expects GBP 10.00 (+50.1 %)."
    assert messages["WATER"] == "WATER: GBP 20.00 in the month; the median of 6 months before is GBP 10.00 (+100.0 %)."


def test_a_contract_that_should_be_charged_and_has_no_document_at_all_is_in_the_queue_without_one(
    office: Office,
) -> None:
    office.contract(HEAT)
    office.contract(WATER, contract="12347-41")
    office.charge("100", "2010-10", HEAT="10")
    assert office.audit().entries == 1
    (row,) = office.queue()
    assert (row["reference"], row["document"], row["number"]) == (f"{NOVEMBER}/{CONTRACT}", None, None)
    assert (row["customer"], row["branch"], row["services"]) == ("12346", "United Kingdom", ["HEAT"])
    assert office.found() == {CONTRACT: ["SERVICE_MISSING HEAT"]}
    close_document(office.bench.source, office.charge("1", WATER="10"))
    assert office.audit().entries == 0, "what is closed is looked at only if asked"


def test_without_contracts_in_the_billing_system_the_months_before_still_count(office: Office) -> None:
    queries = dataclasses.replace(shipped_sample_queries(), services=None)
    for place, month in enumerate(BEFORE[3:]):
        office.charge(f"10{place}", month, HEAT="10", WATER="10")
    office.charge("1", HEAT="30")
    insert_document(office.bench.source, "2", status="open")
    assert office.audit(queries=queries).services == 0
    assert office.found() == {"1": ["CHARGE_STOPPED WATER", "AMOUNT_UNUSUAL HEAT"], "2": []}


def test_a_document_without_a_contract_or_with_an_unknown_one_says_so_once(office: Office) -> None:
    office.contract(HEAT, contract="9-1")
    office.charge("1", HEAT="10", WATER="10")
    insert_document(office.bench.source, "2", status="open")
    office.audit()
    assert office.found() == {"1": ["CONTRACT_UNKNOWN"], "2": ["NO_CONTRACT"], "9-1": ["SERVICE_MISSING HEAT"]}


def test_another_spelling_of_a_contract_or_a_service_is_named_as_the_likely_cause(office: Office) -> None:
    office.contract(HEAT, {"service": "GARDEN ", "charged": "usage"}, {"service": "ROOM", "charged": "usage"})
    office.charge("1", Heat="4", GARDEN="5", LIFT="1")
    office.charge("2", HEAT="10")
    office.bench.source.execute("update invoices set contract_no = lower(contract_no) || ' ' where number = '2'")
    office.audit()
    messages = {(one["code"], one["service"]): one["message"] for row in office.queue() for one in row["findings"]}
    assert messages["SERVICE_NOT_IN_CONTRACT", "Heat"].endswith("does not have it. It has 'HEAT': spell both alike.")
    assert messages["SERVICE_NOT_IN_CONTRACT", "GARDEN"].endswith("It has 'GARDEN ': spell both alike.")
    assert messages["SERVICE_NOT_IN_CONTRACT", "LIFT"].endswith("the contract does not have it.")
    assert messages["SERVICE_MISSING", "HEAT"].endswith("'Heat' is charged: spell both alike.")
    assert messages["CONTRACT_UNKNOWN", ""].endswith(f" They have '{CONTRACT}': spell both alike.")


def test_a_change_at_the_source_is_seen_by_the_next_audit_and_void_documents_charge_nothing(office: Office) -> None:
    office.contract(HEAT)
    first = office.charge("1", HEAT="10")
    office.audit()
    assert office.found() == {"1": []}
    change_line(office.bench.source, first, service="GARDEN")
    void = office.charge("2", HEAT="10")
    office.bench.source.execute("update invoices set status = 'void' where id = %s", [void])
    office.audit()
    assert office.found() == {"1": ["SERVICE_MISSING HEAT", "SERVICE_NOT_IN_CONTRACT GARDEN"]}


def test_two_currencies_of_a_contract_are_never_added(office: Office) -> None:
    for place, month in enumerate(BEFORE[3:]):
        office.charge(f"10{place}", month, HEAT="10")
    office.charge("1", HEAT="16")
    euro = office.charge("2", HEAT="10000")
    office.bench.source.execute("update invoices set currency = 'EUR' where id = %s", [euro])
    office.audit()
    assert office.found() == {"1": ["AMOUNT_UNUSUAL HEAT"], "2": []}
    assert "GBP 16.00 in the month" in str(office.queue())


def test_a_row_of_the_contracts_that_cannot_be_understood_is_counted_and_named(office: Office) -> None:
    office.contract(HEAT)
    queries = shipped_sample_queries()
    row = "select '9', '9', 'X', 'ODD', null, null, null, 'daily', null"
    odd = f"select * from ({queries.services}) as s union all {row}"  # noqa: S608
    audited = office.audit(queries=dataclasses.replace(queries, services=odd))
    assert (audited.services, audited.bad_services) == (1, 1)
    (bad,) = audited.shown_bad
    assert bad == ("9", "ODD", "charged is 'daily', and neither monthly, usage nor one_time")


def report(office: Office) -> queue.PendingReport:
    office.bench.stage()
    return queue.report_pending(office.bench.state, SOURCE, NOVEMBER, TODAY)


def recorded(office: Office) -> list[tuple[str, bool, bool]]:
    rows: list[dict[str, Any]] = office.bench.state.execute(
        "select number, m.open_at is not null as was_open, m.recorded_at is not null as recorded"
        " from billing.month_invoices as m join billing.staged_invoices as d on d.id = m.document order by number"
    ).fetchall()
    return [(row["number"], row["was_open"], row["recorded"]) for row in rows]


def test_what_is_open_is_reported_and_what_closed_is_recorded_once_as_the_months_invoices(office: Office) -> None:
    first = office.charge("1", HEAT="10")
    office.charge("2", HEAT="0.50")
    insert_document(office.bench.source, "3")
    insert_document(office.bench.source, "4", status="void")
    insert_document(office.bench.source, "5", status="open", document_date="2010-10-31")
    found = report(office)
    assert (found.open_documents, found.recorded) == (2, store.Recorded(1, 1))
    (row,) = found.still_open
    assert (row["age"], row["branch"], row["currency"], row["documents"], row["total"]) == (
        *("over 90 days", "United Kingdom", "GBP", 2),
        Decimal("10.5"),
    )
    assert [(row["month"], row["documents"]) for row in found.open_before] == [("2010-10", 1)]
    close_document(office.bench.source, first)
    assert report(office).recorded == store.Recorded(1, 2)
    assert report(office).recorded == store.Recorded(0, 2)
    assert recorded(office) == [("1", True, True), ("2", True, False), ("3", False, True)]
    office.bench.source.execute("update invoices set status = 'open' where number = '3'")
    assert report(office).recorded == store.Recorded(0, 1), "opened again before it was sent"
    assert [(row["documents"], row["total"]) for row in report(office).closed] == [(1, 10)]
    void_document(office.bench.source, first)
    assert (report(office).recorded, report(office).closed) == (store.Recorded(0, 0), []), "voided before it was sent"


@pytest.mark.parametrize(("there", "age", "bucket"), [(31, 30, "up to 30 days"), (32, 31, "31 to 60 days")])
def test_a_document_is_as_old_as_it_is_where_its_branch_is(office: Office, there: int, age: int, bucket: str) -> None:
    """The document is of the 5th of November; elsewhere it is another day."""
    document_date = date(2010, 11, 5)
    days = Days(document_date, {"United Kingdom": document_date + timedelta(days=there - 1)})
    office.charge("1", HEAT="10")
    office.audit()
    (row,) = store.still_open(office.bench.state, SOURCE, NOVEMBER, days)
    (entry,) = store.queue_entries(office.bench.state, SOURCE, NOVEMBER, days)
    (branch,) = store.queue_by_branch(office.bench.state, SOURCE, NOVEMBER, days)
    assert (row["age"], entry["age_days"], branch["age"]) == (bucket, age, bucket)


def test_auditing_twice_changes_nothing_in_the_queue(office: Office) -> None:
    office.contract(HEAT)
    office.charge("1", GARDEN="10")
    office.audit()
    before = office.queue()
    office.audit()
    assert [row | {"audited_at": None} for row in office.queue()] == [row | {"audited_at": None} for row in before]
