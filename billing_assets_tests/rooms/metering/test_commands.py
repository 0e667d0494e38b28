"""`billing metering`: files in, master data, and what became of a message."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.shipped import shipped
from billing_assets_tests.rooms.metering.inboxes import fill, there
from billing_assets_tests.rooms.metering.market_files import nem12
from proving.world.command import Said, call, complete

POINTS = ("4001000001", "4001000002")


class Metering:
    """The commands of a company that has the area on."""

    def __init__(self, capsys: pytest.CaptureFixture[str], url: str, home: Path) -> None:
        self.capsys = capsys
        self.variables = {
            "BILLING_HOME": str(home),
            "BILLING_DATABASE_URL": url,
            "BILLING_AREAS": "metering",
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: str, **changes: str) -> Said:
        return call(self.capsys, self.variables | changes, "metering", *arguments)

    def json(self, *arguments: str, **changes: str) -> list[dict[str, Any]]:
        """The objects that it prints."""
        said = self(*arguments, "--json", **changes)
        assert said.code == 0, said
        return [json.loads(line) for line in said.out.splitlines()]


@pytest.fixture
def metering(capsys: pytest.CaptureFixture[str], state_url: str, tmp_path: Path) -> Metering:
    """The commands on a database of the test's own."""
    return Metering(capsys, state_url, tmp_path / "home")


def master(folder: Path, *points: str, since: str = "2020-01-01", **more: str) -> Path:
    """Master data with points, and other files."""
    lines = "".join(f"{point},{since},Australia/Sydney\n" for point in points)
    files = {"service_points.csv": f"point,valid_from,zone\n{lines}".encode()}
    return fill(folder, files | {f"{name}.csv": text.encode() for name, text in more.items()})


def test_a_folder_is_taken_in_twice_with_one_effect_and_its_files_stay(metering: Metering, tmp_path: Path) -> None:
    good = nem12(*POINTS, days=2)
    inbox = fill(tmp_path / "in", {"a.csv": good, "b.csv": good[:-5], "c.csv": good})
    metering("load-master", str(master(tmp_path / "master", *POINTS)))
    first = metering.json("import", str(inbox))
    assert [(one["file"], one["state"]) for one in first] == [
        ("a.csv", "accepted"),
        ("b.csv", "refused"),
        ("c.csv", "duplicate"),
    ]
    assert (first[0]["readings"], first[0]["messages"], first[0]["format"]) == (192, {"ready": 4}, "NEM12")
    assert "R-NO-900" in first[1]["codes"]
    assert metering.json("import", str(inbox)) == first
    assert there(inbox) == {".": {"a.csv", "b.csv", "c.csv"}}
    complete(metering("import", str(inbox), "--move"), 0, ["3 files: 1 accepted, 1 duplicate, 1 refused."])
    assert there(inbox) == {"archive": {"a.csv", "c.csv"}, "error": {"b.csv"}}


def test_the_folders_of_the_settings_are_taken_in(metering: Metering, tmp_path: Path) -> None:
    inbox = fill(tmp_path / "in", {"a.csv": nem12(*POINTS)})
    folders = {"market": {"path": str(inbox), "stable_seconds": 0, "utc_offset_hours": 8}}
    (found,) = metering.json("import", BILLING_METERING__FOLDERS=json.dumps(folders))
    assert (found["folder"], found["messages"]) == ("market", {"held NO_SERVICE_POINT": 2})
    assert found["made_at"] == "2026-07-01T17:00:00+00:00", "01:00 on a clock eight hours before UTC"
    assert there(inbox) == {"archive": {"a.csv"}}
    wrong = {"market": {"path": str(tmp_path / "none")}}
    complete(metering("import", BILLING_METERING__FOLDERS=json.dumps(wrong)), 1, ["there is no such folder"])
    strange = {"market": {"path": str(inbox), "lenient": ["all"]}}
    complete(metering("import", BILLING_METERING__FOLDERS=json.dumps(strange)), 2, ["There is no leniency all"])


def test_a_folder_that_is_not_there_is_named(metering: Metering, tmp_path: Path) -> None:
    complete(metering("import", str(tmp_path / "none")), 2, ["none: there is no such folder"])


