"""The part of an item's life that the core moves; what comes before `ready` is its owner's."""

from enum import StrEnum


class ItemState(StrEnum):
    """Where an item is between its owner and the outside system."""

    READY = "ready"  # waiting for a batch
    BATCHED = "batched"  # assigned to a batch, no run has it
    LOCKED = "locked"  # a live run holds it by lease and epoch
    POSTING = "posting"  # the intent is committed, the outcome is not known
    POSTED = "posted"  # the system has it; never changes again
    REJECTED = "rejected"  # the system refused it for good and has nothing (the dead letter)
    DIFFERS = "differs"  # the system has it under our external id, not as it was sent
