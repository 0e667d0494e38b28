"""Sends what is due: each reminder is claimed in our database before its text leaves, and settled after the answer.

A process that dies before its claim has sent nothing, and the next run sends. One that dies after it leaves a reminder
of which nobody knows whether it left: it is never sent again, unless a person says so.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import structlog

from billing_assets.reminders import store
from billing_assets.reminders.desk import Desk
from billing_assets.reminders.due import next_opening
from billing_assets.reminders.errors import MailServerError
from billing_assets.reminders.invoices import Kept, Reminder
from billing_assets.reminders.message import Templates, message, message_id
from billing_assets.reminders.plan import plan
from billing_assets.reminders.policy import parse_mailbox
from billing_assets.reminders.smtp import Fate, Mailer, Server
from billing_assets.state.database import Connection

log = structlog.get_logger(__name__)

RETRY = timedelta(minutes=30)
"""How long a mail rests that the server did not take for now."""

GIVE_UP = timedelta(days=5)
"""For how long it is tried: as long as mail servers themselves do."""

_FAILURES_IN_A_ROW = 10
"""So many at once are not bad addresses: something is wrong with the server, or with us."""


class Tried(NamedTuple):
    """What became of one reminder, as it may be shown: no name and no address."""

    number: str
    customer: str
    step: str
    currency: str
    open_amount: Decimal
    fate: Fate
    code: int | None
    status: str | None


@dataclass
class Report:
    """What a run did. `stopped_by` says why it ended before its time, if it did."""

    tried: list[Tried] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    passed_over: int = 0
    orphans: int = 0
    stopped_by: str | None = None

    def count(self, fate: Fate) -> int:
        """How many reminders met a fate."""
        return sum(one.fate is fate for one in self.tried)

    @property
    def sent_by_step(self) -> Counter[str]:
        """How many were sent, by step."""
        return Counter(one.step for one in self.tried if one.fate is Fate.SENT)

    @property
    def sent_amounts(self) -> dict[str, Decimal]:
        """What was asked for, by currency."""
        sums: dict[str, Decimal] = {}
        for one in self.tried:
            if one.fate is Fate.SENT:
                sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.open_amount
        return sums


def utc_now() -> datetime:
    """The clock that reminders go by."""
    return datetime.now(UTC)


def send_due(connection: Connection, desk: Desk, server: Server, run_id: str, clock: Callable[[], datetime]) -> Report:
    """Sends every reminder whose customer is in business hours now, one after the other over one connection.

    A mail server that fails ends the run with `stopped_by`; what was not sent stays due. Raises SendingElsewhere, and
    TemplateWrong before anything is sent with that template.
    """
    desk.templates.check(desk.policy)
    report = Report()
    rate = _Rate(desk.settings.per_minute)
    with store.sending_alone(connection), Mailer(server, desk.policy.domain) as mailer:
        now = clock()
        report.orphans = store.note_unknown(connection, now)
        failures = 0
        try:
            for one in plan(connection, desk, now, now):
                if isinstance(one, Kept):
                    report.kept.append(one)
                    continue
                rate.wait()
                tried = _send(connection, mailer, desk.templates, one, run_id, clock, report)
                failures = 0 if tried is None or tried.fate is Fate.SENT else failures + 1
                if failures == _FAILURES_IN_A_ROW:
                    report.stopped_by = str(MailServerError(f"refused or lost {failures} mails in a row."))
                    break
        except MailServerError as error:
            report.stopped_by = str(error)
    log.info(
        "reminders sent" if report.stopped_by is None else "reminders stopped",
        **{fate.name.lower(): report.count(fate) for fate in Fate},
        kept=len(report.kept),
    )
    return report


def _send(
    connection: Connection,
    mailer: Mailer,
    templates: Templates,
    reminder: Reminder,
    run_id: str,
    clock: Callable[[], datetime],
    report: Report,
) -> Tried | None:
    """One reminder; None where it must not be sent any more."""
    now = clock()
    invoice, step, place = reminder.invoice, reminder.next.step, reminder.place
    if next_opening(now, place, reminder.terms.hours) > now:
        return None  # we took so long that their office has closed
    today = now.astimezone(place.time_zone).date()
    content = message(reminder, templates.text(reminder, today), now).as_bytes()
    refusal = mailer.offer(parse_mailbox(reminder.terms.sender).addr_spec, reminder.address)
    missed = [one.name for one in reminder.next.passed_over]
    claim = store.claim(
        connection,
        invoice,
        step.name,
        missed,
        message_id=message_id(reminder),
        run_id=run_id,
        today=today,
        now=now,
    )
    if claim is None:
        if refusal is None:
            mailer.withdraw()
        return None
    answer = refusal or mailer.hand_over(content)
    if answer.fate is Fate.LATER and claim.first_at < now - GIVE_UP:
        answer = answer._replace(fate=Fate.NEVER)
    store.settle(connection, claim.id, answer, now + RETRY, clock())
    report.passed_over += len(missed)
    tried = Tried(invoice.number, invoice.customer, step.name, invoice.currency, invoice.open_amount, *answer)
    report.tried.append(tried)
    return tried


class _Rate:
    """Not more than so many a minute."""

    def __init__(self, per_minute: int) -> None:
        self._pause = 60 / per_minute
        self._next = time.monotonic()

    def wait(self) -> None:
        """Returns when the next one may go."""
        now = time.monotonic()
        if self._next > now:
            time.sleep(self._next - now)
        self._next = max(self._next, now) + self._pause
