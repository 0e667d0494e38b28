"""The SQL of the audit: contracts' services, the pending-invoice report, what a month charges, the audit queue."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.erp.audit.findings import CODES, Charged, Found, Term
from billing_assets.erp.billing_system.services import ContractService
from billing_assets.foundation.calendar.branch_days import day_of, day_values
from billing_assets.foundation.calendar.business_days import Days
from billing_assets.foundation.database.connection import Connection, lift_idle_limit

CHUNK = 5000
"""Services judged at a time: what bounds the memory."""

# What an auditor judges a document by, in short: closing it changes nothing of that.
CONTENT = "left(md5(concat_ws('|', trim_scale(d.total), d.currency, d.contract, d.lines)), 12)"
"""SQL: a mark that changes with the amounts and services of the document `d`."""

# The view's own age_days counts to the day of the session's time zone, which is no branch's.
_AGE_DAYS = f"({day_of('q.branch')} - coalesce(q.document_date, (q.period || '-01')::date))"

AGES = ("up to 30 days", "31 to 60 days", "61 to 90 days", "over 90 days")
"""How old a document is, counted from its date."""


class Recorded(NamedTuple):
    """What a pending-invoice report wrote: documents recorded as invoices of their month now, and all that are."""

    now: int
    all: int


def serialise(connection: Connection, source: str) -> None:
    """Waits until no other audit of this source writes; held to the end of the transaction."""
    connection.execute("select pg_advisory_xact_lock(hashtextextended('billing audit ' || %s, 0))", [source])


def replace_services(connection: Connection, source: str, chunks: Iterable[Sequence[ContractService]]) -> int:
    """Takes over what the billing system says of its contracts now. Returns how many services that are."""
    count = 0
    connection.execute("delete from billing.contract_services where source = %s", [source])
    columns = ", ".join(ContractService._fields)
    for chunk in chunks:
        copy_in = f"copy billing.contract_services (source, {columns}) from stdin"
        with connection.cursor().copy(copy_in) as copy:
            for one in chunk:
                copy.write_row((source, *one))
        count += len(chunk)
    connection.execute("analyze billing.contract_services")
    return count


def record_month(connection: Connection, source: str, period: str) -> Recorded:
    """Notes what is open in a month, and records what is closed as invoices of it, each once."""
    row = connection.execute(
        """
        with seen as (
            insert into billing.month_invoices (document, period, open_at, recorded_at)
            select id, period, case when status = 'open' then now() end, case when status = 'closed' then now() end
            from billing.staged_invoices
            where source = %(source)s and period = %(period)s and state <> 'gone' and status in ('open', 'closed')
            on conflict (document) do update set
                period = excluded.period, open_at = coalesce(month_invoices.open_at, excluded.open_at),
                recorded_at = case when excluded.recorded_at is not null
                                   then coalesce(month_invoices.recorded_at, excluded.recorded_at) end
            where month_invoices.period <> excluded.period
               or (month_invoices.recorded_at is null) <> (excluded.recorded_at is null)
            returning recorded_at)
        select count(recorded_at) as now from seen""",
        {"source": source, "period": period},
    ).fetchone()
    recorded = connection.execute(
        """
        select count(*) as documents from billing.month_invoices as m
        join billing.staged_invoices as d on d.id = m.document
        where d.source = %s and m.period = %s and m.recorded_at is not null
          and d.state <> 'gone' and d.status = 'closed'""",
        [source, period],
    ).fetchone()
    return Recorded(row["now"] if row else 0, recorded["documents"] if recorded else 0)


def still_open(connection: Connection, source: str, period: str, today: Days) -> list[dict[str, Any]]:
    """What is open in a month, by age, branch and currency: documents, total, and the oldest date."""
    rows = connection.execute(
        f"""
        select width_bucket({day_of("branch")} - document_date, array[31, 61, 91]) as age, branch, kind, currency,
               count(*) as documents, coalesce(sum(total), 0) as total, min(document_date) as oldest
        from billing.staged_invoices
        where source = %(source)s and period = %(period)s and state = 'open'
        group by 1, 2, 3, 4 order by 1 desc, 6 desc, 2""",  # noqa: S608  constants
        day_values(today) | {"source": source, "period": period},
    ).fetchall()
    return [row | {"age": AGES[row["age"]]} for row in rows]


def open_before(connection: Connection, source: str, period: str) -> list[dict[str, Any]]:
    """What is open in earlier months, by month and currency."""
    return connection.execute(
        """
        select period as month, currency, count(*) as documents, coalesce(sum(total), 0) as total
        from billing.staged_invoices
        where source = %s and state = 'open' and period < %s group by 1, 2 order by 1, 2""",
        [source, period],
    ).fetchall()


def closed_totals(connection: Connection, source: str, period: str) -> list[dict[str, Any]]:
    """The recorded invoices of a month by kind and currency."""
    return connection.execute(
        """
        select d.kind, d.currency, count(*) as documents, coalesce(sum(d.total), 0) as total
        from billing.month_invoices as m join billing.staged_invoices as d on d.id = m.document
        where d.source = %s and m.period = %s and m.recorded_at is not null
          and d.state <> 'gone' and d.status = 'closed' group by 1, 2 order by 1, 2""",
        [source, period],
    ).fetchall()


def refresh_charges(connection: Connection, source: str, periods: Sequence[str]) -> int:
    """Adds up the lines of documents per service, for those of the months that changed since. Returns how many did."""
    return connection.execute(
        """
        insert into billing.document_charges (document, content_hash, services, amounts)
        select d.id, d.content_hash, coalesce(c.services, '{}'), coalesce(c.amounts, '{}')
        from billing.staged_invoices as d
        cross join lateral (
            select array_agg(s.service order by s.service) as services,
                   array_agg(s.amount order by s.service) as amounts
            from (
                select l.value -> 9 ->> 'service' as service, sum((l.value ->> 5)::numeric) as amount
                from jsonb_array_elements(d.lines) as l group by 1) as s
            where s.service is not null) as c
        where d.source = %s and d.period = any(%s) and d.contract is not null and d.state <> 'gone'
          and not exists (
              select from billing.document_charges as m where m.document = d.id and m.content_hash = d.content_hash)
        on conflict (document) do update
        set content_hash = excluded.content_hash, services = excluded.services, amounts = excluded.amounts""",
        [source, list(periods)],
    ).rowcount


def choose_audited(connection: Connection, source: str, period: str, *, closed: bool) -> None:
    """The temporary tables of one audit: the documents to look at, and what will be found about contracts."""
    connection.execute(
        """
        create temporary table audited on commit drop as
        select d.id as document, d.contract, d.currency, coalesce(c.services, '{}') as services
        from billing.staged_invoices as d
        left join billing.document_charges as c on c.document = d.id
        where d.source = %(source)s and d.period = %(period)s and d.state <> 'gone'
          and (d.status = 'open' or (%(closed)s and d.status = 'closed'))""",
        {"source": source, "period": period, "closed": closed},
    )
    connection.execute(
        """
        create temporary table found (
            contract text, currency text, code text, service text, message text) on commit drop"""
    )
    connection.execute("analyze audited")


def charged(
    connection: Connection, source: str, period: str, before: Sequence[str]
) -> Iterator[list[tuple[str, Charged]]]:
    """What contracts charge in a month and charged in those before (oldest first), service by service, in chunks.

    Those with a document that is audited, and those without any document in the month.
    """
    with connection.cursor(name="charged") as cursor:
        cursor.execute(
            """
            with documents as (
                select d.id, d.contract, d.currency, d.period
                from billing.staged_invoices as d
                where d.source = %(source)s and d.period = any(%(periods)s) and d.contract is not null
                  and d.state <> 'gone' and d.status in ('open', 'closed')),
            wanted as (
                select contract from audited where contract is not null
                union
                select contract from (
                    select contract from documents
                    union select contract from billing.contract_services where source = %(source)s) as every
                where not exists (
                    select from documents as d where d.contract = every.contract and d.period = %(period)s)),
            charges as (
                select d.contract, c.service, d.currency, d.period, sum(c.amount) as amount
                from documents as d
                join wanted as w on w.contract = d.contract
                join billing.document_charges as m on m.document = d.id
                cross join lateral unnest(m.services, m.amounts) as c (service, amount)
                group by 1, 2, 3, 4),
            by_service as (
                select contract, service, currency, sum(amount) filter (where period = %(period)s) as now,
                       array_agg(period) as periods, array_agg(amount) as amounts
                from charges group by 1, 2, 3),
            terms as (
                select t.contract, t.service, array_agg(t.starts_on order by t.starts_on) as starts,
                       array_agg(t.ends_on order by t.starts_on) as ends,
                       array_agg(t.charged order by t.starts_on) as charged,
                       array_agg(t.expected_amount order by t.starts_on) as expected
                from billing.contract_services as t join wanted as w on w.contract = t.contract
                where t.source = %(source)s group by 1, 2),
            known as (select distinct contract from terms)
            select coalesce(b.contract, t.contract) as contract, coalesce(b.service, t.service) as service, b.currency,
                   b.now, b.periods, b.amounts, t.starts, t.ends, t.charged, t.expected,
                   k.contract is not null as known
            from by_service as b
            full join terms as t on t.contract = b.contract and t.service = b.service
            left join known as k on k.contract = coalesce(b.contract, t.contract)
            -- what is not charged at all, lately or now, says nothing unless it should be
            where b.contract is not null or 'monthly' = any(t.charged)""",
            {"source": source, "period": period, "periods": [*before, period]},
        )
        while rows := cursor.fetchmany(CHUNK):
            yield [(row["contract"], _charged(row, before)) for row in rows]


def _charged(row: dict[str, Any], before: Sequence[str]) -> Charged:
    amounts: dict[str, Decimal] = dict(zip(row["periods"] or (), row["amounts"] or (), strict=True))
    terms = zip(row["starts"] or (), row["ends"] or (), row["charged"] or (), row["expected"] or (), strict=True)
    return Charged(
        row["service"],
        row["currency"],
        row["now"],
        [amounts.get(period) for period in before],
        list(map(Term._make, terms)),
        row["known"],
    )


def copy_found(connection: Connection, rows: Iterable[tuple[str, str | None, Found]]) -> None:
    """Adds findings about contracts: contract, currency and what was found."""
    with connection.cursor().copy("copy found (contract, currency, code, service, message) from stdin") as copy:
        for contract, currency, found in rows:
            copy.write_row((contract, currency, *found))


def note_spellings(connection: Connection, source: str) -> None:
    """Adds to what is found of services that the other side has one of that name in other letters or blanks: most
    likely it is the same, and nothing takes it for that."""
    connection.execute("analyze found")
    connection.execute(
        """
        update found as f set message = f.message || format(' It has %%L: spell both alike.', t.service)
        from (
            select contract, lower(btrim(service)) as folded, min(service) as service from billing.contract_services
            where source = %(source)s
              and contract in (select contract from found where code = 'SERVICE_NOT_IN_CONTRACT')
            group by 1, 2) as t
        where f.code = 'SERVICE_NOT_IN_CONTRACT' and t.contract = f.contract and t.folded = lower(btrim(f.service))""",
        {"source": source},
    )
    connection.execute(
        """
        update found as f set message = f.message || format(' %L is charged: spell both alike.', c.service)
        from (
            select contract, lower(btrim(service)) as folded, min(service) as service from found
            where code = 'SERVICE_NOT_IN_CONTRACT' group by 1, 2) as c
        where f.code = 'SERVICE_MISSING' and c.contract = f.contract and c.folded = lower(btrim(f.service))"""
    )


def write_queue(
    connection: Connection,
    source: str,
    period: str,
    before: Sequence[str],
    no_contract: Found,
    unknown: Found,
    of_the_contract: Iterable[str],
) -> int:
    """Makes the queue of a month of `audited` and `found`. Returns how many rows it has.

    What a line shows stands on every audited document that charges the service; what is missing on the first one of
    the contract, or on a row without a document where the contract has none in the month.
    """
    connection.execute("delete from billing.audit_queue where source = %s and period = %s", [source, period])
    connection.execute("analyze found")
    return connection.execute(
        """
        insert into billing.audit_queue (source, period, document, contract, customer, branch, services, findings)
        with contracts_kept as (
            select exists (select from billing.contract_services where source = %(source)s) as some),
        contracts_folded as materialized (
            select lower(btrim(contract)) as folded, min(contract) as contract from billing.contract_services
            where source = %(source)s group by 1),
        on_documents as (
            select a.document, f.code, f.service, f.message
            from found as f
            join audited as a on a.contract = f.contract and a.currency is not distinct from f.currency
                and f.service = any(a.services)
            where not f.code = any(%(of_the_contract)s)
            union all
            select a.document, f.code, f.service, f.message
            from found as f
            join (select contract, min(document) as document from audited group by 1) as a on a.contract = f.contract
            where f.code = any(%(of_the_contract)s)
            union all
            select a.document, %(no_contract)s::text, '', %(no_contract_message)s::text
            from audited as a, contracts_kept as k where a.contract is null and k.some
            union all
            select a.document, %(unknown)s::text, '',
                   %(unknown_message)s::text || coalesce(format(' They have %%L: spell both alike.', s.contract), '')
            from contracts_kept as k, audited as a
            left join contracts_folded as s on s.folded = lower(btrim(a.contract))
            where k.some and a.contract is not null and not exists (
                select from billing.contract_services as t where t.source = %(source)s and t.contract = a.contract)),
        gathered as (
            select document, jsonb_agg(jsonb_build_object('code', code, 'service', service, 'message', message)
                                       order by array_position(%(codes)s, code), service) as findings
            from on_documents group by 1)
        select %(source)s, %(period)s, a.document, a.contract, d.customer, d.branch, a.services,
               coalesce(g.findings, '[]')
        from audited as a
        join billing.staged_invoices as d on d.id = a.document
        left join gathered as g on g.document = a.document
        union all
        select %(source)s, %(period)s, null, f.contract, coalesce(t.customer, l.customer),
               coalesce(t.branch, l.branch), f.services, f.findings
        from (
            select contract, array_agg(distinct service order by service) as services,
                   jsonb_agg(jsonb_build_object('code', code, 'service', service, 'message', message)
                             order by array_position(%(codes)s, code), service) as findings
            from found as f where not exists (select from audited as a where a.contract = f.contract)
            group by 1) as f
        left join lateral (
            select customer, branch from billing.contract_services
            where source = %(source)s and contract = f.contract limit 1) as t on true
        left join (
            select distinct on (contract) contract, customer, branch from billing.staged_invoices
            where source = %(source)s and period = any(%(before)s) and contract in (select contract from found)
            order by contract, id desc) as l on l.contract = f.contract""",
        {
            "source": source,
            "period": period,
            "before": list(before),
            "codes": [*CODES],
            "of_the_contract": sorted(of_the_contract),
            "no_contract": no_contract.code,
            "no_contract_message": no_contract.message,
            "unknown": unknown.code,
            "unknown_message": unknown.message,
        },
    ).rowcount


def queue_by_code(connection: Connection, source: str, period: str) -> list[dict[str, Any]]:
    """How much of the queue has each finding, by currency; a document with several counts under each."""
    return connection.execute(
        """
        select code, currency, count(*) as entries, coalesce(sum(total), 0) as total
        from (
            select distinct l.reference, f ->> 'code' as code, l.currency, l.total
            from billing.audit_list as l, jsonb_array_elements(l.findings) as f
            where l.source = %s and l.period = %s) as found
        group by 1, 2 order by 3 desc, 1""",
        [source, period],
    ).fetchall()


def queue_by_branch(connection: Connection, source: str, period: str, today: Days) -> list[dict[str, Any]]:
    """The queue by age, branch and currency: entries, with findings, decided, held, and what they add up to."""
    rows = connection.execute(
        f"""
        select width_bucket({_AGE_DAYS}, array[31, 61, 91]) as age, branch, currency, count(*) as entries,
               count(*) filter (where findings <> '[]') as with_findings, count(decision) as decided,
               count(*) filter (where decision = 'hold') as on_hold, coalesce(sum(total), 0) as total
        from billing.audit_list as q where source = %(source)s and period = %(period)s
        group by 1, 2, 3 order by 1 desc, 8 desc, 2""",  # noqa: S608  constants
        day_values(today) | {"source": source, "period": period},
    ).fetchall()
    return [row | {"age": AGES[row["age"]]} for row in rows]


def queue_entries(
    connection: Connection, source: str, period: str | None, today: Days, limit: int | None = None
) -> Iterator[Any]:
    """The queue of a month, or of all: what is undecided first, then the findings that matter most; streamed.

    A document's age is counted to `today` of its branch.
    """
    with connection.transaction(), connection.cursor(name="queue") as cursor:
        lift_idle_limit(connection)  # a file is written between two chunks; nothing waits for what only reads
        cursor.execute(
            f"""
            select q.*, {_AGE_DAYS} as age_days, {CONTENT} as content, (
                select max(a.id) from billing.audit_decisions as a
                where a.source = q.source and a.reference = q.reference) as last_decision
            from billing.audit_list as q left join billing.staged_invoices as d on d.id = q.document
            where q.source = %(source)s and (%(period)s::text is null or q.period = %(period)s)
            order by q.period, q.decision is not null, array_position(%(codes)s, q.findings -> 0 ->> 'code') nulls last,
                     abs(q.total) desc nulls last, q.reference
            limit %(limit)s""",  # noqa: S608  a constant
            day_values(today) | {"source": source, "period": period, "limit": limit, "codes": [*CODES]},
        )
        while rows := cursor.fetchmany(CHUNK):
            yield from rows
