"""A real OpenSSH server, and the whole system."""

from billing_assets_tests.end_to_end.fixtures import sandbox, sandbox_account, system
from billing_assets_tests.foundation.sshd_fixtures import sshd, sshd_of_module
from billing_assets_tests.test_cli import machine

__all__ = ["machine", "sandbox", "sandbox_account", "sshd", "sshd_of_module", "system"]
