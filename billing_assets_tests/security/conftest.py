"""A sandbox for the real system."""

from billing_assets_tests.netsuite.rig_fixtures import rig, sandbox, sandbox_account

__all__ = ["rig", "sandbox", "sandbox_account"]
