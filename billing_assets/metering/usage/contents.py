"""From what a set says to the facts that the machine works with. Plain functions, no database."""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing_assets.metering.import_engine.messages import Severity
from billing_assets.metering.import_engine.x12_sets.charges import FINAL, MISCELLANEOUS
from billing_assets.metering.import_engine.x12_sets.codes import CODES as READER_CODES
from billing_assets.metering.usage.facts import Fact
from billing_assets.metering.usage.states import Kind, Purpose

KINDS = {"867": Kind.USAGE, "810": Kind.CHARGES}
"""The sets that are usage and charges."""

ENERGY = "KH"
"""MEA04 of the quantity that is billed: kWh."""

_OF_THE_COPY = frozenset({"issued_on", "position", "line"})
"""What may differ between two copies of one message: its own date, and where it is in its file."""


def fact_of(
    message: int,
    set_type: str,
    content: Mapping[str, Any],
    codes: Collection[str],
    arrived_at: datetime,
    sent_at: datetime | None = None,
    control: str = "",
) -> Fact | None:
    """The facts of an 867 or 810; None where it is neither usage nor charges, as an 867 with reads only.

    `content`: as JSON has it. `codes`: of its reader, warnings too. `sent_at`: of its interchange; by default the day
    on which the message was issued.
    """
    kind = KINDS[set_type]
    purpose = next((one for one in Purpose if one == content["purpose"]), None)
    if purpose is None or content["kind"] == "reads":
        return None
    if sent_at is None and content["issued_on"]:
        sent_at = datetime.fromisoformat(f"{content['issued_on']}T00:00Z")
    return Fact(
        message,
        kind,
        content["id"],
        purpose,
        content["refers_to"],
        content["point"] or f"unknown {message}",  # settled alone: a person rejects it
        _day(content["start"]),
        _day(content["end"]),
        content_hash(content),
        sent_at or arrived_at.astimezone(UTC),
        arrived_at,
        _amount(kind, content),
        kind is Kind.USAGE and bool(content["is_estimated"]),
        bool(content["is_final"]) if kind is Kind.USAGE else content["kind"] == FINAL,
        content["cross_reference"] if kind is Kind.CHARGES else "",
        kind is Kind.CHARGES and content["kind"] == MISCELLANEOUS,
        tuple(code for code in codes if code in READER_CODES and READER_CODES[code].severity is Severity.HOLD),
        control,
        content["utility"],
    )


def content_hash(content: Mapping[str, Any]) -> str:
    """Equal for two copies of one message, whenever and in whatever file they were sent."""
    text = json.dumps(_without_copy(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _without_copy(found: Any) -> Any:
    if isinstance(found, Mapping):
        return {name: _without_copy(value) for name, value in found.items() if name not in _OF_THE_COPY}
    if isinstance(found, list | tuple):
        return [_without_copy(one) for one in found]
    return found


def _amount(kind: Kind, content: Mapping[str, Any]) -> Decimal:
    if kind is Kind.USAGE:
        return Decimal(content["quantities"].get(ENERGY, 0))
    return Decimal(content["total"] or 0).scaleb(-2)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
