"""What the core asks of an outside system. Each system has one sink; all of them share what is in this folder."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from billing_assets.foundation.database.connection import Connection
from billing_assets.posting.answers import Answer
from billing_assets.posting.attempts import AnItem, Intent, OpenAttempt, Outcome, ReadBack
from billing_assets.posting.dispatch import Request
from billing_assets.posting.lease import Lease
from billing_assets.posting.locks import Lock

Lane = Callable[[], AbstractContextManager[None]]
"""Holds one lane for a question: the system counts it like any other request."""


class Row(Protocol):
    """A row of the ledger."""

    @property
    def id(self) -> int: ...


AnUnread = TypeVar("AnUnread", bound=Row)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An item's intent. `taken_over`: why nothing is sent for it, as the system has it; a look-up settles it."""

    intent: Intent
    taken_over: str | None = None


class Sink(Protocol[AnItem, AnUnread]):
    """One outside system. Raises `Unavailable` where it cannot be asked now, and errors of its own that no waiting
    fixes; these end the run, and what was recorded until then stays."""

    @property
    def system(self) -> str:
        """Its name in sentences."""
        ...

    def compare(self, connection: Connection) -> None:
        """Raises where our database belongs to another account than this one: there a lost answer would be proven
        absent. Called before anything is looked up."""
        ...

    def bind(self, connection: Connection, run_id: str) -> None:
        """Binds our database to this account; called before the first intent is committed."""
        ...

    def ask_for_life(self) -> None:
        """A quick question that any living system answers."""
        ...

    def open_attempts(
        self, connection: Connection, held: Lock, absence_counts_after: float
    ) -> Sequence[OpenAttempt[AnItem]]:
        """The attempts of the batch to be looked up: `attempts.open_attempts` with the sink's own columns."""
        ...

    def look_up(
        self, connection: Connection, attempts: Sequence[OpenAttempt[AnItem]], lane: Lane
    ) -> Mapping[int, Outcome | None]:
        """For each attempt (by its id) under whose name the system has something, what became of it; None where that
        was noted already. What it shows nothing of is not in it."""
        ...

    def worth_sending_again(self, attempt: OpenAttempt[AnItem]) -> bool:
        """Whether what an attempt was refused for may have changed since, so that it is worth another request."""
        ...

    def send_again(self, item: AnItem) -> str:
        """The command by which a person has a rejected item sent again."""
        ...

    def why_not(self, connection: Connection, lease: Lease, lane: Lane) -> str | None:
        """Why nothing of the batch may be sent now, or None. Called once before each sending, after the look-up of the
        open attempts; may take items out of the batch."""
        ...

    def preparing(self, connection: Connection, held: Lock, lane: Lane) -> Callable[[AnItem], Prepared | None]:
        """What makes the intent of an item; None where it must not be sent, and was taken out of the batch."""
        ...

    def next_to_send(self, connection: Connection, held: Lock, limit: int, after: int) -> Sequence[AnItem]:
        """The next items that the run holds: `attempts.next_to_send` with the sink's own columns."""
        ...

    def send(self, request: Request[AnItem]) -> Answer:
        """Sends one request; called from several threads at once. What the answer says of a customer is masked."""
        ...

    def unread(self, connection: Connection, held: Lock) -> Sequence[AnUnread]:
        """Posted items of the batch that were not read back, or were different when they were."""
        ...

    def read_back(self, connection: Connection, held: Lock, waiting: Sequence[AnUnread], lane: Lane) -> list[ReadBack]:
        """What the system shows of these; what it shows nothing of is left out, and asked for again."""
        ...
