"""What most commands begin with: our database migrated and Dagster's instance made."""

from collections.abc import Iterator
from contextlib import contextmanager

from billing_assets.logs import configure_logs
from billing_assets.operations import environment
from billing_assets.operations.environment import Prepared


@contextmanager
def prepared_machine(*, keep_server: bool = False) -> Iterator[Prepared]:
    """A prepared machine; an embedded database that was started for it stops at the end, unless it is to be kept."""
    with environment.runtime(keep_server=keep_server) as runtime:
        configure_logs(runtime.settings.log_format)
        yield environment.prepare(runtime)
