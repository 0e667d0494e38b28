"""`billing tariffs`: what the tariff analyst loads, approves, changes and sees."""

import json
from pathlib import Path
from typing import Any

import pytest

from billing_assets.foundation.database.connection import connect
from billing_assets.invoicing.tariffs.files import read_tariff
from billing_assets_tests.rooms.invoicing.tariffs.test_store import load, tariff
from proving.world.command import Said, call, complete

MARA = ("--by", "Mara", "--why", "New prices")
BEN = ("--by", "Ben", "--why", "Compared")


class Tariffs:
    """The commands of a company that has the area on."""

    def __init__(self, capsys: pytest.CaptureFixture[str], url: str, home: Path) -> None:
        self.capsys = capsys
        self.variables = {
            "BILLING_HOME": str(home),
            "BILLING_DATABASE_URL": url,
            "BILLING_AREAS": "invoicing",
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: str) -> Said:
        return call(self.capsys, self.variables, "tariffs", *arguments)

    def json(self, *arguments: str) -> Any:
        """What it prints as JSON."""
        said = self(*arguments, "--json")
        assert said.code == 0, said
        return json.loads(said.out)


@pytest.fixture
def tariffs(capsys: pytest.CaptureFixture[str], state_url: str, tmp_path: Path) -> Tariffs:
    """The commands on a database of the test's own, with a draft of the tariff FLAT."""
    with connect(state_url) as connection:
        load(connection)
    return Tariffs(capsys, state_url, tmp_path / "home")


def test_a_draft_is_approved_by_another_person_and_then_withdrawn(tariffs: Tariffs) -> None:
    complete(tariffs("approve", "FLAT", "1", *MARA), 2, ["Mara decided this: another person must check it."])
    complete(tariffs("approve", "FLAT", "1", *BEN), 0, ["Version 1 of FLAT is approved by Ben; bills are made by it."])
    complete(tariffs("approve", "FLAT", "1", *BEN), 2, ["Version 1 of FLAT is approved already. Nothing was changed."])
    complete(tariffs("approve", "FLAT", "9", *BEN), 2, ["There is no version 9 of a tariff FLAT."])
    complete(tariffs("approve", "FLAT", "1", "--by", " ", "--why", "x"), 2, ["must say something"])
    (one,) = tariffs.json("list", "--state", "approved")
    assert (one["maker"], one["approver"], one["is_used"]) == ("Mara", "Ben", True)
    complete(tariffs("withdraw", "FLAT", "1", *BEN), 0, ["is withdrawn; no version of it is left to bill by."])
    complete(tariffs("withdraw", "FLAT", "1", *BEN), 2, ["Version 1 of FLAT is withdrawn already."])


def test_a_list_and_a_version_are_shown(tariffs: Tariffs) -> None:
    complete(tariffs("list"), 0, ["Versions of tariffs", "FLAT", "draft", "Mara"])
    complete(tariffs("list", "--state", "old"), 2, ["--state old: use one of draft, approved, withdrawn"])
    complete(
        tariffs("show", "FLAT"), 0, ["FLAT, version 1: draft", "from made.json by Mara: New prices", "usage", "open"]
    )
    complete(tariffs("show", "NONE"), 2, ["There is no tariff NONE.", "`billing tariffs list` shows what there is."])
    shown = tariffs.json("show", "FLAT", "--version", "1")
    assert shown["content"] == tariff()
    assert shown["content_hash"] == b"0.1".ljust(32).hex()


@pytest.mark.parametrize("ending", ["json", "csv", "xlsx"])
def test_a_version_is_written_to_a_file_that_gives_the_same_tariff(
    tariffs: Tariffs, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"flat.{ending}"
    assert tariffs.json("export", "FLAT", str(file))["version"] == 1
    assert read_tariff(file).tariff == tariff()
    complete(tariffs("export", "FLAT", str(file)), 2, ["is there already: it was left as it is. Name a new file."])
    complete(tariffs("export", "FLAT", str(tmp_path / "flat.pdf")), 2, ["must end in .xlsx or .csv"])


@pytest.mark.parametrize(("group", "column"), [("prices", "price"), ("profiles", "weight")])
def test_values_are_loaded_once_and_what_is_other_is_a_new_version(
    tariffs: Tariffs, tmp_path: Path, group: str, column: str
) -> None:
    file = tmp_path / "values.csv"
    options = (str(file), "--name", "SPOT", "--minutes", "30", *MARA)
    file.write_text(f"start,{column}\n2026-04-12T00:00:00Z,21.35\n2026-04-12T00:30:00Z,-4.12\n", encoding="utf-8")
    first = {"name": "SPOT", "version": 1, "changed": 2, "values": 2}
    assert tariffs.json(group, "load", *options) == first
    assert tariffs.json(group, "load", *options) == {**first, "changed": 0}
    file.write_text(f"start,{column}\n2026-04-12T00:30:00Z,-3.9\n", encoding="utf-8")
    complete(tariffs(group, "load", *options), 0, ["SPOT: 1 values read, 1 new or other; version 2."])
    file.write_text(f"start,{column}\n2026-04-12T00:30:00,-3.9\n", encoding="utf-8")
    complete(tariffs(group, "load", *options), 2, ["Row 2", "it has no offset"])
