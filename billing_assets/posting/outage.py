"""Waiting through an outage of the outside system: better than ending red and starting again every few seconds."""

import time
from collections.abc import Callable

import structlog

from billing_assets.posting.answers import Unavailable
from billing_assets.posting.batch_lease import Lease
from billing_assets.posting.lanes import Lanes

log = structlog.get_logger(__name__)

_ASK_EVERY_SECONDS = 2.0
_LANE_SECONDS = 0.5


def wait_until_it_answers(
    ask_for_life: Callable[[], None], lanes: Lanes, lease: Lease, seconds: float, reason: str
) -> bool:
    """Asks the system every two seconds whether it is back. False: it was not, for all of `seconds`.

    `ask_for_life` raises Unavailable while it is not. Holds the batch meanwhile. Raises StaleLockError when the hold is
    lost, and what else `ask_for_life` raises for an answer that no waiting fixes (a refused login).
    """
    began = time.monotonic()
    log.warning("system_unreachable", reason=reason, waits_seconds=seconds)
    while time.monotonic() < began + seconds:
        lease.check()
        lanes.refresh(1)
        if _answers(ask_for_life, lanes):
            log.info("system_answers_again", after_seconds=round(time.monotonic() - began, 1))
            return True
        time.sleep(_ASK_EVERY_SECONDS)
    return False


def _answers(ask_for_life: Callable[[], None], lanes: Lanes) -> bool:
    if not lanes.acquire(_LANE_SECONDS):
        return False
    try:
        ask_for_life()
    except Unavailable:
        return False
    else:
        return True
    finally:
        lanes.release()
