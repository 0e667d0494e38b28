"""The checks before release: pure functions over what is known of a draft, and one table of codes."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.money import amount, canonical
from billing_assets.invoicing.batches.codes import Severity

_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO


class Check(NamedTuple):
    """A check: an error keeps the draft from being released until a person lets it go."""

    severity: Severity
    sentence: str


CODES: dict[str, Check] = {
    "QA_ZERO_BILL": Check(_W, "Total is zero although there is usage."),
    "QA_NEGATIVE_BILL": Check(_W, "Total is below zero and there is no feed-in or correction."),
    "QA_HIGH_BILL": Check(_W, "{total} against a mean of {mean} over {n} bills ({factor}x)."),
    "QA_LOW_BILL": Check(_W, "{total} against a mean of {mean} over {n} bills ({factor}x)."),
    "QA_VERY_HIGH": Check(_E, "Above {ceiling} for class {what}."),
    "QA_UNIT_PRICE": Check(_E, "{total}/{kwh} = {p} a kWh, outside {low} to {high}."),
    "QA_NO_USAGE_CHARGE": Check(_E, "Usage, but no usage charge (supply portion 0)."),
    "QA_NO_FIXED_CHARGE": Check(_W, "The fixed charge is missing."),
    "QA_DAYS_LINES": Check(_E, "Lines cover {n} days, the bill {m}."),
    "QA_METER_COUNT": Check(_E, "{n} of {m} meters are on the bill."),
    "QA_RATE_CHANGED": Check(_I, "First bill on a new rate or price version: sample."),
    "QA_FIRST_BILL": Check(_W, "First bill: a person looks."),
    "QA_FINAL_BILL": Check(_W, "Final bill: a person looks."),
    "QA_ESTIMATED_RUN": Check(_W, "{n} % of the batch is estimated."),
    "QA_DUPLICATE_TOTAL": Check(_W, "Same total as the last bill."),
    "QA_TAX_ZERO": Check(_E, "No tax and no exemption on file."),
    "QA_PASSTHROUGH_SHARE": Check(_W, "Utility charges are {p} % of the bill (usual at most {q} %)."),
    "QA_SAMPLE": Check(_I, "Drawn for review."),
    "TOTAL_TOO_LARGE": Check(_E, "{total} is above the ceiling {most} of the group."),
}


class Thresholds(NamedTuple):
    """What may be set of the checks. `tax_expected`: whether a bill without tax and without exemption is an error."""

    high: Decimal = Decimal(2)
    low: Decimal = Decimal("0.5")
    least_bills: int = 2
    very_high: Decimal = Decimal(5000)
    least_price: Decimal = Decimal("0.02")
    most_price: Decimal = Decimal(2)
    passthrough: int = 80
    estimated: int = 20
    sample_every: int = 50
    tax_expected: bool = False
    fixed_expected: bool = False


class Quality(NamedTuple):
    """What a check found."""

    code: str
    severity: Severity
    sentence: str
    value: str


def _found(code: str, **words: object) -> Quality:
    value = " ".join(str(one) for one in words.values())
    return Quality(code, CODES[code].severity, CODES[code].sentence.format(**words), value)


def check(facts: Mapping[str, Any], given: Thresholds, estimated_percent: int = 0) -> list[Quality]:
    """What is found in a draft. `facts`: a row of `reports.quality_facts`."""
    return [
        *_total(facts, given),
        *_content(facts, given),
        *_history(facts, given),
        *_batch(facts, given, estimated_percent),
    ]


def _total(facts: Mapping[str, Any], given: Thresholds) -> Iterator[Quality]:
    total, kwh = facts["total"], facts["kwh"]
    if total == 0 and kwh:
        yield _found("QA_ZERO_BILL")
    if total < 0 and not facts["feed_in"]:
        yield _found("QA_NEGATIVE_BILL")
    if facts["ceiling"] is not None and total > facts["ceiling"]:
        yield _found("TOTAL_TOO_LARGE", total=amount(total), most=amount(facts["ceiling"]))
    if total > given.very_high:
        yield _found("QA_VERY_HIGH", ceiling=amount(given.very_high), what=facts["customer_class"] or "any")
    if kwh > 0 and total > 0:
        price = (facts["net"] / kwh).quantize(Decimal("0.0001"))
        if not given.least_price <= price <= given.most_price:
            low, high = canonical(given.least_price), canonical(given.most_price)
            said = amount(facts["net"]), canonical(kwh), canonical(price)
            yield _found("QA_UNIT_PRICE", total=said[0], kwh=said[1], p=said[2], low=low, high=high)
    if total > 0 and facts["passthrough"] * 100 > given.passthrough * total:
        share = int(facts["passthrough"] * 100 / total)
        yield _found("QA_PASSTHROUGH_SHARE", p=share, q=given.passthrough)


def _content(facts: Mapping[str, Any], given: Thresholds) -> Iterator[Quality]:
    if facts["kwh"] > 0 and facts["energy"] == 0:
        yield _found("QA_NO_USAGE_CHARGE")
    if given.fixed_expected and not facts["fixed"]:
        yield _found("QA_NO_FIXED_CHARGE")
    days = _days(facts["period_start"], facts["period_end"])
    covered = _days(facts["first_day"], facts["last_day"]) if facts["first_day"] else 0
    if covered != days:
        yield _found("QA_DAYS_LINES", n=covered, m=days)
    if 0 < facts["billed_points"] < facts["points"]:
        yield _found("QA_METER_COUNT", n=facts["billed_points"], m=facts["points"])
    if given.tax_expected and facts["tax"] == 0 and facts["net"] > 0 and facts["is_taxed"]:
        yield _found("QA_TAX_ZERO")


def _days(begin: date, end: date) -> int:
    return (end - begin).days


def _history(facts: Mapping[str, Any], given: Thresholds) -> Iterator[Quality]:
    if facts["is_final"]:
        yield _found("QA_FINAL_BILL")
    if not facts["bills"]:
        yield _found("QA_FIRST_BILL")
        return
    if facts["last_version"] != facts["tariff_version"]:
        yield _found("QA_RATE_CHANGED")
    if facts["last_total"] == facts["total"] != 0:
        yield _found("QA_DUPLICATE_TOTAL")
    mean = facts["mean"]
    if facts["bills"] >= given.least_bills and mean > 0:
        factor = facts["total"] / mean
        code = "QA_HIGH_BILL" if factor > given.high else "QA_LOW_BILL" if factor < given.low else None
        if code:
            said = canonical(factor.quantize(Decimal("0.1")))
            rounded = amount(mean.quantize(Decimal("0.01")))
            yield _found(code, total=amount(facts["total"]), mean=rounded, n=facts["bills"], factor=said)


def _batch(facts: Mapping[str, Any], given: Thresholds, estimated_percent: int) -> Iterator[Quality]:
    if facts["is_estimated"] and estimated_percent > given.estimated:
        yield _found("QA_ESTIMATED_RUN", n=estimated_percent)
    drawn = hashlib.sha256(str(facts["invoice"]).encode()).digest()
    if int.from_bytes(drawn[:8]) % given.sample_every == 0:
        yield _found("QA_SAMPLE")
