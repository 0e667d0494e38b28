"""What the sensor of batches does: requests of this night, planning, and the runs that are missing. Plain functions."""

from collections.abc import Collection
from datetime import date

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches import planning_store, run_store
from billing_assets.invoicing.batches.planning_store import Planned
from billing_assets.invoicing.batches.run_store import RunWanted
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.validating import plan_next

_REQUESTS_A_LOOK = 100


def request_tonight(connection: Connection, night: date) -> list[str]:
    """Queues one request for every automated group whose window is open, once a night. The groups of these."""
    windows = run_store.open_windows(connection, night)
    for group in windows:
        planning_store.request(connection, Wanted(Selection.BILL_GROUP, night, (group,)))
    return windows


def plan_pending(connection: Connection, most: int = _REQUESTS_A_LOOK) -> list[Planned]:
    """Makes batches of what is requested. What a crash left undone, the next look does."""
    made: list[Planned] = []
    for _ in range(most):
        planned = plan_next(connection)
        if planned is None:
            break
        made += planned
    return made


def runs_wanted(
    connection: Connection, at_work: Collection[str], windows: Collection[str], night: date, pause_seconds: float
) -> list[RunWanted]:
    """A run for every batch that has something to do and no run. `at_work`: partitions that runs have."""
    numbers = {int(one) for one in at_work if one.isdecimal()}
    return run_store.runs_wanted(connection, numbers, windows, night, pause_seconds)
