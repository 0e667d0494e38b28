"""What operations see: lineage, a failed partition with its reasons, the same partition green once it was fixed.

`billing up` runs as it does for a person: Dagster's daemon, sensors and web server, on a database of its own, over a
billing system with three documents and a NetSuite sandbox that refuses one of them.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import requests
from playwright.sync_api import Page, expect, sync_playwright

from billing_assets.operations.processes import stop_trees
from billing_assets.operations.sample import sandbox_settings, seeded_sandbox
from billing_assets.sandbox.netsuite.process import RunningSandbox
from billing_assets.settings import variable
from billing_assets_tests.builders import create_billing_system, insert_document, open_for_writing

CHROMIUM = shutil.which("chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
BATCH = "2010-11-0001"
GROUPS = ("billing_system", "staging", "netsuite", "close", "receivables")
ASSETS = (
    *("billing_invoices", "staged_invoices", "locked_batches", "netsuite_invoices", "month_close"),
    *("pending_invoices", "audit_queue", "open_receivables", "aging", "late_fees", "payment_reminders"),
)
REFUSAL = "The item is inactive."
PATIENCE = 90_000  # milliseconds; on an idle machine everything is there within a few seconds

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(280),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]


class Ui(NamedTuple):
    """A running system, seen through a browser."""

    page: Page
    address: str
    sandbox: RunningSandbox

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")

    def partition(self, batch: str, also: str = "") -> None:
        self.open(f"/assets/netsuite_invoices?view=partitions&partition={batch}{also}")

    def reads(self, text: str | re.Pattern[str]) -> None:
        """Waits until a person reads this."""
        expect(self.page.get_by_text(text).first).to_be_visible()

    def refuse(self, *external_ids: str) -> None:
        """NetSuite refuses these documents from now on; without any, none."""
        rule = {"fault": "refuse", "status": 400, "code": "INVALID_CONTENT", "detail": REFUSAL, "path": "item.items[1]"}
        faults = [rule | {"external_ids": list(external_ids)}] if external_ids else []
        switches = f"{self.sandbox.base_url}/sandbox/switches"
        requests.put(switches, json={"faults": faults}, timeout=30).raise_for_status()

    def summary(self) -> dict[str, Any]:
        """What NetSuite holds."""
        found: dict[str, Any] = requests.get(f"{self.sandbox.base_url}/sandbox/summary", timeout=30).json()
        return found


@pytest.fixture
def ui(state_url: str, database: str, tmp_path: Path) -> Iterator[Ui]:
    """The web UI of a system whose billing system is still empty, in a fresh browser."""
    create_billing_system(database)
    with seeded_sandbox(tmp_path / "sandbox") as sandbox:
        settings = sandbox_settings(sandbox) | {
            "home": str(tmp_path / "a home"),
            "database_url": state_url,
            "source.url": database,
            "staging.detect_seconds": "2",
            "batches.sensor_seconds": "2",
        }
        with running(tmp_path, settings) as address, browser() as page:
            yield Ui(page, address, sandbox)


@contextmanager
def running(folder: Path, settings: dict[str, str]) -> Iterator[str]:
    """`billing up` with these settings; its address. Everything that it started ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = ("BILLING_", "DAGSTER_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {variable(setting): value for setting, value in settings.items()}
    log = folder / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from billing_assets.cli import main; main()", "up", "--port", str(port)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    family: list[psutil.Process] = []
    try:
        wait_for_line(log, "The web UI is at", process)
        family = psutil.Process(process.pid).children(recursive=True)
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, log.read_text()
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not alive, f"`billing up` ended and left processes running: {alive}"
    finally:
        stop_trees([process.pid])
        for left in family:
            stop_trees([left.pid])
        process.wait()


def wait_for_line(log: Path, text: str, process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while text not in log.read_text():
        assert process.poll() is None, f"`billing up` ended:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"`billing up` said nothing of {text!r} in {seconds} s:\n{log.read_text()}"
        time.sleep(0.1)


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


def test_operations_find_a_failed_batch_read_why_and_bring_it_to_green(ui: Ui, database: str) -> None:
    page = ui.page
    ui.refuse("INV-500002")
    with open_for_writing(database) as source:
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
    ui.reads("Materialized (1)")
    page.reload()
    for name in ("reconciled", "per_state", "from_billing_to_netsuite", "1,234.50"):
        ui.reads(name)
    link = page.get_by_role("link", name=re.compile(r"month-close-2010-11\.pdf")).first.get_attribute("href")
    assert link is not None
    assert requests.get(link, timeout=30).content.startswith(b"%PDF")
