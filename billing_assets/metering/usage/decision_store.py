"""The SQL of what clerks decide about usage and charges."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.usage.states import Kind, State


class Standing(NamedTuple):
    """A message as a clerk sees it before deciding."""

    message: int
    kind: Kind
    id: str
    point: str
    purpose: str
    state: State
    codes: tuple[str, ...]


def standing(connection: Connection, message: int) -> Standing | None:
    """A message with its state now."""
    row = connection.execute(
        "select message, kind, id, point, purpose, state, codes from billing.usage_messages where message = %s",
        [message],
    ).fetchone()
    if row is None:
        return None
    return Standing(**row | {"kind": Kind(row["kind"]), "state": State(row["state"]), "codes": tuple(row["codes"])})


def found_by(connection: Connection, usage: int, charges: int) -> str | None:
    """By what two are a pair now, or are suggested as one: a person, reference, period, overlap. None: they are not."""
    row = connection.execute(
        "select found_by from billing.usage_pairs where (usage, charges) = (%s, %s) and state <> 'ended'",
        [usage, charges],
    ).fetchone()
    return row["found_by"] if row else None


def release(connection: Connection, message: int, codes: Collection[str], decision: int) -> None:
    """Lets these codes of a message pass."""
    connection.execute(
        """
        insert into billing.usage_decisions (message, what, code, decision_id)
        select %s, 'release', code, %s from unnest(%s::text[]) as code""",
        [message, decision, list(codes)],
    )


def reject(connection: Connection, message: int, answer: str, decision: int) -> None:
    """Rejects a message; an 824 with this code is to say so."""
    connection.execute(
        "insert into billing.usage_decisions (message, what, answer, decision_id) values (%s, 'reject', %s, %s)",
        [message, answer, decision],
    )


def pair(connection: Connection, usage: int, charges: int, what: str, decision: int) -> None:
    """Confirms or declines a pair; the last word counts."""
    connection.execute(
        "insert into billing.usage_decisions (message, charges, what, decision_id) values (%s, %s, %s, %s)",
        [usage, charges, what, decision],
    )


class Rejection(NamedTuple):
    """A message that a person rejected. `answer`: code of the 824, `why` its text. `file`, `line`: where it came;
    `decided_at` in UTC, as the times in the interchange that says so. `senders`: of the interchanges in its file, each
    qualifier:identifier."""

    message: int
    file: int
    line: int
    kind: str
    id: str
    point: str
    answer: str
    why: str
    decided_by: str
    decision: int
    decided_at: datetime
    senders: list[str]


def rejections(connection: Connection, since: datetime | None = None) -> Sequence[Rejection]:
    """What was rejected (since a time) and has no 824 yet: for the room that writes it."""
    rows = connection.execute(
        """
        select d.message, r.file, r.line, m.kind, m.id, m.point, d.answer, w.why, w.decided_by, w.id as decision,
            w.decided_at,
            array(select distinct i.sender from billing.received_interchanges as i where i.file = r.file) as senders
        from billing.usage_decisions as d
        join billing.usage_messages as m using (message)
        join billing.raw_messages as r on r.id = d.message
        join billing.decisions as w on w.id = d.decision_id
        where d.what = 'reject'
          and not exists (select from billing.outbound_interchanges as o where o.decision = w.id)
          and (%(since)s::timestamptz is null or w.decided_at >= %(since)s)
        order by w.id""",
        {"since": since},
    )
    return [Rejection(**row) for row in rows]
