"""Staging, locking and posting as Dagster runs them: what ops and finance see, and what NetSuite gets."""

import json
from decimal import Decimal
from typing import Any

import dagster as dg

from billing_assets.erp.batches.ledger import DOCUMENTS, lease_policy
from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.phrases import duration
from billing_assets.posting.batch_lease import holding
from proving.world.builders import change_document, insert_document, stage_now
from proving.world.system import System, checks, exact, failure, metadata, rows

LINES = [("10002", "3", "0.335", "1.005"), ("10002", "1", "0.005", "0.005"), ("10080", "2", "4.50", "9.00")]


def table_of(value: dg.MetadataValue) -> list[dg.TableRecord]:
    assert isinstance(value, dg.TableMetadataValue)
    return list(value.records)


def three_documents(system: System) -> None:
    insert_document(system.source, "500001")
    insert_document(system.source, "500002", lines=[("10002", "2", "0.07", "0.14")])
    insert_document(system.source, "C500003", kind="credit_memo")


def planned_after_staging(system: System) -> str:
    assert system.stage().success
    (key,) = system.planned()
    return key


def test_a_run_locks_its_batch_once_and_posts_it_under_that_lock(system: System) -> None:
    insert_document(system.source, "500001")
    assert system.stage().success
    (key,) = system.planned()
    result = system.post(key)
    assert result.success
    assert metadata(result, "locked_batches")["epoch"] == 1
    epochs = "select b.epoch as batch, a.epoch as attempt from billing.locked_batches b, billing.posting_attempts a"
    assert system.state.execute(epochs).fetchall() == [{"batch": 1, "attempt": 1}]


def test_staging_reports_counts_exact_totals_and_findings(system: System) -> None:
    three_documents(system)
    insert_document(system.source, "500004", customer_no=None)
    insert_document(system.source, "500005", status="open")
    result = system.stage()
    assert result.success
    shown = metadata(result, "staged_invoices")
    assert (shown["documents_new"], shown["dagster/row_count"]) == (5, 5)
    assert exact(shown["total_ready_invoice_GBP_exact"]) == Decimal("10.14")
    assert exact(shown["total_ready_credit_memo_GBP_exact"]) == Decimal("-10")
    assert shown["total_ready_invoice_GBP"] == 10.14
    assert {(row["state"], row["kind"], row["documents"]) for row in rows(shown["states"].records)} == {
        ("ready", "invoice", 2),
        ("ready", "credit_memo", 1),
        ("held", "invoice", 1),
        ("open", "invoice", 1),
    }
    assert [(row["code"], row["documents"]) for row in rows(shown["findings"].records)] == [("CUSTOMER_MISSING", 1)]
    types = {column.name: column.type for column in shown["states"].schema.columns}
    assert types["documents"].startswith("int")
    assert types["total"].startswith("string")
    assert checks(result) == {"every_stuck_document_has_a_reason": True}


def test_a_batch_is_locked_posted_and_read_back_in_one_run(system: System) -> None:
    three_documents(system)
    key = planned_after_staging(system)
    assert key == "2010-11-0001"
    result = system.post(key, by_sensor=True)
    assert result.success
    locked, posted = metadata(result, "locked_batches"), metadata(result, "netsuite_invoices")
    assert (locked["dagster/row_count"], exact(locked["total_GBP_exact"])) == (3, Decimal("0.14"))
    assert (posted["dagster/row_count"], posted["requests_sent"], posted["documents_posted"]) == (3, 3, 3)
    assert exact(posted["total_posted_invoice_GBP_exact"]) == Decimal("10.14")
    assert exact(posted["total_posted_credit_memo_GBP_exact"]) == Decimal("-10")
    assert rows(posted["left"].records) == []
    assert 0 < posted["billed_to_posted_median_seconds"] <= posted["billed_to_posted_p95_seconds"] < 86_400
    assert posted["billed_to_posted_median"] == duration(posted["billed_to_posted_median_seconds"])
    assert (posted["took_before"], posted["oldest_document"]) == ("7.0 days", "2010-11-05")
    assert posted["largest_in_netsuite"].count("app.netsuite.com/app/accounting/transactions/transaction.nl?id=") == 3
    assert exact(posted["total_left_GBP_exact"]) == 0
    assert checks(result).items() >= {"batch_is_whole": True, "netsuite_agrees_to_the_cent": True}.items()
    partitions = system.instance.get_materialized_partitions(dg.AssetKey("netsuite_invoices"))
    assert partitions == {key}
    summary = system.account.admin("summary")
    assert summary["invoice"] == {"count": 2, "total": "10.14"}
    assert (summary["creditMemo"]["count"], abs(Decimal(summary["creditMemo"]["total"]))) == (1, Decimal("10"))


