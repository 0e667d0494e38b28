"""Messages as they arrive: their sets are in raw_messages first."""

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg.types.json import Jsonb

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.usage import store
from billing_assets.metering.usage.facts import Fact
from billing_assets.metering.usage.states import Kind


def arrive(
    connection: Connection, facts: Iterable[Fact], contents: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Fact]:
    """Takes messages in, each with the number of its set; nothing is settled. Returns them with their numbers.

    `contents`: by id, what their reader made of them, where a test needs it.
    """
    with connection.transaction():
        kept = [one._replace(message=_raw(connection, one, (contents or {}).get(one.id))) for one in facts]
        store.take_in(connection, kept)
    return kept


def _raw(connection: Connection, fact: Fact, content: Mapping[str, Any] | None) -> int:
    row = connection.execute(
        """
        with file as (
            insert into billing.raw_files (name, channel, size, sha256)
            values ('set.x12', 'command', 1, sha256(random()::text::bytea)) returning id)
        insert into billing.raw_messages (file, type, line, point, key, content_hash, state, quantities,
            content)
        select id, %s, 3, %s, %s, '\\x00', 'accepted', '{"KH": "1150"}', %s from file returning id""",
        ["867" if fact.kind is Kind.USAGE else "810", fact.point, fact.id, Jsonb(content) if content else None],
    ).fetchone()
    assert row is not None
    return int(row["id"])
