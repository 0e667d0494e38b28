"""What people and checks see of usage and charges, and the commands that show it."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import load_settings
from billing_assets.metering.raw_view import as_markdown, raw_view
from billing_assets.metering.usage import reports, store
from billing_assets.metering.usage.causes import alerts
from billing_assets_tests.rooms.metering.inboxes import fill, run, source
from billing_assets_tests.rooms.metering.usage.conftest import Arrive
from billing_assets_tests.unit.metering.usage.messages import JULY, JUNE, NOW, POINT, charges, usage
from billing_assets_tests.unit.metering.usage.x12 import charges_set, interchange, usage_set
from proving.world.command import Said, call, complete

NEAR = (JUNE[0], JUNE[1] - timedelta(days=1))


@pytest.fixture
def june(state: Connection, arriving: Arrive) -> list[Any]:
    """June is complete, July waits for its charges, September comes without August; one cancel has no original."""
    found = arriving(
        usage("U1"),
        charges("I1", names="U1"),
        usage("U2", period=JULY, estimated=True),
        usage("U3", period=(date(2026, 9, 1), date(2026, 10, 1)), codes=("SUM_CHECK",), day=20),
        usage("X9", "01", of="U9", day=12),
    )
    store.settle(state, [POINT], now=NOW)
    return found


def test_the_counts_by_state_add_up_to_what_was_received(state: Connection, june: list[Any]) -> None:
    counts = reports.counts(state)
    assert sum(one.messages for one in counts) == len(june)
    assert {(one.kind, one.state, one.code): one.messages for one in counts} == {
        ("usage", "ready", None): 1,
        ("charges", "ready", None): 1,
        ("usage", "waiting", "WAIT_CHARGES"): 1,
        ("usage", "held", "SUM_CHECK"): 1,
        ("usage", "waiting", "CANCEL_WITHOUT_ORIGINAL"): 1,
    }
    assert sum(one.messages for one in reports.message_counts(state)) == len(june)


def test_an_account_shows_each_period_with_its_usage_and_its_charges(state: Connection, june: list[Any]) -> None:
    months = reports.account_months(state, POINT)
    assert [(one.month, one.usage_id, one.charges_id, one.state) for one in months] == [
        ("2026-06", "U1", "I1", "ready"),
        ("2026-07", "U2", None, "waiting WAIT_CHARGES"),
        ("2026-09", "U3", None, "held SUM_CHECK"),
    ]
    assert (months[0].kwh, months[0].total) == (Decimal(1150), Decimal("43.21"))
    assert months[1].since == june[2].arrived_at
    assert reports.account_months(state, "unknown") == []


def test_charges_without_usage_have_a_row_of_their_own(state: Connection, arriving: Arrive) -> None:
    arriving(charges("I1"))
    store.settle(state, [POINT], now=NOW)
    (one,) = reports.account_months(state, POINT)
    assert (one.usage_id, one.charges_id, one.state) == (None, "I1", "waiting ORPHAN_CHARGES")


def test_what_waits_is_counted_by_age(state: Connection, june: list[Any]) -> None:
    july_usage = june[2]
    found = {one.code: one for one in reports.aged(state, july_usage.arrived_at + timedelta(days=5))}
    assert found["WAIT_CHARGES"].ages == (1, 1, 0)
    assert found["SUM_CHECK"].ages == (0, 0, 0)
    (orphans,) = reports.orphans_by_age(state, july_usage.arrived_at + timedelta(days=9))
    assert (orphans.code, orphans.at_least_days, orphans.messages, orphans.oldest) == ("WAIT_CHARGES", 5, 1, ["U2"])
    assert reports.orphans_by_age(state, july_usage.arrived_at + timedelta(days=2)) == []
    waiting = reports.waiting(state, july_usage.arrived_at + timedelta(days=9), at_least_days=5)
    assert [(one.id, one.days) for one in waiting] == [("U2", 9)]
    assert waiting[0].to_do.startswith("Nothing for some days")


def test_a_gap_is_listed_to_be_asked_for(state: Connection, june: list[Any]) -> None:
    (gap,) = reports.gaps(state)
    assert (gap.kind, gap.gap_from, gap.gap_to) == ("usage", JULY[1], date(2026, 9, 1))


def test_a_message_is_shown_with_its_pair_and_all_that_names_it(state: Connection, arriving: Arrive) -> None:
    one, bill, gone, new = arriving(
        usage("U1"), charges("I1", names="U1"), usage("X1", "01", of="U1"), usage("U2", "05", of="U1")
    )
    store.settle(state, [POINT], now=NOW)
    found = reports.related(state, one.message)
    assert found is not None
    assert [pair["message"] for pair in found["pairs"]] == [bill.message]
    assert [each["id"] for each in found["relatives"]] == ["X1", "U2"]
    assert [each["state"] for each in found["history"]] == ["accepted", "superseded"]
    assert found["other"] == gone.message
    assert [each["id"] for each in (reports.related(state, new.message) or {})["relatives"]] == ["U1", "X1"]
    assert reports.related(state, 99) is None


def test_each_age_that_orphans_reach_is_one_alert(state: Connection, june: list[Any]) -> None:
    came = june[2].arrived_at
    for days, causes in ((2, []), (3, ["no_pair_for_3_days"]), (11, ["no_pair_for_10_days"])):
        found = list(alerts(state, load_settings(), came + timedelta(days=days)))
        assert [one.cause for one in found] == causes
    assert found[0].severity == "critical"
    assert "U2" in found[0].what_happened


class Command:
    """`billing metering …` on the test's database."""

    def __init__(self, capsys: pytest.CaptureFixture[str], url: str, home: Path) -> None:
        self._capsys = capsys
        self._variables = {"BILLING_AREAS": "metering", "BILLING_DATABASE_URL": url, "BILLING_HOME": str(home)}

    def __call__(self, *arguments: str) -> Said:
        return call(self._capsys, self._variables, "metering", *arguments)


