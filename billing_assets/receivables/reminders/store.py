"""The SQL of reminders: what is open and what was said about it, claims and outcomes, stops."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.receivables.reminders.due import Noted
from billing_assets.receivables.reminders.errors import SendingElsewhere
from billing_assets.receivables.reminders.invoices import Invoice, Reminder
from billing_assets.receivables.reminders.smtp import Answer, Delivery

_LOCK = "billing reminders"
KEPT = (
    "invoice, step, source, transaction_id, number, customer, branch, currency, open_amount, due_date, state, "
    "message_id, run_id, attempts, first_claimed_at, claimed_at, settled_at, smtp_code, smtp_status"
)
"""What the journal has of a reminder's row."""
DECIDED_AT = "(select w.decided_at from billing.decisions as w where w.id = decision_id)"
"""SQL: when a person last decided about a reminder."""
JOURNALED = f"""{KEPT},
    (select w.decided_by from billing.decisions as w where w.id = decision_id) as resolved_by,
    {DECIDED_AT} as resolved_at"""  # noqa: S608 - of constants
"""SQL: what the journal has of a reminder: not why, which a person wrote."""

_BARRED = """case
    when exists (
        select from billing.staged_invoices as d join billing.proposed_credit_memos as p on p.document = d.id
        where d.external_id = o.external_id and (p.decision is null or p.decision = 'confirmed')) then 'voided'
    when exists (
        select from billing.staged_invoices as s
        where (s.source, s.document_id) = (o.source, o.transaction_id) and s.state = 'held') then 'held'
    end"""

# NetSuite's internal ids prove nothing by themselves: a refreshed sandbox gives them out again.
_SAME = "(o.source <> 'netsuite' or o.external_id is null or invoice = o.external_id)"

# The key under which an invoice was first reminded of stays: its external id may have become known since.
_OPEN_INVOICES = f"""
select k.key, o.source, o.transaction_id, o.number, o.customer, o.branch, o.currency, o.document_date,
    o.due_date, o.total, o.open_amount, o.read_at, r.noted, {_BARRED} as barred
from billing.open_receivables as o
left join lateral (
    select invoice from billing.reminders
    where (source, transaction_id) = (o.source, o.transaction_id) and {_SAME} order by id limit 1
) as f on true
cross join lateral (select coalesce(f.invoice, o.external_id, o.source || '/' || o.transaction_id) as key) as k
cross join lateral (
    select jsonb_object_agg(
        step, jsonb_build_array(state, customer = o.customer, retry_at, resolved_at) order by state = 'deferred' desc
    ) as noted
    from (
        select step, state, customer, retry_at, {DECIDED_AT} as resolved_at
        from billing.reminders where invoice = k.key
        union all
        select step, state, customer, retry_at, {DECIDED_AT} as resolved_at from billing.reminders
        where (source, transaction_id) = (o.source, o.transaction_id) and invoice <> k.key and {_SAME}
    ) as either
) as r
where o.kind = 'invoice' and o.open_amount > 0 and o.due_date <= %s and (%s::text is null or o.customer = %s)
order by o.customer, o.due_date, o.number
"""  # noqa: S608 - of constants


def open_invoices(connection: Connection, due_until: date, customer: str | None = None) -> list[Invoice]:
    """Open invoices due up to a day, in the order of their customers, each with what became of its steps."""
    rows = connection.execute(_OPEN_INVOICES, (due_until, customer, customer)).fetchall()
    return [Invoice(**row | {"noted": _noted(row["noted"])}) for row in rows]


def _noted(found: dict[str, list[Any]] | None) -> dict[str, Noted]:
    return {
        step: Noted(state, _moment(retry_at), _moment(resolved_at), to_customer)
        for step, (state, to_customer, retry_at, resolved_at) in (found or {}).items()
    }


def _moment(said: str | None) -> datetime | None:
    return None if said is None else datetime.fromisoformat(said)


class Account(NamedTuple):
    """What a customer has open in a currency: the sum of it all, and its credits and unapplied payments, positive."""

    open_amount: Decimal
    credit: Decimal


def accounts(connection: Connection) -> dict[tuple[str, str], Account]:
    """The accounts of customers who owe an invoice, by customer and currency."""
    rows = connection.execute(
        """select customer, currency, sum(open_amount) as open_amount,
            coalesce(-sum(open_amount) filter (where kind <> 'invoice'), 0) as credit
        from billing.open_receivables group by 1, 2 having bool_or(kind = 'invoice')"""
    ).fetchall()
    return {(row["customer"], row["currency"]): Account(row["open_amount"], row["credit"]) for row in rows}


