"""Waiting through an outage of NetSuite: better than ending red and beginning anew every few seconds."""

import time

import structlog

from billing_assets.batches.lease import Lease
from billing_assets.netsuite.client import NetSuiteClient
from billing_assets.netsuite.errors import NetSuiteUnavailable
from billing_assets.netsuite.lanes import Lanes

log = structlog.get_logger(__name__)

_ASK_EVERY_SECONDS = 2.0
_LANE_SECONDS = 0.5


def wait_until_netsuite_answers(
    client: NetSuiteClient, lanes: Lanes, lease: Lease, seconds: float, reason: str
) -> bool:
    """Asks NetSuite every two seconds whether it is back. False: it was not, for all of `seconds`.

    Holds the batch meanwhile. Raises StaleLockError when the hold is lost, and NetSuiteError for an answer that no
    waiting fixes (a refused login).
    """
    began = time.monotonic()
    log.warning("netsuite_unreachable", reason=reason, waits_seconds=seconds)
    while time.monotonic() < began + seconds:
        lease.check()
        lanes.refresh(1)
        if _answers(client, lanes):
            log.info("netsuite_answers_again", after_seconds=round(time.monotonic() - began, 1))
            return True
        time.sleep(_ASK_EVERY_SECONDS)
    return False


def _answers(client: NetSuiteClient, lanes: Lanes) -> bool:
    if not lanes.acquire(_LANE_SECONDS):
        return False
    try:
        client.ask_for_life()
    except NetSuiteUnavailable:
        return False
    else:
        return True
    finally:
        lanes.release()
