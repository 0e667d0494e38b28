"""What is done to months, as events of the journal: written before it is committed, and again when it was.

An event that was begun, of which neither journal nor database says that it was committed, was cut off by a crash, or
committed just before the database was put back. The month is closed soft then: nothing new goes out in it, and a person
closes it again or reopens it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import structlog

from billing_assets.erp.close import store
from billing_assets.erp.close.store import Closing
from billing_assets.erp.settings import source_names
from billing_assets.erp.staging.store import serialise
from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.foundation.journal import store as journal_store
from billing_assets.foundation.journal.comparing import Kind, Taken
from billing_assets.foundation.journal.errors import JournalError
from billing_assets.foundation.journal.files import Journal, Line
from billing_assets.foundation.journal.restores import require_month
from billing_assets.foundation.periods import first_day
from billing_assets.foundation.settings import Settings

log = structlog.get_logger(__name__)

CLOSES = "closes"
_EVENTS = ("begun", "done", "settled")
_Key = tuple[str, str, datetime]


@contextmanager
def recorded(connection: Connection, sources: Sequence[str], period: str, journal: Journal) -> Iterator[list[Closing]]:
    """A transaction for which staging, planning and posting wait: what is closed is what was compared.

    The block puts what it did to the month into the list that it is given. Raises JournalUnusable before anything is
    done, and RestoreUnconfirmed.
    """
    done: list[Closing] = []
    with journal.writer(CLOSES) as writer:
        with connection.transaction():
            journal_store.lock(connection)
            for source in sorted(sources):
                serialise(connection, source)
            settle_order(connection, merging=True)
            require_month(connection, period)
            yield done
            for one in done:
                writer.append(_line("begun", one))
        try:
            for one in done:
                writer.append(_line("done", one))
        except JournalError as error:  # it was done; the next comparison adds the line
            log.warning("journal_incomplete", period=period, error=str(error))


def kinds(settings: Settings) -> list[Kind]:
    """What the journal keeps of the close."""
    return [closes_of(source_names(settings))]


def closes_of(sources: Sequence[str]) -> Kind:
    """The events of months, into which documents of these sources go, for `compare`."""

    def take_in(connection: Connection, lines: Sequence[Line]) -> Taken:
        return _take_in(connection, sources, lines)

    return Kind(CLOSES, whole=True, check=_check, take_in=take_in, everything=_everything)


def _everything(connection: Connection) -> Iterator[Line]:
    return (_line("done", one) for one in store.closings(connection))


def _take_in(connection: Connection, sources: Sequence[str], lines: Sequence[Line]) -> Taken:
    events = {name: {_key(one): one for one in lines if one["event"] == name} for name in _EVENTS}
    settled = events["settled"].keys()
    rows = {(one.period, one.action, one.acted_at): one for one in store.closings(connection)}
    # A month that was closed soft in its place has the begun one's time.
    unsure = {
        key: one
        for key, one in events["begun"].items()
        if key not in events["done"] and key not in rows and key not in settled
    }
    lacking = {key: one for key, one in events["done"].items() if key not in rows}
    taken = Taken(append=[_line("done", one) for key, one in rows.items() if key not in events["done"]])
    if lacking or unsure:
        for source in sorted(sources):
            serialise(connection, source)
        settle_order(connection, merging=True)
    for _, one in sorted(lacking.items(), key=lambda item: item[0][2]):
        store.take_in(connection, _closing(one))
        taken.behind = True
    for period in sorted({key[0] for key in lacking}):
        _set_state(connection, period)
    for one in unsure.values():
        taken.append += _settle(connection, one)
    if lacking:
        taken.facts["closes"] = [f"{period} {action} {at:%Y-%m-%d %H:%M}" for period, action, at in sorted(lacking)]
    if unsure:
        taken.facts["closes_begun"] = [f"{period} {action}" for period, action, _ in sorted(unsure)]
        log.warning("close_cut_off", months=taken.facts["closes_begun"], to_do="close again, or reopen")
    return taken


def _settle(connection: Connection, begun: Line) -> Iterator[Line]:
    """Closes a month soft when it is unknown whether it was closed."""
    one = _closing(begun)
    if one.action != "reopen" and store.closed_state(connection, one.period) is None:
        why = f"A {one.action.replace('_', ' ')} was begun, and nothing says that it was finished: {one.why}"
        soft = one._replace(action="soft_close", why=why)
        if store.take_in(connection, soft):
            store.set_closed(connection, one.period, "soft")
            yield _line("done", soft)
    yield begun | {"event": "settled"}


def _set_state(connection: Connection, period: str) -> None:
    """Makes a month what its history says. Closed for good it stays."""
    before = store.closed_state(connection, period)
    history = sorted(store.closings(connection, period), key=lambda one: one.acted_at)
    if before == "hard" or not history:
        return
    if any(one.action == "hard_close" for one in history):
        store.set_closed(connection, period, "hard")
    elif history[-1].action == "soft_close":
        store.set_closed(connection, period, "soft")
    elif before is not None:
        store.set_open(connection, period)


def _line(event: str, one: Closing) -> Line:
    return {
        "event": event,
        "period": one.period,
        "action": one.action,
        "acted_by": one.acted_by,
        "why": one.why,
        "acted_at": one.acted_at.isoformat(),
        "figures": one.figures.hex(),
    }


def _closing(line: Line) -> Closing:
    return Closing(
        line["period"],
        line["action"],
        line["acted_by"],
        line["why"],
        datetime.fromisoformat(line["acted_at"]),
        bytes.fromhex(line["figures"]),
    )


def _check(line: Line) -> None:
    """Raises ValueError, LookupError or TypeError for what is no event of a month."""
    one = _closing(line)
    known = line["event"] in _EVENTS and one.action in ("soft_close", "hard_close", "reopen")
    if not known or one.acted_at.tzinfo is None or not (one.acted_by.strip() and one.why.strip()):
        raise ValueError(line["event"])
    first_day(one.period)


def _key(line: Line) -> _Key:
    return line["period"], line["action"], datetime.fromisoformat(line["acted_at"])
