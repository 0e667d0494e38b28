"""A rated bill as JSON, and back."""

import json
from pathlib import Path

import pytest

from billing_assets.invoicing import rating
from billing_assets.invoicing.rating.cases import rate_text
from billing_assets.invoicing.rating.rated_json import as_json, from_json

EXAMPLES = sorted((Path(rating.__file__).parent / "examples").glob("*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda one: one.stem)
def test_what_is_stored_of_a_bill_is_the_whole_bill(path: Path) -> None:
    rated = rate_text(path.read_bytes())
    assert from_json(as_json(rated)) == rated


def test_a_refused_bill_keeps_why() -> None:
    case = json.loads(EXAMPLES[0].read_text()) | {"period": {"from": "2019-01-01", "to": "2019-02-01"}, "usage": {}}
    rated = rate_text(json.dumps(case))
    assert rated.totals is None
    assert rated.findings
    assert from_json(as_json(rated)) == rated
