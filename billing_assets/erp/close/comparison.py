"""The SQL that lays billing system, staging and NetSuite side by side, document by document, in temporary tables.

Set-based, so that memory stays flat whatever a month holds. `month_documents` has one row for every document that any
of the three knows; its `cause` (`close/causes.py`) is null where all agree. What NetSuite should have is `billing` plus
`moved` (late documents that came from an earlier month, or went to a later one, and our own credit memos for voids);
`netsuite` less that is the row's `effect`, and the effects of all rows are exactly what lies between the two totals.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString

import orjson
from psycopg import sql

from billing_assets.erp.batches.ledger import DOCUMENTS
from billing_assets.erp.close.causes import SETTLED
from billing_assets.erp.close.month_tables import TABLES, CustomerKey
from billing_assets.erp.documents.documents import CORRECTIONS
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.periods import first_day, following
from billing_assets.posting.attempts import last_outcome

_SHOWN_AT_A_TIME = 5_000


UNREADABLE = "a total that cannot be read"
"""`detail` of what NetSuite has with such a total; it counts as nothing."""

_LAST_OUTCOME = last_outcome(DOCUMENTS, "case when j.state in ('rejected', 'posting') then j.id end")

_COMPARE = """
    create temporary table month_documents as
    with b as (
        select *, row_number() over (partition by source, document_id) as times from month_billing
    ), s as (
        select id, source, document_id, kind, number, status, branch, customer, currency, document_date, posting_date,
               period, total, state, batch, findings, drift, external_id, netsuite_id, transaction_number, created_at,
               posted_at, read_back_at, difference, unproven, {key} as customer_key
        from billing.staged_invoices
        where id in (
            select id from billing.staged_invoices where period = {period}
            union
            select i.id from month_billing join billing.staged_invoices as i using (source, document_id))
    ), by_external_id as (
        select distinct on (s.id) n.netsuite_id, s.id from month_netsuite as n
        join s on s.external_id = n.external_id
              and s.state in ('ready', 'batched', 'locked', 'posting', 'posted', 'rejected', 'differs')
        order by s.id, n.netsuite_id is distinct from s.netsuite_id, n.netsuite_id
    ), matched as (
        select * from by_external_id
        union all  -- an internal id alone proves nothing: a refreshed sandbox gives them out again
        select n.netsuite_id, s.id from month_netsuite as n
        join s on s.netsuite_id = n.netsuite_id and s.state = 'posted' and n.absolute_total = abs(s.total)
              and n.type = case s.kind when 'credit_memo' then 'CustCred' else 'CustInvc' end
        where not exists (select from by_external_id as e where e.netsuite_id = n.netsuite_id)
          and not exists (select from by_external_id as e where e.id = s.id)
    ), decided as (  -- the last word on an invoice that was voided after posting
        select distinct on (p.document) p.document, p.decision, w.decided_by, k.state = 'posted' as credited
        from billing.proposed_credit_memos as p left join billing.staged_invoices as k on k.id = p.correction
        left join billing.decisions as w on w.id = p.decision_id
        order by p.document, p.id desc
    ), accepted as (
        select distinct on (a.document, a.drift) a.document, a.drift, w.decided_by as accepted_by
        from billing.accepted_drifts as a join billing.decisions as w on w.id = a.decision_id
        order by a.document, a.drift, a.id desc
    ), answered_for as (  -- counts as long as NetSuite has what was accepted
        select distinct on (c.document) c.document, c.netsuite_id, w.decided_by, c.found ->> 'type' as type,
            c.found ->> 'entity' as entity, c.found ->> 'currency' as currency, (c.found ->> 'total')::numeric as total,
            c.found ->> 'tran_date' as tran_date, c.found ->> 'voided' as voided
        from billing.accepted_differences as c join billing.decisions as w on w.id = c.decision_id
        order by c.document, c.id desc
    ), side_by_side as (
        select
            s.id, coalesce(s.kind, b.kind) as kind, coalesce(s.number, b.number) as number,
            coalesce(s.branch, b.branch) as branch, coalesce(s.currency, b.currency) as currency,
            s.state, s.batch, s.period, s.document_date, s.posting_date, s.posted_at, s.created_at, s.total as staged,
            s.external_id, s.netsuite_id, s.transaction_number, s.findings, s.drift, s.kind as our_kind, s.source,
            s.read_back_at, s.difference, s.unproven,
            (t.netsuite_id, t.type, t.entity, t.currency, t.total, t.tran_date, t.voided) is not distinct from
                (n.netsuite_id, n.type, n.entity, n.currency, n.absolute_total, n.tran_date::text, n.voided::text)
                as difference_accepted,
            b.times is null as not_in_billing, b.document_id is null as without_id, b.status as source_status,
            b.total as billed, coalesce(coalesce(b.status, s.drift ->> 'source_status') = 'void', false) as void,
            n.netsuite_id as their_id, n.external_id as their_external_id, n.type, n.entity, n.voided, n.tran_date,
            n.absolute_total,
            case n.type when 'CustCred' then -n.absolute_total else n.absolute_total end as netsuite,
            coalesce(s.source = any({sources}), false) as of_source,
            p.decision, coalesce(a.accepted_by, p.decided_by, t.decided_by) as decided_by,
            coalesce(p.credited, false) as credited,
            -- as it was accepted, and as staging saw it then
            a.document is not null and (b.times is null or (b.status, b.total) is not distinct from
                (s.drift ->> 'source_status', (s.drift ->> 'source_total')::numeric)) as accepted,
            -- a posted document does not change with us: what its status was is no news
            (left(b.kind, 160), left(b.number, 160), b.branch, b.customer, b.currency, b.total, b.document_date)
                is distinct from (left(s.kind, 160), left(s.number, 160), s.branch, s.customer, s.currency, s.total,
                                  s.document_date)
                or (s.state <> 'posted' and b.status is distinct from s.status) as otherwise,
            e.entity as expected_entity, c.netsuite_id as expected_currency, n.currency as their_currency,
            coalesce(y.code, n.currency) as their_symbol, g.sentence as meaning,
            coalesce(y.code <> upper(btrim(s.currency)), false) as other_symbol
        from s
        full join b on b.times = 1 and b.source = s.source and b.document_id = s.document_id
        left join matched as m on m.id = s.id
        left join month_netsuite as n on n.netsuite_id = m.netsuite_id
        left join month_customers as e on e.kind = s.kind and e.key = s.customer_key
        left join month_currencies as c on c.code = s.currency
        left join month_symbols as y on y.netsuite_id = n.currency
        left join month_meanings as g on g.document = s.id
        left join decided as p on p.document = s.id
        left join accepted as a on a.document = s.id and a.drift = s.drift
        left join answered_for as t on t.document = s.id
        where not (b.times is null and s.state = 'gone')
    ), judged as (
        select d.*,
            case
            when d.not_in_billing and (not d.of_source or d.document_date < {first}) then coalesce(d.staged, 0)
            when d.posting_date >= {end} then -coalesce(d.billed, 0)
            else 0 end as moved,
            case
            when d.id is null then case when d.without_id then 'HELD' else 'NOT_STAGED' end
            when d.state = 'posted' and (d.posted_at >= {began}
                or d.their_id is null and d.read_back_at is null and d.posted_at >= {surely_shown_before})
                then 'NOT_READ_BACK'
            when d.state = 'posted' then case
                when d.void and not (d.credited or d.decision is not distinct from 'declined' or d.accepted)
                    and (d.period <> {period} or d.their_id is not null and not d.voided) then 'VOIDED_AFTER_POSTING'
                when d.not_in_billing and d.of_source and d.document_date >= {first} and not d.accepted
                    then 'DELETED_AFTER_POSTING'
                when not d.void and not d.accepted and (d.drift is not null or not d.not_in_billing and d.otherwise)
                    then 'CHANGED_AFTER_POSTING'
                when d.posting_date >= {end} then 'MOVED_LATER'
                when d.period <> {period} then case when d.accepted then 'ACCEPTED' else 'CHANGED_AFTER_POSTING' end
                when d.their_id is null then 'DELETED_IN_NETSUITE'
                when d.their_id <> d.netsuite_id then 'ID_DIFFERS'
                when d.difference_accepted then 'DIFFERENCE_ACCEPTED'
                when d.voided then 'VOIDED_IN_NETSUITE'
                when d.type <> case d.our_kind when 'credit_memo' then 'CustCred' else 'CustInvc' end
                    then 'TYPE_DIFFERS'
                when d.absolute_total is distinct from abs(d.staged) then 'AMOUNT_DIFFERS'
                when d.entity is distinct from coalesce(d.expected_entity, d.entity) then 'CUSTOMER_DIFFERS'
                when d.other_symbol
                    or d.their_currency is distinct from coalesce(d.expected_currency, d.their_currency)
                    then 'CURRENCY_DIFFERS'
                when d.meaning is not null then 'MEANS_ANOTHER'
                when d.expected_entity is null or d.expected_currency is null then 'UNMAPPED'
                when d.their_external_id is distinct from d.external_id then 'EXTERNAL_ID_DIFFERS'
                when d.read_back_at is null then 'NOT_READ_BACK'
                when d.difference is not null then
                    case when d.unproven then 'CONTENT_NOT_PROVEN' else 'READ_BACK_DIFFERS' end
                when d.void and d.credited then 'VOID_CREDITED'
                when d.void and d.decision = 'declined' then 'VOID_DECLINED'
                when d.accepted then 'ACCEPTED' end
            when d.state = 'posting' then 'UNKNOWN'
            when d.state = 'differs' then 'DIFFERS'
            when d.their_id is not null then 'NOT_IN_BILLING'
            when d.state = 'gone' and d.source_status = 'void' then 'VOIDED'
            when d.state = 'gone' or d.not_in_billing and d.of_source and d.document_date >= {first}
                or d.staged is not null and not d.not_in_billing and d.otherwise then 'STAGED_OTHERWISE'
            when d.posting_date >= {end} then 'MOVED_LATER'
            when d.state = 'open' then 'NOT_CLOSED'
            when d.state = 'excluded' and d.findings @> '[{{"code": "VOIDED"}}]' then 'VOIDED'
            when d.state in ('held', 'excluded', 'rejected') then upper(d.state)
            else 'ON_ITS_WAY' end as cause
        from side_by_side as d
    )
    select
        j.kind, j.number, j.branch, j.currency,
        case
        when e.cause is null and j.cause in ('DELETED_IN_NETSUITE', 'VOIDED_IN_NETSUITE') and j.void
            and j.decision is distinct from 'confirmed' then 'VOIDED_BOTH'
        when w.why is not null then 'WAITS_FOR_INVOICE'
        else coalesce(e.cause, j.cause) end as cause,
        j.state, j.batch, j.staged,
        coalesce(j.billed, 0) as billing, j.moved, coalesce(j.netsuite, 0) as netsuite,
        coalesce(j.netsuite, 0) - coalesce(j.billed, 0) - coalesce(j.moved, 0) as effect,
        not j.not_in_billing as in_billing, j.their_id is not null as in_netsuite,
        case when j.moved = 0 then null when not j.not_in_billing then 'moved_out'
            when j.source = any({corrections}) then 'corrections' else 'moved_in' end as moved_where,
        not j.not_in_billing and j.billed is null as unreadable,
        j.period, j.document_date, j.posting_date, j.posted_at, j.created_at, j.source_status, j.drift, j.external_id,
        coalesce(j.their_id, j.netsuite_id) as netsuite_id, j.transaction_number,
        coalesce(f.reason, r.code) as reason, coalesce(
            case when j.cause = 'AMOUNT_DIFFERS' and j.absolute_total is null then {unreadable} end,
                 o.said, f.detail, r.detail, w.why, j.difference) as detail,
        j.decided_by,
        coalesce(e.type, j.type) as type, coalesce(e.tran_date, j.tran_date) as tran_date,
        coalesce(e.external_id, j.their_external_id) as their_external_id, j.their_id, j.entity, j.expected_entity,
        j.their_currency, j.expected_currency, j.their_symbol, j.meaning
    from judged as j
    left join lateral (  -- it was looked for by both of its ids
        select e.type, e.tran_date, e.external_id,
            case when e.external_id is distinct from j.external_id then 'EXTERNAL_ID_DIFFERS'
            when e.type not in ('CustInvc', 'CustCred') then 'TYPE_DIFFERS'
            when e.tran_date < {first} or e.tran_date >= {end} then case when exists (
                select from answered_for as t
                where t.document = j.id
                  and (t.netsuite_id, t.type, t.entity, t.currency, t.total, t.tran_date, t.voided) is not distinct from
                      (e.netsuite_id, e.type, e.entity, e.currency, e.absolute_total, e.tran_date::text, e.voided::text)
                ) then 'DIFFERENCE_ACCEPTED' else 'DATED_ELSEWHERE' end
            else 'NOT_READ_BACK' end as cause  -- it appeared while we compared
        from (
            select * from month_elsewhere where external_id = j.external_id
            union all
            select * from month_elsewhere
            where netsuite_id = j.netsuite_id and absolute_total = abs(j.staged)
              and type = case j.our_kind when 'credit_memo' then 'CustCred' else 'CustInvc' end) as e
        where j.cause = 'DELETED_IN_NETSUITE'
        order by e.external_id is distinct from j.external_id, e.netsuite_id limit 1) as e on true
    left join lateral (  -- which other transaction has its internal id by now
        select 'internal id ' || netsuite_id || ' is ' || coalesce(external_id, transaction_number, 'another') as said
        from (select * from month_netsuite union all select * from month_elsewhere) as either
        where j.cause = 'DELETED_IN_NETSUITE' and e.cause is null and netsuite_id = j.netsuite_id limit 1
    ) as o on true
    left join lateral {last_outcome} as r on true
    left join lateral (  -- what holds it, without what an auditor commented
        select string_agg(distinct f ->> 'code', ', ') as reason,
            (array_agg(case f ->> 'code' when 'AUDIT_HOLD' then split_part(f ->> 'message', ': ', 1)
                       else f ->> 'message' end order by place))[1] as detail
        from jsonb_array_elements(j.findings) with ordinality as found (f, place)
        where j.state in ('held', 'excluded', 'gone') and f ->> 'severity' <> 'warning') as f on true
    left join lateral (
        select k.why from billing.kept_back_credits as k
        where j.cause = 'ON_ITS_WAY' and j.state = 'ready' and j.kind = 'credit_memo' and k.id = j.id) as w on true
    union all
    select
        case n.type when 'CustCred' then 'credit_memo' else 'invoice' end, coalesce(o.number, n.external_id), o.branch,
        coalesce(c.code, n.currency), case when o.netsuite_id = n.netsuite_id then
            case when o.accepted then 'DIFFERENCE_ACCEPTED' else 'DATED_ELSEWHERE' end
        when x.decided_by is not null then 'NETSUITE_ONLY'
        else 'NOT_IN_BILLING' end, o.state, null, null, 0, 0, t.netsuite, t.netsuite, false, true, null, false,
        o.period, o.document_date, null, null, null, null, null, n.external_id, n.netsuite_id, n.transaction_number,
        null, case when n.absolute_total is null then {unreadable} end,
        coalesce(o.decided_by, x.decided_by), n.type, n.tran_date, n.external_id, n.netsuite_id, n.entity,
        null, n.currency, null, null, null
    from month_netsuite as n
    cross join lateral (
        select coalesce(case n.type when 'CustCred' then -n.absolute_total else n.absolute_total end, 0) as netsuite
    ) as t
    left join month_codes as c on c.netsuite_id = n.currency
    left join (
        select f.netsuite_id, w.decided_by from billing.found_here as f
        join billing.decisions as w on w.id = f.decision_id where f.decision = 'separate') as x
        on x.netsuite_id = n.netsuite_id
    left join lateral (
        select s.number, s.branch, s.state, s.period, s.document_date, s.netsuite_id, t.decided_by,
            (t.netsuite_id, t.type, t.entity, t.currency, t.total, t.tran_date, t.voided) is not distinct from
                (n.netsuite_id, n.type, n.entity, n.currency, n.absolute_total, n.tran_date::text, n.voided::text)
                as accepted
        from billing.staged_invoices as s left join answered_for as t on t.document = s.id
        where s.external_id = n.external_id order by s.state = 'posted' desc, s.id limit 1) as o on true
    where n.ours and not exists (select from matched as m where m.netsuite_id = n.netsuite_id)"""


def compare(
    connection: Connection,
    sources: Sequence[str],
    period: str,
    by: Mapping[str, CustomerKey],
    began: datetime,
    shown_within: timedelta = timedelta(0),
) -> None:
    """Makes `month_documents`. What was posted after `began`, or less than `shown_within` before it, may not be among
    NetSuite's transactions yet."""
    keys = sql.SQL(" ").join(
        sql.SQL("when {} then {}").format(kind, key.expression()) for kind, key in sorted(by.items())
    )
    query = sql.SQL(_COMPARE).format(
        key=sql.SQL("case kind {} end").format(keys),
        period=period,
        sources=list(sources),
        began=began,
        surely_shown_before=began - shown_within,
        corrections=[source + CORRECTIONS for source in sources],
        unreadable=UNREADABLE,
        first=first_day(period),
        end=first_day(following(period)),
        last_outcome=sql.SQL(_LAST_OUTCOME),
    )
    for name in TABLES:
        connection.execute(f"analyze {name}")
    connection.execute(query)


