"""Whether a staged document may go to NetSuite, as far as our database says: one judgement for the planner, the lock,
the preview and the status. Under the mapping as it is now: `netsuite/fit.py`."""

from typing import LiteralString

IS_ADOPTED: LiteralString = """(
    f.decision in ('confirmed', 'matched')
    and not exists (select from billing.posting_attempts as a where a.document = s.id))"""
"""Whether nothing is sent for a document `s`, as a person confirmed that NetSuite has it (`f`)."""

# A credit memo waits until every invoice that it is applied to is in NetSuite: the application needs its internal id.
# One look at the index of numbers for each, never a join with all that is posted. What a version of ours staged that
# knew only `applies_to` waits for its next staging. In a month that is closed nothing starts but what NetSuite has
# already, after a restored backup: it is taken over.
PLANNABLE: LiteralString = f"""(
    s.state = 'ready' and (s.period not in (select period from billing.closed_months) or exists (
        select from billing.found_here as f where f.external_id = s.external_id and {IS_ADOPTED})) and case
        when s.applications is null then s.applies_to is null or s.kind <> 'credit_memo'
        else not exists (
            select from jsonb_array_elements(s.applications) as a
            where not coalesce((
                select true from billing.staged_invoices as t
                where t.source = billing.credited_source(s.source) and t.kind = 'invoice' and t.number = a.value ->> 0
                  and t.state || '' = 'posted' limit 1), false))
        end)"""  # noqa: S608  a constant
"""Whether a document `s` may be put into a batch now."""

GOES: LiteralString = f"(s.state in ('batched', 'locked', 'posting') or {PLANNABLE})"
"""Whether a document `s` is on its way: it is in a batch, or the next plan takes it."""

WHOLE: LiteralString = """(
    s.status = 'closed' and s.line_count > 0 and s.kind in ('invoice', 'credit_memo')
    and not s.findings @> '[{"severity": "error"}]')"""
"""Whether a document `s` is closed, complete and without an error: what validation lets through, and nothing else."""
