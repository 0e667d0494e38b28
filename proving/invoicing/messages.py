"""Messages of the market about customers of the world, one by one, taken in and settled as the import does it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.usage import store
from billing_assets.metering.usage.facts import Fact
from billing_assets.metering.usage.states import Kind, Purpose
from proving.invoicing.world import Period, point_of

_SENT = datetime(2026, 8, 5, 8, tzinfo=UTC)
_TYPES = {Kind.USAGE: "867", Kind.CHARGES: "810"}
_TOTAL = Decimal("43.21")


def names(number: int, period: Period) -> tuple[str, str]:
    """The ids of a customer's first usage over a period and of its charges, as `world.metered` makes them."""
    return f"U{number}-{period[0]}", f"I{number}-{period[0]}"


def cancel(connection: Connection, number: int, period: Period, of: tuple[str, str] | None = None) -> None:
    """The utility cancels usage and charges, by default the first ones of the period."""
    usage, charges = of or names(number, period)
    arrive(
        connection,
        number,
        [
            _fact(Kind.USAGE, f"C{usage}", number, period, Decimal(0), Purpose.CANCEL, refers_to=usage),
            _fact(Kind.CHARGES, f"C{charges}", number, period, Decimal(0), Purpose.CANCEL, refers_to=charges),
        ],
    )


def send(
    connection: Connection, number: int, period: Period, kwh: Decimal, ids: tuple[str, str], replaces: str = ""
) -> None:
    """Usage and charges with ids of their own; a replacement where it says of which usage."""
    usage, charges = ids
    purpose = Purpose.REPLACE if replaces else Purpose.ORIGINAL
    arrive(
        connection,
        number,
        [
            _fact(Kind.USAGE, usage, number, period, kwh, purpose, refers_to=replaces),
            _fact(Kind.CHARGES, charges, number, period, _TOTAL, Purpose.ORIGINAL, cross_reference=usage),
        ],
    )


def _fact(kind: Kind, name: str, number: int, period: Period, amount: Decimal, purpose: Purpose, **given: str) -> Fact:
    return Fact(
        message=0,
        kind=kind,
        id=name,
        purpose=purpose,
        refers_to=given.get("refers_to", ""),
        point=point_of(number),
        start=period[0],
        end=period[1],
        content=f"{name} {purpose} {period} {amount}",
        sent_at=_SENT,
        arrived_at=_SENT + timedelta(hours=1),
        amount=amount,
        cross_reference=given.get("cross_reference", ""),
    )


def arrive(connection: Connection, number: int, facts: Iterable[Fact]) -> None:
    """Takes messages about a customer in, and settles its service point, in one transaction."""
    with connection.transaction():
        kept = [one._replace(message=_set_of(connection, one)) for one in facts]
        store.take_in(connection, kept)
        store.settle(connection, [point_of(number)])


def _set_of(connection: Connection, fact: Fact) -> int:
    lines = '[{"code": "BAS001", "amount": "4321", "indicator": "C", "text": "Delivery"}]'
    is_charged = fact.kind is Kind.CHARGES and fact.purpose is not Purpose.CANCEL
    content = f'{{"id": "{fact.id}", "total": "4321", "lines": {lines}}}' if is_charged else "{}"
    (row,) = connection.execute(
        """
        with file as (
            insert into billing.raw_files (name, channel, size, sha256, queue_state)
            values (%(name)s, 'command', 1, sha256(random()::text::bytea), 'done') returning id)
        insert into billing.raw_messages (file, type, line, point, key, content_hash, state, quantities, content)
        select id, %(type)s, 1, %(point)s, %(name)s, '\\x00', 'accepted', '{}', %(content)s from file returning id""",
        {"name": fact.id, "type": _TYPES[fact.kind], "point": fact.point, "content": content},
    ).fetchall()
    return int(row["id"])
