"""Accounts that are not billed for now."""

from datetime import date

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection


def hold(connection: Connection, account: str, until: date, by: str, why: str) -> None:
    """Keeps an account from being billed until a day, which is the first on which it is billed again."""
    with connection.transaction():
        decision = record(connection, Subject.INVOICING, f"account {account}", f"hold until {until}", by, why)
        connection.execute(
            "insert into billing.account_holds (account, until, decision) values (%s, %s, %s)",
            [account, until, decision.id],
        )


def end_hold(connection: Connection, account: str, by: str, why: str) -> bool:
    """Ends the holds of an account. Whether there was one."""
    with connection.transaction():
        rows = connection.execute(
            "select id from billing.account_holds where account = %s and ended_by is null for update", [account]
        ).fetchall()
        for row in rows:
            decision = record(connection, Subject.INVOICING, f"account {account}", "hold ended", by, why)
            connection.execute("update billing.account_holds set ended_by = %s where id = %s", [decision.id, row["id"]])
    return bool(rows)
