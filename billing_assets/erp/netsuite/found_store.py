"""The SQL of what NetSuite has under our names and our database has no attempt of: after a restored backup, mostly."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from billing_assets.decisions.store import Subject, record, record_each
from billing_assets.erp.staging import verbs
from billing_assets.erp.staging.store import KEEPS_ITS_NAME, MAY_HAVE_LEFT
from billing_assets.foundation.database.connection import Connection


class Found(NamedTuple):
    """A transaction that NetSuite has under one of our names, and which no attempt of ours explains.

    `total` is without sign. `number` and `state` are those of our document with that name, None where there is none.
    """

    netsuite_id: str
    external_id: str
    kind: str | None
    type: str
    transaction_number: str | None
    currency: str | None
    total: Decimal | None
    tran_date: date | None
    found_at: datetime
    decision: str | None
    decided_by: str | None
    number: str | None
    state: str | None


class Row(NamedTuple):
    """A transaction to be noted; its columns are those of `billing.found_transactions`."""

    netsuite_id: str
    external_id: str
    kind: str | None
    type: str
    transaction_number: str | None
    entity: str | None
    customers: list[str] | None
    currency: str | None
    total: Decimal | None
    tran_date: str | None


def seen_through(connection: Connection) -> int:
    """The internal id up to which all that NetSuite has under our names was compared with our attempts."""
    row = connection.execute("select seen_through from billing.netsuite_looks").fetchone()
    return int(row["seen_through"]) if row else 0


def note_look(connection: Connection, seen: int, lag_seconds: float) -> None:
    """Notes how far a look came. `lag_seconds`: a query may show a new transaction that much later than a newer one."""
    connection.execute(
        """
        insert into billing.netsuite_looks as l (seen_through, seen, looked_at)
        values (0, %(seen)s, clock_timestamp())
        on conflict (one) do update set
            seen_through = greatest(l.seen_through, l.seen),
            seen = greatest(l.seen, excluded.seen), looked_at = excluded.looked_at
        where l.looked_at not between clock_timestamp() - make_interval(secs => %(lag)s) and clock_timestamp()""",
        {"seen": seen, "lag": lag_seconds},
    )


def leave_account(connection: Connection) -> None:
    """In another account internal ids begin again: the next look asks for all of them, and what was found in this one
    is kept as its history only. Call in the transaction of the move."""
    connection.execute("delete from billing.netsuite_looks")
    connection.execute("update billing.found_transactions set left_at = clock_timestamp() where left_at is null")


def unexplained(connection: Connection, external_ids: Sequence[str]) -> set[str]:
    """Those of the external ids (in capitals) under which no attempt of ours may have left."""
    rows = connection.execute(
        f"""
        select name from unnest(%s::text[]) as name
        where not exists (
            select from billing.staged_invoices as s
            where s.external_id = name and (s.state in ('posting', 'posted', 'differs') or {MAY_HAVE_LEFT}))""",  # noqa: S608
        [list(external_ids)],
    )
    return {row["name"] for row in rows}


def note(connection: Connection, rows: Sequence[Row]) -> int:
    """Notes transactions that are new to us; how many were."""
    columns = ", ".join(Row._fields)
    places = ", ".join(["%s"] * len(Row._fields))
    noted = 0
    with connection.transaction():
        for row in rows:
            noted += connection.execute(
                f"insert into billing.found_here ({columns}) values ({places}) on conflict do nothing",  # noqa: S608
                row,
            ).rowcount
    return noted


def unconfirmed(connection: Connection) -> int:
    """How many a person has still to confirm. Nothing is sent before."""
    row = connection.execute("select count(*) as n from billing.found_here where decision is null").fetchone()
    return int(row["n"]) if row else 0


def found(connection: Connection, *, undecided_only: bool = False) -> list[Found]:
    """Everything that was found, or what no person decided about, with our document of that name."""
    rows = connection.execute(
        """
        select f.netsuite_id, f.external_id, f.kind, f.type, f.transaction_number, f.currency, f.total, f.tran_date,
               f.found_at, f.decision, w.decided_by, d.number, d.state
        from billing.found_here as f
        left join billing.decisions as w on w.id = f.decision_id
        left join lateral (
            select s.number, s.state from billing.staged_invoices as s
            where s.external_id = f.external_id order by s.state = 'gone', s.id desc limit 1) as d on true
        where not %s or f.decision is null
        order by f.netsuite_id::bigint""",
        [undecided_only],
    )
    return [Found(**row) for row in rows]


def confirm(connection: Connection, by: str, why: str) -> int:
    """A person has seen the list; how many were on it. Documents with these names are judged again by the next
    staging.

    Call in a transaction.
    """
    found = connection.execute(
        """
        select netsuite_id, external_id from billing.found_here where decision is null
        order by netsuite_id::bigint for update"""
    ).fetchall()
    decided = record_each(connection, Subject.FOUND, [(one["external_id"], "confirmed", why) for one in found], by)
    connection.execute(
        """
        update billing.found_here as f set decision = 'confirmed', decision_id = d.decision_id
        from unnest(%s::text[], %s::bigint[]) as d (netsuite_id, decision_id) where f.netsuite_id = d.netsuite_id""",
        [[one["netsuite_id"] for one in found], decided],
    )
    rows = connection.execute("select external_id from billing.found_here where decision = 'confirmed'")
    verbs.judge_again(connection, [row["external_id"] for row in rows])
    return len(found)


def separate(connection: Connection, netsuite_id: str, by: str, why: str) -> bool:
    """A person says that a transaction is none of our documents; whether it was among those without one."""
    with connection.transaction():
        return _decide(connection, netsuite_id, "separate", by, why) is not None


def match(connection: Connection, netsuite_id: str, document: int, by: str, why: str) -> bool:
    """A person says that a transaction is one of our documents: it gets that name. Whether both were free for it.

    Call in a transaction. The document is judged again by the next staging.
    """
    external_id = _decide(connection, netsuite_id, "matched", by, why, document)
    if external_id is None:
        return False
    return verbs.rename(connection, document, external_id)


def _decide(
    connection: Connection, netsuite_id: str, decision: str, by: str, why: str, document: int | None = None
) -> str | None:
    """Notes what a person says of a transaction that no document has the name of; its external id. None where there is
    no such transaction."""
    found = connection.execute(
        """
        select external_id from billing.found_here
        where netsuite_id = %s and netsuite_id in (select netsuite_id from billing.found_without_document)
        for update""",
        [netsuite_id],
    ).fetchone()
    if found is None:
        return None
    decided = record(connection, Subject.FOUND, found["external_id"], decision, by, why)
    connection.execute(
        "update billing.found_here set decision = %s, decision_id = %s, document = %s where netsuite_id = %s",
        [decision, decided.id, document, netsuite_id],
    )
    return str(found["external_id"])


def documents(connection: Connection, number: str, kind: str) -> list[int]:
    """Rows of the documents with a number and kind that a run has not got, and which cannot be in NetSuite under their
    own name: what may be there keeps it for ever."""
    rows = connection.execute(
        f"""
        select id from billing.staged_invoices as s
        where number = %s and kind = %s and state in ('open', 'held', 'excluded', 'ready')
          and not {KEEPS_ITS_NAME}""",  # noqa: S608
        [number, kind],
    )
    return [row["id"] for row in rows]


def known(connection: Connection, external_ids: Sequence[str]) -> set[str]:
    """Those of the external ids that NetSuite was found to have."""
    rows = connection.execute(
        "select external_id from billing.found_here where external_id = any(%s)", [list(external_ids)]
    )
    return {row["external_id"] for row in rows}
