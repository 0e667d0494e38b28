"""A month of the real data as open invoices, its customers' contacts by the sample's rule, and payments by another.

Payments: of every three invoices (in the order of their numbers) the first is paid three days after it is due, half of
the second one day before; the third is not paid at all.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from billing_assets.erp.billing_system.contacts import Contact
from billing_assets.foundation.database.connection import Connection
from billing_assets.receivables.reminders.materials import Materials
from billing_assets.sandbox.samples.contacts import contact
from billing_assets.sandbox.samples.data import read_sample
from billing_assets.sandbox.samples.tables import customer_name, customers
from billing_assets_tests.rooms.receivables.reminders.mail_server import MailServer
from proving.world.reminders import settings, shipped_policy, shipped_templates

PERIOD = "2010-11"
LOOKS = (time(2), time(12), time(19))
"""Hours (UTC) at which somebody's office is open: the east of Asia, Europe, America."""

PAID_AFTER = timedelta(days=3)

_COLUMNS = (
    "source, transaction_id, kind, number, external_id, customer, branch, currency, document_date, due_date, total,"
    " open_amount, read_at"
)


def sample_desk() -> Materials:
    """The shipped ladder and the sample's customers."""
    countries = dict(customers())

    def read(wanted: Sequence[str]) -> dict[str, Contact | None]:
        found: dict[str, Contact | None] = {}
        for number in wanted:
            made = contact(number, countries[number])
            found[number] = Contact(number, customer_name(number), made.email, made.language, made.country_code)
        return found

    return Materials(settings(), shipped_policy(), shipped_templates(), read)


def open_month(connection: Connection, every: int = 1) -> int:
    """The month's invoices, or every so many of them, all open and due 30 days later; returns how many there are."""
    documents = [one for one in read_sample(PERIOD).documents if one.kind == "I" and one.total > 0 and one.customer]
    documents = sorted(documents, key=lambda one: one.number)[::every]
    with connection.cursor() as cursor, cursor.copy(f"copy billing.open_receivables ({_COLUMNS}) from stdin") as copy:
        for one in documents:
            day = one.document_date
            key = f"INV-{one.number}"
            copy.write_row(
                (
                    "netsuite",
                    one.number,
                    "invoice",
                    one.number,
                    key,
                    one.customer,
                    one.country,
                    "GBP",
                    day,
                    day + timedelta(days=30),
                    one.total,
                    one.total,
                    datetime.now(UTC),
                )
            )
    return len(documents)


def pay(connection: Connection, today: date) -> None:
    """What was paid by a day, by the rule."""
    connection.execute(
        """
        with ranked as (
            select transaction_id, row_number() over (order by number) %% 3 as place from billing.open_receivables)
        update billing.open_receivables as o
        set open_amount = case when place = 1 then 0 else round(total / 2, 2) end
        from ranked as r
        where r.transaction_id = o.transaction_id
          and (place = 1 and o.due_date + %(after)s <= %(today)s or place = 2 and o.due_date - 1 <= %(today)s)""",
        {"today": today, "after": PAID_AFTER.days},
    )


def looks(hours: Sequence[time] = LOOKS, *, every: int = 1) -> Iterator[datetime]:
    """Every look on weekdays (of every so many days), from before the first step to a week after the last one."""
    day = date(2010, 11, 26)
    while day < date(2011, 1, 22):
        if day.weekday() < 5:
            yield from (datetime.combine(day, at, UTC) for at in hours)
        day += timedelta(days=every)


@dataclass
class Sender:
    """The process that sends, and may be told where to die."""

    process: subprocess.Popen[str]

    def send(self, now: datetime, **order: Any) -> int:
        """One run; how it ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"now": now.isoformat(), **order}) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def sender(state_url: str, mails: MailServer, log: Path, journal: Path | None = None) -> Iterator[Sender]:
    """A process of its own that sends to the mail server; stopped at the end. `journal`: a folder that it compares."""
    command = [
        sys.executable,
        "-m",
        "billing_assets_tests.rooms.receivables.reminders.victim",
        state_url,
        mails.url.get_secret_value(),
        *([str(journal)] if journal else []),
    ]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield Sender(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
