"""The log of decisions (`billing.decisions`): its verbs and its SQL. Each works on the caller's connection."""

import getpass
import os
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import psycopg.errors

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError


class Subject(StrEnum):
    """What kind of thing was decided about; `reference` names the one."""

    MONTH = "month"  # closed or reopened
    DRIFT = "drift"  # what the billing system changed of a posted document
    DIFFERENCE = "difference"  # what NetSuite has otherwise than it was sent
    VOID = "void"  # the credit memo for an invoice that was voided after it was posted
    FOUND = "found_transaction"  # what NetSuite has under our names and our database never sent
    LATE_FEE = "late_fee"  # approved or declined
    STOP = "collection_stop"  # noted or ended
    REMINDER = "reminder"  # one that may or may not have left, or came back
    RESTORE = "restore"  # what is confirmed after a backup was put back
    BINDING = "binding"  # what our database belongs to
    METER_DATA = "meter_data"  # a finding verified, intervals edited or estimated, a rule's parameter set
    USAGE = "usage"  # a market message: released, rejected, paired by a person
    TARIFF = "tariff"  # a version loaded, approved or withdrawn; values of a price series or a profile loaded
    INVOICING = "invoicing"  # an account on hold; a request, a batch, a finding, a draft of an invoice
    AUDIT = "audit"  # what an auditor said of a document, or of a contract without one


WITHOUT_A_REASON = frozenset({Subject.LATE_FEE, Subject.STOP, Subject.AUDIT})
"""What may be decided without a reason; the table's constraint `says_why` names the same."""


class Decision(NamedTuple):
    """What somebody decided. `checks`: the decision of another person that this one confirms."""

    id: int
    subject: str
    reference: str
    decision: str
    decided_by: str
    decided_at: datetime
    decided_from: str
    why: str
    checks: int | None


class SamePersonError(BillingError):
    """The person who decided must not check it, too."""

    def __init__(self, by: str) -> None:
        super().__init__(f"{by} decided this: another person must check it.")


_COLUMNS = "id, subject, reference, decision, decided_by, decided_at, decided_from, why, checks"


def record(
    connection: Connection,
    subject: Subject,
    reference: str,
    decision: str,
    by: str,
    why: str,
    *,
    at: datetime | None = None,
    where: str | None = None,
) -> Decision:
    """Writes a decision down for good; call in the transaction of what follows from it.

    `at`, `where`: of one that was made before, elsewhere; else now, and here.
    """
    (row,) = connection.execute(
        f"""
        insert into billing.decisions (subject, reference, decision, decided_by, why, decided_from, decided_at)
        values (%s, %s, %s, %s, %s, %s, coalesce(%s, clock_timestamp())) returning {_COLUMNS}""",  # noqa: S608
        [subject, reference, decision, by.strip(), why.strip(), where or here(), at],
    ).fetchall()
    return Decision(**row)


def recorder(connection: Connection, subject: Subject, by: str, why: str) -> Callable[[str, str], int]:
    """Records in a person's name, for code that knows no decisions: takes reference and decision, gives the id."""
    return lambda reference, decision: record(connection, subject, reference, decision, by, why).id


def record_each(
    connection: Connection,
    subject: Subject,
    decided: Sequence[tuple[str, str, str]],
    by: str,
    *,
    where: str | None = None,
) -> list[int]:
    """Writes several decisions of one person down: reference, decision and why of each. Their ids, in that order."""
    rows = connection.execute(
        """
        insert into billing.decisions (subject, reference, decision, decided_by, why, decided_from)
        select %s, reference, decision, %s, why, %s
        from unnest(%s::text[], %s::text[], %s::text[]) with ordinality as d (reference, decision, why, place)
        order by place returning id""",
        [subject, by.strip(), where or here(), *([one[part].strip() for one in decided] for part in range(3))],
    )
    return sorted(row["id"] for row in rows)


def check(connection: Connection, decision: int, by: str, why: str) -> Decision:
    """A second person confirms a decision. Raises SamePersonError, and LookupError where there is none."""
    try:
        with connection.transaction():
            rows = connection.execute(
                f"""
                insert into billing.decisions
                    (subject, reference, decision, decided_by, why, decided_from, checks, made_by)
                select subject, reference, 'checked', %s, %s, %s, id, decided_by from billing.decisions
                where id = %s and checks is null returning {_COLUMNS}""",  # noqa: S608
                [by.strip(), why.strip(), here(), decision],
            ).fetchall()
    except psycopg.errors.CheckViolation as error:
        if error.diag.constraint_name != "checked_by_another":
            raise
        raise SamePersonError(by.strip()) from None
    if not rows:
        raise LookupError(decision)
    return Decision(**rows[0])


def history(connection: Connection, subject: Subject | None = None, reference: str | None = None) -> list[Decision]:
    """What was decided, about everything or one subject or thing, the oldest first."""
    rows = connection.execute(
        f"""
        select {_COLUMNS} from billing.decisions
        where (%(subject)s::text is null or subject = %(subject)s)
          and (%(reference)s::text is null or reference = %(reference)s)
        order by id""",  # noqa: S608
        {"subject": subject, "reference": reference},
    )
    return [Decision(**row) for row in rows]


@cache
def here() -> str:
    """Where this process decides: user and machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return f"{user}@{socket.gethostname()}"
