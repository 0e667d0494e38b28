"""`billing metering read`: what is in files, without a database and whatever the settings say."""

import json
import os
import threading
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.metering.import_engine.messages import FileReport, Stream
from billing_assets.metering.import_engine.offline_commands import as_object
from proving.world.command import call, complete


def test_it_reads_also_while_the_area_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nothing#1.csv"
    path.write_bytes(b"")
    said = call(capsys, {"BILLING_AREAS": "erp"}, "metering", "read", str(path), "--json")
    complete(said, 0, [])
    assert json.loads(said.out) == {
        "file": str(path),
        "format": None,
        "verdict": "refuse",
        "codes": ["R-EMPTY"],
        "readings": 0,
        "sum": "0",
        "quality": {},
        "streams": [],
        "findings": [{"code": "R-EMPTY", "line": None, "sentence": "The file is empty."}],
    }


def test_a_path_that_cannot_be_read_is_said_and_the_others_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"hello")
    said = call(capsys, {}, "metering", "read", str(tmp_path / "b"), str(tmp_path), str(path), "--json")
    complete(said, 2, ["No such file", "Is a directory"])
    assert [json.loads(line)["file"] for line in said.out.splitlines()] == [str(path)]


def test_a_pipe_is_no_file_and_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"100,NEM12",))
    writer.start()
    said = call(capsys, {"COLUMNS": "200"}, "metering", "read", str(path))
    writer.join()
    complete(said, 2, ["pipe: ", "seekable"])


def test_people_get_the_verdict_and_the_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a[red]b.csv"
    path.write_bytes(b"UNB+UNOC:3+[red]X'")
    said = call(capsys, {"COLUMNS": "200"}, "metering", "read", str(path))
    complete(said, 0, ["a[red]b.csv unknown format: refuse", "R-FORMAT The file is EDIFACT, which is not read here"])


def test_sums_are_exact_however_many_digits_they_have() -> None:
    report = FileReport()
    for point, quantities in {"a": ("1" + "0" * 30, "0.0000000001"), "b": ("0.00000000000000000001",)}.items():
        for one in quantities:
            report.totals(Stream(point, "E1", "", "kWh", 1800)).add(1, Decimal(one), date(2026, 1, 1))
    found = as_object("x", report, [])
    assert found["streams"][0]["sum"] == "1" + "0" * 30 + ".0000000001"
    assert found["sum"] == "1" + "0" * 30 + ".00000000010000000001"