def test_a_run_that_the_sensor_asked_for_in_vain_ends_green_and_leaves_the_batch_to_the_one_that_has_it(
    system: System,
) -> None:
    three_documents(system)
    key = planned_after_staging(system)
    with (
        connect(system.runtime.database_url) as connection,
        holding(
            system.runtime.database_url,
            connection,
            DOCUMENTS,
            key,
            "another",
            lease_policy(system.runtime.settings),
            retry_rejected=False,
        ) as lease,
    ):
        assert system.post(key, by_sensor=True).success
        lease.check()
        assert system.posts() == 0
    assert system.instance.get_materialized_partitions(dg.AssetKey("netsuite_invoices")) == set()
    assert system.planned() == []  # it rests
    assert system.post(key).success
    assert system.posts() == 3


def test_the_posting_asset_alone_locks_for_itself(system: System) -> None:
    three_documents(system)
    key = planned_after_staging(system)
    result = system.post(key, assets=["netsuite_invoices"])
    assert result.success
    assert set(system.states().values()) == {"posted"}
    assert system.posts() == 3


def test_materializing_a_finished_batch_again_sends_nothing_and_stays_green(system: System) -> None:
    three_documents(system)
    key = planned_after_staging(system)
    assert system.post(key).success
    again, alone = system.post(key), system.post(key, assets=["netsuite_invoices"])
    assert again.success
    assert alone.success
    assert metadata(alone, "netsuite_invoices")["requests_sent"] == 0
    assert metadata(alone, "netsuite_invoices")["documents_posted"] == 3
    assert system.posts() == 3
    assert system.planned() == []


def red_batch(system: System) -> tuple[str, Any]:
    """A batch of three whose second document NetSuite refuses, after its run."""
    three_documents(system)
    key = planned_after_staging(system)
    system.refuse("INV-500002", detail="Invalid Field Value 1001 for entity.")
    return key, system.post(key, by_sensor=True)


def test_a_rejected_document_turns_the_batch_red_after_all_others_were_posted(system: System) -> None:
    key, result = red_batch(system)
    assert not result.success
    assert system.states() == {"500001": "posted", "500002": "rejected", "C500003": "posted"}
    failed = failure(result, "netsuite_invoices").user_failure_data
    assert "1 rejected by NetSuite" in failed.description
    (left,) = rows(failed.metadata["left"].value.records)
    assert left == {
        "kind": "invoice",
        "number": "500002",
        "state": "rejected",
        "currency": "GBP",
        "total": "0.14",
        "http_status": 400,
        "code": "INVALID_CONTENT",
        "path": "entity",
        "detail": "Invalid Field Value 1001 for entity.",
    }
    # A failure's own metadata does not show on the partition; an observation does, with the same table.
    found = system.instance.fetch_observations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey("netsuite_invoices"), asset_partitions=[key]), limit=5
    ).records
    (observation,) = [record.event_log_entry.asset_observation for record in found]
    assert observation is not None
    assert observation.metadata["left"] == failed.metadata["left"]
    assert observation.metadata["documents_rejected"].value == 1
    assert system.instance.get_materialized_partitions(dg.AssetKey("netsuite_invoices")) == set()
    assert checks(result) == {"batch_is_whole": True, "netsuite_agrees_to_the_cent": True}
    assert system.planned() == [], "what a person must fix is not asked for again and again"


