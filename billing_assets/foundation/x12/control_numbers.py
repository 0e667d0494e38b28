"""Control numbers of what we send: gap-free for each partner and kind. Its table, and all its SQL.

A number is taken in the transaction that stores the interchange: both are there, or neither is, and a number that a
rolled-back transaction had is the next one's. What is sent again is the stored bytes, with the number in them.
"""

from enum import StrEnum

from psycopg.pq import TransactionStatus

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.x12.writer import LAST_CONTROL


class Kind(StrEnum):
    """What is numbered."""

    INTERCHANGE = "ISA"  # ISA13
    GROUP = "GS"  # GS06


class ControlNumbersEndError(BillingError):
    """All numbers of a partner are used."""

    to_do = "Agree with the partner on numbers that begin again, and ask for support."


def take(connection: Connection, partner: str, kind: Kind, count: int = 1) -> range:
    """The next numbers of a partner, for the caller's transaction to store with what they are for.

    Another transaction that wants the same partner and kind waits until the caller's has ended. Take the number of
    the interchange before those of its groups; in a transaction for several partners go by their names. Raises
    ControlNumbersEndError, and RuntimeError outside of a transaction, where a number would be lost at the next fault.
    """
    if connection.info.transaction_status is not TransactionStatus.INTRANS:
        raise RuntimeError("A control number is taken in the transaction that stores what it is for.")
    row = connection.execute(
        """
        insert into billing.x12_control_numbers as numbers (partner, kind, last) values (%s, %s, %s)
        on conflict (partner, kind) do update set last = numbers.last + excluded.last
        returning last""",
        [partner, kind, count],
    ).fetchone()
    last = int(row["last"]) if row else 0
    if last > LAST_CONTROL:
        raise ControlNumbersEndError(f"The {kind} numbers of {partner} have come to their end.")
    return range(last - count + 1, last + 1)


def last_taken(connection: Connection, partner: str, kind: Kind) -> int:
    """The last number that a partner's interchanges or groups have; 0 before the first."""
    row = connection.execute(
        "select last from billing.x12_control_numbers where partner = %s and kind = %s", [partner, kind]
    ).fetchone()
    return int(row["last"]) if row else 0


def go_on_after(connection: Connection, partner: str, kind: Kind, last: int) -> int:
    """Goes on behind a number that the partner has seen (another system sent it, or a backup was put back), and
    returns the last one as it is now: never a smaller one than before. Raises ControlNumbersEndError.
    """
    if not 0 < last < LAST_CONTROL:
        raise ControlNumbersEndError(f"{last} is not a control number after which {partner} can go on.")
    row = connection.execute(
        """
        insert into billing.x12_control_numbers as numbers (partner, kind, last) values (%s, %s, %s)
        on conflict (partner, kind) do update set last = greatest(numbers.last, excluded.last)
        returning last""",
        [partner, kind, last],
    ).fetchone()
    return int(row["last"]) if row else 0
