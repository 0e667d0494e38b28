"""From interval streams as metering delivers them to the intervals of a rating case, in whole numbers. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from billing_assets.metering.contract import DeliveredStream

GENERAL, FEED_IN = "general", "feed_in"
_ENERGY = {"WH": -3, "KWH": 0, "MWH": 3}
_REACTIVE = {"VARH": -3, "KVARH": 0, "MVARH": 3}
_MOST = 2**62
_NEEDS = frozenset({"tou", "demand", "index"})


@dataclass(frozen=True, slots=True)
class IntervalUsage:
    """Intervals and reactive intervals of a case. `kwh`: what was consumed, without what was fed in."""

    intervals: tuple[Mapping[str, Any], ...]
    reactive: tuple[Mapping[str, Any], ...]
    kwh: Decimal
    is_estimated: bool
    is_whole: bool


def needs_intervals(tariff: Mapping[str, Any]) -> bool:
    """Whether a tariff has a charge that intervals are for: without them, registers have to do."""
    return any(
        charge["kind"] in _NEEDS or charge.get("net", "none") != "none" or _by_series(charge)
        for charge in tariff["charges"]
    )


def _by_series(charge: Mapping[str, Any]) -> bool:
    return any(version.get("series") or version.get("windows") for version in charge.get("versions", ()))


def channels_of(pairs: Iterable[str]) -> dict[str, str]:
    """Channels by suffix, from texts such as `E2=controlled_load`; none is `-`."""
    return dict(pair.split("=", 1) for pair in pairs)


def interval_usage(point: str, streams: Sequence[DeliveredStream], channels: Mapping[str, str]) -> IntervalUsage:
    """The streams that are billed, those of one channel and length added up.

    `channels`: by suffix, where it is not the one of its direction: `general`, `feed_in`; `-` leaves a stream out.
    """
    energy: list[tuple[str, int, DeliveredStream]] = []
    reactive: list[tuple[str, int, DeliveredStream]] = []
    for one in streams:
        channel = channels.get(one.suffix) or (FEED_IN if one.is_generation else GENERAL)
        if not one.is_billed or channel == "-" or one.length_seconds % 60:
            continue
        unit = one.unit.upper()
        if unit in _ENERGY:
            energy.append((channel, _ENERGY[unit], one))
        elif unit in _REACTIVE:
            reactive.append((channel, _REACTIVE[unit], one))
    made = [_added(point, channel, its, "kWh") for channel, its in _grouped(energy)]
    consumed = [total for (channel, _), (_, total) in zip(_grouped(energy), made, strict=True) if channel != FEED_IN]
    missing = any(bool(one.missing.any()) for _, _, one in energy)
    return IntervalUsage(
        tuple(one for one, _ in made),
        tuple(_added(point, channel, its, "kvarh")[0] for channel, its in _grouped(reactive)),
        sum(consumed, Decimal(0)),
        any(bool(one.estimated.any()) for _, _, one in energy),
        bool(energy) and not missing,
    )


_Streams = list[tuple[int, DeliveredStream]]


def _grouped(streams: list[tuple[str, int, DeliveredStream]]) -> list[tuple[str, _Streams]]:
    """By channel and length."""
    ordered = sorted(streams, key=lambda one: (one[0], one[2].length_seconds, one[2].suffix))
    return [
        (channel, [(shift, stream) for _, shift, stream in its])
        for (channel, _), its in groupby(ordered, lambda one: (one[0], one[2].length_seconds))
    ]


def _added(point: str, channel: str, streams: _Streams, unit: str) -> tuple[dict[str, Any], Decimal]:
    """Streams over the same days as one, and their sum: an interval that one of them lacks is lacking."""
    places = max(0, *(stream.decimals - shift for shift, stream in streams))
    values = sum(_scaled(stream, places - stream.decimals + shift) for shift, stream in streams)
    first = streams[0][1]
    missing, estimated = first.missing, first.estimated
    for _, stream in streams[1:]:
        missing, estimated = missing | stream.missing, estimated | stream.estimated
    texts = _texts(values, places)
    for where in np.flatnonzero(missing).tolist():
        texts[where] = None
    total = Decimal(sum(int(one) for one in np.where(missing, 0, values).tolist())).scaleb(-places)
    return {
        "service_point": point,
        "channel": channel,
        "unit": unit,
        "start": first.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "minutes": first.length_seconds // 60,
        "values": texts,
        "quality": _runs(estimated),
    }, total


def _scaled(stream: DeliveredStream, shift: int) -> Any:
    """Its values times 10 to the `shift`; Python's integers where they might not fit."""
    factor = 10**shift
    most = int(np.abs(stream.values).max(initial=0)) * factor
    return stream.values * factor if most < _MOST // 64 else stream.values.astype(object) * factor


def _texts(values: Any, places: int) -> list[str | None]:
    """Values times 10 to the minus `places` as texts, without idle zeros."""
    known: dict[int, str] = {}  # most intervals of a day repeat
    found: list[str | None] = []
    for value in values.tolist():
        text = known.get(value)
        if text is None:
            whole, rest = divmod(abs(value), 10**places)
            text = f"{'-' if value < 0 else ''}{whole}"
            if rest:
                text += "." + f"{rest:0{places}}".rstrip("0")
            known[value] = text
        found.append(text)
    return found


def _runs(estimated: Any) -> str | list[list[Any]]:
    """One letter, or how many of each letter in a row."""
    if not estimated.any():
        return "A"
    edges = [0, *(np.flatnonzero(np.diff(estimated)) + 1).tolist(), len(estimated)]
    return [[after - before, "E" if estimated[before] else "A"] for before, after in pairwise(edges)]
