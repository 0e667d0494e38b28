"""Versions of readings in the database: what counts is what the rules say, whatever came first."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.arrivals import Arrival, MessageState, content_hash, period, quantity
from billing_assets.metering.import_engine.messages import IntervalBlock, RegisterRead
from billing_assets.metering.readings import intake as intake_module
from billing_assets.metering.readings import store
from billing_assets.metering.readings.intake import Intake, decide, free_waiting
from billing_assets.metering.readings.store import INTERVALS, Table
from billing_assets.metering.readings.streams import StreamKey, version_of
from billing_assets.metering.readings.versions import resolve
from billing_assets_tests.rooms.metering.blocks import DAY, JUNE, block, register, supply

POINT = "NMI0000001"
MESSAGES = count(1)


def take(state: Connection, *blocks: IntervalBlock | RegisterRead, made: int = 1) -> list[MessageState]:
    """Takes them in, each a message of its own that was made on a day of June."""
    arrivals = [Arrival(next(MESSAGES), one, JUNE + timedelta(days=made)) for one in blocks]
    with state.transaction():
        return Intake(state).take_in(arrivals)


def counts(state: Connection, point: str = POINT, suffix: str = "E1") -> list[list[Any]]:
    """What counts of a stream: values, quality, parts."""
    with state.transaction():
        stream = store.lock_streams(state, [StreamKey(point, suffix, "")])[StreamKey(point, suffix, "")].id
    found = store.current(state, stream, DAY - timedelta(days=40), DAY + timedelta(days=40))
    return [[one.values.tolist(), one.quality, one.parts] for one in found]


def said(states: list[MessageState]) -> list[tuple[str, str | None]]:
    """The states alone."""
    return [(one.state, one.code) for one in states]


def free(state: Connection) -> list[MessageState]:
    """Frees what waits, some streams at a time."""
    found: list[MessageState] = []
    for table in Table:
        after: int | None = 0
        while after is not None:
            freed = free_waiting(state, table, after)
            found, after = found + freed.states, freed.last
    return found


def test_a_reading_comes_back_as_it_came(state: Connection) -> None:
    supply(state, POINT)
    big = block(values=(0, 2**47, 10**12 + 7, 4), runs=("A", "A", "S14", "N"), quality="V")
    assert said(take(state, big)) == [("ready", None)]
    (row,) = state.execute("select * from billing.interval_readings").fetchall()
    assert row["values"] == [0, 2**47, 10**12 + 7, 4]
    assert (row["decimals"], row["unit"], row["serial"], row["length_seconds"]) == (3, "KWH", "M1", 900)
    assert (row["starts_at"], row["updated_at"]) == (big.start, big.updated_at)
    assert [run[2] for run in row["runs"]] == ["A", "A", "S14", "N"]
    assert quantity(big) == Decimal(2**47 + 10**12 + 11).scaleb(-3)
    assert period(big)[1] == big.start + timedelta(hours=1)


def test_costs_and_register_reads_come_back_as_they_came(state: Connection) -> None:
    supply(state, POINT)
    priced = block()
    priced.costs, priced.currency = np.array([5, -3, 0, 7], np.int64), "AUD"
    read = register()
    read.quantity = Decimal("150.50")
    assert said(take(state, priced, read)) == [("ready", None), ("ready", None)]
    (row,) = state.execute("select costs, currency from billing.interval_readings").fetchall()
    assert (row["costs"], row["currency"]) == ([5, -3, 0, 7], "AUD")
    (row,) = state.execute("select * from billing.register_readings").fetchall()
    assert str(row["quantity"]) == "150.50"
    assert (row["begin_read"], row["end_read"], row["facts"]) == ("00100", "00250", {"RegisterID": "1"})
    assert (row["begins_at"], row["ends_at"], row["day"]) == (read.begin, read.end, JUNE.date())


def test_the_actual_takes_the_place_of_the_estimate_and_both_stay_to_be_seen(state: Connection) -> None:
    supply(state, POINT)
    (first,) = take(state, block(quality="E52", stamp=9))
    states = take(state, block(values=(5, 6, 7, 8), stamp=7), made=10)
    assert sorted(said(states)) == [("ready", None), ("superseded", None)]
    assert next(one for one in states if one.state == "superseded").message == first.message
    assert counts(state) == [[[5, 6, 7, 8], "A", None]]
    assert len(state.execute("select from billing.interval_readings").fetchall()) == 2


def test_a_newer_substitute_is_held_until_a_person_decides(state: Connection) -> None:
    supply(state, POINT)
    take(state, block(stamp=7))
    (held,) = take(state, block(values=(5, 6, 7, 8), quality="S14", stamp=32), made=2)
    assert (held.state, held.code) == ("held", "QUALITY_DOWNGRADE")
    assert held.sentence is not None
    assert "NMI0000001 E1, 2026-07-01" in held.sentence
    assert counts(state) == [[[1, 2, 3, 4], "A", None]]
    rows = state.execute("select stream, day from billing.interval_readings limit 1").fetchall()
    (kept,) = [
        one
        for one in store.kept(state, INTERVALS, [(rows[0]["stream"], rows[0]["day"])])
        if one.message == held.message
    ]
    why = record(state, Subject.DIFFERENCE, "x", "accepted", "A. Clerk", "The provider withdrew it.")
    with state.transaction():
        changed = decide(state, INTERVALS, kept, "accepted", why.id)
    assert sorted(said(changed)) == [("ready", None), ("superseded", None)]
    assert counts(state) == [[[5, 6, 7, 8], "S14", None]]


def test_a_message_that_comes_again_is_counted_and_ignored(state: Connection) -> None:
    supply(state, POINT)
    take(state, block(), register())
    assert said(take(state, block(), register(), made=2)) == [("duplicate", None)] * 2
    assert said(take(state, block(day=DAY + timedelta(days=1)), block(day=DAY + timedelta(days=1)))) == [
        ("ready", None),
        ("duplicate", None),
    ]
    assert len(state.execute("select from billing.interval_readings").fetchall()) == 2


def test_other_values_under_one_stamp_are_held(state: Connection) -> None:
    supply(state, POINT)
    take(state, block(), register())
    states = take(state, block(values=(9, 9, 9, 9)), register(end_read="00260"), made=2)
    assert said(states) == [("held", "VERSION_CONFLICT")] * 2
    assert counts(state) == [[[1, 2, 3, 4], "A", None]]


def test_what_comes_before_its_service_point_is_held_and_freed_by_itself(state: Connection) -> None:
    supply(state, POINT, since=DAY + timedelta(days=1))
    states = take(state, block(), block(point="NMI0000002"), register(), block(day=DAY + timedelta(days=1)))
    assert said(states) == [
        ("held", "NO_SERVICE_POINT"),
        ("held", "NO_SERVICE_POINT"),
        ("held", "NO_SERVICE_POINT"),
        ("ready", None),
    ]
    take(state, block(values=(5, 6, 7, 8), stamp=2), made=2)
    with state.transaction():
        assert free(state) == []
    supply(state, POINT)
    with state.transaction():
        assert sorted(said(free(state))) == [("ready", None), ("ready", None), ("superseded", None)]
        assert free(state) == []
    assert counts(state)[0] == [[5, 6, 7, 8], "A", None], "those that waited are compared when they are freed"
    assert counts(state, "NMI0000002") == []


def test_many_streams_are_freed_some_at_a_time(state: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "_STREAMS_AT_ONCE", 2)
    points = [f"400100000{n}" for n in range(5)]
    take(state, *(block(point=one, day=DAY + timedelta(days=n)) for one in points for n in range(2)))
    supply(state, *points[1:])
    assert said(free(state)) == [("ready", None)] * 8
    rows = state.execute("select count(*) as many from billing.interval_readings where state = 'held'").fetchall()
    assert rows[0]["many"] == 2


def test_two_meters_of_a_point_have_reads_of_one_suffix(state: Connection) -> None:
    supply(state, POINT)
    other = register(end_read="00260")
    other.stream = other.stream._replace(serial="M2")
    assert said(take(state, register(), other)) == [("ready", None)] * 2
    exchanged = block(values=(5, 6, 7, 8), stamp=2)
    exchanged.stream = exchanged.stream._replace(serial="M2")
    take(state, block())
    assert sorted(said(take(state, exchanged))) == [("ready", None), ("superseded", None)], "one stream, another meter"


QUALITIES = st.sampled_from(["A", "F14", "S14", "S53", "E52", "N"])


@st.composite
def days(draw: st.DrawFn) -> list[tuple[IntervalBlock, int]]:
    """Messages of one stream's days, each with the day of June that it was made on; some of them come twice."""
    found = []
    for _ in range(draw(st.integers(1, 7))):
        quality = draw(st.one_of(QUALITIES, st.just("V")))
        each = tuple(draw(QUALITIES) for _ in range(4)) if quality == "V" else ()
        values = draw(st.sampled_from([(1, 2, 3, 4), (5, 6, 7, 8), (9, 9, 9, 9)]))
        day = DAY + timedelta(days=draw(st.sampled_from([0, 0, 0, 1])))
        stamp = draw(st.one_of(st.none(), st.integers(1, 3)))
        one = block(values=values, quality=quality, runs=each, stamp=stamp, day=day)
        found += [(one, draw(st.integers(1, 4)))] * draw(st.sampled_from([1, 1, 2]))
    return found


