"""How use is spread over days and months, in whole numbers: the profiles and sizes of `data/utility`."""

import csv
import gzip
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parents[2] / "data" / "utility"
_SOLAR_FROM, _SOLAR_TO = 24, 72  # quarter hours of the sun


def month_sizes() -> list[list[int]]:
    """1,200 buildings, twelve months from January, in thousandths of their unit."""
    rows = list(_rows("fleet/month_loadshape.csv.gz"))[1:]
    return [[int(Decimal(value) * 1_000) for value in row[1:]] for row in rows]


@cache
def quarters(name: str, day: date) -> NDArray[np.int64]:
    """96 weights of a standard profile (h0, g1, …) on a day of the southern year."""
    season = "summer" if day >= date(day.year, 11, 15) else "transition"
    return _standard_profiles()[name, season, day.isoweekday()]


@cache
def hours(building: str) -> NDArray[np.int64]:
    """8,760 weights of a building of Houston, in standard time."""
    text = gzip.decompress((DATA / "profiles" / f"crb8760_norm_Houston_{building}.dat.gz").read_bytes())
    return np.array([int(Decimal(line.decode()) * 10**9) for line in text.split()], dtype=np.int64)


@cache
def sun() -> NDArray[np.int64]:
    """96 weights of what a roof generates."""
    quarter = np.arange(96, dtype=np.int64)
    height: NDArray[np.int64] = np.maximum((quarter - _SOLAR_FROM) * (_SOLAR_TO - quarter), 0)
    return height


def spread(total: NDArray[np.int64], weights: NDArray[np.int64], factors: NDArray[np.int64]) -> NDArray[np.int64]:
    """Daily totals over the intervals of their days (days by intervals), scattered by thousandths."""
    whole = weights.sum(axis=1, keepdims=True) * 1_000
    found: NDArray[np.int64] = total[:, None] * weights * factors.reshape(weights.shape) // whole
    return found


def of_length(weights: NDArray[np.int64], minutes: int) -> NDArray[np.int64]:
    """Weights of quarter hours as weights of intervals of 5, 15 or 30 minutes."""
    if minutes < 15:
        return np.repeat(weights, 15 // minutes, axis=-1)
    found: NDArray[np.int64] = weights.reshape(*weights.shape[:-1], -1, minutes // 15).sum(axis=-1)
    return found


@cache
def _standard_profiles() -> dict[tuple[str, str, int], NDArray[np.int64]]:
    rows = list(_rows("profiles-15min/selp_series.csv.gz"))
    names = rows[0][3:]
    found: dict[tuple[str, str, int], list[int]] = {}
    for _, season, weekday, *values in rows[1:]:
        for name, value in zip(names, values, strict=True):
            found.setdefault((name, season, int(weekday)), []).append(int(Decimal(value) * 10**6))
    return {key: np.array(values, dtype=np.int64) for key, values in found.items()}


def _rows(name: str) -> Iterator[Any]:
    with gzip.open(DATA / name, "rt", encoding="utf-8", newline="") as file:
        yield from csv.reader(file)
