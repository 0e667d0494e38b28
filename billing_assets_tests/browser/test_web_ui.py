"""What operations see: lineage, a failed partition with its reasons, the same partition green once it was fixed; what a
failed run says and where it leads; the buttons.

It is the session's running system, with a NetSuite that refuses some documents; each test has a month of its own.
They come before the tests of system/, as pytest collects them: the counts of failed partitions are theirs.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple

import dagster as dg
import pytest
import requests
from playwright.sync_api import Locator, Page, expect, sync_playwright

from proving.world.builders import insert_document
from proving.world.chromium import CHROMIUM, FLAGS
from proving.world.running import Live
from proving.world.waiting import PATIENCE_SECONDS, until

BATCH = "2010-11-0001"
GROUPS = ("billing_system", "staging", "batches", "netsuite", "close", "audit", "balances", "reminders")
ASSETS = (
    *("billing_invoices", "staged_invoices", "locked_batches", "netsuite_invoices", "netsuite_account", "month_close"),
    *("pending_invoices", "audit_queue", "open_receivables", "aging", "late_fees", "payment_reminders"),
)
REFUSAL = "The item is inactive."
PATIENCE = 1000 * PATIENCE_SECONDS  # on an idle machine everything is there within a few seconds

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]


class Ui(NamedTuple):
    """The session's running system, seen through a browser."""

    page: Page
    live: Live

    def open(self, path: str) -> None:
        self.page.goto(f"{self.live.up.address}{path}")

    def partition(self, batch: str, also: str = "") -> None:
        self.open(f"/assets/netsuite_invoices?view=partitions&partition={batch}{also}")

    def issue(self, number: str, **columns: Any) -> None:
        """The billing system has one more invoice."""
        with self.live.billing_system() as source:
            insert_document(source, number, lines=[("10002", "1", "1234.5", "1234.5")], **columns)

    def job(self, name: str, config: str) -> None:
        """Presses a job's button in the Launchpad, with this config, and comes to its run."""
        self.open(f"/locations/__repository__@billing_assets/jobs/{name}/playground")
        self.page.locator(".CodeMirror-code").first.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(config)
        self.page.get_by_role("button", name="Launch Run").click()
        self.page.wait_for_url("**/runs/*")

    def events(self, kind: str) -> Locator:
        """What the run's page says in its events of a kind."""
        self.page.get_by_placeholder("Filter…").fill(f"type:{kind}")
        return self.page.get_by_text(kind, exact=True).first.locator("xpath=ancestor::*[contains(., 'what_to_do')][1]")

    def reads(self, text: str | re.Pattern[str]) -> None:
        """Waits until a person reads this."""
        expect(self.page.get_by_text(text).first).to_be_visible()

    def materialized(self, asset: str, partition: str) -> None:
        """Waits until a partition of an asset is green."""
        with self.live.dagster() as instance:
            until(lambda: partition in instance.get_materialized_partitions(dg.AssetKey(asset)))

    def refuse(self, *external_ids: str) -> None:
        """NetSuite refuses these documents from now on; without any, none."""
        self.live.refuse(*external_ids, code="INVALID_CONTENT", detail=REFUSAL, path="item.items[1]")

    def summary(self) -> dict[str, Any]:
        """What NetSuite holds."""
        found: dict[str, Any] = self.live.account.admin("summary")
        return found


@pytest.fixture(scope="module")
def ui(live: Live) -> Iterator[Ui]:
    """Its web UI in a fresh browser."""
    with browser() as page:
        yield Ui(page, live)