@contextmanager
def undone(state: Connection) -> Iterator[None]:
    """What is done in the block leaves nothing."""
    state.execute("begin")
    try:
        yield
    finally:
        state.execute("rollback")


def table(state: Connection) -> list[tuple[Any, ...]]:
    """All versions, without what depends on the order of arrival."""
    rows = state.execute(
        "select day, made_at, updated_at, encode(content_hash, 'hex') as hash, state, code, parts::text as parts "
        "from billing.interval_readings"
    )
    return sorted((tuple(row.values()) for row in rows), key=str)


def model(messages: Sequence[tuple[IntervalBlock, int]]) -> list[tuple[Any, ...]]:
    """The same, as the rules alone have it."""
    found = []
    for day in {one.day for one, _ in messages}:
        versions: dict[Any, Any] = {}
        for one, made in messages:
            if one.day == day:
                arrival = Arrival(1, one, JUNE + timedelta(days=made))
                version = version_of(arrival, len(versions), content_hash(one), None)
                before = versions.setdefault(version.identity, version)
                versions[version.identity] = before._replace(made_at=min(before.made_at, version.made_at))
        for number, outcome in resolve(versions.values()).items():
            (version,) = (one for one in versions.values() if one.id == number)
            parts = outcome.parts and "{" + ",".join(f"[{a},{b + 1})" for a, b in outcome.parts) + "}"
            stamps = (version.made_at, version.updated_at, version.content_hash.hex())
            found.append((day, *stamps, outcome.state.value, outcome.code, parts))
    return sorted(found, key=str)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days(), st.randoms(use_true_random=False), st.booleans())
