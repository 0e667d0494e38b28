"""The SQL of posting: documents to send, intents, outcomes, read-back. Every write carries the epoch of the lock."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from billing_assets.batches.store import Lock, StaleLockError, is_held
from billing_assets.domain.documents import Document, State
from billing_assets.domain.money import canonical
from billing_assets.domain.rules import Finding, finding
from billing_assets.staging.content import document_of
from billing_assets.state.database import Connection, settle_order


class Credited(NamedTuple):
    """A posted invoice that a credit memo is applied to."""

    netsuite_id: str
    total: Decimal


@dataclass(frozen=True, slots=True)
class Posting:
    """A document on its way: its row and its external id. `credited`: the invoices that it is applied to, by number, as
    far as they are posted. `hold`: why it must not go although a run has it (an auditor, a look-alike in NetSuite).
    `attempted`: it was sent before, and so keeps its external id. `found`: NetSuite has its name although no attempt of
    ours is known (`found.py`).
    """

    id: int
    external_id: str
    document: Document
    credited: Mapping[str, Credited] = field(default_factory=dict)
    hold: Finding | None = None
    attempted: bool = False
    found: bool = False

    @property
    def waits(self) -> bool:
        """Whether it is applied to an invoice that is not posted."""
        return any(one.applies_to not in self.credited for one in self.document.targets)


_NOTHING_APPLIED: Mapping[int, Mapping[str, Decimal]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt whose end is not known yet, or that NetSuite has otherwise, and the last that was noted about it.

    `due`: its absence from NetSuite counts by now. While nothing was noted that ends its sending, it is never due: the
    run that began it may have sent it at any time until it lost its hold. `payload`: the request body that was sent;
    None for an attempt of an earlier version. `may_have_landed`: an attempt of ours explains that NetSuite has it with
    these lines.
    """

    posting: Posting
    attempt: int
    state: State
    payload: bytes | None
    may_have_landed: bool
    due: bool
    last_outcome: str | None
    last_http_status: int | None
    last_code: str | None
    last_path: str | None
    last_detail: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt, and the state in which that leaves the document. `seconds`: time of the request.

    `unproven`: NetSuite had it already, and whether with our lines could not be seen. `read_back`: the look-up has seen
    all that the read-back would. `applied`: what NetSuite applied of a credit memo that it had already.
    """

    document: int
    attempt: int
    outcome: str
    state: State
    http_status: int | None = None
    code: str | None = None
    path: str | None = None
    detail: str | None = None
    netsuite_id: str | None = None
    transaction_number: str | None = None
    seconds: float | None = None
    unproven: bool = False
    read_back: bool = False
    applied: list[tuple[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A posted document that was not yet compared with what NetSuite shows.

    `applied`: what of a credit memo was sent to settle invoices; None where the billing system says nothing of it.
    `accepted`: what NetSuite had when a person accepted that it differs (`NetSuiteTransaction.facts`).
    """

    id: int
    kind: str
    external_id: str
    total: Decimal
    netsuite_id: str
    applied: Decimal | None
    unproven: bool
    accepted: dict[str, str | None] | None


_CREDITED = """
    jsonb_array_elements(d.applications) as a
    cross join lateral (
        select t.netsuite_id, t.external_id, t.total from billing.staged_invoices as t
        where t.source = billing.credited_source(d.source) and t.kind = 'invoice' and t.number = a.value ->> 0
          and t.state || '' = 'posted' limit 1  -- never by an index of all that is posted
    ) as t"""

_DOCUMENT = f"""
    d.id, d.external_id, d.source, d.document_id, d.kind, d.number, d.status, d.created_at, d.document_date, d.due_date,
    d.customer, d.branch, d.currency, d.terms, d.purchase_order, d.memo, d.applies_to, d.total, d.extra, d.lines,
    d.posting_date, d.applications, case when d.applications is not null then (
        select jsonb_object_agg(a.value ->> 0, jsonb_build_array(t.netsuite_id, t.total::text)) from {_CREDITED}
    ) end as credited"""  # noqa: S608


