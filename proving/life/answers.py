"""What NetSuite may answer: the rows of its error table as faults of the sandbox; None is a plain 204."""

from typing import Any

ANSWERS: dict[str, dict[str, Any] | None] = {
    "landed": None,
    "landed, answer lost": {"fault": "commit_then_drop"},
    "landed, then 500": {"fault": "commit_then_500"},
    "lost before it was saved": {"fault": "drop_without_commit"},
    "500": {"fault": "error_500_without_commit"},
    "gateway's page": {"fault": "html_502"},
    "refused": {"fault": "refuse", "code": "INVALID_CONTENT", "detail": "Invalid Field Value 9999", "path": "entity"},
    "refused in other words": {"fault": "refuse", "code": "USER_ERROR", "detail": "Das geht so nicht."},
    # What follows asks for a repetition or a stop.
    "too busy": {"fault": "refuse_concurrency"},
    "record changed": {"fault": "refuse_record_changed"},
    "login refused": {"fault": "refuse_unauthorized", "next": 2},  # once more with a new token
    "forbidden": {"fault": "refuse_permission"},
    # The client gives up and NetSuite saves when it pleases: the sandbox drops the request, and the model hands it in
    # again later. Its own fault `late_commit` would do so by the true clock, and no life could be lived twice.
    "slow": {"fault": "drop_without_commit"},
}
QUICK_ANSWERS = tuple(ANSWERS)[:8]
"""Those after which a whole run does not pause."""