def test_the_table_is_what_the_rules_say_in_every_order_and_however_it_is_cut(
    state: Connection, messages: list[tuple[IntervalBlock, int]], order: random.Random, late: bool
) -> None:
    with undone(state):
        if not late:
            supply(state, POINT)
        shuffled = list(messages)
        order.shuffle(shuffled)
        intake = Intake(state)
        while shuffled:
            cut = order.randint(1, len(shuffled))
            if order.random() < 0.5:
                intake = Intake(state)
            arrivals = [Arrival(next(MESSAGES), one, JUNE + timedelta(days=made)) for one, made in shuffled[:cut]]
            assert len(intake.take_in(arrivals)) >= len(arrivals)
            del shuffled[:cut]
        if late:
            supply(state, POINT)
            free(state)
        assert table(state) == model(messages)


def test_a_month_gets_its_partition_with_its_first_reading(state: Connection) -> None:
    supply(state, POINT)
    take(state, block(day=date(2031, 1, 31)), block(day=date(1999, 12, 31)))
    found = state.execute("select tableoid::regclass::text as part from billing.interval_readings order by day")
    assert [row["part"] for row in found] == ["billing.interval_readings_1999_12", "billing.interval_readings_2031_01"]


@pytest.mark.parametrize("suffix", ["B1", "Q1"])
def test_streams_of_a_point_do_not_meet(state: Connection, suffix: str) -> None:
    supply(state, POINT)
    assert said(take(state, block(), block(suffix=suffix))) == [("ready", None)] * 2
