"""Every command a first time, a second time and with a wrong argument: its exit code, and what it says was done.

0: done. 1: nothing of what was asked or only part of it, or a check that found something. 2: refused, nothing done.
"""

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
import typer
from sqlalchemy import make_url

from billing_assets.areas import AREAS, ON_BY_DEFAULT
from billing_assets.erp.audit import files
from billing_assets.erp.audit.store import queue_entries
from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.close.closing import Decision, soft_close
from billing_assets.erp.close.comparing import compared, packed
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.journal.compared import journal_of
from billing_assets.foundation.shipped import shipped
from billing_assets.invoicing import rating
from billing_assets.operations import cli
from billing_assets.receivables.balances.open_balances import read_balances
from billing_assets.receivables.reminders import store as reminders
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.account import Account
from proving.world.builders import apply_credit, change_document, insert_document, staged, void_document
from proving.world.command import Said, call, complete, netsuite_variables
from proving.world.databases import _database
from proving.world.system import PERIOD, System

SAID = ("--by", "A. Clerk", "--why", "As agreed.")
BLANK = ("--by", " ", "--why", "x")
FEES = "late-fees"


class Told(NamedTuple):
    """An exit code, and words that are said with it."""

    code: int
    words: tuple[str, ...]


class Case(NamedTuple):
    """A command with its arguments; what is told the first and the second time; and the same for wrong arguments.

    `{folder}` in an argument is the test's, `{batch}` the batch of what is posted, `{waiting}` one that no run had.
    """

    arguments: tuple[str, ...]
    first: Told
    second: Told
    wrong: tuple[tuple[str, ...], Told] | None = None


def told(code: int, *words: str) -> Told:
    return Told(code, words)


