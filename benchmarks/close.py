"""The close of a month, scaled to 54,000 documents, against the ten seconds that it may take."""

import time
from collections.abc import Iterator

from benchmarks.backlog import backlog, post, runs
from benchmarks.measure import Mark, Measure, Place, Round
from benchmarks.sandbox import sandbox
from benchmarks.world import MONTH, source
from billing_assets.close.pack import make_pack
from billing_assets.close.reconciliation import close_month

_DOCUMENTS = 54_000
_SECONDS = 10.0


def _play(here: Place, small: bool) -> Iterator[Round]:
    rounds, documents = (1, 40) if small else (3, None)
    with (
        sandbox(here.folder / "netsuite-close") as netsuite,
        source(here, MONTH, documents) as billing,
        backlog(here, billing, netsuite, {}) as waiting,
    ):
        with runs(1 if small else 3) as pool:
            list(pool.imap_unordered(post, waiting.keys))
        waiting.check(netsuite)
        found = waiting.runtime
        for _ in range(rounds):
            with found.state() as connection, found.billing_system() as there:
                began = time.monotonic()
                close = close_month(
                    connection, there, found.settings.source.name, found.queries, found.netsuite, found.mapping, MONTH
                )
                connection.execute("delete from billing.close_packs")
                make_pack(connection, close)
                seconds = time.monotonic() - began
            if not close.reconciled:
                raise RuntimeError(f"the month does not agree: {close.differences[:3]}")
            count = sum(row.billing.documents for row in close.rows)
            yield Round(seconds * _DOCUMENTS / count, _SECONDS, count)


MEASURES = [
    Measure(
        "close",
        "month close with its pack, scaled to 54,000 documents",
        "the time that it may take",
        "s",
        Mark(at_most=1),
        1,
        _play,
    )
]
