"""What billing operations see in Dagster: a request becomes batches, these are validated, drafted and issued."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from billing_assets.definitions import build_defs
from billing_assets.foundation.dagster_helpers.runs import ASKED_BY
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import make_settings
from billing_assets.invoicing.batches import planning_store, reviewing
from billing_assets.invoicing.batches.partitions import NAME
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.validating import validate
from billing_assets_tests.docs_tables import ROOT
from billing_assets_tests.rooms.invoicing.customers import customers, load, metered

TODAY = datetime.now(UTC).date()
MONTH = TODAY - timedelta(days=29), TODAY
GROUP = Wanted(Selection.BILL_GROUP, TODAY, ("G1",))
CYCLES = "bill_group,cycle,valid_from,valid_until,estimate_from,read_on,invoice_date\n"
MARA = ("Mara", "Month end")


class Page:
    """Dagster with the area on: its sensor, its jobs, and what they show."""

    def __init__(self, url: str, home: Path, instance: dg.DagsterInstance) -> None:
        self.runtime = Runtime(
            make_settings(
                database_url=SecretStr(url), areas="invoicing,metering", home=home, batches={"retry_seconds": 0}
            )
        )
        self.instance = instance
        self.repository = build_defs(self.runtime).get_repository_def()
        self.keys: list[str] = []

    def look(self) -> list[str]:
        """What the sensor asks for: partitions, which are added."""
        with dg.build_sensor_context(self.instance, repository_def=self.repository) as context:
            found = self.repository.get_sensor_def("plan_invoice_batches")(context, billing=self.runtime)
        if isinstance(found, dg.SkipReason):
            return []
        assert isinstance(found, dg.SensorResult)
        asked = found.run_requests or []
        keys = [str(one.run_key) for one in asked]
        assert not set(keys) & set(self.keys), "a run that Dagster would take for an earlier one"
        self.keys += keys
        for one in found.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(NAME, list(one.partition_keys))
        return [str(one.partition_key) for one in asked]

    def run(
        self, job: str, batch: str, *, by_sensor: bool = False, **config: dict[str, str]
    ) -> dg.ExecuteInProcessResult:
        """A run of a job for a batch; the sensor's, or a person's with this config by asset."""
        return self.repository.get_job(job).execute_in_process(
            partition_key=batch,
            instance=self.instance,
            tags={ASKED_BY: "plan_invoice_batches"} if by_sensor else {},
            run_config={"ops": {name: {"config": values} for name, values in config.items()}},
            raise_on_error=False,
        )

    def bill(self) -> dict[str, dg.ExecuteInProcessResult]:
        """A look of the sensor, and the runs it asks for, by batch."""
        return {batch: self.run("bill_batch", batch, by_sensor=True) for batch in self.look()}


def shown(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """The metadata of what was materialized, by asset."""
    return {
        one.materialization.asset_key.to_user_string(): {
            name: value.value for name, value in one.materialization.metadata.items()
        }
        for one in result.get_asset_materialization_events()
    }


def reason(result: dg.ExecuteInProcessResult) -> str:
    """Why a run failed, as its page says."""
    assert not result.success
    (observed,) = [one.asset_observation_data.asset_observation for one in result.get_asset_observation_events()]
    assert observed.partition
    return str(observed.metadata["reason"].value)


@pytest.fixture
def page(state_url: str, tmp_path: Path) -> Iterator[Page]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Page(state_url, tmp_path / "home", instance)


def group(state: Connection, folder: Path, *numbers: int, automated: bool = True, ceiling: str = "") -> None:
    """Customers whose supply and usage began a month ago."""
    customers(state, folder, *numbers, automated=automated, ceiling=ceiling)
    state.execute("alter table billing.supply_periods disable trigger guard")
    state.execute("update billing.supply_periods set valid_from = %s", [MONTH[0]])
    for number in numbers:
        metered(state, number, period=MONTH)


def window(state: Connection, folder: Path) -> None:
    """A bill window of the group that is open today."""
    first, last = TODAY - timedelta(days=1), TODAY + timedelta(days=3)
    load(state, folder, bill_cycles=CYCLES + f"G1,C1,{first},{last},{TODAY},{TODAY},{TODAY}\n")


def test_an_automated_group_is_drafted_while_its_window_is_open_and_a_person_issues_it(
    state: Connection, tmp_path: Path, page: Page
) -> None:
    group(state, tmp_path, 1, 2)
    assert page.look() == []
    window(state, tmp_path)
    (done,) = page.bill().values()
    found = shown(done)
    assert (found["validated_batches"]["dagster/row_count"], found["validated_batches"]["members_held"]) == (2, 0)
    drafted = found["drafted_invoices"]
    assert (drafted["members_invoiced"], drafted["members_failed"], drafted["documents_approved_USD"]) == (2, 0, 2)
    assert (drafted["total_approved_USD"], drafted["total_approved_USD_exact"]) == (550.0, "550.00")
    assert page.look() == []
    issued = shown(page.run("issue_batch", "1", issued_invoices={"invoice_date": TODAY.isoformat()}))["issued_invoices"]
    year = f"{TODAY.year % 100:02}"
    assert (issued["first_number"], issued["last_number"]) == (f"ACME{year}00000001", f"ACME{year}00000002")
    again = shown(page.run("issue_batch", "1"))["issued_invoices"]
    assert (again["numbers"], again["total_issued_USD_exact"]) == (2, "550.00")
    assert page.run("bill_batch", "1").success


def test_a_window_is_one_request_a_night_and_what_came_meanwhile_waits_for_the_next(
    state: Connection, tmp_path: Path, page: Page
) -> None:
    group(state, tmp_path, 1)
    window(state, tmp_path)
    assert page.look() == ["1"]
    assert page.look() == ["1"], "it has no run yet"
    assert page.run("bill_batch", "1", by_sensor=True).success
    for _ in range(2):
        assert page.look() == []
    requests = state.execute("select source, cut_off from billing.invoice_requests").fetchall()
    assert requests == [{"source": "automatic", "cut_off": TODAY}]


def test_a_member_with_an_error_makes_its_batch_red_and_a_person_who_fixed_it_materializes_it_again(
    state: Connection, tmp_path: Path, page: Page
) -> None:
    group(state, tmp_path, 1, 2)
    state.execute("update billing.supply_periods set valid_from = '2020-01-01' where account = 'A1'")
    planning_store.request(state, GROUP)
    (red,) = page.bill().values()
    assert reason(red) == "Batch 1: 1 of 2 members have an error (PERIOD_GAP 1). It waits in review."
    checks = {one.check_name: one.passed for one in red.get_asset_check_evaluations()}
    assert not checks["validations_found_no_error"]
    assert page.look() == [], "a batch that waits for a person is not asked for again"
    state.execute("update billing.supply_periods set valid_from = %s where account = 'A1'", [MONTH[0]])
    green = page.run("bill_batch", "1")
    assert shown(green)["drafted_invoices"]["members_invoiced"] == 2


def test_a_batch_in_review_is_tried_again_each_night_while_the_window_is_open(
    state: Connection, tmp_path: Path, page: Page
) -> None:
    group(state, tmp_path, 1)
    window(state, tmp_path)
    state.execute("update billing.supply_periods set valid_from = '2020-01-01'")
    assert list(page.bill()) == ["1"]
    assert page.look() == []
    state.execute("update billing.invoice_batches set asked_on = asked_on - 1")
    state.execute("update billing.supply_periods set valid_from = %s", [MONTH[0]])
    (done,) = page.bill().values()
    assert shown(done)["drafted_invoices"]["members_invoiced"] == 1


def test_a_group_that_is_not_automated_is_invoiced_by_a_persons_word(
    state: Connection, tmp_path: Path, page: Page
) -> None:
    group(state, tmp_path, 1, automated=False)
    planning_store.request(state, GROUP, by="Mara", why="Month end")
    (reviewed,) = page.bill().values()
    assert list(shown(reviewed)) == ["validated_batches"]
    assert reason(page.run("bill_batch", "1")) == "Batch 1 is In Review: a person lets it be invoiced."
    done = page.run("bill_batch", "1", drafted_invoices={"by": "Mara", "why": "Month end"})
    assert shown(done)["drafted_invoices"]["members_invoiced"] == 1
    (decision,) = state.execute("select decided_by, why from billing.decisions where decision = 'invoice'").fetchall()
    assert (decision["decided_by"], decision["why"]) == ("Mara", "Month end")


def test_a_failed_member_makes_the_draft_red_until_it_is_in_another_batch(
    state: Connection, tmp_path: Path, page: Page
) -> None:
    group(state, tmp_path, 1, 2)
    planning_store.request(state, GROUP)
    page.look()
    state.execute("update billing.agreements set replaced_at = clock_timestamp() where account = 'A2'")
    state.execute("alter table billing.invoice_findings disable trigger never_dropped")
    validate(state, 1, today=TODAY)
    state.execute("update billing.invoice_findings set state = 'gone', resolved_at = clock_timestamp()")
    state.execute("update billing.batch_members set state = 'clear' where state = 'held'")
    reviewing.proceed(state, 1, *MARA)
    red = page.run("bill_batch", "1", by_sensor=True)
    assert reason(red).startswith("Batch 1: 1 members could not be invoiced (NO_RATE_INFORMATION)")
    assert shown(red)["validated_batches"]["members_open"] == 2
    load(state, tmp_path, agreements=(tmp_path / "agreements.csv").read_text())
    green = shown(page.run("bill_batch", "1"))["drafted_invoices"]
    assert (green["members_invoiced"], green["members_failed"]) == (1, 1)
    ((batch, done),) = page.bill().items()
    assert batch == str(green["retried_in_batch"])
    assert shown(done)["drafted_invoices"]["members_invoiced"] == 1


def test_a_draft_that_waits_for_a_person_makes_the_issued_batch_red(
    state: Connection, tmp_path: Path, page: Page
) -> None:
    group(state, tmp_path, 1, 2)
    planning_store.request(state, GROUP)
    page.bill()
    state.execute("update billing.utility_invoices set state = 'drafted' where id = 1")
    state.execute("update billing.utility_invoices set state = 'qa_hold' where state = 'drafted'")
    red = page.run("issue_batch", "1")
    assert reason(red) == "Batch 1: 1 drafts wait for a person; 1 invoices are issued."
    assert "no invoice date" in reason(page.run("issue_batch", "1", issued_invoices={"invoice_date": "tomorrow"}))


def test_what_was_done_by_command_is_shown_once(state: Connection, tmp_path: Path, page: Page) -> None:
    group(state, tmp_path, 1, automated=False)
    planning_store.request(state, GROUP, by="Mara", why="Month end")
    assert page.look() == ["1"]
    state.execute("update billing.invoice_batches set asked_at = null, asked_for = 5")
    validate(state, 1, today=TODAY)
    assert page.look() == ["1"]
    assert page.look() == []


def test_the_billing_of_a_day_is_reported_by_group_with_money_what_failed_and_what_is_late(
    state: Connection, tmp_path: Path, page: Page
) -> None:
    group(state, tmp_path, 1, 2, 3)
    state.execute("update billing.supply_periods set valid_from = '2020-01-01' where account = 'A3'")
    planning_store.request(state, GROUP)
    page.look()
    page.run("bill_batch", "1")
    (held,) = state.execute("select id from billing.batch_members where state = 'held'").fetchall()
    reviewing.take_out(state, held["id"], *MARA)
    page.run("bill_batch", "1")
    page.run("issue_batch", "1")
    state.execute("alter table billing.usage_messages disable trigger user")
    state.execute("update billing.usage_messages set arrived_at = now() - interval '31 days' where point like '%3'")
    done = shown(page.run("report_billing_day", TODAY.isoformat()))["daily_billing_report"]
    assert (done["billed"], done["amount_USD"], done["amount_USD_exact"]) == (2, 550.0, "550.00")
    assert (done["taken_out"], done["failed"], done["parked"], done["late"]) == (1, 0, 0, 1)
    assert (done["oldest_unbilled"], done["oldest_unbilled_days"]) == (TODAY.isoformat(), 0)
    path = done["file"].partition(" on ")[0]
    assert Path(path).read_text(encoding="utf-8-sig").splitlines()[1].startswith(f'"{TODAY}","G1","USD",2,550.00,')
    early = shown(page.run("report_billing_day", (TODAY - timedelta(days=1)).isoformat()))["daily_billing_report"]
    assert (early["billed"], early["taken_out"]) == (0, 0)


def test_the_check_over_every_kwh_has_the_numbers_by_month(state: Connection, tmp_path: Path, page: Page) -> None:
    group(state, tmp_path, 1, 2)
    job = page.repository.get_job("explain_every_kwh")
    done = job.execute_in_process(instance=page.instance)
    (check,) = done.get_asset_check_evaluations()
    assert check.passed
    months = rows(check, "kwh_by_place")
    assert sum(float(str(one["waiting"])) for one in months) == 2000
    assert {one["left_over"] for one in months} == {"0"}
    state.execute("alter table billing.usage_messages disable trigger user")
    state.execute("update billing.usage_messages set state = 'billed' where kind = 'usage' and point like '%1'")
    (check,) = job.execute_in_process(instance=page.instance).get_asset_check_evaluations()
    assert not check.passed
    assert [one["why"] for one in rows(check, "not_explained")] == ["billed, and on no invoice"]


def rows(check: dg.AssetCheckEvaluation, name: str) -> list[Any]:
    """The rows of a table among the metadata of a check."""
    table = check.metadata[name]
    assert isinstance(table, dg.TableMetadataValue)
    return [one.data for one in table.records]


def test_the_chapter_knows_every_sensor_schedule_and_job_of_invoicing_and_all_of_them_are_on(page: Page) -> None:
    chapter = (ROOT / "docs/billing.md").read_text(encoding="utf-8")
    ours = build_defs(Runtime(make_settings(areas="invoicing"))).get_repository_def()
    names = {one.name for each in (ours.sensor_defs, ours.schedule_defs, ours.get_all_jobs()) for one in each}
    known = {one for one in names if not one.startswith(("__", "alert_", "archive_"))}
    assert {"bill_batch", "correct_invoices_daily", "plan_invoice_batches"} <= known
    assert {one for one in known if f"`{one}`" not in chapter} == set()
    for schedule in ours.schedule_defs:
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING, schedule.name
    night = page.repository.get_job("correct_invoices").execute_in_process(instance=page.instance)
    assert shown(night)["invoice_corrections"]["waiting"] == 0
