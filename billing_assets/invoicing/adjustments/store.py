"""The SQL of adjustments: what is entered, checked, posted and withdrawn, on the caller's connection."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg.types.json import Json

from billing_assets.decisions.store import Subject, check, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.adjustments.kinds import HELD, Adjustment, AdjustmentError, State


class AdjustmentRow(NamedTuple):
    """An adjustment as it is now. `document`: what it was posted as."""

    id: int
    kind: Adjustment
    account: str
    currency: str
    amount: Decimal
    lines: list[dict[str, Any]]
    is_taxed: bool
    reason: str
    state: State
    needs_check: bool
    decision: int | None
    document: int | None


_COLUMNS = ", ".join(AdjustmentRow._fields)


def _row(row: Mapping[str, Any]) -> AdjustmentRow:
    return AdjustmentRow(**{**row, "kind": Adjustment(row["kind"]), "state": State(row["state"])})


def reference(number: int) -> str:
    """How decisions name an adjustment."""
    return f"adjustment {number}"


def enter(
    connection: Connection,
    kind: Adjustment,
    account: str,
    currency: str,
    amount: Decimal,
    lines: Sequence[Mapping[str, Any]],
    reason: str,
    by: str,
    why: str,
    *,
    taxed: bool,
    needs_check: bool,
) -> AdjustmentRow:
    """Enters what a person charges or credits; it waits for another one where it needs a check."""
    with connection.transaction():
        (number,) = connection.execute(
            "select nextval(pg_get_serial_sequence('billing.account_adjustments', 'id')) as id"
        ).fetchall()
        what = f"{kind} of {amount:f} {currency} for {account}, {reason}"
        decision = record(connection, Subject.INVOICING, reference(number["id"]), what, by, why)
        (row,) = connection.execute(
            f"""
            insert into billing.account_adjustments (id, kind, account, currency, amount, lines, is_taxed, reason,
                needs_check, state, decision)
            overriding system value values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning {_COLUMNS}""",  # noqa: S608
            [
                number["id"],
                str(kind),
                account,
                currency,
                amount,
                Json(list(lines)),
                taxed,
                reason,
                needs_check,
                str(State.WAITING if needs_check else State.OPEN),
                decision.id,
            ],
        ).fetchall()
    return _row(row)


def hold_for_key(
    connection: Connection,
    key: str,
    account: str,
    currency: str,
    amount: Decimal,
    lines: Sequence[Mapping[str, Any]],
    reason: str,
) -> int | None:
    """Holds what the engine itself corrects until the next bill, once for a key: None where it is there already."""
    row = connection.execute(
        """
        insert into billing.account_adjustments (kind, account, currency, amount, lines, is_taxed, reason, key,
            needs_check, state)
        values ('true_up', %s, %s, %s, %s, true, %s, %s, false, 'open')
        on conflict (key) do nothing returning id""",
        [account, currency, amount, Json(list(lines)), reason, key],
    ).fetchone()
    return int(row["id"]) if row else None


def adjustment(connection: Connection, number: int) -> AdjustmentRow:
    """An adjustment, locked. Raises AdjustmentError."""
    row = connection.execute(
        f"select {_COLUMNS} from billing.account_adjustments where id = %s for update",  # noqa: S608
        [number],
    ).fetchone()
    if row is None:
        raise AdjustmentError(f"There is no adjustment {number}. `billing invoicing adjustments` lists them.")
    return _row(row)


def confirm(connection: Connection, number: int, by: str, why: str) -> AdjustmentRow:
    """Another person than its maker checks an adjustment. Raises AdjustmentError, and SamePersonError."""
    with connection.transaction():
        row = adjustment(connection, number)
        if row.state is not State.WAITING or row.decision is None:
            raise AdjustmentError(f"Adjustment {number} is {row.state}: it waits for no one.")
        checked = check(connection, row.decision, by, why)
        connection.execute(
            """
            update billing.account_adjustments set state = 'open', checked = %s, since = clock_timestamp()
            where id = %s""",
            [checked.id, number],
        )
    return row._replace(state=State.OPEN)


def post(connection: Connection, number: int, document: int | None) -> None:
    """Notes that an adjustment is posted: as a document, or in the balance alone."""
    connection.execute(
        """
        update billing.account_adjustments set state = 'posted', document = %s, since = clock_timestamp()
        where id = %s""",
        [document, number],
    )


def withdraw(connection: Connection, number: int, by: str, why: str) -> None:
    """Drops what is not posted and on no bill. Raises AdjustmentError."""
    with connection.transaction():
        row = adjustment(connection, number)
        if row.state not in (State.WAITING, State.OPEN):
            raise AdjustmentError(f"Adjustment {number} is {row.state}: enter one the other way round.")
        bill = connection.execute(
            """
            select coalesce(i.number, 'draft ' || i.id) as bill
            from billing.invoiced_adjustments as a join billing.utility_invoices as i on i.id = a.invoice
            where a.adjustment = %s and a.is_live""",
            [number],
        ).fetchone()
        if bill is not None:
            raise AdjustmentError(f"Adjustment {number} is on {bill['bill']}: enter one the other way round.")
        record(connection, Subject.INVOICING, reference(number), "withdraw", by, why)
        connection.execute(
            "update billing.account_adjustments set state = 'withdrawn', since = clock_timestamp() where id = %s",
            [number],
        )


def held(
    connection: Connection, account: str, currency: str, rebill_of: int | None = None, correction: int | None = None
) -> list[AdjustmentRow]:
    """What is held for an account's next bill in a currency, locked: on no live bill, the oldest first; of a rebill
    what was on the invoices that its correction cancels."""
    rows = connection.execute(
        f"""
        select {_COLUMNS} from billing.account_adjustments as a
        where account = %(account)s and currency = %(currency)s and state = 'open' and kind = any(%(kinds)s)
          and not exists (select from billing.invoiced_adjustments as i where i.adjustment = a.id and i.is_live)
          and (%(rebill_of)s::bigint is null or exists (
            select from billing.invoiced_adjustments as was
            left join billing.utility_invoices as c on c.cancels = was.invoice
            where was.adjustment = a.id and (was.invoice = %(rebill_of)s or c.correction = %(correction)s)))
        order by id for update""",  # noqa: S608
        {
            "account": account,
            "currency": currency,
            "kinds": [str(one) for one in HELD],
            "rebill_of": rebill_of,
            "correction": correction,
        },
    )
    return [_row(row) for row in rows]
