"""Small cases to change in tests: parts of the format as a person writes them."""

from collections.abc import Sequence
from typing import Any

JUNE = {"from": "2026-06-01", "to": "2026-07-01"}
ALL_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def charge(code: str, kind: str, version: dict[str, Any] | list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A charge; versions are valid from 2025 on unless they say something else."""
    versions = version if isinstance(version, list) else [version]
    return {"code": code, "kind": kind, "versions": [{"valid_from": "2025-01-01", **one} for one in versions], **more}


def register(quantity: str, **more: Any) -> dict[str, Any]:
    """A register of June."""
    return {"quantity": quantity, **JUNE, **more}


def window(name: str, begins: str, ends: str, price: str, days: list[str] | None = None) -> dict[str, Any]:
    """A window of every day."""
    return {"name": name, "days": days or ALL_DAYS, "from": begins, "to": ends, "price": price}


def hours(values: Sequence[str | None], **more: Any) -> dict[str, Any]:
    """Hours from the first of June on, in UTC."""
    return {"start": "2026-06-01T00:00:00Z", "minutes": 60, "values": values, **more}


def case(
    *charges: dict[str, Any],
    usage: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    period: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A case of June in Australian dollars."""
    return {
        "tariff": {"code": "T", "currency": "AUD", "charges": list(charges)},
        "usage": usage or {},
        "period": period or JUNE,
        "context": context or {},
    }


ENERGY = charge("energy", "usage", {"price": "0.30"})
DAY_AND_NIGHT = charge(
    "energy", "tou", {"windows": [window("day", "07:00", "22:00", "0.30"), window("night", "22:00", "07:00", "0.10")]}
)
DEMAND = charge("demand", "demand", {"price": "10", "ratchet": {"percent": "80", "periods": 3}})
INDEX = charge("energy", "index", {"series": "RTM", "profile": "HOME"})
"""Charges that several tests use."""
