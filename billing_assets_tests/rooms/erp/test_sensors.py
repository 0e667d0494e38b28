"""The sensors, evaluated as the daemon does: what they ask for, once, and again when it was lost."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from billing_assets.erp.staging import automation
from billing_assets.foundation.database.presence import missed, present
from billing_assets.foundation.sections import AlertSettings
from billing_assets.foundation.shipped import shipped
from billing_assets.operations.environment import end_dead_runs
from billing_assets.sandbox.netsuite.process import RunningSandbox
from billing_assets_tests.rooms.operations.alerts.conftest import Webhook, webhook
from proving.world.account import Account
from proving.world.builders import close_document, insert_document
from proving.world.system import System, metadata
from proving.world.waiting import until

__all__ = ["webhook"]


@pytest.fixture
def told_system(
    state_url: str,
    database: str,
    sandbox: RunningSandbox,
    sandbox_account: Account,
    tmp_path: Path,
    webhook: Webhook,
) -> Iterator[System]:
    """A system whose alerts go to the webhook."""
    alerts = AlertSettings(urls=webhook.url(), unposted_after_hours=1, watermark_after_hours=2)
    with System.open(state_url, database, sandbox, sandbox_account, home=tmp_path, alerts=alerts) as opened:
        yield opened


def ready(system: System, *numbers: str) -> None:
    for number in numbers:
        insert_document(system.source, number)
    assert system.stage().success


# plan_batches


def test_the_planner_makes_partitions_and_asks_for_their_runs(system: System) -> None:
    ready(system, "500001", "500002")
    found = system.look("plan_batches")
    assert isinstance(found, dg.SensorResult)
    (request,) = found.run_requests or []
    assert request.partition_key == "2010-11-0001"
    assert request.tags["billing/asked_by"] == "plan_batches"
    assert system.instance.get_dynamic_partitions("netsuite_batches") == ["2010-11-0001"]
    assert set(system.states().values()) == {"batched"}


def test_a_planner_that_died_before_its_request_was_taken_asks_again_with_a_new_run_key(system: System) -> None:
    ready(system, "500001")
    keys = []
    for _ in range(2):  # the daemon evaluated the same tick twice; no run came of the first
        found = system.look("plan_batches")
        assert isinstance(found, dg.SensorResult)
        keys += [request.run_key for request in found.run_requests or []]
        assert [request.partition_key for request in found.run_requests or []] == ["2010-11-0001"]
    assert len(set(keys)) == 2, "Dagster remembers run keys for ever"
    assert system.instance.get_dynamic_partitions("netsuite_batches") == ["2010-11-0001"]
    assert set(system.states().values()) == {"batched"}


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
@pytest.mark.parametrize(
    "tag", ["dagster/partition", "dagster/asset_partition_range_start"]
)  # a backfill's: the second
def test_the_planner_leaves_a_batch_alone_that_has_a_live_run(
    system: System, status: dg.DagsterRunStatus, tag: str
) -> None:
    ready(system, "500001")
    (key,) = system.planned()
    system.instance.add_run(dg.DagsterRun(job_name="post_batch", status=status, tags={tag: key}))
    assert isinstance(system.look("plan_batches"), dg.SkipReason)


def test_the_planner_rests_when_everything_is_posted(system: System) -> None:
    ready(system, "500001")
    (key,) = system.planned()
    assert system.post(key).success
    assert isinstance(system.look("plan_batches"), dg.SkipReason)


def test_a_credit_memo_is_planned_after_the_invoice_that_it_applies_to(system: System) -> None:
    insert_document(system.source, "C500002", kind="credit_memo", applies_to="500001")
    ready(system, "500001")
    (first,) = system.planned()
    assert system.states() == {"500001": "batched", "C500002": "ready"}
    assert system.post(first).success
    (second,) = system.planned()
    assert system.post(second).success
    assert set(system.states().values()) == {"posted"}
    credit = system.account.show("creditMemo/eid:CM-C500002")
    invoice = system.account.show("invoice/eid:INV-500001")
    assert [item["doc"]["id"] for item in credit["apply"]["items"]] == [invoice["id"]]


# newly_closed


def test_a_newly_closed_document_is_asked_for_once(system: System) -> None:
    number = insert_document(system.source, "500001", status="open")
    assert isinstance(system.look("stage_when_closed"), dg.RunRequest)
    assert isinstance(system.look("stage_when_closed"), dg.SkipReason)
    assert system.stage().success
    assert isinstance(system.look("stage_when_closed"), dg.SkipReason)
    close_document(system.source, number)
    assert isinstance(system.look("stage_when_closed"), dg.RunRequest)
    assert isinstance(system.look("stage_when_closed"), dg.SkipReason)


def test_a_document_that_is_imported_with_an_old_creation_date_is_noticed_and_staged(system: System) -> None:
    ready(system, "500001")
    system.look("stage_when_closed")
    insert_document(system.source, "500002", created_at=datetime(2010, 11, 5, tzinfo=UTC))
    asked = system.look("stage_when_closed")
    assert isinstance(asked, dg.RunRequest)
    assert system.run("stage_invoices", tags=asked.tags).success
    assert system.states() == {"500001": "ready", "500002": "ready"}


def test_a_staging_at_night_or_by_hand_compares_all_open_months_and_one_of_the_day_those_that_differ(
    system: System,
) -> None:
    ready(system, "500001")
    compared = {}
    for schedule in (None, "compare_open_months_every_night", "stage_several_times_a_day"):
        tags: dict[str, str] = {}
        if schedule:
            context = dg.build_schedule_context(instance=system.instance)
            (asked_for,) = system.defs.resolve_schedule_def(schedule).evaluate_tick(context).run_requests or []
            tags = dict(asked_for.tags)
        compared[schedule] = metadata(system.run("stage_invoices", tags=tags), "staged_invoices")["months_compared"]
    assert compared == {
        None: "all that are not closed for good",
        "compare_open_months_every_night": "all that are not closed for good",
        "stage_several_times_a_day": "none: the totals agree",
    }


def test_a_staging_that_failed_is_asked_for_again_after_a_while(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_document(system.source, "500001")
    assert isinstance(system.look("stage_when_closed"), dg.RunRequest)
    system.source.execute("alter table invoice_lines rename to elsewhere")
    assert not system.stage().success
    system.source.execute("alter table elsewhere rename to invoice_lines")
    assert isinstance(system.look("stage_when_closed"), dg.SkipReason), "not at every look"
    monkeypatch.setattr(automation, "_ASK_AGAIN_SECONDS", 0.05)
    time.sleep(0.1)
    assert isinstance(system.look("stage_when_closed"), dg.RunRequest)
    assert system.stage().success
    assert isinstance(system.look("stage_when_closed"), dg.SkipReason)


def test_nothing_is_asked_for_while_a_staging_runs_and_nothing_is_forgotten(system: System) -> None:
    insert_document(system.source, "500001")
    running = system.instance.add_run(dg.DagsterRun(job_name="stage_invoices", status=dg.DagsterRunStatus.STARTED))
    assert isinstance(system.look("stage_when_closed"), dg.SkipReason)
    system.instance.delete_run(running.run_id)
    assert isinstance(system.look("stage_when_closed"), dg.RunRequest)


# alerts


def failure_context(system: System, result: dg.ExecuteInProcessResult) -> Any:
    run = system.instance.get_run_by_id(result.run_id)
    assert run is not None
    (event,) = [one for one in result.all_events if one.event_type_value == "PIPELINE_FAILURE"]
    return dg.build_run_status_sensor_context(
        sensor_name="alert_on_run_failure",
        dagster_instance=system.instance,
        dagster_run=run,
        dagster_event=event,
        resources={"billing": system.runtime},
    ).for_run_failure()


def tell(system: System, result: dg.ExecuteInProcessResult) -> Any:
    return system.defs.resolve_sensor_def("alert_on_run_failure")(failure_context(system, result))


def test_a_red_batch_is_told_once_with_money_and_what_to_do(told_system: System, webhook: Webhook) -> None:
    system = told_system
    ready(system, "500001", "500002")
    (key,) = system.planned()
    system.refuse("INV-500002")
    for _ in range(2):
        tell(system, system.post(key, by_sensor=True))
        system.look("alert_on_problems")
    (post,) = webhook.posts  # the watch does not tell the same again, as a partition left behind
    text = post["title"] + post["message"]
    assert "1 rejected by NetSuite" in text
    assert key in text
    assert "Documents: 1, 10.00 GBP" in text
    assert "/runs/" in text


def test_a_journal_that_cannot_be_used_is_told_once_by_the_run_and_the_watch(
    told_system: System, webhook: Webhook
) -> None:
    system = told_system
    ready(system, "500001")
    folder = system.runtime.settings.journal_folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("a file in its place")
    config = {"ops": {"open_again": {"config": {"by": "anna", "why": "a late invoice"}}}}
    tell(system, system.run("reopen_month", "2010-11", config=config))
    system.look("alert_on_problems")
    (post,) = webhook.posts
    assert post["title"] == "[dev] The journal of closes and reminders needs somebody"
    assert str(folder) in post["message"]


def test_a_source_that_is_down_is_one_cause_and_its_password_is_not_told(
    told_system: System,
    webhook: Webhook,
    database: str,
) -> None:
    system = told_system
    system.source.execute("alter table invoices rename to elsewhere")
    for _ in range(2):
        tell(system, system.stage())
    (post,) = webhook.posts
    assert post["title"] == "[dev] The billing database stopped a run: QueryFailed"
    assert "The billing database refused documents.sql" in post["message"]
    password = database.split("@", maxsplit=1)[0].rsplit(":", 1)[1]
    assert password not in str(post)


def test_netsuite_that_stops_runs_is_one_cause_whatever_job_meets_it(told_system: System, webhook: Webhook) -> None:
    system = told_system
    system.account.switch(faults=[{"fault": "refuse_permission", "operations": ["suiteql"]}])
    for period in ("2010-11", "2010-12"):
        tell(system, system.run("close_month", period))
    (post,) = webhook.posts
    assert post["title"].startswith("[dev] NetSuite stopped a run: NetSuite")
    assert "billing doctor" in post["message"]


def test_a_button_with_a_mistyped_number_alerts_nobody(told_system: System, webhook: Webhook) -> None:
    config = {"ops": {"show_document": {"config": {"number": "999"}}}}
    result = told_system.run("preview_document", config=config)
    assert not result.success
    tell(told_system, result)
    assert not webhook.posts


def test_a_run_that_is_tried_again_is_not_told(told_system: System, webhook: Webhook) -> None:
    system = told_system
    system.source.execute("alter table invoices rename to elsewhere")
    result = system.stage()
    system.instance.add_run_tags(result.run_id, {"dagster/will_retry": "true"})
    assert isinstance(tell(system, result), dg.SkipReason)
    assert webhook.posts == []


def test_a_failed_check_of_a_run_that_went_through_is_told(told_system: System, webhook: Webhook) -> None:
    system = told_system
    insert_document(system.source, "500001")
    system.source.execute("insert into invoice_lines values (999, 1, '10002', 'A thing', 1, 1, 1)")
    result = system.run("check_everything")
    assert result.success
    run = system.instance.get_run_by_id(result.run_id)
    assert run is not None
    (event,) = [one for one in result.all_events if one.event_type_value == "PIPELINE_SUCCESS"]
    context = dg.build_run_status_sensor_context(
        "alert_on_failed_check", event, system.instance, run, resources={"billing": system.runtime}
    )
    system.defs.resolve_sensor_def("alert_on_failed_check")(context)
    (post,) = webhook.posts
    assert "lines_have_a_header" in post["title"]
    assert "missing headers" in post["message"]


def test_the_watch_tells_what_waits_too_long_and_what_was_left_behind(told_system: System, webhook: Webhook) -> None:
    system = told_system
    insert_document(system.source, "500003", customer_no=None)
    ready(system, "500001", "500002")
    (key,) = system.planned()
    system.refuse("INV-500002")
    system.post(key, by_sensor=True)
    old = datetime.now(UTC) - timedelta(hours=3)
    system.state.execute("update billing.staged_invoices set staged_at = %s", [old])
    system.state.execute("alter table billing.staged_invoices disable trigger guard_document")
    system.state.execute("update billing.staged_invoices set state_since = %s where state <> 'posted'", [old])
    system.state.execute("update billing.staging_runs set finished_at = %s", [old])
    system.state.execute("update billing.locked_batches set finished_at = %s", [old])
    for _ in range(2):
        found = system.look("alert_on_problems")
        assert isinstance(found, dg.SkipReason)
    titles = sorted(post["title"] for post in webhook.posts)
    assert len(titles) == 3, titles
    for what in ("1 partition of netsuite_invoices left failed", "2 documents stuck", "Nothing staged"):
        assert any(title.startswith(f"[dev] {what}") for title in titles), titles
    text = " ".join(post["message"] for post in webhook.posts)
    assert key in text


def test_a_quiet_system_tells_nobody(told_system: System, webhook: Webhook) -> None:
    ready(told_system, "500001")
    (key,) = told_system.planned()
    assert told_system.post(key).success
    told_system.look("alert_on_problems")
    assert webhook.posts == []


def started_run(system: System, key: str, *, showed_itself: bool = False) -> str:
    """A run of the batch that Dagster shows as started, as after a power cut: nothing works on it."""
    run = create_run_for_test(
        system.instance, job_name="post_batch", tags={"dagster/partition": key}, status=dg.DagsterRunStatus.STARTING
    )
    started = dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_START.value, job_name="post_batch")
    system.instance.report_dagster_event(started, run_id=run.run_id)
    if showed_itself:
        system.state.execute("insert into billing.runs_at_work (run_id) values (%s)", [run.run_id])
    return str(run.run_id)


def test_a_run_that_died_with_the_machine_does_not_keep_its_batch(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(system, "500001")
    (key,) = system.planned()
    started_run(system, key)
    assert system.planned() == [], "it may be about to lock"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert system.planned() == [key]


def status_of(system: System, run_id: str) -> dg.DagsterRunStatus:
    run = system.instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def an_hour_passes(system: System) -> None:
    system.state.execute("update billing.runs_at_work set missed_since = missed_since - interval '1 hour'")


def test_a_run_that_shows_no_sign_of_life_is_ended_at_the_second_look_and_its_batch_goes_on(system: System) -> None:
    ready(system, "500001")
    (key,) = system.planned()
    run_id = started_run(system, key, showed_itself=True)
    for _ in range(2):
        assert system.planned() == []
    assert status_of(system, run_id) == dg.DagsterRunStatus.STARTED, "it may have lost the database for a moment"
    an_hour_passes(system)
    assert system.planned() == [key]
    assert status_of(system, run_id) == dg.DagsterRunStatus.FAILURE


def test_a_batch_that_was_begun_goes_before_those_that_were_not(system: System) -> None:
    ready(system, "500001")
    (begun,) = system.planned()
    system.refuse("INV-500001")
    assert not system.post(begun, by_sensor=True).success
    system.state.execute("update billing.staged_invoices set state = 'locked'")
    system.state.execute("update billing.staged_invoices set state = 'batched'")
    system.state.execute("update billing.locked_batches set rests = false")
    ready(system, "500002")
    found = system.look("plan_batches")
    assert isinstance(found, dg.SensorResult)
    priority = {one.partition_key: one.tags.get("dagster/priority") for one in found.run_requests or []}
    assert priority == {begun: "1", "2010-11-0002": None}


def test_a_run_that_was_to_be_terminated_and_is_dead_is_shown_as_canceled(system: System) -> None:
    run_id = started_run(system, "2010-11-0001", showed_itself=True)
    run = system.instance.get_run_by_id(run_id)
    assert run is not None
    system.instance.report_run_canceling(run)
    system.planned()
    an_hour_passes(system)
    system.planned()
    assert status_of(system, run_id) == dg.DagsterRunStatus.CANCELED


def test_a_run_that_lives_is_left_alone_however_long_it_takes(system: System, state_url: str) -> None:
    run_id = started_run(system, "2010-11-0001", showed_itself=True)
    system.planned()
    an_hour_passes(system)
    with present(state_url, run_id, 30):
        while missed(system.state, [run_id], 0):
            time.sleep(0.01)
        for _ in range(2):
            system.planned()
            an_hour_passes(system)
    assert status_of(system, run_id) == dg.DagsterRunStatus.STARTED


def test_a_run_that_comes_back_after_every_loss_of_the_database_is_left_alone(system: System, state_url: str) -> None:
    """PostgreSQL restarts, or somebody ends its backends: the run lives on, however long each look finds it away."""
    run_id = started_run(system, "2010-11-0001")

    def is_there() -> bool:
        rows = system.state.execute("select from billing.runs_at_work where missed_since is null").fetchall()
        return len(rows) == 1

    with present(state_url, run_id, 3):
        for _ in range(2):
            until(is_there)
            system.state.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where application_name = 'billing presence' and datname = current_database()"
            )
            system.planned()
            assert not is_there(), "this look found it away"
        an_hour_passes(system)
        until(is_there)
        system.planned()
    assert status_of(system, run_id) == dg.DagsterRunStatus.STARTED


def test_a_run_that_never_showed_itself_is_none_of_ours(system: System) -> None:
    run_id = started_run(system, "2010-11-0001")
    for _ in range(2):
        system.planned()
        an_hour_passes(system)
    assert status_of(system, run_id) == dg.DagsterRunStatus.STARTED


def test_every_run_shows_itself_while_it_works_and_no_longer(system: System) -> None:
    ready(system, "500001")
    (key,) = system.planned()
    system.account.switch(latency_median_ms=700, latency_sigma=0.01)
    with ThreadPoolExecutor(1) as beside:
        working = beside.submit(system.post, key)
        shown = set()
        while not working.done():
            shown |= {row["run_id"] for row in system.state.execute("select run_id from billing.runs_at_work")}
            assert missed(system.state, list(shown), 0) == [] or working.done()
        result = working.result()
    assert result.success
    assert shown == {result.run_id}
    assert system.state.execute("select from billing.runs_at_work").fetchall() == []


def test_a_changed_mapping_counts_from_the_next_run_on_also_in_a_process_that_carried_out_runs_before(
    system: System, tmp_path: Path
) -> None:
    shutil.copytree(shipped("config/sample"), tmp_path / "sample")
    mapping = tmp_path / "mapping.yaml"
    text = shipped("config/mapping.yaml").read_text(encoding="utf-8")
    mapping.write_text(text.replace("closed_through:\n", "closed_through: 2030-01-01\n"), encoding="utf-8")
    settings = system.runtime.settings.model_copy(update={"mapping": mapping})
    worker = system.like(settings)
    insert_document(system.source, "500001")
    assert worker.stage().success
    assert system.states() == {"500001": "held"}
    mapping.write_text(text, encoding="utf-8")
    assert worker.stage().success
    assert system.states() == {"500001": "ready"}


def test_runs_that_died_with_the_machine_are_ended_at_the_next_start(system: System) -> None:
    run_id = started_run(system, "2010-11-0001")
    assert end_dead_runs(system.instance) == 1
    run = system.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert end_dead_runs(system.instance) == 0
