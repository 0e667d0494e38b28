"""The whole system's fixtures."""

from proving.world.system_fixtures import sandbox, sandbox_account, system

__all__ = ["sandbox", "sandbox_account", "system"]
