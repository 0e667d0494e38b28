"""Master data as CSV: service points, meters with registers, streams, supply periods. Accounts are ids."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from billing_assets.sandbox.samples.utility.clock import DAYS, read_day
from billing_assets.sandbox.samples.utility.day_blocks import billed, first_bad_day, suffixes
from billing_assets.sandbox.samples.utility.points import PROVIDERS, UTILITIES, Point
from billing_assets.sandbox.samples.utility.rates import MONTHS, Pool
from billing_assets.sandbox.samples.utility.register_reads import exchange_day, register_suffixes
from billing_assets.sandbox.samples.utility.usage import meters

SINCE = date(2020, 1, 1)
COLUMNS: dict[str, tuple[str, ...]] = {
    "service_points": ("point", "valid_from", "valid_until", "zone", "service", "class", "market", "utility"),
    "meters": ("point", "serial", "valid_from", "valid_until"),
    "registers": (
        "point", "serial", "register", "suffix", "digits", "decimals", "multiplier", "unit", "direction",
        "valid_from", "valid_until",
    ),
    "streams": ("point", "suffix", "unit", "length_seconds", "billed", "direction", "valid_from", "valid_until"),
    "supply_periods": ("point", "account", "valid_from", "valid_until"),
}  # fmt: skip
Row = Sequence[object]


def write_master_data(folder: Path, seed: int, points: Iterable[Point]) -> None:
    """One file for each table, with what is known of these points."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    for point in points:
        texas = point.pool.startswith("Texas")
        owner = UTILITIES[point.sender].duns if texas else PROVIDERS[point.sender].name
        rows["service_points"].append(
            (point.name, SINCE, None, point.zone, "electricity", point.klass, "ERCOT" if texas else "NEM", owner)
        )
        # Customers that we bill moved in when the first month began.
        supplied = read_day(0, point.cycle) if texas else MONTHS[0] if point.length else SINCE
        rows["supply_periods"].append((point.name, point.account, supplied, None))
        for serial, begin, end in _meters(seed, point):
            rows["meters"].append((point.name, serial, begin, end))
            rows["registers"].extend(_registers(point, serial, begin, end))
        rows["streams"].extend(_streams(point))
    for name, columns in COLUMNS.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows[name])


def _meters(seed: int, point: Point) -> list[tuple[str, date, date | None]]:
    """Serial, from when and until when."""
    if point.kind == "unmetered":
        return []
    if point.kind == "two meters":
        return [(point.serial, SINCE, None), (point.new_serial, SINCE, None)]
    if not point.has("meter exchange"):
        return [(point.serial, SINCE, None)]
    if point.pool is Pool.AUSTRALIA_INTERVALS:
        changed = DAYS[first_bad_day(seed, point)]
    elif point.pool is Pool.AUSTRALIA_READS:
        changed = exchange_day(seed, point)
    else:
        changed = meters(seed, point, point.faulty_month)[0].end
    return [(point.serial, SINCE, changed), (point.new_serial, changed, None)]


def _registers(point: Point, serial: str, begin: date, end: date | None) -> list[Row]:
    def row(register: str, suffix: str, unit: str = "kWh", direction: str = "consumption") -> Row:
        return (point.name, serial, register, suffix, 5, 0, point.multiplier, unit, direction, begin, end)

    if point.pool is Pool.AUSTRALIA_READS:
        return [row("1" if suffix == "11" else "2", suffix) for suffix in register_suffixes(point)]
    if point.pool is Pool.AUSTRALIA_INTERVALS:
        return [row(suffix, suffix, _unit(suffix), _direction(suffix)) for suffix in suffixes(point)]
    return [row(code, "") for code in (("51", "41", "42") if point.kind == "time of use" else ("51",))]


def _streams(point: Point) -> list[Row]:
    if point.pool is Pool.AUSTRALIA_READS:
        return [(point.name, suffix, "kWh", 0, True, "consumption", SINCE, None) for suffix in register_suffixes(point)]
    if point.pool is Pool.AUSTRALIA_INTERVALS:
        return [
            (point.name, suffix, _unit(suffix), point.length * 60, billed(suffix), _direction(suffix), SINCE, None)
            for suffix in suffixes(point)
        ]
    return []


def _unit(suffix: str) -> str:
    return "kVArh" if suffix.startswith("Q") else "kWh"


def _direction(suffix: str) -> str:
    return "generation" if suffix.startswith("B") else "consumption"
