"""The SQL of what was proven about a mapping: `billing.proven_mappings`."""

from collections.abc import Mapping
from datetime import timedelta

from psycopg.types.json import Jsonb

from billing_assets.foundation.database.connection import Connection


def proven_within(connection: Connection, address: str, mapping: bytes, age: timedelta) -> bool:
    """Whether a mapping (its digest) was proven at an address of NetSuite, and not longer ago than `age`."""
    row = connection.execute(
        "select from billing.proven_mappings where address = %s and mapping = %s and proven_at > now() - %s",
        [address, mapping, age],
    ).fetchone()
    return row is not None


def note_proven(connection: Connection, address: str, mapping: bytes, unchecked: Mapping[str, str]) -> None:
    """Notes that no id of the mapping was found to be another record; older notes of the address go."""
    with connection.transaction():
        connection.execute(
            "delete from billing.proven_mappings where address = %s and mapping <> %s", [address, mapping]
        )
        connection.execute(
            """
            insert into billing.proven_mappings (address, mapping, unchecked) values (%s, %s, %s)
            on conflict (address, mapping)
            do update set proven_at = clock_timestamp(), unchecked = excluded.unchecked""",
            [address, mapping, Jsonb(dict(unchecked))],
        )


def forget_proof(connection: Connection, address: str) -> None:
    """What was proven at an address counts no more: a later look found an id that is another record."""
    connection.execute("delete from billing.proven_mappings where address = %s", [address])
