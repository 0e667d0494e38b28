"""A rate of URDB becomes a tariff; what is not handled is refused by the name of its field."""

import json
from typing import Any

import pytest

from billing_assets.invoicing.rating.importers.foreign import ImportRefusedError, TextOnly, read_json
from billing_assets.invoicing.rating.importers.urdb import from_urdb
from billing_assets.invoicing.rating.tariff_json import read_tariff
from billing_assets_tests.unit.invoicing.importers.foreign_files import RATES, charge, rate_of, version

ALL_DAY = [[0] * 24 for _ in range(12)]
FLAT: dict[str, Any] = {
    "label": "a1",
    "energyratestructure": [[{"rate": "0.1"}]],
    "energyweekdayschedule": ALL_DAY,
    "energyweekendschedule": ALL_DAY,
}


def imported(**changed: Any) -> dict[str, Any]:
    return from_urdb({**FLAT, **changed}).tariff


def refused(**changed: Any) -> ImportRefusedError:
    with pytest.raises(ImportRefusedError) as error:
        from_urdb({**FLAT, **changed})
    return error.value


@pytest.mark.parametrize("name", RATES)
def test_every_number_is_a_text_and_the_same_rate_gives_the_same_tariff(name: str) -> None:
    def numbers(found: object) -> set[type]:
        if isinstance(found, dict):
            return set().union(*map(numbers, found.values()))
        return set().union(*map(numbers, found)) if isinstance(found, list) else {type(found)}

    tariff = from_urdb(rate_of(name)).tariff
    assert numbers(tariff) <= {str, int, type(None)}
    assert json.dumps(tariff) == json.dumps(from_urdb(rate_of(name)).tariff)
    assert read_tariff(tariff).currency == "USD", "the format takes it"


def test_a_price_is_rate_and_adjustment_to_the_last_digit() -> None:
    tariff = from_urdb(rate_of("re_emissions_elec_only")).tariff
    prices = {
        window["name"]: window["price"]
        for season in version(tariff, "energy")["seasons"]
        for window in season["windows"]
    }
    assert prices == {"p0": "0.03855", "p1": "0.03290", "p2": "0.02968", "p3": "0.02812"}
    assert version(tariff, "fixed") | {"source": None} == {
        "valid_from": "2018-01-01",
        "valid_to": "2019-01-31",
        "source": None,
        "price": "468.6",
        "period": "P1M",
    }


def test_a_float_is_refused_as_it_is_no_longer_what_was_published() -> None:
    with pytest.raises(ImportRefusedError, match=r"energyratestructure\[0\]\[0\]\.rate is 0\.1: a number is expected"):
        from_urdb({**FLAT, "energyratestructure": [[{"rate": 0.1}]]})


def test_months_in_a_row_are_a_season_over_the_turn_of_the_year_too() -> None:
    months = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0]
    plan = [[one] * 24 for one in months]
    tariff = imported(
        energyratestructure=[[{"rate": "0.1"}], [{"rate": "0.2"}]],
        energyweekdayschedule=plan,
        energyweekendschedule=plan,
    )
    found = [(one["name"], one["from"], one["to"]) for one in version(tariff, "energy")["seasons"]]
    assert found == [("may-oct", "05-01", "10-31"), ("nov-apr", "11-01", "04-30")]
    february = [[int(month == 1)] * 24 for month in range(12)]
    tariff = imported(
        energyratestructure=[[{"rate": "0.1"}], [{"rate": "0.2"}]],
        energyweekdayschedule=february,
        energyweekendschedule=february,
    )
    found = [(one["name"], one["from"], one["to"]) for one in version(tariff, "energy")["seasons"]]
    assert found == [("feb", "02-01", "02-28"), ("mar-jan", "03-01", "01-31")]


