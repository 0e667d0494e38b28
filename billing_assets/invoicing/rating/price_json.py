"""Reads the prices of a version: blocks, windows, seasons, and how blocks fill."""

import re
from typing import Any

from billing_assets.invoicing.rating.strict_json import Fields, FormatError, list_of, name, not_negative, number, one_of
from billing_assets.invoicing.rating.tariff import DAY_TYPES, Block, BlockRule, Season, Window

_MONTH_DAY = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_LAST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ALL_YEAR = ((1, 1), (12, 31))
_DURATIONS = ("bill", "cycle", "P1D", "P7D", "P1M", "P3M", "P6M", "P1Y")


def seasons_of(fields: Fields, windows: bool | None, only_price: bool = False) -> tuple[Season, ...]:
    """The seasons of a version; what has none is one without a name. `windows`: True must, False must not, None may."""
    if not fields.has("seasons"):
        fields.raw("seasons")
        return (Season(None, *_ALL_YEAR, *_prices(fields, windows, only_price)),)
    found = fields.must("seasons", list_of(lambda one, path: _season(one, path, windows, only_price)))
    if not found:
        fields.refuse("seasons", "at least one is expected here.")
    return found


def _season(value: Any, path: str, windows: bool | None, only_price: bool) -> Season:
    fields = Fields(value, path)
    found = Season(
        fields.must("name", name),
        fields.must("from", _month_day),
        fields.must("to", _month_day),
        *_prices(fields, windows, only_price),
    )
    fields.done()
    return found


def _prices(
    fields: Fields, windows: bool | None, only_price: bool = False
) -> tuple[tuple[Block, ...], tuple[Window, ...]]:
    """Blocks and windows, one of which is empty."""
    if windows is False or (windows is None and not fields.has("windows")):
        found = blocks_of(fields)
        if only_price and len(found) > 1:
            fields.refuse("blocks", "a fixed charge has one price.")
        return found, ()
    fields.raw("price")
    if fields.has("price") or fields.has("blocks"):
        fields.refuse("price" if fields.has("price") else "blocks", "prices are in the windows here.")
    return (), fields.must("windows", list_of(_window))


def blocks_of(fields: Fields) -> tuple[Block, ...]:
    """`price` or `blocks`: exactly one of them."""
    price = fields.get("price", number)
    if (price is None) == (not fields.has("blocks")):
        fields.refuse("price", "either price or blocks is expected here.")
    if price is not None:
        fields.raw("blocks")
        return (Block(None, price),)
    found = fields.must("blocks", list_of(_block))
    if not found or found[-1].up_to is not None or any(one.up_to is None for one in found[:-1]):
        fields.refuse("blocks", "all blocks but the last have a limit (up_to); the last is open.")
    return found


def _block(value: Any, path: str) -> Block:
    fields = Fields(value, path)
    found = Block(fields.get("up_to", not_negative), fields.must("price", number))
    fields.done()
    return found


def _window(value: Any, path: str) -> Window:
    fields = Fields(value, path)
    found = Window(
        fields.must("name", name),
        fields.must("days", list_of(one_of(DAY_TYPES))),
        fields.must("from", _time),
        fields.must("to", _time),
        blocks_of(fields),
        fields.get("register", name),
    )
    if found.start == 24 * 60:
        fields.refuse("from", "a window begins at 23:59 at the latest.")
    if not found.days:
        fields.refuse("days", "at least one day is expected here.")
    fields.done()
    return found


def _time(value: Any, path: str) -> int:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise FormatError(path, value, "a local time such as 07:00, or 24:00, is expected here.")
    return int(value[:2]) * 60 + int(value[3:])


def _month_day(value: Any, path: str) -> tuple[int, int]:
    found = _MONTH_DAY.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[2]) > _LAST_DAYS[int(found[1]) - 1]:
        raise FormatError(path, value, "a month and a day such as 11-01 is expected here.")
    return int(found[1]), int(found[2])


def block_rule(value: Any, path: str) -> BlockRule:
    """How blocks fill."""
    fields = Fields(value, path)
    period = fields.otherwise("period", one_of(_DURATIONS), "bill")
    scale = fields.otherwise("scale", one_of(("by_days", "none")), "none" if period == "bill" else "by_days")
    found = BlockRule(
        period,
        scale == "by_days",
        fields.otherwise("scope", one_of(("window", "charge", "bill")), "window"),
        fields.otherwise("evaluate", one_of(("pooled", "each_day", "each_month")), "pooled"),
        fields.otherwise("mode", one_of(("graduated", "volume")), "graduated"),
    )
    fields.done()
    return found
