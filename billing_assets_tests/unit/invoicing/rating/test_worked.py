"""The worked examples of the specification, line by line, to the cent."""

from decimal import Decimal

import pytest

from billing_assets.invoicing.rating.case_json import read_case
from billing_assets.invoicing.rating.checks import check_tariff
from billing_assets.invoicing.rating.rated_json import as_bytes
from billing_assets_tests.unit.invoicing.rating.examples import NAMES, WORKED, amounts, example, rated

INSIDE = "W14b"


@pytest.mark.parametrize("name", NAMES)
def test_a_worked_example_is_met_line_by_line(name: str) -> None:
    found, expected = rated(example(name)), WORKED[name]
    assert found.totals is not None, [one.sentence for one in found.findings]
    if name == INSIDE:  # the line of 110.00 includes the tax, which the expected line is without
        assert [one.amount for one in found.lines] == [Decimal("110.00")]
    else:
        assert amounts([one.amount for one in found.lines]) == amounts([one[1] for one in expected["lines"]])
    assert str(found.totals.net) == expected["net"]
    assert str(found.totals.total) == expected["total"]
    assert amounts([one.amount for one in found.taxes]) == amounts(list(expected["tax"].values()))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_can_be_computed_again_with_a_pocket_calculator(name: str) -> None:
    for line in rated(example(name)).lines:
        exact = line.quantity * line.price / line.price_base
        assert abs(exact - line.amount) <= Decimal("0.005") or line.code == "late"  # a late fee is rounded down
        assert line.price >= 0


@pytest.mark.parametrize("name", NAMES)
def test_a_worked_example_has_a_sound_tariff_and_the_same_bytes_twice(name: str) -> None:
    assert check_tariff(read_case(example(name)).tariff) == ()
    assert as_bytes(rated(example(name))) == as_bytes(rated(example(name)))


def test_every_worked_example_of_rating_is_shipped() -> None:
    """Cancel, true-up and budget (W10b, W15b, W16) are about bills that are there already."""
    assert set(NAMES) == set(WORKED) - {"W10b", "W15b", "W16"}


def test_a_limit_by_days_is_rounded_before_it_is_priced() -> None:
    (_, first, second) = rated(example("W03")).lines
    assert [first.quantity, second.quantity] == [Decimal("324.164"), Decimal("162.055")]


def test_payment_in_time_takes_off_the_discount_and_its_tax() -> None:
    for name, amount, tax in (("W13", "7.71", "0.77"), ("W20", "1.81", "0.18")):
        (found,) = rated(example(name)).conditional
        assert (str(found.amount), str(found.tax)) == (amount, tax)
        assert str(found.payable) == WORKED[name]["extra"]["pay by due date"]


def test_an_index_line_shows_its_energy_and_the_bill_its_average_price() -> None:
    found = rated(example("W09"))
    line = next(one for one in found.lines if one.code == "energy")
    assert line.quantity == line.price_base == Decimal("109.9")
    assert str(line.amount) == str(line.price) == "20.11"
    assert found.evidence[line.evidence]["exact"] == WORKED["W09"]["extra"]["exact energy"]
    assert found.totals is not None
    assert str(found.totals.average_price) == WORKED["W09"]["extra"]["average c/kWh net"]


def test_revised_prices_of_a_profile_give_the_amount_of_the_true_up() -> None:
    case = example("W10")
    prices = case["context"]["price_series"]["LZ_NORTH"]["prices"]
    prices[2], prices[5] = "22.95", "212.60"
    (line,) = rated(case).lines
    assert str(line.amount) == WORKED["W10b"]["extra"]["new rounded"]
    assert rated(case).evidence[line.evidence]["exact"] == WORKED["W10b"]["extra"]["new exact"]
    (before,) = rated(example("W10")).lines
    assert str(line.amount - before.amount) == WORKED["W10b"]["total"]


def test_a_tie_of_days_goes_to_the_later_version() -> None:
    case = example("W22")
    for charge in case["tariff"]["charges"]:
        first, second = charge["versions"]
        first["valid_to"] = second["valid_from"] = "2026-06-16"
    line = next(one for one in rated(case).lines if one.code == "energy")
    assert (str(line.amount), line.version) == ("93.18", "v2")
