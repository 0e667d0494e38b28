"""An Australian energy plan (CDR) becomes a tariff; what it says in words only is left to a person."""

import copy
import gzip
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from billing_assets.invoicing.rating.importers.cdr import from_cdr
from billing_assets.invoicing.rating.importers.foreign import ImportRefusedError, TextOnly
from billing_assets.invoicing.rating.tariff_json import read_tariff
from billing_assets_tests.unit.invoicing.importers.foreign_files import FOLDER, PLANS, charge, plan_of, version

Change = Callable[[dict[str, Any]], object]


def imported(change: Change, name: str = "seasonal-tou", **options: str) -> dict[str, Any]:
    """The tariff of a plan whose contract was changed."""
    plan = copy.deepcopy(plan_of(name))
    change(plan["data"]["electricityContract"])
    return from_cdr(plan, **options).tariff


def refused(change: Change, name: str = "seasonal-tou", **options: str) -> ImportRefusedError:
    with pytest.raises(ImportRefusedError) as error:
        imported(change, name, **options)
    return error.value


@pytest.mark.parametrize("name", PLANS)
def test_the_made_plans_are_what_the_standard_calls_a_plan(name: str) -> None:
    api = json.loads(gzip.decompress((FOLDER / "cdr-schema" / "cds_energy.json.gz").read_bytes()))
    schema = {"$ref": "#/components/schemas/EnergyPlanResponseV3", "components": api["components"]}
    plan = json.loads((FOLDER / "cdr-plans-made" / f"{name}.json").read_bytes())
    jsonschema.validate(plan, schema)
    del plan["data"]["electricityContract"]["tariffPeriod"][0]["displayName"]
    with pytest.raises(jsonschema.ValidationError, match="displayName"):
        jsonschema.validate(plan, schema)


@pytest.mark.parametrize("name", PLANS)
def test_the_response_and_its_data_are_the_same_plan(name: str) -> None:
    plan = plan_of(name)
    assert from_cdr(plan).tariff == from_cdr(plan["data"]).tariff
    assert read_tariff(from_cdr(plan).tariff).currency == "AUD", "the format takes it"


def test_an_end_is_its_last_minute_and_a_window_may_cross_midnight() -> None:
    tariff = imported(lambda contract: None)
    summer, rest = version(tariff, "usage")["seasons"]
    assert (summer["from"], summer["to"], rest["from"], rest["to"]) == ("11-01", "03-31", "04-01", "10-31")
    times = {(one["name"], one["from"], one["to"]) for one in summer["windows"]}
    assert times == {
        ("Peak", "14:00", "20:00"),
        ("Shoulder", "07:00", "14:00"),
        ("Shoulder", "20:00", "22:00"),
        ("Shoulder", "07:00", "22:00"),
        ("Off-peak", "22:00", "07:00"),
    }
    assert summer["windows"][-1]["days"] == ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"]

    def until_midnight(contract: dict[str, Any]) -> None:
        contract["tariffPeriod"][0]["timeOfUseRates"][0]["timeOfUse"][0]["endTime"] = "23:59"

    assert version(imported(until_midnight), "usage")["seasons"][0]["windows"][0]["to"] == "24:00"


def test_a_time_with_an_offset_is_refused() -> None:
    def change(contract: dict[str, Any]) -> None:
        contract["tariffPeriod"][0]["timeOfUseRates"][0]["timeOfUse"][0]["startTime"] = "14:00+10:00"

    assert refused(change).path.endswith("tariffPeriod[0].timeOfUseRates[0].timeOfUse[0].startTime")


def test_a_season_from_july_to_june_is_the_whole_year() -> None:
    def change(contract: dict[str, Any]) -> None:
        contract["tariffPeriod"] = [{**contract["tariffPeriod"][0], "startDate": "07-01", "endDate": "06-30"}]

    assert "seasons" not in version(imported(change, "demand"), "usage")


def test_the_hours_of_a_plan_are_local_or_eastern_standard_time() -> None:
    assert charge(imported(lambda contract: None), "usage")["time_zone"] == "local"
    assert charge(imported(lambda contract: None, "demand"), "demand")["time_zone"] == "UTC+10"
    assert charge(imported(lambda contract: contract.pop("timeZone")), "usage")["time_zone"] == "UTC+10"


def test_a_volume_is_how_much_one_rate_is_for() -> None:
    def change(contract: dict[str, Any]) -> None:
        rates = [{"unitPrice": "0.3", "volume": 10}, {"unitPrice": "0.2", "volume": 5}, {"unitPrice": "0.1"}]
        contract["tariffPeriod"][0]["singleRate"]["rates"] = rates

    found = version(imported(change, "demand"), "usage")
    assert found["blocks"] == [
        {"up_to": "10", "price": "0.3"},
        {"up_to": "15", "price": "0.2"},
        {"price": "0.1"},
    ]
    assert found["block_rule"]["period"] == "P1Y", "the standard's default"


