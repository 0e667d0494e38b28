"""A folder on an SFTP server: the host key pinned, the login by key file or password, every wait bounded.

One connection, opened at the first call and again after it was lost; for one thread at a time.
"""

import errno
import logging
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import paramiko

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
from billing_assets.foundation.files.folder import CHUNK_BYTES, FileFacts, is_part_of, is_shown, part_of, plain_name

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # it writes tracebacks of what it raises to standard error

_AT_ONCE = 64
"""Requests for pieces of a file that are on their way at once: 2 MB."""


@dataclass(frozen=True, slots=True)
class SftpServer:
    """A server and our login to it. `host_keys`: the fingerprints (`SHA256:…`) of which it must show one.
    `timeout_seconds`: how long any one answer may take."""

    host: str
    user: str
    host_keys: tuple[str, ...]
    port: int = 22
    key_file: Path | None = None
    password: str | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0


class SftpFolder:
    """A folder on a server, by its path there; a relative one is relative to where the login lands."""

    def __init__(self, server: SftpServer, path: str) -> None:
        self._server, self._path = server, path.rstrip("/") or "/"
        self._client: paramiko.SSHClient | None = None
        self._sftp: paramiko.SFTPClient | None = None

    @property
    def address(self) -> str:
        """Server and path, without the login."""
        path = self._path if self._path.startswith("/") else f"/~/{self._path}"
        return f"sftp://{self._server.host}:{self._server.port}{path}"

    def check(self) -> None:
        """Connects, and looks whether the folder is there."""
        with self._asking() as sftp:
            try:
                mode = sftp.stat(self._path).st_mode
            except FileNotFoundError:
                mode = None
        if mode is None or not stat.S_ISDIR(mode):
            raise self._no_folder()

    def names(self) -> list[str]:
        """The files in it."""
        return list(self.facts_of_all())

    def facts(self, name: str) -> FileFacts | None:
        """A file's size and time."""
        with self._asking() as sftp:
            try:
                found = sftp.stat(self._at(name))
            except FileNotFoundError:
                return None
        return _facts(found)

    def facts_of_all(self) -> dict[str, FileFacts]:
        """Size and time of the files in it; one question for all of them."""
        shown = [one for one in self._listed() if is_shown(one.filename) and stat.S_ISREG(one.st_mode or 0)]
        return {one.filename: _facts(one) for one in sorted(shown, key=lambda one: one.filename)}

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file's content; the requests for its pieces do not wait for each other."""
        with self._asking() as sftp:
            try:
                file = sftp.open(self._at(name), "rb")
            except FileNotFoundError:
                raise NotThereError(self.address, f"there is no {name}.") from None
            with file:
                file.prefetch(file.stat().st_size, _AT_ONCE)
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk

    def put(self, name: str, content: bytes) -> None:
        """Leaves a file. It gets its name by SFTP's own rename, which overwrites nothing; OpenSSH's extension
        posix-rename would."""
        if self.facts(name) is not None:
            raise self._already_there(name)
        self._clear(name)
        part = self._at(part_of(name), hidden=True)
        self._upload(part, content)
        try:
            self._give_name(part, name)
        except UnreachableError as error:
            what = f"the connection was lost while {name} got its name: it may have it or not."
            raise OutcomeUnknownError(self.address, what) from error

    def move(self, name: str, into: str, as_name: str) -> None:
        """Moves a file into a folder inside, by SFTP's own rename, which overwrites nothing."""
        folder = self._at(into)
        target = f"{folder}/{plain_name(as_name)}"
        with self._asking() as sftp:
            if not _is_there(sftp, self._at(name)):
                raise NotThereError(self.address, f"there is no {name}.")
            if not _is_there(sftp, folder):
                sftp.mkdir(folder)
            if _is_there(sftp, target):
                raise self._already_there(f"{into}/{as_name}")
            sftp.rename(self._at(name), target)

    def close(self) -> None:
        """Ends the connection."""
        client, self._client, self._sftp = self._client, None, None
        if client is not None:
            client.close()

    def _at(self, name: str, *, hidden: bool = False) -> str:
        return f"{self._path.rstrip('/')}/{name if hidden else plain_name(name)}"

    def _listed(self) -> list[paramiko.SFTPAttributes]:
        with self._asking() as sftp:
            try:
                return sftp.listdir_attr(self._path)
            except FileNotFoundError:
                raise self._no_folder() from None

    def _clear(self, name: str) -> None:
        """Removes what cut-off uploads of the file left. Where it may not look, that stays, which does no harm."""
        with suppress(NoAccessError, NotDoneError):
            for found in self._listed():
                if is_part_of(found.filename, name):
                    self._remove(self._at(found.filename, hidden=True))

    def _remove(self, path: str) -> None:
        with self._asking() as sftp, suppress(FileNotFoundError):
            sftp.remove(path)

    def _upload(self, part: str, content: bytes) -> None:
        with self._asking() as sftp:
            try:
                file = sftp.open(part, "wbx")
            except FileNotFoundError:
                raise self._no_folder() from None
            with file:
                file.set_pipelined(True)
                for start in range(0, len(content), CHUNK_BYTES):
                    file.write(content[start : start + CHUNK_BYTES])
            taken = sftp.stat(part).st_size
        if taken != len(content):  # a write that was refused shows here: none waits for its answer
            self._remove(part)
            raise NotDoneError(
                self.address, f"the server took {taken:,} of {len(content):,} bytes. Is its disk, or our quota, full?"
            )

    def _give_name(self, part: str, name: str) -> None:
        try:
            with self._asking() as sftp:
                sftp.rename(part, self._at(name))
        except (NotDoneError, NoAccessError):
            # OpenSSH links the new name and removes the old one: if only the second fails, the file has its name.
            there = self.facts(name) is not None
            self._remove(part)
            if there:
                raise self._already_there(name) from None
            raise

    def _no_folder(self) -> NoAccessError:
        return NoAccessError(self.address, "the server has no such folder for this login. Make it, or name another.")

    def _already_there(self, name: str) -> AlreadyThereError:
        return AlreadyThereError(self.address, f"{name} is there already and was left as it is.")

    @contextmanager
    def _asking(self) -> Iterator[paramiko.SFTPClient]:
        """The connection for some requests, with what goes wrong as errors of ours; FileNotFoundError is the block's to
        handle."""
        sftp = self._connected()
        try:
            yield sftp
        except (FileNotFoundError, FolderError):
            raise
        except (EOFError, TimeoutError, ConnectionError, paramiko.SSHException) as error:
            self._lost(error)
        except OSError as error:
            channel = sftp.get_channel()
            if error.errno == errno.EACCES:
                what = "the login may not do this there. Ask the owner of the server for the right to it."
                raise NoAccessError(self.address, what) from None
            if channel is None or channel.closed:
                self._lost(error)
            raise NotDoneError(self.address, f"the server says: {error}.") from None

    def _lost(self, error: Exception) -> NoReturn:
        self.close()
        raise UnreachableError(self.address, f"the connection was lost ({type(error).__name__}).") from None

    def _connected(self) -> paramiko.SFTPClient:
        if self._sftp is None:
            self._client = client = paramiko.SSHClient()
            client.set_missing_host_key_policy(_Pinned(self.address, self._server.host_keys))
            try:
                self._sftp = self._opened(client)
            except BaseException:
                self.close()
                raise
        return self._sftp

    def _opened(self, client: paramiko.SSHClient) -> paramiko.SFTPClient:
        server, seconds = self._server, self._server.timeout_seconds
        try:
            client.connect(
                server.host,
                server.port,
                server.user,
                password=server.password,
                key_filename=str(server.key_file) if server.key_file else None,
                allow_agent=False,
                look_for_keys=False,
                timeout=seconds,
                banner_timeout=seconds,
                auth_timeout=seconds,
                channel_timeout=seconds,
            )
            sftp = client.open_sftp()
        except paramiko.PasswordRequiredException:
            what = f"{server.key_file} is locked with a passphrase. Give a key file without one, readable by you only."
            raise LoginRefusedError(self.address, what) from None
        except paramiko.AuthenticationException as error:
            if _cut_off(error):
                raise UnreachableError(self.address, "the connection was lost during the login.") from None
            by = "key" if server.key_file else "password"
            what = f"the server refused the login of {server.user} by {by}. Check user and {by}, there and here."
            raise LoginRefusedError(self.address, what) from None
        except (OSError, EOFError, paramiko.SSHException) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise LoginRefusedError(self.address, f"{error.filename}: {error.strerror}.") from None
            what = f"it cannot be reached ({_reason(error)}). Check host, port and the way there."
            raise UnreachableError(self.address, what) from None
        channel = sftp.get_channel()
        if channel is not None:
            channel.settimeout(seconds)
        return sftp


