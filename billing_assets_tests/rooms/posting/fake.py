"""A sink whose outside system is a schema of the test's database: it outlives every run that is killed.

The system has no guard of its own against a second copy: that there is none is the core's work alone.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from psycopg.rows import tuple_row

from billing_assets.foundation.database.connection import Connection, open_connection
from billing_assets.posting import attempts as log
from billing_assets.posting.answers import (
    Answer,
    Exists,
    Forbidden,
    Landed,
    NotSent,
    Refused,
    Retry,
    Unauthorized,
    Unavailable,
    Unknown,
)
from billing_assets.posting.attempts import Intent, OpenAttempt, Outcome, ReadBack
from billing_assets.posting.batch_lease import Lease
from billing_assets.posting.batch_lock import Lock
from billing_assets.posting.dispatch import Request
from billing_assets.posting.ledger import Backlog, Ledger
from billing_assets.posting.sink import Lane, Prepared
from billing_assets.posting.states import ItemState

LEDGER = Ledger(
    items="fake.items",
    batches="fake.batches",
    attempts="fake.attempts",
    outcomes="fake.outcomes",
    remote_id="system_id",
    remote_number="system_number",
)
BACKLOG = Backlog(LEDGER, group="region", plannable="(s.state = 'ready' and s.may_go)")

ANSWERS: dict[str, Callable[[], Answer]] = {
    "refused": lambda: Refused(400, "WRONG", "field", "It is wrong."),
    "refused in unknown words": lambda: Refused(400, "ODD", None, "Es ist schon da.", known=False),
    "busy": lambda: Retry(429, "BUSY", "Too many at once.", throttled=True),
    "later": lambda: Retry(503, "LATER", "Not now.", throttled=False),
    "no login": lambda: Unauthorized("Who are you?", 401),
    "no right": lambda: Forbidden("RIGHTS", "You may not."),
    "not reached": lambda: NotSent("connection refused"),
    "nothing done": lambda: Unknown(None, "the connection broke"),
    "exists": lambda: Exists(409, "THERE", "It is there."),
}
"""Faults in which nothing lands."""

LANDS = ("lost", "late", "altered")
"""Faults in which it lands: the answer is lost; it lands after the answer was lost; it lands otherwise than sent."""

LATE_SECONDS = 0.4
"""How much later than its lost answer a late one lands."""


class Thing(NamedTuple):
    """An item: its body as it is to be sent."""

    id: int
    external_id: str
    body: str

    @property
    def label(self) -> str:
        """Its name."""
        return self.external_id


@dataclass
class FakeSink:
    """Sends to the schema `outside`. `sees`: whether it can look up what is there."""

    url: str
    run_id: str = "run"
    sees: bool = True
    system: str = "Fake"
    before_sending: Callable[[str], None] = field(default=lambda _: None)
    after_sending: Callable[[str], None] = field(default=lambda _: None)
    _local: threading.local = field(default_factory=threading.local)
    _opened: list[Any] = field(default_factory=list)

    def compare(self, connection: Connection) -> None:
        """Any account will do."""

    def bind(self, connection: Connection, run_id: str) -> None:
        """Any account will do."""

    def ask_for_life(self) -> None:
        """Whether the system is up."""
        if self._one("select down from outside.switches"):
            raise Unavailable("Fake cannot be reached")

    def open_attempts(
        self, connection: Connection, held: Lock, absence_counts_after: float
    ) -> Sequence[OpenAttempt[Thing]]:
        """Attempts without a known end."""
        return log.open_attempts(connection, held, "d.id, d.external_id, d.body", _thing, absence_counts_after)

    def look_up(
        self, connection: Connection, attempts: Sequence[OpenAttempt[Thing]], lane: Lane
    ) -> Mapping[int, Outcome | None]:
        """What the system shows of them; a sink that cannot see leaves each as it is, for a person."""
        with lane():
            self.ask_for_life()
            if not self.sees:
                return dict.fromkeys((one.attempt for one in attempts), None)
            shown = self._shown([one.item.external_id for one in attempts])
        return {
            one.attempt: _judged(one, *shown[one.item.external_id]) for one in attempts if one.item.external_id in shown
        }

    def worth_sending_again(self, attempt: OpenAttempt[Thing]) -> bool:
        """A refusal is one."""
        return False

    def send_again(self, item: Thing) -> str:
        """There is none."""
        return f"requeue {item.label}"

    def why_not(self, connection: Connection, lease: Lease, lane: Lane) -> str | None:
        """Nothing is in the way."""
        with lane():
            self.ask_for_life()
        return None

    def preparing(self, connection: Connection, held: Lock, lane: Lane) -> Callable[[Thing], Prepared | None]:
        """The body as it is."""
        return lambda item: Prepared(Intent(item.body.encode()))

    def next_to_send(self, connection: Connection, held: Lock, limit: int, after: int) -> Sequence[Thing]:
        """Items that the run holds."""
        return log.next_to_send(connection, held, "d.id, d.external_id, d.body", _thing, limit, after)

    def send(self, request: Request[Thing]) -> Answer:
        """One request, by the fault that is next or as it should be."""
        name = request.item.external_id
        self.before_sending(name)
        if self._one("select down from outside.switches"):
            return NotSent("connection refused")
        fault = self._one(
            """
            delete from outside.faults where id = (
                select id from outside.faults order by id for update skip locked limit 1) returning kind"""
        )
        if fault in ANSWERS and fault != "nothing done":
            return ANSWERS[fault]()
        self._one("insert into outside.requests (external_id, run_id) values (%s, %s) returning id", name, self.run_id)
        if fault == "nothing done":
            return ANSWERS[fault]()
        late = LATE_SECONDS if fault == "late" else 0.0
        body = b"altered" if fault == "altered" else request.body
        made = self._one(
            """
            insert into outside.records (external_id, body, shows_at)
            select %s, %s, clock_timestamp() + make_interval(secs => %s + lag_seconds) from outside.switches
            returning id""",
            name,
            body,
            late,
        )
        self.after_sending(name)
        return Unknown(None, "the connection broke") if fault in LANDS else Landed(str(made))

    def unread(self, connection: Connection, held: Lock) -> Sequence[Thing]:
        """Posted, and not read back."""
        rows = connection.execute(
            """
            select id, external_id, body from fake.items
            where batch = %s and state = 'posted' and (read_back_at is null or difference is not null) order by id""",
            [held.partition_key],
        )
        return [_thing(row) for row in rows]

    def read_back(self, connection: Connection, held: Lock, waiting: Sequence[Thing], lane: Lane) -> list[ReadBack]:
        """Compares the bodies."""
        with lane():
            shown = self._shown([one.external_id for one in waiting])
        return [
            ReadBack(one.id, None, None if shown[one.external_id][1] == one.body.encode() else "another body", False)
            for one in waiting
            if one.external_id in shown
        ]

    def close(self) -> None:
        """Closes the connections of all threads."""
        for one in self._opened:
            one.close()

    def _shown(self, names: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        rows = self._connection().execute(
            """
            select external_id, id::text, body from outside.records
            where external_id = any(%s) and shows_at <= clock_timestamp() order by id""",
            [list(names)],
        )
        return {name: (made, bytes(body)) for name, made, body in rows}

    def _one(self, query: str, *values: Any) -> Any:
        row = self._connection().execute(query, values).fetchone()
        return row[0] if row else None

    def _connection(self) -> Any:
        found = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = open_connection(self.url, tuple_row, "outside system")
            self._opened.append(found)
        return found


def _thing(row: dict[str, Any]) -> Thing:
    return Thing(row["id"], row["external_id"], row["body"])


def _judged(attempt: OpenAttempt[Thing], made: str, body: bytes) -> Outcome | None:
    if attempt.payload == body:
        return Outcome(attempt.item.id, attempt.attempt, "found", ItemState.POSTED, remote_id=made)
    if attempt.state == ItemState.DIFFERS:
        return None
    detail = "It has another body."
    return Outcome(
        attempt.item.id, attempt.attempt, "conflict", ItemState.DIFFERS, code="BODY", detail=detail, remote_id=made
    )
