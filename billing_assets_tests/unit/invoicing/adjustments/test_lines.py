"""Charges by hand on a bill: they add their own rounded amounts and their tax, and change nothing else."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.invoicing.adjustments.kinds import LineByHand, with_lines
from billing_assets.invoicing.invoices.engine import rate_case

CENT = Decimal("0.01")
CASE: dict[str, Any] = {
    "tariff": {
        "code": "FLAT",
        "currency": "AUD",
        "charges": [
            {"code": "energy", "kind": "usage", "versions": [{"valid_from": "2026-01-01", "price": "0.2537"}]},
            {"code": "supply", "kind": "fixed_daily", "versions": [{"valid_from": "2026-01-01", "price": "0.913"}]},
            {
                "code": "loyalty",
                "kind": "discount",
                "versions": [{"valid_from": "2026-01-01", "method": "percent_of_bill", "percent": "7"}],
            },
            {
                "code": "least",
                "kind": "minimum",
                "versions": [{"valid_from": "2026-01-01", "amount": "30.00"}],
            },
            {
                "code": "gst",
                "kind": "tax",
                "applies_to": {"groups": ["energy", "fixed", "credit", "fee"]},
                "versions": [{"valid_from": "2026-01-01", "rate": "0.10"}],
            },
        ],
    },
    "usage": {"registers": [{"quantity": "81.3", "from": "2026-06-01", "to": "2026-07-01"}]},
    "period": {"from": "2026-06-01", "to": "2026-07-01"},
    "context": {},
}

money = st.decimals(min_value=0, max_value=5000, places=4)
lines = st.builds(
    LineByHand,
    st.just("By hand"),
    money,
    st.decimals(min_value=-20, max_value=20, places=3).filter(bool),
    st.just("m"),
    st.sampled_from(["energy", "fixed", "fee", "passthrough"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(lines, max_size=4))
def test_what_is_charged_by_hand_is_added_to_the_bill_and_taxed_once(by_hand: list[LineByHand]) -> None:
    plain = rate_case(CASE)
    found = rate_case(with_lines(CASE, [one.as_json() for one in by_hand]))
    amounts = {
        group: [
            (one.quantity * one.price).quantize(CENT, ROUND_HALF_UP)
            for one in by_hand
            if (one.group == "passthrough") is group
        ]
        for group in (False, True)
    }
    added = sum((*amounts[False], *amounts[True]), Decimal(0))
    assert Decimal(found["net"]) == Decimal(plain["net"]) + added
    own = [one for one in found["lines"] if not one["code"].startswith("by_hand_")]
    assert [(one["code"], one["amount"]) for one in own] == [(one["code"], one["amount"]) for one in plain["lines"]]
    base = Decimal(plain["net"]) + sum(amounts[False], Decimal(0))
    assert Decimal(found["tax"]) == (base / 10).quantize(CENT, ROUND_HALF_UP)


def test_a_case_without_them_is_the_case_itself() -> None:
    assert with_lines(CASE, []) is CASE
