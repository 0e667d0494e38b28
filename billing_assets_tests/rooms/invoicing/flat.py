"""Rates a case by the one price of its tariff, with a tax of a tenth: enough for what invoices do with it."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_CENT = Decimal("0.01")


def flat(case: dict[str, Any]) -> dict[str, Any]:
    """Lines, taxes and totals as the answer of rating has them."""
    (charge,) = case["tariff"]["charges"]
    price = Decimal(charge["versions"][0]["price"])
    lines = [
        {
            "code": charge["code"],
            "bill_text": "Energy",
            "from": case["period"]["from"],
            "to": case["period"]["to"],
            "quantity": one["quantity"],
            "unit": "kWh",
            "price": str(price),
            "price_base": "1",
            "amount": str((Decimal(one["quantity"]) * price).quantize(_CENT, ROUND_HALF_UP)),
            "tax_category": None,
            "estimated": one["quality"] == "E",
            "service_point": one["service_point"],
        }
        for one in case["usage"]["registers"]
    ]
    net = sum((Decimal(one["amount"]) for one in lines), Decimal("0.00"))
    tax = (net / 10).quantize(_CENT, ROUND_HALF_UP)
    taxes = [{"code": "sales", "jurisdiction": "TX", "rate": "0.10", "base": str(net), "amount": str(tax)}]
    return {
        "lines": lines,
        "taxes": taxes,
        "net": str(net),
        "tax": str(tax),
        "total": str(net + tax),
        "findings": [],
        "evidence": [],
    }
