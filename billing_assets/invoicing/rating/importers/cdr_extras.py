"""Discounts, fees, green power and metering charges of a CDR plan.

What an amount is taken from is said by the method alone; where the plan says more in words, a person decides.
"""

from collections.abc import Sequence
from decimal import Decimal

from billing_assets.invoicing.rating.importers.cdr_parts import Part, dates, duration, percent
from billing_assets.invoicing.rating.importers.foreign import Node, TextOnly, distinct, plain, slug

_RECURRING = {"MONTHLY": "P1M", "BIANNUAL": "P6M", "ANNUAL": "P1Y"}


def discounts(
    contract: Node, version: Part, use: Sequence[str], others: Sequence[str], said: list[TextOnly]
) -> list[Part]:
    """Guaranteed discounts in the order of the plan, then those for paying on time, which are shown and not deducted.

    One of the use is of all usage and controlled load; one of the bill is of all charges before credits and taxes, and
    of the discounts before it. A discount on another condition is left to a person.
    """
    sure: list[Part] = []
    on_time: list[Part] = []
    for node in contract.get("discounts").items():
        name, text = node.get("displayName").text("Discount"), node.get("description")
        kind = node.get("type").one_of({"CONDITIONAL": "conditional", "GUARANTEED": "sure", "OTHER": "other"})
        pays_on_time = kind == "conditional" and node.get("category").value == "PAY_ON_TIME"
        if kind != "sure" and not pays_on_time:
            said.append(TextOnly(node.path, f"{name}: {text.text('a condition')}"))
            continue
        if text:
            said.append(TextOnly(text.path, text.text()))
        (on_time if pays_on_time else sure).append({"name": name, "node": node})
    codes = distinct([slug(one["name"]) for one in (*sure, *on_time)])
    found: list[Part] = []
    for code, one in zip(codes, (*sure, *on_time), strict=True):
        node = one["node"]
        parts, of_use = _discount(node)
        counted = [*use] if of_use else [*others, *(each["code"] for each in found if not each.get("conditional"))]
        ends = {"valid_to": dates(node)["valid_to"]} if node.get("endDate") else {}
        found.append(
            {
                "code": code.replace(" ", "_"),
                "kind": "discount",
                "bill_text": one["name"],
                "tax_category": "GST",
                **({"conditional": True} if one in on_time else {}),
                "applies_to": {"codes": counted},
                "versions": [{**version, **ends, **parts}],
            }
        )
    return found


def _discount(node: Node) -> tuple[Part, bool]:
    """Its parts, and whether it is of the use alone."""
    methods = {one: one for one in ("percentOfBill", "percentOfUse", "fixedAmount", "percentOverThreshold")}
    method = node.get("methodUType").one_of(methods)
    body = node.get(method)
    match method:
        case "percentOfBill":
            return {"method": "percent_of_bill", "percent": percent(body.get("rate"))}, False
        case "percentOfUse":
            return {"method": "percent_of_use", "percent": percent(body.get("rate"))}, True
        case "fixedAmount":
            return {"method": "fixed", "amount": plain(body.get("amount").number())}, False
        case _:
            threshold = plain(body.get("usageAmount").number())
            return {
                "method": "percent_over_threshold",
                "percent": percent(body.get("rate")),
                "threshold": threshold,
            }, True


def fees(contract: Node, version: Part, said: list[TextOnly]) -> list[Part]:
    """Fees that an event charges; a membership fee recurs. One that varies is left to a person."""
    nodes = list(contract.get("fees").items())
    codes = distinct([f"fee_{slug(one.get('type').text())}" for one in nodes])
    found: list[Part] = []
    for code, node in zip(codes, nodes, strict=True):
        kind, term = node.get("type").text(), node.get("term").text()
        text = node.get("description").text(kind.replace("_", " ").capitalize())
        head = {"code": code.replace(" ", "_"), "bill_text": text[:120], "tax_category": "GST"}
        if term == "VARIABLE":
            said.append(TextOnly(node.path, f"{kind}: {text}"))
        elif term == "PERCENT_OF_BILL":
            found.append({**head, "kind": "fee", "versions": [{**version, "percent": percent(node.get("rate"))}]})
        elif kind == "MEMBERSHIP" and term in {"DAILY", *_RECURRING}:
            found.append(_recurring(head, version, term, plain(node.get("amount").number())))
        elif kind == "MEMBERSHIP" and term == "WEEKLY":
            said.append(TextOnly(node.path, f"{kind}: {text}, weekly"))
        else:
            found.append(
                {**head, "kind": "fee", "versions": [{**version, "amount": plain(node.get("amount").number())}]}
            )
    return found


