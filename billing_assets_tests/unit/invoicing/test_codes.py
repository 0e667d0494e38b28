"""One table of codes: each has its sentence, what may be set of it, and what to do."""

import pytest

from billing_assets.foundation.sections import Section
from billing_assets.invoicing.batches import codes
from billing_assets.invoicing.batches.settings import Parameters
from billing_assets.invoicing.invoices import errors, quality
from billing_assets.invoicing.invoices.settings import Thresholds


def test_each_code_says_what_to_do() -> None:
    assert codes.TO_DO.keys() == codes.CODES.keys()
    assert quality.TO_DO.keys() == quality.CODES.keys()
    assert all(one.to_do for one in errors.CODES.values())


@pytest.mark.parametrize(
    ("named", "section", "others"),
    [
        ([name for one in codes.CODES.values() for name in one.parameters], Parameters, set()),
        ([name for one in quality.CODES.values() for name in one.thresholds], Thresholds, {"by_class"}),
    ],
    ids=["validations", "checks"],
)
def test_what_may_be_set_is_named_by_a_code_and_nothing_else_is(
    named: list[str], section: type[Section], others: set[str]
) -> None:
    assert set(named) | others == section.model_fields.keys()


def test_a_code_that_is_always_on_is_an_error_that_no_one_waives() -> None:
    assert codes.CODES.keys() >= codes.ALWAYS
    assert {(codes.CODES[one].severity, codes.CODES[one].waivable) for one in codes.ALWAYS} == {("error", False)}
