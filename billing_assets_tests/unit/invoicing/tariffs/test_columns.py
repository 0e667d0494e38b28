"""The sheet has a column for everything that the format knows: what a name is for, the format itself says."""

import copy
from typing import Any

import pytest

from billing_assets.invoicing.rating.strict_json import FormatError
from billing_assets.invoicing.rating.tariff import Kind
from billing_assets.invoicing.rating.tariff_json import read_tariff
from billing_assets.invoicing.tariffs.sheet_columns import COLUMNS, Level

WINDOW = {
    "name": "all",
    "days": ["mon"],
    "from": "00:00",
    "to": "24:00",
    "blocks": [{"up_to": "1", "price": "1"}, {"price": "1"}],
}
SEASON = {"name": "year", "from": "01-01", "to": "12-31"}
VERSIONS: dict[Kind, dict[str, Any]] = {
    Kind.FIXED_DAILY: {"seasons": [{**SEASON, "price": "1"}]},
    Kind.FIXED_PERIOD: {"price": "1", "period": "P1M"},
    Kind.USAGE: {"blocks": WINDOW["blocks"], "block_rule": {}},
    Kind.TOU: {"seasons": [{**SEASON, "windows": [WINDOW]}]},
    Kind.DEMAND: {"price": "1", "ratchet": {"percent": "80", "periods": 1}},
    Kind.INDEX: {"series": "SPOT"},
    Kind.RATE_TABLE: {"rows": [{"from": "2026-01-01", "price": "1"}]},
    Kind.FEED_IN: {"price": "1"},
    Kind.PASSTHROUGH: {"codes": [{"code": "BAS001"}]},
    Kind.MINIMUM: {"amount": "1"},
    Kind.DISCOUNT: {"method": "percent_over_threshold", "percent": "1", "threshold": "1"},
    Kind.FEE: {"amount": "1"},
    Kind.GREEN: {"price": "1"},
    Kind.TAX: {"rate": "0.1"},
    Kind.MANUAL: {},
}
PLACES = {
    Level.TARIFF: [()],
    Level.CHARGE: [("charges", 0), ("charges", 0, "applies_to")],
    Level.VERSION: [
        ("charges", 0, "versions", 0),
        ("charges", 0, "versions", 0, "source"),
        ("charges", 0, "versions", 0, "ratchet"),
        ("charges", 0, "versions", 0, "block_rule"),
    ],
    Level.SEASON: [("charges", 0, "versions", 0, "seasons", 0)],
    Level.WINDOW: [("charges", 0, "versions", 0, "seasons", 0, "windows", 0)],
    Level.BLOCK: [("charges", 0, "versions", 0, "blocks", 0)],
    Level.ROW: [("charges", 0, "versions", 0, "rows", 0)],
    Level.CODE: [("charges", 0, "versions", 0, "codes", 0)],
}
LISTS = {"charges", "versions", "seasons", "windows", "blocks", "rows", "codes"}
NESTED = {"applies_to", "source", "ratchet", "block_rule"}


def made(kind: Kind) -> dict[str, Any]:
    version = {"valid_from": "2026-01-01", "source": {}, **copy.deepcopy(VERSIONS[kind])}
    return {
        "code": "x",
        "currency": "AUD",
        "charges": [{"code": "a", "kind": kind, "applies_to": {}, "versions": [version]}],
    }


def known(kind: Kind, place: tuple[str | int, ...]) -> set[str]:
    """The names that the format says it knows at a place; none where a tariff of this kind has no such place."""
    tariff = made(kind)
    part: Any = tariff
    for step in place:
        if isinstance(step, str) and step not in part:
            return set()
        part = part[step]
    part["zzz"] = 1
    with pytest.raises(FormatError) as error:
        read_tariff(tariff, "")
    assert "zzz" in error.value.path
    return set(error.value.what.removeprefix("this name is not known here, only ").rstrip(".").split(", "))


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_of_charge_is_made_here_as_the_format_has_it(kind: Kind) -> None:
    assert read_tariff(made(kind), "").charges[0].kind is kind


@pytest.mark.parametrize("level", Level)
def test_every_name_of_the_format_has_a_column(level: Level) -> None:
    columns = {name for one in COLUMNS if one.level == level for name in one.path}
    names = {name for place in PLACES[level] for kind in Kind for name in known(kind, place)}
    price = {"price"} if level in {Level.VERSION, Level.SEASON, Level.WINDOW, Level.ROW} else set()
    assert names - LISTS - columns == price, "its price is in the column of blocks"
    assert columns - NESTED - names == set(), "no kind has this any more"
