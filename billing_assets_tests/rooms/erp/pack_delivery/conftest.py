"""A real OpenSSH server, and the whole system."""

from billing_assets_tests.rooms.operations.test_cli import machine
from proving.world.fixtures import sandbox, sandbox_account, system
from proving.world.sshd_fixtures import sshd, sshd_of_module

__all__ = ["machine", "sandbox", "sandbox_account", "sshd", "sshd_of_module", "system"]
