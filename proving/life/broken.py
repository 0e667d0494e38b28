"""Every guard, broken on purpose: the product's own functions without the one condition that keeps us safe.

Each is a context manager that takes the world. The machine must fail in it, or it would not notice in earnest.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any, TypeAlias
from unittest.mock import patch

from billing_assets.erp.batches import planning
from billing_assets.erp.batches import store as batches
from billing_assets.erp.batches.ledger import WAITING
from billing_assets.erp.netsuite import store as netsuite
from billing_assets.erp.netsuite.sink import NetSuiteSink
from billing_assets.erp.netsuite.store import Posting
from billing_assets.erp.staging import polling, verbs
from billing_assets.erp.staging import store as staging
from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.posting import attempts, batch_lock, dispatch, look_up, run
from billing_assets.posting.answers import Answer, Unknown
from billing_assets.posting.attempts import Intent, OpenAttempt, Outcome
from billing_assets.posting.batch_lock import Lock
from billing_assets.posting.ledger import Ledger
from billing_assets.posting.outcomes import outcome_of
from billing_assets.posting.states import ItemState
from proving.life.world import SLOWEST_SECONDS, World

Broken: TypeAlias = Callable[[World], AbstractContextManager[None]]


@contextmanager
def no_epoch(_: World) -> Iterator[None]:
    """Writes do not carry the epoch of the lock: whoever knows the batch may write."""

    def whoever(connection: Connection, held: Lock) -> Lock:
        return replace(held, epoch=batches.get(connection, held.partition_key).epoch)

    def forgetful(function: Callable[..., Any]) -> Callable[..., Any]:
        def without_epoch(connection: Connection, held: Lock, *rest: Any, **named: Any) -> Any:
            return function(connection, whoever(connection, held), *rest, **named)

        return without_epoch

    with ExitStack() as stack:
        for module, names in (
            (attempts, ("record_outcomes", "record_intents")),
            (verbs, ("hold",)),
            (batch_lock, ("renew", "release")),
        ):
            for name in names:
                stack.enter_context(patch.object(module, name, forgetful(getattr(module, name))))
        yield


@contextmanager
def no_intent(_: World) -> Iterator[None]:
    """Requests leave before their intents are committed; these are written with the outcomes."""
    intend, record = attempts.record_intents, attempts.record_outcomes
    waiting: dict[int, Intent] = {}

    def later(_connection: Connection, _held: Lock, intents: dict[int, Intent]) -> dict[int, int]:
        waiting.update(intents)
        return dict.fromkeys(intents, 0)

    def both(connection: Connection, held: Lock, outcomes: Sequence[Outcome]) -> None:
        now = {one.document: waiting.pop(one.document) for one in outcomes if one.document in waiting}
        made = intend(connection, held, now)
        record(connection, held, [replace(one, attempt=made.get(one.document, one.attempt)) for one in outcomes])

    with patch.object(attempts, "record_intents", later), patch.object(attempts, "record_outcomes", both):
        yield


@contextmanager
def no_look_up(_: World) -> Iterator[None]:
    """An open attempt is taken for absent at once, and its document sent again."""
    absent = look_up._absent

    def without_looking(sink: NetSuiteSink, one: OpenAttempt[Posting], *, send_refused_again: bool) -> Outcome | None:
        taken_for_unknown = replace(one, due=True, last_outcome="unknown")
        return absent(sink, taken_for_unknown, send_refused_again=send_refused_again)

    with patch.object(look_up, "_absent", without_looking), patch.object(NetSuiteSink, "look_up", lambda *_: {}):
        yield


@contextmanager
def unknown_is_failure(_: World) -> Iterator[None]:
    """No answer is taken for a refusal."""
    outcome = outcome_of

    def failed(request: dispatch.Request[Posting], answer: Answer, seconds: float, *, again: bool) -> Outcome:
        row = outcome(request, answer, seconds, again=again)
        return replace(row, outcome="refused", state=ItemState.REJECTED) if isinstance(answer, Unknown) else row

    with patch.object(run, "outcome_of", failed):
        yield


@contextmanager
def absence_counts_at_once(_: World) -> Iterator[None]:
    """NetSuite is asked, and what it does not show at once is sent again, however slow NetSuite may be."""
    open_attempts = netsuite.open_attempts

    def due_at_once(connection: Connection, held: Lock, _after: float) -> list[OpenAttempt[Posting]]:
        return open_attempts(connection, held, 0)

    with patch.object(netsuite, "open_attempts", due_at_once):
        yield


@contextmanager
def absence_ignores_the_lease(_: World) -> Iterator[None]:
    """Absence counts once the longest request is over, though a run that lost its batch sends until its lease ends."""
    open_attempts = netsuite.open_attempts

    def due_too_early(connection: Connection, held: Lock, _after: float) -> list[OpenAttempt[Posting]]:
        return open_attempts(connection, held, SLOWEST_SECONDS)

    with patch.object(netsuite, "open_attempts", due_too_early):
        yield


@contextmanager
def watermark_by_itself(world: World) -> Iterator[None]:
    """The watermark moves in a transaction of its own, before the rows that it covers."""
    create = staging.create_incoming

    def moves_first(connection: Connection) -> None:
        row = world.source.execute("select now()").fetchone()
        assert row is not None
        moved_to: datetime = row[0]
        with connect(world.state_url) as other:
            other.execute(
                """
                insert into billing.watermarks (source, last_successful_run_at) values ('billing', %(to)s)
                on conflict (source) do update set last_successful_run_at = %(to)s""",
                {"to": moved_to},
            )
        create(connection)

    with (
        patch.object(staging, "create_incoming", moves_first),
        patch.object(staging, "finish", _finish_without_watermark),
    ):
        yield


def _finish_without_watermark(
    connection: Connection,
    source: str,
    run_id: str,
    since: datetime | None,
    moved_to: datetime,
    _counts: dict[str, int],
) -> None:
    connection.execute(
        "insert into billing.staging_runs (source, run_id, since, watermark, counts) values (%s, %s, %s, %s, '{}')",
        [source, run_id, since, moved_to],
    )


@contextmanager
def unlock_forgets_what_is_open(_: World) -> Iterator[None]:
    """An unlock gives back what may be in NetSuite already, too."""
    give_back = batch_lock.give_back

    def everything(connection: Connection, ledger: Ledger, key: str) -> int:
        connection.execute(
            "update billing.staged_invoices set state = 'locked' where batch = %s and state = 'posting'", [key]
        )
        return give_back(connection, ledger, key)

    with patch.object(batch_lock, "give_back", everything):
        yield


@contextmanager
def no_lease(_: World) -> Iterator[None]:
    """A batch is given to whoever asks, another run's lease notwithstanding."""
    lock = batch_lock.lock

    def anybody(
        connection: Connection, ledger: Ledger, key: str, run_id: str, seconds: float, *, retry_rejected: bool
    ) -> Lock:
        connection.execute("update billing.locked_batches set locked_until = null where partition_key = %s", [key])
        return lock(connection, ledger, key, run_id, seconds, retry_rejected=retry_rejected)

    with patch.object(batch_lock, "lock", anybody):
        yield