class Stop(NamedTuple):
    """Why a customer, or one invoice of it (`number`), is not reminded from a day on, or between two."""

    id: int
    customer: str
    number: str | None
    reason: str
    starts_on: date
    ends_on: date | None
    noted_by: str
    note: str | None

    def holds(self, number: str, day: date) -> bool:
        """Whether it keeps an invoice of its customer from being asked for on a day."""
        return self.number in (None, number) and self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


def stops(connection: Connection, ends_from: date | None = None, customer: str | None = None) -> list[Stop]:
    """Stops that end on a day or later, or not at all; without a day every one there ever was."""
    rows = connection.execute(
        """select s.id, s.customer, s.number, s.reason, s.starts_on, s.ends_on, w.decided_by as noted_by,
            nullif(concat_ws(E'\n', nullif(w.why, ''), (
                select string_agg(format('ended by %%s: %%s', e.decided_by, e.why), E'\n' order by e.id)
                from billing.decisions as e
                where e.subject = 'collection_stop' and e.reference = 'stop ' || s.id)), '') as note
        from billing.collection_stops as s join billing.decisions as w on w.id = s.decision_id
        where (%(day)s::date is null or ends_on is null or ends_on >= %(day)s)
          and (%(who)s::text is null or customer = %(who)s)
        order by customer, starts_on, id""",
        {"day": ends_from, "who": customer},
    ).fetchall()
    return [Stop(**row) for row in rows]


def add_stop(
    connection: Connection,
    *,
    customer: str,
    number: str | None,
    reason: str,
    starts_on: date,
    ends_on: date | None,
    noted_by: str,
    note: str,
) -> tuple[int, bool]:
    """Notes a stop; returns its id, and whether it is new: the same one again is noted once."""
    with connection.transaction():
        connection.execute("lock table billing.collection_stops in share row exclusive mode")
        about = (customer, number, reason, starts_on, ends_on)
        known = connection.execute(
            """select s.id from billing.collection_stops as s join billing.decisions as w on w.id = s.decision_id
            where (s.customer, s.number, s.reason, s.starts_on, s.ends_on, w.decided_by, w.why)
                is not distinct from (%s, %s, %s, %s::date, %s::date, %s, %s)
              and not exists (
                  select from billing.decisions as e
                  where e.subject = 'collection_stop' and e.reference = 'stop ' || s.id)
            order by s.id limit 1""",
            (*about, noted_by.strip(), note.strip()),
        ).fetchone()
        if known is not None:
            return int(known["id"]), False
        what = f"customer {customer}" if number is None else f"invoice {number} of customer {customer}"
        decided = record(connection, Subject.STOP, what, "stopped", noted_by, note)
        row = connection.execute(
            """insert into billing.collection_stops (customer, number, reason, starts_on, ends_on, decision_id)
            values (%s, %s, %s, %s, %s, %s) returning id""",
            (*about, decided.id),
        ).fetchone()
    assert row is not None  # noqa: S101 - an insert returns its row
    return int(row["id"]), True


def last_day(connection: Connection, stop: int) -> date | None:
    """The last day of a stop; None where there is none, or it has no end."""
    row = connection.execute("select ends_on from billing.collection_stops where id = %s", [stop]).fetchone()
    return row["ends_on"] if row else None


def end_stop(connection: Connection, stop: int, ends_on: date, noted_by: str, note: str) -> date | None:
    """Ends a stop with a day, or with its first one if that is later; its note says who did and why.

    Returns its last day, or None if no such stop runs longer than that.
    """
    with connection.transaction():
        row = connection.execute(
            """update billing.collection_stops set ends_on = greatest(%(day)s, starts_on)
            where id = %(id)s and (ends_on is null or ends_on > greatest(%(day)s, starts_on))
            returning ends_on""",
            {"day": ends_on, "id": stop},
        ).fetchone()
        if row is None:
            return None
        record(connection, Subject.STOP, f"stop {stop}", "ended", noted_by, note)
    ended: date = row["ends_on"]
    return ended


@contextmanager
def sending_alone(connection: Connection) -> Iterator[None]:
    """Keeps other runs from sending while the block lasts, and ends with its process. Raises SendingElsewhere.

    It holds the rate and the one connection; that no reminder goes twice does not rest on it but on the claims.
    """
    row = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0)) as mine", [_LOCK]).fetchone()
    if row is None or not row["mine"]:
        raise SendingElsewhere
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [_LOCK])


def note_unknown(connection: Connection, now: datetime) -> int:
    """No run is sending (call in `sending_alone`): the outcome of what is claimed will never be known."""
    noted = connection.execute(
        "update billing.reminders set state = 'unknown', settled_at = %s where state = 'sending'", (now,)
    )
    return noted.rowcount


