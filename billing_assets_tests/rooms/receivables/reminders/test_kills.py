"""A month of the real data through kills and repeated runs: each reminder arrives at most once, and none is lost."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.receivables.reminders.due import step_day
from billing_assets_tests.rooms.receivables.reminders.mail_server import MailServer
from billing_assets_tests.rooms.receivables.reminders.month import (
    LOOKS,
    PAID_AFTER,
    looks,
    open_month,
    pay,
    sample_desk,
    sender,
)
from billing_assets_tests.rooms.receivables.reminders.victim import POINTS, SURELY

KILLED = -9
NOON = datetime(2010, 12, 20, 12, tzinfo=UTC)
CAMPAIGN = os.environ.get("BILLING_TEST_CAMPAIGN") == "1"


def rows(connection: Connection) -> dict[tuple[str, str], dict[str, str]]:
    """State and Message-ID by invoice and step."""
    found = connection.execute("select number, step, state, message_id from billing.reminders").fetchall()
    return {(row["number"], row["step"]): row for row in found}


def expected(connection: Connection, looked: set[date]) -> Iterator[tuple[str, str]]:
    """Invoice and step of everything that is to be noted in the end, sent or skipped; `looked`: days with a look."""
    materials = sample_desk()
    for row in connection.execute("select * from billing.open_receivables").fetchall():
        contact = materials.read_contacts([row["customer"]])[row["customer"]]
        if contact is None or contact.email is None or row["total"] < 2:
            continue
        terms = materials.policy.terms(row["branch"])
        place = materials.policy.place(contact, terms)
        for step in terms.ladder:
            day, paid = step_day(step, row["due_date"], place), row["due_date"] + PAID_AFTER
            if row["open_amount"] or any(day <= one < paid for one in looked):
                yield row["number"], step.name


def check(connection: Connection, mails: MailServer, invoices: int, looked: set[date]) -> Counter[str]:
    """Nothing came twice, nothing is lost, and what is noted as sent came; returns how many are in each state."""
    assert max(Counter(mails.arrived).values(), default=1) == 1, "a reminder came twice"
    noted = rows(connection)
    arrived = set(mails.arrived)
    for (number, step), row in noted.items():
        if row["state"] == "sent":
            assert row["message_id"] in arrived, (number, step)
        if row["state"] not in ("sent", "unknown"):
            assert row["message_id"] not in arrived, (number, step, row["state"])
    known = {row["message_id"] for row in noted.values()}
    assert arrived <= known, "something arrived that nobody claimed"
    lost = [found for found in expected(connection, looked) if found not in noted]
    assert lost == []
    assert len({number for number, _ in noted}) <= invoices
    return Counter(row["state"] for row in noted.values())


def test_killed_at_every_point_in_turn_nothing_comes_twice_and_nothing_that_did_not_leave_is_lost(
    connection: Connection, state_url: str, mails: MailServer, tmp_path: Path
) -> None:
    open_month(connection, every=100)
    unknown = 0
    with sender(state_url, mails, tmp_path / "log") as one:
        for point in POINTS:
            assert one.send(NOON, point=point, nth=3) == KILLED
            unknown += point not in SURELY
            states = Counter(row["state"] for row in rows(connection).values())
            assert states["sending"] == (point not in SURELY)
        assert one.send(NOON) == 0
        assert one.send(NOON) == 0
    states = Counter(row["state"] for row in rows(connection).values())
    assert max(Counter(mails.arrived).values()) == 1
    assert states["unknown"] == unknown == 3
    assert states["sent"] + states["unknown"] == len({number for number, _ in rows(connection)}) > 15


@pytest.mark.parametrize(
    ("every", "hours", "days"),
    [
        (150, LOOKS[1:2], 2),
        pytest.param(
            1,
            LOOKS,
            1,
            marks=[
                pytest.mark.campaign,
                pytest.mark.timeout(1800),
                pytest.mark.skipif(not CAMPAIGN, reason="long: BILLING_TEST_CAMPAIGN=1 runs it"),
            ],
        ),
    ],
)
def test_reminders_for_a_month_go_out_once_under_repeated_runs_and_kills(
    every: int,
    hours: tuple[time, ...],
    days: int,
    connection: Connection,
    state_url: str,
    mails: MailServer,
    tmp_path: Path,
) -> None:
    chance = random.Random(every)
    invoices = open_month(connection, every)
    unknown = kills = 0
    with sender(state_url, mails, tmp_path / "log") as one:
        for now in looks(hours, every=days):
            pay(connection, now.date())
            if chance.random() < 0.5:
                point = chance.choice(list(POINTS))
                ended = one.send(now, point=point, nth=chance.randint(1, 3))
                kills += ended == KILLED
                unknown += ended == KILLED and point not in SURELY
            assert one.send(now) == 0
            if chance.random() < 0.2:
                assert one.send(now) == 0
    states = check(connection, mails, invoices, {now.date() for now in looks(hours, every=days)})
    assert kills > 3
    assert states["unknown"] == unknown
    assert states["sent"] > 2 * invoices
    print(f"{invoices:,} invoices, {len(mails.arrived):,} mails, {kills} kills, {dict(states)}")
