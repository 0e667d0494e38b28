"""What people read of a step that failed, on the run's page and on the asset's."""

from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from billing_assets.definitions import build_defs
from billing_assets.foundation.dagster_helpers.failing import runbook
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.sections import AlertSettings
from proving.world.builders import insert_document
from proving.world.system import OTHERS, System, failure

FIRST = ["reason", "what_to_do", "runbook"]


def told(result: dg.ExecuteInProcessResult, step: str) -> dict[str, Any]:
    """The failure's metadata as it is shown, in its order."""
    assert not result.success
    return {name: value.value for name, value in failure(result, step).user_failure_data.metadata.items()}


def on_the_asset(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The same by asset and partition, as the assets' pages show it."""
    seen = [event.asset_observation_data.asset_observation for event in result.get_asset_observation_events()]
    return {
        f"{one.asset_key.to_user_string()} {one.partition or ''}".strip(): {
            name: value.value for name, value in one.metadata.items()
        }
        for one in seen
    }


def red(system: System) -> tuple[str, dg.ExecuteInProcessResult]:
    insert_document(system.source, "500001")
    insert_document(system.source, "500002", lines=[("10002", "1", "1234.5", "1234.5")])
    system.stage()
    (key,) = system.planned()
    system.refuse("INV-500002")
    return key, system.post(key)


def test_a_staging_that_cannot_read_its_source_says_why_what_to_do_and_where_to_read_more(
    system: System, database: str
) -> None:
    system.source.execute("alter table invoices rename to elsewhere")
    result = system.stage()
    found = told(result, "staged_invoices")
    assert list(found) == [*FIRST, "error", "system"]
    assert found["reason"].startswith("The billing database refused documents.sql")
    assert "`billing doctor`" in found["what_to_do"]
    assert (found["runbook"], found["error"]) == ("docs/operations.md#green-and-red", "QueryFailed")
    assert on_the_asset(result)["staged_invoices"] == found
    chain = failure(result, "staged_invoices").error
    assert chain.cause.cls_name == "QueryFailed"
    assert database.split("@", maxsplit=1)[0].rsplit(":", 1)[1] not in str(found)


def test_a_red_batch_says_why_before_its_tables_and_links_to_where_it_is_sent_again(system: System) -> None:
    alerts = AlertSettings(ui_url="https://dagster.example.com/", runbook_url="https://wiki.example.com/runbook")
    key, result = red(system.changed(alerts=alerts))
    found = told(result, "netsuite_invoices")
    assert list(found)[:5] == [*FIRST, "materialize_again", "left"]
    assert found["reason"].startswith(f"Batch {key}: 1 rejected by NetSuite. 500002: ")
    assert found["runbook"] == "https://wiki.example.com/runbook#from-a-failed-partition-to-a-green-one"
    assert found["materialize_again"] == (
        f"https://dagster.example.com/assets/netsuite_invoices?view=partitions&partition={key}"
    )
    assert found["documents_rejected"] == 1
    shown = on_the_asset(result)[f"netsuite_invoices {key}"]
    assert list(shown) == list(found)


def test_netsuite_away_is_told_on_every_step_that_meets_it_in_the_same_way(system: System) -> None:
    system.account.switch(faults=[{"fault": "refuse_permission", "operations": ["suiteql"]}])
    for job, step, period in (("age_receivables", "open_receivables", None), ("close_month", "month_close", "2010-11")):
        found = told(system.run(job, period), step)
        assert list(found) == [*FIRST, "error", "system"]
        assert found["system"] == "NetSuite"


def test_settings_that_do_not_fit_the_database_are_told_on_the_first_step_of_whatever_starts(system: System) -> None:
    """It was "Error executing resource_fn on ResourceDefinition billing", on no step and on no asset's page."""
    key, _ = red(system)
    elsewhere = system.changed(netsuite={"account": OTHERS})
    for job, step, partition in (
        ("stage_invoices", "staged_invoices", None),
        ("post_batch", "locked_batches", key),
        ("age_receivables", "open_receivables", None),
        ("preview_document", "show_document", None),
    ):
        result = elsewhere.run(job, partition)
        found = told(result, step)
        assert list(found) == [*FIRST, "error"], job
        assert found["reason"].startswith("This database belongs to NetSuite account"), job
        assert (found["runbook"], found["error"]) == (
            "docs/operations.md#what-a-database-belongs-to",
            "BoundElsewhereError",
        )
    assert on_the_asset(elsewhere.post(key))[f"locked_batches {key}"] == found
    assert system.states() == {"500001": "posted", "500002": "rejected"}


@pytest.mark.parametrize(("tags", "on_a_step"), [({}, False), ({"dagster/retry_number": "2"}, True)])
def test_a_database_that_does_not_answer_as_a_run_starts_is_tried_again_and_the_last_time_told_on_the_step(
    system: System, tags: dict[str, str], on_a_step: bool
) -> None:
    """What Dagster starts again fails outside of any step; it does not start again what a step has failed of."""
    away = make_url(system.state_url).set(port=1).render_as_string(hide_password=False)
    runtime = Runtime(system.settings.model_copy(update={"database_url": SecretStr(away)}))
    retries = {"run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}}
    with dg.DagsterInstance.ephemeral(settings=retries) as instance:
        job = build_defs(runtime).resolve_job_def("stage_invoices")
        result = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    assert not result.success
    assert [one.step_key for one in result.get_step_failure_events()] == ["staged_invoices"] * on_a_step
    if on_a_step:
        found = told(result, "staged_invoices")
        assert list(found) == [*FIRST, "error"]
        assert "connection" in found["reason"]
        assert str(make_url(away).password) not in str(result.all_events)


def test_an_error_that_is_none_of_ours_is_named_with_its_kind_and_how_to_go_on(
    system: System,
) -> None:
    system.state.execute("alter table billing.open_receivables rename to elsewhere")
    found = told(system.run("age_receivables"), "open_receivables")
    assert found["reason"].startswith('UndefinedTable: relation "billing.open_receivables" does not exist')
    assert "report it" in found["what_to_do"]


def test_a_document_that_does_not_exist_is_a_sentence_with_what_to_do(system: System) -> None:
    config = {"ops": {"show_document": {"config": {"number": "9\u202e99"}}}}
    found = told(system.run("preview_document", config=config), "show_document")
    assert list(found) == FIRST
    assert found["reason"] == "No document 9[U+202E]99 is staged."
    assert "Write the document's number" in found["what_to_do"]
    assert found["runbook"] == "docs/operations.md#dry-run"


def test_a_button_pressed_without_filling_its_config_says_what_is_missing(system: System) -> None:
    assert told(system.run("preview_document"), "show_document")["reason"] == "No number is given."
    closing = told(system.run("soft_close_month", "2010-11"), "close_softly")
    assert closing["reason"] == "Say who decides: `by` is empty."


@pytest.mark.parametrize(("retry", "left"), [({}, "posted"), ({"dagster/retry_number": "1"}, "rejected")])
def test_re_execute_in_the_web_ui_tries_what_was_rejected_again_and_dagsters_own_retry_does_not(
    system: System, retry: dict[str, str], left: str
) -> None:
    key, first = red(system)
    system.refuse()
    tags = {
        "billing/asked_by": "plan_batches",
        "dagster/parent_run_id": first.run_id,
        "dagster/root_run_id": first.run_id,
    }
    system.run("post_batch", key, tags=tags | retry)
    assert system.states() == {"500001": "posted", "500002": left}


def test_a_chapter_is_linked_where_the_settings_say_how_people_reach_the_runbook() -> None:
    linked = AlertSettings(runbook_url="https://wiki.example.com/runbook/")
    assert isinstance(runbook("alerts", linked), dg.UrlMetadataValue)
    assert isinstance(runbook("alerts", AlertSettings()), dg.TextMetadataValue)