CASES = {
    "init": Case(("init",), told(0, "Ready."), told(0, "Ready.")),
    "load-sample": Case(
        ("load-sample", "--period", "2011-12"),
        told(0, "1,015 documents appeared, 1,015 closed."),
        told(0, "0 documents appeared, 0 closed."),
        (("load-sample", "--period", "2030-01"), told(2, "2009-12 to 2011-12")),
    ),
    "run": Case(
        ("run", "--period", "2031-01"),
        told(2, "no document of it, only of 2010-09 to"),
        told(2, "no document of it"),
        (("run", "--period", "2010-13"), told(2, "expected a month such as 2010-11")),
    ),
    "up": Case(
        ("up", "--period", "x"),
        told(2, "expected a month"),
        told(2, "expected a month"),
        (("up", "--port", "x"), told(2)),
    ),
    "down": Case(("down",), told(0, "Nothing was running."), told(0, "Nothing was running."), (("down", "x"), told(2))),
    "status": Case(("status",), told(0, "posted"), told(0, "posted"), (("status", "--jsn"), told(2, "No such option"))),
    "held": Case(
        ("held",),
        told(0, "CUSTOMER_MISSING", "500011"),
        told(0, "500011"),
        (("held", "--code", "CUSTOMER_MISING"), told(2, "no rule has this code", "CUSTOMER_MISSING")),
    ),
    "rejected": Case(("rejected",), told(0, "500010", "INVALID_CONTENT"), told(0), (("rejected", "x"), told(2))),
    "requeue": Case(
        ("requeue", "--number", "500012"),
        told(0, "1 documents wait for a batch again."),
        told(1, "0 documents wait", "500012 is not rejected: invoice ready."),
        (
            ("requeue", "--number", "500001", "--number", "777"),
            told(1, "500001 is not rejected: invoice posted.", "777 no document with this number is staged."),
        ),
    ),
    "unlock": Case(
        ("unlock", "--batch", "{waiting}"),
        told(0, "Batch {waiting}: 1 documents wait for a batch again"),
        told(1, "has no lock, and nothing in it waits: nothing was unlocked"),
        (("unlock", "--batch", "2010-11-9999"), told(2, "There is no batch 2010-11-9999")),
    ),
    "unlock stale": Case(
        ("unlock",), told(0, "No lock is stale"), told(0, "No lock is stale"), (("unlock", "x"), told(2))
    ),
    "retention": Case(
        ("retention",),
        told(0, "The log of 0 documents went to the archive."),
        told(0, "The log of 0 documents"),
        (("retention", "--detach", "2025-12"), told(2, "There is no archive of 2025-12.")),
    ),
    "preview": Case(
        ("preview", "--number", "500001"),
        told(1, "# invoice 500001: posted, batch {batch}"),
        told(1, "Nothing is sent of it now."),
        (("preview", "--number", "777"), told(2, "--number 777: no such document")),
    ),
    "doctor": Case(("doctor",), told(1, "It never ran here"), told(1, "It never ran here"), (("doctor", "x"), told(2))),
    "utility": Case(("utility", "--points", "x"), told(2), told(2), (("utility", "--points", "100"), told(2, "200"))),
    "metering read": Case(
        ("metering", "read", "--json", "{folder}/market.csv"),
        told(0, '"verdict": "refuse"', "R-NO-900"),
        told(0, "R-NO-900"),
        (("metering", "read", "{folder}/no-such"), told(2, "No such file")),
    ),
    "metering preview": Case(
        ("metering", "preview", "{folder}/market.csv", "--mapping", "au-distributor-wide"),
        told(0, "R-COLUMN"),
        told(0, "R-COLUMN"),
        (("metering", "preview", "{folder}/market.csv", "--mapping", "x"), told(2, "There is no column mapping 'x'")),
    ),
    "rate": Case(
        ("rate", "{folder}/case.json"),
        told(0, "161.87"),
        told(0, "161.87"),
        (("rate", "{folder}/market.csv"), told(2, "it is no JSON")),
    ),
    "tariffs check": Case(
        ("tariffs", "check", "{folder}/market.csv"),
        told(2, "no column of a tariff"),
        told(2, "no column of a tariff"),
        (("tariffs", "check", "{folder}/no-such"), told(2)),
    ),
    "sandbox": Case(
        ("sandbox", "--port", "x"), told(2), told(2), (("sandbox", "--switch", "no_such=1"), told(2, "no_such"))
    ),
    "files": Case(
        ("files", "--port", "x"),
        told(2),
        told(2),
        (("files", "--host", "no such host"), told(2, "cannot listen there")),
    ),
    "close soft": Case(
        ("close", "soft", "2010-10", *SAID),
        told(0, "2010-10 is closed; `billing close reopen` opens it again."),
        told(2, "2010-10 is closed already (soft)."),
        (("close", "soft", "2010-10", *BLANK), told(2, "`by` is empty")),
    ),
    "close reopen": Case(
        ("close", "reopen", "2010-09", *SAID),
        told(0, "2010-09 is open again."),
        told(2, "2010-09 is not closed."),
        (("close", "reopen", "2010-9x", *SAID), told(2)),
    ),
    "close hard": Case(
        ("close", "hard", PERIOD, *SAID),
        told(2, "cannot be closed for good"),
        told(2, "cannot be closed for good"),
        (("close", "hard", PERIOD, *BLANK), told(2, "`by` is empty")),
    ),
    "close history": Case(("close", "history"), told(0, "2010-09"), told(0), (("close", "history", "x"), told(2))),
    "close accept": Case(
        ("close", "accept", "500004", *SAID),
        told(0, "500004 of 2010-11, posted with GBP 10.00", "accepted by A. Clerk"),
        told(0, "accepted by A. Clerk"),
        (("close", "accept", "500001", *SAID), told(2, "Staging noted no change of 500001")),
    ),
    "close accepted": Case(
        ("close", "accepted"), told(0, "accepted changes"), told(0), (("close", "accepted", "x"), told(2))
    ),
    "close pack": Case(
        ("close", "pack", "2010-09", "--to", "{folder}"),
        told(0, "month-close-2010-09.xlsx"),
        told(0, "month-close-2010-09.pdf"),
        (("close", "pack", "2011-03"), told(2, "2011-03 has no pack yet")),
    ),
    "close deliver": Case(
        ("close", "deliver", "2010-09"),
        told(2, "BILLING_PACK_DELIVERY__HOST is not set"),
        told(2, "BILLING_PACK_DELIVERY__HOST is not set"),
        (("close", "deliver", "2010-9x"), told(2)),
    ),
    "close pack to a file": Case(
        ("close", "pack", "2010-09", "--to", "{folder}/file"), told(2, "file: File exists."), told(2, "File exists.")
    ),
    "receivables": Case(("receivables",), told(0, "Open in netsuite"), told(0), (("receivables", "x"), told(2))),
    "aging": Case(
        ("aging", "--as-of", "2011-01-31"),
        told(0, "Receivables as of 2011-01-31"),
        told(0),
        (("aging", "--csv", "{folder}/none/a.csv"), told(2, "none/a.csv: No such file or directory.")),
    ),
    "load-payments": Case(
        ("load-payments", "--as-of", "2010-01-01"),
        told(0, "0 payments are new in the sandbox"),
        told(0, "0 payments are new"),
        (("load-payments", "--as-of", "x"), told(2)),
    ),
    "late-fees propose": Case(
        (FEES, "propose", "--as-of", "2011-01-31"),
        told(0, "2 late fees are new"),
        told(0, "0 late fees are new, 0 changed"),
        ((FEES, "propose", "--as-of", "2099-01-31"), told(2, "read them first")),
    ),
    "late-fees list": Case(
        (FEES, "list", "--state", "proposed"),
        told(0, "proposed"),
        told(0),
        ((FEES, "list", "--state", "late"), told(2, "--state late: use one of proposed, approved, declined")),
    ),
    "late-fees approve": Case(
        (FEES, "approve", "--number", "500002", "--by", "anna"),
        told(0, "1 late fees approved."),
        told(1, "0 late fees approved.", "500002: there is no undecided proposal"),
        ((FEES, "approve", "--all", "--by", " "), told(2, "--by must say who decides")),
    ),
    "late-fees decline": Case(
        (FEES, "decline", "--number", "500003", *SAID),
        told(0, "1 late fees declined."),
        told(1, "0 late fees declined.", "500003: there is no undecided proposal"),
        ((FEES, "decline", "--number", "500003", *BLANK), told(2, "--by and --why must say something")),
    ),
    "late-fees export": Case(
        (FEES, "export", "--csv", "{folder}/charges.csv"),
        told(0, "1 charges in"),
        told(0, "0 charges to export", "was not written"),
        ((FEES, "export", "--csv", "{folder}/none/c.csv", "--again"), told(2, "No such file or directory")),
    ),
    "audit export": Case(
        ("audit", "export", "{folder}/queue.csv"),
        told(0, "1 entries written"),
        told(0, "1 entries written"),
        (("audit", "export", "{folder}/queue.csv", "--month", "2010-13"), told(2)),
    ),
    "audit import": Case(
        ("audit", "import", "{folder}/decided.csv", "--by", "Ann"),
        told(0, "Taken: 1 decisions"),
        told(0, "Taken: 0 decisions", "1 rows of this very file were taken before"),
        (("audit", "import", "{folder}/decided.csv", "--by", " "), told(2, "--by: say who decided")),
    ),
    "voids list": Case(("voids", "list"), told(0, "500005"), told(0), (("voids", "list", "--al"), told(2))),
    "voids confirm": Case(
        ("voids", "confirm", "500006", *SAID),
        told(0, "for invoice 500006", "confirmed by A. Clerk"),
        told(0, "for invoice 500006", "confirmed by A. Clerk"),
        (("voids", "confirm", "500001", *SAID), told(2, "No credit memo is proposed for invoice 500001")),
    ),
    "voids decline": Case(
        ("voids", "decline", "500007", *SAID),
        told(0, "No credit memo for invoice 500007"),
        told(0, "declined by A. Clerk"),
        (("voids", "decline", "500007", *BLANK), told(2, "must say something")),
    ),
    "differs list": Case(
        ("differs", "list"), told(0, "0 documents differ in NetSuite"), told(0), (("differs", "list", "x"), told(2))
    ),
    "differs check": Case(
        ("differs", "check"), told(0, "0 no longer differ."), told(0), (("differs", "check", "x"), told(2))
    ),
    "differs accept": Case(
        ("differs", "accept", "500001", *SAID),
        told(2, "Nothing of 500001 differs in NetSuite."),
        told(2, "`billing differs list` shows what does."),
        (("differs", "accept", "500001"), told(2, "Missing option")),
    ),
    "differs credited": Case(
        ("differs", "credited", "500001", *SAID),
        told(2, "Nothing of 500001 differs in NetSuite."),
        told(2, "`billing differs list` shows what does."),
        (("differs", "credited", "500001"), told(2, "Missing option")),
    ),
    "move list": Case(
        ("move", "list"), told(0, "What this database belongs to"), told(0), (("move", "list", "x"), told(2))
    ),
    "move account": Case(
        ("move", "account", *SAID),
        told(0, "It is there already: account"),
        told(0, "Nothing was changed."),
        (("move", "account", *BLANK), told(2, "must say something")),
    ),
    "move environment": Case(
        ("move", "environment", *SAID),
        told(0, "It is there already: environment"),
        told(0, "Nothing was changed."),
        (("move", "environment", *BLANK), told(2, "must say something")),
    ),
    "move prefix": Case(
        ("move", "prefix", *SAID),
        told(0, "It is there already: prefixes"),
        told(0, "Nothing was changed."),
        (("move", "prefix", *BLANK), told(2, "must say something")),
    ),
    "move source": Case(
        ("move", "source", *SAID),
        told(0, "It is there already: source billing"),
        told(0, "Nothing was changed."),
        (("move", "source", *BLANK), told(2, "must say something")),
    ),
    "restore list": Case(("restore", "list"), told(0, "0 restores"), told(0), (("restore", "list", "x"), told(2))),
    "restore confirm-month": Case(
        ("restore", "confirm-month", "2010-11", *SAID),
        told(2, "No restore waits for a confirmation of 2010-11."),
        told(2, "`billing restore list` shows what does."),
        (("restore", "confirm-month", "2010-13", *SAID), told(2)),
    ),
    "restore confirm-reminders": Case(
        ("restore", "confirm-reminders", "--as", "sent", *SAID),
        told(2, "No restore waits for a confirmation of reminders."),
        told(2, "`billing restore list` shows what does."),
        (("restore", "confirm-reminders", "--as", "x", *SAID), told(2)),
    ),
    "restore transactions": Case(
        ("restore", "transactions"),
        told(0, "0 transactions that this database never sent"),
        told(0),
        (("restore", "transactions", "x"), told(2)),
    ),
    "restore confirm-transactions": Case(
        ("restore", "confirm-transactions", *SAID),
        told(1, "There was nothing to confirm."),
        told(1, "There was nothing to confirm."),
        (("restore", "confirm-transactions", *BLANK), told(2, "Say who decides")),
    ),
    "restore match": Case(
        ("restore", "match", "1", "500001", *SAID),
        told(2, "not on the list"),
        told(2, "not on the list"),
        (("restore", "match", "1", "500001", *BLANK), told(2, "Say who decides")),
    ),
    "restore separate": Case(
        ("restore", "separate", "1", *SAID),
        told(2, "not on the list"),
        told(2, "not on the list"),
        (("restore", "separate", "1", *BLANK), told(2, "Say who decides")),
    ),
    "waiting": Case(("waiting",), told(0, "C500013"), told(0, "C500013"), (("waiting", "x"), told(2))),
    "reminders plan": Case(
        ("reminders", "plan"), told(0, "reminders"), told(0), (("reminders", "plan", "--days", "-1"), told(2))
    ),
    "reminders plan into a file": Case(
        ("reminders", "plan", "--eml", "{folder}/file"), told(2, "file: File exists."), told(2)
    ),
    "reminders send": Case(
        ("reminders", "send"), told(2, "Reminders are switched off"), told(2), (("reminders", "send", "x"), told(2))
    ),
    "reminders list": Case(
        ("reminders", "list"),
        told(0, "0 reminders"),
        told(0),
        (("reminders", "list", "--state", "x"), told(2, "use one of")),
    ),
    "reminders resolve": Case(
        ("reminders", "resolve", "500001", "due", *SAID, "--as", "sent"),
        told(2, "500001"),
        told(2, "500001"),
        (("reminders", "resolve", "500001", "due", *BLANK, "--as", "sent"), told(2, "must say something")),
    ),
    "reminders bounces": Case(
        ("reminders", "bounces", "{folder}/queue.mbox"),
        told(0, "2 mails read, 0 reminders", "1 mails look like delivery reports", "its form is not", "<1@mx.example>"),
        told(0, "0 reminders came back."),
        (("reminders", "bounces", "{folder}/none"), told(2, "There is no mailbox")),
    ),
    "stops add": Case(
        ("stops", "add", "--customer", "12346", "--reason", "dispute", "--starts", "2010-12-01", *SAID),
        told(0, "Stop 2: everything of customer 12346, from 2010-12-01 until it is ended."),
        told(0, "Stop 2:", "It was noted before."),
        (("stops", "add", "--customer", "1", "--reason", "whim", *SAID), told(2, "--reason whim: use one of")),
    ),
    "stops end": Case(
        ("stops", "end", "1", "--on", "2010-12-31", *SAID),
        told(0, "Stop 1: its last day is 2010-12-31."),
        told(1, "Stop 1 is left as it is: its last day is 2010-12-31 already."),
        (("stops", "end", "99", *SAID), told(2, "There is no stop 99")),
    ),
    "stops list": Case(("stops", "list", "--all"), told(0, "12347"), told(0), (("stops", "list", "x"), told(2))),
}


