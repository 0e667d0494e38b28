"""The checks before release: pure functions over what is known of a draft, and one table of codes."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.money import amount, canonical
from billing_assets.invoicing.batches.checking import severities_of
from billing_assets.invoicing.batches.codes import Severity
from billing_assets.invoicing.invoices.due_dates import due_on
from billing_assets.invoicing.invoices.errors import CODES as POST_CODES
from billing_assets.invoicing.invoices.settings import Thresholds

_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO


class Check(NamedTuple):
    """A check: an error keeps a draft from being released until a person lets it go. `thresholds`: of `Thresholds`."""

    severity: Severity
    sentence: str
    thresholds: tuple[str, ...] = ()


_MEAN = "{total} against a mean of {mean} over {n} bills ({factor}\N{MULTIPLICATION SIGN})."
_LOOK = "First or final bill: a person looks."

CODES: dict[str, Check] = {
    "QA_ZERO_BILL": Check(_W, "Total is zero although there is usage."),
    "QA_NEGATIVE_BILL": Check(_W, "Total is below zero and there is no feed-in or correction."),
    "QA_HIGH_BILL": Check(_W, _MEAN, ("high", "least_bills")),
    "QA_LOW_BILL": Check(_W, _MEAN, ("low", "least_bills")),
    "QA_VERY_HIGH": Check(_E, "Above {ceiling} for class {customer_class}.", ("very_high",)),
    "QA_UNIT_PRICE": Check(
        _E,
        "{total}/{kwh} = {p} a kWh, outside {low}\N{HORIZONTAL ELLIPSIS}{high}.",
        ("least_price", "most_price"),
    ),
    "QA_NO_USAGE_CHARGE": Check(_E, "Usage, but no usage charge (supply portion 0)."),
    "QA_NO_FIXED_CHARGE": Check(_W, "The fixed charge is missing."),
    "QA_DAYS_LINES": Check(_E, "Lines cover {n} days, the bill {m}."),
    "QA_METER_COUNT": Check(_E, "{n} of {m} meters are on the bill."),
    "QA_RATE_CHANGED": Check(_I, "First bill on a new rate or price version: sample."),
    "QA_FIRST_BILL": Check(_W, _LOOK),
    "QA_FINAL_BILL": Check(_W, _LOOK),
    "QA_ESTIMATED_RUN": Check(_W, "{n} % of the batch is estimated.", ("estimated_percent",)),
    "QA_DUPLICATE_TOTAL": Check(_W, "Same total and period end as the last bill."),
    "QA_TAX_ZERO": Check(_E, "No tax and no exemption on file.", ("tax_expected",)),
    "QA_PASSTHROUGH_SHARE": Check(_W, "Utility charges are {p} % of the bill (usual {q} %).", ("passthrough_percent",)),
    "QA_BALANCE_FORWARD": Check(_E, "Balance forward {a} is not receivables' {b}."),
    "QA_DUE_DATE": Check(_E, "Due {date} is {n} days after issue, law asks {m}.", ("least_due_days",)),
    "QA_ADDRESS_CHANGED": Check(_W, "New mailing address since the last bill."),
    "QA_LANGUAGE": Check(_W, "No template in the customer's language.", ("languages",)),
    "QA_BATCH_SUM": Check(
        _E, "The batch is {p} % off the same group's last cycle in count or money.", ("batch_percent", "batch_least")
    ),
    "QA_SAMPLE": Check(_I, "Drawn for review.", ("sample_first", "sample_every")),
    "TOTAL_TOO_LARGE": Check(_E, POST_CODES["TOTAL_TOO_LARGE"].sentence),
}


TO_DO: dict[str, str] = {
    "QA_ZERO_BILL": "See its tariff and its discounts.",
    "QA_NEGATIVE_BILL": "See its lines; discard it if one is wrong.",
    "QA_HIGH_BILL": "Compare reads and price with the bills before.",
    "QA_LOW_BILL": "Compare reads and price with the bills before.",
    "QA_VERY_HIGH": "Compare it with the contract; then approve it.",
    "QA_UNIT_PRICE": "See whether cents were loaded as dollars; discard it then.",
    "QA_NO_USAGE_CHARGE": "See the tariff and its channels; discard it.",
    "QA_NO_FIXED_CHARGE": "See the tariff; discard it if the charge is due.",
    "QA_DAYS_LINES": "See which days are not priced; discard it.",
    "QA_METER_COUNT": "See which meter has no line; discard it.",
    "QA_RATE_CHANGED": "Compare it with the new contract.",
    "QA_FIRST_BILL": "Compare it with the contract.",
    "QA_FINAL_BILL": "See last read, deposit and forwarding address.",
    "QA_ESTIMATED_RUN": "Ask the utility why so few were read.",
    "QA_DUPLICATE_TOTAL": "See whether it is billed twice; discard one then.",
    "QA_TAX_ZERO": "Load the exemption, or tax the tariff; then discard it.",
    "QA_PASSTHROUGH_SHARE": "Compare the 810 with the months before.",
    "QA_BALANCE_FORWARD": "Read the balances again; discard it if it is wrong.",
    "QA_DUE_DATE": "Correct `due_days` of the group; then discard it.",
    "QA_ADDRESS_CHANGED": "Have the customer confirm it.",
    "QA_LANGUAGE": "Add a template, or agree on another language.",
    "QA_BATCH_SUM": "See what changed; then `approve-batch`, or discard.",
    "QA_SAMPLE": "Compare it with the contract; then `review`.",
    "TOTAL_TOO_LARGE": "Compare it with the contract; then approve it.",
}
"""What a person does about each."""


class OfBatch(NamedTuple):
    """What is known of a batch as a whole. `percent_off`: of its customers' last bills; None: too few to compare."""

    estimated_percent: int = 0
    percent_off: int | None = None


