"""The SQL of batches, members and findings: their states, each move on the caller's connection."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.invoicing.batches.codes import Found
from billing_assets.invoicing.batches.states import WORDS, Batch, Member


class BatchStateError(BillingError):
    """The batch, member or finding is not in the state that the verb needs; the message says in which it is."""


class BatchRow(NamedTuple):
    """A batch, for the transaction. `strict`: warnings wait for a person, too."""

    id: int
    bill_group: str
    cut_off: date
    is_automatic: bool
    state: Batch
    selected: int
    strict: bool


def batch(connection: Connection, number: int) -> BatchRow:
    """The batch, locked until the transaction ends. Raises BatchStateError where there is none."""
    row = connection.execute(
        """
        select b.id, b.bill_group, b.cut_off, b.is_automatic and coalesce(g.automated, false) as is_automatic, b.state,
            b.selected, coalesce(g.strict, false) as strict
        from billing.invoice_batches as b
        left join billing.bill_groups as g on g.bill_group = b.bill_group and g.replaced_at is null
            and g.valid_from <= b.cut_off and (g.valid_until is null or g.valid_until > b.cut_off)
        where b.id = %s for update of b""",
        [number],
    ).fetchone()
    if row is None:
        raise BatchStateError(f"There is no batch {number}. `billing invoicing status` lists them.")
    return BatchRow(**row | {"state": Batch(row["state"])})


def move(connection: Connection, number: int, state: Batch) -> None:
    """Gives a batch its next state; one that a worker may take is due at once."""
    connection.execute(
        """
        update billing.invoice_batches set state = %(state)s,
            validated_at = case when %(state)s = 'in_review' then clock_timestamp() else validated_at end,
            finished_at = case when %(state)s in ('completed', 'error_occurred', 'empty', 'released')
                then clock_timestamp() end,
            queue_due = case when %(state)s = 'pending' then clock_timestamp() else queue_due end
        where id = %(batch)s""",
        {"batch": number, "state": str(state)},
    )


def need(row: BatchRow, *states: Batch) -> None:
    """Raises BatchStateError where the batch is in none of these states."""
    if row.state not in states:
        wanted = " or ".join(WORDS[one] for one in states)
        raise BatchStateError(f"Batch {row.id} is {WORDS[row.state]}; this needs {wanted}. Nothing was changed.")


def write_validated(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Members as validation leaves them: `member`, `state`, `content`, `charges`."""
    connection.execute(
        """
        update billing.batch_members as m set state = v.state, content = v.content, charges = v.charges, code = null,
            why = null, since = case when m.state = v.state then m.since else clock_timestamp() end
        from unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[]) as v (member, state, content, charges)
        where m.id = v.member""",
        [[row[name] for row in rows] for name in ("member", "state", "content", "charges")],
    )


def write_findings(connection: Connection, members: Sequence[int], found: Sequence[tuple[int, Found]]) -> set[int]:
    """What validation found in these members, in the place of what it found before; what was waived stays so while its
    value is the same. The members with an error open."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            create temporary table found (
                member bigint, code text, path text, severity text, sentence text, value text) on commit drop"""
        )
        with cursor.copy("copy found from stdin") as copy:
            for member, one in found:
                copy.write_row([member, one.code, one.path, one.severity, one.sentence, one.value])
    connection.execute(
        """
        update billing.invoice_findings as f set state = 'gone', resolved_at = clock_timestamp()
        where f.member = any(%s) and f.state = 'open' and not exists (
            select from found as n where (n.member, n.code, n.path) = (f.member, f.code, f.path))""",
        [list(members)],
    )
    connection.execute(
        """
        insert into billing.invoice_findings as f (member, code, path, severity, sentence, value)
        select member, code, path, severity, sentence, value from found order by member, code, path
        on conflict (member, code, path) do update set
            severity = excluded.severity, sentence = excluded.sentence, value = excluded.value,
            state = case when f.state = 'waived' and f.value = excluded.value then 'waived' else 'open' end,
            resolved_at = case when f.state = 'waived' and f.value = excluded.value then f.resolved_at end"""
    )
    connection.execute("drop table found")
    rows = connection.execute(
        """
        select distinct member from billing.invoice_findings
        where member = any(%s) and state = 'open' and severity = 'error'""",
        [list(members)],
    )
    return {row["member"] for row in rows}


def open_warnings(connection: Connection, number: int) -> int:
    """Warnings of a batch's open members that no one let pass."""
    (row,) = connection.execute(
        """
        select count(*)::int as many
        from billing.invoice_findings as f join billing.batch_members as m on m.id = f.member
        where m.batch = %s and m.state in ('clear', 'held') and f.state = 'open' and f.severity = 'warning'""",
        [number],
    ).fetchall()
    return int(row["many"])


def count(connection: Connection, number: int, *states: Member) -> int:
    """Members of a batch in these states."""
    (row,) = connection.execute(
        "select count(*)::int as many from billing.batch_members where batch = %s and state = any(%s)",
        [number, [str(one) for one in states]],
    ).fetchall()
    return int(row["many"])


def member(connection: Connection, number: int) -> dict[str, Any]:
    """A member with its batch, locked. Raises BatchStateError where there is none."""
    row = connection.execute(
        """
        select m.id, m.batch, m.account, m.point, m.state, m.usage, m.charges, m.content, m.period_start, m.period_end
        from billing.batch_members as m where m.id = %s for update""",
        [number],
    ).fetchone()
    if row is None:
        raise BatchStateError(f"There is no member {number}. `billing invoicing findings BATCH` lists them.")
    return row


def end_member(
    connection: Connection,
    number: int,
    state: Member,
    code: str | None = None,
    why: str | None = None,
    decision: int | None = None,
) -> None:
    """What became of a member."""
    connection.execute(
        """
        update billing.batch_members
        set state = %s, code = %s, why = %s, decision = coalesce(%s, decision), since = clock_timestamp()
        where id = %s""",
        [state, code, why, decision, number],
    )


def release_members(connection: Connection, number: int) -> int:
    """Frees the open members of a batch."""
    return connection.execute(
        """
        update billing.batch_members set state = 'released', since = clock_timestamp()
        where batch = %s and state in ('selected', 'clear', 'held')""",
        [number],
    ).rowcount


def waive(connection: Connection, member: int, code: str, decision: int) -> int:
    """Lets the open findings of a code pass. How many."""
    return connection.execute(
        """
        update billing.invoice_findings set state = 'waived', decision = %s, resolved_at = clock_timestamp()
        where member = %s and code = %s and state = 'open'""",
        [decision, member, code],
    ).rowcount


def open_errors(connection: Connection, member: int) -> int:
    """Errors of a member that are open."""
    (row,) = connection.execute(
        """
        select count(*)::int as many from billing.invoice_findings
        where member = %s and state = 'open' and severity = 'error'""",
        [member],
    ).fetchall()
    return int(row["many"])
