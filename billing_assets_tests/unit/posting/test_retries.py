"""When a request is sent again in the same run."""

import pytest

from billing_assets.posting.answers import Answer, NotSent, Refused, Retry, Unauthorized, Unknown
from billing_assets.posting.retries import TRIES, pause_before_retry

BUSY = Retry(429, "REQUEST_LIMIT_EXCEEDED", "too many requests", retry_after=5.0, throttled=True)


def test_a_busy_system_gets_the_time_that_it_asks_for_but_no_more_than_a_minute() -> None:
    assert pause_before_retry(BUSY, 0) == 5.0
    assert pause_before_retry(Retry(429, "BUSY", "", retry_after=3_600.0, throttled=True), 0) == 60.0


def test_the_pause_grows_and_is_never_the_same_for_all() -> None:
    silent = Retry(503, "", "", throttled=False)
    pauses = [[pause_before_retry(silent, tries) or 0.0 for _ in range(50)] for tries in range(TRIES - 1)]
    assert all(0.125 <= one <= 0.25 for one in pauses[0])
    assert all(5.0 <= one <= 10.0 for one in pauses[-1])
    assert all(len(set(same)) > 1 for same in pauses)


def test_tries_end() -> None:
    assert pause_before_retry(BUSY, TRIES - 1) is None
    assert pause_before_retry(NotSent("no connection"), 1) is not None
    assert pause_before_retry(NotSent("no connection"), 2) is None


@pytest.mark.parametrize("answer", [Unknown(None, "cut"), Refused(400, "INVALID", None, "wrong")])
def test_what_may_have_landed_or_was_refused_for_good_is_not_sent_again(answer: Answer) -> None:
    assert pause_before_retry(answer, 0) is None


def test_a_refused_login_is_tried_again() -> None:
    assert pause_before_retry(Unauthorized("no"), 0) is not None
