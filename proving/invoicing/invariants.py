"""What must hold of invoices after every step, asked of the database alone: no code of the product takes part."""

from billing_assets.foundation.database.connection import Connection

RULES: dict[str, str] = {
    "a day of a service point is on one live invoice": """
        select a.invoice, b.invoice as other from billing.invoiced_usage as a
        join billing.invoiced_usage as b on a.stream = b.stream and a.days && b.days and a.invoice < b.invoice
        where a.is_live and b.is_live""",
    "a message is on one live invoice": """
        select message from (
            select message from billing.invoiced_usage where is_live and message is not null
            union all select message from billing.invoiced_charges where is_live) as m
        group by message having count(*) > 1""",
    "what is on an invoice is live as long as the invoice": """
        select i.id, i.state from billing.utility_invoices as i join (
            select invoice, is_live from billing.invoiced_usage where replaced_by is null
            union all select invoice, is_live from billing.invoiced_charges where replaced_by is null
        ) as u on u.invoice = i.id
        where u.is_live <> (i.state not in ('discarded', 'cancelled', 'rebilled'))""",
    "the members of a batch are its outcomes": """
        select * from billing.invoice_batch_counts
        where selected <> members or selected <> open + invoiced + failed + taken_out + released + discarded""",
    "a batch that ended has no open member, and its state says what became of them": """
        select * from billing.invoice_batch_counts
        where (state in ('completed', 'error_occurred', 'empty', 'released') and open > 0)
           or (state = 'completed' and failed > 0)
           or (state = 'completed' and invoiced + discarded = 0 and not exists (
                select from billing.utility_invoices as c
                where c.batch = invoice_batch_counts.batch and c.kind = 'cancel'))
           or (state = 'error_occurred' and failed = 0)
           or (state in ('empty', 'released') and invoiced + failed + discarded > 0)""",
    "a member is invoiced when it has an invoice, and only then": """
        select m.id, m.state, i.id as invoice, i.state as invoice_state
        from billing.batch_members as m left join billing.utility_invoices as i on i.member = m.id
        where (m.state = 'invoiced') <> (i.id is not null and i.state <> 'discarded')
           or (m.state = 'discarded') <> (i.id is not null and i.state = 'discarded')""",
    "only an invoiced member of a batch that ended or is processed": """
        select m.id, b.state from billing.batch_members as m join billing.invoice_batches as b on b.id = m.batch
        where m.state in ('invoiced', 'failed', 'discarded') and b.state not in
            ('processing', 'completed', 'error_occurred')""",
    "usage is in one place": """
        select u.message,
            (select count(*) from billing.invoiced_usage as i where i.message = u.message and i.is_live) as invoices,
            (select count(*) from billing.batch_members as m
             where m.usage = u.message and m.state in ('selected', 'clear', 'held')) as batches
        from billing.usage_messages as u where u.kind = 'usage' and
            (select count(*) from billing.invoiced_usage as i where i.message = u.message and i.is_live)
            + (select count(*) from billing.batch_members as m
               where m.usage = u.message and m.state in ('selected', 'clear', 'held')) > 1""",
    "usage that is not billed has a place that is explained": """
        select u.message, u.state from billing.usage_explained as u
        where u.kind = 'usage' and u.state in ('accepted', 'held', 'waiting') and coalesce(u.waits_for, '') = ''""",
    "usage and charges are billed when their invoice is issued, and only then": """
        select u.message, u.state from billing.usage_messages as u
        left join (
            select o.message, bool_or(i.number is not null) as is_numbered,
                bool_or(o.is_live and i.state = 'issued') as is_issued
            from (
                select message, invoice, is_live from billing.invoiced_usage
                union all select message, invoice, is_live from billing.invoiced_charges) as o
            join billing.utility_invoices as i on i.id = o.invoice group by o.message) as o using (message)
        where (u.state = 'billed' and o.is_numbered is not true)
           or (o.is_issued and u.state not in ('billed', 'restated'))""",
    "lines and taxes are the header": """
        select i.id from billing.utility_invoices as i
        where i.net <> (
                select coalesce(sum(l.amount), 0) from billing.utility_invoice_lines as l where l.invoice = i.id)
                - (select coalesce(sum(t.amount), 0) from billing.utility_invoice_taxes as t
                   where t.invoice = i.id and t.is_inside)
           or i.tax <> (
                select coalesce(sum(t.amount), 0) from billing.utility_invoice_taxes as t where t.invoice = i.id)
           or i.total <> i.net + i.tax""",
    "an invoice has lines, and says what it is of": """
        select i.id from billing.utility_invoices as i where i.kind = 'invoice' and (
            not exists (select from billing.utility_invoice_lines as l where l.invoice = i.id)
            or not exists (select from billing.invoiced_usage as u where u.invoice = i.id))""",
    "numbers are given without a gap": """
        select issuer, year, count(*), min(sequence), max(sequence) from billing.utility_invoices
        where sequence is not null group by issuer, year
        having min(sequence) <> 1 or max(sequence) <> count(*) or count(distinct sequence) <> count(*)
            or count(distinct number) <> count(*)""",
    "the next number follows the last one": """
        select r.* from billing.number_ranges as r where r.next <> 1 + (
            select coalesce(max(i.sequence), 0) from billing.utility_invoices as i
            where (i.issuer, i.year) = (r.issuer, r.year))""",
    "what is issued has its number, and nothing else has": """
        select id, state from billing.utility_invoices
        where (state in ('issued', 'cancelled', 'rebilled')) <> (number is not null)""",
    "a cancel is the opposite of its invoice, line by line and tax by tax": """
        select c.id from billing.utility_invoices as c join billing.utility_invoices as o on o.id = c.cancels
        where c.kind = 'cancel' and c.state <> 'discarded' and (
            c.net <> -o.net or c.tax <> -o.tax or c.total <> -o.total
            or exists (
                select from (select * from billing.utility_invoice_lines where invoice = c.id) as a
                full join (select * from billing.utility_invoice_lines where invoice = o.id) as b using (position)
                where a.amount + b.amount is distinct from 0 or a.code is distinct from b.code)
            or exists (
                select from (select * from billing.utility_invoice_taxes where invoice = c.id) as a
                full join (select * from billing.utility_invoice_taxes where invoice = o.id) as b using (position)
                where a.amount + b.amount is distinct from 0 or a.code is distinct from b.code))""",
    "a cancel and the rebill of its correction are issued together": """
        select c.id, r.id as rebill from billing.utility_invoices as c
        join billing.utility_invoices as r on r.correction = c.correction and r.kind = 'invoice'
        where c.kind = 'cancel' and (c.number is null or r.number is null)""",
    "a correction that is done has its documents, and no other has": """
        select k.id, k.state, k.outcome from billing.invoice_corrections as k
        cross join lateral (
            select count(*) filter (where kind = 'cancel') as cancels,
                count(*) filter (where kind = 'invoice') as rebills
            from billing.utility_invoices where correction = k.id and state <> 'discarded') as d
        where (d.cancels + d.rebills > 0) <> (k.outcome in ('cancelled', 'rebilled') and k.part_of is null)
           or (k.outcome = 'cancelled' and (d.cancels, d.rebills) <> (1, 0))
           or (k.outcome = 'rebilled' and k.part_of is null and d.rebills <> 1)""",
    "an adjustment is on a live invoice, or waits": """
        select a.id from billing.invoice_adjustments as a join billing.utility_invoices as i on i.id = a.invoice
        where i.state in ('discarded', 'cancelled', 'rebilled') or not exists (
            select from billing.utility_invoice_lines as l
            where l.invoice = a.invoice and l.code = 'ADJUSTMENT' and l.amount = a.amount)""",
    "an invoice is cancelled by one document, which is issued": """
        select o.id, o.state from billing.utility_invoices as o
        where (o.state in ('cancelled', 'rebilled')) <> (1 = (
            select count(*) from billing.utility_invoices as c where c.cancels = o.id and c.state = 'issued'))""",
}
"""By what must hold the query of what does not."""


def broken(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """What does not hold, with rows that show it; empty where all does."""
    found = {}
    for rule, query in RULES.items():
        rows = connection.execute(f"select * from ({query}) as found limit 5".encode()).fetchall()  # noqa: S608
        if rows:
            found[rule] = [tuple(row.values()) for row in rows]
    return found


def check(connection: Connection) -> None:
    """Raises AssertionError with what does not hold."""
    assert not (found := broken(connection)), found