def test_hours_in_a_row_are_a_window_and_weekends_have_their_own() -> None:
    weekdays = [[0] * 7 + [1] * 12 + [0] * 5 for _ in range(12)]
    tariff = imported(energyratestructure=[[{"rate": "0.1"}], [{"rate": "0.2"}]], energyweekdayschedule=weekdays)
    found = [
        (one["name"], one["days"][0], one["days"][-1], one["from"], one["to"])
        for one in version(tariff, "energy")["windows"]
    ]
    assert found == [
        ("p0", "mon", "fri", "00:00", "07:00"),
        ("p0", "mon", "fri", "19:00", "24:00"),
        ("p0", "sat", "sun", "00:00", "24:00"),
        ("p1", "mon", "fri", "07:00", "19:00"),
    ]


def test_a_tier_has_a_cumulative_limit_and_a_huge_one_is_open() -> None:
    tiers = [{"max": 500, "rate": "0.1", "unit": "kWh"}, {"max": read_json("1e38"), "rate": "0.2"}]
    found = version(imported(energyratestructure=[tiers]), "energy")
    assert found["blocks"] == [{"up_to": "500", "price": "0.1"}, {"price": "0.2"}]
    assert found["block_rule"] == {"period": "bill", "scope": "window", "evaluate": "pooled", "mode": "graduated"}
    last = refused(energyratestructure=[[{"max": 500, "rate": "0.1"}]])
    assert str(last) == (
        "energyratestructure[0][0].max is 500: it is the last tier, and what usage above it costs is not said."
    )


def test_what_the_grid_pays_is_a_charge_of_its_own() -> None:
    tariff = imported(energyratestructure=[[{"rate": "0.1", "sell": "0.04"}]])
    assert charge(tariff, "sell_back")["kind"] == "feed_in"
    assert version(tariff, "sell_back")["price"] == "0.04"
    assert [one["code"] for one in imported()["charges"]] == ["energy"]


@pytest.mark.parametrize(
    ("fields", "kind", "parts"),
    [
        ({"fixedmonthlycharge": "9.50"}, "fixed_period", {"price": "9.50", "period": "P1M"}),
        (
            {"fixedchargefirstmeter": "9.50", "fixedchargeunits": "$/month"},
            "fixed_period",
            {"price": "9.50", "period": "P1M"},
        ),
        ({"fixedchargefirstmeter": "0.31", "fixedchargeunits": "$/day"}, "fixed_daily", {"price": "0.31"}),
        (
            {"fixedchargefirstmeter": "120", "fixedchargeunits": "$/year"},
            "fixed_period",
            {"price": "120", "period": "P1Y"},
        ),
    ],
)
def test_a_fixed_charge_has_two_spellings(fields: dict[str, Any], kind: str, parts: dict[str, str]) -> None:
    tariff = imported(**fields)
    assert charge(tariff, "fixed")["kind"] == kind
    assert version(tariff, "fixed").items() >= parts.items()


def test_a_minimum_counts_all_that_is_charged_and_nothing_that_is_credited() -> None:
    tariff = imported(minmonthlycharge="25", fixedmonthlycharge="9", energyratestructure=[[{"rate": 1, "sell": 1}]])
    assert version(tariff, "minimum").items() >= {"amount": "25", "period": "P1M"}.items()
    assert charge(tariff, "minimum")["applies_to"] == {"codes": ["fixed", "energy"]}


def demand(**changed: Any) -> dict[str, Any]:
    return {
        "demandratestructure": [[{"rate": "10"}]],
        "demandweekdayschedule": ALL_DAY,
        "demandweekendschedule": ALL_DAY,
        "demandwindow": 15,
        **changed,
    }


def test_a_lookback_is_a_ratchet_of_the_flat_demand_where_there_is_one() -> None:
    looks_back = {"lookbackpercent": read_json("0.8"), "lookbackmonths": [1] * 12}
    flat = {"flatdemandstructure": [[{"rate": "5"}]], "flatdemandmonths": [0] * 12}
    ratchet = {"percent": "80", "periods": 11}
    tariff = imported(**demand(), **looks_back)
    assert version(tariff, "demand").items() >= {"ratchet": ratchet, "demand_window": 15, "price": "10"}.items()
    tariff = imported(**demand(), **flat, **looks_back)
    assert "ratchet" not in version(tariff, "demand")
    assert version(tariff, "flat_demand")["ratchet"] == ratchet
    tariff = imported(**demand(), lookbackpercent=1, lookbackmonths=[0] * 12, lookbackrange=5)
    assert version(tariff, "demand")["ratchet"] == {"percent": "100", "periods": 5}
    some = refused(**demand(), lookbackpercent=1, lookbackmonths=[1] * 6 + [0] * 6)
    assert some.path == "lookbackmonths"
    assert refused(**demand(), lookbackpercent=1).path == "lookbackpercent"