class Quality(NamedTuple):
    """What a check found."""

    code: str
    severity: Severity
    sentence: str
    value: str


def _found(code: str, **words: object) -> Quality:
    value = " ".join(str(one) for one in words.values())
    return Quality(code, CODES[code].severity, CODES[code].sentence.format(**words), value)


def of_batch(rows: Sequence[Mapping[str, Any]], given: Thresholds) -> OfBatch:
    """Shares of a batch's drafts. Customers are compared with their own last bills: whether all of a group is in one
    batch or in one of many nights makes no difference then. `rows`: of `reports.quality_facts`."""
    estimated = sum(row["is_estimated"] for row in rows) * 100 // max(1, len(rows))
    known = [row for row in rows if row["bills"]]
    if len(known) < given.batch_least:
        return OfBatch(estimated)
    accounts = {row["account"]: row for row in known}
    last_money = sum(row["last_sum"] for row in accounts.values())
    last_count = sum(row["last_count"] for row in accounts.values())
    money = abs(sum(row["total"] for row in known) - last_money) * 100 / abs(last_money) if last_money else 0
    count = Decimal(abs(len(known) - last_count)) * 100 / last_count
    return OfBatch(estimated, int(max(money, count)))


def check(facts: Mapping[str, Any], given: Thresholds, batch: OfBatch, place: int, today: date) -> list[Quality]:
    """What is found in a draft, without what its group has switched off. `facts`: a row of `reports.quality_facts`;
    `place`: the how-manieth bill of its group it is, from 1."""
    own = given.of_class(facts["customer_class"] or "")
    severities = severities_of(facts["severities"])
    found = [
        *_total(facts, own),
        *_content(facts, own),
        *_history(facts, own),
        *_account(facts, own, today),
        *_batch(facts, own, batch, place),
    ]
    return [
        one._replace(severity=severities.get(one.code, one.severity))
        for one in found
        if one.code not in facts["checks_off"]
    ]


def _total(facts: Mapping[str, Any], given: Thresholds) -> Iterator[Quality]:
    total, kwh = facts["total"], facts["kwh"]
    if total == 0 and kwh:
        yield _found("QA_ZERO_BILL")
    if total < 0 and not facts["feed_in"] and not facts["is_correction"]:
        yield _found("QA_NEGATIVE_BILL")
    if facts["ceiling"] is not None and total > facts["ceiling"]:
        yield _found("TOTAL_TOO_LARGE", total=amount(total), most=amount(facts["ceiling"]))
    usual = facts["bills"] >= given.least_bills and total <= given.high * facts["mean"]
    if total > given.very_high and not usual:
        yield _found("QA_VERY_HIGH", ceiling=amount(given.very_high), customer_class=facts["customer_class"] or "any")
    if kwh > 0 and total > 0:
        price = (facts["net"] / kwh).quantize(Decimal("0.0001"))
        if not given.least_price <= price <= given.most_price:
            low, high = canonical(given.least_price), canonical(given.most_price)
            said = amount(facts["net"]), canonical(kwh), canonical(price)
            yield _found("QA_UNIT_PRICE", total=said[0], kwh=said[1], p=said[2], low=low, high=high)
    if total > 0 and facts["passthrough"] * 100 > given.passthrough_percent * total:
        share = int(facts["passthrough"] * 100 / total)
        yield _found("QA_PASSTHROUGH_SHARE", p=share, q=given.passthrough_percent)
    if facts["balance_forward"] != facts["receivable"]:
        yield _found("QA_BALANCE_FORWARD", a=amount(facts["balance_forward"]), b=amount(facts["receivable"]))


