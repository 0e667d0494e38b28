"""What was sent, as events of the journal: before a mail's text leaves, after the answer, and when a person decides.

A claim is in the journal after it was committed, and its text leaves after that. So of a reminder that the journal has
and the database lacks, the text may have left: it is taken in as sent, or as unknown where no answer is written down.
No name, address or text is in an event.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal.comparing import Kind, Taken
from billing_assets.foundation.journal.files import Journal, Line
from billing_assets.foundation.settings import Settings
from billing_assets.receivables.reminders import journal_store as store
from billing_assets.receivables.reminders.smtp import Delivery

REMINDERS = "reminders"
_CHUNK = 2_000
_FINAL = (Delivery.SENT, Delivery.NEVER)
_STATES = ("sending", *Delivery)


def event(row: dict[str, Any]) -> Line:
    """A reminder's row as a line."""
    return {name: _plain(row[name]) for name in store.EVENT}


def note(journal: Journal, rows: Sequence[dict[str, Any]]) -> None:
    """Writes down what was decided about reminders, after it was committed. Raises JournalUnusable."""
    if rows:
        with journal.writer(REMINDERS) as writer:
            for row in rows:
                writer.append(event(row), durable=False)


def _plain(value: Any) -> str | int | None:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _check(line: Line) -> None:
    """Raises ValueError, LookupError or TypeError for what is no event of a reminder."""
    if line["state"] not in _STATES or line["attempts"] < 1:
        raise ValueError(line["state"])
    for name in ("invoice", "step", "source", "transaction_id", "number", "customer", "message_id", "run_id"):
        if not isinstance(line[name], str):
            raise TypeError(name)
    for name in ("first_claimed_at", "claimed_at"):
        datetime.fromisoformat(line[name])
    date.fromisoformat(line["due_date"])
    try:
        Decimal(line["open_amount"])
    except InvalidOperation:
        raise ValueError("open_amount") from None


def _everything(connection: Connection) -> Iterator[Line]:
    return (event(row) for row in store.journaled(connection))


def _take_in(connection: Connection, lines: Sequence[Line]) -> Taken:
    last: dict[tuple[str, str], Line] = {}
    for line in lines:
        key = line["invoice"], line["step"]
        if key not in last or _rank(line) >= _rank(last[key]):
            last[key] = line
    taken, counts = Taken(), {f"reminders_{delivery}": 0 for delivery in Delivery}
    events = list(last.values())
    for start in range(0, len(events), _CHUNK):
        chunk = events[start : start + _CHUNK]
        rows = store.rows_of(connection, [(one["invoice"], one["step"]) for one in chunk])
        for one in chunk:
            row = rows.get((one["invoice"], one["step"]))
            if row is None or row["attempts"] < one["attempts"]:
                taken.behind = True
            elif not (row["attempts"] == one["attempts"] and _later(row["state"], one["state"])):
                if one["state"] not in _FINAL and row["state"] in _FINAL:
                    taken.append.append(event(row))
                continue
            state = one["state"] if one["state"] in (*_FINAL, Delivery.LATER) else Delivery.UNKNOWN
            if store.take_in(connection, one | {"state": str(state)}, row):
                counts[f"reminders_{state}"] += 1
    taken.behind = taken.behind or any(counts.values())
    taken.facts = {name: count for name, count in counts.items() if count}
    return taken


def _rank(line: Line) -> tuple[int, int]:
    """Later attempts, and of one attempt what is known for good, win."""
    return line["attempts"], 1 if line["state"] in ("sending", Delivery.UNKNOWN) else 2


def _later(before: str, after: str) -> bool:
    """Whether the journal knows more of an attempt than the database."""
    return (after in _FINAL and before in ("sending", Delivery.UNKNOWN)) or (before, after) == (
        Delivery.SENT,
        Delivery.NEVER,
    )


REMINDERS_SENT = Kind(REMINDERS, whole=False, check=_check, take_in=_take_in, everything=_everything)
"""The events of reminders, for `compare`."""


def kinds(_: Settings) -> list[Kind]:
    """What the journal keeps of reminders."""
    return [REMINDERS_SENT]
