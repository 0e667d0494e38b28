"""A column mapping is tried on a file before it loads: the first day as it would be read, and what is wrong."""

import json
from io import BytesIO
from pathlib import Path

import pytest

from billing_assets.metering.import_engine.csv_mapping import load_mapping
from billing_assets.metering.import_engine.csv_preview import preview
from proving.world.command import call, complete

_FILE = Path(__file__).parents[2] / "data" / "interval" / "amber_sample.csv"


def test_the_first_day_is_shown_with_times_quantities_and_costs(capsys: pytest.CaptureFixture[str]) -> None:
    said = call(capsys, {}, "metering", "preview", str(_FILE), "--mapping", "au-retailer-spot", "--json")
    complete(said, 0, [])
    found = json.loads(said.out)
    assert (found["mapping"], found["cut"], found["findings"]) == ("au-retailer-spot 1", False, [])
    assert len(found["rows"]) == 96
    assert found["rows"][0] == {
        "day": "2026-04-12",
        "starts": "2026-04-11 14:00:00",
        "ends": "2026-04-11 14:30:00",
        "point": "?",
        "suffix": "E1",
        "quality": "A",
        "unit": "kWh",
        "quantity": "1.081",
        "cost": "0.101675 AUD",
    }


def test_people_get_a_table_and_the_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    said = call(capsys, {"COLUMNS": "200"}, "metering", "preview", str(_FILE), "--mapping", "au-retailer-spot")
    complete(said, 0, ["Australian retailer with spot prices", "2026-04-11 14:00:00", "0.101675 AUD"])
    said = call(capsys, {"COLUMNS": "200"}, "metering", "preview", str(_FILE), "--mapping", "ie-distributor")
    complete(said, 0, ["R-COLUMN", "reads column “MPRN”, and there is none"])


def test_a_mapping_or_a_file_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    complete(call(capsys, {}, "metering", "preview", str(_FILE), "--mapping", "x"), 2, ["no column mapping 'x'"])
    missing = str(tmp_path / "a.csv")
    complete(call(capsys, {}, "metering", "preview", missing, "--mapping", "profile-8760"), 2, ["No such file"])


def test_a_file_of_any_size_is_previewed_by_its_first_lines() -> None:
    found = preview(BytesIO(b"0.5\n" * 1_000_000), load_mapping("profile-8760"))
    assert found.report.counts == {}
    assert found.cut
    assert [len(block.values) for block in found.blocks] == [24]


def test_exports_are_read_by_their_mapping_as_market_files_are(capsys: pytest.CaptureFixture[str]) -> None:
    said = call(capsys, {}, "metering", "read", str(_FILE), "--mapping", "au-retailer-spot", "--json")
    complete(said, 0, [])
    found = json.loads(said.out)
    assert (found["format"], found["verdict"], found["readings"], found["sum"]) == ("CSV", "accept", 288, "109.418")