def _posting(row: dict[str, Any]) -> Posting:
    credited = {number: Credited(one, Decimal(total)) for number, (one, total) in (row["credited"] or {}).items()}
    hold = Finding(**row["hold"]) if row.get("hold") else None
    if row.get("closed") and not (row["found"] and not row["attempted"]):  # it is taken over, and not sent
        hold = finding(
            "PERIOD_CLOSED", "document_date", row["document_date"], "Its month was closed for good meanwhile."
        )
    if (look_alike := row.get("look_alike")) and not row["found"]:  # its own name is there: it is not sent anyway
        hold = finding("MAY_BE_IN_NETSUITE", "number", row["number"], f"It may be what NetSuite has as {look_alike}.")
    attempted, found = row.get("attempted", False), row.get("found", False)
    return Posting(row["id"], row["external_id"], document_of(row), credited, hold, attempted, found)


LOOKS_ALIKE = """
    f.kind = d.kind and f.currency = d.currency and f.total = abs(d.total)
    and (f.customers is null or trim(d.customer) = any(f.customers) or lower(trim(d.customer)) = any(f.customers))"""


def next_to_send(connection: Connection, held: Lock, limit: int, after: int = 0) -> list[Posting]:
    """The next documents that this run holds and has not sent, oldest first, behind the row `after`."""
    rows = connection.execute(
        f"""
        select {_DOCUMENT}, (select h.finding from billing.audit_holds as h where h.document = d.id) as hold,
               exists (select from billing.posting_attempts as a where a.document = d.id) as attempted,
               exists (select from billing.found_here as f where f.external_id = d.external_id) as found,
               exists (  -- the close may have come back from the journal, after a backup from before it was restored
                   select from billing.closed_months as m where m.state = 'hard' and m.period >= d.period) as closed,
               (select f.external_id || ' (internal id ' || f.netsuite_id || ')'
                from billing.found_without_document as f where {LOOKS_ALIKE} limit 1) as look_alike
        from billing.staged_invoices as d
        where d.batch = %s and d.epoch = %s and d.state = 'locked' and d.id > %s order by d.id limit %s""",  # noqa: S608
        [held.partition_key, held.epoch, after, limit],
    )
    return [_posting(row) for row in rows]


def in_batch(connection: Connection, partition_key: str) -> list[Posting]:
    """Every document of a batch that is not in NetSuite yet, for a dry run."""
    rows = connection.execute(
        f"""
        select {_DOCUMENT} from billing.staged_invoices as d
        where d.batch = %s and d.state in ('batched', 'locked', 'posting', 'rejected') order by d.id""",  # noqa: S608
        [partition_key],
    )
    return [_posting(row) for row in rows]


def by_number(connection: Connection, number: str) -> list[Posting]:
    """The documents with a number, whatever their state (an invoice and a credit memo may share it)."""
    rows = connection.execute(
        f"""
        select {_DOCUMENT} from billing.staged_invoices as d
        where d.number = %s and d.document_date is not null and d.total is not null order by d.id""",  # noqa: S608
        [number],
    )
    return [_posting(row) for row in rows]


def credited_invoices(connection: Connection, held: Lock) -> dict[str, str]:
    """The invoices that credit memos are applied to which this run holds and has not sent: external by internal id."""
    rows = connection.execute(
        f"""
        select distinct t.netsuite_id, t.external_id from billing.staged_invoices as d cross join lateral {_CREDITED}
        where d.batch = %s and d.epoch = %s and d.state = 'locked' and d.applications is not null order by 1""",  # noqa: S608
        [held.partition_key, held.epoch],
    )
    return {row["netsuite_id"]: row["external_id"] for row in rows}


def record_intents(
    connection: Connection,
    held: Lock,
    payloads: dict[int, bytes],
    applied: Mapping[int, Mapping[str, Decimal]] = _NOTHING_APPLIED,
) -> dict[int, int]:
    """Commits the intent to post these documents (request body by document id), and keeps each body for a later
    look-up. Attempt id by document.

    `applied`: what of a credit memo settles each invoice, by document and number. Raises StaleLockError, writing
    nothing, when any of them is not ours any more.
    """
    columns = {
        "documents": [*payloads],
        "hashes": [hashlib.sha256(payload).digest() for payload in payloads.values()],
        "payloads": [*payloads.values()],
        "applied": [Jsonb(_pairs(applied[document])) if document in applied else None for document in payloads],
    }
    with connection.transaction():
        attempts = connection.execute(
            """
            with r as (
                select * from unnest(
                    %(documents)b::bigint[], %(hashes)b::bytea[], %(payloads)b::bytea[], %(applied)s::jsonb[]
                ) as r (document, payload_hash, payload, applied)),
            moved as (
                update billing.staged_invoices as d set state = 'posting', applied = r.applied
                from r where d.id = r.document and d.batch = %(key)s and d.epoch = %(epoch)s and d.state = 'locked'
                returning d.id, d.external_id, r.payload_hash, r.payload)
            insert into billing.posting_attempts
                (document, batch, run_id, epoch, attempt, external_id, payload_hash, payload)
            select m.id, %(key)s, %(run)s, %(epoch)s,
                   coalesce((select max(a.attempt) from billing.posting_attempts as a where a.document = m.id), 0) + 1,
                   m.external_id, m.payload_hash, m.payload
            from moved as m
            returning document, id""",
            columns | {"key": held.partition_key, "run": held.run_id, "epoch": held.epoch},
        ).fetchall()
        if len(attempts) != len(payloads):
            raise StaleLockError(held)
    return {row["document"]: row["id"] for row in attempts}


