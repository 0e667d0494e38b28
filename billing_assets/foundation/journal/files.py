"""The journal's files: one JSON object a line, on disk before `append` returns, and each file written by one process.

    <folder>/journal.json                          which journal this is
    <folder>/closes/2026-11/<time>-<host>-….jsonl   what was done to months
    <folder>/reminders/2026-11/<time>-….jsonl       what was sent

No two processes share a file, so none waits for another and no lock of a file system is needed: NFS keeps the order of
what one client appends. A line without its end was cut off by a crash before anything came of it, and counts as not
written.
"""

import json
import os
import re
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from billing_assets.foundation.journal.errors import JournalUnusable

Line = dict[str, Any]
"""An event of the journal: strings, whole numbers and None."""

_IDENTITY = "journal.json"
_MONTH = re.compile(r"\d{4}-\d{2}")
_FORMAT = 1


class Identity(NamedTuple):
    """Which journal a folder holds. `owner`: whose it is; `replaces`: earlier journals of the same database."""

    id: str
    owner: dict[str, str]
    replaces: tuple[str, ...]
    begun_at: str
    host: str


class Piece(NamedTuple):
    """What a file has beyond a place: its whole lines, where the last one ends, and whether half a line follows."""

    name: str
    lines: list[Line]
    end: int
    torn: bool


class Damage(NamedTuple):
    """A file that cannot be read, or not as a part of this journal; it is left as it is."""

    name: str
    problem: str


@dataclass
class Found:
    """What was read: pieces and damage."""

    pieces: list[Piece] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)

    @property
    def torn(self) -> list[str]:
        """Files whose last line was cut off, or is being written."""
        return [piece.name for piece in self.pieces if piece.torn]

    @property
    def lines(self) -> list[Line]:
        """All lines, file after file."""
        return [line for piece in self.pieces for line in piece.lines]


class Journal:
    """The journal in a folder. `identity` is None as long as there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identity: Identity | None = None

    def identify(self) -> Identity | None:
        """Reads which journal the folder holds. Raises JournalUnusable."""
        path = self.folder / _IDENTITY
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            self.identity = Identity(
                str(found["journal"]),
                {str(name): str(value) for name, value in found["owner"].items()},
                tuple(str(one) for one in found["replaces"]),
                str(found["begun_at"]),
                str(found["host"]),
            )
        except FileNotFoundError:
            self.identity = None
        except OSError as error:
            raise JournalUnusable(path, _reason(error)) from None
        except (ValueError, LookupError, TypeError, AttributeError):
            raise JournalUnusable(path, "it is not what begins a journal; move it away to begin a new one") from None
        return self.identity

    def begin(self, owner: dict[str, str], replaces: Sequence[str]) -> Identity:
        """A new identity, not yet on disk: `settle` puts it there, after the files that must not be missing."""
        began = datetime.now(UTC).isoformat()
        self.identity = Identity(secrets.token_hex(16), owner, tuple(replaces), began, socket.gethostname())
        return self.identity

    def settle(self) -> None:
        """Writes the identity, whole or not at all. Raises JournalUnusable."""
        identity = self._known()
        path = self.folder / _IDENTITY
        new = path.with_name(f"{_IDENTITY}.{identity.id}")
        content = {"journal": identity.id, "format": _FORMAT, **identity._asdict(), "replaces": [*identity.replaces]}
        del content["id"]
        try:
            _make_folder(self.folder)
            with _created(new) as file:
                file.write(json.dumps(content, indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            _sync_folder(self.folder)
        except OSError as error:
            raise JournalUnusable(path, _reason(error)) from None

    def writer(self, kind: str) -> "Writer":
        """A file of this process's own. Raises JournalUnusable where none can be made."""
        return Writer(self.folder, kind, self._known().id)

    def begun_again_since(self, moment: datetime) -> bool:
        """Whether it was begun instead of one that was lost, and not before a moment."""
        one = self.identity
        return one is not None and bool(one.replaces) and datetime.fromisoformat(one.begun_at) >= moment

    def try_out(self) -> None:
        """Makes a file and takes it away again. Raises JournalUnusable where that fails."""
        with self.writer("trial"):
            pass

    def read(self, kind: str, ends: Mapping[str, int], since_month: str = "") -> Found:
        """What the files of a kind have beyond `ends` (by name), in folders of `since_month` and later.

        Raises JournalUnusable where the folder itself cannot be listed.
        """
        found = Found()
        ours = {self._known().id, *self._known().replaces}
        for path in _files(self.folder, kind, since_month):
            name = path.relative_to(self.folder).as_posix()
            try:
                piece = _read(path, name, ends.get(name, 0), ours)
            except OSError as error:
                found.damaged.append(Damage(name, _reason(error)))
            except ValueError as error:
                found.damaged.append(Damage(name, str(error)))
            else:
                if piece is not None:
                    found.pieces.append(piece)
        return found

    def _known(self) -> Identity:
        assert self.identity is not None, "identify or begin comes first"  # noqa: S101  a caller's fault, not input
        return self.identity