class Machine:
    """The command on the module's system."""

    def __init__(self, system: System, sandbox: RunningSandbox, folder: Path) -> None:
        self.system, self.folder = system, folder
        self.names = {"folder": str(folder)}
        self.variables = netsuite_variables(sandbox) | {
            "BILLING_HOME": str(system.runtime.settings.home),
            "BILLING_DATABASE_URL": system.runtime.database_url,
            "BILLING_SOURCE__URL": system.runtime.of(BillingSystem).url,
            "BILLING_RECEIVABLES__LATE_FEES": str(shipped("config/late_fees.yaml")),
            "COLUMNS": "200",
        }

    def __call__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> Said:
        return call(capsys, self.variables, *(one.format(**self.names) for one in arguments))


@pytest.fixture(scope="module")
def prepared(
    server_url: str,
    sandbox: RunningSandbox,
    sandbox_account: Account,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Machine]:
    """One system for the whole table. Each command has documents of its own, so that none sees what another did."""
    folder = tmp_path_factory.mktemp("files")
    with (
        _database(server_url, template="template0") as state_url,
        _database(server_url, template="template0") as source_url,
    ):
        migrate(state_url, shipped("sql/state"))
        with System.open(
            state_url, source_url, sandbox, sandbox_account, home=tmp_path_factory.mktemp("home")
        ) as system:
            machine = Machine(system, sandbox, folder)
            fill(machine)
            yield machine


