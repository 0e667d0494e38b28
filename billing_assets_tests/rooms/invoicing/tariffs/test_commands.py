"""`billing tariffs`: what the tariff analyst loads, approves, changes and sees."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from billing_assets.foundation.database.connection import connect
from billing_assets.invoicing.tariffs.files import read_tariff
from billing_assets.invoicing.tariffs.sheets import write_sheet
from billing_assets.operations import cli
from billing_assets_tests.rooms.invoicing.tariffs import test_chapter as chapter
from billing_assets_tests.rooms.invoicing.tariffs.test_store import load, tariff
from billing_assets_tests.unit.invoicing.importers.foreign_files import FOLDER
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


def written(folder: Path, content: object, name: str = "tariff.json") -> str:
    path = folder / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def broken() -> dict[str, Any]:
    """A tariff with two errors: a gap between versions, and a limit that does not rise."""
    blocks = [{"up_to": "20", "price": "0.1"}, {"up_to": "10", "price": "0.2"}, {"price": "0.3"}]
    made = tariff()
    made["charges"][0]["versions"] = [
        {"valid_from": "2026-01-01", "valid_to": "2026-03-01", "price": "0.1"},
        {"valid_from": "2026-04-01", "blocks": blocks},
    ]
    return made


def test_a_tariff_is_loaded_as_a_draft_and_a_change_is_the_next_version(tariffs: Tariffs, tmp_path: Path) -> None:
    made = tariff("0.2")
    made["charges"][0]["versions"][0]["valid_to"] = None  # which says what nothing says
    file = written(tmp_path, made)
    complete(tariffs("load", file, *MARA), 0, ["Version 2 of FLAT is loaded as a draft; another person approves it."])
    complete(tariffs("load", file, *MARA), 0, ["Version 2 of FLAT has this content already."])
    complete(tariffs("load", file, "--by", " ", "--why", "x"), 2, ["must say something"])
    complete(tariffs("export", "FLAT", str(tmp_path / "flat.xlsx"), "--version", "2"), 0, ["1 rows"])
    same = tariffs.json("load", str(tmp_path / "flat.xlsx"), *MARA)
    assert same["loaded"] == {"tariff": "FLAT", "number": 2, "is_new": False}


def test_a_tariff_with_errors_is_refused_with_all_of_them_and_nothing_is_loaded(
    tariffs: Tariffs, tmp_path: Path
) -> None:
    file = written(tmp_path, broken())
    words = ["TARIFF_GAP", "BLOCKS_ORDER", "tariff.json has errors: nothing was loaded."]
    complete(tariffs("load", file, *MARA), 2, words)
    said = tariffs("load", file, *MARA, "--json")
    found = json.loads(said.out)
    assert (said.code, found["loaded"]) == (2, None)
    assert {one["code"] for one in found["findings"]} == {"TARIFF_GAP", "BLOCKS_ORDER"}
    assert [one["number"] for one in tariffs.json("list")] == [1]


def test_a_file_is_checked_without_a_database_also_where_the_area_is_off(
    tariffs: Tariffs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = {"BILLING_AREAS": "erp", "BILLING_DATABASE_URL": "postgresql://nowhere.invalid/x", "COLUMNS": "200"}
    wrong = call(capsys, variables, "tariffs", "check", written(tmp_path, broken()))
    complete(wrong, 1, ["TARIFF_GAP", "BLOCKS_ORDER", "2 errors, 0 warnings"])
    good = call(capsys, variables, "tariffs", "check", written(tmp_path, tariff()), "--json")
    assert (good.code, json.loads(good.out)["errors"]) == (0, 0)
    complete(call(capsys, variables, "tariffs", "check", written(tmp_path, {"a": 1})), 2, ["is neither a tariff of"])


def test_a_finding_in_a_sheet_names_row_and_column(tariffs: Tariffs, tmp_path: Path) -> None:
    write_sheet(tmp_path / "broken.csv", broken())
    found = tariffs("check", str(tmp_path / "broken.csv"), "--json")
    places = {one["code"]: one["place"] for one in json.loads(found.out)["findings"]}
    assert places == {"BLOCKS_ORDER": "row 3, column Up to", "TARIFF_GAP": "row 3, column Valid from"}
    cents = tariff()
    blocks = [{"up_to": "10", "price": "0.25"}, {"price": "25"}]
    cents["charges"][0]["versions"] = [{"valid_from": "2026-01-01", "blocks": blocks}]
    write_sheet(tmp_path / "cents.csv", cents)
    complete(tariffs("check", str(tmp_path / "cents.csv")), 1, ["PRICE_UNIT row 3, column Price: 25 AUD/kWh: cents or"])
    made = tariff()
    made["charges"][0]["kind"] = "usag"
    write_sheet(tmp_path / "kind.csv", made)
    complete(tariffs("check", str(tmp_path / "kind.csv")), 2, ["kind.csv: row 2: charges[0].kind", "usag"])


def test_what_a_plan_says_in_words_is_a_warning_that_stays_with_the_version(tariffs: Tariffs, tmp_path: Path) -> None:
    plan = json.loads((FOLDER / "cdr-plans-made" / "seasonal-tou.json").read_text(encoding="utf-8"))
    plan["data"]["electricityContract"]["discounts"][0]["description"] = "off market energy charges, not fees"
    complete(
        tariffs("load", written(tmp_path, plan, "plan.json"), *MARA),
        0,
        ["IMPORT_TEXT_ONLY", "off market energy charges, not fees", "Version 1 of MADE000001ELE@VEC"],
    )
    (kept,) = tariffs.json("show", "MADE000001ELE@VEC")["findings"]
    assert kept["code"] == "IMPORT_TEXT_ONLY"


def paths(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All commands of a group."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from paths(one, (*path, name))
    else:
        yield path


def test_every_command_of_the_group_is_in_the_chapter() -> None:
    everything = typer.main.get_command(cli.command_line())
    there = {path for path in paths(everything) if path[0] == "tariffs"}
    tried = {tuple(one[1 : 1 + len(path)]) for path in there for one in chapter.commands()}
    assert ("tariffs", "prices", "load") in there
    assert there - tried == set()


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
