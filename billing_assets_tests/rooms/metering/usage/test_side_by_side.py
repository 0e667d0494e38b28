"""Several workers at once, some of them killed: the tables are those of the pure machine, to the digit."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.metering.usage import store
from billing_assets.metering.usage.facts import Decided, Fact
from billing_assets.metering.usage.machine import settle_points
from billing_assets_tests.rooms.metering.blocks import supply
from billing_assets_tests.rooms.metering.usage.arriving import arrive
from billing_assets_tests.unit.metering.usage.messages import charges, usage
from billing_assets_tests.unit.metering.usage.test_any_order import NOW, interchanges
from proving.world.waiting import until

_example = count(1)


class KilledError(Exception):
    """A worker was killed here."""


def own(facts: Iterable[Fact], mark: str) -> list[Fact]:
    """The same messages under ids and points of their own, so that many examples share a database."""
    return [
        one._replace(
            id=f"{mark}{one.id}",
            point=f"{mark}{one.point}",
            refers_to=one.refers_to and f"{mark}{one.refers_to}",
            cross_reference=one.cross_reference and f"{mark}{one.cross_reference}",
        )
        for one in facts
    ]


def work(url: str, facts: Sequence[Fact], kills: Sequence[str]) -> list[Fact]:
    """A worker: takes in and settles, interchange by interchange; `kills` says where it dies each time."""
    kept = []
    with connect(url) as connection:
        for place, one in enumerate(facts):
            kill = kills[place % len(kills)] if kills else ""
            if kill == "before commit":
                with suppress(KilledError), connection.transaction():
                    arrive(connection, [one])
                    store.settle(connection, [one.point], now=NOW)
                    raise KilledError
            if kill == "between":
                kept += arrive(connection, [one])
                continue
            with connection.transaction():
                kept += arrive(connection, [one])
                store.settle(connection, [one.point], now=NOW)
    return kept


def differences(connection: Connection, facts: Iterable[Fact]) -> list[object]:
    """Where the tables are not what the pure machine says of the same messages."""
    found: list[object] = []
    for point, settled in settle_points(facts, NOW, Decided()).items():
        rows = connection.execute(
            """
            select message, state, codes, other, since, is_live, gap_from, replaces, cancelled_by
            from billing.usage_messages where point = %s""",
            [point],
        ).fetchall()
        ours = {row["message"]: tuple(row.values())[1:] for row in rows}
        wanted = {number: (str(one.state), list(one.codes), *one[2:]) for number, one in settled.outcomes.items()}
        found += [(number, ours.get(number), one) for number, one in wanted.items() if ours.get(number) != one]
        pairs = connection.execute(
            "select usage, charges, found_by, state = 'suggested' as suggested from billing.usage_pairs "
            "where state <> 'ended' and usage = any(%s)",
            [list(ours)],
        ).fetchall()
        if sorted(tuple(row.values()) for row in pairs) != sorted(
            (*one[:2], str(one.by), one.suggested) for one in settled.pairs
        ):
            found.append((point, pairs, settled.pairs))
    return found


@given(
    interchanges(),
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from(["", "", "before commit", "between"]), max_size=4),
)
@settings(
    max_examples=8,
    phases=(Phase.explicit, Phase.generate),  # two workers never do the same twice: there is nothing to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_two_workers_end_where_one_would(
    state_url: str, made: list[list[Fact]], chance: object, kills: list[str]
) -> None:
    facts = own((one for sets in made for one in sets), f"E{next(_example)}-")
    chance.shuffle(facts)  # type: ignore[attr-defined]
    with connect(state_url) as connection:
        supply(connection, *sorted({one.point for one in facts}))
    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(work, state_url, facts[place::2], kills) for place in range(2)]
        kept = [one for worker in workers for one in worker.result()]
    with connect(state_url) as connection:
        store.settle_what_waits(connection, now=NOW)
        assert differences(connection, kept) == []
        row = connection.execute(
            "select count(*) as messages from billing.usage_messages where point = any(%s)",
            [sorted({one.point for one in facts})],
        ).fetchone()
        assert row == {"messages": len(facts)}, "none lost, none twice"


@pytest.fixture
def other(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as connection:
        yield connection


@pytest.mark.parametrize("usage_first", [True, False])
def test_usage_and_the_charges_of_another_point_that_name_it_arrive_at_once(
    state: Connection, other: Connection, usage_first: bool
) -> None:
    theirs, ours = usage("U1", point="10032780000000059"), charges("I1", names="U1")
    kept = at_once(state, other, *((theirs, ours) if usage_first else (ours, theirs)))
    assert differences(state, kept) == []
    codes = state.execute("select codes from billing.usage_messages where kind = 'charges'").fetchall()
    assert codes == [{"codes": ["PAIR_ESI"]}]


def test_usage_and_charges_of_one_point_that_arrive_at_once_are_a_pair(state: Connection, other: Connection) -> None:
    kept = at_once(state, other, usage("U1"), charges("I1"))
    assert differences(state, kept) == []
    states = state.execute("select distinct state from billing.usage_messages").fetchall()
    assert states == [{"state": "ready"}]


def at_once(state: Connection, other: Connection, first: Fact, second: Fact) -> list[Fact]:
    """Two workers: the second settles its message while the first has not committed, and waits for it."""
    kept: list[Fact] = []

    def settle_second() -> None:
        with other.transaction():
            kept.extend(arrive(other, [second]))
            store.settle(other, [second.point], now=NOW)

    with state.transaction():
        kept += arrive(state, [first])
        store.settle(state, [first.point], now=NOW)
        thread = threading.Thread(target=settle_second)
        thread.start()
        waits_for_lock(state, other)
    thread.join()
    return kept


def waits_for_lock(connection: Connection, other: Connection) -> None:
    """Until the other connection waits for a lock of this one."""
    blocked = "select pg_backend_pid() = any(pg_blocking_pids(%s)) as waits"
    until(
        lambda: connection.execute(blocked, [other.info.backend_pid]).fetchall()[0]["waits"],
        "it does not wait for the other",
    )


def test_what_is_billed_while_its_cancel_arrives_is_either_billed_or_cancelled(
    state: Connection, other: Connection
) -> None:
    one, bill = arrive(state, [usage("U1"), charges("I1", names="U1")])
    store.settle(state, [one.point], now=NOW)
    refused: list[Exception] = []

    def invoice() -> None:
        try:
            store.note_billed(other, [one.message, bill.message], "INV-1", now=NOW)
        except psycopg.errors.CheckViolation as error:
            refused.append(error)

    with state.transaction():
        arrive(state, [usage("X1", "01", of="U1"), charges("Y1", "01", of="I1")])
        store.settle(state, [one.point], now=NOW)
        thread = threading.Thread(target=invoice)
        thread.start()
        waits_for_lock(state, other)
    thread.join()
    assert len(refused) == 1
    assert state.execute("select from billing.usage_billed").fetchall() == []
