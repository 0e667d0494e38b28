"""The process that is killed: for each line of its standard input a child sends what is due, and may die at a point.

A line is JSON: `now` (ISO, UTC), `point` (a name of POINTS, or none), `nth` (which time it is reached). Answers a line
for each: how the child ended (0, or -9 for SIGKILL).
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.journal.files import Journal
from billing_assets.foundation.logs import configure_logs
from billing_assets.receivables.reminders import store
from billing_assets.receivables.reminders.due import Step, step_day
from billing_assets.receivables.reminders.invoices import Reminder
from billing_assets.receivables.reminders.materials import Materials
from billing_assets.receivables.reminders.message import message
from billing_assets.receivables.reminders.plan import plan
from billing_assets.receivables.reminders.sending import send_due
from billing_assets.receivables.reminders.smtp import Mailer, Server, parse_server
from billing_assets_tests.rooms.receivables.reminders.month import sample_desk
from proving.world.journals import compared_journal, new_journal

POINTS = {
    "before the server is asked": (Mailer, "offer", True),
    "before the claim": (store, "claim", True),
    "after the claim, before the journal": (store, "claim", False),
    "after the journal, before the text": (Mailer, "hand_over", True),
    "after the answer, before it is noted": (store, "settle", True),
    "after it is noted": (store, "settle", False),
}
"""Where a child can die: around which function, before it (or after)."""

SURELY = {"before the server is asked", "before the claim", "after it is noted"}
"""Points at which nothing is unknown: what was not sent is sent by the next run."""


def main() -> None:
    """Serves lines until the end of the input."""
    url, server = sys.argv[1], parse_server(SecretStr(sys.argv[2]))
    configure_logs("json")
    materials = sample_desk()
    _warm_up(url, materials)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_send(url, server, materials, order))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _warm_up(url: str, materials: Materials) -> None:
    """Calendars and templates are loaded once, not in every child."""
    began = datetime(2010, 12, 1, tzinfo=UTC)
    with connect(url) as connection:
        for one in list(plan(connection, materials, began, began + timedelta(days=60))):
            if isinstance(one, Reminder):
                message(one, materials.templates.text(one, one.next.day), began).as_bytes()
                step_day(Step("", 40, ""), one.invoice.due_date, one.place)


def _send(url: str, server: Server, materials: Materials, order: dict[str, Any]) -> int:
    if order.get("point"):
        owner, name, before = POINTS[order["point"]]
        _trap(owner, name, before=before, nth=order["nth"])
    now = datetime.fromisoformat(order["now"])
    with connect(url) as connection:
        report = send_due(connection, materials, server, "a run", lambda: now, _journal(connection))
    return 0 if report.stopped_by is None else 1


def _journal(connection: Connection) -> Journal:
    """The one that the third argument names, compared as every run does it; else one that is not looked at."""
    return compared_journal(connection, Path(sys.argv[3])) if len(sys.argv) > 3 else new_journal()


def _trap(owner: Any, name: str, *, before: bool, nth: int) -> None:
    real: Callable[..., Any] = getattr(owner, name)
    left = nth

    def strikes(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if before and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        found = real(*arguments, **named)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(owner, name, strikes)


if __name__ == "__main__":
    main()
