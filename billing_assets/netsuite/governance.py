"""NetSuite's own word on how many requests an integration may have in flight: settings may be out of date."""

import time

import structlog

from billing_assets.netsuite.client import NetSuiteClient
from billing_assets.netsuite.errors import NetSuiteError
from billing_assets.posting.lanes import Lanes

log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 3.0
_LANE_SECONDS = 0.05


def heed_governance(client: NetSuiteClient, lanes: Lanes) -> None:
    """Lowers the lanes to what NetSuite allows this integration, where its role may know. Never raises for that.

    The settings stay the most: the share of other integrations is for people to leave. The question takes a lane as
    every request does, else it could be what makes NetSuite refuse another's document.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not lanes.acquire(_LANE_SECONDS):
        if time.monotonic() > deadline:
            return
        lanes.refresh(1)
    try:
        limit = client.concurrency_limit()
    except NetSuiteError as error:
        log.info("governance_limits_not_told", reason=type(error).__name__)
        return
    finally:
        lanes.release()
    if limit is not None:
        lanes.lower_limit(limit)
