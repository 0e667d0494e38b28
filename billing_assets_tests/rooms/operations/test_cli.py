"""Every command on good and on bad input: what it says, its exit code, no traceback and no secret."""

import json
import signal
import subprocess
import time
from decimal import Decimal
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._daemon.types import DaemonHeartbeat
from sqlalchemy import make_url

from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.foundation.database.connection import connect, libpq_url
from billing_assets.foundation.shipped import shipped
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.builders import insert_document
from proving.world.command import PROGRAM, Said, call, complete, environment, netsuite_variables, running
from proving.world.servers import pgbouncer, pgbouncer_program
from proving.world.system import System
from proving.world.waiting import PATIENCE_SECONDS, until

SECRET = "hunter2secret"


class Command:
    """The command on one machine's settings."""

    def __init__(self, capsys: pytest.CaptureFixture[str], variables: dict[str, str]) -> None:
        self.capsys, self.variables = capsys, variables

    def __call__(self, *arguments: str, **changes: str) -> Said:
        return call(self.capsys, self.variables | changes, *arguments)


@pytest.fixture
def bare(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """The command where nothing is set up and our database does not answer."""
    url = f"postgresql+psycopg://billing:{SECRET}@127.0.0.1:9/billing"
    return Command(capsys, {"BILLING_HOME": str(tmp_path / "home"), "BILLING_DATABASE_URL": url})


@pytest.fixture
def machine(
    capsys: pytest.CaptureFixture[str],
    system: System,
    sandbox: RunningSandbox,
) -> Command:
    """The command on a test's whole system."""
    settings = system.runtime.settings
    variables = netsuite_variables(sandbox) | {
        "BILLING_HOME": str(settings.home),
        "BILLING_DATABASE_URL": system.runtime.database_url,
        "BILLING_SOURCE__URL": system.runtime.of(BillingSystem).url,
        "BILLING_BATCHES__STALE_LOCK_MINUTES": "0",
    }
    return Command(capsys, variables)


def with_secret(url: str) -> str:
    return make_url(url).set(password=SECRET).render_as_string(hide_password=False)


def unreachable(url: str) -> str:
    return make_url(url).set(port=9, password=SECRET).render_as_string(hide_password=False)


# Wrong settings and arguments


def test_a_misspelt_setting_is_named_with_the_right_one(bare: Command) -> None:
    complete(bare("status", BILLING_NETSUITE__LANE="3"), 2, ["BILLING_NETSUITE__LANE is not a setting", "__LANES"])


def test_a_wrong_value_is_named_with_its_setting(bare: Command) -> None:
    complete(bare("status", BILLING_NETSUITE__LANES="many"), 2, ["BILLING_NETSUITE__LANES"])


@pytest.mark.parametrize("period", ["2010-13", "2010-1", "november", "2010-11-05", "../x"])
@pytest.mark.parametrize("command", ["run", "up", "load-sample"])
def test_a_period_that_is_no_month_is_refused_before_anything_starts(bare: Command, command: str, period: str) -> None:
    complete(bare(command, "--period", period), 2, [f"--period {period}", "such as 2010-11"])


def test_a_month_outside_the_sample_is_refused_with_its_months(bare: Command) -> None:
    complete(bare("run", "--sample", "--period", "2030-01"), 2, ["2009-12 to 2011-12"])


@pytest.mark.parametrize("command", ["status", "run", "held", "doctor", "init"])
def test_our_database_that_does_not_answer_is_one_message_without_its_password(bare: Command, command: str) -> None:
    said = bare(command)
    complete(said, 2, ["BILLING_DATABASE_URL", "127.0.0.1"])
    assert SECRET not in said.words


@pytest.mark.skipif(pgbouncer_program() is None, reason="needs pgbouncer, which CI installs")
@pytest.mark.parametrize("command", ["init", "doctor"])
def test_a_pool_that_shares_sessions_is_refused_at_the_start(bare: Command, state_url: str, command: str) -> None:
    with pgbouncer(state_url, "transaction") as pooled:
        said = bare(command, BILLING_DATABASE_URL=pooled)
    complete(said, 2, ["PgBouncer with pool_mode = transaction", "Name PostgreSQL itself in BILLING_DATABASE_URL"])


def test_a_missing_right_is_one_message_with_what_to_do(bare: Command, state_url: str) -> None:
    name = f"nobody_{make_url(state_url).database}"
    with connect(state_url) as owner:
        owner.execute(f"create role {name} login password '{SECRET}'")
        try:
            poor = make_url(state_url).set(username=name, password=SECRET).render_as_string(hide_password=False)
            said = bare("status", BILLING_DATABASE_URL=poor)
        finally:
            owner.execute(f"drop role {name}")
    complete(
        said, 2, ["Our database cannot be used. PostgreSQL says: permission denied", "Make it the database's owner"]
    )


def test_a_database_url_that_is_none_is_one_message_without_its_password(bare: Command) -> None:
    for url in (f"hokum-{SECRET}", f"oracle://x:{SECRET}@h/d"):
        said = bare("status", BILLING_DATABASE_URL=url)
        complete(said, 2, ["BILLING_DATABASE_URL"])
        assert SECRET not in said.words


def test_the_installed_command_says_the_same(bare: Command) -> None:
    found = subprocess.run(
        [PROGRAM, "status"],
        env=environment(bare.variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    complete(Said(found.returncode, found.stdout, found.stderr), 2, ["billing: ", "BILLING_DATABASE_URL"])
    assert found.stdout == ""
    assert SECRET not in found.stderr


def test_help_names_every_command(bare: Command) -> None:
    said = bare("--help")
    assert said.code == 0
    for name in (
        "init", "load-sample", "run", "up", "down", "status", "held", "rejected", "requeue", "unlock", "preview",
        "doctor", "sandbox",
    ):  # fmt: skip
        assert name in said.words


def test_down_where_nothing_ever_ran_is_harmless(bare: Command) -> None:
    assert bare("down").code == 0


# Looking


ODD, SHOWN = "536367\x1b[31m\u202e\n", "536367[U+001B][31m[U+202E]"
"""A number that would colour and turn the terminal and begin a line, and how it is shown."""


def three(system: System) -> str:
    """Two posted, one rejected, one held, one of a kind that is never sent; the batch's key."""
    insert_document(system.source, "536365", memo="50 % <off> & £4 \U0001f600")
    insert_document(system.source, "536366")
    insert_document(system.source, "C536379", kind="credit_memo")
    insert_document(system.source, ODD, customer_no=None)
    insert_document(system.source, "A536368", kind="adjustment")
    assert system.stage().success
    (key,) = system.planned()
    system.refuse("INV-536366", detail="[customer] is [/wrong] here")
    system.post(key)
    return key


def test_status_held_and_rejected_show_where_everything_stands(machine: Command, system: System) -> None:
    key = three(system)
    status = json.loads(machine("status", "--json").out)
    waiting = {"credits_waiting", "credit_memos_proposed"}
    assert status.keys() == {"documents", "findings", "batches", "watermark", "lanes"} | waiting
    assert {row["state"]: row["total"] for row in status["documents"] if row["kind"] == "credit_memo"} == {
        "posted": "-10.000"
    }
    assert status["batches"] == {"attention": 1}
    summary = system.account.admin("summary")
    posted = {row["kind"]: row for row in status["documents"] if row["state"] == "posted"}
    assert posted["invoice"]["count"] == summary["invoice"]["count"]
    assert Decimal(posted["invoice"]["total"]) == Decimal(summary["invoice"]["total"])
    complete(machine("status"), 0, ["rejected", "-10.00", "Watermark: 20"])
    complete(machine("held"), 0, ["2 held documents", "CUSTOMER_MISSING", "KIND_UNSUPPORTED", SHOWN])
    one = machine("held", "--code", "CUSTOMER_MISSING")
    complete(one, 0, ["1 held documents", SHOWN])
    assert "A536368" not in one.out
    assert not {"\x1b", "\u202e"} & {*one.out}
    complete(machine("preview", "--number", f"{ODD}8"), 2, [SHOWN, "no such document is staged"])
    complete(machine("requeue", "--number", ODD), 1, [f"{SHOWN}[U+000A] is not rejected"])
    # Brackets in NetSuite's words are words, no markup.
    complete(machine("rejected"), 0, ["536366", key, "400", "INVALID_CONTENT", "[customer]", "[/wrong]"])


def test_preview_prints_the_exact_request_and_sends_nothing(machine: Command, system: System) -> None:
    insert_document(system.source, "536365", memo="50 % <off> & £4 \U0001f600", lines=[("10002", "3", "0.33", "0.99")])
    insert_document(system.source, ODD, customer_no=None)
    insert_document(system.source, "A536368", kind="adjustment")
    assert system.stage().success
    said = machine("preview", "--number", "536365")
    assert said.code == 0
    state, head, body = said.out.split("\n", 2)
    assert state == "# invoice 536365: ready, external id INV-536365"
    assert head == "POST invoice"
    shown = json.loads(body, parse_float=Decimal)
    assert shown["memo"] == "50 % <off> & £4 \U0001f600"
    assert shown["externalId"] == "INV-536365"
    assert shown["item"]["items"][0]["quantity"] == 3
    held = machine("preview", "--number", ODD)
    complete(held, 1, [f"# invoice {SHOWN}[U+000A]: held, external id INV-536367", "# CUSTOMER_MISSING"])
    assert held.out.count("CUSTOMER_MISSING") == 1
    complete(machine("preview", "--number", "A536368"), 1, ["# adjustment A536368: held", "never sent"])
    complete(machine("preview", "--number", "nobody"), 2, ["--number nobody", "no such document"])
    assert system.posts() == 0
    assert system.account.admin("summary")["invoice"]["count"] == 0


def test_what_preview_shows_is_what_is_sent(machine: Command, system: System) -> None:
    insert_document(system.source, "536365", lines=[("10002", "3", "0.33", "0.99"), ("10080", "-1", "0.01", "-0.01")])
    assert system.stage().success
    body = json.loads(machine("preview", "--number", "536365").out.split("\n", 2)[2])
    (key,) = system.planned()
    assert system.post(key).success
    sent = system.account.show("invoice/eid:INV-536365")
    assert [(line["quantity"], line["amount"]) for line in sent["item"]["items"]] == [
        (line["quantity"], line["amount"]) for line in body["item"]["items"]
    ]
    assert sent["tranDate"] == body["tranDate"]


# Operators' tools


def test_requeue_sends_rejected_documents_to_the_backlog_again(machine: Command, system: System) -> None:
    three(system)
    complete(machine("requeue", "--number", "999"), 1, ["0 documents wait", "999 no document with this number"])
    complete(machine("requeue", "--number", "536366"), 0, ["1 documents wait"])
    system.refuse()
    (key,) = system.planned()
    assert system.post(key).success
    assert system.states()["536366"] == "posted"
    complete(machine("requeue"), 0, ["Nothing is rejected."])


def test_unlock_gives_back_stale_locks_and_a_named_batch(machine: Command, system: System) -> None:
    insert_document(system.source, "536365")
    assert system.stage().success
    (key,) = system.planned()
    complete(machine("unlock"), 0, ["0 batches unlocked"])
    complete(machine("unlock", "--batch", key), 0, [f"Batch {key}: 1 documents wait for a batch again"])
    assert system.states() == {"536365": "ready"}
    complete(machine("unlock", "--batch", "2010-11-9999"), 2, ["There is no batch 2010-11-9999"])


def test_retention_archives_what_was_posted_long_ago_and_takes_a_month_out(machine: Command, system: System) -> None:
    insert_document(system.source, "500001")
    assert system.stage().success
    (key,) = system.planned()
    assert system.post(key).success
    complete(machine("retention"), 0, ["The log of 0 documents went to the archive."])
    for table, column in (("staged_invoices", "posted_at"), ("posting_attempts", "started_at")):
        system.state.execute(f"alter table billing.{table} disable trigger user")
        system.state.execute(f"update billing.{table} set {column} = '2026-01-31 23:00+00'")  # noqa: S608
        system.state.execute(f"alter table billing.{table} enable trigger user")
    log = system.state.execute("select * from billing.posting_log").fetchall()
    complete(machine("retention"), 0, ["The log of 1 documents went to the archive.", "2026-01"])
    assert system.state.execute("select * from billing.posting_log").fetchall() == log
    complete(machine("retention", "--detach", "2025-12"), 2, ["There is no archive of 2025-12.", "`billing retention`"])
    complete(machine("retention", "--detach", "2026-01"), 0, ["billing.detached_attempts_2026_01", "drop it"])
    assert system.state.execute("select * from billing.posting_log").fetchall() == []
    assert "2026-01" not in machine("retention").words


def test_load_sample_never_writes_into_a_database_that_holds_something_else(machine: Command, system: System) -> None:
    system.source.execute("create table ledger (id int)")
    complete(machine("load-sample", "--period", "2011-12"), 2, ["other tables", "BILLING_SOURCE__URL"])
    assert system.source.execute("select count(*) from invoices").fetchone() == (0,)


def test_load_sample_fills_an_empty_billing_system_once(machine: Command, system: System) -> None:
    complete(machine("load-sample", "--period", "2011-12"), 0, ["1,015 documents appeared, 1,015 closed"])
    complete(machine("load-sample", "--period", "2011-12"), 0, ["0 documents appeared, 0 closed"])


def test_init_writes_what_other_tools_need_for_its_owner_only(machine: Command) -> None:
    complete(machine("init"), 0, ["Ready."])
    file = Path(machine.variables["BILLING_HOME"]) / "env"
    assert file.stat().st_mode & 0o077 == 0
    shell = f"set -a; . '{file}'; set +a; echo \"$DAGSTER_HOME|$BILLING_SOURCE__URL\""
    found = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=True)
    home, _, source = found.stdout.strip().partition("|")
    assert (Path(home) / "dagster.yaml").is_file()
    assert source == machine.variables["BILLING_SOURCE__URL"]


# Doctor


def test_doctor_finds_everything_well_but_the_daemon_that_never_ran(machine: Command) -> None:
    said = machine("doctor")
    complete(said, 1, ["schema up to date", "every column of the contract", "the login (oauth2) is accepted"])
    assert said.out.count("FAIL") == 1
    complete(said, 1, ["FAIL Dagster's daemon: It never ran here", "records that the mapping can name exist"])


def test_doctor_tells_a_live_daemon_from_a_dead_one(
    machine: Command, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine("init")
    for age, code, text in ((5, 0, "ok Dagster's daemon: alive"), (3600, 1, "60 minutes old")):
        system.state.execute("delete from public.daemon_heartbeats")
        heard(monkeypatch, machine, age)
        complete(machine("doctor"), code, [text])


def heard(monkeypatch: pytest.MonkeyPatch, machine: Command, seconds_ago: float = 5) -> None:
    """A sign of life of the daemon of a machine that was prepared."""
    url = libpq_url(machine.variables["BILLING_DATABASE_URL"], driver="postgresql+psycopg2")
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
    with dg.DagsterInstance.from_config(str(Path(machine.variables["BILLING_HOME"]) / "dagster")) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - seconds_ago, "SENSOR", "here", []))


def test_doctor_names_an_unreachable_source_without_its_password(machine: Command) -> None:
    said = machine("doctor", BILLING_SOURCE__URL=unreachable(machine.variables["BILLING_SOURCE__URL"]))
    complete(said, 1, ["FAIL Billing system: Cannot connect", "ok NetSuite"])
    assert SECRET not in said.words
    wrong = machine("doctor", BILLING_SOURCE__URL=with_secret(machine.variables["BILLING_SOURCE__URL"]))
    complete(wrong, 1, ["ok NetSuite"])
    assert SECRET not in wrong.words


def test_doctor_says_which_setting_is_missing(machine: Command) -> None:
    said = machine("doctor", BILLING_SOURCE__URL="", BILLING_NETSUITE__CLIENT_ID="")
    complete(said, 1, ["FAIL Billing system: BILLING_SOURCE__URL is not set", "BILLING_NETSUITE__CLIENT_ID"])


def test_doctor_names_the_column_that_an_extraction_query_lacks(machine: Command, tmp_path: Path) -> None:
    folder = tmp_path / "queries"
    folder.mkdir()
    for file in ("documents.sql", "lines.sql"):
        text = shipped(f"sql/source/postgresql/{file}").read_text(encoding="utf-8")
        (folder / file).write_text(text.replace("AS currency", "AS money").replace("currency", "money"))
    said = machine("doctor", BILLING_SOURCE__QUERIES=str(folder))
    complete(said, 1, ["FAIL Billing system"])
    assert "currency" in said.words or "money" in said.words


def test_doctor_names_netsuite_that_does_not_answer(machine: Command) -> None:
    said = machine("doctor", BILLING_NETSUITE__BASE_URL="http://127.0.0.1:9", BILLING_NETSUITE__TIMEOUT_SECONDS="0.3")
    complete(said, 1, ["FAIL NetSuite", "port=9", "ok Billing system"])


@pytest.mark.parametrize(
    "changes",
    [
        {"BILLING_NETSUITE__CLIENT_ID": SECRET},
        {"BILLING_NETSUITE__AUTH": "tba", "BILLING_NETSUITE__TOKEN_SECRET": SECRET},
        {"BILLING_NETSUITE__AUTH": "tba", "BILLING_NETSUITE__CONSUMER_KEY": SECRET},
    ],
)
def test_doctor_names_a_refused_login_without_the_secret(machine: Command, changes: dict[str, str]) -> None:
    said = machine("doctor", **changes)
    complete(said, 1, ["FAIL NetSuite", "ok Billing system"])
    assert SECRET not in said.words


def test_doctor_names_a_private_key_that_others_can_read(machine: Command, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(Path(machine.variables["BILLING_NETSUITE__PRIVATE_KEY_FILE"]).read_bytes())
    key.chmod(0o644)
    complete(machine("doctor", BILLING_NETSUITE__PRIVATE_KEY_FILE=str(key)), 1, ["FAIL NetSuite", "chmod 600"])


@pytest.fixture
def broken_mapping(tmp_path: Path) -> str:
    path = tmp_path / "mapping.yaml"
    text = shipped("config/mapping.yaml").read_text(encoding="utf-8")
    tables = text.replace("sample/", f"{shipped('config/sample')}/")
    path.write_text(tables.replace("lookup: customers, by: customer", "lookup: clients, by: customer"))
    return str(path)


def test_a_fault_in_the_mapping_is_named_with_file_and_key(
    machine: Command, system: System, broken_mapping: str
) -> None:
    complete(machine("doctor", BILLING_MAPPING=broken_mapping), 1, ["FAIL Mapping", "mapping.yaml", "clients"])
    insert_document(system.source, "536365")
    assert system.stage().success
    said = machine("preview", "--number", "536365", BILLING_MAPPING=broken_mapping)
    complete(said, 2, ["mapping.yaml", "clients"])


def test_doctor_names_records_that_netsuite_does_not_have(machine: Command, tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    (tmp_path / "customers.csv").write_text("customer,netsuite_id\n12346,1001\n12347,777001\n12348,777002\n")
    text = shipped("config/mapping.yaml").read_text(encoding="utf-8")
    text = text.replace("sample/customers.csv", "customers.csv").replace("sample/", f"{shipped('config/sample')}/")
    path.write_text(text)
    said = machine("doctor", BILLING_MAPPING=str(path))
    complete(said, 1, ["FAIL References in NetSuite", "2 of 3 ids for entity (customer): 777001, 777002"])


# Billing


def test_run_says_when_there_is_nothing_to_bill_instead_of_reconciling_nothing(
    machine: Command, system: System
) -> None:
    complete(machine("run", "--period", "2010-11"), 2, ["no documents at all"])
    insert_document(system.source, "536365")
    complete(machine("run", "--period", "2011-01"), 2, ["no document of it, only of 2010-11"])


def test_run_names_a_source_that_does_not_answer_and_stops_what_it_started(machine: Command) -> None:
    said = machine("run", BILLING_SOURCE__URL=unreachable(machine.variables["BILLING_SOURCE__URL"]))
    complete(said, 2, ["Cannot connect to the billing database"])
    assert SECRET not in said.words


def test_the_sandbox_prints_settings_without_secrets_and_ends_with_its_starter(bare: Command, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(log, bare.variables, "sandbox", "--port", "0", "--switch", "concurrency_limit=3") as process:
        until(lambda: "Ctrl-C stops it." in log.read_text(encoding="utf-8") or process.poll() is not None)
        assert process.poll() is None, log.read_text(encoding="utf-8")
        family = psutil.Process(process.pid).children(recursive=True)
        assert family
        process.terminate()  # as `kill` or a container's end does
        assert process.wait(PATIENCE_SECONDS) == 128 + signal.SIGTERM
    assert psutil.wait_procs(family, timeout=PATIENCE_SECONDS)[1] == []
    said = log.read_text(encoding="utf-8")
    assert "BILLING_NETSUITE__BASE_URL=http://127.0.0.1:" in said
    credentials = json.loads(next((tmp_path / "home").rglob("credentials.json")).read_text(encoding="utf-8"))
    for name in ("consumer_secret", "token_secret"):
        assert credentials[name] not in said
