"""A file of prices is taken as a whole or not at all, and every value has one instant."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.invoicing.tariffs.series_files import SeriesFileError, read_values


def values(folder: Path, *lines: str, minutes: int = 30) -> list[tuple[datetime, Decimal]]:
    path = folder / "spot.csv"
    path.write_text("start,price\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return read_values(path, "price", minutes)[1]


def test_instants_are_of_utc_and_in_order_and_an_empty_price_is_missing(tmp_path: Path) -> None:
    found = values(
        tmp_path,
        "2026-04-05T02:30:00+10:00,-4.12",  # the clock goes back: the same wall time twice
        "2026-04-05T02:30:00+11:00,21.35",
        "2026-04-05T03:00:00+10:00,",
    )
    assert found == [
        (datetime(2026, 4, 4, 15, 30, tzinfo=UTC), Decimal("21.35")),
        (datetime(2026, 4, 4, 16, 30, tzinfo=UTC), Decimal("-4.12")),
    ]


def test_the_grid_is_that_of_utc(tmp_path: Path) -> None:
    assert values(tmp_path, "2026-04-05T05:30:00+05:30,1", minutes=60) == [
        (datetime(2026, 4, 5, tzinfo=UTC), Decimal(1))
    ]
    with pytest.raises(SeriesFileError, match="does not begin an interval of 60 minutes"):
        values(tmp_path, "2026-04-05T05:00:00+05:30,1", minutes=60)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["2026-04-05T02:30:00,1"], "Row 2, “2026-04-05T02:30:00”: it has no offset"),
        (["2026-04-05T02:31:00Z,1"], "it does not begin an interval of 30 minutes"),
        (["2026-04-05T02:30:00Z,1", "2026-04-05T12:30:00+10:00,2"], "Row 3,"),
        (["2026-04-05T02:30:00Z,1.2.3"], "write a number with a point"),
        (["5 April,1"], "write an instant such as"),
        ([], "has no values"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(SeriesFileError) as error:
        values(tmp_path, *lines)
    assert said in str(error.value)


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time;price\n", encoding="utf-8")
    with pytest.raises(SeriesFileError, match="must have the columns start and price once"):
        read_values(path, "price", 30)
