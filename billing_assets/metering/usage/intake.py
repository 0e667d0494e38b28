"""The import engine's sets become usage and charges: each once, and settled. Safe to repeat, and side by side."""

from datetime import UTC, datetime

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine import message_store
from billing_assets.metering.import_engine.arrivals import MessageState
from billing_assets.metering.usage import intake_store, store
from billing_assets.metering.usage.contents import fact_of
from billing_assets.metering.usage.facts import Fact, Options
from billing_assets.metering.usage.store import Moved

BATCH = 1000
"""Sets that are taken in by one transaction."""


def settle_all(connection: Connection, *, now: datetime | None = None, options: Options | None = None) -> list[Moved]:
    """Takes in all 867 and 810 that were accepted or held, and settles what is new or whose time is up.

    In transactions of its own: killed in between, the next call goes on. Run it after files were read, and each day.
    """
    now = now or datetime.now(UTC)
    while take_sets(connection, BATCH):
        pass
    return store.settle_what_waits(connection, now=now, options=options)


def take_sets(connection: Connection, limit: int) -> int:
    """Takes in sets that are not usage or charges yet; how many it looked at."""
    with connection.transaction():
        found = intake_store.new_sets(connection, limit)
        facts: list[Fact] = []
        done: list[MessageState] = []
        for one in found:
            fact = fact_of(one.message, one.type, one.content, one.codes, one.arrived_at, one.sent_at, one.control)
            if fact is None:
                done.append(MessageState(one.message, "ready"))  # reads: there is nothing to pair
            else:
                facts.append(fact)
        store.take_in(connection, facts)
        message_store.set_states(connection, done)
    return len(found)