def _recurring(head: Part, version: Part, term: str, price: str) -> Part:
    if term == "DAILY":
        return {**head, "kind": "fixed_daily", "versions": [{**version, "price": price}]}
    return fixed_period(head, version, price, _RECURRING[term])


def fixed_period(head: Part, version: Part, price: str, period: str) -> Part:
    """A price of a period, by the days that are billed."""
    versions = [{**version, "price": price, "period": period}]
    return {**head, "kind": "fixed_period", "proration": "by_days_of_period", "versions": versions}


def green_power(
    contract: Node, version: Part, use: Sequence[str], share: str | None, said: list[TextOnly]
) -> list[Part]:
    """The green power that the customer takes, by the tier of its share; it is only an offer."""
    found: list[Part] = []
    for node in contract.get("greenPowerCharges").items():
        name = node.get("displayName").text("Green power")
        tiers = list(node.get("tiers").items())
        if share is None:
            shares = ", ".join(f"{percent(tier.get('percentGreen'))} %" for tier in tiers)
            said.append(TextOnly(node.path, f"{name}: {shares}, as the customer chooses"))
            continue
        tier = next((one for one in tiers if Decimal(percent(one.get("percentGreen"))) == Decimal(share)), None)
        if tier is None:
            node.get("tiers").refuse(f"it has no tier of {share} %.")
        code = "green_power" if not found else f"green_power_{len(found) + 1}"
        head = {"code": code, "bill_text": name, "group": "energy", "tax_category": "GST"}
        kinds = {one: one for one in ("FIXED_PER_DAY", "FIXED_PER_MONTH", "FIXED_PER_UNIT", "PERCENT_OF_USE")}
        match node.get("type").one_of(kinds):
            case "FIXED_PER_DAY":
                daily = {**version, "price": plain(tier.get("amount").number())}
                found.append({**head, "kind": "fixed_daily", "versions": [daily]})
            case "FIXED_PER_MONTH":
                found.append(fixed_period(head, version, plain(tier.get("amount").number()), "P1M"))
            case "FIXED_PER_UNIT":
                unit = {**version, "price": plain(tier.get("amount").number()), "percent": "100"}
                found.append({**head, "kind": "green", "versions": [unit]})
            case _:
                body = {**version, "method": "percent_of_use", "percent": percent(tier.get("rate"))}
                found.append({**head, "kind": "green", "applies_to": {"codes": [*use]}, "versions": [body]})
    return found


def metering_charges(plan: Node, version: Part, said: list[TextOnly]) -> list[Part]:
    """Charges for the meter that recur; a range of amounts, or one without a period, is left to a person."""
    found: list[Part] = []
    for node in plan.get("meteringCharges").items():
        name, least, most = node.get("displayName").text(), node.get("minimumValue"), node.get("maximumValue")
        is_range = bool(most) and most.number() != least.number()
        if is_range or not node.get("period"):
            said.append(TextOnly(node.path, f"{name}: {node.get('description').text('an amount that depends')}"))
            continue
        code = "metering" if not found else f"metering_{len(found) + 1}"
        head = {"code": code, "bill_text": name, "group": "fixed", "tax_category": "GST"}
        price, period = plain(least.number()), duration(node.get("period"))
        if period == "P1D":
            found.append({**head, "kind": "fixed_daily", "versions": [{**version, "price": price}]})
        elif period == "P7D":
            node.get("period").refuse("a charge by the week cannot be imported.")
        else:
            found.append(fixed_period(head, version, price, period))
    return found
