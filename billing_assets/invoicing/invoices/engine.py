"""The one place where invoices meet the engine that rates."""

from typing import Any

from billing_assets.foundation.errors import BillingError


class NoEngineError(BillingError):
    """This version cannot rate."""

    retryable = True


def rate_case(case: dict[str, Any]) -> dict[str, Any]:
    """Rates a case: JSON in, JSON out, as docs/tariff-format.md says. Raises NoEngineError."""
    code = case["tariff"]["code"]
    raise NoEngineError(f"Tariff {code} cannot be rated: this version has no rating engine. Nothing was invoiced.")
