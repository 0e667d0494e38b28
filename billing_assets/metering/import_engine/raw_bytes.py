"""The bytes of a raw file, read from the database piece by piece."""

import io
from collections.abc import Iterator

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine import store
from billing_assets.metering.import_engine.store import CHUNK_BYTES, RawFile


class RawBytes(io.RawIOBase):
    """A stored file as a seekable one; one piece of it is in memory at a time."""

    def __init__(self, connection: Connection, file: RawFile) -> None:
        super().__init__()
        self._connection, self._file, self._at = connection, file, 0
        self._number, self._piece = -1, b""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Goes to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed names no common buffer
        """Reads on, to the end of a piece at most."""
        number, within = divmod(self._at, CHUNK_BYTES)
        if number != self._number:
            self._number, self._piece = number, store.chunk(self._connection, self._file.id, number)
        found = memoryview(self._piece)[within : within + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def opened(connection: Connection, file: RawFile) -> io.BufferedReader:
    """The file, to be read."""
    return io.BufferedReader(RawBytes(connection, file), 262_144)


def pieces(connection: Connection, file: int) -> Iterator[bytes]:
    """All bytes of a file, unchanged, in order."""
    number = 0
    while piece := store.chunk(connection, file, number):
        yield piece
        number += 1
