"""The rows that judging reads and writes, as the database has them. Plain data."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class StreamRow(NamedTuple):
    """A stream that has readings. `register`: of register reads the meter's serial number."""

    id: int
    point: str
    suffix: str
    register: str


class Terms(NamedTuple):
    """What master data says of a stream from `valid_from` (inclusive) to `valid_until` (exclusive; None: open)."""

    point: str
    suffix: str
    unit: str
    length_seconds: int
    billed: bool
    direction: str
    valid_from: date
    valid_until: date | None
    part_of: str = ""


class PointRow(NamedTuple):
    """A service point."""

    point: str
    zone: str
    customer_class: str
    valid_from: date
    valid_until: date | None


class DeviceRow(NamedTuple):
    """A register of a meter on a point; of a meter without one in master data `suffix` is empty, `digits` None."""

    point: str
    serial: str
    suffix: str
    digits: int | None
    decimals: int | None
    multiplier: Decimal | None
    valid_from: date
    valid_until: date | None


class SupplyRow(NamedTuple):
    """Days on which a point is supplied."""

    point: str
    valid_from: date
    valid_until: date | None


class ClockRow(NamedTuple):
    """By how many seconds a meter's clock was off (above 0: fast), from when until when."""

    point: str
    serial: str
    seconds: int
    valid_from: date
    valid_until: date | None


class IntervalRow(NamedTuple):
    """A version of a stream's intervals that counts. `parts`: the intervals (from 1) for which it does; None: all."""

    id: int
    stream: int
    day: date
    starts_at: datetime
    length_seconds: int
    values: NDArray[np.int64]
    decimals: int
    unit: str
    serial: str
    quality: str
    reason: str
    runs: list[list[Any]] | None
    parts: list[tuple[int, int]] | None
    origin: str


class RegisterRow(NamedTuple):
    """A version of two register reads that counts."""

    id: int
    stream: int
    begins_at: datetime | None
    ends_at: datetime
    begin_read: str
    end_read: str
    begin_quality: str
    end_quality: str
    quantity: Decimal
    unit: str
    serial: str
    explained: str
    multiplier: Decimal | None
    origin: str


class Judgement(NamedTuple):
    """The result of judging a stream's period. `findings`: ids."""

    stream: int
    begins: date
    ends: date
    kind: str
    versions: list[int]
    quantity: Decimal | None
    unit: str
    intervals: int
    estimates: int
    peak: Decimal | None
    findings: list[int]
    content_hash: bytes


class NewFinding(NamedTuple):
    """A finding that may be in the table already."""

    stream: int
    begins: date
    ends: date
    day: date | None
    rule: str
    rule_version: int
    severity: str
    parameters: Mapping[str, str]
    observed: str
    allowed: str
    sentence: str
    versions: list[int]
    content_hash: bytes