@contextmanager
def sends_after_the_lease(_: World) -> Iterator[None]:
    """A worker sends without looking whether the lease of its run has ended."""
    with patch.object(dispatch, "time", SimpleNamespace(monotonic=lambda: -1e9)):
        yield


@contextmanager
def one_transaction_for_all(_: World) -> Iterator[None]:
    """The transaction of the intents stays open while NetSuite works."""
    intend = attempts.record_intents

    def left_open(connection: Connection, held: Lock, intents: dict[int, Intent]) -> dict[int, int]:
        made = intend(connection, held, intents)
        connection.execute("begin")
        return made

    with patch.object(attempts, "record_intents", left_open):
        yield


@contextmanager
def duplicates_pass(world: World) -> Iterator[None]:
    """Neither the rule nor the database minds two documents of one number."""
    with _without_one_copy(world), patch.object(staging, "add_cross_findings", lambda *_: None):
        yield


@contextmanager
def duplicates_pass_the_rule(_: World) -> Iterator[None]:
    """The rule does not mind two documents of one number; the database does."""
    with patch.object(staging, "add_cross_findings", lambda *_: None):
        yield


@contextmanager
def _without_one_copy(world: World) -> Iterator[None]:
    row = world.state.execute(
        "select pg_get_constraintdef(oid) as definition from pg_constraint where conname = 'one_copy'"
    ).fetchone()
    assert row is not None
    world.state.execute("alter table billing.staged_invoices drop constraint one_copy")
    try:
        yield
    finally:
        world.reset()
        world.state.execute(f"alter table billing.staged_invoices add constraint one_copy {row['definition']}")


@contextmanager
def posted_is_staged_again(world: World) -> Iterator[None]:
    """Staging takes over what the source says of posted documents, too, and nothing in the database minds."""
    world.state.execute("alter table billing.staged_invoices disable trigger guard_document")
    try:
        too_many = [*staging.CHANGEABLE_STATES, "posted"]
        with (
            patch.object(staging, "CHANGEABLE_STATES", too_many),
            patch.object(polling, "CHANGEABLE_STATES", too_many),
        ):
            yield
    finally:
        world.state.execute("alter table billing.staged_invoices enable trigger guard_document")


@contextmanager
def credit_does_not_wait(_: World) -> Iterator[None]:
    """A credit memo is planned before its invoice is in NetSuite."""
    with patch.object(planning, "WAITING", replace(WAITING, plannable="s.state = 'ready'")):
        yield