def _facts(found: paramiko.SFTPAttributes) -> FileFacts:
    return FileFacts(found.st_size or 0, datetime.fromtimestamp(found.st_mtime or 0, UTC))


def _is_there(sftp: paramiko.SFTPClient, path: str) -> bool:
    try:
        sftp.stat(path)
    except FileNotFoundError:
        return False
    return True


class _Pinned(paramiko.MissingHostKeyPolicy):
    """Takes the host keys that the settings name and no other."""

    def __init__(self, address: str, pinned: tuple[str, ...]) -> None:
        self._address, self._pinned = address, pinned

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        if key.fingerprint not in self._pinned:
            raise HostKeyError(
                self._address,
                f"the server shows the host key {key.fingerprint} ({key.get_name()}), which the settings do not name. "
                "Nothing was sent. Ask its owner whether that is its key; only then put it into the settings.",
            )


def _cut_off(error: paramiko.AuthenticationException) -> bool:
    """Whether the login had no answer; paramiko calls that a refusal, too."""
    return type(error) is paramiko.AuthenticationException and ("timeout" in str(error) or "EOF" in str(error))


def _reason(error: Exception) -> str:
    text = str(error) if isinstance(error, paramiko.SSHException) else getattr(error, "strerror", None)
    return text or type(error).__name__
