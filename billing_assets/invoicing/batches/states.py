"""The states of requests, batches and members as data; the database is guarded by the same table."""

from enum import StrEnum


class Batch(StrEnum):
    """Where a batch is on its way. `WORDS` has what people read."""

    SELECTED = "selected"
    PENDING_VALIDATION = "pending_validation"
    VALIDATING = "validating"
    IN_REVIEW = "in_review"
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ERROR_OCCURRED = "error_occurred"
    EMPTY = "empty"
    RELEASED = "released"


WORDS: dict[Batch, str] = {one: one.value.replace("_", " ").title() for one in Batch}
"""The words of billing operations: Pending Validation, In Review, …"""


class Member(StrEnum):
    """Where a member is. The first three are open: its usage is in no other batch."""

    SELECTED = "selected"
    CLEAR = "clear"
    HELD = "held"
    INVOICED = "invoiced"
    FAILED = "failed"
    TAKEN_OUT = "taken_out"
    RELEASED = "released"
    DISCARDED = "discarded"


_BEFORE_PROCESSING = (Batch.SELECTED, Batch.PENDING_VALIDATION, Batch.VALIDATING, Batch.IN_REVIEW, Batch.PENDING)

BATCH_TRANSITIONS: dict[Batch, frozenset[Batch]] = {
    Batch.SELECTED: frozenset({Batch.PENDING_VALIDATION, Batch.RELEASED}),
    Batch.PENDING_VALIDATION: frozenset({Batch.VALIDATING, Batch.RELEASED}),
    Batch.VALIDATING: frozenset({Batch.IN_REVIEW, Batch.PENDING_VALIDATION, Batch.EMPTY, Batch.RELEASED}),
    Batch.IN_REVIEW: frozenset({Batch.PENDING_VALIDATION, Batch.PENDING, Batch.EMPTY, Batch.RELEASED}),
    Batch.PENDING: frozenset({Batch.PROCESSING, Batch.RELEASED}),
    Batch.PROCESSING: frozenset({Batch.PENDING, Batch.COMPLETED, Batch.ERROR_OCCURRED}),
}

MEMBER_TRANSITIONS: dict[Member, frozenset[Member]] = {
    Member.SELECTED: frozenset({Member.CLEAR, Member.HELD, Member.TAKEN_OUT, Member.RELEASED}),
    Member.CLEAR: frozenset(
        {Member.SELECTED, Member.HELD, Member.TAKEN_OUT, Member.RELEASED, Member.INVOICED, Member.FAILED}
    ),
    Member.HELD: frozenset({Member.SELECTED, Member.CLEAR, Member.TAKEN_OUT, Member.RELEASED}),
    Member.INVOICED: frozenset({Member.DISCARDED}),
}
