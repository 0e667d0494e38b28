"""Invoices of years before, by the million: rows as issuing left them, in one statement a table.

Each has as much as June will have, and about its total, tax and delivery included: no check before release is raised.
"""

from billing_assets.foundation.database.connection import Connection
from proving.invoicing.world import JUNE, TARIFF

_DAYS = 30
_EARLIER = f"""
    from generate_series(%(first)s::int, %(last)s::int) as n, generate_series(1, %(periods)s::int) as p, lateral (
        select date '{JUNE[0]}' - p * {_DAYS} as starts, date '{JUNE[0]}' - (p - 1) * {_DAYS} as ends,
            (n - 1)::bigint * %(periods)s + p as number, 300 + (n * 37 + 546) %% 1500 as kwh) as e"""
_STATEMENTS = (
    "set session_replication_role = replica",  # what the triggers check is so: they would take hours
    """
    insert into billing.invoiced_streams (point, channel)
    select '1003278' || lpad(n::text, 10, '0'), 'general' from generate_series(%(first)s::int, %(last)s::int) as n
    on conflict do nothing""",
    f"""
    insert into billing.utility_invoices (id, account, bill_group, issuer, currency, source, period_start, period_end,
        tariff, tariff_version, rated, net, tax, total, amount_due, rated_at, state, number, year, sequence,
        invoice_date, due_date, issued_at)
    overriding system value
    select %(id)s + e.number, 'A' || n, 'G', 'ACME', 'USD', 'automatic', e.starts, e.ends, '{TARIFF}',
        (select max(id) from billing.tariff_versions), '{{}}', e.kwh * 0.27 + 61.70, 0,
        e.kwh * 0.27 + 61.70, e.kwh * 0.27 + 61.70,
        e.ends + interval '2 days', 'issued', 'ACME20' || lpad((%(id)s + e.number)::text, 8, '0'), 2020,
        %(id)s + e.number, e.ends + 2, e.ends + 18, e.ends + interval '2 days'
    {_EARLIER}""",  # noqa: S608
    f"""
    insert into billing.utility_invoice_lines (invoice, position, code, bill_text, period_start, period_end, quantity,
        unit, price, amount, tax_category, detail)
    select %(id)s + e.number, 1, 'energy', 'Energy', e.starts, e.ends, e.kwh, 'kWh', 0.27,
        e.kwh * 0.27 + 61.70, 'S', '{{}}'
    {_EARLIER}""",
    f"""
    insert into billing.invoiced_usage (invoice, version, stream, days, kwh)
    select %(id)s + e.number, 'old/' || %(id)s + e.number, s.id, daterange(e.starts, e.ends), e.kwh
    {_EARLIER}, billing.invoiced_streams as s where s.point = '1003278' || lpad(n::text, 10, '0')""",
    "select setval(pg_get_serial_sequence('billing.utility_invoices', 'id'), max(id)) from billing.utility_invoices",
    "set session_replication_role = origin",
)


def earlier_invoices(connection: Connection, first: int, many: int, periods: int = 13) -> int:
    """So many periods before June for each of these customers, billed and issued; how many invoices that is."""
    (row,) = connection.execute("select coalesce(max(id), 0) as last from billing.utility_invoices").fetchall()
    values = {"first": first, "last": first + many - 1, "periods": periods, "id": row["last"] - (first - 1) * periods}
    for statement in _STATEMENTS:
        connection.execute(statement.encode(), values)
    return many * periods