def test_the_last_rate_must_be_open() -> None:
    def change(contract: dict[str, Any]) -> None:
        contract["tariffPeriod"][0]["singleRate"]["rates"][0]["volume"] = 5

    assert "used above it has no price" in str(refused(change, "demand"))


def test_controlled_load_has_a_channel_and_a_supply_charge_of_its_own() -> None:
    tariff = imported(lambda contract: None)
    assert charge(tariff, "controlled_load")["channels"] == ["controlled_load"]
    assert version(tariff, "controlled_load")["price"] == "0.1720"
    assert version(tariff, "controlled_load_supply")["price"] == "0.0310"


def test_hours_of_a_controlled_load_that_are_only_said_are_left_to_a_person() -> None:
    plan = copy.deepcopy(plan_of("seasonal-tou"))
    load = plan["data"]["electricityContract"]["controlledLoad"][0]
    words = {"additionalInfo": "eight hours a night"}
    load |= {
        "rateBlockUType": "timeOfUseRates",
        "timeOfUseRates": [{**load.pop("singleRate"), "type": "OFF_PEAK", "timeOfUse": [words]}],
    }
    found = from_cdr(plan)
    assert charge(found.tariff, "controlled_load")["kind"] == "usage"
    path = "data.electricityContract.controlledLoad[0].timeOfUseRates[0].timeOfUse[0].additionalInfo"
    assert found.text_only == (TextOnly(path, "eight hours a night"),)


def test_demand_is_measured_in_its_season_alone() -> None:
    found = version(imported(lambda contract: None, "demand"), "demand")
    summer, rest = found["seasons"]
    assert (summer["from"], summer["to"], rest["from"], rest["to"]) == ("11-01", "03-31", "04-01", "10-31")
    assert rest["windows"] == []
    wanted = {"floor": "1.50", "measurement_period": "month", "charge_period": "day"}
    assert found.items() >= wanted.items()


def test_a_demand_of_the_whole_year_has_no_seasons() -> None:
    def change(contract: dict[str, Any]) -> None:
        contract["tariffPeriod"][1] |= {"startDate": "07-01", "endDate": "06-30"}

    found = version(imported(change, "demand"), "demand")
    assert ("seasons" in found, [one["to"] for one in found["windows"]]) == (False, ["21:00"])


def feed_ins(contract: dict[str, Any]) -> None:
    (own,) = contract["solarFeedInTariff"]
    premium = {**own, "displayName": "State scheme", "scheme": "PREMIUM", "payerType": "GOVERNMENT"}
    contract["solarFeedInTariff"] = [own, premium]


def test_feed_in_tariffs_are_alternatives_and_the_customers_scheme_chooses() -> None:
    both = refused(feed_ins)
    assert "must be said, by name, scheme or payer: Retailer feed-in (OTHER, RETAILER); State scheme" in str(both)
    assert charge(imported(feed_ins, scheme="premium"), "feed_in")["bill_text"] == "State scheme"
    assert charge(imported(feed_ins, scheme="RETAILER"), "feed_in")["bill_text"] == "Retailer feed-in"
    assert "'CURRENT' does not choose one" in str(refused(feed_ins, scheme="CURRENT"))
    assert charge(imported(lambda contract: None), "feed_in")["tax_category"] != "GST"


def test_a_feed_in_tariff_may_vary_by_time() -> None:
    def change(contract: dict[str, Any]) -> None:
        (own,) = contract["solarFeedInTariff"]
        del own["singleTariff"]
        own["tariffUType"] = "timeVaryingTariffs"
        day = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
        own["timeVaryingTariffs"] = [
            {
                "displayName": "Evening",
                "rates": [{"unitPrice": "0.20"}],
                "timeVariations": [{"days": day, "startTime": "16:00", "endTime": "20:59"}],
            },
            {
                "displayName": "Else",
                "rates": [{"unitPrice": "0.02"}],
                "timeVariations": [{"days": day, "startTime": "21:00", "endTime": "15:59"}],
            },
        ]

    windows = version(imported(change), "feed_in")["windows"]
    assert [(one["from"], one["to"], one["price"]) for one in windows] == [
        ("16:00", "21:00", "0.20"),
        ("21:00", "16:00", "0.02"),
    ]


def test_feed_in_of_the_first_versions_of_the_standard_is_an_amount() -> None:
    def change(contract: dict[str, Any]) -> None:
        contract["solarFeedInTariff"][0]["singleTariff"] = {"amount": "0.07"}

    assert version(imported(change), "feed_in")["price"] == "0.07"


def test_a_discount_on_time_is_shown_and_a_guaranteed_one_is_deducted() -> None:
    tariff = imported(lambda contract: None)
    sure, on_time = (charge(tariff, code) for code in ("guaranteed_discount", "pay_on_time"))
    assert version(tariff, "guaranteed_discount")["percent"] == "6"
    assert sure["applies_to"] == {"codes": ["usage", "controlled_load"]}
    assert "conditional" not in sure
    assert on_time["conditional"] is True
    assert on_time["applies_to"]["codes"] == [
        "supply",
        "usage",
        "controlled_load",
        "controlled_load_supply",
        "guaranteed_discount",
    ]


