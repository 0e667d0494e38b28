"""What a clerk does at the command line: findings out as a file, decisions and values in, for many at once."""

import csv
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from billing_assets.decisions.store import Subject, history
from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.validation import clerk_files, store
from billing_assets.metering.validation.clerk_files import FileError
from billing_assets_tests.rooms.metering.validation.points import (
    JULY,
    POINT,
    TODAY,
    a_day,
    a_month,
    judge,
    master_data,
    reads,
    take,
)
from proving.world.command import Said, call, complete

TENTH = date(2026, 7, 10)


@pytest.fixture
def july(state: Connection) -> Connection:
    """July with a spike on the 1st, a gap on the 10th, and a fault on the 20th."""
    master_data(state)
    odd = [a_day(JULY, (7, 9_000)), a_day(TENTH, missing=(20, 23)), a_day(date(2026, 7, 20), (3, 90_000))]
    take(state, *({one.day: one for one in a_month()} | {one.day: one for one in odd}).values())
    judge(state)
    return state


def filled_in(path: Path, answers: dict[str, tuple[str, str]]) -> None:
    """A spreadsheet's user fills in action and why, by day."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["action"], row["why"] = answers.get(row["day"], ("", ""))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def test_findings_go_out_as_a_file_and_come_back_decided(july: Connection, tmp_path: Path) -> None:
    path = tmp_path / "findings.csv"
    assert clerk_files.write_findings(path, store.findings(july)) == 3
    answers = {
        "2026-07-01": ("verify", "The customer welded."),
        "2026-07-10": ("estimate", "The meter was offline."),
        "2026-07-20": ("replace", "The meter was faulty."),
    }
    filled_in(path, answers)
    taken = clerk_files.decide_from(july, path, "A. Clerk", today=TODAY)
    assert (taken.decisions, taken.problems) == (3, [])
    (period,) = store.periods(july)
    assert (period["state"], period["estimates"]) == ("passed", 51)
    said = [(one.decision, one.why, one.decided_by) for one in history(july, Subject.METER_DATA)]
    assert said == [
        ("estimated 3 intervals", "The meter was offline.", "A. Clerk"),
        ("verified", "The customer welded.", "A. Clerk"),
        ("estimated 48 intervals", "The meter was faulty.", "A. Clerk"),
    ]


def test_a_wrong_row_is_said_with_its_line_and_the_others_are_taken(july: Connection, tmp_path: Path) -> None:
    path = tmp_path / "findings.csv"
    clerk_files.write_findings(path, store.findings(july))
    filled_in(path, {"2026-07-01": ("verify", ""), "2026-07-10": ("guess", "x"), "2026-07-20": ("verify", "A pump.")})
    taken = clerk_files.decide_from(july, path, "A. Clerk", today=TODAY)
    assert taken.decisions == 1
    lines = {str(problem).partition(":")[2].strip().split()[0] for problem in taken.problems}
    assert lines == {"It", "“guess”"}
    assert {problem.line for problem in taken.problems} < {2, 3, 4}
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FileError, match="has no column"):
        clerk_files.decide_from(july, tmp_path / "other.csv", "A. Clerk", today=TODAY)


def test_values_come_in_by_file_with_their_offset(july: Connection, tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    path.write_text(f"point,suffix,start,value\n{POINT},E1,2026-07-01T03:30:00+10:00,0.52\n")
    assert clerk_files.edit_from(july, path, "A. Clerk", "Read again.", today=TODAY) == (1, [])
    assert {one["day"] for one in store.findings(july)} == {TENTH, date(2026, 7, 20)}


def test_half_a_file_of_values_is_not_taken(july: Connection, tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    good = f"{POINT},E1,2026-07-01T03:30:00+10:00,0.52\n"
    bad = (
        f"{POINT},E1,2026-07-01T04:00:00,0.52\n",
        f"{POINT},E1,soon,0.52\n",
        f"{POINT},E1,2026-07-01T04:00:00Z,a lot\n",
    )
    path.write_text("point,suffix,start,value\n" + good + "".join(bad))
    taken = clerk_files.edit_from(july, path, "A. Clerk", "x", today=TODAY)
    assert (taken.decisions, [problem.line for problem in taken.problems]) == (0, [3, 4, 5])
    assert not history(july, Subject.METER_DATA)


@pytest.fixture
def billing(
    state_url: str, july: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """The command line on this database."""
    july.commit()
    where = {"BILLING_DATABASE_URL": state_url, "BILLING_HOME": str(tmp_path / "home"), "BILLING_AREAS": "erp,metering"}
    return lambda *arguments: call(capsys, where, "metering", *arguments)


def test_a_clerk_s_way_through_the_findings_of_a_month(billing: Callable[..., Said], tmp_path: Path) -> None:
    complete(billing("findings"), 0, ["3 findings", "SPIKE", "45 of 48 intervals"])
    listed = billing("findings", "--json")
    gap, *spikes = sorted((json.loads(line) for line in listed.out.splitlines()), key=lambda one: one["rule"])
    assert [one["rule"] for one in (gap, *spikes)] == ["MISSING", "SPIKE", "SPIKE"]

    who = ("--by", "A. Clerk", "--why", "x")
    complete(billing("estimate", POINT, "E1", "2026-07-10", *who), 0, ["E1: 3 intervals estimated: linear."])
    complete(billing("estimate-missing", "2026-07-01", "2026-08-01", *who), 0, ["Nothing is missing."])
    complete(billing("estimate-read", POINT, "11", "2026-08-01", *who), 2, ["No register reads have come"])
    complete(billing("edit-read", POINT, "11", "2026-08-01", "00100", *who), 2, ["No register reads have come"])
    complete(billing("verify", str(spikes[0]["id"]), *who), 0, ["1 findings cleared."])
    complete(billing("verify", str(spikes[0]["id"]), *who), 2, ["was cleared by A. Clerk"])
    complete(billing("verify", str(gap["id"]), "--by", " ", "--why", "x"), 2, ["--by and --why must say something"])
    complete(billing("verify", *who), 2, ["Name findings, or a file"])
    set_to = ("parameter", "SPIKE", "percent", "99999", "--from", "2026-01-01", *who)
    complete(billing(*set_to), 0, ["SPIKE percent = 99999 from 2026-01-01 on"])
    complete(billing("parameter", "SPIKE", "height", "1", "--from", "2026-01-01", *who), 2, ["has no parameter height"])
    complete(billing("validate", "2026-07-01", "2026-08-01"), 0, ["1 periods judged, 1 of them with another result"])
    complete(billing("findings"), 0, ["0 findings"])

    path = tmp_path / "all.csv"
    complete(billing("findings", "--all", "--csv", str(path)), 0, ["findings written to"])
    complete(billing("verify", "--file", str(path), "--by", "A. Clerk"), 0, ["0 decisions taken."])
    path.write_text(f"point,suffix,start,value\n{POINT},E1,2026-07-01T03:31:00+10:00,1\n")
    complete(billing("edit", str(path), *who), 1, ["0 streams edited", "line 2: No interval of", "begins at"])


def test_estimates_take_the_shape_of_the_customer_class_from_the_settings(
    state: Connection, state_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    master_data(state)
    after = TENTH + timedelta(days=1)
    take(state, a_day(TENTH, missing=(0, 24)), reads(TENTH, after, "00000.00", "00023.99", suffix="E1"))
    judge(state, TENTH, after)
    state.commit()
    profile = tmp_path / "home.dat"
    profile.write_text("\n".join(["3"] * 6 + ["1"] * 18) + "\n")
    where = {"BILLING_DATABASE_URL": state_url, "BILLING_HOME": str(tmp_path / "home"), "BILLING_AREAS": "metering"}
    where["BILLING_METER_VALIDATION__PROFILES"] = json.dumps({"home": str(profile)})
    estimate = ("metering", "estimate-missing", "2026-07-10", "2026-07-11", "--by", "A. Clerk", "--why", "x")
    complete(call(capsys, where, *estimate), 2, ["profile of home cannot be read", "24 numbers"])
    profile.write_text("\n".join((["3"] * 6 + ["1"] * 18) * 365))
    complete(call(capsys, where, *estimate), 0, ["24 intervals estimated: profile."])
    (row,) = state.execute("select values from billing.interval_readings where origin = 'estimate'").fetchall()
    assert row["values"] == [720_000] * 12 + [240_000] * 12  # three parts for each half hour until 6:00, then one
