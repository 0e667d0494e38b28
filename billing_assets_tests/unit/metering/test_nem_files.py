"""Files of the market's own tests, and those that another reader's tests are made of, come out to the digit."""

import json
from decimal import Decimal

import pytest

from billing_assets.metering.import_engine.messages import IntervalBlock, RegisterRead
from billing_assets.metering.import_engine.offline_commands import as_object
from billing_assets_tests.unit.metering.nem_files import expected, expected_streams, path_of, read
from proving.world.command import call, complete

OURS_BESIDE = {"W-NMI-LETTER"}
"""Warnings that `expected.csv` does not know: samples with an NMI that none can be."""


@pytest.mark.parametrize("row", expected(), ids=lambda row: row["file"])
def test_every_file_comes_out_as_expected(row: dict[str, str]) -> None:
    path = path_of(row["file"])
    if path is None:
        pytest.skip("it may not be shipped, and BILLING_TEST_SHARED_DATA does not say where it is")
    messages, report = read(path.read_bytes())
    found = as_object(row["file"], report, [])
    assert found["verdict"] == row["verdict"]
    assert sorted(code for code in found["codes"] if code.startswith("R-")) == row["refuse_codes"].split()
    warned = {code: n for code, n in report.counts.items() if not code.startswith("R-") and code not in OURS_BESIDE}
    warned["W-QUANTITY-NOT-DIFFERENCE"] = warned.get("W-QUANTITY-NOT-DIFFERENCE", 0) + warned.pop("QTY_NOT_READS", 0)
    expected_warnings = dict(one.split(":") for one in row["warnings"].split())
    if row["verdict"] == "refuse":  # ours says nothing of the quality of a day whose quality cannot be read
        expected_warnings.pop("W-400-WITHOUT-V", None)
    assert {code: str(n) for code, n in warned.items() if n} == expected_warnings
    assert all(one.sentence for one in report.findings)
    if row["verdict"] == "refuse":
        assert (found["readings"], found["sum"], found["streams"], found["quality"]) == (0, "0", [], {})
        return
    assert report.format == report.header["version"] == row["version"]
    assert (report.header["from"], report.header["to"]) == (row["sender"], row["receiver"])
    assert str(found["readings"]) == row["readings"]
    assert found["sum"] == row["sum"]
    assert " ".join(f"{quality}:{n}" for quality, n in found["quality"].items()) == row["quality"]
    assert {
        (
            *(one[name] for name in ("point", "suffix", "serial", "unit")),
            str(one["length"] // 60 or ""),
            str(one["readings"]),
            one["sum"],
            *(one[name].replace("-", "") for name in ("first", "last")),
        )
        for one in found["streams"]
    } == expected_streams(row["file"])
    blocks = [one for one in messages if isinstance(one, IntervalBlock)]
    reads = [one for one in messages if isinstance(one, RegisterRead)]
    assert sum(len(one.values) for one in blocks) + len(reads) == int(row["readings"])
    total = sum(Decimal(int(one.values.sum())).scaleb(-one.decimals) for one in blocks)
    assert total + sum(Decimal(one.facts["Quantity"]) for one in reads) == Decimal(row["sum"])
    assert sum(len(one.visits) for one in blocks) + sum(len(one.visits) for one in reads) == int(row["b2b"])


def test_the_command_reads_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(path, row) for row in expected() if (path := path_of(row["file"]))]
    said = call(capsys, {}, "metering", "read", "--json", *(str(path) for path, _ in rows))
    complete(said, 0, [])
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [(one["file"], one["verdict"]) for one in found] == [(str(path), row["verdict"]) for path, row in rows]
    assert sum(one["readings"] for one in found) == sum(int(row["readings"] or 0) for _, row in rows)