def test_master_data_frees_what_waits_and_a_row_that_changes_keeps_the_one_before(
    metering: Metering, state: Connection, tmp_path: Path
) -> None:
    inbox = fill(tmp_path / "in", {"a.csv": nem12(*POINTS)})
    metering("import", str(inbox))
    more = {"registers": "point,serial,register,digits,multiplier,valid_from\n4001000001,M1,1,5,10,2020-01-01\n"}
    (first,) = metering.json("load-master", str(master(tmp_path / "master", *POINTS, **more)))
    assert first == {
        "loaded": [
            {"kind": "service_points", "rows": 2, "added": 2, "replaced": 0},
            {"kind": "registers", "rows": 1, "added": 1, "replaced": 0},
        ],
        "freed": 2,
    }
    (again,) = metering.json("load-master", str(tmp_path / "master"))
    assert ([one["added"] for one in again["loaded"]], again["freed"]) == ([0, 0], 0)
    more = {"registers": more["registers"].replace(",10,", ",40,")}
    (changed,) = metering.json("load-master", str(master(tmp_path / "master", **more)))
    assert changed["loaded"][1] == {"kind": "registers", "rows": 1, "added": 1, "replaced": 1}
    rows = state.execute("select multiplier, replaced_at is null as counts from billing.registers order by id")
    assert [tuple(row.values()) for row in rows] == [(10, False), (40, True)]


def test_master_data_that_contradicts_itself_is_not_loaded_at_all(
    metering: Metering, state: Connection, tmp_path: Path
) -> None:
    first = master(tmp_path / "master", POINTS[0])
    metering("load-master", str(first))
    twice = master(tmp_path / "twice", POINTS[1], POINTS[0], since="2021-01-01")
    complete(metering("load-master", str(twice)), 2, ["4001000001 counts from 2020-01-01 (until open), and again"])
    assert [row["point"] for row in state.execute("select point from billing.service_points")] == [POINTS[0]]


def test_a_message_is_shown_with_what_was_sent_and_all_versions_of_its_reading(
    metering: Metering, state: Connection, tmp_path: Path
) -> None:
    estimate = nem12(POINTS[0], quality="E52", days=2, stamp="20260702010000")
    actual = nem12(POINTS[0], value=7, created="202607050100", stamp="20260705010000")
    metering("load-master", str(master(tmp_path / "master", *POINTS)))
    metering("import", str(fill(tmp_path / "in", {"1.csv": estimate, "2.csv": actual})))
    (row,) = state.execute("select min(id) as id from billing.raw_messages where state = 'superseded'").fetchall()
    (shown,) = metering.json("show", str(row["id"]))
    lines = estimate.decode().splitlines()
    assert shown["text"].splitlines() == lines[1:3]
    assert [one["state"] for one in shown["past_states"]] == ["ready"]
    assert [(one["state"], one["quality"]) for one in shown["versions"]] == [("superseded", "E52"), ("current", "A")]
    assert (shown["file"]["file"], shown["message"]["line"]) == ("1.csv", 3)
    complete(metering("show", str(row["id"])), 0, ["superseded", "300,20260701", "Versions of this reading"])
    complete(metering("show", "999"), 2, ["There is no message 999"])


def test_a_file_is_saved_byte_for_byte(metering: Metering, tmp_path: Path) -> None:
    content = nem12(*POINTS)[:-5]
    (found,) = metering.json("import", str(fill(tmp_path / "in", {"a.csv": content})))
    saved = tmp_path / "saved.csv"
    complete(
        metering("file", str(found["id"]), "--save", str(saved)), 0, ["R-NO-900", hashlib.sha256(content).hexdigest()]
    )
    assert saved.read_bytes() == content
    complete(metering("file", "999"), 2, ["There is no file 999"])


