"""The SQL between reminders and the journal: rows as the journal has them, and rows taken in from it."""

from collections.abc import Iterator, Sequence
from typing import Any

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.receivables.reminders.store import JOURNALED, KEPT, reference

FROM_JOURNAL = "taken from the journal: an earlier database had been put back"

_NAMES = tuple(KEPT.split(", "))
EVENT = (*_NAMES, "resolved_by", "resolved_at")
"""What an event of the journal has, in its order; the last two are those of a person's decision."""
_VALUES = ", ".join(f"%({name})s" for name in _NAMES)
_INSERT = f"""
insert into billing.reminders ({KEPT}, retry_at, why)
values ({_VALUES}, case when %(state)s = 'deferred' then clock_timestamp() end, %(taken)s)
on conflict (invoice, step) do nothing
"""  # noqa: S608 - of constants
_STEP = """
update billing.reminders set
    state = %(way)s,
    retry_at = case when %(way)s = 'deferred' then clock_timestamp() else retry_at end,
    decision_id = coalesce(%(decision)s, decision_id),
    attempts = %(attempts)s, message_id = %(message_id)s, run_id = %(run_id)s, claimed_at = %(claimed_at)s,
    settled_at = %(settled_at)s, smtp_code = %(smtp_code)s, smtp_status = %(smtp_status)s, why = %(taken)s
where (invoice, step) = (%(invoice)s, %(step)s)
"""


def journaled(connection: Connection) -> Iterator[dict[str, Any]]:
    """Every reminder that was ever claimed, for a journal that begins."""
    with connection.cursor("journaled") as cursor:
        cursor.execute(f"select {JOURNALED} from billing.reminders where message_id is not null order by id")  # noqa: S608
        yield from cursor


def rows_of(connection: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of invoices and steps, as the journal has them."""
    rows = connection.execute(
        f"""
        select {JOURNALED} from billing.reminders
        join unnest(%s::text[], %s::text[]) as wanted (invoice, step) using (invoice, step)""",  # noqa: S608
        [[one for one, _ in keys], [one for _, one in keys]],
    )
    return {(row["invoice"], row["step"]): row for row in rows}


def by_message(connection: Connection, message_id: str) -> list[dict[str, Any]]:
    """The reminders that were sent under a Message-ID."""
    return connection.execute(
        f"select {JOURNALED} from billing.reminders where message_id = %s",  # noqa: S608
        [message_id],
    ).fetchall()


def by_number(connection: Connection, number: str, step: str) -> list[dict[str, Any]]:
    """A step of the invoices with a number."""
    return connection.execute(
        f"select {JOURNALED} from billing.reminders where (number, step) = (%s, %s) and message_id is not null",  # noqa: S608
        [number, step],
    ).fetchall()


def take_in(connection: Connection, line: dict[str, Any], row: dict[str, Any] | None) -> bool:
    """Makes a reminder what the journal says, in moves that the table allows; False where it stays as it is."""
    values = {name: line.get(name) for name in EVENT} | {"taken": FROM_JOURNAL}
    if row is None:
        with connection.transaction():
            taken = connection.execute(_INSERT, values).rowcount > 0
            if taken and line.get("resolved_by"):
                connection.execute(
                    "update billing.reminders set decision_id = %s where (invoice, step) = (%s, %s)",
                    [_decided(connection, line, "resolved"), line["invoice"], line["step"]],
                )
        return taken
    way = _way(row["state"], line["state"])
    for before, after in zip([row["state"], *way], way, strict=False):
        with connection.transaction():
            again = before in ("unknown", "bounced") and after == "deferred"
            decision = _decided(connection, line, "send again") if again else None
            connection.execute(_STEP, values | {"way": after, "decision": decision})
    return bool(way)


def _decided(connection: Connection, line: dict[str, Any], what: str) -> int:
    """Writes down again what a person decided; the journal has who and when, and not why."""
    return record(
        connection,
        Subject.REMINDER,
        reference(line["number"], line["step"]),
        what,
        line.get("resolved_by") or "the journal",
        FROM_JOURNAL,
        at=line.get("resolved_at"),
        where="the journal",
    ).id


def _way(before: str, after: str) -> list[str]:
    """The states from one to the other; none where nothing must change."""
    if before == "skipped" or (before == "sent" and after != "bounced"):
        return []
    if before in (after, "sending") or (before, after) == ("sent", "bounced"):
        return [after]
    if before == "unknown" and after in ("sent", "bounced"):
        return [after]
    return [*(["deferred"] if before != "deferred" else []), *(["sending", after] if after != "deferred" else [])]
