"""Fixtures of the OpenSSH server, for the conftest files of the rooms that need it."""

import os
import shutil
from collections.abc import Iterator

import pytest

from proving.world.sshd import Sshd, sshd_program

needs_sshd = pytest.mark.skipif(
    sshd_program() is None and os.environ.get("CI") != "true", reason="needs openssh-server, which CI installs"
)


@pytest.fixture(scope="module")
def sshd_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server of this module's own."""
    found = Sshd.made(tmp_path_factory.mktemp("ssh d"))
    yield found
    found.stop()


@pytest.fixture
def sshd(sshd_of_module: Sshd) -> Sshd:
    """The module's server, up, with an empty inbox that we may log in to."""
    sshd_of_module.is_up()
    sshd_of_module.clear()
    for one in sshd_of_module.inbox.iterdir():
        shutil.rmtree(one) if one.is_dir() else one.unlink()
    return sshd_of_module
