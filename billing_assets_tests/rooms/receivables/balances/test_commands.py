"""`billing receivables`, `aging`, `late-fees` and `load-payments` on a posted month of the sample's customers."""

import csv
from pathlib import Path

import pytest

from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.foundation.shipped import shipped
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.builders import insert_document
from proving.world.command import Said, call, complete, netsuite_variables
from proving.world.system import System

# By the rule of the sample's payments: never paid, paid in time, paid too much, paid in part.
NEVER, IN_TIME, TOO_MUCH, IN_PART = "500017", "500000", "500004", "500021"


class Command:
    """The command on a test's whole system, with the shipped rules of late fees."""

    def __init__(self, capsys: pytest.CaptureFixture[str], system: System, sandbox: RunningSandbox) -> None:
        self.capsys = capsys
        self.variables = netsuite_variables(sandbox) | {
            "BILLING_HOME": str(system.runtime.settings.home),
            "BILLING_DATABASE_URL": system.runtime.database_url,
            "BILLING_SOURCE__URL": system.runtime.of(BillingSystem).url,
            "BILLING_RECEIVABLES__LATE_FEES": str(shipped("config/late_fees.yaml")),
        }

    def __call__(self, *arguments: str, **changes: str) -> Said:
        return call(self.capsys, self.variables | changes, *arguments)


@pytest.fixture
def billing(capsys: pytest.CaptureFixture[str], system: System, sandbox: RunningSandbox) -> Command:
    """Four invoices of branch USA in NetSuite, 100.00 each, due on 5 December 2010."""
    for number in (NEVER, IN_TIME, TOO_MUCH, IN_PART):
        lines = [("10002", "1", "100.00", "100.00")]
        customer = "12347" if number == TOO_MUCH else "12346"  # what is paid too much covers the customer's others
        insert_document(system.source, number, lines=lines, country="USA", due_date="2010-12-05", customer_no=customer)
    assert system.stage().success
    (key,) = system.planned()
    assert system.post(key).success
    return Command(capsys, system, sandbox)


def test_a_clerk_s_way_from_payments_to_charges(billing: Command, system: System, tmp_path: Path) -> None:
    complete(billing("aging"), 2, ["No balances were read yet. Run `billing receivables`."])
    complete(billing("load-payments"), 0, ["3 payments are new in the sandbox, 0 were there."])
    complete(billing("receivables"), 0, ["Open in netsuite", "ours invoice GBP 2", "ours payment GBP 1"])

    system.state.execute("update billing.open_receivables set branch = '=1+1' where kind = 'payment'")
    whole = tmp_path / "aging.csv"
    said = billing("aging", "--as-of", "2011-01-31", "--csv", str(whole))
    complete(said, 0, ["Receivables as of 2011-01-31", "USA GBP 0.00 0.00", "2 rows in"])
    assert whole.read_bytes().startswith(b"\xef\xbb\xbf"), "a spreadsheet takes it for UTF-8"
    row, other = csv.DictReader(whole.open(encoding="utf-8-sig"))
    assert other["branch"] == "'=1+1", "no formula in a spreadsheet"
    assert (row["customer"], row["branch"], row["current"], row["items"]) == ("12346", "USA", "0", "2")

    fees = "late-fees"
    complete(billing(fees, "propose", "--as-of", "2011-01-31"), 0, ["2 late fees are new", "2 wait for a decision"])
    complete(billing(fees, "list"), 0, [NEVER, "2010-12-06", "proposed", "GBP 100.00", "GBP 5.00"])
    complete(billing(fees, "approve", "--by", "anna", "--number", NEVER), 0, ["1 late fees approved."])
    said = billing(fees, "decline", "--by", "anna", "--why", "goodwill", "--number", IN_PART, "--number", "7")
    complete(said, 1, ["1 late fees declined.", "7: there is no undecided proposal on it"])
    charges = tmp_path / "charges.csv"
    complete(billing(fees, "export", "--csv", str(charges)), 0, ["1 charges in"])
    assert charges.read_text(encoding="utf-8") == (
        '"reference","customer","branch","invoice","amount","currency","rule","text"\n'
        f'"LATE-FEE-INV-{NEVER}","12346","USA","{NEVER}",5.00,"GBP","16 TAC §25.480",'
        '"Late payment penalty (one-time, 5.0%)"\n'
    )
    complete(billing(fees, "export", "--csv", str(charges), "--again"), 0, ["1 charges in"])


def test_the_commands_go_by_the_day_of_the_branch_unless_they_are_told_another(
    billing: Command, system: System
) -> None:
    """Balances are read in California on the last day to pay, at 16:30."""
    there = {"BILLING_CALENDAR__TIME_ZONES": '{"USA": "America/Los_Angeles"}'}
    billing("receivables")
    system.state.execute("update billing.open_receivables set due_date = '2010-12-07'")
    system.state.execute("update billing.receivables_runs set read_at = '2010-12-07 16:30 America/Los_Angeles'")

    complete(
        billing("aging", **there),
        0,
        ["Receivables as of 2010-12-08 (2010-12-07 in USA), balances read 2010-12-08 00:30 UTC"],
    )
    complete(billing("late-fees", "propose", **there), 0, ["0 late fees are new"])
    said = billing("late-fees", "propose", "--as-of", "2010-12-08", **there)
    complete(said, 2, ["on 2010-12-07 in USA; read them first (`billing receivables`), then propose 2010-12-08."])
    complete(billing("late-fees", "propose", "--as-of", "2010-12-08"), 0, ["4 late fees are new"])
    complete(billing("aging", "--as-of", "2011-01-31", **there), 0, ["Receivables as of 2011-01-31, balances"])

    assert "LOOK: BILLING_CALENDAR" not in billing("doctor", **there).words
    misspelt = {"BILLING_CALENDAR__TIME_ZONES": '{"U.S.A.": "America/Los_Angeles", "USA": "America/Los_Angeles"}'}
    looked = "LOOK: BILLING_CALENDAR__TIME_ZONES names U.S.A., and no open invoice is of it"
    complete(billing("doctor", **misspelt), 1, [looked])


def test_a_wrong_rule_or_a_real_account_is_one_clear_message(billing: Command, tmp_path: Path) -> None:
    rules = tmp_path / "late_fees.yaml"
    rules.write_text("rules: [{name: A}]")
    said = billing("late-fees", "propose", BILLING_RECEIVABLES__LATE_FEES=str(rules))
    complete(said, 2, ["late_fees.yaml: rules.0.percent: Field required"])
    real = "https://tstdrv1234567.suitetalk.api.netsuite.com"
    said = billing("load-payments", BILLING_NETSUITE__BASE_URL=real)
    complete(said, 2, ["belongs to NetSuite account TSTDRV1234567 at 127.0.0.1:", "and the settings name"])
