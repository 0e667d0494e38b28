"""A database from before 0.1.0, whose migrations were all in one folder, is refused everywhere with what to do."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.database.refusals import DatabaseUnfit
from billing_assets.foundation.shipped import shipped
from proving.world.command import call, complete

ROOT = Path(__file__).parents[4]
TO_DO = "make a new, empty database"
# Of each command group one. `billing files` goes on: it only shows the packs that are there.
COMMANDS = (
    ("init",),
    ("doctor",),
    ("status",),
    ("run",),
    ("up",),
    ("unlock",),
    ("retention",),
    ("held",),
    ("move", "list"),
    ("close", "history"),
    ("restore", "list"),
    ("receivables",),
    ("voids", "list"),
    ("audit", "export", "{folder}/queue.csv"),
    ("reminders", "list"),
)


@pytest.fixture
def before(database: str) -> str:
    """What such a database says of itself."""
    with connect(database) as connection:
        connection.execute(
            """
            create schema billing;
            create table billing.schema_migrations (
                name text primary key, sha256 text not null, applied_at timestamptz not null default now());
            insert into billing.schema_migrations (name, sha256)
            values ('0001_billing.sql', '5f'), ('0002_leases.sql', '6e')
            """
        )
    return database


@pytest.fixture
def variables(before: str, tmp_path: Path) -> Mapping[str, str]:
    return {"BILLING_HOME": str(tmp_path / "home"), "BILLING_DATABASE_URL": before}


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_is_and_what_to_do(
    capsys: pytest.CaptureFixture[str], variables: Mapping[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    said = call(capsys, variables, *(one.format(folder=tmp_path) for one in arguments))
    complete(said, 2, ["development version before 0.1.0", TO_DO, "confirm-transactions", "Keep the old database"])


def test_nothing_in_it_is_touched_and_the_guide_has_the_steps(before: str) -> None:
    with pytest.raises(DatabaseUnfit, match=TO_DO) as refused:
        migrate(before, shipped("sql/state"))
    with connect(before) as connection:
        tables = connection.execute("select count(*) as n from pg_tables where schemaname = 'billing'").fetchone()
    assert tables == {"n": 1}
    assert "docs/operations.md#a-database-from-before-010" in str(refused.value)
    assert "\n### A database from before 0.1.0\n" in (ROOT / "docs/operations.md").read_text(encoding="utf-8")
