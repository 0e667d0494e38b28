"""Master data of billing from CSV files: bill groups, cycles, accounts, agreements, exemptions from taxes, and points
that another issuer bills.

A folder has `bill_groups.csv`, `bill_cycles.csv`, `accounts.csv`, `agreements.csv`, `tax_exemptions.csv`,
`billed_elsewhere.csv`, or some of them, as metering's master data is written: UTF-8, a line of column names, a row
known by its key and its `valid_from`. Lists are separated by spaces.
"""

import re
from collections.abc import Callable
from decimal import Decimal

from billing_assets.foundation.calendar.business_days import has_calendar
from billing_assets.metering.contract import (
    PERIOD,
    Column,
    Kind,
    read_day,
    read_number,
    read_one_of,
    read_whole,
    read_yes,
)

INSTRUCTIONS = ("do_not_print", "extra_postage", "same_envelope", "summary_billing", "insert_required", "post_card")
"""What may be special about a group's bills."""

MODELS = ("supplier_consolidated", "bill_ready", "rate_ready", "dual")
"""Who bills what: we all of it; the utility, with our charges or by our rates; each its own."""


def _words(*choices: str) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        found = text.split()
        if choices and (unknown := [one for one in found if one not in choices]):
            raise ValueError(f"has {unknown[0]}; it may have {', '.join(choices)}")
        return found

    return read


def _calendar(text: str) -> str:
    """A country or a part of it, as ISO 3166 has it: AU, AU-NSW."""
    country, _, subdivision = text.partition("-")
    if not has_calendar(country, subdivision or None):
        raise ValueError("is no country, nor part of one, whose public holidays are known, such as AU or AU-NSW")
    return text


def _channels(text: str) -> list[str]:
    """Suffixes with their channels: `E2=controlled_load B1=-`."""
    found = text.split()
    if wrong := [one for one in found if not re.fullmatch(r"[^=]+=[^=]+", one)]:
        raise ValueError(f"has {wrong[0]}; write a suffix and a channel, such as E2=controlled_load")
    return found


_TEXT = Column(str, "")
_NO = Column(read_yes, default=False)


def _severities(text: str) -> list[str]:
    """Codes of validations or quality checks with the severity that they have in the group: PERIOD_GAP:warning."""
    found = text.split()
    for one in found:
        code, _, severity = one.partition(":")
        if not code or severity not in ("error", "warning", "info"):
            raise ValueError(f"has {one}; write CODE:error, CODE:warning or CODE:info")
    return found


def _list(*choices: str) -> Column:
    return Column(_words(*choices), [])


KINDS = (
    Kind(
        "bill_groups",
        "bill_groups",
        ("bill_group",),
        {
            "bill_group": Column(),
            "name": _TEXT,
            "issuer": Column(),
            "currency": Column(),
            "automated": _NO,
            "instructions": _list(*INSTRUCTIONS),
            "max_batch": Column(read_whole, 200),
            "ceiling": Column(read_number, None),
            "strict": _NO,
            "checks_off": _list(),
            "severities": Column(_severities, []),
            "due_days": Column(read_whole, 16),
            "calendar": Column(_calendar, None),
            "without_charges": _NO,
            "review_samples": _NO,
            **PERIOD,
        },
    ),
    Kind(
        "bill_cycles",
        "bill_cycles",
        ("bill_group", "cycle"),
        {
            "bill_group": Column(),
            "cycle": Column(),
            "estimate_from": Column(read_day),
            "read_on": Column(read_day),
            "invoice_date": Column(read_day),
            **PERIOD,
        },
    ),
    Kind(
        "accounts",
        "accounts",
        ("account",),
        {
            "account": Column(),
            "bill_group": Column(),
            "customer_class": _TEXT,
            "billing_model": Column(read_one_of(*MODELS), MODELS[0]),
            "delivery": Column(read_one_of("paper", "email", "both", "none"), "paper"),
            "tax_codes": _list(),
            "is_taxed": Column(read_yes, default=True),
            "exempt_until": Column(read_day, None),
            "plan": Column(read_one_of("none", "budget", "average"), "none"),
            "language": Column(str, "en"),
            "address_fault": _TEXT,
            "address_since": Column(read_day, None),
            "email_bounces": Column(read_whole, 0),
            "status": Column(read_one_of("active", "ending", "ended"), "active"),
            **PERIOD,
        },
    ),
    Kind(
        "agreements",
        "agreements",
        ("point",),
        {
            "point": Column(),
            "account": Column(),
            "tariff": Column(),
            "rate_class": _TEXT,
            "needs_approval": _NO,
            "channels": Column(_channels, []),
            "calendar": Column(_calendar, None),
            **PERIOD,
        },
    ),
    Kind(
        "tax_exemptions",
        "tax_exemptions",
        ("account", "tax"),
        {
            "account": Column(),
            "tax": Column(),
            "percent": Column(read_number, Decimal(100)),
            "certificate": _TEXT,
            **PERIOD,
        },
    ),
    Kind("billed_elsewhere", "billed_elsewhere", ("point",), {"point": Column(), "issuer": Column(), **PERIOD}),
)
"""All of it, in the order in which it is loaded."""
