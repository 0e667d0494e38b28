"""The chapter for billing operations: each of its commands does what it says, in the order of the chapter."""

import re
import shlex
from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches import codes
from billing_assets.invoicing.invoices import errors, quality
from billing_assets_tests.docs_tables import ROOT
from billing_assets_tests.rooms.invoicing.customers import customers, metered
from proving.world.command import Said, call

CHAPTER = ROOT / "docs" / "billing.md"


def commands() -> list[list[str]]:
    """The commands of the chapter, in its order."""
    blocks = re.findall(r"^```sh\n(.*?)^```", CHAPTER.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


@pytest.fixture
def told(
    capsys: pytest.CaptureFixture[str],
    state: Connection,
    state_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> list[tuple[list[str], Said]]:
    """What each command said: three customers, the first with days before its usage, the second with a large bill."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "master").mkdir()
    customers(state, tmp_path / "master", 1, 2, 3, ceiling="400")
    state.execute(
        "insert into billing.supply_periods (point, account, valid_from) "
        "select point, account, '2026-01-01' from billing.supply_periods where account = 'A1'"
    )
    state.execute(
        "update billing.supply_periods set replaced_at = now() where account = 'A1' and valid_from > '2026-01-01'"
    )
    for number, kwh in ((1, 1000), (2, 2000), (3, 900)):
        metered(state, number, amount=kwh)
    variables = {
        "BILLING_HOME": str(tmp_path / "home"),
        "BILLING_DATABASE_URL": state_url,
        "BILLING_AREAS": "invoicing,metering",
        "COLUMNS": "200",
    }
    return [(arguments, call(capsys, variables, *arguments)) for _, *arguments in commands()]


def test_each_command_of_the_chapter_is_done(told: list[tuple[list[str], Said]]) -> None:
    for arguments, said in told:
        assert said.code == 0, (arguments, said)
    words = {" ".join(arguments[1:3]): said.words for arguments, said in told}
    assert "PERIOD_GAP" in words["findings 1"]
    assert "2 issued, ACME2600000001 to ACME2600000002" in words["issue 1"]
    assert "1 issued, ACME2600000003" in words["issue 2"]
    assert "The same bytes come out" in words["explain ACME2600000001"]
    assert "Every kWh is on one live invoice or in one explained place." in words["every-kwh --from"]


def test_every_command_of_billing_operations_is_in_the_chapter() -> None:
    text = CHAPTER.read_text(encoding="utf-8")
    wanted = (
        "groups lock validate findings fix waive take-out bill-estimated invoice retry issue generate cancel rebill"
    )
    for name in [*wanted.split(), "status", "explain", "daily-report", "every-kwh"]:
        assert f"billing invoicing {name}" in text, name


def test_each_code_has_a_row_in_the_chapter_of_codes() -> None:
    text = CHAPTER.with_name("invoicing-codes.md").read_text(encoding="utf-8")
    for code in (*codes.CODES, *quality.CODES, *errors.CODES):
        assert f"| `{code}` |" in text, code
