"""NetSuite's own word on how many requests an integration may have in flight: settings may be out of date."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import structlog

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import NetSuiteError
from billing_assets.posting.lanes import Lanes

log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 3.0


@contextmanager
def heeding_governance(client: NetSuiteClient, lanes: Lanes) -> Iterator[None]:
    """Asks beside the block, and lowers its lanes to what NetSuite allows this integration, where its role may know.

    Until then the block has the lanes that it has at first: enough for its own questions, not for sending. The settings
    stay the most: the share of other integrations is for people to leave. What NetSuite answers raises nothing.
    """
    with ThreadPoolExecutor(1, "governance") as beside:
        asked = beside.submit(_heed, client, lanes)
        yield
        asked.result()


def _heed(client: NetSuiteClient, lanes: Lanes) -> None:
    """The question takes a lane as every request does, else it could be what makes NetSuite refuse a document."""
    limit = None
    try:
        if lanes.acquire(_PATIENCE_SECONDS):
            try:
                limit = client.concurrency_limit()
            except NetSuiteError as error:
                log.info("governance_limits_not_told", reason=type(error).__name__)
            finally:
                lanes.release()
    finally:
        lanes.heed(limit)
