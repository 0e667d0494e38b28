"""The SQL of cancels: an issued invoice once more with the opposite sign, never computed."""

from collections.abc import Sequence
from decimal import Decimal

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.invoices import store
from billing_assets.invoicing.invoices.states import Invoice


def write_cancel(
    connection: Connection, original: int, correction: int, batch: int | None, *, source: str, deliver: bool
) -> int | None:
    """Writes the cancel of an issued invoice, approved to be issued, and frees what was on that. Its id; None where the
    invoice is not issued, or is cancelled.

    The caller issues it in the same transaction: without its cancel an invoice is never cancelled.
    """
    row = connection.execute(
        """
        insert into billing.utility_invoices (kind, batch, account, bill_group, issuer, currency, source, period_start,
            period_end, is_estimated, is_final, tariff, tariff_version, rated, net, tax, total, amount_due, correction,
            cancels, deliver, state)
        select 'cancel', %s, account, bill_group, issuer, currency, %s, period_start, period_end, is_estimated,
            is_final, tariff, tariff_version, json_build_object('mirrors', id), -net, -tax, -total, -total, %s,
            id, %s, 'approved'
        from billing.utility_invoices where id = %s and state = 'issued' and kind = 'invoice' returning id""",
        [batch, source, correction, deliver, original],
    ).fetchone()
    if row is None:
        return None
    cancel = int(row["id"])
    connection.execute(
        """
        insert into billing.utility_invoice_lines (invoice, position, code, bill_text, point, period_start, period_end,
            quantity, unit, price, price_base, amount, tax_category, is_estimated, detail)
        select %s, position, code, bill_text, point, period_start, period_end, -quantity, unit, price, price_base,
            -amount, tax_category, is_estimated, json_build_object('mirrors', position, 'of', invoice)
        from billing.utility_invoice_lines where invoice = %s""",
        [cancel, original],
    )
    connection.execute(
        """
        insert into billing.utility_invoice_taxes (
            invoice, position, code, jurisdiction, rate, base, amount, is_inside)
        select %s, position, code, jurisdiction, rate, -base, -amount, is_inside
        from billing.utility_invoice_taxes where invoice = %s""",
        [cancel, original],
    )
    store.move(connection, [original], Invoice.CANCELLED)
    store.free(connection, [original])
    return cancel


def note_rebilled(connection: Connection, originals: Sequence[int]) -> None:
    """Cancelled invoices whose days are billed again."""
    store.move(connection, originals, Invoice.REBILLED)


def exchange_intervals(connection: Connection, invoice: int, version: str, kwh: Decimal) -> None:
    """The same with intervals that were validated again."""
    connection.execute(
        """
        with old as (
            update billing.invoiced_usage set is_live = false, replaced_by = %(version)s
            where invoice = %(invoice)s and is_live returning stream, days)
        insert into billing.invoiced_usage (invoice, version, stream, days, kwh)
        select %(invoice)s, %(version)s, stream, days, %(kwh)s from old""",
        {"invoice": invoice, "version": version, "kwh": kwh},
    )


def exchange(connection: Connection, invoice: int, usage: int, charges: int | None) -> None:
    """Puts usage and charges onto an issued invoice in the place of what is on it: it charges what they would.

    The caller has seen that, and that they are ready. No document is made.
    """
    connection.execute(
        """
        with old as (
            update billing.invoiced_usage set is_live = false, replaced_by = %(version)s
            where invoice = %(invoice)s and is_live returning stream, days)
        insert into billing.invoiced_usage (invoice, version, message, stream, days, kwh)
        select %(invoice)s, %(version)s, u.message, o.stream, o.days, u.amount
        from old as o, billing.usage_messages as u where u.message = %(usage)s""",
        {"invoice": invoice, "usage": usage, "version": f"867/{usage}"},
    )
    if charges is not None:
        connection.execute(
            """
            with old as (
                update billing.invoiced_charges set is_live = false, replaced_by = %(charges)s
                where invoice = %(invoice)s and is_live and message <> %(charges)s returning message)
            insert into billing.invoiced_charges (invoice, message, total)
            select %(invoice)s, message, amount from billing.usage_messages as c
            where c.message = %(charges)s and exists (select from old)""",
            {"invoice": invoice, "charges": charges},
        )
