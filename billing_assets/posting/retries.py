"""When a request is sent again in the same run: after a system that was too busy (HTTP 429), a refused login, or a
connection that did not come about. How many lanes a busy system leaves us is `lanes.py`."""

import random

from billing_assets.posting.answers import Answer, NotSent, Retry, Unauthorized

TRIES = 8
"""Sendings of one item in one run while the system answers that it did nothing."""
_TRIES_UNREACHED = 3
"""The same while no connection comes about: then asking for life is the quicker way to notice its end."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 10.0
"""The pause doubles with every try; what a system asks for itself (Retry-After) counts as far as the limit below."""
_LONGEST_ASKED_FOR_SECONDS = 60.0


def pause_before_retry(answer: Answer, tries: int) -> float | None:
    """Seconds until a request is sent again that was sent `tries` times before this answer; None where it is not."""
    if not isinstance(answer, Retry | NotSent | Unauthorized):
        return None
    if tries + 1 >= (_TRIES_UNREACHED if isinstance(answer, NotSent) else TRIES):
        return None
    asked_for = min(answer.retry_after or 0.0, _LONGEST_ASKED_FOR_SECONDS) if isinstance(answer, Retry) else 0.0
    ours: float = min(_FIRST_PAUSE_SECONDS * 2**tries, _LONGEST_PAUSE_SECONDS)
    return max(asked_for, random.uniform(0.5, 1.0) * ours)  # noqa: S311  jitter, so that lanes do not come back together
