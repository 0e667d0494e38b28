"""What most commands begin with: our database migrated and Dagster's instance made."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from billing_assets.erp.bindings import BoundElsewhereError
from billing_assets.foundation.logs import configure_logs
from billing_assets.foundation.texts import visible
from billing_assets.operations import environment
from billing_assets.operations.environment import Prepared


@contextmanager
def prepared_machine(*, keep_server: bool = False, only_reads: bool = False) -> Iterator[Prepared]:
    """A prepared machine; an embedded database that was started for it stops at the end, unless it is to be kept.

    Settings that name another account, environment or prefix than the database is bound to are refused; a command that
    `only_reads` our own tables says it and goes on.
    """
    with environment.runtime(keep_server=keep_server) as runtime:
        configure_logs(runtime.settings.log_format)
        yield environment.prepare(runtime, may_differ=_say if only_reads else None)


def _say(error: BoundElsewhereError) -> None:
    print(f"billing: {visible(str(error))}", file=sys.stderr)  # what a script reads is on standard output
