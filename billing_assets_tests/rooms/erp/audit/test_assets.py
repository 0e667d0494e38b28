"""Report and audit as Dagster runs them, and a hold on the way to NetSuite."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from billing_assets.definitions import build_defs
from billing_assets.erp.audit.decision_store import subjects
from billing_assets.erp.audit.decisions import import_decisions
from billing_assets.erp.audit.files import Seen
from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.sections import CalendarSettings
from billing_assets.foundation.settings import make_settings
from billing_assets.posting.locks import lock, release
from proving.world.builders import SOURCE, close_document, insert_document
from proving.world.system import PERIOD, System, checks, exact, metadata, rows

CONTRACT = "12346-41"


def audit(system: System, month: str = PERIOD) -> dg.ExecuteInProcessResult:
    result = system.run("audit_month", month)
    assert result.success, "what is found is for people: the run goes through"
    return result


def decide(system: System, number: str, decision: str, tmp_path: Path) -> None:
    row: Any = system.state.execute("select id from billing.staged_invoices where number = %s", [number]).fetchone()
    path = tmp_path / f"{decision}.csv"
    (subject,) = subjects(system.state, SOURCE, [str(row["id"])]).values()
    seen = Seen(subject.last_id or 0, subject.content)
    titles = "Reference,Number,Decision,Comment,For the machine"
    path.write_text(f"{titles}\n{row['id']},{number},{decision},why,{seen}\n", encoding="utf-8")
    assert len(import_decisions(system.state, SOURCE, path, "Ann").taken) == 1


def test_a_month_is_reported_and_audited_with_numbers_that_a_clerk_reads(system: System) -> None:
    system.source.execute("insert into contracts values (%s, '12346', 'United Kingdom')", [CONTRACT])
    system.source.execute(
        "insert into contract_services (contract_no, service, charged) values (%s, 'HEAT', 'monthly')", [CONTRACT]
    )
    insert_document(system.source, "500001", status="open", contract_no=CONTRACT)
    insert_document(system.source, "500002", status="open", country="France", lines=[("10002", "1", "0.07", "0.07")])
    insert_document(system.source, "500003")
    system.stage()
    result = audit(system)
    shown = metadata(result, "pending_invoices")
    assert checks(result) == {"nothing_of_last_month_is_open": False}
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    assert (shown["documents_open"], shown["documents_closed"], shown["documents_recorded_now"]) == (2, 1, 1)
    assert exact(shown["total_open_GBP_exact"]) * 100 == 1007
    assert {(row["branch"], row["documents"], row["total"]) for row in rows(shown["open_by_age"].records)} == {
        ("United Kingdom", 1, "10.00"),
        ("France", 1, "0.07"),
    }
    queue = metadata(result, "audit_queue")
    assert (queue["entries"], queue["entries_with_findings"], queue["contract_services"]) == (2, 2, 1)
    assert (queue["found_SERVICE_MISSING"], queue["found_NO_CONTRACT"]) == (1, 1)
    assert {(row["number"], row["contract"], row["findings"]) for row in rows(queue["queue"].records)} == {
        ("500001", CONTRACT, "SERVICE_MISSING"),
        ("500002", "", "NO_CONTRACT"),
    }
    assert all("customer" not in row for row in rows(queue["queue"].records))
    assert system.states() == {"500001": "open", "500002": "open", "500003": "ready"}, "nothing here holds up posting"


def test_a_month_whose_documents_are_all_closed_passes_the_check(system: System) -> None:
    insert_document(system.source, "500001")
    system.stage()
    assert checks(audit(system)) == {"nothing_of_last_month_is_open": True}


def test_early_in_a_month_the_month_before_is_asked_for(tmp_path: Path) -> None:
    defs = build_defs(Runtime(make_settings(home=tmp_path)))
    schedule, repository = defs.resolve_schedule_def("audit_last_month"), defs.get_repository_def()
    for day, months in (("2011-01-02", ["2010-12"]), ("2010-03-02", ["2010-02"]), ("2009-12-02", [])):
        when = datetime.fromisoformat(day).replace(hour=4, tzinfo=UTC)
        context = dg.build_schedule_context(scheduled_execution_time=when, repository_def=repository)
        found = schedule.evaluate_tick(context).run_requests or []
        assert [request.partition_key for request in found] == months


@pytest.mark.parametrize(
    ("zone", "utc"), [("America/Los_Angeles", "2011-03-02T01:00"), ("Australia/Sydney", "2011-02-28T17:00")]
)
def test_a_month_is_over_where_the_branches_are(zone: str, utc: str, tmp_path: Path) -> None:
    """On the 1st of March there it is the 2nd or still February in UTC."""
    defs = build_defs(Runtime(make_settings(home=tmp_path, calendar=CalendarSettings(time_zone=zone))))
    schedule, repository = defs.resolve_schedule_def("audit_last_month"), defs.get_repository_def()
    assert schedule.execution_timezone == zone
    assert defs.resolve_schedule_def("age_receivables_daily").execution_timezone == zone
    when = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    context = dg.build_schedule_context(scheduled_execution_time=when, repository_def=repository)
    (request,) = schedule.evaluate_tick(context).run_requests or []
    assert (request.partition_key, request.run_key) == ("2011-02", "2011-02/2011-03-01")


def test_a_document_that_is_held_while_its_batch_waits_is_not_posted_until_it_is_approved(
    system: System, tmp_path: Path
) -> None:
    insert_document(system.source, "500001")
    insert_document(system.source, "500002")
    system.stage()
    (key,) = system.planned()
    decide(system, "500001", "hold", tmp_path)
    assert system.post(key).success
    assert (system.states(), system.posts()) == ({"500001": "held", "500002": "posted"}, 1)
    system.stage()
    assert system.planned() == []
    decide(system, "500001", "approve", tmp_path)
    system.stage()
    (key,) = system.planned()
    assert system.post(key).success
    assert (system.states(), system.posts()) == ({"500001": "posted", "500002": "posted"}, 2)


def test_a_document_that_is_held_while_a_run_has_it_and_did_not_send_it_is_not_sent_by_the_next(
    system: System, tmp_path: Path
) -> None:
    insert_document(system.source, "500001")
    system.stage()
    (key,) = system.planned()
    with system.state.transaction():
        held = lock(system.state, DOCUMENTS, key, "a run that dies", 60, retry_rejected=False)
    decide(system, "500001", "hold", tmp_path)
    release(system.state, held, 0)
    assert system.states() == {"500001": "batched"}
    assert system.post(key).success
    assert (system.states(), system.posts()) == ({"500001": "held"}, 0)
    system.stage()
    row: Any = system.state.execute("select findings from billing.staged_invoices").fetchone()
    assert [found["code"] for found in row["findings"]] == ["AUDIT_HOLD"]


def test_an_open_document_is_audited_again_after_it_closed_and_leaves_the_queue(system: System) -> None:
    found = insert_document(system.source, "500001", status="open")
    system.stage()
    assert metadata(audit(system), "audit_queue")["entries"] == 1
    close_document(system.source, found)
    system.stage()
    result = audit(system)
    assert metadata(result, "audit_queue")["entries"] == 0
    assert metadata(result, "pending_invoices")["documents_recorded_now"] == 1