@pytest.fixture
def billing(capsys: pytest.CaptureFixture[str], state_url: str, tmp_path: Path) -> Command:
    return Command(capsys, state_url, tmp_path / "home")


def test_the_status_is_for_people_and_for_programs(billing: Command, june: list[Any]) -> None:
    complete(billing("status"), 0, ["Usage and charges", "WAIT_CHARGES", "SUM_CHECK", "1 gaps between periods"])
    said = json.loads(billing("status", "--json").out)
    assert sum(one["messages"] for one in said["usage_and_charges"]) == len(june)
    assert sum(one["messages"] for one in said["messages"]) == len(june)
    assert said["gaps"][0]["gap_from"] == "2026-08-03"


def test_an_account_is_shown_by_its_point(billing: Command, june: list[Any]) -> None:
    complete(billing("account", POINT), 0, ["3 periods", "2026-06-03 to 2026-07-02", "1,150 E", "held SUM_CHECK"])
    said = json.loads(billing("account", POINT, "--json").out)
    assert [one["state"] for one in said["months"]] == ["ready", "waiting WAIT_CHARGES", "held SUM_CHECK"]


def test_a_clerk_sees_what_waits_and_decides(billing: Command, state: Connection, june: list[Any]) -> None:
    complete(billing("waiting"), 0, ["3 wait", "SUM_CHECK", "or reject the cancel"])
    said = billing("release", str(june[3].message), "--by", "Ann", "--why", "The meter was exchanged.")
    complete(said, 0, [f"{june[3].message} is waiting now (WAIT_CHARGES)"])
    said = billing("reject", str(june[4].message), "--by", "Ann", "--why", "Unknown.", "--json")
    assert json.loads(said.out) == [{"message": june[4].message, "state": "rejected", "code": None, "sentence": None}]
    complete(billing("reject", str(june[4].message), "--by", " ", "--why", "Unknown."), 2, ["--by and --why"])
    complete(billing("release", "99", "--by", "Ann", "--why", "No."), 2, ["no charges with the number 99"])


def test_a_clerk_confirms_a_suggested_pair(billing: Command, state: Connection, arriving: Arrive) -> None:
    one, bill = arriving(usage("U1"), charges("I1", period=NEAR))
    store.settle(state, [POINT], now=NOW)
    numbers = (str(one.message), str(bill.message))
    complete(billing("account", POINT), 0, ["May belong together", f"billing metering pair {' '.join(numbers)}"])
    complete(billing("pair", *numbers, "--by", "Ann", "--why", "One day."), 0, [f"{one.message} is ready now."])
    complete(billing("pair", *numbers, "--no", "--by", "Ann", "--why", "No."), 0, ["is waiting now"])


def test_a_set_is_shown_with_its_text_its_pair_and_what_cancels_it(
    billing: Command, state: Connection, state_url: str, tmp_path: Path
) -> None:
    sets = [usage_set("U1"), charges_set("I1", names="U1"), usage_set("X1", "01", of="U1", issued="20260709")]
    run(state_url, source(fill(tmp_path / "in", {"a.x12": interchange(sets)})))
    numbers = {row["id"]: row["message"] for row in state.execute("select id, message from billing.usage_messages")}
    found = json.loads(billing("show", str(numbers["U1"]), "--json").out)
    assert "BPT*00*U1*20260704*DD" in found["text"]
    assert [one["message"] for one in found["pairing"]["pairs"]] == [numbers["I1"]]
    assert [one["id"] for one in found["pairing"]["relatives"]] == ["X1"]
    shown = billing("show", str(numbers["U1"]))
    complete(shown, 0, [f"paired, message {numbers['I1']}", "X1, purpose 01, waiting", "QTY*QD*1150"])
    markdown = as_markdown(raw_view(state, numbers["I1"]))
    assert f"- paired, message {numbers['U1']} (by reference)" in markdown
    assert "HALF_CANCEL" in markdown
