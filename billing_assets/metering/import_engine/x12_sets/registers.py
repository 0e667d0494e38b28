"""Reads of a register: the quantity between them, with multiplier and rollover."""

from decimal import Decimal

from billing_assets.metering.import_engine.x12_sets.elements import number


def registered(
    begin: str, end: str, multiplier: Decimal, days: int, most_a_day: Decimal
) -> tuple[Decimal, bool] | None:
    """(End - begin) times multiplier, negative where nothing explains it, and whether the register rolled over.

    None without both reads. Digits are those before the point, with leading zeros, as on the dials. A register rolls
    over at most once: it ended below its begin, began in the last tenth of its range, and moved by at most
    `most_a_day` of its units a day.
    """
    first, last = number(begin), number(end)
    if first is None or last is None:
        return None
    moved = last - first
    if moved < 0:
        digits = max(len(begin.partition(".")[0]), len(end.partition(".")[0]))
        full = Decimal(10) ** digits
        if first >= full * 9 / 10 and moved + full <= most_a_day * days:
            return (moved + full) * multiplier, True
    return moved * multiplier, False
