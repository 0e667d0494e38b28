"""The SQL of interchanges: control numbers that came, what we answered, and what was acknowledged."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.x12.acknowledgement import SentGroup


class OutboundInterchange(NamedTuple):
    """An interchange that is to be sent. `control`: ISA13. `answers`: the file that it answers."""

    partner: str
    type: str
    control: int
    groups: Sequence[SentGroup]
    name: str
    content: bytes
    answers: int | None = None
    decision: int | None = None
    awaits_997: bool = False


def sender_key(qualifier: str, identifier: str) -> str:
    """By what a sender is noted."""
    return f"{qualifier}:{identifier}"


def digest_seen(connection: Connection, sender: tuple[str, str], control: str) -> str | None:
    """The SHA-256 of the interchange with this control number that came from a sender before. Another process that
    reads one with it waits for the end of the transaction."""
    key = sender_key(*sender)
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 17))", [f"{key} {control}"])
    row = connection.execute(
        "select encode(content_sha256, 'hex') as digest from billing.received_interchanges "
        "where (sender, control) = (%s, %s)",
        [key, control],
    ).fetchone()
    return str(row["digest"]) if row else None


def note_received(connection: Connection, sender: tuple[str, str], control: str, digest: str, file: int) -> None:
    """Notes that an interchange came."""
    connection.execute(
        """
        insert into billing.received_interchanges (sender, control, content_sha256, file)
        values (%s, %s, decode(%s, 'hex'), %s) on conflict do nothing""",
        [sender_key(*sender), control, digest, file],
    )


def store_outbound(connection: Connection, one: OutboundInterchange) -> int:
    """Stores an interchange that is to be sent, in the transaction that took its control number; its id."""
    row = connection.execute(
        """
        insert into billing.outbound_interchanges
            (partner, type, control, groups, name, content, sha256, answers, decision, awaits_997)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning id""",
        [
            one.partner,
            one.type,
            one.control,
            Jsonb([group._asdict() for group in one.groups]),
            one.name,
            one.content,
            hashlib.sha256(one.content).digest(),
            one.answers,
            one.decision,
            one.awaits_997,
        ],
    ).fetchone()
    return int(row["id"]) if row else 0


def sent_group(connection: Connection, partner: str, group: str, control: str) -> tuple[int, SentGroup] | None:
    """The group of ours that a partner answers: its interchange, and what was in it."""
    row = connection.execute(
        """
        select i.id, g.value as found from billing.outbound_interchanges as i
        cross join lateral jsonb_array_elements(i.groups) as g
        where i.partner = %s and g.value ->> 'type' = %s and (g.value ->> 'control')::bigint = %s
        order by i.id desc limit 1""",
        [partner, group, int(control) if control.isascii() and control.isdigit() else -1],
    ).fetchone()
    if row is None:
        return None
    found: dict[str, Any] = row["found"]
    return row["id"], SentGroup(found["type"], found["control"], tuple((kind, one) for kind, one in found["sets"]))


def acknowledge(connection: Connection, interchange: int, said: str, message: int) -> bool:
    """Notes what a partner said of an interchange of ours; the first word counts, and the first after each sending
    again. Whether this is it."""
    return bool(
        connection.execute(
            """
            update billing.outbound_interchanges
            set acknowledgement = %s, acknowledged_at = clock_timestamp(), acknowledged_by = %s
            where id = %s and (acknowledged_at is null or exists (
                select from billing.interchange_resends as r
                where r.interchange = id and r.noted_at > acknowledged_at))""",
            [said, message, interchange],
        ).rowcount
    )


def note_resend(connection: Connection, interchange: int, decision: int) -> None:
    """Notes that an interchange is to be sent again."""
    connection.execute(
        """
        insert into billing.interchange_resends (interchange, number, decision)
        select %(interchange)s, coalesce(max(number), 0) + 1, %(decision)s
        from billing.interchange_resends where interchange = %(interchange)s""",
        {"interchange": interchange, "decision": decision},
    )


def answers_in(connection: Connection, file: int) -> list[tuple[int, int, str]]:
    """The 997s of a file that were not refused: message, place of its ST, text."""
    rows = connection.execute(
        "select id, line, text from billing.raw_messages "
        "where file = %s and type = '997' and state <> 'refused' order by line",
        [file],
    )
    return [(row["id"], row["line"], row["text"]) for row in rows]
