"""Folders that files are left in and fetched from, on this machine or on a server: the few functions that all have.

A file gets its name only when it is whole: it is written under another name in the same folder and renamed. No file is
ever overwritten. What is not whole is hidden (`.name.<random>.part`); the next `put` of the same name removes it.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol

CHUNK_BYTES = 256 * 1024
_HIDDEN = "."
_PART = ".part"


class FileFacts(NamedTuple):
    """A file's size in bytes, and when it was last changed (UTC, by its machine's clock)."""

    size: int
    changed_at: datetime


class Digest(NamedTuple):
    """The SHA-256 of a file's content, and its size in bytes."""

    sha256: bytes
    size: int


class Folder(Protocol):
    """A folder. Each function raises FolderError (`errors.py`) where it cannot be done."""

    @property
    def address(self) -> str:
        """Where it is, for people."""
        ...

    def check(self) -> None:
        """Raises FolderError unless the folder is there."""
        ...

    def names(self) -> list[str]:
        """The files in it, sorted; no folders, no hidden files."""
        ...

    def facts(self, name: str) -> FileFacts | None:
        """A file's size and time; None where there is none."""
        ...

    def facts_of_all(self) -> dict[str, FileFacts]:
        """Size and time of the files that `names` lists, in its order."""
        ...

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file's content in pieces. Raises NotThereError."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """Leaves a file, whole or not at all. Raises AlreadyThereError where there is one of this name, and
        OutcomeUnknownError where it may be there: look before you do it again. After every other error it is not."""
        ...

    def move(self, name: str, into: str, as_name: str) -> None:
        """Moves a file into a folder inside, made where there is none, under a name there. Raises NotThereError, and
        AlreadyThereError where that name is taken: then it was left where it is. After UnreachableError it may be in
        either place."""
        ...

    def close(self) -> None:
        """Ends its connection, if it has one; the next call opens a new one."""
        ...


OpenFolder = Callable[[], Folder]
"""Opens a folder: each thread needs one of its own."""


def read(folder: Folder, name: str) -> bytes:
    """A file's content. Raises NotThereError."""
    return b"".join(folder.chunks(name))


def digest(folder: Folder, name: str) -> Digest:
    """What a file holds, read back, however large it is. Raises NotThereError."""
    found, size = hashlib.sha256(), 0
    for chunk in folder.chunks(name):
        found.update(chunk)
        size += len(chunk)
    return Digest(found.digest(), size)


def plain_name(name: str) -> str:
    """The name. Raises ValueError for one that leads elsewhere or that `names` would not show."""
    if not name or name.startswith(_HIDDEN) or set(name) & set("/\\\0\r\n"):
        raise ValueError(f"{name!r} is not the name of a file in a folder.")
    return name


def is_shown(name: str) -> bool:
    """Whether `names` lists a file of this name."""
    return not name.startswith(_HIDDEN)


def part_of(name: str) -> str:
    """A name for a file that is not whole yet: two that write the same file at once do not meet."""
    return f"{_HIDDEN}{plain_name(name)}.{secrets.token_hex(8)}{_PART}"


def is_part_of(found: str, name: str) -> bool:
    """Whether a file in the folder is what an earlier `put` of the name left behind."""
    return found.startswith(f"{_HIDDEN}{name}.") and found.endswith(_PART)
