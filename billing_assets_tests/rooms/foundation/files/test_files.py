"""Folders for files, here and on a real OpenSSH server: files whole or not at all, and never overwritten."""

import hashlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from billing_assets.foundation.files.errors import (
    AlreadyThereError,
    FolderError,
    HostKeyError,
    LoginRefusedError,
    NoAccessError,
    NotDoneError,
    NotThereError,
    OutcomeUnknownError,
    UnreachableError,
)
from billing_assets.foundation.files.folder import Folder, digest, read
from billing_assets.foundation.files.local import LocalFolder
from billing_assets.foundation.files.sftp import SftpFolder, SftpServer
from proving.world.sshd import Sshd, new_key
from proving.world.sshd_fixtures import needs_sshd, sshd, sshd_of_module

__all__ = ["sshd", "sshd_of_module"]

CONTENT = bytes(range(256)) * 3000
"""More than one request."""


@pytest.fixture(params=["local", pytest.param("sftp", marks=needs_sshd)])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Folder, Path]]:
    """A folder, and its place on this machine."""
    if request.param == "local":
        yield LocalFolder(tmp_path), tmp_path
        return
    server: Sshd = request.getfixturevalue("sshd")
    found = server.opened()
    yield found, server.inbox
    found.close()


def test_what_is_put_is_listed_and_reads_back_as_it_was(folder: tuple[Folder, Path]) -> None:
    found, place = folder
    found.check()
    found.put("month close.pdf", CONTENT)
    found.put("empty", b"")
    (place / "a folder").mkdir(exist_ok=True)
    (place / ".hidden").touch()
    assert found.names() == ["empty", "month close.pdf"]
    assert found.facts_of_all() == {name: found.facts(name) for name in found.names()}
    assert read(found, "month close.pdf") == CONTENT
    assert digest(found, "month close.pdf") == (hashlib.sha256(CONTENT).digest(), len(CONTENT))
    facts = found.facts("month close.pdf")
    assert facts is not None
    assert facts.size == len(CONTENT)
    assert abs(facts.changed_at.timestamp() - time.time()) < 60
    assert found.facts("another") is None
    with pytest.raises(NotThereError, match="another"):
        read(found, "another")
    (place / "a folder").rmdir()


def test_what_is_there_is_never_overwritten(folder: tuple[Folder, Path]) -> None:
    found, place = folder
    (place / "one").write_bytes(b"theirs")
    with pytest.raises(AlreadyThereError, match="one is there already"):
        found.put("one", b"ours")
    assert (place / "one").read_bytes() == b"theirs"
    assert [one.name for one in place.iterdir()] == ["one"]


