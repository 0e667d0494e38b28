"""One text for one number, whatever way it was written."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_assets.foundation.money import canonical, decimals

numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)


@given(numbers, st.integers(0, 12))
def test_equal_numbers_have_the_same_text_however_many_zeros_they_carry(number: Decimal, zeros: int) -> None:
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    longer = Decimal((sign, digits + (0,) * zeros, exponent - zeros))
    assert longer == number
    assert canonical(longer) == canonical(number)
    assert decimals(longer) == decimals(number)


@given(numbers, numbers)
def test_different_numbers_have_different_texts(one: Decimal, other: Decimal) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@given(numbers)
def test_the_text_is_exact_plain_and_its_own_canonical_text(number: Decimal) -> None:
    text = canonical(number)
    assert Decimal(text) == number
    assert canonical(Decimal(text)) == text
    assert not set(text) - set("-0123456789.")
    assert len(text.partition(".")[2]) == decimals(number)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("-0.50", "-0.5"),
        ("-0.00", "0"),
        ("0E+3", "0"),
        ("-0E+2", "0"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("0.001", "0.001"),
        ("1.50E-9", "0.0000000015"),
    ],
)
def test_texts_that_people_know(written: str, text: str) -> None:
    assert canonical(Decimal(written)) == text
