"""The worked examples that ship with the package, and what they must come to."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from billing_assets.invoicing import rating
from billing_assets.invoicing.rating.case_json import Case, read_case
from billing_assets.invoicing.rating.rate import rate
from billing_assets.invoicing.rating.rated import Rated
from billing_assets.invoicing.rating.strict_json import read_strict

FOLDER = Path(rating.__file__).parent / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
WORKED: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "data" / "tariffs" / "worked.json").read_text(encoding="utf-8")
)


def example(name: str) -> dict[str, Any]:
    """A case as JSON."""
    found = read_strict((FOLDER / f"{name}.json").read_bytes())
    assert isinstance(found, dict)
    return found


def rated(case: dict[str, Any]) -> Rated:
    """What a case in JSON comes to."""
    return rated_case(read_case(case))


def rated_case(case: Case) -> Rated:
    """What a case comes to."""
    return rate(case.tariff, case.usage, case.period, case.context)


def amounts(numbers: list[Any]) -> list[Decimal]:
    """Sorted decimals."""
    return sorted(map(Decimal, numbers))
