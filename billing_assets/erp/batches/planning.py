"""Documents for the planner of the posting core: what waits, by billing month, in batches of the settings' sizes."""

from collections.abc import Collection, Mapping

from billing_assets.erp.batches.ledger import DOCUMENTS, WAITING
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.sections import BatchSettings
from billing_assets.posting import planning
from billing_assets.posting.batch_sizes import SizePolicy
from billing_assets.posting.planning import RunWanted


def plan(connection: Connection, settings: BatchSettings) -> list[str]:
    """Makes batches of every document that may go. Returns their partition keys; all or none are made."""
    sizes = SizePolicy(settings.max_documents, settings.at_once_below, settings.parallel_runs)
    return planning.plan(connection, WAITING, sizes)


def runs_wanted(
    connection: Connection, about_to_lock: Mapping[str, Collection[str]], *, pause_seconds: float = 0.0
) -> list[RunWanted]:
    """A request for every batch of documents that wants a run, as `posting.planning.runs_wanted` says."""
    return planning.runs_wanted(connection, DOCUMENTS, about_to_lock, pause_seconds=pause_seconds)
