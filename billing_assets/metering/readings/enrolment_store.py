"""The SQL of 814s that become master data. Each works on the caller's connection."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection


class Span(NamedTuple):
    """From when until before when something counts (None: open); of a supply whose."""

    since: date
    until: date | None
    account: str = ""

    def covers(self, day: date) -> bool:
        """Whether it counts on a day."""
        return self.since <= day and (self.until is None or day < self.until)


def waiting(connection: Connection, codes: Sequence[str]) -> list[int]:
    """The 814s that were not loaded yet, or are held by one of these codes, in the order in which they were made."""
    rows = connection.execute(
        """
        select id from billing.raw_messages
        where type = '814' and (state = 'accepted' or state = 'held' and code = any (%s)) and content is not null
        order by stamp nulls first, id""",
        [list(codes)],
    )
    return [row["id"] for row in rows]


def contents(connection: Connection, messages: Sequence[int]) -> list[tuple[int, dict[str, Any]]]:
    """What these 814s say, in that order; those that another process is at are left to it."""
    rows = connection.execute(
        """
        select id, content from billing.raw_messages
        where id = any (%s) and state in ('accepted', 'held')
        order by array_position(%s, id) for update skip locked""",
        [list(messages), list(messages)],
    )
    return [(row["id"], row["content"]) for row in rows]


def lock(connection: Connection) -> None:
    """Has others that load master data wait for the end of the transaction."""
    connection.execute("lock table billing.service_points, billing.supply_periods in share row exclusive mode")


def points(connection: Connection, point: str) -> list[Span]:
    """When a service point is known."""
    rows = connection.execute(
        "select valid_from, valid_until from billing.service_points where point = %s and replaced_at is null", [point]
    )
    return [Span(row["valid_from"], row["valid_until"]) for row in rows]


def supplies(connection: Connection, point: str) -> list[Span]:
    """When a service point is supplied, and which account."""
    rows = connection.execute(
        "select valid_from, valid_until, account from billing.supply_periods where point = %s and replaced_at is null",
        [point],
    )
    return [Span(row["valid_from"], row["valid_until"], row["account"]) for row in rows]


def add_point(connection: Connection, point: str, since: date, until: date | None, zone: str, utility: str) -> None:
    """Notes a service point."""
    connection.execute(
        """
        insert into billing.service_points (point, valid_from, valid_until, zone, utility)
        values (%s, %s, %s, %s, %s)""",
        [point, since, until, zone, utility],
    )


def add_supply(connection: Connection, point: str, account: str, since: date, until: date | None, message: int) -> None:
    """Notes a supply period, and the 814 that says so."""
    connection.execute(
        """
        insert into billing.supply_periods (point, account, valid_from, valid_until, source, message)
        values (%s, %s, %s, %s, '814', %s)""",
        [point, account, since, until, message],
    )