def sums(connection: Connection) -> list[dict[str, Any]]:
    """Documents and totals by branch, currency, kind, state, cause and reason, and by whether NetSuite has them; moved
    ones by where to."""
    return connection.execute(
        """
        select coalesce(branch, '') as branch, coalesce(currency, '') as currency, coalesce(kind, '') as kind, state,
               cause, case when state in ('held', 'rejected', 'excluded') then reason end as reason,
               moved_where,
               count(*) filter (where in_billing) as billing_documents, sum(billing) as billing,
               count(*) filter (where state <> 'gone') as staged_documents,
               coalesce(sum(staged) filter (where state <> 'gone'), 0) as staged,
               count(moved_where) as moved_documents, sum(moved) as moved,
               count(*) filter (where in_netsuite) as netsuite_documents, sum(netsuite) as netsuite,
               sum(effect) as effect, count(*) as documents,
               sum(case when in_billing or moved_where is not null then billing + moved else netsuite end) as concerned
        from month_documents group by 1, 2, 3, 4, 5, 6, 7, in_netsuite order by 1, 2, 3, 4, 5, 6, 7, in_netsuite"""
    ).fetchall()


def differences(
    connection: Connection, causes: Sequence[str], limit: int | None = None, *, largest_first: bool = False
) -> Iterator[dict[str, Any]]:
    """Documents that are not the same everywhere, in the order of `causes` and then of their amounts, or only of these.

    Call in a transaction.
    """
    yield from _stream(
        connection,
        """
        select * from month_documents where cause = any(%(causes)s)
        order by case when not %(largest_first)s then array_position(%(causes)s, cause) end,
                 abs(coalesce(nullif(effect, 0), staged, 0)) desc, kind, number
        limit %(limit)s""",
        {"causes": list(causes), "limit": limit, "largest_first": largest_first},
    )