@contextmanager
def browser() -> Iterator[Page]:
    """A page of a fresh Chromium."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = chromium.new_page(viewport={"width": 1600, "height": 1000})
            page.set_default_timeout(PATIENCE)
            yield page
        finally:
            chromium.close()


def test_before_anything_was_posted_finance_reads_netsuite_without_being_asked_whether_one_is_sure(ui: Ui) -> None:
    """On the first day; and as long as no batch has gone through."""
    page = ui.page
    with ui.live.billing_system() as source:
        insert_document(source, "500000", status="open", document_date=date(2010, 10, 5))
    ui.open("/assets/staged_invoices?view=events")
    ui.reads(re.compile("Materialized"))
    ui.open("/assets/open_receivables")
    page.get_by_role("button", name="Materialize").first.click()
    ui.reads(re.compile("Launched run"))
    expect(page.get_by_role("dialog")).to_have_count(0)
    ui.open("/assets/month_close?view=partitions&partition=2010-10")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name="Launch 1 run").click()
    ui.reads("Materialized (1)")
    ui.open("/assets/open_receivables?view=overview")
    ui.reads("read_from")


def test_operations_find_a_failed_batch_read_why_and_bring_it_to_green(ui: Ui) -> None:
    page = ui.page
    ui.refuse("INV-500002")
    with ui.live.billing_system() as source:
        insert_document(source, "500001")
        insert_document(source, "500002", lines=[("10002", "1", "1234.5", "1234.5")])
        insert_document(source, "C500003", kind="credit_memo")

    # The lineage shows every asset in its group, without a dialog in front of it.
    ui.open("/asset-groups?expanded=" + ",".join(f"global@global:{group}" for group in GROUPS))
    for asset in ASSETS:
        ui.reads(asset)
    expect(page.get_by_role("dialog")).to_have_count(0)

    # The sensors stage and post the documents by themselves; the batch turns red.
    ui.open("/assets/netsuite_invoices?view=partitions")
    ui.reads("Failed (1)")
    ui.partition(BATCH)
    ui.reads(re.compile("failed, and did not materialize this asset"))

    # The log says why, in NetSuite's words, at its end, where it opens.
    page.get_by_role("button", name="View logs").click()
    log = page.get_by_role("dialog")
    expect(log).to_contain_text("RUN_FAILURE")
    expect(log).to_contain_text(f"Batch {BATCH}: 1 rejected by NetSuite.")
    expect(log).to_contain_text(f"500002: {REFUSAL.rstrip('.')} (INVALID_CONTENT).")
    page.get_by_role("button", name="Done").click()

    # The partition's event shows what is left and what is done, to the cent.
    ui.partition(BATCH, "&showAllEvents=true")
    events = page.get_by_role("dialog")
    events.get_by_text(BATCH, exact=True).first.click()
    for text in ("500002", "INVALID_CONTENT", REFUSAL, "1,234.50", "rejected", "posted"):
        expect(events.get_by_text(text, exact=True).first).to_be_visible()
    assert ui.summary()["posts"] == {"received": 3, "created": 2, "refused_duplicate": 0}

    # Fixed in NetSuite; materialized again; green, and only what was left was sent.
    ui.refuse()
    ui.partition(BATCH)
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name="Launch 1 run").click()
    ui.reads(re.compile("Launched run"))
    ui.reads("Failed (0)")
    ui.reads("Materialized (1)")
    page.reload()
    ui.reads("documents_posted")
    expect(page.get_by_text(re.compile("failed, and did not materialize"))).to_have_count(0)
    summary = ui.summary()
    assert summary["posts"] == {"received": 4, "created": 3, "refused_duplicate": 0}
    assert summary["invoice"] == {"count": 2, "total": "1244.50"}

    # Finance compares the month, reads it, and opens the statement to sign.
    ui.open("/assets/month_close?view=partitions&partition=2010-11")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name="Launch 1 run").click()
    ui.reads(re.compile("Launched run"))
    ui.materialized("month_close", "2010-11")
    page.reload()
    for name in ("reconciled", "per_state", "from_billing_to_netsuite", "1,234.50"):
        ui.reads(name)
    link = page.get_by_role("link", name=re.compile(r"month-close-2010-11\.pdf")).first.get_attribute("href")
    assert link is not None
    assert requests.get(link, timeout=30).content.startswith(b"%PDF")


def test_a_failed_run_says_why_and_what_to_do_and_leads_to_where_its_batch_is_sent_again(ui: Ui) -> None:
    page, batch = ui.page, "2010-12-0001"
    ui.refuse("INV-600001")
    ui.issue("600001", document_date=date(2010, 12, 5))

    # From the red partition to its run: the failed step begins with the reason and what to do, before any table.
    ui.open("/assets/netsuite_invoices?view=partitions")
    ui.reads("Failed (1)")
    ui.partition(batch)
    ui.reads(re.compile("failed, and did not materialize this asset"))
    page.locator("a[href*='/runs/']").first.click()
    page.wait_for_url("**/runs/*")
    step = ui.events("STEP_FAILURE")
    for text in (f"Batch {batch}: 1 rejected by NetSuite. 600001: {REFUSAL}", "from-a-failed-partition-to-a-green-one"):
        expect(step).to_contain_text(text.rstrip("."))

    # The partition's event shows the same, with number and total of what is left in full.
    ui.partition(batch, "&showAllEvents=true")
    events = page.get_by_role("dialog")
    events.get_by_text(batch, exact=True).first.click()
    for text in ("what_to_do", "600001", "1,234.50"):
        expect(events.get_by_text(text, exact=True).first).to_be_in_viewport(ratio=1)

    # Its link opens the batch's page, where the dialog has chosen the batch.
    ui.refuse()
    link = events.get_by_role("link", name=re.compile(f"partition={batch}")).first.get_attribute("href")
    assert link is not None
    page.goto(link)
    page.get_by_role("button", name="Materialize").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("1 partition")
    page.get_by_role("button", name="Launch 1 run").click()
    ui.reads(re.compile("Launched run"))
    ui.reads("Failed (0)")


def test_the_audit_queue_is_made_on_its_own_without_being_asked_whether_one_is_sure(ui: Ui) -> None:
    ui.issue("600002", document_date=date(2011, 1, 5))
    ui.open("/assets/netsuite_invoices?view=partitions")
    ui.reads("2011-01-0001")
    ui.open("/assets/audit_queue?view=partitions&partition=2011-01")
    ui.page.get_by_role("button", name="Materialize").first.click()
    ui.page.get_by_role("button", name="Launch 1 run").click()
    ui.reads(re.compile("Launched run"))
    ui.reads("Materialized (1)")


@pytest.mark.parametrize(
    ("job", "config", "reason"),
    [
        ("preview_document", "ops: {show_document: {config: {number: '999'}}}", "No document 999 is staged."),
        (
            "requeue_rejected_invoices",
            "ops: {requeue_rejected: {config: {numbers: ['999']}}}",
            "0 documents wait for a batch again. 999 no document with this number",
        ),
    ],
)
def test_a_button_for_a_document_that_does_not_exist_says_so_and_what_to_do(
    ui: Ui, job: str, config: str, reason: str
) -> None:
    ui.job(job, config)
    expect(ui.events("STEP_FAILURE")).to_contain_text(reason)