def test_after_the_cause_was_mended_only_what_is_left_is_posted(system: System) -> None:
    key, _ = red_batch(system)
    posts = system.posts()
    system.refuse()
    result = system.post(key)
    assert result.success
    assert metadata(result, "netsuite_invoices")["requests_sent"] == 1
    assert system.posts() == posts + 1
    assert set(system.states().values()) == {"posted"}
    assert system.instance.get_materialized_partitions(dg.AssetKey("netsuite_invoices")) == {key}


def test_a_dry_run_writes_the_requests_and_neither_sends_nor_materializes(system: System) -> None:
    three_documents(system)
    key = planned_after_staging(system)
    dry = {"ops": {"netsuite_invoices": {"config": {"dry_run": True}}}}
    flagged = system.run("post_batch", key, assets=["netsuite_invoices"], config=dry)
    assert flagged.success, flagged.all_events
    assert flagged.asset_materializations_for_node("netsuite_invoices") == []
    # The button has no flag that somebody could forget: launched with no run config at all, it cannot post.
    assert system.run("preview_batch", key).success
    (file,) = (system.runtime.settings.home / "dry_run").iterdir()
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[1] for line in lines] == ["invoice", "invoice", "creditMemo"]
    body = json.loads(lines[1].split(" ", 2)[2])
    assert (body["externalId"], body["item"]["items"][0]["amount"]) == ("INV-500002", 0.14)
    assert file.stat().st_mode & 0o077 == 0, "it names customers"
    assert system.posts() == 0
    assert set(system.states().values()) == {"batched"}
    assert system.post(key).success
    sent = system.account.show("invoice/eid:INV-500002")
    assert Decimal(str(sent["total"])) == Decimal("0.14")


def said(result: dg.ExecuteInProcessResult, op: str) -> dict[str, Any]:
    """What an op's output shows."""
    (event,) = [event for event in result.events_for_node(op) if event.event_type_value == "STEP_OUTPUT"]
    return {name: value.value for name, value in event.step_output_data.metadata.items()}


def looked_at(system: System, number: str) -> dg.ExecuteInProcessResult:
    return system.run("preview_document", config={"ops": {"show_document": {"config": {"number": number}}}})


def requeued(system: System, *numbers: str) -> dg.ExecuteInProcessResult:
    return system.run(
        "requeue_rejected_invoices", config={"ops": {"requeue_rejected": {"config": {"numbers": [*numbers]}}}}
    )


def test_the_button_for_one_document_shows_what_billing_preview_prints_and_sends_nothing(system: System) -> None:
    key, _ = red_batch(system)
    posts = system.posts()
    result = looked_at(system, "500002")
    shown = said(result, "show_document")
    assert shown["would_go"] is False
    assert next(row.data["says"] for row in shown["says"].records).startswith(f"invoice 500002: rejected, batch {key}")
    (file,) = (system.runtime.settings.home / "dry_run").iterdir()
    assert str(file) in shown["requests"]
    assert '"externalId": "INV-500002"' in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o077 == 0, "it names customers"
    assert system.posts() == posts
    unknown = failure(looked_at(system, "999999"), "show_document").user_failure_data
    assert "No document 999999 is staged." in unknown.description


def test_the_button_requeues_what_was_rejected_and_names_what_stays(system: System) -> None:
    key, _ = red_batch(system)
    failed = failure(requeued(system, "500001", "500002"), "requeue_rejected").user_failure_data
    assert "1 documents wait for a batch again. 500001 is not rejected: invoice posted." in failed.description
    assert system.states()["500002"] == "ready"
    (again,) = system.planned()
    assert again != key
    assert said(requeued(system), "requeue_rejected")["documents_requeued"] == 0
    system.refuse()
    assert system.post(again).success
    assert set(system.states().values()) == {"posted"}