def test_a_demand_period_that_costs_nothing_is_not_measured() -> None:
    evenings = [[0] * 17 + [1] * 4 + [0] * 3 for _ in range(12)]
    prices = [[{"rate": 0}], [{"rate": "7.5", "unit": "kW"}]]
    found = version(imported(**demand(demandratestructure=prices, demandweekdayschedule=evenings)), "demand")
    assert [(one["name"], one["from"], one["to"]) for one in found["windows"]] == [("p1", "17:00", "21:00")]
    free = imported(**demand(demandratestructure=[[{"rate": 0}]]))
    assert [one["code"] for one in free["charges"]] == ["energy"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"energyratestructure": [[{"rate": 1, "unit": "kWh daily"}]]}, "energyratestructure[0][0].unit"),
        ({"energyratestructure": [[{"rate": 1, "unit": "kWh/kW"}]]}, "energyratestructure[0][0].unit"),
        ({"energyratestructure": [[{"rate": 1}, {"rate": 2}]]}, "energyratestructure[0][0].max"),
        ({"energyratestructure": [[{"rate": 1, "rider": 2}]]}, "energyratestructure[0][0].rider"),
        ({"energyweekdayschedule": ALL_DAY[:11]}, "energyweekdayschedule"),
        ({"energyweekdayschedule": [[1] * 24] * 12}, "energyweekdayschedule[0][0]"),
        ({"energyweekendschedule": [[0] * 23] * 12}, "energyweekendschedule[0]"),
        ({"fixedchargefirstmeter": 1, "fixedchargeunits": "$/kW"}, "fixedchargeunits"),
        ({"fixedchargefirstmeter": 1, "fixedmonthlycharge": 2}, "fixedmonthlycharge"),
        ({"fixedchargeeaaddl": 3}, "fixedchargeeaaddl"),
        ({"annualmincharge": 30}, "annualmincharge"),
        ({"mincharge": 30, "minchargeunits": "$/day"}, "minchargeunits"),
        ({"coincidentratestructure": [[{"rate": 4}]]}, "coincidentratestructure"),
        ({"fueladjustmentsmonthly": [0] * 11 + [1]}, "fueladjustmentsmonthly"),
        ({"demandreactivepowercharge": 1}, "demandreactivepowercharge"),
        ({"flatdemandstructure": [[{"rate": 4}]], "flatdemandmonths": [0] * 11}, "flatdemandmonths"),
        (
            {"flatdemandstructure": [[{"rate": 4}]], "flatdemandmonths": [0] * 12, "flatdemandunit": "hp"},
            "flatdemandunit",
        ),
        ({"startdate": "soon"}, "startdate"),
        ({"a_new_field": 1}, "a_new_field"),
    ],
)
def test_what_is_not_handled_is_refused_by_its_name(fields: dict[str, Any], path: str) -> None:
    error = refused(**fields)
    assert error.path == path
    assert str(error).startswith(f"{path} is ")


def test_a_field_that_is_not_handled_and_says_nothing_is_no_matter() -> None:
    assert imported(fixedchargeeaaddl=0, fueladjustmentsmonthly=[0] * 12, coincidentratestructure=[]) == imported()


def test_net_metering_is_left_to_a_person() -> None:
    assert from_urdb({**FLAT, "usenetmetering": True}).text_only == (TextOnly("usenetmetering", "usenetmetering True"),)
    assert from_urdb({**FLAT, "usenetmetering": False}).text_only == ()