_CLAIM = f"""
insert into billing.reminders as r (invoice, step, source, transaction_id, number, customer, branch, currency,
    open_amount, due_date, state, message_id, run_id, attempts, first_claimed_at, claimed_at)
select %(invoice)s, %(step)s, o.source, o.transaction_id, o.number, o.customer, o.branch, o.currency,
    %(asked)s, o.due_date, 'sending', %(message_id)s, %(run_id)s, 1, %(now)s, %(now)s
from billing.open_receivables as o
where o.source = %(source)s and o.transaction_id = %(transaction_id)s and o.kind = 'invoice'
  and (o.customer, o.open_amount, o.due_date) = (%(customer)s, %(open_amount)s, %(due_date)s)
  and o.read_at >= %(read_since)s and ({_BARRED}) is null
  and %(account)s = (
    select sum(a.open_amount) from billing.open_receivables as a
    where (a.customer, a.currency) = (o.customer, o.currency))
  and not exists (
    select from billing.collection_stops as s
    where s.customer = o.customer and coalesce(s.number, o.number) = o.number
      and %(today)s between s.starts_on and coalesce(s.ends_on, 'infinity'))
  and not exists (
    select from billing.reminders as t
    where (t.source, t.transaction_id, t.step) = (o.source, o.transaction_id, %(step)s) and t.invoice <> %(invoice)s
      and {_SAME})
on conflict (invoice, step) do update set
    (state, run_id, attempts, claimed_at, message_id, source, transaction_id, number, customer, branch, currency,
     open_amount, due_date) =
        ('sending', excluded.run_id, r.attempts + 1, excluded.claimed_at, excluded.message_id, excluded.source,
         excluded.transaction_id, excluded.number, excluded.customer, excluded.branch, excluded.currency,
         excluded.open_amount, excluded.due_date)
    where r.state = 'deferred' and r.retry_at <= excluded.claimed_at
returning id, {JOURNALED}
"""  # noqa: S608 - of constants
_NOTE_SKIPPED = """
insert into billing.reminders as r (invoice, step, source, transaction_id, number, customer, branch, currency,
    open_amount, due_date, state, run_id, first_claimed_at, claimed_at, settled_at, why)
values (%(invoice)s, %(step)s, %(source)s, %(transaction_id)s, %(number)s, %(customer)s, %(branch)s, %(currency)s,
    %(open_amount)s, %(due_date)s, 'skipped', %(run_id)s, %(now)s, %(now)s, %(now)s, %(why)s)
on conflict (invoice, step) do update set (state, settled_at, why) = ('skipped', excluded.settled_at, excluded.why)
    where r.state = 'deferred'
"""


class Claim(NamedTuple):
    """The right to send a reminder, committed. `first_at`: when it was first tried; `row`: as the journal has it."""

    id: int
    first_at: datetime
    row: dict[str, Any]


def claim(
    connection: Connection,
    reminder: Reminder,
    *,
    message_id: str,
    run_id: str,
    today: date,
    now: datetime,
    read_since: datetime,
) -> Claim | None:
    """The right to send a step of an invoice, committed; None where it must not be sent any more.

    That is: somebody else has it, it was sent, the invoice was paid or changed or is barred by now, the customer's
    account is not what it was, its balance was read before `read_since`, or a stop begins. Steps that fell due before
    it are noted as skipped with it.
    """
    invoice, step = reminder.invoice, reminder.next.step.name
    values = invoice._asdict() | {"invoice": invoice.key, "run_id": run_id, "now": now}
    del values["noted"]
    claimed = {"step": step, "message_id": message_id, "today": today, "read_since": read_since}
    claimed |= {"asked": reminder.asked, "account": reminder.account}
    with connection.transaction():
        row = connection.execute(_CLAIM, values | claimed).fetchone()
        if row is None:
            return None
        for missed in reminder.next.passed_over:
            connection.execute(_NOTE_SKIPPED, values | {"step": missed.name, "why": f"{step} was due by then"})
    return Claim(row["id"], row["first_claimed_at"], row)


def settle(
    connection: Connection, reminder: int, answer: Answer, retry_at: datetime | None, now: datetime
) -> dict[str, Any] | None:
    """Notes what became of a claim; its row, or None where something else is noted of it by now.

    `retry_at` is for an answer that says later.
    """
    return connection.execute(
        f"""update billing.reminders
        set state = %s, smtp_code = %s, smtp_status = %s, retry_at = %s, settled_at = %s
        where id = %s and (state = 'sending' or state = 'unknown' and %s)
        returning {JOURNALED}""",  # noqa: S608 - of constants
        (
            answer.delivery,
            answer.code,
            answer.status,
            retry_at if answer.delivery is Delivery.LATER else None,
            now,
            reminder,
            answer.delivery in (Delivery.SENT, Delivery.NEVER),
        ),
    ).fetchone()


