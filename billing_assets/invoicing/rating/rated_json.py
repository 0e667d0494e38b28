"""A rated bill as JSON (docs/tariff-format.md): the same bill is the same bytes."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from billing_assets.foundation.money import canonical
from billing_assets.invoicing.rating.findings import Finding, Severity
from billing_assets.invoicing.rating.rated import Conditional, Line, Rated, TaxLine, Totals


def as_json(rated: Rated) -> dict[str, Any]:
    """The answer as the format describes it. Amounts have the currency's decimals, prices those of the tariff."""
    totals = rated.totals
    return {
        "lines": None if totals is None else [_line(one) for one in rated.lines],
        "taxes": None if totals is None else [_tax(one) for one in rated.taxes],
        "conditional": None if totals is None else [_conditional(one) for one in rated.conditional],
        "net": None if totals is None else f"{totals.net:f}",
        "tax": None if totals is None else f"{totals.tax:f}",
        "total": None if totals is None else f"{totals.total:f}",
        "average_price": None if totals is None or totals.average_price is None else f"{totals.average_price:f}",
        "findings": [
            {
                "code": one.code,
                "severity": one.severity.value,
                "path": one.path,
                "value": one.value,
                "sentence": one.sentence,
            }
            for one in rated.findings
        ],
        "evidence": list(rated.evidence),
    }


def as_bytes(rated: Rated) -> bytes:
    """The answer as canonical bytes, with a line feed at the end."""
    return answer_bytes(as_json(rated))


def answer_bytes(answer: Mapping[str, Any]) -> bytes:
    """An answer as canonical bytes: what two answers are compared by."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _line(one: Line) -> dict[str, Any]:
    return {
        "code": one.code,
        "bill_text": one.bill_text,
        "from": one.begins.isoformat(),
        "to": one.ends.isoformat(),
        "quantity": canonical(one.quantity),
        "unit": one.unit,
        "price": f"{one.price:f}",
        "price_base": canonical(one.price_base),
        "amount": f"{one.amount:f}",
        "tax_category": one.tax_category,
        "estimated": one.estimated,
        "service_point": one.service_point,
        "version": one.version,
        "season": one.season,
        "window": one.window,
        "block": one.block,
        "evidence": one.evidence,
    }


def _tax(one: TaxLine) -> dict[str, Any]:
    return {
        "code": one.code,
        "jurisdiction": one.jurisdiction,
        "rate": f"{one.rate:f}",
        "base": f"{one.base:f}",
        "amount": f"{one.amount:f}",
        "evidence": one.evidence,
    }


def _conditional(one: Conditional) -> dict[str, Any]:
    return {
        "code": one.code,
        "amount": f"{one.amount:f}",
        "tax": f"{one.tax:f}",
        "payable": f"{one.payable:f}",
        "by": one.by and one.by.isoformat(),
    }


def from_json(answer: Mapping[str, Any]) -> Rated:
    """The bill that an answer is: what `as_json` made. One without lines is a refused bill."""
    if answer["lines"] is None:
        return Rated((), (), (), None, _found(answer), ())
    average = answer["average_price"]
    return Rated(
        tuple(_read_line(one) for one in answer["lines"]),
        tuple(
            TaxLine(
                one["code"],
                one["jurisdiction"],
                Decimal(one["rate"]),
                Decimal(one["base"]),
                Decimal(one["amount"]),
                one["evidence"],
            )
            for one in answer["taxes"]
        ),
        tuple(
            Conditional(
                one["code"],
                Decimal(one["amount"]),
                Decimal(one["tax"]),
                Decimal(one["payable"]),
                None if one["by"] is None else date.fromisoformat(one["by"]),
            )
            for one in answer["conditional"]
        ),
        Totals(
            Decimal(answer["net"]),
            Decimal(answer["tax"]),
            Decimal(answer["total"]),
            None if average is None else Decimal(average),
        ),
        _found(answer),
        tuple(answer["evidence"]),
    )


def _found(answer: Mapping[str, Any]) -> tuple[Finding, ...]:
    return tuple(Finding(**one | {"severity": Severity(one["severity"])}) for one in answer["findings"])


def _read_line(one: Mapping[str, Any]) -> Line:
    return Line(
        one["code"],
        one["bill_text"],
        date.fromisoformat(one["from"]),
        date.fromisoformat(one["to"]),
        Decimal(one["quantity"]),
        one["unit"],
        Decimal(one["price"]),
        Decimal(one["price_base"]),
        Decimal(one["amount"]),
        one["tax_category"],
        one["estimated"],
        one["service_point"],
        one["version"],
        one["season"],
        one["window"],
        one["block"],
        one["evidence"],
    )
