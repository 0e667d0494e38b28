"""What the tables hold of files that were taken in: nothing that depends on when, by whom or in which order."""

from typing import Any

from billing_assets.foundation.database.connection import Connection

TABLES = {
    "files": """
        select encode(content_sha256, 'hex'), state, format, counts::text, messages, readings, made_at
        from billing.raw_files where state <> 'duplicate'""",
    "messages": """
        select type, point, suffix, day, stamp, encode(content_hash, 'hex'), state, code, readings, quantity
        from billing.raw_messages where state <> 'duplicate'""",
    "intervals": """
        select s.point, s.suffix, r.day, r.starts_at, r.length_seconds, r.values::text, r.decimals, r.quality,
            r.runs::text, r.made_at, r.updated_at, r.state, r.code, r.parts::text
        from billing.interval_readings as r join billing.streams as s on s.id = r.stream""",
    "registers": """
        select s.point, s.suffix, s.register, r.begins_at, r.ends_at, r.quantity, r.begin_read, r.end_read, r.state,
            r.code
        from billing.register_readings as r join billing.streams as s on s.id = r.stream""",
    "validated periods": """
        select s.point, s.suffix, v.begins, v.ends, v.kind, v.quantity, v.unit, v.intervals, v.estimates, v.peak,
            v.state, (
                select string_agg(concat_ws(' ', f.rule, f.day, f.severity, f.observed, f.allowed), '; ' order by
                    f.rule, f.day, f.severity, f.observed, f.allowed)
                from billing.validation_findings as f where f.id = any (v.findings))
        from billing.validated_periods as v join billing.streams as s on s.id = v.stream""",
    "usage and charges": """
        select u.kind, u.id, u.purpose, u.point, u.period_start, u.period_end, u.content, u.amount, u.state,
            u.codes::text, u.is_live, u.gap_from, o.content
        from billing.usage_messages as u left join billing.usage_messages as o on o.message = u.other
        where u.state <> 'duplicate'""",
    "pairs": """
        select u.id, u.content, c.id, c.content, p.found_by, p.state
        from billing.usage_pairs as p join billing.usage_messages as u on u.message = p.usage
        join billing.usage_messages as c on c.message = p.charges where p.state <> 'ended'""",
    "bills": """
        select kind, account, bill_group, tariff, period_start, period_end, net, tax, total, state
        from billing.utility_invoices where number is not null""",
    "posted bills": """
        select kind, state, customer, document_date, total from billing.staged_invoices where source = 'invoicing'""",
}
"""By name the query of what must be equal."""


def rows(connection: Connection, *names: str) -> dict[str, list[tuple[Any, ...]]]:
    """The rows themselves, sorted; of all tables where none is named."""
    return {
        name: sorted((tuple(row.values()) for row in connection.execute(TABLES[name].encode())), key=str)
        for name in names or TABLES
    }


def digests(connection: Connection) -> dict[str, tuple[int, str]]:
    """By table how many rows and a hash of all of them, made by the database: for millions of rows."""
    found = {}
    for name, query in TABLES.items():
        (row,) = connection.execute(
            f"""
            with hashed as (select md5(r::text) as one from ({query}) as r)
            select count(*) as many, md5(coalesce(string_agg(one, '' order by one), '')) as digest
            from hashed""".encode()  # noqa: S608  the queries above
        )
        found[name] = (row["many"], row["digest"])
    return found