def held_reading(metering: Metering, state: Connection, tmp_path: Path) -> str:
    """A substitute that is newer than the actual value: its message's number."""
    newer = nem12(POINTS[0], value=7, quality="S14", created="202607050100", stamp="20260705010000")
    metering("load-master", str(master(tmp_path / "master", *POINTS)))
    metering("import", str(fill(tmp_path / "in", {"1.csv": nem12(POINTS[0]), "2.csv": newer})))
    (row,) = state.execute("select id from billing.raw_messages where code = 'QUALITY_DOWNGRADE'").fetchall()
    return str(row["id"])


BY = ("--by", "A. Clerk", "--why", "The provider withdrew the actual value.")


def test_a_clerk_has_a_held_reading_count_and_it_is_on_the_record(
    metering: Metering, state: Connection, tmp_path: Path
) -> None:
    number = held_reading(metering, state, tmp_path)
    complete(metering("accept-reading", number, *BY), 0, [f"Message {number} is ready now.", "is superseded now."])
    (shown,) = metering.json("show", number)
    assert [(one["quality"], one["state"]) for one in shown["versions"]] == [("A", "superseded"), ("S14", "current")]
    (row,) = state.execute("select decided_by, decision, why from billing.decisions").fetchall()
    assert tuple(row.values()) == ("A. Clerk", "accepted", BY[-1])
    complete(metering("accept-reading", number, *BY), 2, ["is not held: it is current"])
    complete(metering("reject-reading", "999", *BY), 2, ["Message 999 has no reading"])


def test_a_clerk_rejects_a_held_reading_for_good(metering: Metering, state: Connection, tmp_path: Path) -> None:
    number = held_reading(metering, state, tmp_path)
    complete(metering("reject-reading", number, *BY), 0, [f"Message {number} is rejected now."])
    (shown,) = metering.json("show", number)
    assert [(one["quality"], one["state"]) for one in shown["versions"]] == [("A", "current"), ("S14", "rejected")]


def test_what_waits_for_master_data_is_not_for_a_clerk_to_accept(
    metering: Metering, state: Connection, tmp_path: Path
) -> None:
    metering("import", str(fill(tmp_path / "in", {"1.csv": nem12(POINTS[0])})))
    (row,) = state.execute("select id from billing.raw_messages").fetchall()
    complete(metering("accept-reading", str(row["id"]), *BY), 2, ["load the master data"])


def test_a_refused_file_is_read_again_by_the_rules_of_now(metering: Metering, tmp_path: Path) -> None:
    inbox = fill(tmp_path / "in", {"a.csv": nem12(POINTS[0]).replace(b",kWh,30", b",,30")})
    strict = {"market": {"path": str(inbox), "stable_seconds": 0}}
    lenient = {"market": {"path": str(inbox), "stable_seconds": 0, "lenient": ["empty_unit"]}}
    (found,) = metering.json("import", BILLING_METERING__FOLDERS=json.dumps(strict))
    assert (found["state"], "R-UOM" in found["codes"]) == ("refused", True)
    complete(metering("read-again", str(found["id"])), 0, ["is read by the next run"])
    (again,) = metering.json("import", BILLING_METERING__FOLDERS=json.dumps(lenient))
    assert (again["id"], again["state"]) == (found["id"], "accepted")
    complete(metering("read-again", str(found["id"])), 2, ["there is nothing to be read again"])
    (shown,) = metering.json("file", str(found["id"]))
    assert "R-UOM" not in [one["code"] for one in shown["findings"]], "the findings of the last reading"


def test_a_folder_of_csv_exports_is_read_by_its_mapping(metering: Metering, tmp_path: Path) -> None:
    inbox = fill(tmp_path / "in", {})
    folder = {"market": {"path": str(inbox), "mapping": "no-such"}}
    complete(
        metering("import", BILLING_METERING__FOLDERS=json.dumps(folder)), 2, ["There is no column mapping 'no-such'"]
    )
    name = next(shipped("config/metering_mappings").glob("*.yaml")).stem
    fill(inbox, {"a.csv": nem12()})
    folder["market"] |= {"mapping": name, "stable_seconds": "0"}
    (found,) = metering.json("import", BILLING_METERING__FOLDERS=json.dumps(folder))
    assert (found["state"], found["format"] == "NEM12") == ("refused", False), "it is read by the mapping alone"
