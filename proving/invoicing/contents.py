"""What was invoiced, by account and period, to the cent: nothing that depends on when, by whom or in which order."""

from typing import Any

from billing_assets.foundation.database.connection import Connection

_DOCUMENTS = """
    select i.account, i.period_start, i.period_end, i.kind, i.state, i.net, i.tax, i.total, i.amount_due,
        i.is_estimated, i.bill_group, i.issuer, i.currency, i.tariff, i.due_date - i.invoice_date as days_to_pay,
        (select string_agg(concat_ws(' ', l.code, l.bill_text, l.period_start, l.period_end, l.quantity, l.unit,
            l.price, l.amount, l.tax_category), '; ' order by l.position)
         from billing.utility_invoice_lines as l where l.invoice = i.id) as lines,
        (select string_agg(concat_ws(' ', t.code, t.rate, t.base, t.amount), '; ' order by t.position)
         from billing.utility_invoice_taxes as t where t.invoice = i.id) as taxes,
        (select string_agg(concat_ws(' ', m.id, u.days, u.kwh), '; ' order by m.id)
         from billing.invoiced_usage as u join billing.usage_messages as m on m.message = u.message
         where u.invoice = i.id) as usage,
        (select string_agg(concat_ws(' ', m.id, c.total), '; ' order by m.id)
         from billing.invoiced_charges as c join billing.usage_messages as m on m.message = c.message
         where c.invoice = i.id) as charges
    from billing.utility_invoices as i"""


def documents(connection: Connection) -> list[tuple[Any, ...]]:
    """All documents that were not discarded, sorted."""
    rows = connection.execute(
        f"{_DOCUMENTS} where i.state <> 'discarded' order by i.account, i.period_start, i.kind, i.id".encode()
    )
    return [tuple(row.values()) for row in rows]


def digest(connection: Connection) -> tuple[int, str]:
    """How many there are, and a hash of all of them, made by the database."""
    (row,) = connection.execute(
        f"""
        with hashed as (select md5(d::text) as one from ({_DOCUMENTS} where i.state <> 'discarded') as d)
        select count(*) as many, md5(coalesce(string_agg(one, '' order by one), '')) as digest
        from hashed""".encode()  # noqa: S608  the query above
    )
    return row["many"], row["digest"]