def fill(machine: Machine) -> None:
    system, source = machine.system, machine.system.source
    old: dict[str, Any] = {"country": "USA", "due_date": "2010-12-05", "lines": [("10002", "1", "100.00", "100.00")]}
    for number in ("500001", "500004", "500005", "500006", "500007", "500010", "500012"):
        insert_document(source, number, due_date="2099-12-05")
    for number in ("500002", "500003"):
        insert_document(source, number, **old)
    insert_document(source, "500011", customer_no=None)
    apply_credit(source, insert_document(source, "C500013", kind="credit_memo"), "500011")
    assert system.stage().success
    system.refuse("INV-500010", "INV-500012")
    (key,) = system.planned()
    system.post(key)
    system.refuse()
    for number in ("500005", "500006", "500007"):
        void_document(source, staged(system.state, number)["document_id"])
    change_document(source, staged(system.state, "500004")["document_id"], memo="Changed")
    insert_document(source, "500014", document_date="2010-10-05")
    insert_document(source, "500015", document_date="2010-09-05", status="open")
    assert system.stage().success
    assert system.run("audit_month", "2010-09").success
    close_softly(system, "2010-09")
    read_balances(system.runtime, "a test")
    reminders.add_stop(
        system.state,
        customer="12347",
        number=None,
        reason="dispute",
        starts_on=date(2010, 12, 1),
        ends_on=None,
        noted_by="anna",
        note="Wrong meter.",
    )
    decide(machine.folder / "decided.csv", system)
    (waiting,) = [one for one in system.planned() if one != key]
    machine.names |= {"batch": key, "waiting": waiting}
    (machine.folder / "file").write_text("not a folder", encoding="utf-8")
    (machine.folder / "case.json").write_bytes((Path(rating.__file__).parent / "examples" / "W01.json").read_bytes())
    (machine.folder / "market.csv").write_text("100,NEM12,202601010000,A,B\n", encoding="utf-8")
    hello, strange = "Subject: hello\n\nhello\n\n", "Message-ID: <1@mx.example>\nFrom: MAILER-DAEMON@mx\n\nOh no.\n"
    (machine.folder / "queue.mbox").write_text(f"From a\n{hello}From b\n{strange}", encoding="utf-8")


