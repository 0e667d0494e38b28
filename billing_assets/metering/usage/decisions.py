"""What a clerk decides about usage and charges: release a hold, reject a message, confirm or decline a pair.

Each decision is recorded with a name and a reason, in the transaction of what follows from it.
"""

import re
from collections.abc import Collection
from datetime import datetime

from billing_assets.decisions.store import Subject, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.metering.import_engine.x12_sets.codes import ANSWERS
from billing_assets.metering.usage import decision_store, store
from billing_assets.metering.usage.decision_store import Standing
from billing_assets.metering.usage.facts import Options, Rank
from billing_assets.metering.usage.lock_store import lock_points
from billing_assets.metering.usage.states import Kind, State, code_of
from billing_assets.metering.usage.store import Moved

OTHER_REASON = "A13"
"""Code of an 824 whose text says the reason (Source: X12 824 of ERCOT)."""

_ANSWERS = {"NO_SERVICE_POINT": "A76", "NO_PERIOD": "API"}


class NotDecidableError(BillingError):
    """What was decided does not fit the message."""


def release(
    connection: Connection,
    message: int,
    by: str,
    why: str,
    codes: Collection[str] = (),
    *,
    now: datetime | None = None,
    options: Options | None = None,
) -> list[Moved]:
    """Lets a held message pass, by these codes or by all that may be released. Raises NotDecidableError."""
    with connection.transaction():
        one = _locked(connection, message)
        if one.state is not State.HELD:
            raise NotDecidableError(f"{_name(one)} is {one.state}, not held: there is nothing to release.")
        wanted = list(codes) or [code for code in one.codes if code_of(code).releasable]
        if absent := [code for code in wanted if code not in one.codes]:
            raise NotDecidableError(f"{_name(one)} is not held by {', '.join(absent)}, but by {', '.join(one.codes)}.")
        if fixed := [code for code in wanted if not code_of(code).releasable] or ([] if wanted else list(one.codes)):
            raise NotDecidableError(f"{_name(one)}: {fixed[0]} cannot be released. {code_of(fixed[0]).to_do}")
        decision = record(connection, Subject.USAGE, str(message), f"release {' '.join(wanted)}", by, why)
        decision_store.release(connection, message, wanted, decision.id)
        return store.settle(connection, [one.point], now=now, options=options)


def reject(
    connection: Connection,
    message: int,
    by: str,
    why: str,
    answer: str | None = None,
    *,
    now: datetime | None = None,
    options: Options | None = None,
) -> list[Moved]:
    """Rejects a message that is held or waits: nothing of it counts, and an 824 with `answer` says so to the sender.

    By default the answer is that of its main code, else `OTHER_REASON`. Raises NotDecidableError.
    """
    with connection.transaction():
        one = _locked(connection, message)
        if one.state not in (State.HELD, State.WAITING):
            raise NotDecidableError(f"{_name(one)} is {one.state}: only what is held or waits can be rejected.")
        answer = answer or (ANSWERS | _ANSWERS).get(next(iter(one.codes), ""), OTHER_REASON)
        if not re.fullmatch(r"[A-Z0-9]{3}", answer):
            raise NotDecidableError(f"{answer!r} is no code of an 824; they have three letters or digits, such as A13.")
        decision = record(connection, Subject.USAGE, str(message), f"reject {answer}", by, why)
        decision_store.reject(connection, message, answer, decision.id)
        return store.settle(connection, [one.point], now=now, options=options)


def confirm(
    connection: Connection,
    usage: int,
    charges: int,
    by: str,
    why: str,
    *,
    now: datetime | None = None,
    options: Options | None = None,
) -> list[Moved]:
    """Pairs usage and charges of one point, whether that was suggested or not. Raises NotDecidableError."""
    with connection.transaction():
        one, other = _both(connection, usage, charges)
        for each, missing in ((one, "WAIT_CHARGES"), (other, "ORPHAN_CHARGES")):
            if missing not in each.codes:
                raise NotDecidableError(f"{_name(each)} is {_said(each)}: it waits for no pair.")
        return _decide_pair(connection, one, other, "confirm", by, why, now, options)


def decline(
    connection: Connection,
    usage: int,
    charges: int,
    by: str,
    why: str,
    *,
    now: datetime | None = None,
    options: Options | None = None,
) -> list[Moved]:
    """Says that usage and charges that were suggested, or confirmed before, are no pair. Raises NotDecidableError."""
    with connection.transaction():
        one, other = _both(connection, usage, charges)
        found = decision_store.found_by(connection, usage, charges)
        if found is None:
            raise NotDecidableError(f"{_name(one)} and {_name(other)} are no pair now: there is nothing to decline.")
        if found == Rank.REFERENCE:
            raise NotDecidableError(f"{_name(other)} names {_name(one)}: reject one of them instead.")
        if State.BILLED in (one.state, other.state) or State.RESTATED in (one.state, other.state):
            raise NotDecidableError(f"{_name(one)} and {_name(other)} are on an invoice.")
        return _decide_pair(connection, one, other, "decline", by, why, now, options)


def _decide_pair(
    connection: Connection,
    usage: Standing,
    charges: Standing,
    what: str,
    by: str,
    why: str,
    now: datetime | None,
    options: Options | None,
) -> list[Moved]:
    decision = record(connection, Subject.USAGE, str(usage.message), f"{what} {charges.message}", by, why)
    decision_store.pair(connection, usage.message, charges.message, what, decision.id)
    return store.settle(connection, [usage.point], now=now, options=options)


def _both(connection: Connection, usage: int, charges: int) -> tuple[Standing, Standing]:
    one = _locked(connection, usage)
    other = _locked(connection, charges)
    if (one.kind, other.kind) != (Kind.USAGE, Kind.CHARGES):
        raise NotDecidableError(f"A pair is usage and charges; {usage} is {one.kind}, {charges} is {other.kind}.")
    if one.point != other.point:
        raise NotDecidableError(f"{_name(one)} is of another service point than {_name(other)}.")
    return one, other


def _locked(connection: Connection, message: int) -> Standing:
    """The message as it is while no one else settles its point."""
    lock_points(connection, store.points_of(connection, [message]))
    found = decision_store.standing(connection, message)
    if found is None:
        raise NotDecidableError(f"There is no usage and there are no charges with the number {message}.")
    return found


def _name(one: Standing) -> str:
    return f"{one.kind.capitalize()} {one.id} ({one.message})"


def _said(one: Standing) -> str:
    return " ".join((one.state, *one.codes))
