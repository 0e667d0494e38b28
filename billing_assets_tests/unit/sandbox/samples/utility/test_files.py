"""The files of the utility sample: what the ledger says of them is in them, and others read them."""

import hashlib
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
import pyx12.x12file
from nemreader import read_nem_file

from billing_assets.sandbox.samples.utility.points import make_points
from billing_assets.sandbox.samples.utility.rates import SEED
from billing_assets.sandbox.samples.utility.world import World, write_world
from billing_assets_tests.unit.sandbox.samples.utility.conftest import SMALL
from billing_assets_tests.unit.sandbox.samples.utility.counting import (
    Row,
    blocks,
    content_of,
    ledger,
    path_of,
    rows,
    sets,
)

OUTCOMES = ("current", "superseded", "held", "waiting", "cancel", "duplicate", "refused")


def tree(folder: Path) -> dict[str, str]:
    return {
        f"{path.relative_to(folder)}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def good(folder: Path, *formats: str) -> list[Row]:
    return [row for row in ledger(folder, "files") if row["format"] in formats and row["verdict"] in {"accept", "hold"}]


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(world: World, tmp_path: Path) -> None:
    write_world(tmp_path / "same", count_of_points=SMALL)
    assert tree(tmp_path / "same") == tree(world.folder)
    assert make_points(SEED + 1, SMALL) != make_points(SEED, SMALL)


def test_every_file_that_is_there_is_in_the_ledger_with_its_hashes(folder: Path) -> None:
    found = {f"{path.relative_to(folder / 'arrivals')}" for path in (folder / "arrivals").rglob("*") if path.is_file()}
    files = ledger(folder, "files")
    assert {f"{row['day']}/{row['folder']}/{row['name']}" for row in files} == found
    for row in files:
        path = path_of(folder, row)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        assert hashlib.sha256(content_of(path)).hexdigest() == row["content_sha256"]


def test_readings_sums_and_qualities_of_good_nem_files_are_those_of_the_ledger(folder: Path) -> None:
    files = good(folder, "NEM12", "NEM13")
    assert len(files) > 150
    for row in files:
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        qualities: Counter[str] = Counter()
        readings = messages = 0
        for block in blocks(folder, row):
            messages += 1
            readings += len(block.values)
            sums[block.unit.lower()] += sum(block.values)
            qualities += block.qualities
        assert (messages, readings) == (int(row["messages"]), int(row["readings"])), row["name"]
        assert sums["kwh"] == Decimal(row["kwh"]), row["name"]
        assert sums["kvarh"] == Decimal(row["kvarh"]), row["name"]
        assert " ".join(f"{one}:{number}" for one, number in sorted(qualities.items())) == row["qualities"]


def test_quantities_of_good_interchanges_are_those_of_the_ledger(folder: Path) -> None:
    said = {(row["name"], row["type"], row["id"]): row for row in ledger(folder, "sets")}
    for row in good(folder, "X12"):
        found = list(sets(folder, row))
        assert len(found) == int(row["messages"])
        assert sum(one.quantity for one in found) == Decimal(row["kwh"]), row["name"]
        for one in found:
            of_set = said.pop((one.file, one.type, one.id))
            assert (one.point, one.purpose, one.names) == (of_set["point"], of_set["purpose"], of_set["original"])
            assert (one.begin, one.end) == (of_set["begin"].replace("-", ""), of_set["end"].replace("-", ""))
            assert (one.quantity, one.total) == (Decimal(of_set["kwh"]), int(of_set["cents"]))
            assert one.sound == (of_set["outcome"] != "refused")
    assert not said


def test_what_becomes_of_quantities_adds_up_by_file_and_in_all(folder: Path) -> None:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in ledger(folder, "files"):
        by_outcome = {one: Decimal(row[one]) for one in OUTCOMES}
        sent = Decimal(row["kwh"]) + Decimal(row["kvarh"])
        assert sum(by_outcome.values()) == sent, row["name"]
        assert row["verdict"] != "refuse" or by_outcome["refused"] == sent, row["name"]
        assert row["verdict"] != "duplicate" or by_outcome["duplicate"] == sent, row["name"]
        for one, quantity in by_outcome.items():
            sums[one] += quantity
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in ledger(folder, "totals"):
        totals[row["outcome"]] += Decimal(row["quantity"])
    sent = totals.pop("sent")
    assert sent == sum(totals.values()) > 0
    totals["duplicate"] += totals.pop("doubled")
    assert {one: sums[one] for one in OUTCOMES} == {one: totals[one] for one in OUTCOMES}


def test_nemreader_reads_good_interval_files_to_the_same_sums(folder: Path) -> None:
    for row in good(folder, "NEM12")[::3]:
        data = read_nem_file(str(path_of(folder, row)))
        values = [
            Decimal(str(reading.read_value))
            for streams in data.readings.values()
            for readings in streams.values()
            for reading in readings
        ]
        assert len(values) == int(row["readings"])
        assert sum(values) == Decimal(row["kwh"]) + Decimal(row["kvarh"])


def test_pyx12_finds_the_envelopes_of_good_interchanges_whole(folder: Path) -> None:
    for row in good(folder, "X12")[::2]:
        reader = pyx12.x12file.X12Reader(str(path_of(folder, row)))
        seen = Counter(segment.get_seg_id() for segment in reader)
        reader.cleanup()
        assert seen["ST"] == seen["SE"] == int(row["messages"])
        assert seen["ISA"] == seen["IEA"] == 1
        broken = sum(not one.sound for one in sets(folder, row))
        assert len(reader.pop_errors()) == broken, row["name"]


@pytest.mark.parametrize(
    ("fault", "is_broken"),
    [
        ("cut off", lambda content, text: not text.rstrip().endswith(("900", "~", "IEA"))),
        (
            "a value short",
            lambda content, text: (
                text.split("\r\n")[2].count(",") == 1440 // int(text.split("\r\n")[1].split(",")[8]) + 5
            ),
        ),
        ("joined", lambda content, text: text.count("\r\n900\r\n") == 2),
        ("empty", lambda content, text: content == b""),
        ("EDIFACT", lambda content, text: text.startswith("UNA")),
    ],
)
def test_a_broken_file_is_broken_as_the_ledger_says(folder: Path, fault: str, is_broken: object) -> None:
    files = [row for row in ledger(folder, "files") if row["fault"] == fault]
    assert files
    for row in files:
        content = content_of(path_of(folder, row))
        assert callable(is_broken)
        assert is_broken(content, content.decode()), row["name"]
        is_again = content == b"" and row is not files[0]  # the same content is one file
        assert row["verdict"] == ("duplicate" if is_again else "refuse")


def test_reads_of_australian_meters_explain_their_quantities_and_follow_one_another(folder: Path) -> None:
    multiplier = {
        (row["point"], row["serial"]): int(row["multiplier"])
        for row in rows(folder / "master_data_later" / "registers.csv")
    }
    unexplained = {row["point"] for row in ledger(folder, "months") if row["codes"] == "QTY_NOT_READS"}
    actual: defaultdict[tuple[str, str, str], dict[str, tuple[str, str]]] = defaultdict(dict)
    rolled = set()
    for row in good(folder, "NEM13"):
        for line in content_of(path_of(folder, row)).decode().split("\r\n"):
            if not line.startswith("250"):
                continue
            fields = line.split(",")
            point, suffix, serial, before, after = fields[1], fields[4], fields[6], fields[8], fields[13]
            turns = (int(after) - int(before)) % 100_000
            explained = turns * multiplier.get((point, serial), 1) == int(fields[18])
            assert explained or point in unexplained or (point, serial) not in multiplier, line
            if int(after) < int(before):
                rolled.add(point)
            if fields[15] == "A":
                actual[point, suffix, serial][fields[14]] = (before, after)
    for reads in actual.values():
        in_order = [reads[end] for end in sorted(reads)]
        assert all(before == then for (_, then), (before, _) in pairwise(in_order))
    assert rolled == {row["point"] for row in ledger(folder, "months") if row["fault"] == "rollover" and row["suffix"]}


def test_meters_of_texas_add_up_to_the_summary_unless_that_is_the_fault(folder: Path) -> None:
    off = {row["point"] for row in ledger(folder, "months") if row["codes"] == "SUM_CHECK"}
    kinds = set()
    for row in good(folder, "X12"):
        for one in sets(folder, row):
            total = Decimal(0)
            loops = "\n".join("*".join(segment) for segment in one.segments).split("PTD*PL")[1:]
            for loop in loops:
                segments = [segment.split("*") for segment in loop.split("\n")]
                multiplier = next((int(segment[3]) for segment in segments if segment[2:3] == ["MU"]), 1)
                reads = next(segment for segment in segments if segment[2:3] == ["PRQ"] and segment[7] == "51")
                used = (int(reads[6]) - int(reads[5])) % 100_000 * multiplier
                assert used == int(reads[3])
                total += used
            kinds.add((len(loops), "DTM*514" in loops[-1] if loops else False))
            if loops:
                assert total == one.quantity - (7 if one.point in off and total != one.quantity else 0), one.id
    assert {(0, False), (1, False), (2, False), (2, True)} <= kinds