def close_softly(system: System, period: str) -> None:
    found = system.runtime
    with found.state() as connection:
        close = compared(found, connection, period)
        packed(found, connection, close)
        soft_close(
            connection, ["billing"], close, Decision("A. Clerk", "Month end."), journal_of(connection, found.settings)
        )


def decide(path: Path, system: System) -> None:
    """An auditor's file with a comment on its only row."""
    files.export(path, queue_entries(system.state, "billing", None, system.runtime.settings.calendar.today()))
    with path.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    row |= {"Decision": "comment", "Comment": "Looked at."}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*row])
        writer.writeheader()
        writer.writerow(row)


@pytest.mark.parametrize("name", CASES)
def test_what_a_command_says_and_its_exit_code(
    prepared: Machine, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """In the order of the table: late fees are proposed before they are approved."""
    case = CASES[name]
    looks = [(case.arguments, case.first), (case.arguments, case.second), *([case.wrong] if case.wrong else [])]
    for arguments, expected in looks:
        said = prepared(capsys, *arguments)
        complete(said, expected.code, [word.format(**prepared.names) for word in expected.words])


def test_a_second_export_of_late_fees_leaves_the_first_ones_file(
    prepared: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """It replaced the charges by an empty table: they were lost before the billing system had read them."""
    charges = prepared.folder / "twice.csv"
    complete(prepared(capsys, FEES, "export", "--csv", str(charges), "--again"), 0, ["1 charges in"])
    written = charges.read_text(encoding="utf-8")
    complete(prepared(capsys, FEES, "export", "--csv", str(charges)), 0, ["was not written", "`--again`"])
    assert charges.read_text(encoding="utf-8") == written


def test_every_command_is_in_the_table_and_has_help(prepared: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    everything = prepared.variables | {"BILLING_AREAS": ",".join(AREAS)}
    for path in _commands(typer.main.get_command(cli.command_line())):
        complete(call(capsys, everything, *path, "--help"), 0, ["Usage: "])
    # Those of an area that is off by default are tried in its own rooms.
    commands = [*_commands(typer.main.get_command(cli.command_line(ON_BY_DEFAULT)))]
    tried = {case.arguments[: len(path)] for case in CASES.values() for path in commands}
    assert [path for path in commands if path not in tried] == []


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        yield path
        return
    for name, one in command.commands.items():
        yield from _commands(one, (*path, name))


# Whose database


def test_a_billing_database_that_does_not_answer_is_not_called_ours(
    prepared: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """`load-sample` writes to the billing database: what failed there was said of ours."""
    gone = make_url(prepared.variables["BILLING_SOURCE__URL"]).set(port=9).render_as_string(hide_password=False)
    said = call(capsys, prepared.variables | {"BILLING_SOURCE__URL": gone}, "load-sample", "--period", "2011-12")
    complete(said, 2, ["Cannot connect to the billing database", "BILLING_SOURCE__URL"])
    assert "Our database" not in said.words
