"""The format of tariffs and cases: what it does not know is refused with the path, and numbers are never floats."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_assets.invoicing.rating.case_json import read_case
from billing_assets.invoicing.rating.strict_json import FormatError, read_strict

WINDOW = {"name": "all", "days": ["mon"], "from": "00:00", "to": "24:00", "price": "0.1"}
CASE: dict[str, Any] = {
    "tariff": {
        "code": "T",
        "currency": "AUD",
        "charges": [
            {"code": "energy", "kind": "tou", "versions": [{"valid_from": "2026-01-01", "windows": [WINDOW]}]},
            {
                "code": "supply",
                "kind": "fixed_daily",
                "versions": [
                    {"valid_from": "2026-02-01", "price": "1.10"},
                    {"valid_from": "2025-01-01", "valid_to": "2026-02-01", "price": "1"},
                ],
            },
            {"code": "gst", "kind": "tax", "versions": [{"valid_from": "2000-07-01", "rate": "0.10"}]},
        ],
    },
    "usage": {"intervals": [{"start": "2026-01-01T00:00:00Z", "minutes": 30, "values": ["0.125", None, "1.1234567"]}]},
    "period": {"from": "2026-01-01", "to": "2026-02-01"},
    "context": {"time_zone": "Australia/Sydney", "holidays": ["2026-01-26"]},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The case with another value at a place such as `tariff.charges.0.kind`."""
    found: Any = deepcopy(CASE)
    inner, *rest = found, *path.split(".")
    *on_the_way, last = rest
    for one in on_the_way:
        inner = inner[int(one)] if isinstance(inner, list) else inner[one]
    inner[int(last) if isinstance(inner, list) else last] = value
    assert isinstance(found, Mapping)
    return dict(found)


@pytest.mark.parametrize(
    ("place", "value", "path"),
    [
        ("tariff.colour", "red", "tariff.colour"),
        ("tariff.charges.0.versions.0.prize", "1", "tariff.charges[0].versions[0].prize"),
        ("tariff.charges.1.versions.0.price", 1.5, "tariff.charges[1].versions[0].price"),
        ("tariff.charges.1.versions.0.price", "1e3", "tariff.charges[1].versions[0].price"),
        ("tariff.charges.1.kind", "rent", "tariff.charges[1].kind"),
        ("tariff.charges.1.code", "energy", "tariff.charges[1].code"),
        ("tariff.charges.0.versions.0.windows.0.days", ["monday"], "tariff.charges[0].versions[0].windows[0].days[0]"),
        ("tariff.charges.0.time_zone", "Europe/Berlin", "tariff.charges[0].time_zone"),
        ("usage.intervals.0.values", ["0.1", 3], "usage.intervals[0].values[1]"),
        ("usage.intervals.0.start", "2026-01-01T00:00:01Z", "usage.intervals[0].start"),
        ("usage.intervals.0.quality", [[2, "A"]], "usage.intervals[0].quality"),
        ("period.to", "2026-01-01", "period.to"),
        ("context.time_zone", "Mars/Olympus", "context.time_zone"),
        ("context.holidays", ["2026-02-30"], "context.holidays[0]"),
    ],
)
def test_what_the_format_does_not_know_is_refused_with_its_path(place: str, value: object, path: str) -> None:
    with pytest.raises(FormatError) as refused:
        read_case(changed(place, value))
    assert refused.value.path == path
    assert str(refused.value).startswith(path)


def test_a_number_with_a_point_outside_a_string_and_a_name_twice_are_refused_while_reading() -> None:
    for text in ('{"price": 0.1}', '{"price": NaN}', '{"a": 1, "a": 2}', "{"):
        with pytest.raises(FormatError):
            read_strict(text)


def test_defaults_follow_the_kind_and_versions_the_order_of_their_first_days() -> None:
    tariff = read_case(CASE).tariff
    energy, supply, gst = tariff.charges
    assert (energy.group, energy.sequence, energy.unit, energy.channels) == ("energy", 100, "kWh", ("general",))
    assert (gst.group, gst.sequence) == ("tax", 900)
    assert [(one.id, one.valid_from) for one in supply.versions] == [
        ("v1", date(2025, 1, 1)),
        ("v2", date(2026, 2, 1)),
    ]


def test_numbers_keep_every_digit_and_a_missing_one_stays_missing() -> None:
    (series,) = read_case(CASE).usage.intervals
    assert [series.values.number(one) for one in series.values.values] == [Decimal("0.125"), 0, Decimal("1.1234567")]
    assert series.values.missing is not None
    assert series.values.missing.tolist() == [False, True, False]


def test_the_hash_of_a_tariff_depends_on_its_content_and_not_on_the_order_of_names() -> None:
    same = {**CASE, "tariff": dict(reversed(CASE["tariff"].items()))}
    assert read_case(same).tariff.content_hash == read_case(CASE).tariff.content_hash
    other = changed("tariff.charges.1.versions.0.price", "1.11")
    assert read_case(other).tariff.content_hash != read_case(CASE).tariff.content_hash
