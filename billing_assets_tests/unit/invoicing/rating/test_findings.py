"""Each finding once: the case that has it, and what a person reads. An error means that there is no line at all."""

import json
from typing import Any

import pytest

from billing_assets.invoicing.rating.cases import rate_text
from billing_assets.invoicing.rating.findings import AT_LOAD, CODES, Severity
from billing_assets.invoicing.rating.rated import Rated
from billing_assets_tests.unit.invoicing.rating.examples import rated
from billing_assets_tests.unit.invoicing.rating.small_cases import (
    DAY_AND_NIGHT,
    DEMAND,
    ENERGY,
    INDEX,
    JUNE,
    case,
    charge,
    hours,
    register,
    window,
)

USED: dict[str, Any] = {"registers": [register("100")]}
ONE_DAY = {"from": "2026-06-01", "to": "2026-06-02"}
DAY_OF_HOURS: list[str | None] = ["1"] * 24


def two(first_to: str, second_from: str) -> dict[str, Any]:
    return charge(
        "energy", "usage", [{"price": "0.3", "valid_to": first_to}, {"price": "0.4", "valid_from": second_from}]
    )


def tou(*windows: dict[str, Any]) -> dict[str, Any]:
    return charge("energy", "tou", {"windows": list(windows)})


def tax(**more: Any) -> dict[str, Any]:
    return charge("sales", "tax", {"rate": "0.08", **more})


SUMMER = {"name": "summer", "from": "11-01", "to": "03-31", "price": "0.3"}
WINTER = {"name": "winter", "from": "04-02", "to": "10-31", "price": "0.2"}
DOCUMENT = {"utility": "TDSP", "number": "1", **JUNE, "total": "5.00", "charges": [{"code": "MSC", "amount": "4.99"}]}
PASS = charge("tdsp", "passthrough", {"codes": [{"utility": "TDSP", "code": "MSC", "bill_text": "Meter"}]})
UNMAPPED = {**DOCUMENT, "charges": [{"code": "XYZ", "amount": "5.00"}]}
EXEMPTION = {"tax": "sales", "percent": "100", "certificate": "C-7", "from": "2020-01-01", "to": "2026-01-01"}
PRICES = {"start": "2026-06-01T00:00:00Z", "minutes": 60, "prices": ["10"] * 23 + [None]}

AT_LOADING: list[tuple[str, dict[str, Any], str]] = [
    ("TARIFF_OVERLAP", case(two("2026-06-11", "2026-06-10"), usage=USED),
     "Two versions of charge energy are valid on 2026-06-10."),
    ("TARIFF_GAP", case(two("2026-06-10", "2026-06-12"), usage=USED),
     "Charge energy has no version from 2026-06-10 to 2026-06-12."),
    ("TOU_GAP", case(tou(window("day", "07:00", "22:00", "0.3")), usage=USED),
     "On mon the time 00:00 has no window."),
    ("TOU_OVERLAP", case(tou(window("all", "00:00", "24:00", "0.3"), window("x", "09:00", "10:00", "0.2")), usage=USED),
     "On mon the time 09:00 has two windows."),
    ("SEASON_COVER", case(charge("energy", "usage", {"seasons": [SUMMER, WINTER]}), usage=USED),
     "The seasons of energy leave out or repeat 04-01."),
    ("BLOCKS_ORDER", case(charge("energy", "usage", {"blocks": [{"up_to": "9", "price": "1"},
     {"up_to": "9", "price": "1"}, {"price": "1"}]}), usage=USED), "The limits of energy do not rise."),
    ("PRICE_UNIT", case(charge("energy", "usage", {"price": "29.7"}), usage=USED),
     "29.7 AUD/kWh: cents or dollars? Outside -1…2 for this kind of charge."),
]  # fmt: skip