def posted(connection: Connection) -> Iterator[dict[str, Any]]:
    """What is in NetSuite of the month, in the order of its numbers; call in a transaction."""
    yield from _stream(
        connection, "select * from month_documents where state = 'posted' order by kind desc, number, netsuite_id", {}
    )


def delays(connection: Connection) -> list[dict[str, Any]]:
    """Days from a document's creation in the billing system until NetSuite had it: median and 95th percentile by
    currency, and the oldest date among the documents that are not there though they are to be."""
    return connection.execute(
        """
        select currency,
               percentile_cont(0.5) within group (order by days) filter (where state = 'posted') as median,
               percentile_cont(0.95) within group (order by days) filter (where state = 'posted') as p95,
               min(document_date) filter (
                   where not cause = any(%s) and not in_netsuite and staged <> 0) as oldest_left
        from (select *, extract(epoch from posted_at - created_at)::float / 86400 as days from month_documents) as d
        where currency is not null group by 1 order by 1""",
        [SETTLED],
    ).fetchall()


def digest(connection: Connection) -> bytes:
    """SHA-256 over every document of the comparison with all that is said of it, and over what is elsewhere in NetSuite
    (32 bytes). Whatever a pack shows is in it."""
    (row,) = connection.execute(
        """
        select sha256(convert_to(coalesce(string_agg(line, E'\n' order by line), ''), 'UTF8')) as digest
        from (select (to_jsonb(d) || jsonb_build_object(
                  'posted_at', d.posted_at at time zone 'UTC', 'created_at', d.created_at at time zone 'UTC'
              ))::text collate "C" as line from month_documents as d) as lines"""
    ).fetchall()
    elsewhere_too = orjson.dumps([[*map(str, one.values())] for one in elsewhere(connection)])
    return hashlib.sha256(bytes(row["digest"]) + elsewhere_too).digest()


def elsewhere(connection: Connection) -> list[dict[str, Any]]:
    """Invoices and credit memos that NetSuite dates in the month and that are none of ours, by type and currency."""
    return connection.execute(
        """
        select n.type, coalesce(c.code, n.currency) as currency, count(*) as documents,
               coalesce(sum(n.absolute_total), 0) as total
        from month_netsuite as n left join month_codes as c on c.netsuite_id = n.currency
        where not n.ours
          and not exists (select from month_documents as d where d.their_id = n.netsuite_id)
        group by 1, 2 order by 1, 2"""
    ).fetchall()


def _stream(connection: Connection, query: LiteralString, values: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    with connection.cursor("month") as cursor:
        cursor.itersize = _SHOWN_AT_A_TIME
        yield from cursor.execute(query, values)
