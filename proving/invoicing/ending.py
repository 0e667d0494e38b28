"""The end of a life: everything is brought to its end, and what may be billed then is billed."""

from billing_assets.invoicing.accounts import store as accounts
from billing_assets.invoicing.batches.codes import CODES
from billing_assets.invoicing.invoices import processing, releasing
from billing_assets.work_queue import claims
from proving.invoicing.life import BY, Life, world_numbers
from proving.invoicing.lives import CUT_OFF

_OPEN = ("selected", "pending_validation", "validating", "in_review", "pending", "processing")


def end(life: Life) -> None:
    """All of it. Raises AssertionError where usage that may be billed is not."""
    for worker in [*life.workers]:
        worker.die()
    life.workers.clear()
    for number in world_numbers():
        accounts.end_hold(life.state, f"A{number}", *BY)
    _bring_through(life)
    for number in world_numbers():
        life.lock(number=number)
    _bring_through(life)
    _rebill(life)
    life.check()
    left = life.rows(
        """
        select u.id, u.period_start, u.codes, m.state, m.code, m.why from billing.usage_messages as u
        left join lateral (
            select * from billing.batch_members as m where m.usage = u.message order by id desc limit 1) as m on true
        where u.kind = 'usage' and u.purpose <> '01' and u.state = 'ready'
          and m.state is distinct from 'taken_out'"""
    )
    assert not left, f"it is ready and not billed: {left}"


def _bring_through(life: Life) -> None:
    """What changed underway comes into another batch: again until nothing is open."""
    while life.ids("invoice_batches", *_OPEN) or life.ids("utility_invoices", "drafted", "qa_hold", "approved"):
        life.pass_time()
        for batch in life.ids("invoice_batches", "pending", "processing"):
            claims.put_back(life.state, processing.DUE, batch)  # its workers died too often: it was parked
        for batch in life.ids("invoice_batches", "pending_validation", "validating", "in_review"):
            life.validate(batch)
            _decide_all(life, batch)
            if batch in life.ids("invoice_batches", "in_review"):
                life.proceed(batch)
        while life.claim():
            worker = life.workers[-1]
            while worker in life.workers:
                life.step(worker)
        for batch in life.with_drafts("drafted", "qa_hold", "approved"):
            releasing.check_quality(life.state, batch, CUT_OFF)
            for invoice in life.ids("utility_invoices", "qa_hold"):
                life.decide_draft(invoice, "approve")
            releasing.issue(life.state, batch, CUT_OFF)


def _decide_all(life: Life, batch: int) -> None:
    """Waives what may be waived, and takes the others out; a member has several findings."""
    while held := life.rows("select id from billing.batch_members where batch = %s and state = 'held'", batch):
        for row in held:
            open_errors = life.rows(
                """
                select code from billing.invoice_findings
                where member = %s and state = 'open' and severity = 'error'""",
                row["id"],
            )
            is_waivable = all(CODES[one["code"]].waivable for one in open_errors)
            life.decide(row["id"], "waive" if is_waivable else "take out")


def _rebill(life: Life) -> None:
    """What the utility replaced after it was billed."""
    rows = life.rows(
        """
        select distinct i.number from billing.usage_candidates as c
        join billing.invoiced_usage as u on u.message = c.original
        join billing.utility_invoices as i on i.id = u.invoice
        where c.kind = 'rebill' and c.state = 'due' and i.number is not null and not exists (
            select from billing.utility_invoices as r where r.replaces = i.id)"""
    )
    for row in rows:
        life.correct(row["number"], "rebill")
