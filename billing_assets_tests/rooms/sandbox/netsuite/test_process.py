"""The sandbox as a process: start, outage, restart, end."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from billing_assets.sandbox.netsuite.credentials import make_credentials
from billing_assets.sandbox.netsuite.process import SandboxError, start_sandbox
from proving.world.account import REFERENCES, Account, invoice, log_in
from proving.world.waiting import PATIENCE_SECONDS, until


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    with start_sandbox(tmp_path, switches={"concurrency_limit": 50}, references=REFERENCES) as sandbox:
        account = log_in(sandbox.base_url, sandbox.credentials)

        def post(n: int) -> None:
            try:
                if account.create(invoice(f"INV-{n}")).status_code == 204:
                    acknowledged.append(f"INV-{n}")
            except requests.ConnectionError:
                return  # killed meanwhile

        with ThreadPoolExecutor(4) as pool:
            work = [pool.submit(post, n) for n in range(2000)]
            while len(acknowledged) < 100:
                time.sleep(0.005)
            sandbox.kill()
            for future in work:
                future.result()
    with start_sandbox(tmp_path, port=sandbox.port) as again:
        assert again.base_url == sandbox.base_url
        assert again.credentials == sandbox.credentials
        survived = Account(again.base_url, again.credentials, account.session)  # the token is still good
        held = {item["externalId"] for item in survived.admin("records", limit=1000)["items"]}
        assert set(acknowledged) <= held
        assert len(held) - len(acknowledged) <= 4, "at most what was in flight"
        repeated = survived.create(invoice(acknowledged[0].lower()))
        assert repeated.status_code == 400
        times = {item["externalId"]: item["posted_times"] for item in survived.admin("records", limit=1000)["items"]}
        assert times[acknowledged[0]] == 2
        posts = survived.admin("summary")["posts"]
        assert posts["created"] == len(held)
        assert posts["refused_duplicate"] == 1
        survived.created(invoice("INV-new"))
        numbers = [row["tranid"] for row in survived.rows("SELECT tranid FROM transaction ORDER BY tranid")]
        assert len(numbers) == len(set(numbers))


def test_a_job_goes_on_after_a_kill(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, switches={"latency_tail": [1, 150]}, references=REFERENCES) as sandbox:
        account = log_in(sandbox.base_url, sandbox.credentials)
        headers = {"Prefer": "respond-async", "Content-Type": "application/vnd.oracle.resource+json; type=collection"}
        body = {"items": [invoice(f"INV-{n}") for n in range(10)]}
        assert account.post("/record/v1/invoice", body, headers=headers).status_code == 202
        time.sleep(0.4)
        sandbox.kill()
    with start_sandbox(tmp_path) as again:
        survived = Account(again.base_url, again.credentials, account.session)
        until(lambda: survived.admin("summary")["invoice"]["count"] == 10)
        assert survived.admin("summary")["posts"] == {"received": 10, "created": 10, "refused_duplicate": 0}


def test_it_ends_promptly_also_while_it_works(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, switches={"latency_tail": [1, 3_600_000]}) as sandbox:
        server = json.loads((tmp_path / "server.json").read_bytes())
        assert server == {"base_url": sandbox.base_url, "pid": sandbox.pid}
        account = log_in(sandbox.base_url, sandbox.credentials)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(account.create, invoice())
            until(lambda: account.admin("requests")["in_flight"])
            sandbox.stop()
            with pytest.raises(requests.ConnectionError):  # its answer would take an hour
                waiting.result(timeout=PATIENCE_SECONDS)
    assert "Traceback" not in (tmp_path / "sandbox.log").read_text(encoding="utf-8")


def test_credentials_are_private_and_made_once(tmp_path: Path) -> None:
    credentials = make_credentials(tmp_path)
    assert make_credentials(tmp_path) == credentials
    assert credentials.account == "TSTDRV1234567"
    for name in ("credentials.json", "private_key.pem"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert credentials.token_secret not in repr(credentials)


def test_a_wrong_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="nonsense"):
        start_sandbox(tmp_path / "a", switches={"nonsense": 1})
    with start_sandbox(tmp_path / "b") as sandbox:
        with pytest.raises(SandboxError, match="another sandbox serves"):
            start_sandbox(tmp_path / "b")
        with pytest.raises(SandboxError, match="cannot serve"):
            start_sandbox(tmp_path / "c", port=sandbox.port)
        assert requests.get(f"{sandbox.base_url}/sandbox/summary", timeout=30).status_code == 200


def test_it_imports_nothing_of_the_product() -> None:
    code = (
        "import sys, billing_assets.sandbox.netsuite.server, billing_assets.sandbox.netsuite.process;"
        "print([m for m in sys.modules if m.startswith('billing_assets.')"
        " and not f'{m}.'.startswith(('billing_assets.sandbox.netsuite.', 'billing_assets.sandbox.kit.'))"
        " and m != 'billing_assets.sandbox'])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert out.stdout.strip() == "[]"
