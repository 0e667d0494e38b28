"""Marker secrets and marker customers are planted, the real system runs and fails, and all that it wrote is searched.

Secrets may stand in the files that are there to hold them, customers in `billing.staged_invoices` and the dry run.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from billing_assets.foundation.database.connection import libpq_url
from billing_assets.foundation.shipped import shipped
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.account import Account
from proving.world.builders import create_billing_system, insert_document, open_for_writing
from proving.world.command import PROGRAM, environment, netsuite_variables
from proving.world.databases import _database
from proving.world.raw_server import RawServer, raw_server
from proving.world.running import Live
from proving.world.waiting import until

NAME, STREET, MAIL, ORDER = "Zyxwhold Markerson", "Quillfeather Lane 77b", "zara@markermail.test", "MARKERPO-9"
CUSTOMER_MARKERS = ("zyxwhold", "markerson", "quillfeather", "markermail", "markerpo")
MEMO = f"For {NAME}, {STREET}"
PASSWORDS = {"state": "MARKER-state-password", "source": "MARKER-source-password"}
_EXTRA = f"""SELECT d.*, '{NAME}' AS customer_name, '{STREET}' AS customer_address, '{MAIL}' AS customer_mail FROM (
{{}}
) AS d"""  # noqa: S608
_STUMBLING = "SELECT d.* FROM ({}) AS d WHERE CAST(d.memo AS integer) > 0"


@dataclass
class Wrote:
    """Everything that the system wrote: files by path, tables by name, what commands said, what alerts were sent."""

    home: Path
    files: dict[str, str]
    tables: dict[str, str]
    said: dict[str, str]
    alerts: str
    secrets: dict[str, str]
    dry_runs: dict[str, str]

    def places(self) -> Iterator[tuple[str, str]]:
        """Where it wrote, and what."""
        for kind in (self.files, self.tables, self.said, {"the alerts": self.alerts}):
            yield from kind.items()

    def leaked_secrets(self) -> list[Any]:
        """Where a secret is."""
        return [
            (where, name) for where, text in self.places() for name, secret in self.secrets.items() if secret in text
        ]

    def leaked_logins(self) -> list[Any]:
        """Where a signed assertion or a token is."""
        return [where for where, text in self.places() if re.search(r"eyJ[\w-]{10,}\.eyJ|Bearer [\w-]{8,}", text)]

    def leaked_customers(self) -> list[Any]:
        """Where a customer is, but for the staging table."""
        return [
            (where, marker, text[max(0, text.lower().index(marker) - 200) :][:400])
            for where, text in self.places()
            for marker in CUSTOMER_MARKERS
            if marker in text.lower() and where != "billing.staged_invoices"
        ]


@pytest.fixture(scope="module")
def wrote(
    server_url: str, sandbox: RunningSandbox, sandbox_account: Account, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wrote]:
    """Runs with refusals in them, the commands, and runs that fail with tracebacks."""
    folder = tmp_path_factory.mktemp("markers")
    sandbox_account.fresh()
    with (
        _database(server_url, template="template0") as state_url,
        _database(server_url, template="template0") as source_url,
        _owners(state_url, source_url) as (state, source),
        raw_server(lambda call: call.answer(200)) as channel,
    ):
        _plant(source_url)
        refuse = {"fault": "refuse", "code": "USER_ERROR", "path": "memo"}
        told = f"{NAME} <{MAIL}>, {STREET}: this customer is on hold. Memo: {MEMO}. Order {ORDER}."
        invalid = f"Invalid Field Value {MEMO} for the following field: memo"
        sandbox_account.switch(
            faults=[
                refuse | {"external_ids": ["INV-600001"], "detail": told},
                refuse | {"external_ids": ["INV-600002"], "detail": invalid, "code": "INVALID_CONTENT"},
            ]
        )
        variables = netsuite_variables(sandbox, lanes=2) | {
            "BILLING_HOME": str(folder / "home"),
            "BILLING_DATABASE_URL": state,
            "BILLING_SOURCE__URL": source,
            "BILLING_SOURCE__QUERIES": str(_queries(folder / "queries", _EXTRA)),
            "BILLING_ALERTS__URLS": f"json://marker-user:MARKER-alert-password@{channel.base_url[7:]}/MARKER-path",
            "BILLING_LOG_FORMAT": "json",
        }
        said = {}
        orders = {"queries": str(_queries(folder / "stumbling", _STUMBLING)), "touch": "600003"}
        said["the runs"] = _command(
            variables, sys.executable, "-m", "billing_assets_tests.system.runs", orders=json.dumps(orders)
        )
        stranger = variables | {"BILLING_NETSUITE__CLIENT_ID": "MARKER-wrong-client"}
        said["billing doctor with a wrong login"] = _command(stranger, PROGRAM, "doctor")
        files = _files(folder / "home")
        yield Wrote(
            folder / "home",
            {name: text for name, text in files.items() if "dry_run" not in name},
            _tables(state_url),
            said,
            _alerts(channel),
            _secrets(sandbox),
            {name: text for name, text in files.items() if "dry_run" in name},
        )


@pytest.fixture(scope="module")
def wrote_live(live: Live) -> Wrote:
    """A month billed by the running system, the daemon and its logs, with a refusal in it that names the customer."""
    with live.billing_system() as source:
        for number in ("610001", "610002"):
            insert_document(source, number, memo=MEMO, po_number=ORDER, document_date=date(2011, 6, 5))
    live.refuse("INV-610001", code="USER_ERROR", path="memo", detail=f"{NAME} <{MAIL}>: on hold. {MEMO}. {ORDER}.")
    until(lambda: live.documents("2011-06") == {"posted": 1, "rejected": 1})
    live.refuse()
    files = _files(live.up.home)
    password = make_url(live.state_url).password
    assert password
    return Wrote(
        live.up.home,
        files,
        _tables(live.state_url),
        {"billing up": live.up.said()},
        "",
        _secrets(live.sandbox) | {"our database's password": password},
        {},
    )


def _owners(state_url: str, source_url: str) -> Any:
    return _Owners(state_url, source_url)


class _Owners:
    """Two logins whose passwords are markers, gone at the end."""

    def __init__(self, state_url: str, source_url: str) -> None:
        self._urls = {"state": state_url, "source": source_url}

    def __enter__(self) -> tuple[str, str]:
        made = []
        for which, url in self._urls.items():
            role = f"marker_{which}_{make_url(url).database}"
            with psycopg.connect(libpq_url(url), autocommit=True) as connection:
                connection.execute(
                    sql.SQL("create role {} superuser login password {}").format(
                        sql.Identifier(role), sql.Literal(PASSWORDS[which])
                    )
                )
            named = make_url(url).set(username=role, password=PASSWORDS[which])
            made.append(named.render_as_string(hide_password=False))
        return made[0], made[1]

    def __exit__(self, *_: object) -> None:
        for which, url in self._urls.items():
            role = sql.Identifier(f"marker_{which}_{make_url(url).database}")
            with psycopg.connect(libpq_url(url), autocommit=True) as connection:
                connection.execute(sql.SQL("drop owned by {} cascade").format(role))
                connection.execute(sql.SQL("drop role {}").format(role))


def _plant(source_url: str) -> None:
    create_billing_system(source_url)
    with open_for_writing(source_url) as source:
        for number in range(600_000, 600_006):
            amount = f"{number - 599_000}.00"
            insert_document(source, str(number), memo=MEMO, po_number=ORDER, lines=[("10002", "1", amount, amount)])
        insert_document(source, "600010", memo=f"{MEMO} " * 50)
        insert_document(source, "600011", memo=MEMO, customer_no=None)
        source.execute("update invoice_lines set description = %s", [f"Supply at {STREET}"])


def _queries(folder: Path, wrapped: str) -> Path:
    folder.mkdir()
    for name in ("documents.sql", "lines.sql"):
        text = (shipped("sql/source/postgresql") / name).read_text(encoding="utf-8")
        (folder / name).write_text(wrapped.format(text) if name == "documents.sql" else text, encoding="utf-8")
    return folder


def _command(variables: dict[str, str], *arguments: str, orders: str = "") -> str:
    done = subprocess.run(
        arguments,
        env=environment(variables),
        input=orders,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return done.stdout + done.stderr


def _rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        return connection.execute(query).fetchall()


def _files(home: Path) -> dict[str, str]:
    # <home>/env and no other is there to hold the secrets.
    paths = [path for path in home.rglob("*") if path.is_file() and path != home / "env"]
    return {str(path.relative_to(home)): path.read_bytes().decode("latin-1") for path in paths}


def _tables(url: str) -> dict[str, str]:
    names = _rows(url, "select schemaname, tablename from pg_tables where schemaname in ('public', 'billing')")
    found = {}
    for schema, name in names:
        rows = _rows(url, f'select t::text from "{schema}"."{name}" as t')  # noqa: S608  names of our own tables
        found[f"{schema}.{name}"] = "\n".join(str(row[0]) for row in rows)
    return found


def _alerts(channel: RawServer) -> str:
    return "\n".join(call.body.decode() for call in channel.calls)


def _secrets(sandbox: RunningSandbox) -> dict[str, str]:
    made = sandbox.credentials
    key = made.private_key_file.read_text(encoding="utf-8").splitlines()[1]
    names = ("client_id", "consumer_key", "consumer_secret", "token_id", "token_secret")
    return {name: getattr(made, name) for name in names} | {"private key": key, "every planted one": "MARKER-"}


def test_the_system_did_what_would_show_a_leak(wrote: Wrote) -> None:
    """Else the tests below prove nothing."""
    ended = dict(re.findall(r"^(a .+|our .+): (went well|failed)$", wrote.said["the runs"], re.MULTILINE))
    well = {what for what, how in ended.items() if how == "went well"}
    assert (len(ended), well) == (11, {"a staging", "a dry run"}), wrote.said["the runs"]
    assert wrote.said["the runs"].count("Stack Trace:") >= 5
    assert NAME in "".join(text for name, text in wrote.dry_runs.items())
    outcomes = wrote.tables["billing.posting_outcomes"]
    assert "this customer is on hold" in outcomes
    assert "for the following field: memo" in outcomes
    assert "TEXT_TOO_LONG" in wrote.tables["billing.staged_invoices"]
    assert NAME in wrote.tables["billing.staged_invoices"]
    assert "run_failed" in wrote.tables["billing.alerts"]
    assert wrote.alerts
    assert wrote.files


def test_no_secret_is_in_anything_that_the_system_wrote(wrote: Wrote) -> None:
    assert wrote.leaked_secrets() == []


def test_no_signed_assertion_or_token_is_in_anything_that_the_system_wrote(wrote: Wrote) -> None:
    assert wrote.leaked_logins() == []


def test_no_customer_is_in_anything_but_the_staging_table(wrote: Wrote) -> None:
    assert wrote.leaked_customers() == []


def test_a_running_system_writes_no_secret_and_no_customer_either(wrote_live: Wrote) -> None:
    assert NAME in wrote_live.tables["billing.staged_invoices"]
    assert "on hold" in wrote_live.tables["billing.posting_outcomes"]
    assert [name for name in wrote_live.files if name.startswith("logs")], "the daemon's logs were searched"
    assert wrote_live.leaked_secrets() == wrote_live.leaked_logins() == wrote_live.leaked_customers() == []


def test_files_that_hold_secrets_are_for_their_owner_only(wrote: Wrote) -> None:
    held = [wrote.home / "env", *(wrote.home / name for name in wrote.dry_runs)]
    assert len(held) == 2
    assert [path for path in held if path.stat().st_mode & 0o077] == []