def record_outcomes(
    connection: Connection, held: Lock, outcomes: Sequence[Outcome], *, some_may_be_written: bool = False
) -> None:
    """Appends outcomes to the log and moves their documents on; of several about one document, the last decides.

    Raises StaleLockError, writing nothing, when any of the documents is not ours any more. `some_may_be_written`: the
    connection was lost in an earlier try, perhaps after its commit; what that wrote is passed over.
    """
    last = {outcome.document: index for index, outcome in enumerate(outcomes)}
    rows = [
        {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}
        | {"place": index, "last": last[outcome.document] == index}
        for index, outcome in enumerate(outcomes)
    ]
    with connection.transaction():
        moved = connection.execute(
            """
            with r as (
                select * from jsonb_to_recordset(%(rows)s) as r (
                    document bigint, attempt bigint, outcome text, state text, http_status integer, code text,
                    path text, detail text, netsuite_id text, transaction_number text, seconds numeric,
                    unproven boolean, read_back boolean, applied jsonb, place integer, last boolean)),
            moved as (
                update billing.staged_invoices as d
                set state = r.state,
                    netsuite_id = coalesce(r.netsuite_id, d.netsuite_id),
                    transaction_number = coalesce(r.transaction_number, d.transaction_number),
                    posted_at = case when r.state = 'posted' then clock_timestamp() end,
                    -- what the read-back will not look at is said at once
                    difference = case when r.state = 'differs' or r.unproven and r.read_back then r.detail end,
                    unproven = r.unproven, applied = coalesce(nullif(r.applied, 'null'), d.applied),
                    read_back_at = case when r.read_back then clock_timestamp() else d.read_back_at end
                from r
                where r.last and d.id = r.document
                  and d.batch = %(key)s and d.epoch = %(epoch)s and d.state in ('posting', 'differs')
                returning d.id),
            logged as (
                insert into billing.posting_outcomes
                    (attempt, run_id, outcome, http_status, code, path, detail, netsuite_id, transaction_number,
                     seconds)
                select r.attempt, %(run)s, r.outcome, r.http_status, r.code, r.path, r.detail, r.netsuite_id,
                       r.transaction_number, r.seconds
                from r join moved as m on m.id = r.document order by r.place)
            select count(*) as n from moved""",
            {"rows": Jsonb(rows), "key": held.partition_key, "run": held.run_id, "epoch": held.epoch},
        ).fetchone()
        if moved is None or moved["n"] != len(last):
            if some_may_be_written and is_held(connection, held):
                return
            raise StaleLockError(held)


def _pairs(applied: Mapping[str, Decimal]) -> list[tuple[str, str]]:
    return [(number, canonical(amount)) for number, amount in applied.items()]


def put_back(connection: Connection, held: Lock, document: int) -> None:
    """Gives a document that must wait for another one back to the backlog. Raises StaleLockError."""
    moved = connection.execute(
        """
        update billing.staged_invoices set state = 'ready', batch = null
        where id = %s and batch = %s and epoch = %s and state = 'locked'""",
        [document, held.partition_key, held.epoch],
    ).rowcount
    if not moved:
        raise StaleLockError(held)


def hold(connection: Connection, held: Lock, document: int, findings: Sequence[Finding]) -> None:
    """Holds a document that the mapping, as it is now, cannot carry whole, or an auditor holds; staging judges it anew.

    Raises StaleLockError.
    """
    moved = connection.execute(
        """
        update billing.staged_invoices set state = 'held', batch = null, findings = %s, judged_under = null
        where id = %s and batch = %s and epoch = %s and state = 'locked'""",
        [Jsonb([found._asdict() for found in findings]), document, held.partition_key, held.epoch],
    ).rowcount
    if not moved:
        raise StaleLockError(held)


