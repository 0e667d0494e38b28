"""One message per cause within the window, whoever looks and whatever dies."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from billing_assets.foundation.alerts import Alert, Severity
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.operations.alerts import store

NOW = datetime(2010, 12, 1, 12, 0, tzinfo=UTC)
WINDOW = 60.0


def alert(cause: str = "stale_lock") -> Alert:
    return Alert(cause, "A title", "It happened.", 3, (), "Fix it.", "http://ui/runs/1", Severity.WARNING)


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


@pytest.fixture
def watchers(state_url: str) -> Iterator[list[Connection]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect(state_url)) for _ in range(8)]


def test_of_many_watchers_at_once_exactly_one_sends(watchers: list[Connection]) -> None:
    with ThreadPoolExecutor(len(watchers)) as pool:
        for number in range(20):
            claims = list(pool.map(lambda c, n=number: store.claim(c, alert(f"cause {n}"), WINDOW, NOW), watchers))
            assert sum(claim is not None for claim in claims) == 1
    row = watchers[0].execute("select min(repeats) as low, max(repeats) as high from billing.alerts").fetchone()
    assert row == {"low": 7, "high": 7}, "every watcher that was held back is counted"


def test_the_next_message_comes_after_the_window_and_knows_what_was_held_back(connection: Connection) -> None:
    first = store.claim(connection, alert(), WINDOW, NOW)
    assert first is not None
    assert (first.repeats, first.told_before) == (0, None)
    store.confirm(connection, first, NOW)
    assert store.claim(connection, alert(), WINDOW, later(5)) is None
    assert store.claim(connection, alert(), WINDOW, later(59.9)) is None
    second = store.claim(connection, alert(), WINDOW, later(60))
    assert second is not None
    assert (second.repeats, second.told_before) == (2, NOW)
    store.confirm(connection, second, later(60))
    third = store.claim(connection, alert(), WINDOW, later(120))
    assert third is not None
    assert third.repeats == 0


def test_what_is_seen_while_a_message_is_on_its_way_is_told_in_the_next(connection: Connection) -> None:
    first = store.claim(connection, alert(), WINDOW, NOW)
    assert first is not None
    assert store.claim(connection, alert(), WINDOW, NOW) is None
    store.confirm(connection, first, NOW)
    second = store.claim(connection, alert(), WINDOW, later(60))
    assert second is not None
    assert second.repeats == 1


def test_another_cause_is_not_held_back(connection: Connection) -> None:
    first = store.claim(connection, alert(), WINDOW, NOW)
    assert first is not None
    store.confirm(connection, first, NOW)
    assert store.claim(connection, alert("another"), WINDOW, NOW) is not None


def test_a_claim_given_back_is_free_at_once_and_its_sighting_is_told(connection: Connection) -> None:
    first = store.claim(connection, alert(), WINDOW, NOW)
    assert first is not None
    store.give_back(connection, first)
    second = store.claim(connection, alert(), WINDOW, NOW)
    assert second is not None
    assert (second.repeats, second.told_before) == (1, None)


def test_a_watcher_that_died_while_sending_keeps_nobody_else_silent(connection: Connection) -> None:
    dead = store.claim(connection, alert(), WINDOW, NOW)
    assert dead is not None
    assert store.claim(connection, alert(), WINDOW, later(1)) is None
    heir = store.claim(connection, alert(), WINDOW, later(2))
    assert heir is not None
    store.give_back(connection, dead)
    store.confirm(connection, dead, later(2))
    assert store.claim(connection, alert(), WINDOW, later(2)) is None, "the dead one's late word changes nothing"
    store.confirm(connection, heir, later(2))
    assert store.claim(connection, alert(), WINDOW, later(61)) is None


def test_the_table_keeps_what_was_told_last(connection: Connection) -> None:
    assert store.claim(connection, alert(), WINDOW, NOW) is not None
    row = connection.execute("select title, message, severity, last_seen_at from billing.alerts").fetchone()
    assert row is not None
    assert (row["title"], row["severity"], row["last_seen_at"]) == ("A title", "warning", NOW)
    assert "What to do: Fix it." in row["message"]
