"""Master data from CSV files: what is taken, and what is refused with its line."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.metering.readings.master_data import KINDS, MasterDataError, read_file, read_folder

BY_NAME = {kind.name: kind for kind in KINDS}


def rows(tmp_path: Path, kind: str, text: str) -> list[dict[str, object]]:
    """What a file has."""
    path = tmp_path / f"{kind}.csv"
    path.write_text(text, encoding="utf-8")
    return list(read_file(BY_NAME[kind], path))


def test_a_row_has_its_values_and_the_defaults_of_what_it_leaves_out(tmp_path: Path) -> None:
    (row,) = rows(
        tmp_path,
        "registers",
        "\ufeffpoint,serial,register,digits,multiplier,valid_from,valid_until\n4001000001,M1,1,5,40,2026-01-01,\n",
    )
    assert row == {
        "point": "4001000001",
        "serial": "M1",
        "register": "1",
        "suffix": "",
        "digits": 5,
        "decimals": 0,
        "multiplier": Decimal(40),
        "unit": "",
        "direction": "consumption",
        "valid_from": date(2026, 1, 1),
        "valid_until": None,
    }


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("service_points", "point,colour\nA,red\n", "service_points.csv: there is no column 'colour'"),
        ("service_points", "point\nA\n", "the column valid_from is missing"),
        ("service_points", "point,point,valid_from\nA,A,2026-01-01\n", "a column is there twice"),
        ("service_points", "point,valid_from\n,2026-01-01\n", "line 2: point is empty"),
        ("service_points", "point,valid_from\nA,1.1.2026\n", "line 2: valid_from '1.1.2026' is no date"),
        ("service_points", "point,valid_from\nA,2026-01-01,x\n", "line 2: 3 fields, and 2 columns"),
        ("service_points", "point,valid_from,zone\nA,2026-01-01,Mars/Base\n", "zone 'Mars/Base'"),
        ("service_points", "point,valid_from\nA,2026-01-01\nA,2026-01-01\n", "line 3: the same as line 2"),
        ("service_points", "point,valid_from,valid_until\nA,2026-01-01,2026-01-01\n", "is not after valid_from"),
        ("registers", "point,serial,register,multiplier,valid_from\nA,M,1,-4,2026-01-01\n", "no number above zero"),
        ("registers", "point,serial,register,digits,valid_from\nA,M,1,five,2026-01-01\n", "is no whole number"),
        ("streams", "point,suffix,billed,valid_from\nA,E1,perhaps,2026-01-01\n", "neither true nor false"),
        ("streams", "point,suffix,direction,valid_from\nA,E1,up,2026-01-01\n", "is none of consumption, generation"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, kind: str, text: str, said: str) -> None:
    with pytest.raises(MasterDataError, match=said):
        rows(tmp_path, kind, text)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffpoint;valid_from;zone\r\nA;2026-01-01;Europe/Berlin\r\n",
        "sep=;\r\npoint;valid_from;zone\r\nA;2026-01-01;Europe/Berlin\r\n;;\r\n",
        '"point"\t"valid_from"\t"zone "\r"A"\t"2026-01-01"\t"Europe/Berlin"\r\t\t\r',
    ],
)
def test_a_file_that_a_spreadsheet_wrote_is_read_as_it_was_seen(tmp_path: Path, text: str) -> None:
    (row,) = rows(tmp_path, "service_points", text)
    assert (row["point"], row["valid_from"], row["zone"]) == ("A", date(2026, 1, 1), "Europe/Berlin")


def test_a_number_that_a_spreadsheet_changed_is_no_other_point(tmp_path: Path) -> None:
    text = "sep=;\npoint;valid_from\nA;2026-01-01\n1.23457E+17;2026-01-01\n"
    with pytest.raises(
        MasterDataError, match=r"line 4: point '1.23457E\+17' is what a spreadsheet made of another text"
    ):
        rows(tmp_path, "service_points", text)


def test_a_folder_without_any_of_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MasterDataError, match=r"there is none of service_points\.csv, meters\.csv"):
        read_folder(tmp_path)
    (tmp_path / "meters.csv").write_bytes(b"point,serial,valid_from\n\xff,M,2026-01-01\n")
    with pytest.raises(MasterDataError, match=r"meters\.csv: it is not UTF-8"):
        list(read_folder(tmp_path)["meters"])
