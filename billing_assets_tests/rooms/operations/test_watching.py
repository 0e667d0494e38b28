"""What watches over the processes outlives everything that it watches."""

from pathlib import Path

import psycopg
import pytest
import structlog.testing
from psycopg import sql
from sqlalchemy import make_url

from billing_assets.foundation.database.connection import libpq_url
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings
from billing_assets.operations.daemon_health import keep_up
from billing_assets.operations.environment import prepare


def test_a_database_that_takes_no_connection_does_not_end_the_watch(
    state_url: str, server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody took every connection, and `billing up` ended with a traceback and all its runs with it."""
    for name in ("BILLING_DATABASE_URL", "DAGSTER_HOME", "DAGSTER_POSTGRES_URL"):
        monkeypatch.setenv(name, state_url)  # put back at the end, whatever `prepare` sets
    monkeypatch.setenv("BILLING_HOME", str(tmp_path))
    prepared = prepare(Runtime(load_settings()))
    # Dagster tries again for twelve seconds, and here it is in vain.
    monkeypatch.setattr("dagster_postgres.utils.calculate_delay", lambda **_: 0.0)
    ours = sql.Identifier(make_url(state_url).database or "")
    with psycopg.connect(libpq_url(server_url), autocommit=True) as other:
        other.execute(sql.SQL("alter database {} allow_connections false").format(ours))
        with structlog.testing.capture_logs() as logs:
            keep_up(prepared, [])
    assert [one["event"] for one in logs] == ["database_not_answering"]
