"""Generated tariffs: everything that the format has a name for, in every shape of prices, sensible or not."""

import string
from collections.abc import Collection
from typing import Any

from hypothesis import strategies as st

from billing_assets.invoicing.tariffs.sheet_columns import COLUMNS, Form, Level

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")
TEXTS = st.text(string.ascii_letters + string.digits + " _-+=@;,'\"“ä|[]", min_size=1, max_size=9).filter(
    lambda text: text == text.strip() and not text.startswith("#")
)
NUMBERS = st.decimals(-1000, 1000, places=4, allow_nan=False).map(str) | st.decimals(0, 9, places=7).map("{:f}".format)
_DATES = st.dates().map(str).filter(lambda date: date >= "1000")
_BY_FORM: dict[Form, st.SearchStrategy[Any]] = {
    Form.TEXT: TEXTS,
    Form.NUMBER: NUMBERS,
    Form.WHOLE: st.integers(-99, 9999),
    Form.FLAG: st.booleans(),
    Form.LIST: st.lists(TEXTS, max_size=3),
    Form.DAYS: st.lists(st.sampled_from(_WEEK), min_size=1, max_size=8, unique=True),
    Form.DATE: _DATES,
    Form.MONTH_DAY: st.sampled_from(("01-01", "02-28", "06-30", "11-01", "12-31")),
    Form.TIME: st.sampled_from(("00:00", "07:00", "15:30", "24:00")),
}
_NEEDED = {"code", "kind", "name", "valid_from", "price", "days", "from", "to"}


@st.composite
def said(draw: st.DrawFn, level: Level, without: Collection[str] = ()) -> dict[str, Any]:
    """What one level says: the names that it cannot do without, and some of the others."""
    found: dict[str, Any] = {}
    for column in COLUMNS:
        if column.level != level or column.path[0] in without:
            continue
        if (column.path[0] in _NEEDED and level != Level.CODE) or draw(st.integers(0, 5)) == 0:
            *within, last = column.path
            values = found
            for name in within:
                values = values.setdefault(name, {})
            values[last] = draw(_BY_FORM[column.form])
    return found


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    """A price, or blocks."""
    if draw(st.booleans()):
        return {"price": draw(NUMBERS)}
    closed = draw(st.lists(NUMBERS, min_size=1, max_size=2))
    return {"blocks": [*({"up_to": limit, "price": draw(NUMBERS)} for limit in closed), {"price": draw(NUMBERS)}]}


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    """Windows or prices."""
    if draw(st.booleans()):
        return draw(prices())
    return {"windows": [{**draw(said(Level.WINDOW)), **draw(prices())} for _ in range(draw(st.integers(1, 3)))]}


@st.composite
def versions(draw: st.DrawFn, valid_from: str) -> dict[str, Any]:
    """A version with prices of some shape."""
    found = {**draw(said(Level.VERSION)), "valid_from": valid_from}
    match draw(st.sampled_from(("nothing", "parts", "seasons", "rows", "codes"))):
        case "parts":
            found |= draw(parts())
        case "seasons":
            names = draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True))
            shapes = st.one_of(parts(), st.just({"windows": []}))
            found["seasons"] = [{**draw(said(Level.SEASON)), "name": name, **draw(shapes)} for name in names]
        case "rows":
            rows = [{**draw(said(Level.ROW)), "price": draw(NUMBERS)} for _ in range(draw(st.integers(1, 3)))]
            found["rows"] = rows
        case "codes":
            codes = [{**draw(said(Level.CODE)), "code": draw(TEXTS)} for _ in range(draw(st.integers(1, 3)))]
            found["codes"] = codes
    return found


@st.composite
def tariffs(draw: st.DrawFn) -> dict[str, Any]:
    """A tariff whose charges have different codes, and their versions different first days."""
    codes = draw(st.lists(TEXTS, max_size=3, unique=True))
    charges = []
    for code in codes:
        days = draw(st.lists(_DATES, min_size=1, max_size=2, unique=True))
        charges.append({**draw(said(Level.CHARGE)), "code": code, "versions": [draw(versions(day)) for day in days]})
    return {**draw(said(Level.TARIFF)), "charges": charges}
