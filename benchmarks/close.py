"""The close of a month, per 54,000 documents."""

import time

from benchmarks.posting import PERIOD, POST, backlog
from benchmarks.world import report, timed_process, world
from billing_assets.close.reconciliation import close_month

_DOCUMENTS = 54_000


def main() -> None:
    """Prints the seconds, scaled to a month of 54,000 documents."""
    with world(PERIOD) as here:
        documents, keys = backlog(here)
        timed_process(POST.format(keys=keys, clock="0"))
        runtime = here.runtime
        with runtime.state() as connection, runtime.billing_system() as source:
            began = time.monotonic()
            close = close_month(connection, source, runtime.queries, runtime.netsuite, runtime.mapping, PERIOD)
            seconds = time.monotonic() - began
        assert close.complete
    scaled = seconds * _DOCUMENTS / documents
    report(f"month close ({documents:,} documents, scaled)", f"{scaled:.1f} s", "10 s for 54,000", scaled / 10, 1)


if __name__ == "__main__":
    main()