class Writer:
    """Appends lines to a new file; one that stays without any is taken away again at the end."""

    def __init__(self, folder: Path, kind: str, journal: str) -> None:
        now = datetime.now(UTC)
        place = folder / kind / f"{now:%Y-%m}"
        host = re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname())[:40]
        self.path = place / f"{now:%Y%m%dT%H%M%S.%f}Z-{host}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._lines = 0
        self._size = 0
        try:
            for one in (folder, folder / kind, place):
                _make_folder(one)
            self._file = _created(self.path)
        except OSError as error:
            raise JournalUnusable(self.path, _reason(error)) from None
        try:
            self._write({"journal": journal, "format": _FORMAT, "kind": kind}, durable=True)
            _sync_folder(place)
        except BaseException:
            self._file.close()
            self.path.unlink(missing_ok=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._lines:
                os.fsync(self._file.fileno())
            else:
                self.path.unlink(missing_ok=True)
        except OSError as problem:
            if error is None:
                raise JournalUnusable(self.path, _reason(problem)) from None
        finally:
            self._file.close()

    def append(self, line: Line, *, durable: bool = True) -> None:
        """Writes a line; on disk when this returns, or else (not `durable`) with the next durable one or at the end.

        Raises JournalUnusable; the line counts as not written then.
        """
        self._write(line, durable=durable)
        self._lines += 1

    def _write(self, line: Line, *, durable: bool) -> None:
        content = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        try:
            left = memoryview(content)
            while left:  # what a full disk takes may be a part
                left = left[self._file.write(left) :]
            if durable:
                os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._size)  # no half a line in the middle of what may still follow
            raise JournalUnusable(self.path, _reason(error)) from None
        self._size += len(content)


def _created(path: Path) -> Any:
    """A new file, unbuffered, that only its owner may read; below a folder of somebody else (`sudo`) that one's."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
    file = os.fdopen(descriptor, "wb", buffering=0)
    _give_to_owner(path)
    return file


def _make_folder(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _give_to_owner(path)
        _sync_folder(path.parent)


def _give_to_owner(path: Path) -> None:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        owner = path.parent.stat()
        if owner.st_uid != 0:
            os.chown(path, owner.st_uid, owner.st_gid)


def _sync_folder(path: Path) -> None:
    """Makes the names in a folder last; Windows does so anyway and opens no folder."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path, kind: str, since_month: str) -> Iterator[Path]:
    try:
        months = sorted(one.name for one in os.scandir(folder / kind) if one.is_dir() and one.name >= since_month)
    except FileNotFoundError:
        return
    except OSError as error:
        raise JournalUnusable(folder / kind, _reason(error)) from None
    for month in months:
        try:
            names = sorted(one.name for one in os.scandir(folder / kind / month))
        except OSError as error:
            raise JournalUnusable(folder / kind / month, _reason(error)) from None
        yield from (folder / kind / month / name for name in names)


def _read(path: Path, name: str, begin: int, ours: set[str]) -> Piece | None:
    """What a file has from a byte on; None if that is nothing. Raises OSError, and ValueError saying what is wrong."""
    size = path.stat().st_size
    if size < begin:
        raise ValueError(f"it has become shorter: {size:,} bytes instead of {begin:,}")
    if size == begin:
        return None
    if not path.name.endswith(".jsonl") or not _MONTH.fullmatch(path.parent.name):
        raise ValueError("it is no file of the journal")
    with path.open("rb") as file:
        file.seek(begin)
        content = file.read()
    end = content.rfind(b"\n") + 1
    try:
        lines = [json.loads(one) for one in content[:end].split(b"\n") if one]
    except ValueError:
        raise ValueError("a line in it cannot be read") from None
    if not all(isinstance(one, dict) for one in lines):
        raise ValueError("a line in it is no event")
    if begin == 0 and lines:
        head = lines.pop(0)
        if head.get("journal") not in ours:
            raise ValueError("it belongs to another journal")
        if head.get("format") != _FORMAT:
            raise ValueError("a newer version wrote it")
    return Piece(name, lines, begin + end, torn=end < len(content))


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
