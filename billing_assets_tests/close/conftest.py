"""The whole system's fixtures."""

from billing_assets_tests.end_to_end.fixtures import sandbox, sandbox_account, system

__all__ = ["sandbox", "sandbox_account", "system"]
