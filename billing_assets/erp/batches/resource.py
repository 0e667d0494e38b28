"""What the run of a process has locked: its first step takes a batch, its second posts it under the same lock."""

from billing_assets.foundation.runtime import Runtime
from billing_assets.posting.batch_lock import Lock


class TakenLocks:
    """The locks that this process took for its run. Another process of the same run, which Dagster may start where it
    believes the first one dead, takes a new one: only a new epoch tells the two apart."""

    def __init__(self, _: Runtime) -> None:
        self._by_batch: dict[tuple[str, str], Lock] = {}

    def note(self, lock: Lock) -> None:
        """Remembers a lock that was taken."""
        self._by_batch[lock.partition_key, lock.run_id] = lock

    def of(self, partition_key: str, run_id: str) -> Lock | None:
        """The lock that this process took of a batch, once: then it is the caller's to release."""
        return self._by_batch.pop((partition_key, run_id), None)

    def close(self) -> None:
        """Forgets them: their leases end."""
        self._by_batch.clear()
