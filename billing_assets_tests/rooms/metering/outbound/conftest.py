"""The OpenSSH server of these tests."""

from proving.world.sshd_fixtures import sshd, sshd_of_module

__all__ = ["sshd", "sshd_of_module"]