def test_a_document_that_changes_before_its_batch_is_locked_is_posted_as_it_is_now(system: System) -> None:
    number = insert_document(system.source, "500001")
    key = planned_after_staging(system)
    system.source.execute("update invoice_lines set price = 12.34, amount = 12.34 where invoice_id = %s", [number])
    change_document(system.source, number, total=Decimal("12.34"))
    assert system.stage().success
    keys = system.planned() or [key]
    for one in keys:
        assert system.post(one).success
    assert Decimal(system.account.admin("summary")["invoice"]["total"]) == Decimal("12.34")


def test_an_unfit_document_stops_its_batch_before_anything_is_sent(system: System) -> None:
    """Whatever let it through: the check is blocking, and the posting asset alone holds it back, too."""
    three_documents(system)
    key = planned_after_staging(system)
    system.state.execute("update billing.staged_invoices set status = 'open' where number = '500002'")
    result = system.post(key)
    assert not result.success
    assert checks(result)["batch_is_whole"] is False
    assert system.posts() == 0
    assert set(system.states().values()) == {"batched"}


def test_staging_fails_with_the_cause_named_and_the_next_run_goes_on(system: System) -> None:
    insert_document(system.source, "500001")
    system.source.execute("alter table invoices rename column currency to money")
    result = system.stage()
    assert not result.success
    assert "currency" in str(failure(result, "staged_invoices").error)
    system.source.execute("alter table invoices rename column money to currency")
    assert system.stage().success
    assert system.states() == {"500001": "ready"}


def test_the_source_is_observed_without_reading_it(system: System) -> None:
    insert_document(system.source, "500001")
    observe = dg.define_asset_job("observe", selection=[dg.AssetKey("billing_invoices")])
    defs = dg.Definitions.merge(system.defs, dg.Definitions(jobs=[observe]))
    versions = []
    for _ in range(2):
        result = defs.resolve_job_def("observe").execute_in_process(instance=system.instance)
        assert result.success
        (event,) = result.get_asset_observation_events()
        observation = event.asset_observation_data.asset_observation
        assert observation.metadata["months"].value == "2010-11"
        versions.append(observation.tags["dagster/data_version"])
        insert_document(system.source, "500002")
    assert versions[0] != versions[1]


def test_lines_without_a_header_are_reported(system: System) -> None:
    insert_document(system.source, "500001")
    system.source.execute("insert into invoice_lines values (999, 1, '10002', 'A thing', 1, 1, 1)")
    result = system.run("check_everything")
    assert checks(result) == {"lines_have_a_header": False, "no_batch_left_behind": True}
    found = {one.check_name: one.metadata for one in result.get_asset_check_evaluations()}
    line = {"source": "billing", "document_id": "999", "lines": 1}
    assert rows(table_of(found["lines_have_a_header"]["found"])) == [line]


def test_a_batch_that_was_left_behind_fails_its_check(system: System) -> None:
    key, _ = red_batch(system)
    result = system.run("check_everything")
    assert checks(result)["no_batch_left_behind"] is False
    found = {one.check_name: one.metadata for one in result.get_asset_check_evaluations()}
    (left,) = rows(table_of(found["no_batch_left_behind"]["left"]))
    assert (left["partition_key"], left["documents"], left["total"]) == (key, 1, "0.14")


def test_the_unlock_job_gives_back_what_a_dead_run_held(system: System) -> None:
    three_documents(system)
    key = planned_after_staging(system)
    system.state.execute(
        "update billing.staged_invoices set state = 'locked', epoch = 1 where batch = %s",
        [key],
    )
    system.state.execute(
        "update billing.locked_batches set state = 'running', epoch = 1, run_id = 'dead', "
        "locked_until = clock_timestamp() - interval '1 minute' where partition_key = %s",
        [key],
    )
    assert system.run("unlock_stale_batches").success
    assert set(system.states().values()) == {"ready"}


def test_staging_of_the_helper_and_of_the_asset_agree(system: System) -> None:
    """Both take the same way; else the other rooms' tests would prove something else."""
    three_documents(system)
    system.stage()
    before = system.states()
    stage_now(system.runtime.database_url, system.runtime.of(BillingSystem).url)
    assert system.states() == before
