"""Comparing the journal with the database: what the database lacks is taken in again, what the journal lacks is added.

An event is in the journal only after its transaction (or, of a close that was just begun, its last check): one that the
database lacks proves that the database was put back to an earlier time. Files are read before tables, so that what
another process does meanwhile never looks like that.

What belongs here: which journal is whose, how far it was read, and that all of it is one transaction.
What does not: what an event is, and what it does to tables. Each room says that of its own (`Kind`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import structlog

from billing_assets.foundation.database.connection import Connection, lift_idle_limit
from billing_assets.foundation.journal import store
from billing_assets.foundation.journal.errors import ForeignJournal
from billing_assets.foundation.journal.files import Damage, Found, Journal, Line
from billing_assets.foundation.journal.restores import Restore, note_restore

log = structlog.get_logger(__name__)


@dataclass
class Taken:
    """What a kind's events did to the database: `behind` says what the database lacked, `facts` how much of what was
    taken in; `append` are lines that the journal lacks.
    """

    behind: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    append: list[Line] = field(default_factory=list)


class Kind(NamedTuple):
    """A kind of events. `whole`: it is small, and all of it is compared every time.

    `check` raises ValueError, LookupError or TypeError for a line that is none of its events. `take_in` gets the lines
    that were not compared yet, in the transaction; `everything` gives the database's history as lines, for a journal
    that begins.
    """

    name: str
    whole: bool
    check: Callable[[Line], object]
    take_in: Callable[[Connection, Sequence[Line]], Taken]
    everything: Callable[[Connection], Iterator[Line]]


@dataclass
class Compared:
    """What a comparison found. `begun`: a journal was begun, the first one or instead of one that was lost."""

    begun: str | None = None
    restore: Restore | None = None
    damaged: list[Damage] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)


def compare(connection: Connection, journal: Journal, owner: dict[str, str], kinds: Sequence[Kind]) -> Compared:
    """Brings journal and database together, whichever of them knows more. Safe to repeat, and from several processes.

    `owner` says whose journal this is. Raises JournalUnusable and ForeignJournal; nothing was changed then.
    """
    with connection.transaction():
        lift_idle_limit(connection)  # reading a share may take its time
        store.lock(connection)
        known, here = store.known(connection), store.database_identity(connection)
        if journal.identify() is None:
            result = _begin(connection, journal, owner, kinds, known)
        else:
            _check_owner(journal, owner, known, here)
            result = Compared()
        if known != (identity := (_id(journal), here)):
            store.belong(connection, *identity)
        append = _take_in(connection, journal, kinds, result)
        if result.begun == "again" and known and known.database != here and result.restore is None:
            # Lost together with the server that the database was on: what is here now was put back from elsewhere.
            facts = {"journal": "missing", "last_compared_in": known.database, "database": here}
            result.restore = note_restore(connection, "journal", facts, covered=False)
    for kind, lines in append.items():  # after the commit: the journal never knows more than the database
        with journal.writer(kind) as writer:
            for line in lines:
                writer.append(line)
    if result.damaged:
        log.warning("journal_damaged", files={one.name: one.problem for one in result.damaged})
    return result


def _begin(
    connection: Connection, journal: Journal, owner: dict[str, str], kinds: Sequence[Kind], known: store.Known | None
) -> Compared:
    """Begins a journal with what the database knows; the database is the truth here, as far as it was not put back."""
    journal.begin(owner, [known.id] if known else [])
    for kind in kinds:
        with journal.writer(kind.name) as writer:
            for line in kind.everything(connection):
                writer.append(line, durable=False)
    journal.settle()
    if known is None:
        return Compared(begun="first")
    log.warning("journal_lost", folder=str(journal.folder), to_do="it was begun again from the database")
    return Compared(begun="again")


def _check_owner(journal: Journal, owner: dict[str, str], known: store.Known | None, here: str) -> None:
    identity = journal.identity
    assert identity is not None  # noqa: S101 - it was identified
    if known is not None and known.id not in (identity.id, *identity.replaces):
        raise ForeignJournal(
            journal.folder,
            f"this database's is {known.id[:8]}, that one is {identity.id[:8]}, begun on {identity.host} "
            f"{identity.begun_at[:16]}.",
        )
    if (known is None or known.database != here) and identity.owner != owner:  # new, moved, or a copy
        differs = ", ".join(
            f"{name} {identity.owner.get(name)!r} and not {owner.get(name)!r}"
            for name in sorted({*identity.owner, *owner})
            if identity.owner.get(name) != owner.get(name)
        )
        raise ForeignJournal(journal.folder, f"it was begun for {differs}.")


def _take_in(
    connection: Connection, journal: Journal, kinds: Sequence[Kind], result: Compared
) -> dict[str, list[Line]]:
    """What the database lacks, it gets; returns what the journal lacks, by kind."""
    behind = False
    facts: dict[str, Any] = {}
    ends: dict[str, int] = {}
    append: dict[str, list[Line]] = {}
    for kind in kinds:
        since, until = ("", {}) if kind.whole else store.compared_until(connection, kind.name)
        found = _checked(journal.read(kind.name, until, since), kind)
        result.damaged += found.damaged
        result.torn += found.torn
        taken = kind.take_in(connection, found.lines)
        behind, facts = behind or taken.behind, facts | taken.facts
        if taken.append:
            append[kind.name] = taken.append
        if not kind.whole:
            ends |= {piece.name: piece.end for piece in found.pieces if until.get(piece.name) != piece.end}
    if ends:
        store.note_compared(connection, ends)
    if behind:
        if result.damaged:
            facts["files_not_read"] = [one.name for one in result.damaged]
        result.restore = note_restore(connection, "journal", facts, covered=not result.damaged)
    return append


def _checked(found: Found, kind: Kind) -> Found:
    """The same without the files in which a line is none of the kind's events."""
    pieces = []
    for piece in found.pieces:
        try:
            for line in piece.lines:
                kind.check(line)
        except (ValueError, LookupError, TypeError):
            found.damaged.append(Damage(piece.name, "a line in it is no event"))
        else:
            pieces.append(piece)
    return replace(found, pieces=pieces)


def _id(journal: Journal) -> str:
    assert journal.identity is not None  # noqa: S101 - it was identified or begun
    return journal.identity.id