def _content(facts: Mapping[str, Any], given: Thresholds) -> Iterator[Quality]:
    if facts["kwh"] > 0 and facts["energy"] == 0:
        yield _found("QA_NO_USAGE_CHARGE")
    if facts["fixed_charges"] > facts["fixed"] == 0:
        yield _found("QA_NO_FIXED_CHARGE")
    days = _days(facts["period_start"], facts["period_end"])
    covered = _days(facts["first_day"], facts["last_day"]) if facts["first_day"] else 0
    if covered != days:
        yield _found("QA_DAYS_LINES", n=covered, m=days)
    if 0 < facts["billed_points"] < facts["points"]:
        yield _found("QA_METER_COUNT", n=facts["billed_points"], m=facts["points"])
    is_exempt = not facts["is_taxed"] or (facts["exempt_until"] or date.min) >= facts["period_end"]
    if given.tax_expected and facts["tax"] == 0 and facts["net"] > 0 and not is_exempt:
        yield _found("QA_TAX_ZERO")


def _days(begin: date, end: date) -> int:
    return (end - begin).days


def _history(facts: Mapping[str, Any], given: Thresholds) -> Iterator[Quality]:
    if facts["is_final"]:
        yield _found("QA_FINAL_BILL")
    if facts["is_twice"]:
        yield _found("QA_DUPLICATE_TOTAL")
    if not facts["bills"]:
        yield _found("QA_FIRST_BILL")
        return
    if facts["last_version"] != facts["tariff_version"]:
        yield _found("QA_RATE_CHANGED")
    mean = facts["mean"]
    if facts["bills"] >= given.least_bills and mean > 0:
        factor, code = facts["total"] / mean, _off(facts, given)
        if code:
            said = canonical(factor.quantize(Decimal("0.1")))
            rounded = amount(mean.quantize(Decimal("0.01")))
            yield _found(code, total=amount(facts["total"]), mean=rounded, n=facts["bills"], factor=said)


def _off(facts: Mapping[str, Any], given: Thresholds) -> str | None:
    """Whether a total is high or low, against the mean and, where there is one, the bill of a year ago."""
    before = [one for one in (facts["mean"], facts["year_ago"]) if one is not None]
    if facts["total"] > given.high * max(before):
        return "QA_HIGH_BILL"
    return "QA_LOW_BILL" if facts["total"] < given.low * min(before) else None


def _account(facts: Mapping[str, Any], given: Thresholds, today: date) -> Iterator[Quality]:
    """What the customer's paper says: when it is due, where it goes, in which language."""
    due = due_on(today, facts["due_days"], facts["calendar"])
    if _days(today, due) < given.least_due_days:
        yield _found("QA_DUE_DATE", date=due, n=_days(today, due), m=given.least_due_days)
    moved, last = facts["address_since"], facts["last_dated"]
    if moved is not None and last is not None and moved > last:
        yield _found("QA_ADDRESS_CHANGED")
    if facts["language"] is not None and facts["language"] not in given.languages:
        yield _found("QA_LANGUAGE")


def _batch(facts: Mapping[str, Any], given: Thresholds, batch: OfBatch, place: int) -> Iterator[Quality]:
    if facts["is_estimated"] and batch.estimated_percent > given.estimated_percent:
        yield _found("QA_ESTIMATED_RUN", n=batch.estimated_percent)
    if batch.percent_off is not None and batch.percent_off > given.batch_percent:
        yield _found("QA_BATCH_SUM", p=batch.percent_off)
    drawn = hashlib.sha256(str(facts["invoice"]).encode()).digest()
    if place <= given.sample_first or int.from_bytes(drawn[:8]) % given.sample_every == 0:
        yield _found("QA_SAMPLE")
