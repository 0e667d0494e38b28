"""How the reads of a register explain the quantity between them. Source: AEMO MDFF, and files of its market."""

from decimal import Decimal, localcontext

from billing_assets.metering.import_engine.messages import EXACT
from billing_assets.metering.import_engine.nem.fields import DEMAND, usual_unit

_MULTIPLIERS = range(2, 10_001)
EQUAL = "equal"


def explained(previous: str, current: str, quantity: Decimal, unit: str) -> str:
    """In words of ours: equal, sign, multiplier 10, rollover, decimals, demand; empty where nothing explains it.

    The quantity is after multiplier and rollover, the reads are as on the dials. A demand register shows the demand
    itself. Between reads whose decimals are cut, the quantity may differ by less than their last digit.
    """
    with localcontext(EXACT):
        return _explained(previous, current, quantity, unit)


def _explained(previous: str, current: str, quantity: Decimal, unit: str) -> str:
    before, after, size = Decimal(previous), Decimal(current), abs(quantity)
    difference = after - before
    if difference == quantity:
        return EQUAL
    if abs(difference) == size:
        return "sign"
    if usual_unit(unit) in DEMAND:
        return _times("demand", after, size)
    if found := _times("", abs(difference), size):
        return found
    dials = Decimal(10) ** len(previous.split(".", maxsplit=1)[0])
    if difference < 0 and before >= dials * 9 / 10 and (found := _times("rollover", difference + dials, size)):
        return found
    return "decimals" if _is_cut(previous, current, abs(difference), size) else ""


def _times(name: str, difference: Decimal, size: Decimal) -> str:
    """The name where the two are equal, or with the multiplier that makes them equal."""
    if difference == size:
        return name
    if difference > 0 and size % difference == 0 and size / difference in _MULTIPLIERS:
        return f"{name} multiplier {int(size / difference)}".strip()
    return ""


def _is_cut(previous: str, current: str, difference: Decimal, size: Decimal) -> bool:
    places = max(_places(previous), _places(current))
    return abs(size - difference) < Decimal(1).scaleb(-places)


def _places(text: str) -> int:
    return len(text.partition(".")[2])
