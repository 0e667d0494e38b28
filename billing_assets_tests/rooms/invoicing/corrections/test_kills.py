"""Corrections that are killed at every point: a cancel never without its rebill, and in the end the same bills."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.invoicing.invoices import releasing
from billing_assets_tests.rooms.invoicing.corrections.arriving import IN_TIME, TOO_LATE, cancelled, replaced
from billing_assets_tests.rooms.invoicing.corrections.victim import POINTS, answering
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, customers, metered
from billing_assets_tests.rooms.invoicing.invoices.test_invoices import invoiced, pending
from proving.invoicing import contents, invariants

VICTIM = "billing_assets_tests.rooms.invoicing.corrections.victim"
PAIRS, ESTIMATED, ALIKE, ALONE, DRAFT = (1, 2, 3), (4, 5), (6, 7), (8, 9), 10


def prepare(state: Connection, url: str, folder: Path) -> None:
    """Bills, a draft, and what the utility sent after them."""
    customers(state, folder, *range(1, DRAFT + 1))
    for number in range(1, DRAFT + 1):
        metered(state, number, amount=1000, estimated=number in ESTIMATED)
    batch = pending(state)
    invoiced(state, url, batch)
    releasing.check_quality(state, batch, CUT_OFF)
    (draft,) = state.execute("select id from billing.utility_invoices where account = 'A10'").fetchall()
    state.execute("update billing.utility_invoices set state = 'drafted' where id = %s", [draft["id"]])
    releasing.issue(state, batch, CUT_OFF)
    for number in range(1, DRAFT + 1):
        cancelled(state, number, now=TOO_LATE if number in ALONE else IN_TIME)
        if number not in ALONE:
            amount = 1003 if number in ESTIMATED else 1000 if number in ALIKE else 800 + number
            replaced(state, number, amount)


def corrections(state: Connection) -> list[tuple[Any, ...]]:
    rows = state.execute(
        """
        select i.account, c.state, c.outcome, c.reason, a.amount from billing.invoice_corrections as c
        join billing.utility_invoices as i on i.id = c.original
        left join billing.invoice_adjustments as a on a.correction = c.id order by i.account"""
    ).fetchall()
    return [tuple(row.values()) for row in rows]


def test_wherever_corrections_are_killed_the_bills_are_those_of_a_run_in_peace(
    state: Connection, state_url: str, another_state_url: str, tmp_path: Path
) -> None:
    prepare(state, state_url, tmp_path)
    victims = subprocess.run(
        [sys.executable, "-m", VICTIM, state_url], capture_output=True, text=True, timeout=300, check=False
    )
    assert not victims.returncode, victims.stderr
    assert json.loads(victims.stdout.splitlines()[-1]) == dict.fromkeys(POINTS, signal.SIGKILL), victims.stderr
    answering(state)
    invariants.check(state)
    with connect(another_state_url) as other:
        prepare(other, another_state_url, tmp_path)
        answering(other)
        invariants.check(other)
        assert contents.documents(state) == contents.documents(other)
        assert corrections(state) == corrections(other)
    ended = {one[0]: one[2] for one in corrections(state)}
    assert ended == {
        f"A{number}": outcome
        for numbers, outcome in ((PAIRS, "rebilled"), (ESTIMATED, "adjusted"), (ALIKE, "noted"), (ALONE, "cancelled"))
        for number in numbers
    }