def open_attempts(connection: Connection, held: Lock, absence_counts_after: float) -> list[OpenAttempt]:
    """The documents of the batch whose last attempt has no known end, and those that NetSuite has otherwise than they
    were sent, with what is needed to judge a look-up."""
    rows = connection.execute(
        f"""
        select {_DOCUMENT}, d.state, a.id as attempt, a.payload,
               (  -- unless NetSuite said each time that it did nothing, or nothing left; or another content did
                   select coalesce(bool_and(t.payload_hash = a.payload_hash), false)
                   from billing.posting_attempts as t
                   left join billing.posting_outcomes as w on w.attempt = t.id
                   where t.document = d.id and coalesce(w.outcome, 'unknown') in ('unknown', 'landed', 'found')
               ) as may_have_landed,
               coalesce(o.outcome in ('unknown', 'exists')
                        and o.recorded_at < clock_timestamp() - make_interval(secs => %(after)s), false) as due,
               o.outcome, o.http_status, o.code, o.path, o.detail
        from billing.staged_invoices as d
        cross join lateral (
            select id, payload, payload_hash from billing.posting_attempts
            where document = d.id order by attempt desc limit 1) as a
        left join lateral (
            -- what was noted before the clock was set back says nothing about how long ago it was: it is noted anew
            select outcome, http_status, code, path, detail, recorded_at from billing.posting_outcomes
            where attempt = a.id and recorded_at <= clock_timestamp() order by id desc limit 1) as o on true
        where d.batch = %(key)s and d.epoch = %(epoch)s and d.state in ('posting', 'differs') order by d.id""",  # noqa: S608
        {"key": held.partition_key, "epoch": held.epoch, "after": absence_counts_after},
    )
    return [
        OpenAttempt(
            _posting(row),
            row["attempt"],
            State(row["state"]),
            row["payload"],
            row["may_have_landed"],
            row["due"],
            row["outcome"],
            row["http_status"],
            row["code"],
            row["path"],
            row["detail"],
        )
        for row in rows
    ]


def unread(connection: Connection, held: Lock) -> list[Unread]:
    """Posted documents of the batch that were not read back, or were different when they were."""
    rows = connection.execute(
        """
        select id, kind, external_id, total, netsuite_id,
               case when applied is not null then (
                   select coalesce(sum((a ->> 1)::numeric), 0) from jsonb_array_elements(applied) as a) end as applied,
               unproven, (select c.found from billing.accepted_differences as c
                          where c.document = d.id order by c.id desc limit 1) as accepted
        from billing.staged_invoices as d
        where batch = %s and state = 'posted' and (read_back_at is null or difference is not null) order by id""",
        [held.partition_key],
    )
    return [Unread(**row) for row in rows]


def payloads(connection: Connection, documents: Sequence[int]) -> dict[int, bytes]:
    """The body of the last attempt of each of the documents, where it was kept."""
    rows = connection.execute(
        """
        select distinct on (document) document, payload from billing.posting_attempts
        where document = any(%s) order by document, attempt desc""",
        [list(documents)],
    )
    return {row["document"]: row["payload"] for row in rows if row["payload"] is not None}


class ReadBack(NamedTuple):
    """What the read-back found of a document. `difference`: in words, None where it is as it was sent."""

    document: int
    number: str | None
    difference: str | None
    unproven: bool


def record_read_back(connection: Connection, held: Lock, rows: Sequence[ReadBack]) -> None:
    """Notes what the read-back found. Raises StaleLockError."""
    with connection.transaction():
        settle_order(connection)
        if not is_held(connection, held):
            raise StaleLockError(held)
        connection.execute(
            """
            update billing.staged_invoices as d
            set read_back_at = clock_timestamp(), transaction_number = coalesce(r.number, d.transaction_number),
                difference = r.difference, unproven = r.unproven
            from jsonb_to_recordset(%s) as r (document bigint, number text, difference text, unproven boolean)
            where d.id = r.document and d.state || '' = 'posted'  -- never by an index of all that is posted""",
            [Jsonb([row._asdict() for row in rows])],
        )
