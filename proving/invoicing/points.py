"""Where a worker can die while it drafts, checks and issues: functions of the product, by what has happened there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from billing_assets.invoicing.batches import planning_store
from billing_assets.invoicing.batches import store as batches
from billing_assets.invoicing.corrections import asking
from billing_assets.invoicing.corrections import store as corrections
from billing_assets.invoicing.invoices import drafting, mirror_store, processing, releasing, reports, store
from billing_assets.work_queue import claims


class Point(NamedTuple):
    """Before or after a function, at its n-th call."""

    module: Any
    function: str
    when: str = "after"
    nth: int = 1


STALE = "drafts of changed usage are discarded and not committed"
CHANGED = "what changed underway is in another batch and not committed"
TAKING: dict[str, Point] = {
    "the batch is claimed": Point(claims, "claim"),
    "it is processed and not committed": Point(batches, "move"),
}
DRAFTING: dict[str, Point] = {
    "a member is locked": Point(reports, "next_clear", nth=2),
    "its account is locked": Point(reports, "invoicing_facts", nth=2),
    "it is rated": Point(drafting, "_rated", nth=2),
    "its invoice is about to be written": Point(store, "write_draft", "before", nth=2),
    "its invoice is written without lines": Point(store, "_write_lines", "before", nth=2),
    "its invoice is written without taxes": Point(store, "_write_taxes", "before", nth=2),
    "its invoice is written and not committed": Point(store, "write_draft", nth=2),
    "the member is about to be invoiced": Point(batches, "end_member", "before", nth=2),
    "the member is invoiced and not committed": Point(batches, "end_member", nth=2),
    "a member is committed": Point(processing, "step"),
}
FINISHING: dict[str, Point] = {
    "the claim is completed and not committed": Point(claims, "complete"),
    "the batch is completed and not committed": Point(batches, "move", nth=2),
    CHANGED: Point(planning_store, "retry"),
    "the batch is committed": Point(processing, "finish"),
}
CHECKING: dict[str, Point] = {
    "a draft is checked and not committed": Point(store, "write_quality"),
    "drafts are approved and not committed": Point(store, "move", nth=2),
    "the checks are committed": Point(releasing, "check_quality"),
}
ISSUING: dict[str, Point] = {
    "the drafts are locked": Point(reports, "drafts"),
    "their usage is locked": Point(releasing, "lock_ready"),
    STALE: Point(releasing, "_drop"),
    "the numbers are taken": Point(store, "take_numbers"),
    "the numbers are about to be written": Point(store, "issue", "before"),
    "the numbers are written and not committed": Point(store, "issue"),
    "metering knows and nothing is committed": Point(releasing, "note_all_billed"),
    "the invoices are issued": Point(releasing, "issue"),
}
CORRECTING: dict[str, Point] = {
    "its correction is opened": Point(corrections, "open_one"),
    "its cancel is written": Point(mirror_store, "write_cancel"),
    "its rebill is drafted": Point(store, "write_draft"),
    "the numbers are taken": Point(store, "take_numbers"),
    "the numbers are written and not committed": Point(store, "issue"),
    "its predecessor is rebilled": Point(mirror_store, "note_rebilled"),
    "its correction is done and not committed": Point(corrections, "end"),
    "metering's proposals are answered": Point(asking, "answered"),
}
POINTS = TAKING | DRAFTING | FINISHING | CHECKING | ISSUING
"""All but those of corrections, in the order in which one worker comes to them. The `n` of a point is that of a worker
that does all of a batch of two."""


class KilledError(BaseException):
    """A worker dies here: what it has not committed is lost with its connection."""


@contextmanager
def dying(point: Point) -> Iterator[None]:
    """In this block the function of a point raises KilledError at each call."""
    original = getattr(point.module, point.function)

    def dies(*arguments: Any, **named: Any) -> Any:
        if point.when == "after":
            original(*arguments, **named)
        raise KilledError

    with patch.object(point.module, point.function, dies):
        yield
