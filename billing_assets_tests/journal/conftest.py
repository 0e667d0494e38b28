"""The whole system, a mail server, and databases that are put back."""

from billing_assets_tests.end_to_end.fixtures import sandbox, sandbox_account, system
from billing_assets_tests.reminders.conftest import mails

__all__ = ["mails", "sandbox", "sandbox_account", "system"]
