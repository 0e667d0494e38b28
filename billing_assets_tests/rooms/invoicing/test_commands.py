"""`billing invoicing`: what billing operations do from usage to the numbers of a batch."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets_tests.rooms.invoicing.customers import ACCOUNTS, JULY, customers, metered
from proving.world.command import Said, call, complete

MARA = ("--by", "Mara", "--why", "Month end")
CUT_OFF = ("--cut-off", "2026-08-10")


class Invoicing:
    """The commands of a company that has the area on."""

    def __init__(self, capsys: pytest.CaptureFixture[str], url: str, home: Path) -> None:
        self.capsys = capsys
        self.variables = {
            "BILLING_HOME": str(home),
            "BILLING_DATABASE_URL": url,
            "BILLING_AREAS": "invoicing,metering",
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: str) -> Said:
        return call(self.capsys, self.variables, "invoicing", *arguments)

    def json(self, *arguments: str, code: int = 0) -> Any:
        """What it prints as JSON."""
        said = self(*arguments, "--json")
        assert said.code == code, said
        return json.loads(said.out)


@pytest.fixture
def invoicing(capsys: pytest.CaptureFixture[str], state: Connection, state_url: str, tmp_path: Path) -> Invoicing:
    """The commands, and two customers of the group G1 with usage of June."""
    folder = tmp_path / "master"
    folder.mkdir()
    customers(state, folder, 1, 2)
    metered(state, 1)
    metered(state, 2)
    return Invoicing(capsys, state_url, tmp_path / "home")


def test_from_the_billable_customers_of_a_group_to_a_batch_in_review(invoicing: Invoicing) -> None:
    (group,) = invoicing.json("groups", *CUT_OFF)
    assert (group["customers"], group["billable"]) == (2, 2)
    complete(invoicing("lock", "G1", *MARA, *CUT_OFF), 0, ["Members", "G1"])
    complete(invoicing("lock", "G1", *MARA, *CUT_OFF), 0, ["No customer is billable: nothing was locked."])
    assert invoicing.json("validate", "1")["members"] == 2
    complete(invoicing("status"), 0, ["In Review"])
    (first, *_) = invoicing.json("findings", "1")
    assert {"member", "code", "severity", "sentence", "waivable"} <= set(first)
    complete(invoicing("waive", "1", "ACCOUNT_HOLD", *MARA), 2, ["ACCOUNT_HOLD cannot be waived"])
    complete(invoicing("take-out", "1", *MARA), 0, ["Member 1 is taken out."])
    complete(invoicing("unlock", "1", *MARA), 0, ["Batch 1 is released, with 1 members."])
    complete(invoicing("unlock", "1", *MARA), 2, ["Batch 1 is Released and cannot be unlocked."])
    complete(invoicing("validate", "7"), 2, ["There is no batch 7."])


def test_a_request_is_queued_once(invoicing: Invoicing) -> None:
    complete(invoicing("request", "bill_group", "G1", *MARA, *CUT_OFF), 0, ["Request 1 is queued."])
    complete(invoicing("request", "bill_group", "G1", *MARA, *CUT_OFF), 0, ["It is queued already, as request 1."])
    complete(invoicing("request", "everything", *MARA), 2, ["bill_group"])
    complete(invoicing("request", "consumption_to", *MARA), 2, ["needs a first and a last day"])


def test_a_batch_is_invoiced_and_issued(invoicing: Invoicing) -> None:
    invoicing("lock", "G1", *MARA, *CUT_OFF)
    invoicing("validate", "1")
    waived(invoicing, "1")
    complete(invoicing("invoice", "1", *MARA), 0, ["Batch 1 is Completed: 2 invoiced, 0 failed."])
    complete(invoicing("invoice", "1", *MARA), 1, ["Batch 1 was not invoiced."])
    done = ["Batch 1: 2 issued, ACME2600000001 to ACME2600000002; 0 wait for a person."]
    complete(invoicing("issue", "1", "--date", "2026-08-10"), 0, done)
    complete(invoicing("issue", "1"), 0, ["Batch 1: 0 issued; 0 wait for a person."])
    assert [one["invoiced"] for one in invoicing.json("status", "1")] == [2]
    complete(invoicing("discard", "1", *MARA), 2, ["Invoice ACME2600000001 is issued"])
    complete(invoicing("approve", "9", *MARA), 2, ["There is no invoice 9."])
    assert invoicing.json("retry", "1") == []


def test_what_the_checks_found_is_reviewed_and_shown_with_who_did(invoicing: Invoicing) -> None:
    invoicing("lock", "G1", *MARA, *CUT_OFF)
    invoicing("validate", "1")
    waived(invoicing, "1")
    invoicing("invoice", "1", *MARA)
    found = {(one["code"], one["severity"], one["reviewed_by"]) for one in invoicing.json("quality", "1")}
    assert {("QA_FIRST_BILL", "warning", None), ("QA_SAMPLE", "info", None)} <= found
    complete(invoicing("review", "1", "1", *MARA), 0, ["Batch 1: 1 drafts are reviewed."])
    complete(invoicing("review", "1", "1", *MARA), 2, ["Invoice 1 is not drawn for review in batch 1"])
    assert invoicing.json("review", "1", *MARA) == {"batch": 1, "reviewed": 1}
    complete(invoicing("review", "1", *MARA), 2, ["Nothing of batch 1 is left to be reviewed."])
    assert {one["reviewed_by"] for one in invoicing.json("quality", "1")} == {"Mara"}
    complete(invoicing("quality", "7"), 0, ["Checks of batch 7: none."])
    complete(invoicing("approve-batch", "1", *MARA), 2, ["No draft of batch 1 is held for QA_BATCH_SUM."])
    complete(invoicing("approve-batch", "7", *MARA), 2, ["There is no batch 7."])


def test_an_issued_invoice_is_cancelled_or_rebilled_and_nothing_twice(invoicing: Invoicing) -> None:
    invoicing("lock", "G1", *MARA, *CUT_OFF)
    invoicing("validate", "1")
    waived(invoicing, "1")
    invoicing("invoice", "1", *MARA)
    invoicing("issue", "1", "--date", "2026-08-10")
    first, second = "ACME2600000001", "ACME2600000002"
    done = invoicing.json("rebill", first, *MARA)
    assert (done["outcome"], done["change"], len(done["numbers"])) == ("rebilled", "0.00", 2)
    complete(invoicing("rebill", first, *MARA), 2, [f"Invoice {first} is rebilled: correct the one that replaced it."])
    complete(invoicing("cancel", second, *MARA), 0, [f"Invoice {second} is cancelled, by ACME26", "owes -275.00 by it"])
    complete(invoicing("cancel", second, *MARA), 2, ["only what is issued is cancelled"])
    assert invoicing.json("rebill", second, "--current-prices", *MARA)["outcome"] == "rebilled"
    complete(invoicing("rebill", "X1", *MARA), 2, ["There is no invoice X1"])
    complete(invoicing("cancel", "X1", "--by", " ", "--why", "x"), 2, ["must say something"])


def test_a_bill_is_explained_and_comes_out_to_the_same_bytes_as_long_as_nothing_in_it_was_touched(
    invoicing: Invoicing, state: Connection
) -> None:
    invoicing("lock", "G1", *MARA, *CUT_OFF)
    invoicing("validate", "1")
    waived(invoicing, "1")
    invoicing("invoice", "1", *MARA)
    line, tax = "1000 kWh * 0.25 = 250, rounded half up 250.00", "sales: 250.00 * 0.10 = 25, rounded half up 25.00"
    complete(invoicing("explain", "1"), 0, ["Draft 1, approved", line, tax, "Lines 250.00 + taxes 25.00 = 275.00 USD."])
    invoicing("issue", "1", "--date", "2026-08-10")
    number = "ACME2600000001"
    complete(invoicing("explain", number), 0, [f"{number}, issued, account A1", line, "The same bytes come out"])
    assert invoicing.json("explain", number)["same_bytes"]
    cancel = invoicing.json("cancel", number, *MARA)["numbers"][0]
    complete(invoicing("explain", cancel), 0, [f"energy: the opposite of 250.00 on {number} is -250.00."])
    complete(invoicing("explain", "X1"), 2, ["There is no invoice X1."])
    complete(invoicing("explain", ""), 2, ["There is no invoice"])

    second = "ACME2600000002"
    state.execute("alter table billing.utility_invoice_lines disable trigger append_only")
    state.execute("alter table billing.utility_invoices disable trigger guard_invoice")
    state.execute("update billing.utility_invoice_lines set amount = 249 where invoice = 2")
    complete(invoicing("explain", second), 1, ["Something else", "Line 1 (energy) is not stored as it was rated."])
    state.execute("update billing.utility_invoice_lines set amount = 250 where invoice = 2")
    state.execute(
        """update billing.utility_invoices
        set rated = replace(rated::text, '"amount": "250.00"', '"amount": "251.00"')::json where id = 2"""
    )
    found = invoicing.json("explain", second, code=1)
    assert not found["same_bytes"]
    assert "251.00" in found["differences"][0]


def test_a_day_and_every_kwh_are_reported_in_numbers(invoicing: Invoicing, tmp_path: Path) -> None:
    invoicing("lock", "G1", *MARA, *CUT_OFF)
    invoicing("validate", "1")
    waived(invoicing, "1")
    invoicing("take-out", "2", *MARA)
    invoicing("invoice", "1", *MARA)
    invoicing("issue", "1", "--date", "2026-08-10")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    report = invoicing.json("daily-report", today)
    (group,) = report["groups"]
    assert (group["billed"], group["amount"], group["taken_out"], group["unbilled"]) == (1, "275.00", 1, 1)
    assert (group["oldest_unbilled"], group["late"]) == ("2026-07-02", 1)
    file = tmp_path / "reports" / "day.csv"
    complete(invoicing("daily-report", today, "--csv", str(file)), 0, ["275.00", "Failed: none.", "Written to"])
    assert '"G1","USD",1,275.00,' in file.read_text(encoding="utf-8-sig")
    complete(invoicing("daily-report", "2020-01-01"), 0, ["Billing of 2020-01-01"])
    complete(invoicing("daily-report", "yesterday"), 2, ["yesterday"])

    june = ("--from", "2026-06", "--to", "2026-06")
    found = invoicing.json("every-kwh", *june)
    assert found["explained"]
    (month,) = found["months"]
    assert {one["place"]: (one["why"], one["rows"], one["kwh"]) for one in month["places"]} == {
        "invoiced": ("", 1, "1000"),
        "taken_out": ("Mara: Month end", 1, "1000"),
    }
    said = [
        "2026-06: 2000 kWh metered",
        "Mara: Month end",
        "Every kWh is on one live invoice or in one explained place.",
    ]
    complete(invoicing("every-kwh", *june), 0, said)
    complete(invoicing("every-kwh", "--from", "June"), 2, ["June"])


def test_a_kwh_in_no_place_ends_the_command_with_1(invoicing: Invoicing, state: Connection) -> None:
    state.execute("alter table billing.usage_messages disable trigger user")
    state.execute("update billing.usage_messages set state = 'billed' where kind = 'usage' and point like '%1'")
    said = ["Not explained", "1003278", "1000"]
    complete(invoicing("every-kwh", "--from", "2026-06", "--to", "2026-06"), 1, said)


def waived(invoicing: Invoicing, batch: str) -> None:
    for one in invoicing.json("findings", batch):
        if one["severity"] == "error":
            invoicing("waive", str(one["member"]), one["code"], *MARA)


def test_one_account_is_billed_by_hand(invoicing: Invoicing, state: Connection) -> None:
    metered(state, 1, period=JULY)
    found = invoicing.json("generate", "A1", *MARA, *CUT_OFF, "--since", "2026-07-02")
    assert [one["members"] for one in found] == [1]
    assert "PERIOD_GAP" in [one["code"] for one in found[0]["findings"]]
    complete(invoicing("generate", "A7", *MARA, *CUT_OFF), 0, ["No customer is billable"])


def test_master_data_of_billing_is_loaded_with_what_is_wrong_in_it(invoicing: Invoicing, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    complete(invoicing("load-accounts", str(folder)), 2, ["there is none of bill_groups.csv"])
    (folder / "accounts.csv").write_text(ACCOUNTS + "A9,NOWHERE,dual,TX,2026-01-01\n")
    said = ["accounts: 1 rows, 1 added", "GROUP_UNKNOWN", "which is not loaded"]
    complete(invoicing("load-accounts", str(folder)), 0, said)