OF_A_BILL: list[tuple[str, dict[str, Any], str]] = [
    ("RATE_NONE", case(charge("energy", "usage", {"price": "0.3", "valid_to": "2026-06-01"}), usage=USED),
     "No rate is active for the service point from 2026-06-01 to 2026-07-01."),
    ("RATE_PARTIAL", case(charge("energy", "usage", {"price": "0.3", "valid_to": "2026-06-21"}), usage=USED),
     "The rate covers 20 of 30 days; 2026-06-21 to 2026-07-01 is not covered."),
    ("USAGE_NONE", case(ENERGY), "There is no unbilled usage for the service point up to 2026-07-01."),
    ("USAGE_FUTURE", case(ENERGY, usage=USED, context={"as_of": "2026-06-30"}),
     "The usage ends on 2026-07-01, which has not come yet."),
    ("USAGE_GAP", case(ENERGY, usage={"intervals": [hours(["1", None, *["1"] * 21])]}, period=ONE_DAY),
     "2 of 24 intervals are missing, the first at 2026-06-01T01:00Z."),
    ("USAGE_NOT_INTERVAL", case(DAY_AND_NIGHT, usage=USED), "The rate needs intervals; the meter gives one register."),
    ("INTERVAL_STRADDLES", case(tou(window("a", "07:30", "22:00", "0.3"), window("b", "22:00", "07:30", "0.1")),
     usage={"intervals": [hours(DAY_OF_HOURS)]}, period=ONE_DAY),
     "The interval at 2026-06-01T07:00Z lies across a change of price."),
    ("INTERVAL_SUM", case(ENERGY, usage={"intervals": [hours(DAY_OF_HOURS)],
     "registers": [{"quantity": "25", **ONE_DAY}]}, period=ONE_DAY),
     "Intervals add up to 24 kWh, the register says 25."),
    ("UNIT_MISMATCH", case(ENERGY, usage={"registers": [register("100", unit="m3")]}),
     "Usage is in m3, the charge is per kWh."),
    ("NEGATIVE_USAGE", case(ENERGY, usage={"registers": [register("-3.5")]}),
     "3.5 kWh below zero on a channel that only consumes."),
    ("PRICE_MISSING", case(INDEX, usage={"intervals": [hours(DAY_OF_HOURS)]}, period=ONE_DAY,
     context={"price_series": {"RTM": PRICES}}),
     "1 prices of RTM are missing, the first for 2026-06-01T23:00Z."),
    ("PROFILE_MISSING", case(INDEX, usage=USED), "Profile HOME has no weights for 2026-06-01."),
    ("PASSTHROUGH_CODE_UNKNOWN", case(PASS, usage={"documents": [UNMAPPED]}), "Charge code XYZ of TDSP is not mapped."),
    ("PASSTHROUGH_TOTAL", case(PASS, usage={"documents": [DOCUMENT]}),
     "The utility's lines add up to 4.99, its total says 5.00."),
    ("TAX_PLACE_UNKNOWN", case(ENERGY, tax(place_codes=["TX"]), usage=USED), "No tax codes for the service address."),
]  # fmt: skip

TOLD: list[tuple[str, dict[str, Any], str]] = [
    ("DEMAND_HISTORY_SHORT", case(DEMAND, usage={"demand": [register("50")]}),
     "The ratchet looks back 3 months, only 0 are known."),
    ("EXEMPTION_EXPIRED", case(ENERGY, tax(), usage=USED, context={"exemptions": [EXEMPTION]}),
     "Certificate C-7 ended on 2026-01-01; tax is charged."),
    ("ESTIMATED", case(ENERGY, usage={"registers": [register("100", quality="E"), register("20")]}),
     "100 of 120 kWh are estimated."),
    ("MINIMUM_APPLIED", case(ENERGY, charge("minimum", "minimum", {"amount": "40"}), usage=USED),
     "The minimum of 40.00 was reached by a line of 10.00."),
    ("AMOUNT_IMPLAUSIBLE", case(ENERGY, usage=USED, context={"earlier_totals": ["3.00", "5.00"]}),
     "30.00 is 7.5 times the mean of the last 2 bills."),
]  # fmt: skip


def of_file(found: dict[str, Any]) -> Rated:
    """As `billing rate` reads it: the tariff is checked first."""
    return rate_text(json.dumps(found))


def sentences(found: Rated) -> dict[str, str]:
    """The first sentence of each code."""
    return {one.code: one.sentence for one in reversed(found.findings)}


@pytest.mark.parametrize(("code", "content", "sentence"), [*AT_LOADING, *OF_A_BILL], ids=lambda one: str(one)[:24])
def test_an_error_is_told_in_its_sentence_and_leaves_no_line(code: str, content: dict[str, Any], sentence: str) -> None:
    found = of_file(content)
    assert sentences(found) == {code: sentence}
    assert (found.lines, found.taxes, found.totals, found.evidence) == ((), (), None, ())


@pytest.mark.parametrize(("code", "content", "sentence"), TOLD, ids=lambda one: str(one)[:24])
def test_what_is_no_error_is_told_beside_the_bill(code: str, content: dict[str, Any], sentence: str) -> None:
    found = of_file(content)
    assert sentences(found) == {code: sentence}
    assert found.totals is not None


def test_two_rates_on_a_day_stop_a_bill_whose_tariff_was_not_checked() -> None:
    found = rated(case(two("2026-06-11", "2026-06-10"), usage=USED))
    assert sentences(found) == {"RATE_MULTIPLE": "Two rates are active for the service point on 2026-06-10."}
    assert found.totals is None


def test_every_code_has_a_test_here_or_is_of_the_importers() -> None:
    tested = {code for code, _, _ in (*AT_LOADING, *OF_A_BILL, *TOLD)}
    assert set(CODES) - tested == {"RATE_MULTIPLE", "IMPORT_TEXT_ONLY"}
    assert {code for code, _, _ in AT_LOADING} == set(AT_LOAD) - {"IMPORT_TEXT_ONLY"}
    assert all(CODES[code][0] is Severity.ERROR for code, _, _ in (*AT_LOADING, *OF_A_BILL))
