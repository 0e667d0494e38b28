"""A sandbox for the real system."""

from proving.world.rig_fixtures import rig, sandbox, sandbox_account

__all__ = ["rig", "sandbox", "sandbox_account"]