def test_what_a_discount_says_in_words_is_left_to_a_person() -> None:
    plan = copy.deepcopy(plan_of("seasonal-tou"))
    sure, on_time = plan["data"]["electricityContract"]["discounts"]
    sure["description"] = "6 % off market energy charges, not fees"
    on_time["category"] = "DIRECT_DEBIT"
    found = from_cdr(plan)
    where = "data.electricityContract.discounts"
    assert found.text_only == (
        TextOnly(f"{where}[0].description", "6 % off market energy charges, not fees"),
        TextOnly(f"{where}[1]", "Pay on time: a condition"),
    )
    assert "pay_on_time" not in {one["code"] for one in found.tariff["charges"]}


def test_fees_wait_for_an_event_and_a_membership_fee_recurs() -> None:
    def change(contract: dict[str, Any]) -> None:
        contract["fees"] += [
            {"type": "MEMBERSHIP", "term": "MONTHLY", "amount": "19.00"},
            {"type": "CC_PROCESSING", "term": "PERCENT_OF_BILL", "rate": "0.0055"},
        ]

    tariff = imported(change)
    assert (charge(tariff, "fee_late_payment")["kind"], version(tariff, "fee_late_payment")["amount"]) == (
        "fee",
        "12.00",
    )
    assert charge(tariff, "fee_membership")["kind"] == "fixed_period"
    assert version(tariff, "fee_cc_processing")["percent"] == "0.55"


def test_green_power_is_charged_where_the_customer_takes_it() -> None:
    def change(contract: dict[str, Any]) -> None:
        contract["greenPowerCharges"] = [
            {
                "displayName": "GreenPower",
                "scheme": "GREENPOWER",
                "type": "FIXED_PER_UNIT",
                "tiers": [
                    {"percentGreen": "0.20", "amount": "0.0110"},
                    {"percentGreen": "1.00", "amount": "0.0480"},
                ],
            }
        ]

    plan = copy.deepcopy(plan_of("seasonal-tou"))
    change(plan["data"]["electricityContract"])
    (said,) = from_cdr(plan).text_only
    assert said.text == "GreenPower: 20 %, 100 %, as the customer chooses"
    assert version(imported(change, green="100"), "green_power")["price"] == "0.0480"
    assert "it has no tier of 50 %" in str(refused(change, green="50"))


def test_the_supply_charge_has_a_band_and_an_older_spelling() -> None:
    def band(contract: dict[str, Any]) -> None:
        period = contract["tariffPeriod"][0]
        del period["dailySupplyCharge"]
        bands = [{"unitPrice": "1.10", "measureUnit": "DAYS"}]
        period |= {"dailySupplyChargeType": "BAND", "bandedDailySupplyCharges": bands}

    def older(contract: dict[str, Any]) -> None:
        period = contract["tariffPeriod"][0]
        period["dailySupplyCharges"] = period.pop("dailySupplyCharge")

    assert version(imported(band, "demand"), "supply")["price"] == "1.10"
    assert version(imported(older, "demand"), "supply")["price"] == "1.3200"


def test_the_price_above_a_quota_is_taken_without_the_gst_that_is_in_it() -> None:
    def quota(price: str) -> Change:
        def change(contract: dict[str, Any]) -> None:
            contract["pricingModel"] = "QUOTA"
            rate = contract["tariffPeriod"][0]["singleRate"]
            rate |= {"generalUnitPrice": price, "rates": [{"unitPrice": "0", "volume": 300}], "period": "P1M"}

        return change

    found = version(imported(quota("0.3300"), "demand"), "usage")
    assert found["blocks"] == [{"up_to": "300", "price": "0"}, {"price": "0.3"}]
    assert refused(quota("0.25"), "demand").path.endswith("singleRate.generalUnitPrice")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda contract: contract["tariffPeriod"][0].update(type="RCTI"), "tariffPeriod[0].type"),
        (
            lambda contract: contract["tariffPeriod"][1]["demandCharges"][0].update(maxDemand="9"),
            "tariffPeriod[1].demandCharges[0].maxDemand",
        ),
        (
            lambda contract: contract["tariffPeriod"][1]["demandCharges"][0].pop("measureUnit"),
            "tariffPeriod[1].demandCharges[0].measureUnit",
        ),
        (
            lambda contract: contract["tariffPeriod"][0]["singleRate"]["rates"][0].update(measureUnit="METER"),
            "tariffPeriod[0].singleRate.rates[0].measureUnit",
        ),
        (
            lambda contract: contract["tariffPeriod"][0].update(
                bandedDailySupplyCharges=[{"unitPrice": "1"}, {"unitPrice": "2"}]
            ),
            "tariffPeriod[0].bandedDailySupplyCharges",
        ),
    ],
)
def test_what_is_not_handled_is_refused_by_its_path(change: Change, path: str) -> None:
    assert refused(change, "demand").path == f"data.electricityContract.{path}"
