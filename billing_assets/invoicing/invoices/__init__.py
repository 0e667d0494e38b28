"""From a validated member to an invoice: drafts, checks before release, numbers."""
