"""A folder on this machine, or mounted on it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from billing_assets.foundation.files.errors import (
    AlreadyThereError,
    FolderError,
    NoAccessError,
    NotDoneError,
    NotThereError,
)
from billing_assets.foundation.files.folder import CHUNK_BYTES, FileFacts, is_part_of, is_shown, part_of, plain_name

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class LocalFolder:
    """A folder that is there already."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()

    @property
    def address(self) -> str:
        """Its path."""
        return str(self._path)

    def check(self) -> None:
        """Raises NoAccessError."""
        if not self._path.is_dir():
            raise NoAccessError(self.address, "there is no such folder. Make it, or name another.")

    def names(self) -> list[str]:
        """The files in it."""
        self.check()
        with self._explained():
            return sorted(one.name for one in self._path.iterdir() if is_shown(one.name) and one.is_file())

    def facts(self, name: str) -> FileFacts | None:
        """A file's size and time."""
        with self._explained():
            try:
                found = self._at(name).stat()
            except FileNotFoundError:
                return None
        return FileFacts(found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def facts_of_all(self) -> dict[str, FileFacts]:
        """Size and time of the files in it."""
        return {name: found for name in self.names() if (found := self.facts(name)) is not None}

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file's content."""
        with self._explained(name), self._at(name).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def put(self, name: str, content: bytes) -> None:
        """Leaves a file: on the disk before it has its name."""
        final = self._at(name)
        if self.facts(name) is not None:
            raise self._already_there(name)
        self.check()
        part = self._path / part_of(name)
        with self._explained():
            for left in [one for one in self._path.iterdir() if is_part_of(one.name, name)]:
                left.unlink(missing_ok=True)
            try:
                with part.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                _give_name(part, final)
            except FileExistsError:
                raise self._already_there(name) from None
            finally:
                with suppress(OSError):
                    part.unlink(missing_ok=True)

    def move(self, name: str, into: str, as_name: str) -> None:
        """Moves a file into a folder inside. One that an interrupted move left in both places leaves the first."""
        source, target = self._at(name), self._at(into) / plain_name(as_name)
        if self.facts(name) is None:
            raise NotThereError(self.address, f"there is no {name}.")
        with self._explained(name):
            target.parent.mkdir(exist_ok=True)
            try:
                _give_name(source, target)
            except FileExistsError:
                if not target.samefile(source):
                    raise self._already_there(f"{into}/{as_name}") from None
            source.unlink(missing_ok=True)

    def close(self) -> None:
        """There is no connection."""

    def _at(self, name: str) -> Path:
        return self._path / plain_name(name)

    def _already_there(self, name: str) -> AlreadyThereError:
        return AlreadyThereError(self.address, f"{name} is there already and was left as it is.")

    @contextmanager
    def _explained(self, name: str | None = None) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise NotThereError(self.address, f"there is no {name or 'such file'}.") from None
        except PermissionError as error:
            raise NoAccessError(self.address, f"this user may not do that ({error.strerror}).") from None
        except FolderError:
            raise
        except OSError as error:
            raise NotDoneError(self.address, f"{error.strerror}.") from None


def _give_name(part: Path, final: Path) -> None:
    """Raises FileExistsError. A link, as a rename would overwrite what is there; some mounted folders have no links."""
    try:
        os.link(part, final)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if final.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        part.rename(final)
