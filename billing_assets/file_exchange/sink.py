"""A folder, here or on an SFTP server, as a sink of the posting core: files, each under its name, once."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from billing_assets.file_exchange import outbox
from billing_assets.file_exchange.errors import BegunElsewhereError
from billing_assets.file_exchange.outbox import Outbox, OutFile
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.files.errors import (
    AlreadyThereError,
    FolderError,
    LoginRefusedError,
    NoAccessError,
    NotThereError,
    OutcomeUnknownError,
    UnreachableError,
)
from billing_assets.foundation.files.folder import Digest, Folder, OpenFolder, digest
from billing_assets.posting.answers import (
    Answer,
    Exists,
    Forbidden,
    Landed,
    NotSent,
    Retry,
    Unauthorized,
    Unavailable,
    Unknown,
)
from billing_assets.posting.attempts import Intent, OpenAttempt, Outcome, ReadBack
from billing_assets.posting.batch_lease import Lease
from billing_assets.posting.batch_lock import Lock
from billing_assets.posting.dispatch import Request
from billing_assets.posting.sink import Lane, Prepared
from billing_assets.posting.states import ItemState

OTHER_CONTENT = "OTHER_CONTENT"
"""Code of a file whose name is taken by another content."""


class FolderSink:
    """Delivers one batch of files; a context manager, as each thread has a connection of its own to the folder.

    A file that the folder has already is never overwritten: its hash says whether it is ours.
    """

    system = "the folder"

    def __init__(self, files: Outbox, batch: str, open_folder: OpenFolder) -> None:
        self._files, self._batch, self._open = files, batch, open_folder
        self._mine = threading.local()
        self._opened: list[Folder] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for one in self._opened:
            one.close()

    def compare(self, connection: Connection) -> None:
        """Raises BegunElsewhereError."""
        ours = self._folder().address
        if other := outbox.open_elsewhere(connection, self._files.ledger, self._batch, ours):
            raise BegunElsewhereError(self._batch, self._files.settings, other, ours)

    def bind(self, connection: Connection, run_id: str) -> None:
        """Notes where the batch goes."""
        outbox.set_destination(connection, self._files.ledger, self._batch, self._folder().address)

    def ask_for_life(self) -> None:
        """Raises FolderError."""
        with self._asking() as folder:
            folder.check()

    def open_attempts(
        self, connection: Connection, held: Lock, absence_counts_after: float
    ) -> Sequence[OpenAttempt[OutFile]]:
        """Files whose upload has no known end, or that differ where they are."""
        return outbox.open_attempts(connection, held, absence_counts_after)

    def look_up(
        self, connection: Connection, attempts: Sequence[OpenAttempt[OutFile]], lane: Lane
    ) -> Mapping[int, Outcome | None]:
        """Reads what is there under their names, and compares it with what was sent."""
        with lane():
            found = {one.attempt: self._digest(one.item.external_id) for one in attempts}
        return {one.attempt: self._judge(one, there) for one in attempts if (there := found[one.attempt])}

    def worth_sending_again(self, attempt: OpenAttempt[OutFile]) -> bool:
        """The folder refuses no file for what it is."""
        return False

    def send_again(self, item: OutFile) -> str:
        """A run that a person starts sends what was deleted again."""
        return self._files.again(item.batch)

    def why_not(self, connection: Connection, lease: Lease, lane: Lane) -> str | None:
        """Lets nothing be sent without a login, or to a folder that is not there."""
        try:
            with lane():
                self.ask_for_life()
        except FolderError as error:
            return str(error)
        return None

    def preparing(self, connection: Connection, held: Lock, lane: Lane) -> Callable[[OutFile], Prepared | None]:
        """The file as the room has it."""
        return lambda item: Prepared(Intent(self._files.content(connection, item.id)))

    def next_to_send(self, connection: Connection, held: Lock, limit: int, after: int) -> Sequence[OutFile]:
        """Files that the run holds and has not sent."""
        return outbox.next_to_send(connection, held, limit, after)

    def send(self, request: Request[OutFile]) -> Answer:
        """Uploads it under another name and renames it."""
        folder, name = self._folder(), request.item.external_id
        try:
            folder.put(name, request.body)
        except OutcomeUnknownError as error:
            return Unknown(None, str(error))
        except AlreadyThereError as error:
            return Exists(None, None, str(error))
        except UnreachableError as error:
            return NotSent(str(error))
        except LoginRefusedError as error:
            return Unauthorized(str(error))
        except NoAccessError as error:
            return Forbidden("NO_ACCESS", str(error))
        except FolderError as error:
            return Retry(None, "NOT_DONE", str(error), throttled=False)
        return Landed(f"{folder.address}/{name}")

    def unread(self, connection: Connection, held: Lock) -> Sequence[OutFile]:
        """Delivered files that were not read back, or differed when they were."""
        return outbox.unread(connection, held)

    def read_back(self, connection: Connection, held: Lock, waiting: Sequence[OutFile], lane: Lane) -> list[ReadBack]:
        """Compares the hash of what is there with what was sent."""
        with lane():
            found = {one.id: self._digest(one.external_id) for one in waiting}
        return [
            ReadBack(
                one.id,
                there.sha256.hex(),
                None if there.sha256 == one.sha256 else self._difference(one.external_id, there),
                False,
            )
            for one in waiting
            if (there := found[one.id])
        ]

    def _judge(self, attempt: OpenAttempt[OutFile], there: Digest) -> Outcome | None:
        item, name = attempt.item.id, attempt.item.external_id
        place, shown = f"{self._folder().address}/{name}", there.sha256.hex()
        if there.sha256 == attempt.payload_hash:
            return Outcome(
                item,
                attempt.attempt,
                "found",
                ItemState.POSTED,
                remote_id=place,
                remote_number=shown,
                read_back=True,
            )
        if attempt.state == ItemState.DIFFERS:
            return None
        return Outcome(
            item,
            attempt.attempt,
            "conflict",
            ItemState.DIFFERS,
            code=OTHER_CONTENT,
            detail=f"{self._difference(name, there)} It was left as it is. Ask who put it there; once it is moved "
            f"away, run {self._files.again(self._batch)} twice: the first run sees that, the second delivers.",
            remote_id=place,
            remote_number=shown,
        )

    def _difference(self, name: str, there: Digest) -> str:
        return f"{self._folder().address} has another {name}: {there.size:,} bytes, SHA-256 {there.sha256.hex()}."

    def _digest(self, name: str) -> Digest | None:
        with self._asking() as folder:
            try:
                return digest(folder, name)
            except NotThereError:
                return None

    @contextmanager
    def _asking(self) -> Iterator[Folder]:
        try:
            yield self._folder()
        except UnreachableError as error:
            raise Unavailable(str(error)) from error

    def _folder(self) -> Folder:
        """This thread's."""
        found: Folder | None = getattr(self._mine, "folder", None)
        if found is None:
            found = self._mine.folder = self._open()
            self._opened.append(found)
        return found
