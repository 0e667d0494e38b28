"""When a document of the sample appears and when it closes: the same in every run, decided by a hash of its number."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from billing_assets.sandbox.samples.data import SampleDocument

LATE_CREATION_PERCENT = 3
LATE_CLOSING_PERCENT = 12


class Schedule(NamedTuple):
    """The waves (1-based) in which a document is created and closed; `closed` is never before `created`."""

    created: int
    closed: int


def schedule(documents: Sequence[SampleDocument], waves: int) -> list[Schedule]:
    """Spread documents over `waves`, roughly in the order of their business time.

    Most are closed when they appear, some close in a later wave, some are created in the last wave though dated
    early. All are there and closed after the last wave. Raises ValueError for less than one wave.
    """
    if waves < 1:
        raise ValueError(f"A sample needs at least one wave, not {waves}.")
    count = len(documents)
    return [_schedule(document.number, rank * waves // count + 1, waves) for rank, document in enumerate(documents)]


def _schedule(number: str, regular: int, waves: int) -> Schedule:
    digest = hashlib.sha256(number.encode()).digest()
    created = waves if _percent(digest[:4]) < LATE_CREATION_PERCENT else regular
    waves_left = waves - created
    if not waves_left or _percent(digest[4:8]) >= LATE_CLOSING_PERCENT:
        return Schedule(created, created)
    return Schedule(created, created + 1 + int.from_bytes(digest[8:12]) % waves_left)


def _percent(digest: bytes) -> int:
    return int.from_bytes(digest) % 100
