"""The chapter for the tariff analyst: each of its commands does what it says, in the order of the chapter."""

import json
import re
import shlex
from pathlib import Path

import pytest

from billing_assets_tests.docs_tables import ROOT
from proving.world.command import call

FLAT = {
    "code": "FLAT",
    "name": "Flat rate",
    "currency": "AUD",
    "charges": [
        {
            "code": "supply",
            "kind": "fixed_daily",
            "bill_text": "Supply",
            "tax_category": "GST",
            "versions": [{"valid_from": "2026-01-01", "price": "0.9803"}],
        },
        {
            "code": "usage",
            "kind": "usage",
            "bill_text": "Usage",
            "tax_category": "GST",
            "versions": [
                {"valid_from": "2026-01-01", "valid_to": "2026-07-01", "price": "0.3968"},
                {"valid_from": "2026-07-01", "price": "0.4110"},
            ],
        },
        {
            "code": "gst",
            "kind": "tax",
            "bill_text": "GST",
            "applies_to": {"tax_categories": ["GST"]},
            "versions": [{"valid_from": "2026-01-01", "rate": "0.10"}],
        },
    ],
}
CASE = {
    "tariff": FLAT,
    "usage": {"registers": [{"quantity": "325.2", "from": "2026-03-01", "to": "2026-04-01"}]},
    "period": {"from": "2026-03-01", "to": "2026-04-01"},
    "context": {"time_zone": "Australia/Sydney"},
}


def commands() -> list[list[str]]:
    """The commands of the chapter, in its order."""
    text = (ROOT / "docs" / "tariffs.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_each_command_of_the_chapter_is_done(
    capsys: pytest.CaptureFixture[str], state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flat.json").write_text(json.dumps(FLAT), encoding="utf-8")
    (tmp_path / "case.json").write_text(json.dumps(CASE), encoding="utf-8")
    (tmp_path / "spot.csv").write_text("start,price\n2026-04-12T00:00:00Z,21.35\n", encoding="utf-8")
    (tmp_path / "homes.csv").write_text("start,weight\n2026-04-12T00:00:00Z,0.8\n", encoding="utf-8")
    variables = {
        "BILLING_HOME": str(tmp_path / "home"),
        "BILLING_DATABASE_URL": state_url,
        "BILLING_AREAS": "invoicing",
        "COLUMNS": "200",
    }
    told = {}
    for program, *arguments in commands():
        assert program == "billing"
        said = call(capsys, variables, *arguments)
        assert said.code == 0, (arguments, said)
        told[" ".join(arguments[:3])] = said.words
    assert {"tariffs check flat.json", "tariffs load flat.xlsx", "rate case.json --json"} <= told.keys()
    assert "Version 2 of FLAT" in told["tariffs load flat.xlsx"]
    assert json.loads(told["rate case.json --json"])["total"] == "175.37"