def taken_since(connection: Connection, moment: datetime) -> bool:
    """Whether the mail server took a reminder since a moment."""
    row = connection.execute(
        "select from billing.reminders where state = 'sent' and settled_at >= %s limit 1", (moment,)
    ).fetchone()
    return row is not None


def has(connection: Connection, reminder: int) -> bool:
    """Whether a reminder that was claimed is still there: a database that was put back meanwhile lacks it."""
    return connection.execute("select from billing.reminders where id = %s", (reminder,)).fetchone() is not None


def open_for(connection: Connection, customer: str, number: str | None) -> bool:
    """Whether a customer has anything open, or that invoice if one is named."""
    row = connection.execute(
        """select from billing.open_receivables
        where kind = 'invoice' and customer = %s and number = coalesce(%s, number) limit 1""",
        (customer, number),
    ).fetchone()
    return row is not None


def bounced(connection: Connection, message_id: str, status: str | None, now: datetime) -> dict[str, Any] | None:
    """Notes a delivery report about a mail; its row, or None where no mail of ours has that Message-ID. `is_new`: it
    was not noted before."""
    noted = connection.execute(
        """update billing.reminders set state = 'bounced', smtp_status = %s, settled_at = %s
        where message_id = %s and state in ('sending', 'sent', 'unknown')""",
        (status, now, message_id),
    )
    return connection.execute(
        "select number, step, customer, state, smtp_status, %s as is_new from billing.reminders where message_id = %s",
        (noted.rowcount > 0, message_id),
    ).fetchone()


def resolve(
    connection: Connection, number: str, step: str, *, send_again: bool, by: str, why: str, now: datetime
) -> bool:
    """A person's word on an unknown reminder (it was sent, or send it again), or on a bounced one (send it again).

    False where there is none, or where a later step of the invoice was sent: an earlier one is not sent after it.
    """
    with connection.transaction():
        rows = connection.execute(
            """
            select id from billing.reminders as r
            where number = %(number)s and step = %(step)s and (state = 'unknown' or state = 'bounced' and %(again)s)
              and not (%(again)s and exists (
                select from billing.reminders as later
                where later.invoice = r.invoice and later.claimed_at > r.claimed_at and later.state <> 'skipped'))
            order by id for update""",
            {"again": send_again, "number": number, "step": step},
        ).fetchall()
        if not rows:
            return False
        what = "send again" if send_again else "sent"
        decision = record(connection, Subject.REMINDER, reference(number, step), what, by, why, at=now)
        connection.execute(
            """update billing.reminders
            set state = case when %(again)s then 'deferred' else 'sent' end,
                retry_at = case when %(again)s then %(now)s end,
                first_claimed_at = case when %(again)s then %(now)s else first_claimed_at end,
                settled_at = %(now)s, decision_id = %(decision)s, why = null
            where id = any(%(ids)s)""",
            {"again": send_again, "now": now, "decision": decision.id, "ids": [row["id"] for row in rows]},
        )
    return True


def reference(number: str, step: str) -> str:
    """A reminder's name in the log of decisions."""
    return f"invoice {number}, step {step}"


def listed(connection: Connection, states: Sequence[str]) -> list[dict[str, Any]]:
    """Reminders in one of the states, oldest first."""
    return connection.execute(
        """
        select r.number, r.step, r.customer, r.branch, r.currency, r.open_amount, r.state, r.smtp_code, r.smtp_status,
            r.claimed_at, w.decided_by, coalesce(w.why, r.why) as why
        from billing.reminders as r left join billing.decisions as w on w.id = r.decision_id
        where r.state = any(%s) order by r.claimed_at, r.number, r.step""",
        (list(states),),
    ).fetchall()


def unreachable(connection: Connection) -> list[dict[str, Any]]:
    """Customers whose last mail came back, with the invoice and the codes: their address needs a person."""
    return connection.execute(
        """
        select b.customer, b.number, b.step, b.currency, b.open_amount, b.smtp_code, b.smtp_status, b.settled_at
        from billing.reminders as b
        where b.state = 'bounced' and not exists (
            select from billing.reminders as later
            where later.customer = b.customer and later.state in ('sent', 'bounced')
              and (later.claimed_at, later.id) > (b.claimed_at, b.id))
        order by b.customer"""
    ).fetchall()
