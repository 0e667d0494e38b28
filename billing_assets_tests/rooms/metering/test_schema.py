"""What the schema refuses: raw files, messages and readings keep what they say."""

import hashlib

import psycopg
import pytest

from billing_assets.foundation.database.connection import Connection

READING = """
    insert into billing.interval_readings (stream, day, message, starts_at, length_seconds, values, decimals, unit,
        quality, content_hash, state)
    values (1, '2026-07-01', 1, '2026-06-30T14:00Z', 1800, '{1,2}', 3, 'KWH', 'A', 'x', 'current')"""


def one_of_each(state: Connection) -> None:
    """A file, its bytes, a message, a reading."""
    state.execute(
        "insert into billing.raw_files (name, channel, size, sha256) values ('a.csv', 'command', 3, %s)",
        [hashlib.sha256(b"abc").digest()],
    )
    state.execute("insert into billing.raw_chunks (file, number, content) values (1, 0, 'abc')")
    state.execute(
        "insert into billing.raw_findings (file, reading, number, code, sentence, severity) "
        "values (1, 1, 1, 'W-X', 'A sentence.', 'warn')"
    )
    state.execute(
        "insert into billing.raw_messages (file, type, line, content_hash, state) "
        "values (1, 'interval', 3, 'x', 'ready')"
    )
    state.execute("select billing.open_reading_month('interval_readings', '2026-07-01')")
    state.execute("select billing.open_reading_month('interval_readings', '2026-07-31')")
    state.execute(READING)


@pytest.mark.parametrize(
    "statement",
    [
        "update billing.raw_files set sha256 = sha256(sha256)",
        "update billing.raw_files set kept = 1",
        "update billing.raw_files set name = 'b.csv'",
        "delete from billing.raw_files",
        "update billing.raw_chunks set content = 'abd'",
        "delete from billing.raw_chunks",
        "update billing.raw_findings set sentence = 'Another.'",
        "delete from billing.raw_findings",
        "update billing.raw_messages set quantity = 7",
        "update billing.raw_messages set state = 'held'",
        "delete from billing.raw_messages",
        "update billing.interval_readings set values = '{1,3}'",
        "update billing.interval_readings set quality = 'S14'",
        "update billing.interval_readings_2026_07 set values = '{1,3}'",
        "delete from billing.interval_readings",
        "delete from billing.interval_readings_2026_07",
        "truncate billing.interval_readings",
        READING.replace("'current'", "'held'"),
    ],
)
def test_nothing_that_came_is_changed_or_dropped(state: Connection, statement: str) -> None:
    one_of_each(state)
    with pytest.raises(psycopg.errors.CheckViolation):
        state.execute(statement.encode())


def test_a_message_keeps_the_states_that_it_was_in(state: Connection) -> None:
    one_of_each(state)
    state.execute("update billing.raw_messages set state = 'held', code = 'X', sentence = 'Held for a reason.'")
    state.execute("update billing.raw_messages set state = 'rejected', code = null, sentence = null")
    with pytest.raises(psycopg.errors.CheckViolation):
        state.execute("update billing.raw_messages set state = 'ready'")
    was = state.execute("select state, code from billing.message_states order by id").fetchall()
    assert [tuple(one.values()) for one in was] == [("ready", None), ("held", "X")]


def test_a_refused_file_may_be_read_again_and_no_other(state: Connection) -> None:
    one_of_each(state)
    change = "update billing.raw_files set state = %s, decided_at = case when %s <> 'received' then now() end"
    for after in ("refused", "received", "accepted"):
        state.execute(change.encode(), [after, after])
    with pytest.raises(psycopg.errors.CheckViolation):
        state.execute(change.encode(), ["received", "received"])


def test_a_row_of_master_data_is_replaced_and_never_changed(state: Connection) -> None:
    state.execute("insert into billing.service_points (point, valid_from) values ('NMI0000001', '2026-01-01')")
    with pytest.raises(psycopg.errors.CheckViolation):
        state.execute("update billing.service_points set class = 'large'")
    state.execute("update billing.service_points set replaced_at = now()")
    with pytest.raises(psycopg.errors.CheckViolation):
        state.execute("update billing.service_points set replaced_at = null")
