"""A partner never misses a control number and never gets one twice, whatever fails between taking and sending."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest
from psycopg.errors import CheckViolation

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.x12.control_numbers import (
    ControlNumbersEndError,
    Kind,
    go_on_after,
    last_taken,
    take,
)
from billing_assets.foundation.x12.writer import LAST_CONTROL

_ISA, _GS = Kind.INTERCHANGE, Kind.GROUP


@pytest.fixture
def connection(state_url: str) -> Iterator[Connection]:
    """A connection, and a table of what was stored, as the room that sends has one."""
    with connect(state_url) as found:
        found.execute("create table public.sent (partner text, control bigint, primary key (partner, control))")
        yield found


def _send(connection: Connection, partner: str) -> int:
    (control,) = take(connection, partner, _ISA)
    connection.execute("insert into public.sent values (%s, %s)", [partner, control])
    return control


def _sent(connection: Connection, partner: str) -> list[int]:
    rows = connection.execute("select control from public.sent where partner = %s order by 1", [partner])
    return [row["control"] for row in rows.fetchall()]


def test_numbers_begin_at_one_and_count_up_for_each_partner_and_kind(connection: Connection) -> None:
    with connection.transaction():
        assert list(take(connection, "wires", _ISA)) == [1]
        assert list(take(connection, "wires", _GS, 3)) == [1, 2, 3]
    with connection.transaction():
        assert list(take(connection, "wires", _ISA)) == [2]
        assert list(take(connection, "wires", _GS)) == [4]
        assert list(take(connection, "city", _ISA)) == [1]
    assert [last_taken(connection, one, _ISA) for one in ("wires", "city", "other")] == [2, 1, 0]


def test_the_number_of_a_transaction_that_was_rolled_back_is_the_next_ones(connection: Connection) -> None:
    with connection.transaction():
        _send(connection, "wires")
    with connection.transaction(force_rollback=True):
        assert _send(connection, "wires") == 2
    with connection.transaction():
        assert _send(connection, "wires") == 2
    assert _sent(connection, "wires") == [1, 2]


def test_a_connection_that_dies_leaves_no_gap(connection: Connection, state_url: str) -> None:
    with connect(state_url) as dying, suppress(psycopg.OperationalError), dying.transaction():
        assert _send(dying, "wires") == 1
        connection.execute("select pg_terminate_backend(%s)", [dying.info.backend_pid])
    assert _sent(connection, "wires") == []
    with connection.transaction():
        assert _send(connection, "wires") == 1


def test_many_at_once_with_every_third_failing_leave_no_gap_and_no_double(
    connection: Connection, state_url: str
) -> None:
    together = threading.Barrier(6)

    def work(worker: int) -> list[int]:
        kept = []
        with connect(state_url) as mine:
            together.wait()
            for turn in range(20):
                with mine.transaction(force_rollback=(worker + turn) % 3 == 0):
                    control = _send(mine, "wires")
                if (worker + turn) % 3:
                    kept.append(control)
        return kept

    with ThreadPoolExecutor(6) as pool:
        kept = [control for one in pool.map(work, range(6)) for control in one]
    assert len(kept) == 80
    assert sorted(kept) == list(range(1, 81))
    assert _sent(connection, "wires") == list(range(1, 81))
    assert last_taken(connection, "wires", _ISA) == 80


def test_partners_do_not_wait_for_each_other(connection: Connection, state_url: str) -> None:
    with connect(state_url, settings={"lock_timeout": "5s"}) as other, connection.transaction():
        _send(connection, "wires")
        with other.transaction():
            assert _send(other, "city") == 1


def test_a_number_is_never_taken_outside_of_a_transaction(connection: Connection) -> None:
    with pytest.raises(RuntimeError, match="in the transaction"):
        take(connection, "wires", _ISA)
    assert last_taken(connection, "wires", _ISA) == 0


def test_numbers_go_on_behind_what_another_system_sent_and_never_go_back(connection: Connection) -> None:
    assert go_on_after(connection, "wires", _ISA, 4_710) == 4_710
    with connection.transaction():
        assert _send(connection, "wires") == 4_711
    assert go_on_after(connection, "wires", _ISA, 12) == 4_711
    for statement in (
        "update billing.x12_control_numbers set last = 1",
        "update billing.x12_control_numbers set partner = 'city'",
        "delete from billing.x12_control_numbers",
        "truncate billing.x12_control_numbers",
    ):
        with pytest.raises(CheckViolation):
            connection.execute(statement)


def test_after_the_last_number_nothing_is_sent_under_a_wrong_one(connection: Connection) -> None:
    go_on_after(connection, "wires", _ISA, LAST_CONTROL - 1)
    with connection.transaction():
        assert _send(connection, "wires") == LAST_CONTROL
    with pytest.raises(ControlNumbersEndError), connection.transaction():
        _send(connection, "wires")
    assert last_taken(connection, "wires", _ISA) == LAST_CONTROL
    for odd in (0, -1, LAST_CONTROL):
        with pytest.raises(ControlNumbersEndError):
            go_on_after(connection, "wires", _ISA, odd)
