"""Where documents on their way to NetSuite are, which of them may go, and how long a run may hold a batch of them."""

from billing_assets.erp.settings import absence_counts_after_seconds
from billing_assets.erp.staging.may_be_posted import PLANNABLE
from billing_assets.foundation.settings import Settings
from billing_assets.posting.batch_lease import LeasePolicy
from billing_assets.posting.ledger import Backlog, Ledger

DOCUMENTS = Ledger(
    items="billing.staged_invoices",
    batches="billing.locked_batches",
    attempts="billing.posting_attempts",
    outcomes="billing.posting_outcomes",
    remote_id="netsuite_id",
    remote_number="transaction_number",
    facts="applied",
    may_retry="not exists (select from billing.closed_months as m where m.period = items.period)",
)

WAITING = Backlog(DOCUMENTS, group="period", plannable=PLANNABLE, amount="total")
"""A batch holds documents of one billing month; a credit memo waits for its invoices."""


def lease_policy(settings: Settings) -> LeasePolicy:
    """How long a run holds a batch of documents without a sign of life."""
    return LeasePolicy(settings.batches.lease_seconds, absence_counts_after_seconds(settings))
