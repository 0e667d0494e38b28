"""Sends what is due: each reminder is claimed in our database before its text leaves, and settled after the answer.

A process that dies before its claim has sent nothing, and the next run sends. One that dies after it leaves a reminder
that may or may not have left: it is never sent again, unless a person says so.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import structlog

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal.errors import JournalError
from billing_assets.foundation.journal.files import Journal, Writer
from billing_assets.foundation.journal.restores import require_reminders
from billing_assets.receivables.reminders import store
from billing_assets.receivables.reminders.due import next_opening
from billing_assets.receivables.reminders.errors import MailServerError, MailWrong, PutBack, TemplateWrong
from billing_assets.receivables.reminders.invoices import Kept, Reminder
from billing_assets.receivables.reminders.journaling import REMINDERS, event
from billing_assets.receivables.reminders.materials import Materials
from billing_assets.receivables.reminders.message import message_id, written
from billing_assets.receivables.reminders.plan import plan
from billing_assets.receivables.reminders.policy import parse_mailbox
from billing_assets.receivables.reminders.smtp import Answer, Delivery, Mailer, Server

log = structlog.get_logger(__name__)

RETRY = timedelta(minutes=20)
"""How long a mail rests that the server did not take for now: less than from one look to the next."""

GIVE_UP = timedelta(days=5)
"""For how long it is tried: as long as mail servers themselves do."""

_FAILURES_IN_A_ROW = 10
"""So many first attempts at once are not bad addresses: something is wrong with the server, or with us."""

LONGEST = timedelta(minutes=100)
"""For how long a run sends. Dagster would end it after two hours (dagster.yaml), in the middle of a mail."""


class Tried(NamedTuple):
    """What became of one reminder, as it may be shown: no name and no address."""

    number: str
    customer: str
    step: str
    currency: str
    open_amount: Decimal
    delivery: Delivery
    code: int | None
    status: str | None


@dataclass
class Report:
    """What a run did. `stopped_by` says why it ended before its time, if it did; `left`: it took too long, and the next
    look sends the rest.
    """

    tried: list[Tried] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    passed_over: int = 0
    orphans: int = 0
    stopped_by: str | None = None
    left: bool = False

    def count(self, delivery: Delivery) -> int:
        """How many reminders had this delivery."""
        return sum(one.delivery is delivery for one in self.tried)

    @property
    def sent_by_step(self) -> Counter[str]:
        """How many were sent, by step."""
        return Counter(one.step for one in self.tried if one.delivery is Delivery.SENT)

    @property
    def sent_amounts(self) -> dict[str, Decimal]:
        """What was asked for, by currency."""
        sums: dict[str, Decimal] = {}
        for one in self.tried:
            if one.delivery is Delivery.SENT:
                sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.open_amount
        return sums


def utc_now() -> datetime:
    """The clock that reminders go by."""
    return datetime.now(UTC)


def send_due(
    connection: Connection,
    materials: Materials,
    server: Server,
    run_id: str,
    clock: Callable[[], datetime],
    journal: Journal,
) -> Report:
    """Sends every reminder whose customer is in business hours now, one after the other over one connection.

    A mail server that fails, or a journal that cannot be written to any more, ends the run with `stopped_by`; what was
    not sent stays due. Before anything is sent it raises SendingElsewhere, TemplateWrong if the language of last resort
    lacks a template, and JournalError where there is no journal or a restore is not confirmed.
    """
    materials.templates.check(materials.policy)
    report = Report()
    with (
        store.sending_alone(connection),
        journal.writer(REMINDERS) as writer,
        Mailer(server, materials.policy.domain) as mailer,
    ):
        require_reminders(connection)
        now = clock()
        report.orphans = store.note_unknown(connection, now)
        run = _Run(connection, mailer, materials, run_id, clock, report, writer)
        failures = 0
        try:
            for one in _first_attempts_first(plan(connection, materials, now, now)):
                if isinstance(one, Kept):
                    report.kept.append(one)
                    continue
                if clock() - now >= LONGEST:
                    report.left = True
                    break
                tried = run.send(one)
                if one.put_off or tried is None:
                    continue  # that one was put off before says nothing of the server
                failures = 0 if tried.delivery is Delivery.SENT else failures + 1
                if failures == _FAILURES_IN_A_ROW:
                    report.stopped_by = str(MailServerError(f"refused or lost {failures} mails in a row."))
                    break
        except (MailServerError, JournalError, PutBack) as error:
            report.stopped_by = str(error)
    log.info(
        "reminders sent" if report.stopped_by is None else "reminders stopped",
        **{delivery.name.lower(): report.count(delivery) for delivery in Delivery},
        kept=len(report.kept),
        left=report.left,
    )
    return report


def _first_attempts_first(found: Iterable[Reminder | Kept]) -> Iterator[Reminder | Kept]:
    """Those that were put off come last: they may be put off again, all of them."""
    put_off = []
    for one in found:
        if isinstance(one, Reminder) and one.put_off:
            put_off.append(one)
        else:
            yield one
    yield from put_off


class _Run:
    """What the reminders of a run share."""

    def __init__(
        self,
        connection: Connection,
        mailer: Mailer,
        materials: Materials,
        run_id: str,
        clock: Callable[[], datetime],
        report: Report,
        writer: Writer,
    ) -> None:
        self._connection = connection
        self._mailer = mailer
        self._materials = materials
        self._run_id = run_id
        self._clock = clock
        self._report = report
        self._writer = writer
        self._last: int | None = None
        self._rate = _Rate(materials.settings.per_minute)

    def send(self, reminder: Reminder) -> Tried | None:
        """One reminder; None where it cannot be written, or must not be sent any more."""
        self._rate.wait()
        now = self._clock()
        if next_opening(now, reminder.place, reminder.terms.hours) > now:
            return None  # we took so long that their office has closed
        self._rate.goes()
        invoice, step = reminder.invoice, reminder.next.step
        try:
            content = written(reminder, self._materials.templates, now)
        except (MailWrong, TemplateWrong) as error:
            self._report.kept.append(Kept(invoice, step.name, "bad_mail", str(error)))
            return None
        if self._last is not None and not store.has(self._connection, self._last):
            raise PutBack
        refusal = self._mailer.offer(parse_mailbox(reminder.terms.sender).addr_spec, reminder.address)
        claim = store.claim(
            self._connection,
            reminder,
            message_id=message_id(reminder),
            run_id=self._run_id,
            today=reminder.place.day(now),
            now=now,
            read_since=self._materials.balances_since(now),
        )
        if claim is None:
            if refusal is None:
                self._mailer.withdraw()
            return None
        self._last = claim.id
        try:
            self._writer.append(event(claim.row))  # after the commit, before the text: see `journaling`
        except JournalError:
            if refusal is None:
                self._mailer.withdraw()
            answer = Answer(Delivery.LATER)
            store.settle(self._connection, claim.id, answer, now + RETRY, self._clock())
            raise
        answer = refusal or self._mailer.hand_over(content)
        too_long = answer.delivery is Delivery.LATER and claim.first_at < now - GIVE_UP
        # A server that took nothing since then may say nothing about this address.
        if too_long and store.taken_since(self._connection, claim.first_at):
            answer = answer._replace(delivery=Delivery.NEVER)
        settled = store.settle(self._connection, claim.id, answer, now + RETRY, self._clock())
        self._report.passed_over += len(reminder.next.passed_over)
        tried = Tried(invoice.number, invoice.customer, step.name, invoice.currency, reminder.asked, *answer)
        self._report.tried.append(tried)
        if settled is not None:
            self._writer.append(event(settled), durable=False)  # with the next one, or at the end
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

    def goes(self) -> None:
        """One goes now."""
        self._next = max(self._next, time.monotonic()) + self._pause
