"""The one place where invoices meet the engine that rates."""

from typing import Any

from billing_assets.invoicing.rating.case_json import read_case
from billing_assets.invoicing.rating.rate import rate
from billing_assets.invoicing.rating.rated_json import as_json
from billing_assets.invoicing.rating.strict_json import FormatError


def rate_case(case: dict[str, Any]) -> dict[str, Any]:
    """Rates a case: JSON in, JSON out, as docs/tariff-format.md says. A tariff was checked when it was loaded; a case
    that cannot be read is a finding of its own."""
    try:
        read = read_case(case)
    except FormatError as error:
        finding = {"code": "CASE", "severity": "error", "path": "", "value": "", "sentence": str(error)}
        return {"lines": None, "taxes": None, "net": None, "tax": None, "total": None, "findings": [finding]}
    return as_json(rate(read.tariff, read.usage, read.period, read.context))