def test_not_even_what_came_while_ours_was_written(
    folder: tuple[Folder, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, place = folder
    monkeypatch.setattr(found, "facts", lambda _: (place / "one").write_bytes(b"theirs") and None)
    with pytest.raises((AlreadyThereError, NotDoneError)):
        found.put("one", b"ours")
    assert (place / "one").read_bytes() == b"theirs"
    assert [one.name for one in place.iterdir()] == ["one"]


def test_what_a_cut_off_upload_left_goes_with_the_next_one(folder: tuple[Folder, Path]) -> None:
    found, place = folder
    (place / ".one.0123.part").write_bytes(b"half")
    (place / ".another.0123.part").write_bytes(b"half")
    found.put("one", b"whole")
    assert sorted(one.name for one in place.iterdir()) == [".another.0123.part", "one"]


def test_a_file_is_moved_into_a_folder_inside_and_what_has_that_name_there_is_left_alone(
    folder: tuple[Folder, Path],
) -> None:
    opened, there = folder
    opened.put("one", b"1")
    opened.move("one", "archive", "one")
    assert ((there / "archive" / "one").read_bytes(), opened.names()) == (b"1", [])
    opened.put("one", b"2")
    with pytest.raises(AlreadyThereError):
        opened.move("one", "archive", "one")
    assert ((there / "archive" / "one").read_bytes(), opened.names()) == (b"1", ["one"])
    opened.move("one", "archive", "7 one")
    assert (there / "archive" / "7 one").read_bytes() == b"2"
    with pytest.raises(NotThereError):
        opened.move("one", "archive", "8 one")
    opened.put("two", b"2")
    for into, name in (("../elsewhere", "two"), ("archive", "../two")):
        with pytest.raises(ValueError, match="is not the name of a file"):
            opened.move("two", into, name)


def test_a_move_that_was_cut_off_between_two_names_ends_in_one(tmp_path: Path) -> None:
    opened = LocalFolder(tmp_path)
    opened.put("one", b"1")
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "one").hardlink_to(tmp_path / "one")
    opened.move("one", "archive", "one")
    assert (opened.names(), (tmp_path / "archive" / "one").read_bytes()) == ([], b"1")


@pytest.mark.parametrize("name", ["", "../one", "a/b", ".hidden", "a\0b", "a\nb"])
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not the name"):
        LocalFolder(tmp_path).put(name, b"x")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = LocalFolder(tmp_path / "none")
    for act in (missing.check, missing.names, lambda: missing.put("one", b"x")):
        with pytest.raises(NoAccessError, match="none: there is no such folder"):
            act()


@needs_sshd
def test_a_folder_that_the_server_does_not_have_is_named(sshd: Sshd) -> None:
    missing = SftpFolder(sshd.server(), "/no such folder")
    for act in (missing.check, missing.names, lambda: missing.put("one", b"x")):
        with pytest.raises(NoAccessError, match=r"sftp://127.0.0.1:\d+/no such folder: the server has no such folder"):
            act()
    missing.close()


def refused(server: Sshd, **changes: object) -> FolderError:
    """What is said where nothing may be put."""
    found = server.opened(**changes)
    with pytest.raises(FolderError) as caught:
        found.put("one", b"x")
    assert not [*server.inbox.iterdir()]
    return caught.value


@needs_sshd
def test_a_server_with_another_host_key_gets_nothing_and_its_key_is_shown(sshd: Sshd) -> None:
    (right,) = sshd.server().host_keys
    error = refused(sshd, host_keys=("SHA256:0000000000000000000000000000000000000000000",))
    assert isinstance(error, HostKeyError)
    assert right in str(error)
    assert isinstance(refused(sshd, host_keys=()), HostKeyError)


@needs_sshd
def test_a_login_that_is_refused_says_whose_and_no_secret(sshd: Sshd, tmp_path: Path) -> None:
    error = refused(sshd, key_file=None, password="correct horse battery")
    assert isinstance(error, LoginRefusedError)
    assert "by password" in str(error)
    assert "correct horse" not in f"{error!r} {sshd.server(password='correct horse battery')!r}"
    sshd.is_open(to_us=False)
    assert "by key" in str(refused(sshd))
    locked = tmp_path / "locked"
    new_key(locked, "passphrase")
    assert "is locked with a passphrase" in str(refused(sshd, key_file=locked))
    assert isinstance(refused(sshd, key_file=tmp_path / "none"), LoginRefusedError)


class TakesPassword(paramiko.ServerInterface):
    """A server's side of a login by password, which sshd takes only from users of the machine."""

    def check_auth_password(self, username: str, password: str) -> int:
        """One user, one password."""
        return AUTH_SUCCESSFUL if (username, password) == ("clerk", "correct horse battery") else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Whatever is asked for."""
        return OPEN_SUCCEEDED

    def get_allowed_auths(self, username: str) -> str:
        """Nothing but the password."""
        return "password"


def test_a_password_is_taken_by_a_server_that_asks_for_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            transport = paramiko.Transport(listening.accept()[0])
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, paramiko.SFTPServerInterface)
            transport.start_server(server=TakesPassword())

        key = paramiko.ECDSAKey.generate()
        threading.Thread(target=serve, daemon=True).start()
        server = SftpServer(
            "127.0.0.1", "clerk", (key.fingerprint,), listening.getsockname()[1], password="correct horse battery"
        )
        folder = SftpFolder(server, "/inbox")
        with pytest.raises(NotDoneError, match="Operation unsupported"):  # logged in: this one has no files
            folder.check()
        folder.close()


@needs_sshd
def test_a_server_that_is_down_is_named_and_the_same_folder_works_when_it_is_back(sshd: Sshd) -> None:
    found = sshd.opened()
    found.check()
    sshd.stop()
    for _ in range(2):  # the connection that was lost, and a new one
        with pytest.raises(UnreachableError, match="sftp://127"):
            found.put("one", b"x")
    sshd.start()
    found.put("one", b"x")
    assert (sshd.inbox / "one").read_bytes() == b"x"
    found.close()


@needs_sshd
def test_a_server_that_does_not_answer_is_given_up(sshd: Sshd) -> None:
    found, another = sshd.opened(), sshd.opened(timeout_seconds=0.5)
    found.check()
    channel = found._sftp.get_channel() if found._sftp else None
    assert channel is not None
    assert channel.gettimeout() == sshd.server().timeout_seconds
    channel.settimeout(0.5)  # the login may take longer on a busy machine
    sshd.hangs(True)
    try:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="TimeoutError"):
            found.names()
        with pytest.raises(UnreachableError, match="cannot be reached"):
            another.names()
        assert time.monotonic() - began < 20
    finally:
        sshd.hangs(False)


@needs_sshd
@pytest.mark.parametrize(
    ("fault", "error", "is_there"),
    [
        ("lost", OutcomeUnknownError, True),
        ("nothing done", OutcomeUnknownError, False),
        ("later", NotDoneError, False),
        ("no right", NoAccessError, False),
    ],
)
def test_an_error_says_whether_the_file_may_be_there(
    sshd: Sshd, fault: str, error: type[FolderError], is_there: bool
) -> None:
    found = sshd.opened()
    sshd.fault(fault)
    with pytest.raises(error):
        found.put("one", CONTENT)
    assert (found.facts("one") is not None) == is_there
    found.close()


@needs_sshd
def test_a_full_disk_is_no_file(sshd: Sshd) -> None:
    found = sshd.opened()
    sshd.fault("full")
    with pytest.raises(NotDoneError, match=r"took 0 of 768,000 bytes"):
        found.put("one", CONTENT)
    assert not [*sshd.inbox.iterdir()]
    found.close()


CUT_OFF = """
import os, signal, sys
from billing_assets_tests.rooms.foundation.files import test_files as t
import paramiko
from billing_assets.foundation.files.sftp import SftpFolder, SftpServer
from pathlib import Path

host, port, user, key, shown, path = sys.argv[1:]
write = paramiko.SFTPFile.write
left = [2]

def dies(file, content):
    write(file, content)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

paramiko.SFTPFile.write = dies
SftpFolder(SftpServer(host, user, (shown,), int(port), Path(key)), path).put("one", t.CONTENT)
"""


@needs_sshd
def test_a_process_that_dies_while_it_uploads_leaves_no_file_of_that_name(sshd: Sshd) -> None:
    one = sshd.server()
    told = [one.host, str(one.port), one.user, str(one.key_file), *one.host_keys, str(sshd.inbox)]
    ended = subprocess.run([sys.executable, "-c", CUT_OFF, *told], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    found = sshd.opened()
    assert not found.names()
    found.put("one", CONTENT)
    assert [file.name for file in sshd.inbox.iterdir()] == ["one"]
    found.close()
