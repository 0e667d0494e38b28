"""Foreign tariffs that ship with the tests, read as a case reads them."""

from pathlib import Path
from typing import Any

from billing_assets.invoicing.rating.importers.foreign import read_json
from billing_assets_tests import data

FOLDER = Path(data.__file__).parent / "tariffs-foreign"
RATES = sorted(path.stem for path in (FOLDER / "urdb").glob("*.json"))
PLANS = sorted(path.stem for path in (FOLDER / "cdr-plans-made").glob("*.json"))


def rate_of(name: str) -> dict[str, Any]:
    """A rate of URDB."""
    found: dict[str, Any] = read_json((FOLDER / "urdb" / f"{name}.json").read_bytes())
    return found


def plan_of(name: str) -> dict[str, Any]:
    """A CDR plan, as it is downloaded."""
    found: dict[str, Any] = read_json((FOLDER / "cdr-plans-made" / f"{name}.json").read_bytes())
    return found


def charge(tariff: dict[str, Any], code: str) -> dict[str, Any]:
    """The charge of this code."""
    (found,) = [one for one in tariff["charges"] if one["code"] == code]
    return dict(found)


def version(tariff: dict[str, Any], code: str) -> dict[str, Any]:
    """The one version of a charge."""
    (found,) = charge(tariff, code)["versions"]
    return dict(found)
